"""The embedded AWS itself: a stack that is up, and its event sources, advanced one step at a time or until idle."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from moto import mock_aws

from local.drive import QueuePump, StreamPump, invoke_async
from local.runtime import Handler, Invocation, Runtime
from local.snapshot import restore, save
from local.stack import Moto, Stack, client, deploy

TEMPLATE = Path(__file__).parent.parent / "template.yaml"
Observer = Callable[[Invocation], None]


class EmbeddedAws:
    """The stack of `template`, up between `with` and its end; only one at a time, since moto is the process's.

    `handlers`, by logical id, stand in for functions' code. Each invocation is shown to every one of `observers`.
    With a `state_dir` everything stored is loaded from there at the start and kept there at the end. `minute` is how
    many seconds the minute of a rate(1 minute) schedule takes, `redelivery` after how many a failed message comes back.
    """

    stack: Stack

    def __init__(
        self,
        template: Path = TEMPLATE,
        parameters: Mapping[str, str] | None = None,
        *,
        name: str = "broadsheet",
        region: str = "us-east-1",
        handlers: Mapping[str, Handler] | None = None,
        state_dir: Path | None = None,
        minute: float = 1.0,
        redelivery: int = 1,
    ) -> None:
        self._template = template
        self._parameters = dict(parameters or {})
        self._name = name
        self._region = region
        self._handlers = handlers or {}
        self._state_dir = state_dir
        self._minute = minute
        self._redelivery = redelivery
        self._clients: dict[str, Any] = {}
        self._exit = ExitStack()
        self.observers: list[Observer] = []

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.enter_context(mock_aws())
            self.stack = deploy(self._template, self._parameters, name=self._name, aws=Moto(self._region))
            sqs, functions = self.client("sqs"), self.stack.functions
            self._queues = [QueuePump(source, sqs, self._redelivery) for source in self.stack.queues]
            self._streams = [
                StreamPump(source, self.client("dynamodbstreams"), sqs, functions[source.function])
                for source in self.stack.streams
            ]
            if self._state_dir is not None:
                pending = restore(self.stack, self._state_dir)
                for stream in self._streams:
                    stream.resume(pending.get(stream.source.id, []))
            self._runtime = Runtime(functions, self._handlers)
            self._exit = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._exit:
            if self._state_dir is not None:
                save(self.stack, self._state_dir, {s.source.id: s.pending() for s in self._streams})
            self._clients.clear()

    def client(self, service: str) -> Any:
        """Return the boto3 client of `service`."""
        if service not in self._clients:
            self._clients[service] = client(service, self._region)
        return self._clients[service]

    def resource(self, key: str) -> str:
        """Return the physical id of the resource with this logical id; a queue's is its URL."""
        return self.stack.resources[key]

    def invoke(self, function: str, event: Any) -> Invocation:
        """Invoke a function by its logical id and wait for it, as `aws lambda invoke` does."""
        return self._seen(self._runtime.invoke(function, event))

    def fire(self, schedule: str, event: Any = None) -> Invocation:
        """Let a schedule's time come, with its own event or another; return the last attempt."""
        found = next(s for s in self.stack.schedules if s.id == schedule)
        function = self.stack.functions[found.function]
        event = found.event if event is None else event
        return [self._seen(i) for i in invoke_async(self._runtime, function, event, found.id, self.client("sqs"))][-1]

    def step(self) -> Invocation | None:
        """Deliver one batch, of a stream if it has any, else of a queue; None when nothing is there to deliver."""
        for pump in self._pumps():
            event = pump.take()
            if event is not None:
                invocation = self._runtime.invoke(pump.source.function, event, pump.source.id)
                pump.settle(invocation)
                return self._seen(invocation)
        return None

    def run_until_idle(self, timeout: float, waiting: Callable[[], bool] = lambda: False) -> bool:
        """Deliver until nothing is left, for `timeout` seconds at most; tell whether nothing was left.

        Schedules of rate(1 minute) come once in a `minute` meanwhile. `waiting` tells of work that no queue shows:
        until it is false there is something left.
        """
        end = time.monotonic() + timeout
        next_minute = time.monotonic() + self._minute
        while time.monotonic() < end:
            if time.monotonic() >= next_minute:
                for schedule in self.stack.schedules:
                    if schedule.expression == "rate(1 minute)":
                        self.fire(schedule.id)
                next_minute = time.monotonic() + self._minute
            if self.step() is None:
                if not any(self.backlog().values()) and not waiting():
                    return True
                time.sleep(0.02)
        return False

    def backlog(self) -> dict[str, int]:
        """Count what each queue and stream that feeds a function still holds, by the mapping's logical id."""
        return {pump.source.id: pump.backlog() for pump in self._pumps()}

    def _pumps(self) -> list[StreamPump | QueuePump]:
        return [*self._streams, *self._queues]

    def _seen(self, invocation: Invocation) -> Invocation:
        for observer in self.observers:
            observer(invocation)
        return invocation
