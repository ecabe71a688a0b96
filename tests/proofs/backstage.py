"""AWS's own side, straight out of moto's records: what pollers receive and delete, and starting over in no time.

The pumps of `local.drive` take it for boto3 clients; a client proper would take longer than the functions themselves.
"""

from collections.abc import Iterator
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodbstreams.models import dynamodbstreams_backends
from moto.s3.models import FakeDeleteMarker, s3_backends
from moto.sqs.models import sqs_backends

from broadsheet.dynamo import from_item
from local.stack import Stack

REGION = "us-east-1"


class Backstage:
    """What the stack's tables, bucket, queues and streams hold."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._sqs = sqs_backends[DEFAULT_ACCOUNT_ID][REGION]
        self._dynamodb = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION]
        self._streams = dynamodbstreams_backends[DEFAULT_ACCOUNT_ID][REGION]
        self._bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[stack.resources["Bucket"]]

    def clear(self) -> None:
        """Make everything as it was when the stack had just been created."""
        for table in self._dynamodb.tables.values():
            table.items.clear()
            if table.stream_shard:
                table.stream_shard.items.clear()
        self._streams.shard_iterators.clear()
        for queue in self._sqs.queues.values():
            queue._messages, queue._pending_messages = [], set()
            queue.deleted_messages.clear()
        self._bucket.keys.clear()

    def items(self, table: str, **texts: str) -> Iterator[dict[str, Any]]:
        """The items of a table, by its logical id, that have these texts; as plain values."""
        for item in self._dynamodb.tables[self._stack.resources[table]].all_items():
            if all(name in item.attrs and item.attrs[name].value == text for name, text in texts.items()):
                yield from_item(item.to_json()["Attributes"])

    def images(self, table: str) -> Iterator[dict[str, Any]]:
        """Every image of an item that the table's stream ever showed, oldest first."""
        shard = self._dynamodb.tables[self._stack.resources[table]].stream_shard
        for record in shard.items if shard else ():
            yield from_item(record.to_json()["dynamodb"].get("NewImage", {}))

    def versions(self) -> dict[str, list[bytes]]:
        """By key, every body that was ever written there, if it is there still."""
        found: dict[str, list[bytes]] = {}
        for key, versions in self._bucket.keys.lists():
            if versions and not isinstance(versions[-1], FakeDeleteMarker):
                found[key] = [one.value for one in versions if not isinstance(one, FakeDeleteMarker)]
        return found

    def ever(self) -> Iterator[tuple[str, bytes]]:
        """Key and body of every version of an object that was not removed for good."""
        for key, versions in self._bucket.keys.lists():
            yield from ((key, one.value) for one in versions if not isinstance(one, FakeDeleteMarker))

    def waiting(self, queue: str) -> list[Any]:
        """The messages of a queue, by its logical id, visible or not."""
        return list(self._sqs.queues[self._stack.resources[queue].rsplit("/", 1)[1]]._messages)

    # ---- the calls of SQS's and the streams' pollers ---------------------------------------------------------------

    def receive_message(self, *, QueueUrl: str, MaxNumberOfMessages: int, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's
        name = QueueUrl.rsplit("/", 1)[1]
        queue: Any = self._sqs.queues[name]
        visibility = int(queue.visibility_timeout)
        return {
            "Messages": [
                {
                    "MessageId": message.id,
                    "ReceiptHandle": message.receipt_handle,
                    "MD5OfBody": message.body_md5,
                    "Body": message.body,
                    "Attributes": {
                        "ApproximateReceiveCount": str(message.approximate_receive_count),
                        "SentTimestamp": str(message.sent_timestamp),
                    },
                }
                for message in self._sqs.receive_message(name, MaxNumberOfMessages, 0, visibility, [])
            ]
        }

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803 - boto3's
        self._sqs.delete_message(QueueUrl.rsplit("/", 1)[1], ReceiptHandle)

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803 - boto3's
        self._sqs.change_message_visibility(QueueUrl.rsplit("/", 1)[1], ReceiptHandle, VisibilityTimeout)

    def get_queue_url(self, *, QueueName: str) -> dict[str, str]:  # noqa: N803 - boto3's
        return {"QueueUrl": QueueName}

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803 - boto3's
        self._sqs.send_message(QueueUrl.rsplit("/", 1)[1], MessageBody)

    def describe_stream(self, *, StreamArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        return {"StreamDescription": self._streams.describe_stream(StreamArn)}

    def get_shard_iterator(self, *, StreamArn: str, ShardId: str, ShardIteratorType: str) -> dict[str, str]:  # noqa: N803 - boto3's
        return {"ShardIterator": self._streams.get_shard_iterator(StreamArn, ShardId, ShardIteratorType).arn}

    def get_records(self, *, ShardIterator: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        return self._streams.get_records(ShardIterator, 1000)
