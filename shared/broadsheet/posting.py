"""Posting to a channel and settling what came of it: rates, hours, rests and trials, read-back, claims put to rest."""

import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import channels, standings, timetable
from broadsheet.channels import Announcement, ChannelClosedError, DeliveryError, Http, Receipt
from broadsheet.deliveries import Deliveries, Delivery, DigestRecord
from broadsheet.secrets import Secrets
from broadsheet.source import Channel
from broadsheet.standings import Standings
from broadsheet.store import Record
from broadsheet.timetable import Hold

TIME_FOR_A_POST = 15.0  # seconds before the deadline: a slow channel's answer and our record of it
RETRY_DELAY, MAX_RETRY_DELAY, MAX_ATTEMPTS = 30.0, 3600.0, 30  # doubling to an hour: gives up after about a day
SOON = 1.0  # seconds that a run waits for a channel's rate; what must wait longer is left to the next run
READ_BACK_MARGIN = timedelta(minutes=2)  # how far a channel's clock may be behind ours

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


class Member(NamedTuple):
    """An article, and the claim to telling a channel of it."""

    record: Record
    claim: Delivery


def interval(channel: Channel) -> float:
    """The seconds between two posts to a channel, by its own wish or else by its kind's documentation."""
    return channels.interval(channel.kind) if channel.interval is None else channel.interval


