"""How far the proofs go, and the measures they print."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from tests.proofs.plans import Plan
from tests.proofs.verdict import Verdict
from tests.proofs.world import World

PLANS = ("without faults", "known plans", "chosen plans", "single faults", "pairs of faults", "random histories")
MANY = 50  # plans worth a process of their own
FULL = os.environ.get("PROOF") == "full"  # `make proof`; else a slice that `make test` has time for


# A function that dies has counted nothing yet, and Powertools complains of it on the way out.
DEATHBED = pytest.mark.filterwarnings("ignore:No application metrics to publish")


class Measures:
    """What all proofs of a session came to."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.repeating: dict[str, int] = {}
        self.pairs = 0  # that there are, about: a first fault changes what can follow

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


T = TypeVar("T")
R = TypeVar("R")
Run = tuple[Verdict, list[str]]  # and the points it came to


def spread(work: list[T], do: Callable[[T], R]) -> list[R]:
    """Do all the work, on all processors; each has a copy of the world as it is now."""
    forking = multiprocessing.get_context("fork")
    shares = [work[i :: os.cpu_count()] for i in range(os.cpu_count() or 1)]
    pipes = [forking.Pipe(duplex=False) for _ in shares]
    workers = [
        forking.Process(target=lambda share=share, end=end: end.send([do(one) for one in share]))
        for share, (_, end) in zip(shares, pipes, strict=True)
    ]
    for worker, (_, end) in zip(workers, pipes, strict=True):
        worker.start()
        end.close()
    done = [iter(end.recv()) for end, _ in pipes]
    for worker in workers:
        worker.join()
    return [next(done[i % len(shares)]) for i in range(len(work))]


def run_all(world: World, plans: list[Plan]) -> list[Run]:
    """Run plans, many of them on all processors."""

    def run(plan: Plan) -> Run:
        return world.run(plan), world.faults.points

    return [run(plan) for plan in plans] if len(plans) < MANY else spread(plans, run)


def part_of(plans: list[Plan], number: int) -> list[Plan]:
    """All plans in a full proof; else so many of them, evenly spread."""
    if FULL or len(plans) <= number:
        return plans
    return [plans[i * len(plans) // number] for i in range(number)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = MEASURES.counts
    if not counts:
        return
    tell = terminalreporter.write_line
    runs = {kind: number for kind, number in counts.items() if kind in PLANS}
    tell(f"plans run {sum(runs.values())}: " + ", ".join(f"{number} {kind}" for kind, number in runs.items()))
    if MEASURES.pairs:
        tell(f"pairs: sampled, of about {MEASURES.pairs:,}; single faults: {'all' if FULL else 'sampled'}")
    tell(
        f"interleavings run {counts['interleavings']}, mutants killed {counts['mutants killed']} of {counts['mutants']}"
    )
    tell(
        f"articles lost {counts['lost']}, announcements lost {counts['unannounced']}, "
        f"stored twice {counts['stored_twice']}, announced twice {counts['announced_twice']}; "
        f"flagged repeats {sum(MEASURES.repeating.values())} in {len(MEASURES.repeating)} plans"
    )
    if FULL:
        for plan, number in MEASURES.repeating.items():
            tell(f"  {number} × {plan}")
