"""A burst of articles to five channels: `python -m tests.benchmarks.delivery.measure [ARTICLES]`, 10,000 unless said.

    make .venv-ministack/.ready

The real handler, loaded twice as Lambda would run it (one sandbox for the stream, one for the schedule, which know
nothing of each other), AWS over HTTP by ministack, and receivers on loopback. The stream's batches of 50 come first, a
minute's schedule between every ten of them, then the minutes go by until every channel was told of every article. The
clock is this machine's, but sleeping moves it at once. A receiver counts the posts of the last minute as its service
does and refuses what is over; it answers each 20th with 503 and each 33rd with 429 besides.
"""

import importlib.util
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec

from broadsheet.dynamo import to_item
from local.ministack import ROOT, Ministack
from tests.unit.channels.loopback import Answer, Posted, listening
from tests.unit.channels.services import TOKEN

LIMITS = {"slack": (60, 60.0), "feishu": (100, 60.0), "discord": (30, 60.0), "telegram": (20, 60.0), "webhook": None}
YES = {"feishu": {"code": 0}, "telegram": {"ok": True, "result": {"message_id": 1}}, "discord": {"id": "1"}}
BATCH, BATCHES_A_MINUTE = 50, 10


class Clock:
    """Epoch seconds; whoever sleeps is asleep for no time at all."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def time(self) -> float:
        return time.time() + self._ahead

    def sleep(self, seconds: float) -> None:
        self._ahead += max(0.0, seconds)


class Service:
    """One channel's receiver: what it took, and how often it was over its service's limit."""

    def __init__(self, clock: Clock, kind: str) -> None:
        self._clock, self._kind = clock, kind
        self._last: deque[float] = deque()
        self.posts = self.over = 0
        self.told: Counter[str] = Counter()

    def __call__(self, posted: Posted) -> Answer:
        self.posts += 1
        now = self._clock.time()
        if limit := LIMITS[self._kind]:
            most, window = limit
            while self._last and self._last[0] <= now - window:
                self._last.popleft()
            if len(self._last) >= most:
                self.over += 1
                return Answer(429, b"{}", {"retry-after": "30"})
            self._last.append(now)
        if self.posts % 20 == 0:
            return Answer(503)
        if self.posts % 33 == 0:
            return Answer(429, b"{}", {"retry-after": "30"})
        self.told.update(set(re.findall(r"No-\d+", posted.body.decode().replace("\\", ""))))
        return Answer.of(YES[self._kind]) if self._kind in YES else Answer(200, b"ok")


class Meter:
    """AWS calls by operation, and the seconds spent in them and in posts."""

    def __init__(self, modules: list[ModuleType]) -> None:
        self.calls: Counter[str] = Counter()
        self.aws = self.posting = 0.0
        for module in modules:
            for client in (module.dynamodb, module.s3, module.vault):
                client._make_api_call = self._timed(client._make_api_call)
            post = module.client.post

            def posted(*args: Any, post: Callable[..., Any] = post, **named: Any) -> Any:
                began = time.perf_counter()
                try:
                    return post(*args, **named)
                finally:
                    self.posting += time.perf_counter() - began

            module.client.post = posted

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(operation: str, params: Any) -> Any:
            self.calls[operation] += 1
            began = time.perf_counter()
            try:
                return call(operation, params)
            finally:
                self.aws += time.perf_counter() - began

        return timed


@contextmanager
def sandbox(clock: Clock, name: str) -> Iterator[ModuleType]:
    """The handler's module, loaded anew."""
    spec = importlib.util.spec_from_file_location(f"notify_{name}", ROOT / "functions" / "notify" / "app.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with patch.object(module, "time", clock):
        yield module


def invoke(module: ModuleType, clock: Clock, event: Any) -> None:
    """One invocation of a minute; what fails of a batch would be delivered again, and nothing may."""
    deadline = clock.time() + 60
    context = SimpleNamespace(
        function_name="notify",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:notify",
        aws_request_id=f"r{time.perf_counter_ns()}",
        get_remaining_time_in_millis=lambda: max(0.0, deadline - clock.time()) * 1000,
    )
    answer = module.lambda_handler(event, context)
    assert not answer.get("batchItemFailures"), answer


def main(articles: int) -> None:
    """Run it, and print what came of it."""
    clock = Clock()
    with ExitStack() as stack:
        aws = stack.enter_context(Ministack())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        services = {kind: Service(clock, kind) for kind in LIMITS}
        urls = {kind: stack.enter_context(listening(service)).url for kind, service in services.items()}
        listed = ", ".join(f"{{id: {kind}, kind: {kind}}}" for kind in LIMITS)
        sources = folder / "sources.yaml"
        sources.write_text(
            f"channels: [{listed}]\n"
            f'sources: [{{id: news, name: News, url: "https://news.example/", channels: [{", ".join(LIMITS)}]}}]\n'
        )
        variables = {
            **{key: value for key, value in aws.environment.items() if key.startswith("AWS_")},
            "AWS_ENDPOINT_URL": aws.endpoint,
            "SOURCES": str(sources),
            "STATE_TABLE": "state",
            "ARTICLES_TABLE": "articles",
            "BUCKET": "bucket",
            "SECRETS_PATH": "/broadsheet/t/channels",
            "CONTACT": "me@example.org",
            "ALLOWED_NETWORKS": "127.0.0.0/8",
            "POWERTOOLS_SERVICE_NAME": "notify",
            "POWERTOOLS_METRICS_NAMESPACE": "benchmark",
        }
        stack.enter_context(patch.dict(os.environ, variables))
        records = seed(articles, sources, urls, clock)
        with (folder / "log").open("w") as log, redirect_stdout(log):
            stream = stack.enter_context(sandbox(clock, "stream"))
            schedule = stack.enter_context(sandbox(clock, "schedule"))
            meter = Meter([stream, schedule])
            began, then, cpu = time.perf_counter(), clock.time(), time.process_time()
            batches = [records[start : start + BATCH] for start in range(0, articles, BATCH)]
            for n, batch in enumerate(batches, 1):
                invoke(stream, clock, {"Records": [inserted(record, n) for record in batch]})
                if n % BATCHES_A_MINUTE == 0:
                    invoke(schedule, clock, {"job": "post-due"})
                    print(f"{n * BATCH} of {articles} in, {time.perf_counter() - began:.0f} s", file=sys.stderr)
            streamed = clock.time() - then
            minutes = 0
            while any(len(service.told) < articles for service in services.values()) and minutes < 5000:
                clock.sleep(60)
                minutes += 1
                invoke(schedule, clock, {"job": "post-due"})
                if minutes % 20 == 0:
                    told = ", ".join(f"{kind} {len(service.told)}" for kind, service in services.items())
                    print(f"minute {minutes}: {told}, {time.perf_counter() - began:.0f} s", file=sys.stderr)
            took, cpu = time.perf_counter() - began, time.process_time() - cpu
            passed = clock.time() - then
    tellings, posts = articles * len(LIMITS), sum(service.posts for service in services.values())
    calls = sum(meter.calls.values())
    report(services, articles)
    made = ", ".join(f"{name} {count / tellings:.2f}" for name, count in sorted(meter.calls.items()))
    print(f"{articles} articles, {tellings} tellings in {posts} posts; {passed / 60:.0f} min on their clock", end="")
    print(f" (the stream's part {streamed / 60:.1f})")
    print(f"{took:.0f} s here: {tellings / took:.0f} tellings and {posts / took:.1f} posts a second;", end=" ")
    print(f"{meter.aws:.0f} s in AWS calls ({1000 * meter.aws / calls:.1f} ms each), {meter.posting:.0f} s in posts")
    print(f"{cpu:.0f} s of CPU, receivers' and SDK's included")
    print(f"AWS calls an article {calls / articles:.2f}, a telling {calls / tellings:.2f} ({made})")


def seed(articles: int, sources: Path, urls: dict[str, str], clock: Clock) -> list[dict[str, Any]]:
    """Tables, secrets and committed records; returns the records as the stream shows them."""
    from tests.stack.cloud import Cloud  # its clients go by the environment
    from tests.stack.newsroom import Newsroom

    secrets = {kind: f"{url}/hook" for kind, url in urls.items()}
    secrets["telegram"] = json.dumps({"token": TOKEN, "chat_id": "@a", "api_url": urls["telegram"]})
    room = Newsroom(Cloud(), sources.read_text(), secrets)
    room.now = clock.time()
    return [to_item(msgspec.structs.asdict(room.commit(n, title=f"No-{n:05d} of the day"))) for n in range(articles)]


def inserted(image: dict[str, Any], n: int) -> dict[str, Any]:
    """A record of the stream."""
    return {
        "eventID": str(n),
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": {"SequenceNumber": str(n), "NewImage": image, "StreamViewType": "NEW_IMAGE"},
    }


def report(services: dict[str, Service], articles: int) -> None:
    """A line for each channel."""
    for kind, service in services.items():
        twice = sum(count > 1 for count in service.told.values())
        lost = articles - len(service.told)
        print(f"{kind:<9} posts {service.posts:5}  over its limit {service.over}  lost {lost}  told twice {twice}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
