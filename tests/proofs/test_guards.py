"""Each guard is needed: without it, some plan ends in an article lost or told twice, or in a host asked out of turn."""

import sys
from pathlib import Path

import pytest

from broadsheet.channels import KINDS
from tests.proofs.conftest import DEATHBED, FULL, Measures
from tests.proofs.guards import GUARDS, Guard, without
from tests.proofs.plans import Plan, read
from tests.proofs.races import RACES, prepare, run
from tests.proofs.world import PATIENCE, World

pytestmark = DEATHBED
DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_without_the_guard_its_witness_is_found_guilty(
    world: World, measures: Measures, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    measures.counts["mutants"] += 1
    if FULL and guard.witness.count("=") > 1:  # with one fault, or none, it is among all plans
        assert not world.run(read(guard.witness)).guilty
    monkeypatch.setattr(world, "patience", PATIENCE // 4)
    with without(guard):
        if FULL and " " in guard.witness and "|" not in guard.witness:
            unharmed = world.run(Plan(guard.witness.split()[0]))
            assert not unharmed.guilty, "it is no guard but does harm at all times"
        race, raced, schedule = guard.witness.partition("|")
        verdict = run(prepare(world, RACES[race]), schedule).verdict if raced else world.run(read(guard.witness))
    assert verdict.guilty, guard.witness
    measures.counts["mutants killed"] += 1


def test_every_guard_is_told_with_the_promise_it_keeps() -> None:
    stated = (DOCS / "semantics.md").read_text(encoding="utf-8").partition("| promise | guards |")[2]
    told = [name for row in stated.splitlines()[2:] if row for name in row.strip("| ").split(" | ")[-1].split("; ")]
    assert set(told) >= {guard.name for guard in GUARDS}
    assert len(told) == len(set(told))


def test_every_lease_outlasts_the_longest_run(world: World) -> None:
    deployed = world.deployed
    leases = {key: vars(sys.modules[f"lambda_{key}"]).get("LEASE", 0) for key in deployed}
    assert leases.pop("CallbackFunction") == 0  # it takes none
    assert all(lease > deployed[key].timeout for key, lease in leases.items()), leases


def test_every_kind_of_channel_has_its_semantics_stated() -> None:
    stated = (DOCS / "semantics.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in stated.partition("A post is doubtful")[0]] == []
