"""Runs in copies of this process: what leads to a point is run once, however many ways there are to go on from it.

A run can be forked wherever it may go wrong: a child meets a fault there and goes on by itself to its end, and may fork
in its turn where a second fault befalls it. The same plan, run from its beginning, meets the same.
"""

import gc
import io
import os
import pickle
import select
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar
from unittest.mock import patch

import msgspec

from tests.proofs.plans import Fault, Plan
from tests.proofs.verdict import Verdict
from tests.proofs.world import World

T = TypeVar("T")
R = TypeVar("R")
Choose = Callable[[Plan, str], Iterable[str]]  # the kinds of fault that are to befall, at a point, a run of a plan

AT_ONCE = os.cpu_count() or 1
HOLDS_FILES = "publish/"  # a fork would share where they were read to, so what befalls there is run from its beginning


class Run(msgspec.Struct, frozen=True):
    """A run and what it came to."""

    plan: Plan
    verdict: Verdict


def branches(world: World, plan: Plan, choose: Choose) -> list[Run]:
    """What the plan comes to by itself, and with each of the faults chosen on the way."""
    family: _Family[Run] = _Family()
    later: list[Plan] = []

    def befalls(point: str) -> str | None:
        if len(world.faults.fired) < len(world.faults.plan.faults):
            return None  # run from its beginning, and still before the fault that it is run for
        for kind in choose(world.faults.plan, point):
            if point.startswith(HOLDS_FILES):
                later.append(world.faults.plan.and_(Fault(point, kind)))
            elif family.bears():
                later.clear()
                return kind
        return None

    def follow(plan: Plan) -> None:
        later.clear()
        verdict = world.run(plan)
        tell(Run(world.faults.plan, verdict))
        for one in [*later]:
            if family.bears():
                follow(one)
                return

    with family.at_work() as tell, patch.object(world.faults, "befalls", befalls):
        follow(plan)
    return family.told


def each(work: Iterable[T], do: Callable[[T], R]) -> list[R]:
    """Do each piece of work in a copy of this process, on all processors; none leaves a trace in this one."""
    family: _Family[tuple[int, R]] = _Family()
    with family.at_work() as tell:
        for number, piece in enumerate(work):
            if family.bears():
                tell((number, do(piece)))
                break
    return [done for _, done in sorted(family.told, key=lambda one: one[0])]


def apart(do: Callable[[], R]) -> R:
    """Do something in a copy of this process."""
    (done,) = each([None], lambda _: do())
    return done


class _Family(Generic[T]):
    """This process, the children it bears, and what they have to tell."""

    def __init__(self) -> None:
        self.told: list[T] = []
        self._alive: dict[int, tuple[int, io.BytesIO]] = {}  # by the pipe it tells through: its id, and what it told
        self._pipe: int | None = None  # of a child

    def bears(self) -> bool:
        """Bear a child, when there is room for it; true in the child. A child waits for its own at once."""
        if self._pipe is not None:
            if child := os.fork():
                _expect_well(child)
            return not child
        while len(self._alive) >= AT_ONCE:
            self._listen()
        if not self._alive and not self.told:
            gc.freeze()  # or each child's collector would touch, and so copy, all there is
        hears, tells = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        if child := os.fork():
            os.close(tells)
            self._alive[hears] = child, io.BytesIO()
            return False
        gc.disable()
        for other in [hears, *self._alive]:
            os.close(other)
        self._alive, self._pipe = {}, tells
        return True

    @contextmanager
    def at_work(self) -> Iterator[Callable[[T], None]]:
        """Whoever leaves this, as a child, ends; the first of them all when all the others have."""
        try:
            yield self._tell
        except BaseException:
            if self._pipe is None:
                raise
            traceback.print_exc()
            os._exit(1)
        if self._pipe is not None:
            os._exit(0)
        while self._alive:
            self._listen()

    def _tell(self, what: T) -> None:
        if self._pipe is None:
            self.told.append(what)
            return
        rest = memoryview(pickle.dumps(what))
        while rest:
            rest = rest[os.write(self._pipe, rest) :]

    def _listen(self) -> None:
        for pipe in select.select(list(self._alive), [], [])[0]:
            child, heard = self._alive[pipe]
            if part := os.read(pipe, 1 << 16):
                heard.write(part)
                continue
            os.close(pipe)
            del self._alive[pipe]
            _expect_well(child)
            heard.seek(0)
            while heard.tell() < len(heard.getbuffer()):
                self.told.append(pickle.load(heard))


def _expect_well(child: int) -> None:
    _, status = os.waitpid(child, 0)
    if status:
        raise ChildProcessError(f"a forked run ended with {os.waitstatus_to_exitcode(status)}; see what it printed")
