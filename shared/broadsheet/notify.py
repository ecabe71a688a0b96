"""The notify job: committed records in, posts in channels out, each channel told once.

Three ways in. `announce` takes a record from the table's stream and posts it. `post_due` posts what waited: a channel
that was down, its rate, a lease that ran out. `sweep` finds commits that have no deliveries, for a stream forgets after
24 hours. All three end in the same claim, so that they may overlap as they like.
"""

import logging
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import channels, routing, timetable
from broadsheet.channels import Announcement, ChannelClosedError, DeliveryError, Digest, Http, Receipt
from broadsheet.deliveries import Deliveries, Delivery, DigestRecord
from broadsheet.secrets import Secrets
from broadsheet.source import Channel, Sources
from broadsheet.store import Articles, Record, StoreError
from broadsheet.timetable import Hold

TIME_FOR_A_POST = 15.0  # seconds before the deadline: a slow channel's answer and our record of it
RETRY_DELAY, MAX_RETRY_DELAY, MAX_ATTEMPTS = 30.0, 3600.0, 30  # doubling to an hour: gives up after about a day
NEWS_IS_OLD = timedelta(days=7)  # a record that changes later than that (a further source) is announced to nobody
READ_BACK_MARGIN = timedelta(minutes=2)  # how far a channel's clock may be behind ours
MOST_IN_A_DIGEST = 100  # what can be claimed and settled within seconds; the next run takes the next
SWEEP_MARGIN = 900.0  # seconds: a commit stamped before then has either been made or never will be
SWEEP_REACH = 48 * 3600.0  # seconds the first sweep looks back

log = logging.getLogger("broadsheet.notify")


