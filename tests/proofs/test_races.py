"""Two workers at once, in every order of their calls: one record, one object, one post, one request at a time."""

import pytest

from tests.proofs.conftest import DEATHBED, FULL, Measures
from tests.proofs.plans import Plan
from tests.proofs.races import RACES, Race, explore, run
from tests.proofs.world import World

pytestmark = DEATHBED
SLICE = ("", "B", "AB", "AABB", "ABAB", "ABABABAB", "AAABBB")  # schedules that `make test` has time for


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("race", RACES.values(), ids=lambda race: race.name)
def test_any_order_of_two_workers_calls(world: World, measures: Measures, race: Race) -> None:
    ends = explore(world, race) if FULL else (run(world, race, schedule) for schedule in SLICE)
    guilty: list[str] = []
    for verdict, moves, _ in ends:
        measures.note("interleavings of two workers", Plan(f"{race.name}|{moves}"), verdict)
        if verdict.guilty:
            guilty.append("\n    ".join([f"{race.name}|{moves}", *verdict.guilty]))
    assert not guilty, "\n".join(["", *guilty])
