"""How far the proofs go, and the measures they print."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.proofs.plans import Plan
from tests.proofs.verdict import Verdict
from tests.proofs.world import World

PLANS = ("without faults", "known plans", "chosen plans", "single faults", "pairs of faults", "random histories")
FULL = os.environ.get("PROOF") == "full"  # `make proof`; else a slice that `make test` has time for


# A function that dies has counted nothing yet, and Powertools complains of it on the way out.
DEATHBED = pytest.mark.filterwarnings("ignore:No application metrics to publish")


class Measures:
    """What all proofs of a session came to."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.repeating: dict[str, int] = {}
        # by race, its interleavings, and how many calls of one worker and of the other conflict in the busiest
        self.races: dict[str, tuple[int, tuple[int, int]]] = {}
        self.singles = self.pairs = 0  # that there are; of pairs about, for a first fault changes what can follow

    def note(self, kind: str, plan: Plan, verdict: Verdict) -> None:
        """Count a run."""
        self.counts[kind] += 1
        for name in ("lost", "unannounced", "stored_twice", "announced_twice"):
            self.counts[name] += len(getattr(verdict, name))
        if verdict.repeats:
            self.repeating[str(plan)] = len(verdict.repeats)


MEASURES = Measures()


@pytest.fixture(scope="session")
def measures() -> Measures:
    return MEASURES


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as up:
        yield up


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = MEASURES.counts
    if not counts:
        return
    tell = terminalreporter.write_line
    runs = {kind: number for kind, number in counts.items() if kind in PLANS}
    tell(f"plans run {sum(runs.values())}: " + ", ".join(f"{number} {kind}" for kind, number in runs.items()))
    if MEASURES.singles:
        tell(
            f"single faults: {counts['single faults']:,} of {MEASURES.singles:,}; "
            f"pairs: {counts['pairs of faults']:,} of about {MEASURES.pairs:,}"
        )
    tell(
        f"interleavings run {counts['interleavings']}, mutants killed {counts['mutants killed']} of {counts['mutants']}"
    )
    for race, (number, (ours, theirs)) in MEASURES.races.items():
        tell(f"  {race}: {number:,} of two workers that make up to {ours} and {theirs} conflicting calls")
    tell(
        f"articles lost {counts['lost']}, announcements lost {counts['unannounced']}, "
        f"stored twice {counts['stored_twice']}, announced twice {counts['announced_twice']}; "
        f"flagged repeats {sum(MEASURES.repeating.values())} in {len(MEASURES.repeating)} plans"
    )
    if FULL:
        for plan, number in MEASURES.repeating.items():
            tell(f"  {number} × {plan}")
