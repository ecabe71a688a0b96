"""How soon articles are found, and for how many polls: ours against two common rules, over the month of `rhythms`.

    PYTHONPATH=shared:. python tests/benchmarks/polling/simulated_month.py

The scheduler ticks every 5 minutes, as in the template (`--tick` changes it), so a source is asked at the first tick
after it is due. Feeds hold their newest 30 articles; what has dropped out before a poll is missed.
"""

import argparse
import bisect
from collections.abc import Callable
from typing import NamedTuple

from broadsheet.polling import PollOutcome, PollState, plan
from broadsheet.rhythm import PATIENCE
from broadsheet.source import Source
from tests.benchmarks.polling.rhythms import DAY, HOUR, START, sources

DAYS, MINUTE, FEED_LENGTH = 30, 60.0, 30
Next = Callable[[int, float], float]  # (new articles found, now) → when to ask next


class Result(NamedTuple):
    """`delays` in minutes, one per article found."""

    delays: list[float]
    polls: int
    missed: int


def fixed(minutes: float) -> Callable[[int], Next]:
    """The same interval for every source."""
    return lambda _: lambda _new, now: now + minutes * MINUTE


def rss_fetcher(_: int) -> Next:
    """Media Cloud's rss-fetcher (tasks.py): by the share of a feed's entries that were seen before."""
    interval, on_time, last_new = 6 * HOUR, 0, START

    def after(new: int, now: float) -> float:
        nonlocal interval, on_time, last_new
        repeats = 1 - min(new, FEED_LENGTH) / FEED_LENGTH
        last_new = now if new else last_new
        on_time += 1
        if on_time >= 2 and repeats >= 0.67:
            interval, on_time = interval + (60 if now - last_new > 31 * DAY else 10) * MINUTE, 0
        elif repeats < 0.33:
            interval, on_time = (6 * HOUR if interval > 6 * HOUR else interval - 60 * MINUTE), 0
        interval = min(DAY, max(10 * MINUTE, interval))
        return now + interval

    return after


def ours(floor: float, patience: float) -> Callable[[int], Next]:
    """`polling.plan` itself, for sources whose `interval` is `floor` minutes."""

    def start(number: int) -> Next:
        source = Source(id=f"s{number}", name="s", url="https://herald.example/feed", interval=floor)
        state = PollState()

        def after(new: int, now: float) -> float:
            nonlocal state
            outcome = PollOutcome(kind="changed" if new else "not-modified", new=new, body_hash="x")
            state = plan(state, outcome, source, now=now, patience=patience)
            return state.next_at

        return after

    return start


def simulate(rule: Callable[[int], Next], published: list[list[float]], tick: float) -> Result:
    """Poll every source for the month. The first day, in which all rules learn, is not counted."""
    delays: list[float] = []
    polls = missed = 0
    counted = START + DAY
    for number, instants in enumerate(published):
        following = rule(number)
        now, found = START + number % 12 * tick, 0
        while now < START + DAYS * DAY:
            upto = bisect.bisect_right(instants, now)
            lost = max(0, upto - found - FEED_LENGTH)
            fresh = instants[found + lost : upto]
            if now >= counted:
                polls += 1
                missed += lost
                delays += [(now - at) / MINUTE for at in fresh if at >= counted]
            due = following(len(fresh), now)
            found = upto
            now = START + -(-max(due - START, now - START + 1) // tick) * tick  # the first tick at or after
    return Result(delays, polls, missed)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tick", type=float, default=5, help="minutes between two runs of discover")
    options.add_argument("--patience", type=float, nargs="*", default=[PATIENCE])
    given = options.parse_args()
    published = sources(days=DAYS)
    print(f"{len(published)} sources, {sum(map(len, published))} articles, {DAYS} days, a tick of {given.tick:g} min")
    print(f"{'rule':<24}{'polls/day':>10}{'≤10 min':>9}{'≤30':>7}{'≤60':>7}{'mean':>8}{'missed':>8}")
    rules = {f"every {m} minutes": fixed(m) for m in (5, 15, 30, 60)} | {"rss-fetcher": rss_fetcher}
    for name, rule in rules.items():
        _row(name, simulate(rule, published, given.tick * MINUTE), len(published))
    for floor in (5, 15):
        for patience in given.patience:
            result = simulate(ours(floor, patience), published, given.tick * MINUTE)
            _row(f"ours, {floor} min, {patience:g}", result, len(published))


def _row(name: str, result: Result, count: int) -> None:
    shares = [sum(delay <= limit for delay in result.delays) / len(result.delays) for limit in (10, 30, 60)]
    mean = sum(result.delays) / len(result.delays)
    per_day = result.polls / (DAYS - 1) / count
    cells = "".join(f"{share:>{width}.1%}" for share, width in zip(shares, (9, 7, 7), strict=True))
    print(f"{name:<24}{per_day:>10.1f}{cells}{mean:>8.1f}{result.missed:>8}")


if __name__ == "__main__":
    main()
