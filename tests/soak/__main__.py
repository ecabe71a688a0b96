"""`make soak`: thousands of articles through the stack in ministack, while processes are killed at random.

    python -m tests.soak [--articles 5000] [--minutes 10] [--seed 7]

The real handlers, each in a process of its own, against SQS, DynamoDB and S3 over HTTP; pages, feeds and a webhook on
loopback. Whoever works may be killed at any moment, but for one reader of the queue, whose memory is watched. Ends
with exit code 1 unless every article is stored once and announced once, a repeat being one that says so.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from broadsheet.cli.dlq import parked, redrive
from local.processes import Processes
from local.receiver import Receiver
from local.runtime import Invocation
from tests.proofs.internet import Page, feed

PER_HOST = 20
KILL_EVERY = 5.0  # seconds, on average
POLL_EVERY = 20.0
# Seconds a function has, and its leases: a death keeps a host or a delivery from everybody for as long as a lease. Less
# than this they can't have, for they start nothing that they may not end.
TIMES = {"DiscoverFunction": (60, 66.0), "ParseFunction": (45, 50.0), "NotifyFunction": (30, 33.0)}


class Press(ThreadingHTTPServer):
    """Every paper: each at a loopback address of its own, with a feed of its articles."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, articles: int) -> None:
        super().__init__(("0.0.0.0", 0), _Handler)  # all of 127.0.0.0/8 and, by verify_request, nothing else
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.sources: list[dict[str, Any]] = []
        for number in range(-(-articles // PER_HOST)):
            base = f"http://127.1.{number // 200}.{number % 200 + 1}:{self.server_address[1]}"
            ours = [
                Page(url=f"{base}/{n}", title=f"Report {n} of the lighthouse at pier {number}")
                for n in range(number * PER_HOST, min(articles, (number + 1) * PER_HOST))
            ]
            for page in ours:
                self.pages[page.url] = "text/html; charset=utf-8", page.html().encode()
            self.pages[f"{base}/feed"] = "application/rss+xml", feed(*ours).encode()
            self.sources.append({"id": f"pier-{number}", "name": f"Pier {number}", "url": f"{base}/feed"})

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return bool(client_address[0].startswith("127."))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Visitors die here."""


class _Handler(BaseHTTPRequestHandler):
    server: Press
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        kind, body = self.server.pages.get(f"http://{self.headers['Host']}{self.path}", ("", b""))
        self.send_response_only(200 if body else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


class Soak:
    """One run, and what came of it."""

    def __init__(self, aws: Processes, receiver: Receiver, press: Press, articles: int, seed: int) -> None:
        self.aws = aws
        self.receiver = receiver
        self.press = press
        self.articles = articles
        self.kills: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.memory: list[tuple[float, int]] = []
        self._draw = random.Random(seed)
        self._over = threading.Event()
        aws.observers.append(self._observe)

    def run(self, minutes: float) -> bool:
        """Everything, in so many minutes at most; tells whether it came to its end."""
        end = time.monotonic() + 60 * minutes
        threads = [threading.Thread(target=work) for work in (self._kill, self._watch)]
        for thread in threads:
            thread.start()
        try:
            next_poll = next_word = time.monotonic()
            while time.monotonic() < end:
                now = time.monotonic()
                if now >= next_poll and not self._is_enqueued():
                    self.aws.invoke("DiscoverFunction", {"job": "poll", "force": True})
                    next_poll = now + POLL_EVERY
                if now >= next_word:
                    next_word = now + 30
                    say(f"  stored {self.stored()}, announced {len(self.announced())}, kills {self.kills.total()}")
                if len(self.announced()) >= self.articles and self.aws.run_until_idle(5, waiting=self._is_due):
                    self._redrive()
                    return True
                time.sleep(1)
            return False
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def announced(self) -> dict[str, list[bool]]:
        """By article, the flags of its posts; of what piled up meanwhile one post tells together."""
        told: dict[str, list[bool]] = {}
        for post in self.receiver.accepted:
            for article in post.payload.get("articles") or [post.payload["article"]]:
                told.setdefault(article["url"], []).append(post.payload["possible_repeat"])
        return told

    def stored(self) -> int:
        """How many articles have a record."""
        pages = (
            self.aws.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.aws.resource("ArticlesTable"), Select="COUNT")
        )
        return sum(page["Count"] for page in pages)

    def objects(self) -> Counter[str]:
        """By key, how often it was written."""
        pages = self.aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=self.aws.resource("Bucket"))
        return Counter(version["Key"] for page in pages for version in page.get("Versions", []))

    def report(self, finished: bool) -> bool:
        """Print what came of it; tells whether that is as it must be."""
        told, objects = self.announced(), self.objects()
        stored = self.stored()
        repeats = [flags[1:] for flags in told.values()]
        flagged, unflagged = (sum(flags.count(flag) for flags in repeats) for flag in (True, False))
        quarters = [self.memory[len(self.memory) * i // 4 - 1][1] for i in (1, 2, 3, 4)] if len(self.memory) > 3 else []
        say(
            f"articles in {self.articles}, stored {stored}, objects {len(objects)}, announced {len(told)}; "
            f"stored twice {sum(n - 1 for n in objects.values())}, announced twice {unflagged}, "
            f"flagged repeats {flagged}"
        )
        say(f"kills {self.kills.total()}: " + ", ".join(f"{name} {n}" for name, n in self.kills.most_common()))
        say("invocations: " + ", ".join(f"{name} {n}" for name, n in sorted(self.ended.items())))
        say("memory of the reader that was spared, MB by quarters: " + ", ".join(f"{m / 1e6:.0f}" for m in quarters))
        flat = bool(quarters) and quarters[-1] < quarters[0] * 1.15
        exact = (stored, len(objects), len(told), unflagged) == (self.articles,) * 3 + (0,)
        return finished and exact and flat and set(objects.values()) == {1}

    def _is_enqueued(self) -> bool:
        """Whether every source was polled to its end."""
        query = {"TableName": self.aws.resource("StateTable"), "FilterExpression": "sk = :poll"}
        pages = (
            self.aws.client("dynamodb")
            .get_paginator("scan")
            .paginate(**query, ExpressionAttributeValues={":poll": {"S": "poll"}})
        )
        polled = [item for page in pages for item in page["Items"]]
        return len(polled) == len(self.press.sources) and all(item.get("body_hash") for item in polled)

    def _is_due(self) -> bool:
        table = self.aws.resource("StateTable")
        return bool(self.aws.client("dynamodb").scan(TableName=table, IndexName="due", Select="COUNT")["Count"])

    def _redrive(self) -> None:
        """What crashed five times lies parked: send it round again, as `broadsheet dlq redrive --all` does."""
        sqs, url = self.aws.client("sqs"), self.aws.resource("DeadLetterQueue")
        with parked(sqs, url) as messages:
            say(f"crashed five times and parked: {len(messages)}")
            redrive(sqs, url, self.aws.resource("ParseQueue"), messages, now=time.time())

    def _kill(self) -> None:
        while not self._over.wait(self._draw.expovariate(1 / KILL_EVERY)):
            victim = self._draw.choice(self.aws.sandboxes[1:])
            if victim.kill():
                self.kills[victim.function.id] += 1

    def _watch(self) -> None:
        while not self._over.wait(1):
            if (memory := self.aws.readers[0].memory()) is not None:
                self.memory.append((time.monotonic(), memory))

    def _observe(self, invocation: Invocation) -> None:
        self.ended[f"{invocation.function} {'killed' if invocation.error else 'done'}"] += 1


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Run as told on the command line."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--articles", type=int, default=5000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    press = Press(asked.articles)
    threading.Thread(target=press.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, Receiver() as receiver:
        file = Path(folder) / "sources.yaml"
        every = {"channels": ["town"], "delay": 0.02, "interval": 60, "announce_first": PER_HOST}
        channels = [{"id": "town", "kind": "webhook", "interval": 0}]
        sources = [{**source, **every} for source in press.sources]
        file.write_text(yaml.safe_dump({"channels": channels, "sources": sources}))
        parameters = {"Sources": str(file), "AllowedNetworks": "127.0.0.0/8", "LogLevel": "ERROR", "RetryDelay": "1"}
        say(f"{asked.articles} articles of {len(sources)} papers, seed {asked.seed}, {asked.minutes:g} minutes at most")
        with Processes(parameters, workers=3, times=TIMES) as aws:
            aws.client("ssm").put_parameter(
                Name="/broadsheet/broadsheet/channels/town", Value=receiver.url("json/town"), Type="SecureString"
            )
            soak = Soak(aws, receiver, press, asked.articles, asked.seed)
            started = time.monotonic()
            finished = soak.run(asked.minutes)
            passed = soak.report(finished)
            say(f"{'passed' if passed else 'FAILED'} in {time.monotonic() - started:.0f} s")
    press.shutdown()
    return not passed


if __name__ == "__main__":
    sys.exit(main())