class Poster:
    """What one run posts with. `clock` gives epoch seconds, `deadline` is on it.

    `last_posts` by channel, in such seconds too, outlive the run where its process does: they spare asking for a turn
    in vain.
    """

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        standings: Standings,
        secrets: Secrets,
        http: Http,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        deadline: float,
        last_posts: dict[str, float],
    ) -> None:
        self._deliveries = deliveries
        self._standings = standings
        self._secrets = secrets
        self._http = http
        self._clock = clock
        self._sleep = sleep
        self._deadline = deadline
        self._last_post = last_posts
        self._resting: set[str] = set()  # channels that asked for time: the rest of this run leaves them alone
        self._capped: dict[str, str] = {}  # channels that had their posts of a day
        self.waited = 0.0  # seconds this run has slept for channels' rates
        self.outcomes: list[Outcome] = []

    def hold(self, channel: Channel) -> Hold | None:
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

    def may_post(self, channel: Channel, soon: float = SOON) -> bool:
        """Whether the channel can take a post now, or within so many seconds that it is worth waiting."""
        if timetable.quiet_until(channel.quiet_hours, channel.timezone, self._clock()) is not None:
            return False
        if channel.id in self._resting or self._clock() + self._wait(channel) + TIME_FOR_A_POST > self._deadline:
            return False
        return self._wait(channel) <= soon and not self._is_shut(channel)

    def rest(self, channel: Channel) -> None:
        """Leave the channel alone for the rest of this run."""
        self._resting.add(channel.id)

    def _is_shut(self, channel: Channel) -> bool:
        """Whether earlier runs found that the channel needs rest, or somebody to mend it who hasn't come yet."""
        standing = self._standings.get(channel.id)
        if standing is None or standing.until <= self._clock():
            return False
        if not standing.closed:
            return True
        try:
            return standings.mark(channel.kind, self._secrets.get(channel.id)) == standing.mark
        except (ClientError, BotoCoreError):
            return True

    def _may_try(self, channel: Channel) -> bool:
        """Whether this run is the one to try a channel that rested; of a channel that is well any run may."""
        standing = self._standings.get(channel.id)
        return standing is None or not standing.is_open or self._standings.trial(channel.id, now=self._clock())

    def _wait(self, channel: Channel) -> float:
        last = self._last_post.get(channel.id)
        return 0.0 if last is None else max(0.0, last + interval(channel) - self._clock())

    def _take_turn(self, channel: Channel) -> Hold | None:
        """Wait for the channel's rate, which all runs share; if others were quicker, when it is free again."""
        if not (seconds := interval(channel)):
            return None
        while (wait := self._wait(channel)) <= SOON and self._clock() + wait + TIME_FOR_A_POST <= self._deadline:
            self._sleep(wait)
            self.waited += wait
            now = self._clock()
            until = self._deliveries.take_turn(channel.id, now=now, interval=seconds)
            self._last_post[channel.id] = now if until is None else until - seconds
            if until is None:
                return None
        return Hold(self._clock() + wait, "rate")

    def post(
        self, channel: Channel, members: list[Member], told: Announcement, group: DigestRecord | None = None
    ) -> None:
        """Post what is told of the members, one or a digest's, and settle their claims by the channel's answer."""
        if hold := self._take_turn(channel):
            self._hold_back(channel, members, hold)
            return
        if not self._may_try(channel):
            self.rest(channel)
            self._hold_back(channel, members, Hold(self._clock(), "resting"))
            return
        if self._is_over_cap(channel):
            self._hold_back(channel, members, Hold(timetable.next_day(channel, self._clock()), "daily-cap"))
            return
        if group is not None:
            self._deliveries.open_digest(group, now=self._clock())
        secret = None
        try:
            secret = self._secrets.get(channel.id)
            if secret is None:
                raise ChannelClosedError(channel.id, "no-secret", "`broadsheet channels secret` puts one there")
            found = self._found(channel, secret, told, members)
            receipt = found or channels.post(channel.id, channel.kind, secret, told, self._http)
        except DeliveryError as error:
            self._settle_failure(channel, members, error, standings.mark(channel.kind, secret))
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
            self.settle_sent(channel, members, receipt.message_id, group, fresh=found is None)
            self._is_well(channel)

    def settle_sent(
        self,
        channel: Channel,
        members: list[Member],
        message_id: str | None,
        group: DigestRecord | None,
        *,
        fresh: bool,
    ) -> None:
        """Record the channel's yes to each of the members: to their words of now if `fresh`, else to earlier ones."""
        reason = f"digest {group.delivery_id}" if group else ""
        for record, claim in members:
            words = record.revision if fresh else claim.revision
            held = self._deliveries.sent(claim, now=self._clock(), message_id=message_id, told=words)
            self.note("sent" if held else "lost-claim", record, channel, claim, reason=reason)

    def _found(self, channel: Channel, secret: str, told: Announcement, members: list[Member]) -> Receipt | None:
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

    def _settle_failure(self, channel: Channel, members: list[Member], error: DeliveryError, mark: str = "") -> None:
        reason = f"{error.reason} {error.detail}".strip()
        if isinstance(error, ChannelClosedError):
            self.rest(channel)
            self._hold_back(channel, members, Hold(self._clock(), "channel-closed"))
            if self._standings.closed(channel.id, reason=reason, now=self._clock(), mark=mark):
                self.outcomes.append(Outcome(status="channel-closed", channel=channel.id, reason=reason))
                log.error("channel-closed", extra={"status": "channel-closed", "channel": channel.id, "reason": reason})
            return
        # A digest is refused for one of its articles, perhaps: each is tried alone, and the rest passes.
        apart = error.permanent and not error.perhaps_delivered and len(members) > 1
        if not error.permanent:
            self.rest(channel)
        for record, claim in members:
            if (error.permanent and not apart) or claim.attempts >= MAX_ATTEMPTS:
                self._deliveries.failed(claim, reason=reason)
                self.note("failed", record, channel, claim, reason=reason)
                continue
            delay = max(error.retry_after or 0.0, min(MAX_RETRY_DELAY, RETRY_DELAY * 2.0 ** (claim.attempts - 1)))
            at = self._clock() + (0 if apart else delay)
            self._deliveries.retry(claim, at=at, reason=reason, possible_repeat=error.perhaps_delivered, alone=apart)
            self.note("retry", record, channel, claim, reason=reason)
        if error.permanent:
            self._is_well(channel)  # it read what it refused
        elif self._standings.failed(channel.id, reason=reason, now=self._clock(), retry_after=error.retry_after):
            log.warning("channel-resting", extra={"channel": channel.id, "reason": reason})

    def _is_well(self, channel: Channel) -> None:
        if self._standings.well(channel.id):
            log.info("channel-open", extra={"channel": channel.id})

    def _hold_back(self, channel: Channel, members: list[Member], hold: Hold) -> None:
        """Put back what wasn't taken through no fault of its own: no attempt is counted."""
        for record, claim in members:
            self._deliveries.hold(claim, at=hold.until, reason=hold.reason)
            self.note("held", record, channel, claim, reason=hold.reason)

    def note(
        self,
        status: Status,
        record: Record,
        channel: Channel,
        claim: Delivery | None = None,
        reason: str = "",
    ) -> None:
        """Say what came of telling the channel of the record."""
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

    def _seconds(self, record: Record) -> int:
        published = datetime.fromisoformat(record.published_at or record.first_seen)
        return max(0, int(self._clock() - published.timestamp()))
