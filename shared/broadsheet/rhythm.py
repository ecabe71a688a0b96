"""When a source publishes, learnt from what its polls found, and how soon asking again is worth it.

The profile is a decayed count of articles by hour of the day and by day of the week (UTC), from which the expected
number of articles in any stretch of time follows; a burst raises it for some hours.

**The rule**: ask again once the articles that are probably waiting have waited `PATIENCE` minutes in all. With a
steady rate r and an interval T that sum is r·T²/2, so T = √(2·PATIENCE/r): for a given number of polls, intervals that
go with 1/√rate make the smallest total delay (Cho and Garcia-Molina, "Effective page refresh policies for web
crawlers", ACM TODS 2003, find the same for freshness of pages that change slowly).
"""

import math
from datetime import UTC, datetime

import msgspec

HOUR, DAY = 3600.0, 86_400.0
PATIENCE = 2.0  # article-minutes: beats a fixed quarter of an hour in polls and delay, see tests/benchmarks/polling
HALF_LIFE = 14 * DAY  # two weeks: a changed habit shows, a holiday doesn't erase it
BURST_HALF_LIFE = 1.5 * HOUR
BURST_WEIGHT = 0.5  # how much of what a burst shows of its own rate is believed to go on
ASLEEP = 8 * DAY  # longer than a weekly's pause: from then on, two articles in as long a time are the most expected
LONGEST = 12 * HOUR
AWAKE = HOUR / 4  # for each article-minute: of a source that isn't asleep, what comes out of turn is found so soon, too

# Before anything is known: an article in two hours, a weight that two hours of watching outweigh.
_PRIOR_COUNT, _PRIOR_HOURS = 1.0, 2.0
_SMOOTHING = 0.5  # articles added to each hour and day, so that one night's silence isn't taken for a rule
_STEP = HOUR / 12


class Rhythm(msgspec.Struct, frozen=True):
    """What was learnt from `since` until `until` (epoch seconds); `found` is when something new was last found.

    `hours` (24) and `days` (7, from Monday) are decayed counts of articles; `burst` is one with a short memory.
    """

    since: float
    until: float
    found: float
    burst: float = 0.0
    hours: tuple[float, ...] = (0.0,) * 24
    days: tuple[float, ...] = (0.0,) * 7


def observed(rhythm: Rhythm, new: int, *, now: float) -> Rhythm:
    """What is known after a poll at `now` that found `new` articles published since the last."""
    start = rhythm.until
    if now <= start:
        return rhythm
    fade = _faded(now - start, HALF_LIFE)
    hours, days = [count * fade for count in rhythm.hours], [count * fade for count in rhythm.days]
    if new:
        # shared out over the stretch as the profile expects it; the older part of a long one tells little
        steps = _steps(max(start, now - DAY), now)
        weights = [_rate(rhythm, moment) * length for moment, length in steps]
        total = sum(weights)
        for (moment, _), weight in zip(steps, weights, strict=True):
            hour, day = _slots(moment)
            hours[hour] += new * weight / total
            days[day] += new * weight / total
    burst = rhythm.burst * _faded(now - start, BURST_HALF_LIFE) + new
    found = now if new else rhythm.found
    return Rhythm(since=rhythm.since, until=now, found=found, burst=burst, hours=tuple(hours), days=tuple(days))


def worthwhile(rhythm: Rhythm, *, patience: float = PATIENCE) -> float:
    """Seconds after `rhythm.until` when asking again is worth it: see the rule above. At most `LONGEST`."""
    now = rhythm.until
    longest = LONGEST if now - rhythm.found > ASLEEP else min(LONGEST, AWAKE * patience)
    usual = _rate(rhythm, now)
    excess = max(0.0, rhythm.burst * math.log(2) / (BURST_HALF_LIFE / HOUR) - usual) * BURST_WEIGHT
    elapsed = waiting = waited = 0.0
    while elapsed < longest:
        rate = _rate(rhythm, now + elapsed) + excess * _faded(elapsed, BURST_HALF_LIFE)
        waited += (waiting + rate * _STEP / HOUR / 2) * _STEP / 60
        waiting += rate * _STEP / HOUR
        elapsed += _STEP
        if waited >= patience:
            break
    return elapsed


def packed(rhythm: Rhythm) -> str:
    """As one short line, for a record that is written at every poll: counts in hundredths."""
    numbers = (rhythm.burst, *rhythm.hours, *rhythm.days)
    return f"{rhythm.since:.0f},{rhythm.until:.0f},{rhythm.found:.0f}," + ",".join(
        f"{number * 100:.0f}" for number in numbers
    )


def unpacked(line: str) -> Rhythm | None:
    """The rhythm in a line of `packed`; None if it isn't one, which only means learning anew."""
    try:
        since, until, found, burst, *counts = map(float, line.split(","))
    except ValueError:
        return None
    if len(counts) != 31:
        return None
    counts = [count / 100 for count in counts]
    return Rhythm(since, until, found, burst / 100, tuple(counts[:24]), tuple(counts[24:]))


def _rate(rhythm: Rhythm, moment: float) -> float:
    """Articles expected per hour at `moment`."""
    hour, day = _slots(moment)
    count = sum(rhythm.hours)
    seen_hours = (1 - _faded(rhythm.until - rhythm.since, HALF_LIFE)) * HALF_LIFE / math.log(2) / HOUR
    level = (count + _PRIOR_COUNT) / (seen_hours + _PRIOR_HOURS)
    silence = rhythm.until - rhythm.found
    if silence > ASLEEP:
        level = min(level, 2 * HOUR / silence)
    by_hour = 24 * (rhythm.hours[hour] + _SMOOTHING) / (count + 24 * _SMOOTHING)
    by_day = 7 * (rhythm.days[day] + _SMOOTHING) / (count + 7 * _SMOOTHING)
    return level * by_hour * by_day


def _faded(seconds: float, half_life: float) -> float:
    return math.exp2(-seconds / half_life)


def _slots(moment: float) -> tuple[int, int]:
    at = datetime.fromtimestamp(moment, UTC)
    return at.hour, at.weekday()


def _steps(start: float, end: float) -> list[tuple[float, float]]:
    """The stretch cut into pieces of a quarter of an hour at most: (middle, length)."""
    count = max(1, math.ceil((end - start) / (HOUR / 4)))
    length = (end - start) / count
    return [(start + (n + 0.5) * length, length) for n in range(count)]
