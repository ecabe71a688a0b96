"""Two workers at once, in every order of their calls: one record, one object, one post, one request at a time."""

from collections.abc import Iterable
from functools import partial

import pytest

from tests.proofs import forks
from tests.proofs.conftest import DEATHBED, FULL, Measures
from tests.proofs.plans import Plan
from tests.proofs.races import RACES, Course, Race, explore, prepare, run
from tests.proofs.verdict import Verdict
from tests.proofs.world import World

pytestmark = DEATHBED
SLICE = ("", "B", "AB", "AABB", "ABAB", "ABABABAB", "AAABBB")  # schedules that `make test` has time for


@pytest.mark.timeout(3600)
def test_any_order_of_two_workers_calls(world: World, measures: Measures) -> None:
    def raced(race: Race) -> list[tuple[str, Verdict, tuple[int, int]]]:
        start = prepare(world, race)
        courses: Iterable[Course] = (
            explore(start) if FULL else (forks.apart(partial(run, start, moves)) for moves in SLICE)
        )
        return [(course.moves, course.verdict, course.conflicting) for course in courses]

    guilty: list[str] = []
    for race, courses in zip(RACES, forks.each(RACES.values(), raced), strict=True):
        for moves, verdict, _ in courses:
            line = f"{race}|{moves}"
            measures.note("interleavings", Plan(line), verdict)
            if verdict.guilty:
                guilty.append("\n    ".join([line, *verdict.guilty]))
        measures.races[race] = len(courses), max(conflicting for _, _, conflicting in courses)
    assert not guilty, "\n".join(["", *guilty])
