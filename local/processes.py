"""The stack in ministack, over HTTP, its functions in processes of their own, several at once, any of them mortal."""

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import msgspec

from local.drive import QueuePump, StreamPump
from local.embedded import TEMPLATE, Observer
from local.ministack import Ministack
from local.runtime import Invocation
from local.sandbox import Sandbox
from local.stack import Schedule, deploy

PAUSE = 0.05  # seconds between two looks at an empty queue or stream


class ProcessesError(RuntimeError):
    """An event source failed: what it delivers stays undelivered."""


class Processes:
    """The stack of template.yaml, up between `with` and its end, and everything that feeds its functions.

    `workers` processes take the queue's batches, one the stream's, one more the schedules' events: those of
    rate(1 minute) come once in a `minute` of seconds, all others are fired by hand. `redelivery` is after how many
    seconds a failed message comes back. `times`: how many seconds a function has, and how many its leases, where not as
    deployed.
    """

    def __init__(
        self,
        parameters: Mapping[str, str],
        *,
        workers: int = 2,
        minute: float = 1.0,
        redelivery: int = 1,
        times: Mapping[str, tuple[int, float]] = {},
    ) -> None:
        self._parameters = dict(parameters)
        self._workers = workers
        self._minute = minute
        self._redelivery = redelivery
        self._times = times
        self._clients: dict[str, Any] = {}
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._busy = 0
        self._lock = threading.RLock()
        self._failure: Exception | None = None
        self.observers: list[Observer] = []

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            folder = Path(starting.enter_context(tempfile.TemporaryDirectory(prefix="processes-")))
            self.log = folder / "log"
            self.ministack = starting.enter_context(Ministack())
            parameters = {"EndpointUrl": self.ministack.endpoint, **self._parameters}
            self.stack = deploy(TEMPLATE, parameters, name="broadsheet", aws=self.ministack)
            sqs, streams = self.client("sqs"), self.client("dynamodbstreams")
            (stream,) = self.stack.streams
            # Of the other queue no share is ever sent: the sites here are few.
            (queue,) = (source for source in self.stack.queues if source.function != "DiscoverFunction")
            self._stream = StreamPump(stream, streams, sqs, self.stack.functions[stream.function])
            self._queue = QueuePump(queue, sqs, self._redelivery)
            self.readers = [self._sandbox(queue.function, starting) for _ in range(self._workers)]
            self.teller = self._sandbox(stream.function, starting)
            self._direct = {key: self._sandbox(key, starting) for key in self.stack.functions}
            starting.callback(self._end)
            for reader in self.readers:
                self._begin(self._read, reader)
            self._begin(self._tell)
            self._begin(self._keep_time)
            self._exit = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._exit.close()

    @property
    def sandboxes(self) -> list[Sandbox]:
        """All of them, the queue's first."""
        return [*self.readers, self.teller, *self._direct.values()]

    def client(self, service: str) -> Any:
        """Return the boto3 client of `service`."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self.ministack.client(service)
            return self._clients[service]

    def resource(self, key: str) -> str:
        """Return the physical id of the resource with this logical id; a queue's is its URL."""
        return self.stack.resources[key]

    def invoke(self, function: str, event: Any) -> Invocation:
        """Invoke a function by its logical id and wait for it."""
        return self._seen(self._direct[function].invoke(event))

    def fire(self, schedule: str) -> Invocation:
        """Let a schedule's time come."""
        found = next(s for s in self.stack.schedules if s.id == schedule)
        return self._seen(self._direct[found.function].invoke(found.event, found.id))

    def run_until_idle(self, timeout: float, waiting: Callable[[], bool] = lambda: False) -> bool:
        """Wait until nothing is left, for `timeout` seconds at most; tell whether nothing was left."""
        end = time.monotonic() + timeout
        idle = 0
        while time.monotonic() < end:
            if self._failure is not None:
                raise ProcessesError("an event source failed") from self._failure
            # twice in a row: between a commit and its record in the stream nothing shows
            idle = idle + 1 if not self._busy and not any(self.backlog().values()) and not waiting() else 0
            if idle == 2:
                return True
            time.sleep(2 * PAUSE)
        return False

    def backlog(self) -> dict[str, int]:
        """Count what the queue and the stream still hold, by the mapping's logical id."""
        with self._lock:
            return {pump.source.id: pump.backlog() for pump in (self._stream, self._queue)}

    def _sandbox(self, key: str, starting: ExitStack) -> Sandbox:
        function = self.stack.functions[key]
        timeout, lease = self._times.get(key, (function.timeout, None))
        sandbox = Sandbox(msgspec.structs.replace(function, timeout=timeout), self.log, lease=lease)
        starting.callback(sandbox.close)
        return sandbox

    def _begin(self, work: Callable[..., None], *arguments: Any) -> None:
        def guarded() -> None:
            try:
                work(*arguments)
            except Exception as error:  # noqa: BLE001 - told by run_until_idle
                self._failure = error

        thread = threading.Thread(target=guarded)
        self._threads.append(thread)
        thread.start()

    def _end(self) -> None:
        self._stop.set()
        for sandbox in self.sandboxes:  # whoever waits for one is let go
            sandbox.kill()
        for thread in self._threads:
            thread.join()

    def _read(self, reader: Sandbox) -> None:
        pump = QueuePump(self._queue.source, self.client("sqs"), self._redelivery)
        while not self._stop.is_set():
            event = pump.take()
            if event is None:
                self._stop.wait(PAUSE)
                continue
            pump.settle(self._seen(reader.invoke(event, pump.source.id)))

    def _tell(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                event = self._stream.take()
                self._busy += event is not None
            if event is None:
                self._stop.wait(PAUSE)
                continue
            invocation = self._seen(self.teller.invoke(event, self._stream.source.id))
            with self._lock:
                self._stream.settle(invocation)
                self._busy -= 1

    def _keep_time(self) -> None:
        minutely: list[Schedule] = [s for s in self.stack.schedules if s.expression == "rate(1 minute)"]
        while not self._stop.wait(self._minute):
            for schedule in minutely:
                self.fire(schedule.id)

    def _seen(self, invocation: Invocation) -> Invocation:
        with self._lock:
            for observer in self.observers:
                observer(invocation)
        return invocation
