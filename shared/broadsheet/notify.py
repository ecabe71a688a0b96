"""The notify job: committed records in, posts in channels out, each channel told once.

Three ways in. `announce` takes a record from the table's stream and posts it. `post_due` posts what waited: for a
channel that was down, its rate, a model's words, the end of a lease. `sweep` finds commits that have no deliveries, for
a stream forgets after 24 hours. All three end in the same claim, so that they may overlap as they like.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import changes, channels, routing, tellings
from broadsheet.channels import Announcement, Http
from broadsheet.channels.wording import changed
from broadsheet.deliveries import Deliveries, Delivery, DigestRecord, Telling
from broadsheet.posting import SOON, TIME_FOR_A_POST, Member, Outcome, Poster
from broadsheet.rewriting import Rewriter
from broadsheet.secrets import Secrets
from broadsheet.source import Channel, Sources
from broadsheet.standings import Standings
from broadsheet.store import Articles, Record, StoreError
from broadsheet.timetable import Hold

RETRY_DELAY = 30.0  # seconds until a repeat is tried that must wait for others, or for time
PATIENCE = 5.0  # seconds that a batch of the stream waits for channels' rates in all: the next batch waits behind it
FIRST_TELLING_TAKES = 60.0  # seconds until an update looks again whether the channel was told of the article itself
NEWS_IS_OLD = timedelta(days=7)  # a record that changes later than that (a further source) is announced to nobody
MOST_IN_A_DIGEST = 100  # what can be claimed and settled within seconds; the next run takes the next
SWEEP_MARGIN = 900.0  # seconds: a commit stamped before then has either been made or never will be
SWEEP_REACH = 48 * 3600.0  # seconds the first sweep looks back

log = logging.getLogger("broadsheet.notify")


class Notifier:
    """One run of the job. `clock` gives epoch seconds, `deadline` is on it; `last_posts` as `Poster` takes them."""

    def __init__(
        self,
        *,
        articles: Articles,
        deliveries: Deliveries,
        standings: Standings,
        secrets: Secrets,
        sources: Sources,
        http: Http,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        deadline: float,
        last_posts: dict[str, float] | None = None,
        rewriter: Rewriter | None = None,
    ) -> None:
        self._articles = articles
        self._rewriter = rewriter
        self._deliveries = deliveries
        self._sources = sources
        self._clock = clock
        self._deadline = deadline
        self._poster = Poster(
            deliveries=deliveries,
            standings=standings,
            secrets=secrets,
            http=http,
            clock=clock,
            sleep=sleep,
            deadline=deadline,
            last_posts={} if last_posts is None else last_posts,
        )

    @property
    def outcomes(self) -> list[Outcome]:
        """What came of each telling in this run, and of the channels."""
        return self._poster.outcomes

    def announce(self, record: Record) -> None:
        """Open the record's deliveries, and post those whose channel can take one now."""
        for channel, telling in self._wanted(record):
            now = self._clock()
            if self._filtered(channel, record, telling):
                continue
            if hold := self._poster.hold(channel):
                self._open(channel, record, telling, hold)
                self._poster.note("held", record, channel, reason=hold.reason)
            elif self._rewriter and self._rewriter.may_take_time(record, channel):  # the next record is not to wait
                self._open(channel, record, telling)
                self._poster.note("pending", record, channel, reason="words")
            elif not self._poster.may_post(channel, SOON if self._poster.waited < PATIENCE else 0):
                self._open(channel, record, telling)
                self._poster.note("pending", record, channel, reason="rate or rest")
            elif claim := self._deliveries.open_claimed(telling, channel.id, now=now, trace=record.trace):
                self._post_claimed(channel, record, claim)

    def post_due(self) -> None:
        """Post what is due, one to each channel in turn, as far as rates and time allow: a backlog delays its own.

        Channels that ask a model come after all others: these don't wait for its answers, but it waits for slow ones.
        """
        slow = [channel for channel in self._sources.channels if self._rewriter and self._rewriter.serves(channel)]
        quick = [channel for channel in self._sources.channels if channel not in slow]
        failures = [error for channels in (quick, slow) for error in self._post_in_turns(channels)]
        if failures:
            raise failures[-1]

    def _post_in_turns(self, channels: Iterable[Channel]) -> Iterator[Exception]:
        """Post what is due to these; yields AWS's refusals, each of which ends its channel's turns."""
        turns = deque((channel, self._due(channel)) for channel in channels)
        while turns:
            channel, due = turns.popleft()
            try:
                if (found := next(due, None)) is None:
                    continue
                if len(found) > 1:
                    self._post_digest(channel, found)
                else:
                    self._post_due(channel, found[0])
            except (ClientError, BotoCoreError) as error:
                self._poster.rest(channel)
                yield error
            turns.append((channel, due))

    def sweep(self) -> int:
        """Open the deliveries that commits lack since the last sweep; returns how many. They are due at once.

        What there is no time for, the next sweep does: it goes on where this one stopped.
        """
        until = self._clock() - SWEEP_MARGIN
        since = self._deliveries.swept_until() or until - SWEEP_REACH
        if since >= until:
            return 0
        opened, reached = 0, since
        for ids in _batched(self._committed(since, until), 100):
            if self._clock() + TIME_FOR_A_POST > self._deadline:
                break
            for record in self._readable(ids):
                wanted = {(channel.id, telling.revision): channel for channel, telling in self._wanted(record)}
                for pair in self._deliveries.missing(record.id, wanted):
                    channel, telling = wanted[pair], Telling(record.id, pair[1])
                    if self._filtered(channel, record, telling):
                        continue
                    self._open(channel, record, telling, self._poster.hold(channel))
                    log.warning("swept", extra={"id": record.id, "channel": channel.id, "trace": record.trace})
                    opened += 1
                if record.outbox_at:
                    reached = max(reached, datetime.fromisoformat(record.outbox_at).timestamp())
        else:
            reached = until
        self._deliveries.save_swept_until(reached)
        return opened

    def _committed(self, since: float, until: float) -> Iterator[str]:
        yield from self._articles.outbox(since, until)
        if any(channel.updates for channel in self._sources.channels):
            yield from (change.id for change in self._articles.changes(since, until))

    def _open(self, channel: Channel, record: Record, telling: Telling, hold: Hold | None = None) -> None:
        at, reason = (hold.until, hold.reason) if hold else (None, "")
        self._deliveries.open(telling, channel.id, now=self._clock(), at=at, reason=reason, trace=record.trace)

    def _post_due(self, channel: Channel, telling: Telling) -> None:
        claim = self._deliveries.claim(telling, channel.id, now=self._clock())
        if claim is None:
            return
        try:
            record = self._articles.record(telling.article_id)
        except StoreError as error:
            log.exception("unreadable record", extra={"id": telling.article_id, "channel": channel.id})
            self._deliveries.failed(claim, reason=str(error))
            return
        if record is None or record.status != "stored":
            self._deliveries.failed(claim, reason="no such article")
            return
        self._post_claimed(channel, record, claim)

    def _post_claimed(self, channel: Channel, record: Record, claim: Delivery) -> None:
        if claim.digest:
            self._repeat_digest(channel, [claim])
        elif claim.revision == 1:
            worded = self._worded(channel, record)
            told = tellings.announcement(worded, channel, self._sources, possible_repeat=claim.possible_repeat)
            self._poster.post(channel, [Member(record, claim)], told)
        elif first := self._first_telling(channel, record, claim):
            told = tellings.announcement(
                self._worded(channel, record),
                channel,
                self._sources,
                revision=claim.revision,
                possible_repeat=claim.possible_repeat,
                changes=self._changes(channel, record, claim, first.told),
                in_reply_to=first.message_id,
            )
            self._poster.post(channel, [Member(record, claim)], told)

    def _first_telling(self, channel: Channel, record: Record, claim: Delivery) -> Delivery | None:
        """What a channel was told that an update is news to; if it is none, the claim is settled with the reason."""
        first = self._deliveries.get(Telling(record.id), channel.id)
        if first is None or first.status in ("failed", "filtered"):
            self._deliveries.dropped(claim, reason=f"never told of the article: {first.status if first else 'unknown'}")
        elif first.status != "sent":
            self._deliveries.hold(claim, at=self._clock() + FIRST_TELLING_TAKES, reason="first-telling")
        elif first.told >= claim.revision:
            self._deliveries.dropped(claim, reason=f"told as revision {first.told} at once")
        elif record.revision > claim.revision:
            self._open(channel, record, Telling(record.id, record.revision))
            self._deliveries.dropped(claim, reason=f"superseded by revision {record.revision}")
        else:
            return first
        return None

    def _changes(self, channel: Channel, record: Record, claim: Delivery, told: int) -> str:
        """What is new since the channel was last told; nothing where a document can't be read."""
        before = [one for one in self._deliveries.updates(record.id, channel.id) if one.revision < claim.revision]
        told = max([told, *(one.revision for one in before if one.status == "sent")])
        try:
            now = self._articles.read(record.s3_key or "")
            key = next(one.s3_key for one in now.revisions if one.number == told)
            return changed(changes.between(self._articles.read(key), now), record.language)
        except (ClientError, StoreError, StopIteration):
            log.warning("former revision unreadable", exc_info=True, extra={"id": record.id, "channel": channel.id})
            return ""

    def _post_digest(self, channel: Channel, due: list[Telling]) -> None:
        """Tell of as many of these together as the channel has room for; the others stay due."""
        records = {
            record.id: record
            for record in self._readable([telling.article_id for telling in due])
            if record.status == "stored"
        }
        together = [telling.article_id for telling in due if telling.revision == 1 and telling.article_id in records]
        if together:
            self._post_together(channel, [records[id] for id in together])
        for telling in due:  # an update stands for itself, in its thread; of what has no record it is said why
            if (telling.revision > 1 or telling.article_id not in records) and self._poster.may_post(channel):
                self._post_due(channel, telling)

    def _post_together(self, channel: Channel, records: list[Record]) -> None:
        by_id = {record.id: record for record in records}
        whole = tellings.digest([self._plain(channel, record) for record in records], channel, "")
        stories = whole.items[: channels.room(channel.kind, whole)]
        key = self._deliveries.new_digest_key()
        members: list[Member] = []
        others: list[Member] = []  # each settled by itself: of unknown fate, or refused in a digest before
        wanted = [Telling(one.article_id) for story in stories for one in (story, *story.reprints)]
        for claim in self._deliveries.claim_all(wanted, channel.id, now=self._clock(), digest=key):
            (members if claim.digest == key else others).append(Member(by_id[claim.article_id], claim))
        if members and not self._poster.may_post(channel):  # claiming took too long
            for member in members:
                self._deliveries.release(member.claim)
        elif members:
            told = [self._plain(channel, member.record) for member in members]
            group = DigestRecord(
                key=key,
                channel=channel.id,
                delivery_id=channels.digest_id(one.delivery_id for one in told),
                members=tuple(member.record.id for member in members),
            )
            more = len(whole.items) - len(stories)
            self._poster.post(channel, members, tellings.digest(told, channel, group.delivery_id, more=more), group)
        doubtful: dict[str, list[Delivery]] = {}
        for other in others:
            if other.claim.digest:
                doubtful.setdefault(other.claim.digest, []).append(other.claim)
            elif self._poster.may_post(channel):
                self._post_claimed(channel, other.record, other.claim)
            else:
                self._deliveries.hold(other.claim, at=self._clock(), reason=other.claim.reason)
        for claims in doubtful.values():
            self._repeat_digest(channel, claims)

    def _plain(self, channel: Channel, record: Record) -> Announcement:
        return tellings.announcement(self._worded(channel, record), channel, self._sources)

    def _worded(self, channel: Channel, record: Record) -> Record:
        return self._rewriter.rewritten(record, channel) if self._rewriter else record

    def _repeat_digest(self, channel: Channel, claims: list[Delivery]) -> None:
        """Settle deliveries that were in one digest of unknown fate: by its own record, or by its repeat."""
        group = self._deliveries.digest(claims[0].digest)
        if group is None:
            for claim in claims:
                self._deliveries.release(claim)
            return
        ours = {claim.article_id: claim for claim in claims}
        records = {record.id: record for record in self._readable(list(ours if group.sent else group.members))}
        for article_id in ours.keys() - records.keys():
            self._deliveries.failed(ours.pop(article_id), reason="no such article")
        waits = not self._poster.may_post(channel)
        for article_id in [] if group.sent or waits else group.members:
            if article_id in ours or article_id not in records:
                continue
            if other := self._deliveries.claim(Telling(article_id), channel.id, now=self._clock()):
                ours[article_id] = other
            else:
                there = self._deliveries.get(Telling(article_id), channel.id)
                waits |= there is not None and there.status in ("pending", "claimed")
        members = [Member(records[article_id], claim) for article_id, claim in ours.items()]
        if group.sent:
            self._poster.settle_sent(channel, members, group.message_id, group, fresh=False)
        elif waits:  # for time, or for the rest of them: a repeat tells of the same articles
            for _, claim in members:
                self._deliveries.hold(claim, at=self._clock() + RETRY_DELAY, reason=claim.reason)
        elif members:
            members.sort(key=lambda member: group.members.index(member.record.id))
            told = [self._plain(channel, member.record) for member in members]
            again = tellings.digest(told, channel, group.delivery_id, possible_repeat=True)
            self._poster.post(channel, members, again, group)

    def _filtered(self, channel: Channel, record: Record, telling: Telling) -> bool:
        """Whether the channel doesn't want the article, which is then recorded with the rule that says so."""
        check = routing.stopped_by(channel.filters, record)
        if check is None:
            return False
        reason = f"{check.rule} (found: {check.found})"
        if self._deliveries.filtered(telling, channel.id, now=self._clock(), rule=reason, trace=record.trace):
            self._poster.note("filtered", record, channel, reason=reason)
        return True

    def _readable(self, ids: list[str]) -> Iterator[Record]:
        """The records of these ids; one that can't be read keeps nobody else from being announced."""
        try:
            yield from self._articles.records(ids).values()
        except StoreError:
            if len(ids) == 1:
                log.exception("unreadable record", extra={"id": ids[0]})
                return
            for id in ids:
                yield from self._readable([id])

    def _wanted(self, record: Record) -> Iterator[tuple[Channel, Telling]]:
        """Which channels are to be told of the record, and of what: of itself, and of its revision if they ask."""
        if not record.announce or record.status != "stored":
            return
        for channel in self._sources.channels_of(tuple(record.sources - record.silent)):
            if self._is_news(record.outbox_at or record.first_seen):
                yield channel, Telling(record.id)
            is_update = channel.updates and record.revision > 1 and not record.reread
            if is_update and self._is_news(record.changed_at or record.first_seen):
                yield channel, Telling(record.id, record.revision)

    def _is_news(self, at: str) -> bool:
        return datetime.fromisoformat(at) >= datetime.fromtimestamp(self._clock(), UTC) - NEWS_IS_OLD

    def _due(self, channel: Channel) -> Iterator[list[Telling]]:
        """What a channel is due to be told, each once, while it may be posted to; several together for a digest.

        People get one digest in a run. A kind without a rate is for programs, and told as fast as it takes it.
        """
        tried: set[Telling] = set()
        before: list[Telling] = []
        while self._poster.may_post(channel):
            # The index may lag behind what this run has just settled.
            due = self._deliveries.due(channel.id, now=self._clock(), limit=MOST_IN_A_DIGEST + len(tried))
            fresh = [telling for telling in due if telling not in tried]
            if not fresh or fresh == before:
                return
            if len(fresh) > (1 if channel.digest else channel.burst):
                yield fresh[:MOST_IN_A_DIGEST]
                if channels.interval(channel.kind):
                    return
                before = fresh
                continue
            for telling in fresh:
                if not self._poster.may_post(channel):
                    return
                tried.add(telling)
                yield [telling]


def _batched(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for id in ids:
        batch.append(id)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
