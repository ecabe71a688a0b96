"""Hosts, a queue and workers in simulated time: hours of fetching in seconds, and when each request was made.

Each visit of a batch has its own time, as on threads that wait on the network; in the middle of a fetch another worker
may run a batch of its own, so that turns are contended while they are held; at the end of one that takes all the time
it is given, too.
"""

import threading
from collections.abc import Callable
from typing import Any

import msgspec

from broadsheet.fetch import Client, FetchError, Response
from broadsheet.hosts import Hosts
from broadsheet.originals import Originals
from broadsheet.parse import Outcome, Parser
from broadsheet.queue import ArticleMessage, Queue
from broadsheet.source import Sources
from broadsheet.store import Articles
from broadsheet.urls import host_key
from tests.stack.cloud import Cloud

START = 1_790_000_000.0
FETCH_SECONDS = 0.4
WINDOW = 5.0  # seconds for which a batch gathers, as the template says
BATCH = 50
TIMEOUT = 120.0  # seconds of a function

Answer = Callable[[str, float], bytes | FetchError]


class Request(msgspec.Struct, frozen=True):
    """One request that reached a host, from `start` to `end`."""

    host: str
    url: str
    start: float
    end: float


class _Sqs:
    """What the real Queue needs of SQS, on simulated time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting: list[tuple[float, str]] = []
        self.dead: list[str] = []
        self.sends = 0
        self.longest = 0
        self.now: Callable[[], float] = lambda: START

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's
        with self.lock:
            for entry in Entries:
                self.sends += 1
                self.longest = max(self.longest, entry["DelaySeconds"])
                self.waiting.append((self.now() + entry["DelaySeconds"], entry["MessageBody"]))
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def send_message(self, MessageBody: str, **_: object) -> None:  # noqa: N803 - boto3's
        with self.lock:
            self.dead.append(MessageBody)

    def receive(self, now: float, most: int) -> list[str]:
        """At most so many of what is visible at `now`, oldest first."""
        with self.lock:
            self.waiting.sort(key=lambda one: one[0])
            taken = [one for one in self.waiting if one[0] <= now][:most]
            del self.waiting[: len(taken)]
        return [body for _, body in taken]


class _Invocation:
    """One run of the job, and its time: each of its threads has its own, from the start on."""

    def __init__(self, start: float) -> None:
        self.start = self.end = start
        self._own = threading.local()

    @property
    def now(self) -> float:
        at: float = getattr(self._own, "at", self.start)
        return at

    def spend(self, seconds: float) -> None:
        self._own.at = self.now + seconds
        self.end = max(self.end, self._own.at)


class Traffic:
    """The world: `answer(url, now)` is what hosts say; `workers` run at once at most."""

    def __init__(self, cloud: Cloud, sources: Sources, answer: Answer, *, workers: int = 1, batch: int = BATCH) -> None:
        self._cloud = cloud
        self._sources = sources
        self._answer = answer
        self._workers = workers
        self._batch = batch
        self._sqs = _Sqs()
        self.requests: list[Request] = []
        self.outcomes: list[tuple[float, Outcome]] = []

    @property
    def sends(self) -> int:
        """How many messages were sent, the first time or again."""
        return self._sqs.sends

    @property
    def longest_delay(self) -> int:
        """The longest DelaySeconds that SQS was asked for."""
        return self._sqs.longest

    @property
    def dead(self) -> int:
        """How many messages were given up."""
        return len(self._sqs.dead)

    def publish(self, messages: list[ArticleMessage], at: float = START) -> None:
        """Send what discover would."""
        self._sqs.now = lambda: at
        self._queue().send(messages, now=at)

    def run(self, until: float) -> float:
        """Let workers take batches until the queue is empty or it is `until`; tells when."""
        now = START
        while self._sqs.waiting:
            now = max(now, min(at for at, _ in self._sqs.waiting) + WINDOW)
            if now > until:
                break
            self._invoke(now, depth=1)
        return now

    def stored(self) -> dict[str, float]:
        """When each article was stored, by its URL."""
        return {one.url: at for at, one in self.outcomes if one.status == "stored"}

    def _queue(self) -> Queue:
        sqs: Any = self._sqs
        return Queue(sqs, "parse", "dead")

    def _invoke(self, now: float, depth: int) -> None:
        bodies = self._sqs.receive(now, self._batch)
        if not bodies:
            return
        run = _Invocation(now)
        self._sqs.now = lambda: run.now
        cloud = self._cloud
        parser = Parser(
            articles=Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket),
            originals=Originals(cloud.dynamodb, cloud.state_table),
            hosts=Hosts(cloud.dynamodb, cloud.state_table, run=f"run-{len(self.outcomes)}-{depth}", lease=150),
            queue=self._queue(),
            client=_Client(lambda url, longest: self._fetch(url, run, depth, longest), lambda: run.now),
            sources=self._sources,
            clock=lambda: run.now,
            sleep=run.spend,
            deadline=now + TIMEOUT,
        )
        for outcome in parser.run([(f"m{n}", body) for n, body in enumerate(bodies)]):
            self.outcomes.append((run.end, outcome))

    def _fetch(self, url: str, run: _Invocation, depth: int, longest: float) -> bytes | FetchError:
        start = run.now
        answer = self._answer(url, start)
        reason = answer.reason if isinstance(answer, FetchError) else ""
        takes = {"stalled": longest, "timeout": 12.0}.get(reason, FETCH_SECONDS)
        if depth < self._workers:  # a neighbour's batch comes while this request is under way
            self._invoke(start + (takes - 0.1 if reason == "stalled" else FETCH_SECONDS / 2), depth + 1)
            self._sqs.now = lambda: run.now
        run.spend(takes)
        self.requests.append(Request(host_key(url), url, start, run.now))
        return answer


class _Client(Client):
    """The real client's interface over the simulated hosts."""

    def __init__(self, fetch: Callable[[str, float], bytes | FetchError], clock: Callable[[], float]) -> None:
        super().__init__(user_agent="test", clock=clock)
        self._fetch = fetch

    def get(self, url: str, *, deadline: float | None = None, **_: Any) -> Response:
        longest = self.limits.total_seconds if deadline is None else deadline - self._clock()
        answer = self._fetch(url, min(longest, self.limits.total_seconds))
        if isinstance(answer, FetchError):
            raise answer
        return Response(url=url, status=200, headers={"content-type": "text/html; charset=utf-8"}, body=answer)
