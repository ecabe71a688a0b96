"""What is learnt of when a source publishes, and what follows for the next poll."""

import pytest

from broadsheet import rhythm
from broadsheet.rhythm import DAY, HOUR, Rhythm, observed, worthwhile

MONDAY = 1_795_392_000.0  # 23 November 2026, 00:00 UTC


def learnt(days: int, publishes: list[int], *, per_hour: int = 6, weekend: bool = True, until: float = 0) -> Rhythm:
    """A source that was polled every hour for `days` before MONDAY + until and published in these hours of the day."""
    start = MONDAY + until - days * DAY
    known = Rhythm(since=start, until=start, found=start)
    for number in range(1, days * 24 + 1):
        now = start + number * HOUR
        hour, day = int(now % DAY // HOUR), int((now - MONDAY) // DAY % 7)
        published = (hour - 1) % 24 in publishes and (weekend or day < 5)
        known = observed(known, per_hour if published else 0, now=now)
    return known


def test_a_busier_source_is_worth_asking_sooner() -> None:
    waits = [worthwhile(learnt(14, list(range(24)), per_hour=count)) for count in (0, 1, 4, 16)]
    assert waits == sorted(waits, reverse=True)
    assert waits[0] > 3 * HOUR
    assert waits[-1] <= 20 * 60


def test_what_comes_out_of_turn_is_found_within_half_an_hour_unless_the_source_is_asleep() -> None:
    weekly = learnt(28, [12], per_hour=1, until=20 * HOUR)
    assert worthwhile(weekly) == HOUR / 2
    silent = observed(weekly, 0, now=weekly.until + 9 * DAY)
    assert worthwhile(silent) > 3 * HOUR


def test_four_times_the_rate_halves_the_wait() -> None:
    """The square root of the rule. A month of steady publishing outweighs what was assumed before."""
    slow = worthwhile(learnt(28, list(range(24)), per_hour=1), patience=200)
    fast = worthwhile(learnt(28, list(range(24)), per_hour=4), patience=200)
    assert slow / fast == pytest.approx(2, rel=0.15)


def test_a_paper_is_left_alone_at_night_and_asked_in_time_for_the_morning() -> None:
    day = list(range(7, 21))
    noon, night = learnt(14, day, until=12 * HOUR), learnt(14, day, until=26 * HOUR)
    assert worthwhile(noon) < 30 * 60
    assert worthwhile(night) > 2 * worthwhile(noon)
    assert 26 * HOUR + worthwhile(night) < (24 + 8) * HOUR


def test_weekends_are_learnt() -> None:
    office = list(range(8, 18))
    friday, saturday = (
        learnt(28, office, weekend=False, until=4.5 * DAY),
        learnt(28, office, weekend=False, until=5.5 * DAY),
    )
    assert worthwhile(saturday) > 2 * worthwhile(friday)


def test_a_burst_is_followed_for_a_while() -> None:
    quiet = learnt(14, [12], per_hour=1, until=3 * HOUR)
    burst = observed(quiet, 10, now=quiet.until + HOUR)
    later = observed(burst, 0, now=burst.until + 10 * HOUR)
    assert worthwhile(burst, patience=20) < worthwhile(quiet, patience=20) / 2
    assert worthwhile(later) > worthwhile(burst)


def test_years_of_the_same_habit_change_nothing() -> None:
    always = list(range(24))
    assert worthwhile(learnt(150, always), patience=200) == pytest.approx(
        worthwhile(learnt(40, always), patience=200), rel=0.15
    )


def test_a_habit_fades() -> None:
    known = learnt(28, list(range(24)))
    silent = known
    for number in range(60 * 24):
        silent = observed(silent, 0, now=known.until + (number + 1) * HOUR)
    assert worthwhile(silent) > 4 * worthwhile(known)


def test_an_instant_that_does_not_advance_changes_nothing() -> None:
    known = learnt(2, [5])
    assert observed(known, 3, now=known.until) == known
    assert observed(known, 3, now=known.until - 5) == known


def test_packing_keeps_what_matters() -> None:
    known = learnt(14, [6, 12], until=7 * HOUR)
    line = rhythm.packed(known)
    assert len(line) < 300
    back = rhythm.unpacked(line)
    assert back is not None
    assert worthwhile(back) == pytest.approx(worthwhile(known), rel=0.1)
    assert rhythm.packed(back) == line


@pytest.mark.parametrize("line", ["", "x", "1,2,3", "1,2,3," + "0," * 40 + "0"])
def test_a_broken_line_only_means_learning_anew(line: str) -> None:
    assert rhythm.unpacked(line) is None
