"""A month of 200 made-up sources: when each publishes, from stated rules and a fixed seed.

    30  agencies     60 to 150 articles a day, by day and by night, half at weekends
    60  papers       10 to 50 a day, between 6 and 23 o'clock local time, a third at weekends
    50  local        1 to 8 a day, in office hours, hardly any at weekends
    20  morning      8 to 30 at one go between 4 and 7 o'clock, at weekdays, with a few stragglers
    20  weeklies     5 to 20 at one go, on one day of the week
    20  dead         nothing, but one article on a random day for half of them

Every article of the first three kinds starts a burst with probability 3 %: 3 to 12 more in the hour after it. Local
time is spread over the world's zones. Arrivals between the rules are Poisson.
"""

import math
import random
from collections.abc import Iterator

HOUR, DAY = 3600.0, 86_400.0
START = 1_793_577_600.0  # Monday 2 November 2026, 00:00 UTC


def sources(seed: int = 7, days: int = 30) -> list[list[float]]:
    """For each source the sorted instants (epoch seconds) at which it publishes."""
    chance = random.Random(seed)
    kinds = [_agency] * 30 + [_paper] * 60 + [_local] * 50 + [_morning] * 20 + [_weekly] * 20 + [_dead] * 20
    return [sorted(at for at in kind(chance, days) if START <= at < START + days * DAY) for kind in kinds]


def _agency(chance: random.Random, days: int) -> Iterator[float]:
    return _daily(chance, days, chance.uniform(60, 150), weekend=0.5, night=0.4)


def _paper(chance: random.Random, days: int) -> Iterator[float]:
    return _daily(chance, days, chance.uniform(10, 50), weekend=0.35, night=0.03)


def _local(chance: random.Random, days: int) -> Iterator[float]:
    return _daily(chance, days, chance.uniform(1, 8), weekend=0.1, night=0.02)


def _daily(chance: random.Random, days: int, per_day: float, *, weekend: float, night: float) -> Iterator[float]:
    zone = chance.choice((-8, -5, -3, 0, 1, 2, 3, 5.5, 8, 8, 9)) * HOUR
    shape = [night if hour < 6 or hour >= 23 else 1 + 0.5 * math.sin((hour - 6) / 17 * math.pi) for hour in range(24)]
    total = sum(shape)
    for day in range(-1, days + 1):
        busy = per_day * (weekend if day % 7 in (5, 6) else 1.0)
        for hour, weight in enumerate(shape):
            for _ in range(_poisson(chance, busy * weight / total)):
                at = START + day * DAY + (hour + chance.random()) * HOUR - zone
                yield at
                if chance.random() < 0.03:
                    yield from (at + chance.random() * HOUR for _ in range(chance.randint(3, 12)))


def _morning(chance: random.Random, days: int) -> Iterator[float]:
    zone, hour = chance.choice((-5, 0, 1, 8)) * HOUR, chance.uniform(4, 7)
    for day in range(days):
        if day % 7 < 5:
            at = START + day * DAY + (hour + chance.gauss(0, 0.1)) * HOUR - zone
            yield from (at + n for n in range(chance.randint(8, 30)))
            yield from (at + chance.uniform(1, 12) * HOUR for _ in range(_poisson(chance, 2)))


def _weekly(chance: random.Random, days: int) -> Iterator[float]:
    weekday, hour = chance.randrange(7), chance.uniform(5, 20)
    for day in range(weekday, days, 7):
        at = START + day * DAY + (hour + chance.gauss(0, 0.5)) * HOUR
        yield from (at + n for n in range(chance.randint(5, 20)))


def _dead(chance: random.Random, days: int) -> Iterator[float]:
    if chance.random() < 0.5:
        yield START + chance.random() * days * DAY


def _poisson(chance: random.Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count
