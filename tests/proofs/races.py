"""Two workers at once: every order in which the calls of two invocations of a function can fall.

One worker moves at a time, from one call to the next, and a schedule such as `ABBA` says whose move it is; when it is
used up, A goes on to its end, then B. Exploring follows a schedule to its end, and then turns at each of its moves that
conflicts with a later one of the other worker: orders that differ in nothing else come to the same, whoever goes first
(dynamic partial-order reduction, Flanagan and Godefroid 2005, with the sleep sets of Godefroid 1996).
"""

import io
import threading
from collections.abc import Callable, Iterator, Set
from contextlib import redirect_stdout
from functools import partial
from typing import Any

import msgspec

from local.runtime import Context
from tests.proofs import forks
from tests.proofs.clock import START
from tests.proofs.faults import Process, Touch
from tests.proofs.plans import Plan
from tests.proofs.verdict import Verdict
from tests.proofs.world import World

MOVES = 60  # of both workers together; more is a mistake


class Race(msgspec.Struct, frozen=True):
    """`prepare` brings a world of this scene to where two workers start, and gives their events."""

    name: str
    scene: str
    function: str
    prepare: Callable[[World], tuple[Any, Any]]


def _polled(world: World) -> None:
    world.fire({"job": "poll"}, "discover")


def _committed(world: World) -> dict[str, Any]:
    """What the stream says of the first commits."""
    _polled(world)
    while not (records := world.stream.take()):
        world.parse_next()
    return records


def _two_polls(_: World) -> tuple[Any, Any]:
    return {"job": "poll"}, {"job": "poll"}


def _one_batch_of_messages(world: World) -> tuple[Any, Any]:
    _polled(world)
    event = world.next_messages()
    return event, event


def _one_page(world: World) -> tuple[Any, Any]:
    """The feed was polled just now: the page's first turn is to wait."""
    _polled(world)
    world.parse_next()
    event = world.next_messages()
    return event, event


def _one_page_with_a_turn(world: World) -> tuple[Any, Any]:
    """The poll found one article alone, and left its turn to it."""
    _polled(world)
    world.parse_next()  # robots.txt
    world.parse_next()
    world.clock.to(START + 7200)  # the source is due again, and has published more
    _polled(world)
    event = world.next_messages()
    return event, event


def _two_messages(world: World) -> tuple[Any, Any]:
    _polled(world)
    first, second = world.next_messages()["Records"][:2]
    return {"Records": [first]}, {"Records": [second]}


def _one_batch_of_the_stream(world: World) -> tuple[Any, Any]:
    records = _committed(world)
    return records, records


def _due(world: World) -> tuple[Any, Any]:
    """The stream has lost its records; the sweep has found them."""
    _committed(world)
    world.clock.to(world.clock.now + 3600)
    world.fire({"job": "sweep"}, "notify")
    return {"job": "post-due"}, {"job": "post-due"}


def _stream_and_due(world: World) -> tuple[Any, Any]:
    records = _committed(world)
    world.clock.to(world.clock.now + 3600)
    world.fire({"job": "sweep"}, "notify")
    return records, {"job": "post-due"}


RACES = {
    race.name: race
    for race in (
        Race("two polls", "sole", "discover", _two_polls),
        Race("one page, twice", "sole", "parse", _one_page),
        Race("one page with a turn left to it, twice", "sole", "parse", _one_page_with_a_turn),
        Race("one article's text, twice", "text", "parse", _one_batch_of_messages),
        Race("one article, from two sources", "text", "parse", _two_messages),
        Race("one batch of the stream", "text", "notify", _one_batch_of_the_stream),
        Race("what is due, by two", "text", "notify", _due),
        Race("the stream late, and what is due", "text", "notify", _stream_and_due),
    )
}


class _Worker:
    """An invocation that stops before every call until it is given leave."""

    def __init__(self, world: World, function: str, event: Any) -> None:
        self._world = world
        self._event = event
        self._function = function
        self._leave = threading.Semaphore(0)
        self._stopped = threading.Semaphore(0)
        self.done = False
        self.touches: tuple[Touch, ...] = ()  # of the move that comes next
        self.result: Any = None
        self.error: BaseException | None = None
        self.process = Process(function)
        self.process.between = self._stop
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._stopped.acquire()

    def move(self) -> None:
        """Make one call, and go on to the next or to the end."""
        self._leave.release()
        self._stopped.acquire()
        if self.done:
            self._thread.join()

    def _stop(self, _: str, touches: tuple[Touch, ...]) -> None:
        self.touches = touches
        self._stopped.release()
        self._leave.acquire()

    def _run(self) -> None:
        self._world.faults.run_as(self.process)
        context = Context(self._world.function(self._function))
        try:
            self.result = self._world.modules[self._function].lambda_handler(self._event, context)
        except BaseException as error:  # noqa: BLE001 - told as the verdict
            self.error = error
        self.done = True
        self._stopped.release()


