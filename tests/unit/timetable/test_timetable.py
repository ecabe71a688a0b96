"""Quiet hours, digests and days in a channel's own time zone, over midnight and over changes of the clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from broadsheet.timetable import Clock, DigestTimes, Hold, QuietHours, day, hold, next_day, next_digest, quiet_until

NIGHT = QuietHours(start="22:00", end="07:30")
SIESTA = QuietHours(start=13 * 60, end="15:00")  # 13:00 in YAML without quotes
PARIS = "Europe/Paris"


class Room(msgspec.Struct, frozen=True, kw_only=True):
    timezone: str = PARIS
    quiet_hours: QuietHours | None = None
    digest: DigestTimes | None = None


def at(local: str, zone: str = PARIS) -> float:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("quiet", "now", "until"),
    [
        (NIGHT, "2026-03-04 21:59:59", None),
        (NIGHT, "2026-03-04 22:00", "2026-03-05 07:30"),
        (NIGHT, "2026-03-05 00:00", "2026-03-05 07:30"),
        (NIGHT, "2026-03-05 07:29:59", "2026-03-05 07:30"),
        (NIGHT, "2026-03-05 07:30", None),
        (NIGHT, "2026-03-28 23:00", "2026-03-29 07:30"),  # the night is an hour shorter
        (NIGHT, "2026-10-24 23:00", "2026-10-25 07:30"),  # and here longer
        (SIESTA, "2026-03-04 12:59", None),
        (SIESTA, "2026-03-04 13:00", "2026-03-04 15:00"),
        (SIESTA, "2026-03-04 15:00", None),
        (None, "2026-03-04 15:00", None),
    ],
)
def test_quiet_hours_hold_until_their_end(quiet: QuietHours | None, now: str, until: str | None) -> None:
    assert quiet_until(quiet, PARIS, at(now)) == (at(until) if until else None)


def test_quiet_hours_that_end_in_the_hour_the_clock_leaves_out_end_when_it_is_over() -> None:
    quiet = QuietHours(start="22:00", end="02:30")
    assert quiet_until(quiet, PARIS, at("2026-03-29 01:00")) == at("2026-03-29 03:30")


@pytest.mark.parametrize(
    ("digest", "now", "due"),
    [
        (DigestTimes(daily_at="08:00"), "2026-03-04 07:59", "2026-03-04 08:00"),
        (DigestTimes(daily_at="08:00"), "2026-03-04 08:00", "2026-03-05 08:00"),
        (DigestTimes(daily_at="08:00"), "2026-03-28 09:00", "2026-03-29 08:00"),
        (DigestTimes(daily_at="02:30"), "2026-03-29 01:00", "2026-03-29 03:30"),
        (DigestTimes(every=30), "2026-03-04 08:00", "2026-03-04 08:30"),
        (DigestTimes(every=30), "2026-03-04 08:29:59", "2026-03-04 08:30"),
    ],
)
def test_a_digest_is_due_at_its_next_time(digest: DigestTimes, now: str, due: str) -> None:
    assert next_digest(digest, PARIS, at(now)) == at(due)


def test_a_hold_says_until_when_and_why() -> None:
    night = at("2026-03-04 23:00")
    assert hold(Room(), night) is None
    assert hold(Room(quiet_hours=NIGHT), night) == Hold(at("2026-03-05 07:30"), "quiet-hours")
    assert hold(Room(digest=DigestTimes(every=60)), night) == Hold(at("2026-03-05 00:00"), "digest")
    both = Room(quiet_hours=NIGHT, digest=DigestTimes(every=60))
    assert hold(both, night) == Hold(at("2026-03-05 07:30"), "quiet-hours")
    assert hold(both, at("2026-03-04 21:30")) == Hold(at("2026-03-05 07:30"), "quiet-hours"), "due at 22:00"
    assert hold(both, at("2026-03-04 12:00")) == Hold(at("2026-03-04 13:00"), "digest")


def test_a_day_begins_at_local_midnight_or_after_its_quiet_hours() -> None:
    now = at("2026-03-04 23:30", "Asia/Shanghai")
    room = Room(timezone="Asia/Shanghai")
    assert day(room.timezone, now) == "2026-03-04"
    assert next_day(room, now) == at("2026-03-05 00:00", "Asia/Shanghai")
    quiet = Room(timezone="Asia/Shanghai", quiet_hours=NIGHT)
    assert next_day(quiet, now) == at("2026-03-05 07:30", "Asia/Shanghai")


@pytest.mark.parametrize("clock", ["24:00", "7", "07:60", "07:30\n", 1440, -1, 7.5])
def test_what_is_no_time_of_day_is_refused(clock: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(clock, Clock)