Status = Literal["sent", "failed", "retry", "pending", "lost-claim", "filtered", "held", "channel-closed"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of telling one channel of one article, or, without an `id`, of finding the channel closed.

    `seconds` passed from its publication (or else its first sighting) until it was told.
    """

    status: Status
    channel: str
    id: str = ""
    title: str = ""
    url: str = ""
    reason: str = ""
    attempt: int = 0
    possible_repeat: bool = False
    trace: str = ""
    seconds: int | None = None


class _Member(NamedTuple):
    """An article, and the claim to telling a channel of it."""

    record: Record
    claim: Delivery


class Notifier:
    """One run of the job. `clock` gives epoch seconds, `deadline` is on it."""

    def __init__(
        self,
        *,
        articles: Articles,
        deliveries: Deliveries,
        secrets: Secrets,
        sources: Sources,
        http: Http,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        deadline: float,
    ) -> None:
        self._articles = articles
        self._deliveries = deliveries
        self._secrets = secrets
        self._sources = sources
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._deadline = deadline
        self._last_post: dict[str, float] = {}
        self._resting: set[str] = set()  # channels that asked for time: the rest of this run leaves them alone
        self._capped: dict[str, str] = {}  # channels that had their posts of a day
        self.outcomes: list[Outcome] = []

    def announce(self, record: Record) -> None:
        """Open the record's deliveries, and post those whose channel can take one now."""
        for channel in self._channels_of(record):
            now = self._clock()
            if self._filtered(channel, record):
                continue
            if hold := self._hold(channel):
                self._deliveries.open(
                    record.id, channel.id, now=now, at=hold.until, reason=hold.reason, trace=record.trace
                )
                self._note("held", record, channel, reason=hold.reason)
            elif not self._may_post(channel):
                self._deliveries.open(record.id, channel.id, now=now, trace=record.trace)
                self._note("pending", record, channel, reason="rate")
            elif claim := self._deliveries.open_claimed(record.id, channel.id, now=now, trace=record.trace):
                if claim.digest:
                    self._repeat_digest(channel, [claim])
                else:
                    self._post_one(channel, record, claim)

    def post_due(self) -> None:
        """Post what is due, one to each channel in turn, as far as rates and time allow: a backlog delays its own."""
        turns = deque((channel, self._due(channel)) for channel in self._sources.channels)
        failure: Exception | None = None
        while turns:
            channel, due = turns.popleft()
            try:
                if (article_ids := next(due, None)) is None:
                    continue
                if len(article_ids) > 1:
                    self._post_digest(channel, article_ids)
                else:
                    self._post_due(channel, article_ids[0])
            except (ClientError, BotoCoreError) as error:
                failure = error
                self._resting.add(channel.id)
            turns.append((channel, due))
        if failure is not None:
            raise failure

    def sweep(self) -> int:
        """Open the deliveries that commits lack since the last sweep; returns how many. They are due at once.

        What there is no time for, the next sweep does: it goes on where this one stopped.
        """
        until = self._clock() - SWEEP_MARGIN
        since = self._deliveries.swept_until() or until - SWEEP_REACH
        if since >= until:
            return 0
        opened, reached = 0, since
        for ids in _batched(self._articles.outbox(since, until), 100):
            if self._clock() + TIME_FOR_A_POST > self._deadline:
                break
            for record in self._readable(ids):
                wanted = {channel.id: channel for channel in self._channels_of(record)}
                for channel_id in self._deliveries.missing(record.id, wanted):
                    if self._filtered(wanted[channel_id], record):
                        continue
                    hold = self._hold(wanted[channel_id])
                    at, reason = (hold.until, hold.reason) if hold else (None, "")
                    self._deliveries.open(
                        record.id, channel_id, now=self._clock(), at=at, reason=reason, trace=record.trace
                    )
                    log.warning("swept", extra={"id": record.id, "channel": channel_id, "trace": record.trace})
                    opened += 1
                if record.outbox_at:
                    reached = max(reached, datetime.fromisoformat(record.outbox_at).timestamp())
        else:
            reached = until
        self._deliveries.save_swept_until(reached)
        return opened

    def _post_due(self, channel: Channel, article_id: str) -> None:
        claim = self._deliveries.claim(article_id, channel.id, now=self._clock())
        if claim is None:
            return
        if claim.digest:
            self._repeat_digest(channel, [claim])
            return
        try:
            record = self._articles.record(article_id)
        except StoreError as error:
            log.exception("unreadable record", extra={"id": article_id, "channel": channel.id})
            self._deliveries.failed(claim, reason=str(error))
            return
        if record is None or record.status != "stored":
            self._deliveries.failed(claim, reason="no such article")
            return
        self._post_one(channel, record, claim)

    def _post_one(self, channel: Channel, record: Record, claim: Delivery) -> None:
        self._post(channel, [_Member(record, claim)], self._announcement(record, channel, claim))

    def _post_digest(self, channel: Channel, article_ids: list[str]) -> None:
        """Tell of as many of these articles together as the channel has room for; the others stay due."""
        records = {record.id: record for record in self._readable(article_ids) if record.status == "stored"}
        for article_id in article_ids:
            if article_id not in records:
                self._post_due(channel, article_id)  # it says what is wrong with it
        if not records:
            return
        whole = self._digest(channel, [records[id] for id in article_ids if id in records], "")
        fitting = whole.items[: channels.room(channel.kind, whole)]
        key = self._deliveries.new_digest_key()
        members: list[_Member] = []
        others: list[_Member] = []  # each settled by itself: of unknown fate, or refused in a digest before
        for article in fitting:
            claim = self._deliveries.claim(article.article_id, channel.id, now=self._clock(), digest=key)
            if claim:
                (members if claim.digest == key else others).append(_Member(records[article.article_id], claim))
        if members and not self._may_post(channel):  # claiming took too long
            for member in members:
                self._deliveries.release(member.claim)
        elif members:
            ids = [channels.delivery_id(member.record.id, channel.id) for member in members]
            group = DigestRecord(
                key=key,
                channel=channel.id,
                delivery_id=channels.digest_id(ids),
                members=tuple(member.record.id for member in members),
            )
            told = self._digest(
                channel, [member.record for member in members], group.delivery_id, more=len(records) - len(fitting)
            )
            self._post(channel, members, told, group)
        doubtful: dict[str, list[Delivery]] = {}
        for other in others:
            if other.claim.digest:
                doubtful.setdefault(other.claim.digest, []).append(other.claim)
            elif self._may_post(channel):
                self._post_one(channel, other.record, other.claim)
            else:
                self._deliveries.hold(other.claim, at=self._clock(), reason=other.claim.reason)
        for claims in doubtful.values():
            self._repeat_digest(channel, claims)

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
        waits = not self._may_post(channel)
        for article_id in [] if group.sent or waits else group.members:
            if article_id in ours or article_id not in records:
                continue
            if other := self._deliveries.claim(article_id, channel.id, now=self._clock()):
                ours[article_id] = other
            else:
                there = self._deliveries.get(article_id, channel.id)
                waits |= there is not None and there.status in ("pending", "claimed")
        members = [_Member(records[article_id], claim) for article_id, claim in ours.items()]
        if group.sent:
            self._settle_sent(channel, members, group.message_id, group)
        elif waits:  # for time, or for the rest of them: a repeat tells of the same articles
            for _, claim in members:
                self._deliveries.hold(claim, at=self._clock() + RETRY_DELAY, reason=claim.reason)
        elif members:
            members.sort(key=lambda member: group.members.index(member.record.id))
            told = self._digest(channel, [member.record for member in members], group.delivery_id, possible_repeat=True)
            self._post(channel, members, told, group)

    def _digest(
        self,
        channel: Channel,
        records: list[Record],
        delivery_id: str,
        *,
        more: int = 0,
        possible_repeat: bool = False,
    ) -> Digest:
        return channels.compose(
            [self._announcement(record, channel) for record in records],
            delivery_id=delivery_id,
            by=channel.digest.by if channel.digest else "source",
            more=more,
            possible_repeat=possible_repeat,
        )

    def _filtered(self, channel: Channel, record: Record) -> bool:
        """Whether the channel doesn't want the article, which is then recorded with the rule that says so."""
        check = routing.stopped_by(channel.filters, record)
        if check is None:
            return False
        reason = f"{check.rule} (found: {check.found})"
        if self._deliveries.filtered(record.id, channel.id, now=self._clock(), rule=reason, trace=record.trace):
            self._note("filtered", record, channel, reason=reason)
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

    def _channels_of(self, record: Record) -> tuple[Channel, ...]:
        if not record.announce or record.status != "stored":
            return ()
        committed = datetime.fromisoformat(record.outbox_at or record.first_seen)
        if committed < datetime.fromtimestamp(self._clock(), UTC) - NEWS_IS_OLD:
            return ()
        return self._sources.channels_of(tuple(record.sources - record.silent))

    def _due(self, channel: Channel) -> Iterator[list[str]]:
        """Articles due for a channel, each once, while it may be posted to; several are for one digest, the last."""
        tried: set[str] = set()
        while self._may_post(channel):
            # The index may lag behind what this run has just settled.
            due = self._deliveries.due(channel.id, now=self._clock(), limit=MOST_IN_A_DIGEST + len(tried))
            fresh = [article_id for article_id in due if article_id not in tried]
            if not fresh:
                return
            if len(fresh) > (1 if channel.digest else channel.burst):
                yield fresh
                return
            for article_id in fresh:
                if not self._may_post(channel):
                    return
                tried.add(article_id)
                yield [article_id]

    def _hold(self, channel: Channel) -> Hold | None:
        """What keeps an article that comes up now from being posted before another time."""
        if channel.id in self._capped:
            return Hold(timetable.next_day(channel, self._clock()), "daily-cap")
        return timetable.hold(channel, self._clock())

    def _is_over_cap(self, channel: Channel) -> bool:
        """Whether the channel has had its posts for today; counts this one if it hasn't."""
        if channel.daily_cap is None:
            return False
        today = timetable.day(channel.timezone, self._clock())
        if self._capped.get(channel.id) != today:
            if self._deliveries.count_post(channel.id, today, cap=channel.daily_cap, now=self._clock()):
                return False
            self._capped[channel.id] = today
        return True

    def _may_post(self, channel: Channel) -> bool:
        """Whether the channel can take a post now, or soon enough to wait for it."""
        if timetable.quiet_until(channel.quiet_hours, channel.timezone, self._clock()) is not None:
            return False
        if channel.id in self._resting or self._clock() + self._wait(channel) + TIME_FOR_A_POST > self._deadline:
            return False
        return self._wait(channel) <= 1 or channel.id not in self._last_post

    def _wait(self, channel: Channel) -> float:
        last = self._last_post.get(channel.id)
        if last is None:
            return 0.0
        interval = channels.interval(channel.kind) if channel.interval is None else channel.interval
        return max(0.0, last + interval - self._clock())

    def _post(
        self, channel: Channel, members: list[_Member], told: Announcement, group: DigestRecord | None = None
    ) -> None:
        """Post what is told of the members, one or a digest's, and settle their claims by the channel's answer."""
        if self._is_over_cap(channel):
            for record, claim in members:
                self._deliveries.hold(claim, at=timetable.next_day(channel, self._clock()), reason="daily-cap")
                self._note("held", record, channel, claim, reason="daily-cap")
            return
        self._sleep(self._wait(channel))
        self._last_post[channel.id] = self._clock()
        if group is not None:
            self._deliveries.open_digest(group, now=self._clock())
        try:
            secret = self._secrets.get(channel.id)
            if secret is None:
                raise channels.TransientDeliveryError(channel.id, "no-secret", "none in SSM under the channel's id")
            receipt = self._found(channel, secret, told, members)
            if receipt is None:
                receipt = channels.post(channel.id, channel.kind, secret, told, self._http)
        except DeliveryError as error:
            self._settle_failure(channel, members, error)
        except (ClientError, BotoCoreError) as error:  # of reading the secret: nothing was posted
            unread = channels.TransientDeliveryError(channel.id, "secret-unreadable", type(error).__name__)
            self._settle_failure(channel, members, unread)
        except Exception as error:  # noqa: BLE001 - told below, but its words may hold the channel's secret
            defect = channels.TransientDeliveryError(
                channel.id, "unexpected", type(error).__name__, perhaps_delivered=True
            )
            frames = traceback.format_tb(error.__traceback__)
            log.error("unexpected", extra={"id": told.article_id, "channel": channel.id, "place": "".join(frames)})
            self._settle_failure(channel, members, defect)
        else:
            if group is not None:
                self._deliveries.digest_sent(group, message_id=receipt.message_id)
            self._settle_sent(channel, members, receipt.message_id, group)

    def _settle_sent(
        self, channel: Channel, members: list[_Member], message_id: str | None, group: DigestRecord | None
    ) -> None:
        reason = f"digest {group.delivery_id}" if group else ""
        for record, claim in members:
            held = self._deliveries.sent(claim, now=self._clock(), message_id=message_id)
            self._note("sent" if held else "lost-claim", record, channel, claim, reason=reason)

    def _found(self, channel: Channel, secret: str, told: Announcement, members: list[_Member]) -> Receipt | None:
        """The post of an earlier attempt whose answer never came, where the channel can be asked for it."""
        doubts = [claim.doubtful_since for _, claim in members if claim.doubtful_since is not None]
        if not doubts or channel.kind not in channels.READ_BACK:
            return None
        since = datetime.fromtimestamp(min(doubts), UTC) - READ_BACK_MARGIN
        try:
            return channels.find(channel.id, channel.kind, secret, told, self._http, since=since)
        except channels.TransientDeliveryError:
            raise  # it will tell later
        except DeliveryError as error:  # a token that may post but not read: then a flagged repeat it is
            log.warning(
                "read-back refused", extra={"channel": channel.id, "reason": error.reason, "id": told.article_id}
            )
            return None

    def _settle_failure(self, channel: Channel, members: list[_Member], error: DeliveryError) -> None:
        reason = f"{error.reason} {error.detail}".strip()
        closed = isinstance(error, ChannelClosedError)
        if closed:
            self._close(channel, reason)
        # A digest is refused for one of its articles, perhaps: each is tried alone, and the rest passes.
        apart = error.permanent and not closed and not error.perhaps_delivered and len(members) > 1
        if not error.permanent or closed:
            self._resting.add(channel.id)
        for record, claim in members:
            if (error.permanent and not closed and not apart) or claim.attempts >= MAX_ATTEMPTS:
                self._deliveries.failed(claim, reason=reason)
                self._note("failed", record, channel, claim, reason=reason)
                continue
            delay = max(error.retry_after or 0.0, min(MAX_RETRY_DELAY, RETRY_DELAY * 2.0 ** (claim.attempts - 1)))
            at = self._clock() + (0 if apart else delay)
            self._deliveries.retry(claim, at=at, reason=reason, possible_repeat=error.perhaps_delivered, alone=apart)
            self._note("retry", record, channel, claim, reason=reason)

    def _close(self, channel: Channel, reason: str) -> None:
        """Leave the channel alone for this run, and say so once: whoever mends it within a day loses nothing."""
        self._resting.add(channel.id)
        outcome = Outcome(status="channel-closed", channel=channel.id, reason=reason)
        self.outcomes.append(outcome)
        log.error(outcome.status, extra=msgspec.to_builtins(outcome))

    def _announcement(self, record: Record, channel: Channel, claim: Delivery | None = None) -> Announcement:
        source = self._sources.source(record.source)
        return Announcement(
            article_id=record.id,
            delivery_id=channels.delivery_id(record.id, channel.id),
            title=record.title,
            url=record.url,
            summary=record.summary,
            source_name=source.name if source else record.source,
            published_at=datetime.fromisoformat(record.published_at) if record.published_at else None,
            language=record.language,
            image=record.image,
            authors=record.authors,
            section=record.section,
            tags=record.tags,
            possible_repeat=claim.possible_repeat if claim else False,
        )

    def _seconds(self, record: Record) -> int:
        published = datetime.fromisoformat(record.published_at or record.first_seen)
        return max(0, int(self._clock() - published.timestamp()))

    def _note(
        self,
        status: Status,
        record: Record,
        channel: Channel,
        claim: Delivery | None = None,
        reason: str = "",
    ) -> None:
        outcome = Outcome(
            status=status,
            id=record.id,
            channel=channel.id,
            title=record.title,
            url=record.url,
            reason=reason,
            attempt=claim.attempts if claim else 0,
            possible_repeat=claim.possible_repeat if claim else False,
            trace=record.trace,
            seconds=self._seconds(record) if status == "sent" else None,
        )
        self.outcomes.append(outcome)
        log.log(logging.ERROR if status == "failed" else logging.INFO, status, extra=msgspec.to_builtins(outcome))


def _batched(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for id in ids:
        batch.append(id)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