class _Node(msgspec.Struct):
    """A state both workers came to: who may go on from here, who went, and whose move would only lead where others led.

    `touches` are what the workers' next moves read and write.
    """

    touches: dict[str, tuple[Touch, ...]]
    asleep: set[str]
    went: set[str]

    def after(self, mover: str, asleep: Set[str]) -> set[str]:
        """Who of those asleep sleeps on when this one has moved: whoever's next move it does not conflict with."""
        return {one for one in asleep - {mover} if not _conflict(self.touches[one], self.touches[mover])}


class Course(msgspec.Struct):
    """How a race went by a schedule; `redundant`: as another had gone before, so that nobody judged it."""

    verdict: Verdict
    moves: str
    nodes: list[_Node]
    redundant: bool

    @property
    def conflicting(self) -> tuple[int, int]:
        """How many of A's calls conflict with one of B's, and how many of B's with one of A's."""
        ours, theirs = self._calls_of("A"), self._calls_of("B")
        return _conflicting(ours, theirs), _conflicting(theirs, ours)

    def _calls_of(self, worker: str) -> list[tuple[Touch, ...]]:
        return [node.touches[mover] for mover, node in zip(self.moves, self.nodes, strict=True) if mover == worker]


class Prepared(msgspec.Struct, frozen=True):
    """A race whose workers are about to start."""

    world: World
    race: Race
    events: tuple[Any, Any]


def prepare(world: World, race: Race) -> Prepared:
    """Bring the world to where the race starts."""
    world.begin(Plan(race.scene))
    return Prepared(world, race, race.prepare(world))


def run(prepared: Prepared, schedule: str, asleep: Set[str] = frozenset()) -> Course:
    """Run a race by a schedule; after it, those `asleep` need not move before another's move concerns them."""
    world, race, events = prepared.world, prepared.race, prepared.events
    moves, redundant = "", False
    nodes: list[_Node] = []
    with redirect_stdout(io.StringIO()):
        workers = dict(zip("AB", (_Worker(world, race.function, event) for event in events), strict=True))
        while waiting := [name for name, worker in workers.items() if not worker.done]:
            planned = len(moves) < len(schedule)
            awake = [name for name in waiting if planned or name not in asleep]
            redundant |= not awake
            mover = schedule[len(moves)] if planned else (awake or waiting)[0]
            if mover not in waiting:
                mover = waiting[0]
            touches = {name: workers[name].touches for name in waiting}
            node = _Node(touches, set() if planned else set(asleep), {mover})
            nodes.append(node)
            if not planned:
                asleep = node.after(mover, asleep & node.touches.keys())
            moves += mover
            workers[mover].move()
            assert len(moves) <= MOVES, moves
    if race.function == "parse":
        world.acknowledge([(worker.error, worker.result) for worker in workers.values()], events)
    verdict = Verdict() if redundant else world.settled()
    verdict.broken += [f"{name} failed: {worker.error!r}" for name, worker in workers.items() if worker.error]
    return Course(verdict, moves, nodes, redundant)


def explore(prepared: Prepared) -> Iterator[Course]:
    """Every order of the two workers' calls that may come to something else, each once."""
    nodes: dict[str, _Node] = {}  # by the moves that lead there
    ahead: list[tuple[str, set[str]]] = [("", set())]
    while ahead:
        course = forks.apart(partial(run, prepared, *ahead.pop()))
        if not course.redundant:
            yield course
        for i, mover in enumerate(course.moves):
            node = nodes.setdefault(course.moves[:i], course.nodes[i])
            other = "B" if mover == "A" else "A"
            if other not in node.touches or other in node.went | node.asleep:
                continue
            later = [n.touches[m] for m, n in zip(course.moves[i:], course.nodes[i:], strict=True) if m == other]
            if any(_conflict(node.touches[mover], touches) for touches in later):
                ahead.append((course.moves[:i] + other, node.after(other, node.asleep | node.went)))
                node.went.add(other)


def _conflict(one: tuple[Touch, ...], two: tuple[Touch, ...]) -> bool:
    return any(mine.conflicts(theirs) for mine in one for theirs in two)


def _conflicting(ours: list[tuple[Touch, ...]], theirs: list[tuple[Touch, ...]]) -> int:
    return sum(any(_conflict(one, other) for other in theirs) for one in ours)
