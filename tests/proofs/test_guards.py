"""Each guard is needed: without it, some plan ends in an article lost or told twice, or in a host asked out of turn."""

import pytest

from tests.proofs.conftest import DEATHBED, FULL, Measures
from tests.proofs.guards import GUARDS, Guard, without
from tests.proofs.plans import Plan, read
from tests.proofs.races import RACES, run
from tests.proofs.world import FUNCTIONS, PATIENCE, World

pytestmark = DEATHBED


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_without_the_guard_its_witness_is_found_guilty(
    world: World, measures: Measures, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    measures.counts["mutants"] += 1
    monkeypatch.setattr(world, "patience", PATIENCE // 4)
    with without(guard):
        if FULL and " " in guard.witness and "|" not in guard.witness:
            unharmed = world.run(Plan(guard.witness.split()[0]))
            assert not unharmed.guilty, "it is no guard but does harm at all times"
        race, raced, schedule = guard.witness.partition("|")
        verdict = run(world, RACES[race], schedule).verdict if raced else world.run(read(guard.witness))
    assert verdict.guilty, guard.witness
    measures.counts["mutants killed"] += 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_lease_outlasts_the_longest_run(world: World, name: str) -> None:
    assert vars(world.modules[name])["LEASE"] > world.function(name).timeout
