"""The whole pipeline on this machine: the embedded AWS, a receiver for its channels, one folder that keeps all."""

import json
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from broadsheet import source
from broadsheet.store import Articles
from local import report
from local.embedded import EmbeddedAws
from local.receiver import Receiver
from local.runtime import Invocation

CHANNELS = {"town": "slack", "archive": "webhook"}
RECEIVER_PORT = 8805


class Pipeline:
    """Broadsheet reading `sources` (as the sources file has them) and posting to a receiver on loopback.

    Of addresses that aren't public, the functions may reach the receiver and `networks` (comma-separated CIDRs).
    """

    def __init__(
        self, sources: Sequence[Mapping[str, Any]], out: Path, *, networks: str = "", parameters: Mapping[str, str] = {}
    ) -> None:
        self._sources = sources
        self._networks = networks
        self._parameters = parameters
        self.out = out
        self.ledger = report.Ledger()
        self._exit = ExitStack()
        self._shown_posts = 0

    def __enter__(self) -> Self:
        (self.out / "posts").mkdir(parents=True, exist_ok=True)
        with ExitStack() as starting:
            channels = [{"id": id, "kind": kind, "interval": 0} for id, kind in CHANNELS.items()]
            file = self.out / "sources.yaml"  # stays: `broadsheet … --local` reads it
            file.write_text(yaml.safe_dump({"channels": channels, "sources": list(self._sources)}, allow_unicode=True))
            source.load(file)
            say("Bringing up template.yaml …")
            self.receiver = starting.enter_context(Receiver(RECEIVER_PORT if free(RECEIVER_PORT) else 0))
            self._log = starting.enter_context((self.out / "log.jsonl").open("w", encoding="utf-8", buffering=1))
            self.aws = starting.enter_context(
                EmbeddedAws(
                    parameters={
                        "Sources": str(file.absolute()),
                        "AllowedNetworks": f"{urlsplit(self.receiver.url('')).netloc},{self._networks}".strip(","),
                        **self._parameters,
                    },
                    state_dir=self.out,
                )
            )
            for channel, kind in CHANNELS.items():
                self.aws.client("ssm").put_parameter(
                    Name=f"{self.aws.stack.outputs['SecretsPath']}/{channel}",
                    Type="SecureString",
                    Value=json.dumps({"url": self.receiver.url(f"{kind}/{channel}")}),
                    Overwrite=True,  # of the last run's receiver, which the state keeps
                )
            self.aws.observers.append(self._observe)
            self._given_up = self._depths()
            self._exit = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._exit:
            self._keep_posts()

    def articles(self) -> Articles:
        """The embedded AWS's articles."""
        aws = self.aws
        dynamodb, s3 = aws.client("dynamodb"), aws.client("s3")
        return Articles(dynamodb, aws.resource("ArticlesTable"), s3, aws.resource("Bucket"))

    def run(self, timeout: float) -> bool:
        """Drive everything to its end, the hourly sweep included, and publish; tell whether nothing was left."""
        end = time.monotonic() + timeout
        idle = self.aws.run_until_idle(timeout, waiting=self._deliveries_wait)
        self.aws.fire("NotifyFunctionSweep")
        idle = idle and self.aws.run_until_idle(end - time.monotonic(), waiting=self._deliveries_wait)
        self.aws.fire("PublishFunctionPublish")
        return idle

    def counts(self) -> dict[str, int]:
        """How many articles' objects, records, posts, and published files there are."""
        s3, dynamodb = self.aws.client("s3"), self.aws.client("dynamodb")
        objects = s3.get_paginator("list_objects_v2").paginate(Bucket=self.aws.resource("Bucket"))
        keys = [entry["Key"] for page in objects for entry in page.get("Contents", [])]
        articles = sum(key.startswith("articles/") for key in keys)
        records = dynamodb.get_paginator("scan").paginate(TableName=self.aws.resource("ArticlesTable"), Select="COUNT")
        return {
            "objects": articles,
            "published": len(keys) - articles,
            "records": sum(page["Count"] for page in records),
            "posts": len(list((self.out / "posts").glob("*.json"))),
        }

    def left(self) -> list[str]:
        """What didn't come to its end in this run, a line each."""
        waiting = {
            **self.aws.backlog(),
            "deliveries": self._waiting_deliveries(),
            **{queue: depth - self._given_up[queue] for queue, depth in self._depths().items()},
        }
        return [f"{number} in {name}" for name, number in waiting.items() if number] + self.ledger.broken

    def _depths(self) -> dict[str, int]:
        """How many messages lie in the queues that nothing reads."""
        sqs, name = self.aws.client("sqs"), "ApproximateNumberOfMessages"
        return {
            queue: int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
            for queue in ("DeadLetterQueue", "FailuresQueue")
            for url in [self.aws.resource(queue)]
        }

    def _waiting_deliveries(self) -> int:
        table = self.aws.resource("StateTable")
        return int(self.aws.client("dynamodb").scan(TableName=table, IndexName="due", Select="COUNT")["Count"])

    def _deliveries_wait(self) -> bool:
        return bool(self._waiting_deliveries())

    def _observe(self, invocation: Invocation) -> None:
        for line in (*invocation.log, *invocation.trace.splitlines()):
            self._log.write((line if line.startswith("{") else json.dumps({"message": line})) + "\n")
        self._keep_posts()
        for line in self.ledger.take(invocation):
            say(line)

    def _keep_posts(self) -> None:
        """Write each post that arrived as a file of its own, numbered on from earlier runs."""
        for post in self.receiver.posts[self._shown_posts :]:
            number = len(list((self.out / "posts").glob("*.json"))) + 1
            file = self.out / "posts" / f"{number:04}-{post.path.strip('/').replace('/', '-')}.json"
            text = {"path": post.path, "answered": post.status, "headers": dict(post.headers), "body": post.payload}
            file.with_suffix(".new").write_text(json.dumps(text, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            file.with_suffix(".new").rename(file)
            self._shown_posts += 1


def free(*ports: int) -> bool:
    """Tell whether all of these ports of this machine can be had."""
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def say(line: str = "") -> None:
    """Print a line, coloured on a terminal, at once."""
    print(report.colour(line) if sys.stdout.isatty() else line, flush=True)
