"""The event sources: what moves messages, stream records and scheduled events to the functions, as AWS documents it.

Each source has two halves, so that a test may stop between them: `take` gives the event that is due, and `settle`
does with it what AWS does after the invocation. Times are shortened where AWS waits for minutes: a message that failed
is visible again after `redelivery` seconds, a stream batch and an asynchronous event are tried again at once. Batching
windows are not waited for: in one process nothing arrives meanwhile.
"""

import base64
import json
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from local.patterns import matches
from local.runtime import Invocation, Runtime
from local.stack import Function, QueueSource, StreamSource

PAYLOAD = 6_000_000  # bytes; AWS ends a batch there


class QueuePump:
    """SQS to a function: what succeeded is deleted, what failed stays and comes again, too often to the redrive."""

    def __init__(self, source: QueueSource, sqs: Any, redelivery: int) -> None:
        self.source = source
        self._sqs = sqs
        self._redelivery = min(redelivery, source.visibility)

    def take(self) -> dict[str, Any] | None:
        """Receive a batch; its messages are invisible until settled."""
        records: list[dict[str, Any]] = []
        size = 0
        while len(records) < self.source.batch_size and size < PAYLOAD:
            messages = self._sqs.receive_message(
                QueueUrl=self.source.queue_url,
                MaxNumberOfMessages=min(10, self.source.batch_size - len(records)),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not messages:
                break
            records += [sqs_record(message, self.source.queue_arn) for message in messages]
            size += sum(len(message["Body"].encode()) for message in messages)
        return {"Records": records} if records else None

    def settle(self, invocation: Invocation) -> None:
        """Delete what was handled; let the rest be seen again."""
        records = invocation.event["Records"]
        failed = failed_items(invocation, [r["messageId"] for r in records], partial=self.source.partial)
        for record in records:
            entry = {"QueueUrl": self.source.queue_url, "ReceiptHandle": record["receiptHandle"]}
            if record["messageId"] in failed:
                self._sqs.change_message_visibility(**entry, VisibilityTimeout=self._redelivery)
            else:
                self._sqs.delete_message(**entry)

    def backlog(self) -> int:
        """Count what is visible, in flight or delayed."""
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        found = self._sqs.get_queue_attributes(QueueUrl=self.source.queue_url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


class _Batch(msgspec.Struct, frozen=True):
    records: list[dict[str, Any]]
    attempts: int = 0


class StreamPump:
    """A DynamoDB stream to a function: in order, one batch at a time, the next when that one is done or given up."""

    def __init__(self, source: StreamSource, streams: Any, sqs: Any, function: Function) -> None:
        self.source = source
        self._streams = streams
        self._sqs = sqs
        self._function = function
        self._waiting: deque[dict[str, Any]] = deque()
        self._retries: deque[_Batch] = deque()
        self._current = _Batch([])
        description = streams.describe_stream(StreamArn=source.stream_arn)["StreamDescription"]
        self._shard = description["Shards"][0]["ShardId"]  # moto has one, for ever
        self._iterator = streams.get_shard_iterator(
            StreamArn=source.stream_arn, ShardId=self._shard, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]

    def take(self) -> dict[str, Any] | None:
        """Return the next batch of the records that pass the filter."""
        self._read()
        if self._retries:
            self._current = self._retries.popleft()
        else:
            count = min(self.source.batch_size, len(self._waiting))
            self._current = _Batch([self._waiting.popleft() for _ in range(count)])
        return {"Records": self._current.records} if self._current.records else None

    def settle(self, invocation: Invocation) -> None:
        """Move on past what was handled; retry the rest from the lowest failure, halved where the mapping says so."""
        batch, self._current = self._current, _Batch([])
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch.records]
        failed = failed_items(invocation, numbers, partial=self.source.partial)
        if not failed:
            return
        first = min(numbers.index(number) for number in failed)
        rest = batch.records[first:]
        if first:  # it made progress: what remains is a new batch
            self._retries.appendleft(_Batch(rest))
        elif self.source.bisect and len(rest) > 1:  # halving doesn't count as an attempt
            half = len(rest) // 2
            self._retries.extendleft([_Batch(rest[half:], batch.attempts), _Batch(rest[:half], batch.attempts)])
        elif self.source.retries < 0 or batch.attempts < self.source.retries:
            self._retries.appendleft(_Batch(rest, batch.attempts + 1))
        else:
            self._give_up(rest, batch.attempts + 1, invocation)

    def backlog(self) -> int:
        """Count the records that wait, those of an unsettled batch included."""
        return len(self.pending())

    def pending(self) -> list[dict[str, Any]]:
        """Return the records not yet handled, oldest first."""
        self._read()
        retries = [record for batch in self._retries for record in batch.records]
        return [*self._current.records, *retries, *self._waiting]

    def resume(self, records: list[dict[str, Any]]) -> None:
        """Start over with `records`, and forget what the stream has held so far."""
        self._read()
        self._retries.clear()
        self._current = _Batch([])
        self._waiting = deque(records)

    def _read(self) -> None:
        while True:
            answer = self._streams.get_records(ShardIterator=self._iterator)
            self._iterator = answer["NextShardIterator"]
            if not answer["Records"]:
                return
            for found in answer["Records"]:
                record = stream_record(found, self.source.stream_arn)
                if not self.source.filters or any(matches(pattern, record) for pattern in self.source.filters):
                    self._waiting.append(record)

    def _give_up(self, records: list[dict[str, Any]], attempts: int, invocation: Invocation) -> None:
        if self.source.on_failure is None:
            return
        ends = [records[0]["dynamodb"], records[-1]["dynamodb"]]
        arrivals = [datetime.fromtimestamp(end["ApproximateCreationDateTime"], UTC).isoformat() for end in ends]
        _send(
            self._sqs,
            self.source.on_failure,
            {
                **_failure(self._function, invocation, attempts, "RetryAttemptsExhausted"),
                "DDBStreamBatchInfo": {
                    "shardId": self._shard,
                    "startSequenceNumber": ends[0]["SequenceNumber"],
                    "endSequenceNumber": ends[1]["SequenceNumber"],
                    "approximateArrivalOfFirstRecord": arrivals[0],
                    "approximateArrivalOfLastRecord": arrivals[1],
                    "batchSize": len(records),
                    "streamArn": self.source.stream_arn,
                },
            },
        )


def invoke_async(runtime: Runtime, function: Function, event: Any, trigger: str, sqs: Any) -> list[Invocation]:
    """Invoke as Lambda's own queue does: again after a failure, and to `on_failure` when that was the last time."""
    invocations = []
    for attempt in range(1 + function.retries):
        invocation = runtime.invoke(function.id, event, trigger)
        invocations.append(invocation)
        if invocation.error is None:
            break
        if attempt == function.retries and function.on_failure is not None:
            _send(
                sqs,
                function.on_failure,
                {
                    **_failure(function, invocation, attempt + 1, "RetriesExhausted"),
                    "requestPayload": invocation.event,
                    "responsePayload": {
                        "errorType": type(invocation.error).__name__,
                        "errorMessage": str(invocation.error),
                    },
                },
            )
    return invocations


def failed_items(invocation: Invocation, items: list[str], *, partial: bool) -> frozenset[str]:
    """Return which of `items` are to come again; an answer that names an item not in the batch fails all of it."""
    if invocation.error is not None:
        return frozenset(items)
    if not partial or invocation.result is None:
        return frozenset()
    try:
        failed = frozenset(failure["itemIdentifier"] for failure in invocation.result.get("batchItemFailures") or ())
    except (AttributeError, KeyError, TypeError):
        return frozenset(items)
    return failed if failed <= frozenset(items) else frozenset(items)


def sqs_record(message: Mapping[str, Any], queue_arn: str) -> dict[str, Any]:
    """Return a received message in the shape in which Lambda hands it to a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message["Attributes"]),
        "messageAttributes": {
            name: {
                "dataType": value["DataType"],
                "stringListValues": [],
                "binaryListValues": [],
                **({"stringValue": value["StringValue"]} if "StringValue" in value else {}),
                **({"binaryValue": base64.b64encode(value["BinaryValue"]).decode()} if "BinaryValue" in value else {}),
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }


def stream_record(record: Mapping[str, Any], stream_arn: str) -> dict[str, Any]:
    """Return a stream's record in the shape in which Lambda hands it to a function."""
    plain = {**record, "eventSourceARN": stream_arn, "awsRegion": stream_arn.split(":")[3]}
    return json.loads(json.dumps(plain, default=_plain))  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(type(value))


def _failure(function: Function, invocation: Invocation, attempts: int, condition: str) -> dict[str, Any]:
    return {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(),
        "requestContext": {
            "requestId": invocation.request_id,
            "functionArn": function.arn,
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            **({} if invocation.error is None else {"functionError": "Unhandled"}),
        },
    }


def _send(sqs: Any, queue_arn: str, message: Mapping[str, Any]) -> None:
    url = sqs.get_queue_url(QueueName=queue_arn.rsplit(":", 1)[1])["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(message))
