"""Two workers at once, in every order of their calls: one record, one object, one post, one request at a time."""

from itertools import chain

import pytest

from tests.proofs.conftest import DEATHBED, FULL, Measures, spread
from tests.proofs.plans import Plan
from tests.proofs.races import RACES, Race, explore, run
from tests.proofs.verdict import Verdict
from tests.proofs.world import World

pytestmark = DEATHBED
SLICE = ("", "B", "AB", "AABB", "ABAB", "ABABABAB", "AAABBB")  # schedules that `make test` has time for


@pytest.mark.timeout(1200)
def test_any_order_of_two_workers_calls(world: World, measures: Measures) -> None:
    def race(one: Race) -> list[tuple[str, Verdict]]:
        runs = explore(world, one) if FULL else (run(world, one, schedule) for schedule in SLICE)
        return [(f"{one.name}|{course.moves}", course.verdict) for course in runs]

    guilty: list[str] = []
    races = list(RACES.values())
    for line, verdict in chain(*(spread(races, race) if FULL else map(race, races))):
        measures.note("interleavings", Plan(line), verdict)
        if verdict.guilty:
            guilty.append("\n    ".join([line, *verdict.guilty]))
    assert not guilty, "\n".join(["", *guilty])
