"""When a channel may be posted to: quiet hours, digests and days, in its own zone. Pure; instants in epoch seconds."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal, Protocol
from zoneinfo import ZoneInfo

import msgspec

# "22:00"; or minutes since midnight, which is what YAML makes of 22:00 without quotes
Clock = (
    Annotated[int, msgspec.Meta(ge=0, le=1439)] | Annotated[str, msgspec.Meta(pattern=r"^([01]?\d|2[0-3]):[0-5]\d\Z")]
)


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `start` until `end`, local time, every day; past midnight if the end is the earlier one."""

    start: Clock
    end: Clock


class DigestTimes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a digest is due: `every` so many minutes, or `daily_at` a local time; and what groups its lines."""

    every: Annotated[float, msgspec.Meta(ge=1, le=10080)] | None = None
    daily_at: Clock | None = None
    by: Literal["source", "section"] = "source"


class Hours(Protocol):
    """What of a channel decides when it hears."""

    @property
    def timezone(self) -> str: ...
    @property
    def quiet_hours(self) -> QuietHours | None: ...
    @property
    def digest(self) -> DigestTimes | None: ...


class Hold(msgspec.Struct, frozen=True):
    """Until when and why something isn't posted now."""

    until: float
    reason: Literal["digest", "quiet-hours", "daily-cap", "resting", "channel-closed", "first-telling", "rate"]


def hold(channel: Hours, now: float) -> Hold | None:
    """Whether what comes up now must wait: for the next digest, or for the end of quiet hours."""
    at = next_digest(channel.digest, channel.timezone, now) if channel.digest else now
    if (end := quiet_until(channel.quiet_hours, channel.timezone, at)) is not None:
        return Hold(end, "quiet-hours")
    return Hold(at, "digest") if channel.digest else None


def quiet_until(quiet: QuietHours | None, timezone: str, now: float) -> float | None:
    """When the quiet hours end that hold now; None if none do."""
    if quiet is None:
        return None
    start, end = _time(quiet.start), _time(quiet.end)
    zone = ZoneInfo(timezone)
    today = datetime.fromtimestamp(now, zone).date()
    for day in (today - timedelta(1), today):
        opens = _instant(day, start, zone)
        closes = _instant(day if end > start else day + timedelta(1), end, zone)
        if opens <= now < closes:
            return closes
    return None


def next_digest(digest: DigestTimes, timezone: str, now: float) -> float:
    """When the digest is due that takes up what comes up now: the same for all that comes up between two digests."""
    if digest.daily_at is None:
        period = 60 * (digest.every or 60)
        return (now // period + 1) * period
    return _next_at(_time(digest.daily_at), timezone, now)


def day(timezone: str, now: float) -> str:
    """The local date, YYYY-MM-DD."""
    return datetime.fromtimestamp(now, ZoneInfo(timezone)).date().isoformat()


def next_day(channel: Hours, now: float) -> float:
    """When the channel's next local day has begun and its quiet hours are over."""
    midnight = _next_at(time(), channel.timezone, now)
    return quiet_until(channel.quiet_hours, channel.timezone, midnight) or midnight


def _next_at(at: time, timezone: str, now: float) -> float:
    zone = ZoneInfo(timezone)
    today = datetime.fromtimestamp(now, zone).date()
    return next(found for n in range(3) if (found := _instant(today + timedelta(n), at, zone)) > now)


def _instant(day: date, at: time, zone: ZoneInfo) -> float:
    # A time that a clock change leaves out is read as an hour later, one that it gives twice as the first.
    return datetime.combine(day, at, zone).timestamp()


def _time(clock: Clock) -> time:
    if isinstance(clock, int):
        return time(*divmod(clock, 60))
    hours, _, minutes = clock.partition(":")
    return time(int(hours), int(minutes))
