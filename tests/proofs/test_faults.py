"""Whatever fails once, or twice, at whatever point: every article ends stored once and announced once."""

import os
import random
from pathlib import Path

import pytest

from tests.proofs.conftest import DEATHBED, FULL, Measures, part_of, run_all
from tests.proofs.plans import Fault, Plan, kinds, read, singles
from tests.proofs.scenes import SCENES
from tests.proofs.world import World

pytestmark = DEATHBED
KNOWN = [line for line in (Path(__file__).parent / "plans.txt").read_text().splitlines() if not line.startswith("#")]
SLICE = {"plain": 14, "shares": 5, "knots": 7, "text": 5, "hours": 4, "busy": 3, "import": 3}  # of all single faults
FIRSTS, SECONDS = (20, 4) if FULL else (1, 2)  # pairs: so many first faults of a scene, and second ones for each
SEED = 7


def check(world: World, measures: Measures, kind: str, plans: list[Plan]) -> None:
    """Run plans; those found guilty fail the test, each on a line that replays it."""
    guilty: list[str] = []
    for plan, (verdict, _) in zip(plans, run_all(world, plans), strict=True):
        measures.note(kind, plan, verdict)
        if verdict.guilty:
            guilty.append("\n    ".join([str(plan), *verdict.guilty]))
    assert not guilty, "\n".join(["", *guilty])


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_happens(world: World, measures: Measures, scene: str) -> None:
    check(world, measures, "without faults", [Plan(scene)])


@pytest.mark.parametrize("line", KNOWN)
def test_what_once_went_wrong(world: World, measures: Measures, line: str) -> None:
    check(world, measures, "known plans", [read(line)])


@pytest.mark.skipif("PLAN" not in os.environ, reason="make proof PLAN='…' replays a plan")
def test_this_plan(world: World, measures: Measures) -> None:
    check(world, measures, "chosen plans", [read(os.environ["PLAN"])])


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scene", SLICE)
def test_any_single_fault(world: World, measures: Measures, scene: str) -> None:
    world.run(Plan(scene))
    plans = singles(scene, world.faults.points)
    check(world, measures, "single faults", part_of(plans, SLICE[scene]))


@pytest.mark.timeout(1200)
def test_any_two_faults(world: World, measures: Measures) -> None:
    """The second one falls where the first one has led to: among the points of the run with the first."""
    draw = random.Random(SEED)
    firsts: list[Plan] = []
    for scene in SLICE:
        world.run(Plan(scene))
        plans = singles(scene, world.faults.points)
        measures.pairs += len(plans) * (len(plans) - 1) // 2
        firsts += draw.sample(plans, FIRSTS)
    pairs: list[Plan] = []
    for first, (_, points) in zip(firsts, run_all(world, firsts), strict=True):
        after = points[points.index(first.faults[0].point) + 1 :]
        seconds = draw.choices(after, k=SECONDS if after else 0)
        pairs += [first.and_(Fault(point, draw.choice(kinds(point)))) for point in seconds]
    check(world, measures, "pairs of faults", pairs)
