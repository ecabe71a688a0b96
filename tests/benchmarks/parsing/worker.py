"""A warm parse function in a process of its own: the real handler, fed from the queue as SQS feeds it."""

import importlib.util
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import boto3
import msgspec

ROOT = Path(__file__).parents[3]
BATCH, WINDOW, TIMEOUT = 50, 5.0, 120.0  # messages, seconds a batch gathers, and seconds a run may take: the template's


class Work(msgspec.Struct):
    """What a worker did: `billed` in seconds of its runs, `handled` in messages."""

    runs: int = 0
    billed: float = 0.0
    handled: int = 0


class _Context:
    """What the handler asks of its context."""

    function_name = "parse"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:parse"

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._until = time.monotonic() + TIMEOUT

    def get_remaining_time_in_millis(self) -> int:
        return int((self._until - time.monotonic()) * 1000)


def work(at_once: int, done: Event, report: Connection) -> None:
    """Handle batches until `done`, visiting so many hosts at once; then report a Work."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the log
    _lead_home()
    from broadsheet import parse

    parse.MAX_HOSTS = at_once
    spec = importlib.util.spec_from_file_location("parse_app", ROOT / "functions" / "parse" / "app.py")
    assert spec and spec.loader
    app = importlib.util.module_from_spec(spec)
    sys.modules["parse_app"] = app
    spec.loader.exec_module(app)
    sqs, queue = boto3.client("sqs"), os.environ["PARSE_QUEUE_URL"]
    did = Work()
    for batch in _batches(sqs, queue, done):
        event = {"Records": [_record(message) for message in batch]}
        began = time.monotonic()
        answer = app.lambda_handler(event, _Context())
        did.billed += time.monotonic() - began
        did.runs += 1
        did.handled += len(batch)
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        for message in batch:
            if message["MessageId"] not in failed:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    app.client.close()
    app.apart.close()
    report.send(did)


def _batches(sqs: Any, queue: str, done: Event) -> Iterator[list[Any]]:
    """What an event source would hand over: when a batch is full, or its window has passed."""
    batch: list[Any] = []
    since = 0.0
    while not done.is_set():
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        since = since if batch else time.monotonic()
        batch += found
        if len(batch) >= BATCH or (batch and time.monotonic() - since >= WINDOW):
            yield batch
            batch = []
        elif not found:
            time.sleep(0.1)


def _record(message: Any) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:parse",
        "awsRegion": "us-east-1",
    }


def _lead_home() -> None:
    """Let the papers' names mean this machine."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(".example") else host, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo
