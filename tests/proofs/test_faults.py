"""Whatever fails once, or twice, at whatever point: every article ends stored once and announced once."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proofs import forks
from tests.proofs.conftest import DEATHBED, FULL, Measures
from tests.proofs.forks import Run
from tests.proofs.plans import Plan, kinds, read
from tests.proofs.scenes import SCENES
from tests.proofs.world import World

pytestmark = DEATHBED
KNOWN = [line for line in (Path(__file__).parent / "plans.txt").read_text().splitlines() if not line.startswith("#")]
# `make proof` has time for every single fault at every point, and for a second one at one in 700 of the points that
# follow each, all scenes together; `make test` for every 119th single fault of a scene, which meets all kinds in turn.
EVERY, SECOND = (1, 1 / 700) if FULL else (119, 1 / 200)
SEED = 7


def check(measures: Measures, runs: list[tuple[str, Run]]) -> None:
    """Count runs of a kind; those found guilty fail the test, each on a line that replays it."""
    guilty: list[str] = []
    for kind, run in runs:
        measures.note(kind, run.plan, run.verdict)
        if run.verdict.guilty:
            guilty.append("\n    ".join([str(run.plan), *run.verdict.guilty]))
    assert not guilty, "\n".join(["", *guilty])


@pytest.mark.parametrize("line", KNOWN)
def test_what_once_went_wrong(world: World, measures: Measures, line: str) -> None:
    check(measures, [("known plans", Run(read(line), world.run(read(line))))])


@pytest.mark.skipif("PLAN" not in os.environ, reason="make proof PLAN='…' replays a plan")
def test_this_plan(world: World, measures: Measures) -> None:
    plan = read(os.environ["PLAN"])
    check(measures, [("chosen plans", Run(plan, world.run(plan)))])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scene", SCENES)
def test_any_fault_and_any_two(world: World, measures: Measures, scene: str) -> None:
    """The second one falls where the first one has led to: at a point of the run with the first."""
    singles = 0

    def choose(plan: Plan, point: str) -> Iterator[str]:
        nonlocal singles
        if not plan.faults:
            for kind in kinds(point):
                singles += 1
                if singles % EVERY == 0:
                    yield kind
        elif len(plan.faults) == 1:
            draw = random.Random(f"{SEED} {plan} {point}")
            if draw.random() < SECOND:
                yield draw.choice(kinds(point))

    kind_of = ("without faults", "single faults", "pairs of faults")
    runs = [(kind_of[len(run.plan.faults)], run) for run in forks.branches(world, Plan(scene), choose)]
    measures.singles += singles
    measures.pairs += singles * (singles - 1) // 2
    check(measures, runs)


@pytest.mark.parametrize("scene", SCENES if FULL else ["knots"])
def test_the_short_way_to_dynamodb_comes_to_the_same(world: World, scene: str) -> None:
    def told() -> tuple[list[str], list[dict[str, Any]]]:
        verdict = world.run(Plan(scene))
        items = [item for table in ("ArticlesTable", "StateTable") for item in world.backstage.items(table)]
        return [*world.faults.points, *verdict.guilty], [_without_the_drawn(item) for item in items]

    short = told()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.proofs.shortcut.ask", lambda *_: None)
        assert short == told()


def _without_the_drawn(item: dict[str, Any]) -> dict[str, Any]:
    """An item without what is drawn anew in each run."""
    drawn = {"trace", "owner", "digest", "key", "token", "secret", "corrected_by"}
    return {name: str(value).partition("digest#")[0] for name, value in item.items() if name not in drawn}
