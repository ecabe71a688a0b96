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
from typing import Literal

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import channels, routing, timetable
from broadsheet.channels import Announcement, ChannelClosedError, DeliveryError, Http, Receipt
from broadsheet.deliveries import Deliveries, Delivery
from broadsheet.secrets import Secrets
from broadsheet.source import Channel, Sources
from broadsheet.store import Articles, Record, StoreError
from broadsheet.timetable import Hold

TIME_FOR_A_POST = 15.0  # seconds before the deadline: a slow channel's answer and our record of it
RETRY_DELAY, MAX_RETRY_DELAY, MAX_ATTEMPTS = 30.0, 3600.0, 30  # doubling to an hour: gives up after about a day
NEWS_IS_OLD = timedelta(days=7)  # a record that changes later than that (a further source) is announced to nobody
READ_BACK_MARGIN = timedelta(minutes=2)  # how far a channel's clock may be behind ours
SWEEP_MARGIN = 900.0  # seconds: a commit stamped before then has either been made or never will be
SWEEP_REACH = 48 * 3600.0  # seconds the first sweep looks back

log = logging.getLogger("broadsheet.notify")


Status = Literal["sent", "failed", "retry", "pending", "lost-claim", "filtered", "held", "channel-closed"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of telling one channel of one article, or, without an `id`, of finding the channel closed."""

    status: Status
    channel: str
    id: str = ""
    title: str = ""
    url: str = ""
    reason: str = ""
    attempt: int = 0
    possible_repeat: bool = False
    trace: str = ""


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
                self._post(channel, record, claim)

    def post_due(self) -> None:
        """Post what is due, one to each channel in turn, as far as rates and time allow: a backlog delays its own."""
        turns = deque((channel, self._due(channel)) for channel in self._sources.channels)
        failure: Exception | None = None
        while turns:
            channel, due = turns.popleft()
            try:
                if (article_id := next(due, None)) is None:
                    continue
                self._post_due(channel, article_id)
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
        try:
            record = self._articles.record(article_id)
        except StoreError as error:
            log.exception("unreadable record", extra={"id": article_id, "channel": channel.id})
            self._deliveries.failed(claim, reason=str(error))
            return
        if record is None or record.status != "stored":
            self._deliveries.failed(claim, reason="no such article")
            return
        self._post(channel, record, claim)

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

    def _due(self, channel: Channel) -> Iterator[str]:
        """Articles due for a channel, each once, while it may be posted to."""
        tried: set[str] = set()
        while self._may_post(channel):
            # The index may lag behind what this run has just settled.
            due = self._deliveries.due(channel.id, now=self._clock(), limit=25 + len(tried))
            fresh = [article_id for article_id in due if article_id not in tried]
            if not fresh:
                return
            for article_id in fresh:
                if not self._may_post(channel):
                    return
                tried.add(article_id)
                yield article_id

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

    def _post(self, channel: Channel, record: Record, claim: Delivery) -> None:
        """Post, and settle the claim by the channel's answer."""
        if self._is_over_cap(channel):
            self._deliveries.hold(claim, at=timetable.next_day(channel, self._clock()), reason="daily-cap")
            self._note("held", record, channel, claim, reason="daily-cap")
            return
        self._sleep(self._wait(channel))
        self._last_post[channel.id] = self._clock()
        try:
            secret = self._secrets.get(channel.id)
            if secret is None:
                raise channels.TransientDeliveryError(channel.id, "no-secret", "none in SSM under the channel's id")
            announcement = self._announcement(record, claim)
            receipt = self._found(channel, secret, announcement, claim)
            if receipt is None:
                receipt = channels.post(channel.id, channel.kind, secret, announcement, self._http)
        except DeliveryError as error:
            self._settle_failure(channel, record, claim, error)
        except (ClientError, BotoCoreError) as error:  # of reading the secret: nothing was posted
            unread = channels.TransientDeliveryError(channel.id, "secret-unreadable", type(error).__name__)
            self._settle_failure(channel, record, claim, unread)
        except Exception as error:  # noqa: BLE001 - told below, but its words may hold the channel's secret
            defect = channels.TransientDeliveryError(
                channel.id, "unexpected", type(error).__name__, perhaps_delivered=True
            )
            frames = traceback.format_tb(error.__traceback__)
            log.error("unexpected", extra={"id": record.id, "channel": channel.id, "place": "".join(frames)})
            self._settle_failure(channel, record, claim, defect)
        else:
            held = self._deliveries.sent(claim, now=self._clock(), message_id=receipt.message_id)
            self._note("sent" if held else "lost-claim", record, channel, claim)

    def _found(self, channel: Channel, secret: str, announcement: Announcement, claim: Delivery) -> Receipt | None:
        """The post of an earlier attempt whose answer never came, where the channel can be asked for it."""
        if claim.doubtful_since is None or channel.kind not in channels.READ_BACK:
            return None
        since = datetime.fromtimestamp(claim.doubtful_since, UTC) - READ_BACK_MARGIN
        try:
            return channels.find(channel.id, channel.kind, secret, announcement, self._http, since=since)
        except channels.TransientDeliveryError:
            raise  # it will tell later
        except DeliveryError as error:  # a token that may post but not read: then a flagged repeat it is
            log.warning(
                "read-back refused", extra={"channel": channel.id, "reason": error.reason, "id": claim.article_id}
            )
            return None

    def _settle_failure(self, channel: Channel, record: Record, claim: Delivery, error: DeliveryError) -> None:
        reason = f"{error.reason} {error.detail}".strip()
        closed = isinstance(error, ChannelClosedError)
        if closed:
            self._close(channel, reason)
        if (error.permanent and not closed) or claim.attempts >= MAX_ATTEMPTS:
            self._deliveries.failed(claim, reason=reason)
            self._note("failed", record, channel, claim, reason=reason)
            return
        delay = max(error.retry_after or 0.0, min(MAX_RETRY_DELAY, RETRY_DELAY * 2.0 ** (claim.attempts - 1)))
        self._resting.add(channel.id)
        at = self._clock() + delay
        self._deliveries.retry(claim, at=at, reason=reason, possible_repeat=error.perhaps_delivered)
        self._note("retry", record, channel, claim, reason=reason)

    def _close(self, channel: Channel, reason: str) -> None:
        """Leave the channel alone for this run, and say so once: whoever mends it within a day loses nothing."""
        self._resting.add(channel.id)
        outcome = Outcome(status="channel-closed", channel=channel.id, reason=reason)
        self.outcomes.append(outcome)
        log.error(outcome.status, extra=msgspec.to_builtins(outcome))

    def _announcement(self, record: Record, claim: Delivery) -> Announcement:
        source = self._sources.source(record.source)
        return Announcement(
            article_id=record.id,
            delivery_id=channels.delivery_id(record.id, claim.channel),
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
            possible_repeat=claim.possible_repeat,
        )

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
