"""The tables, queues and bucket of template.yaml in moto, and ways to make a call to them die, lie or be overtaken."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber
from moto.sqs.models import sqs_backends
from samtranslator.yaml_helper import yaml_parse

from broadsheet.source import parse

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

TEMPLATE = Path(__file__).parents[2] / "template.yaml"


class KilledError(BaseException):
    """The process died here: no `except Exception` sees it."""


@cache
def _resources() -> dict[str, Any]:
    resources: dict[str, Any] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Resources"]
    return {name: resource.get("Properties", {}) for name, resource in resources.items()}


@cache
def _client(service: str) -> Any:  # making one takes longer than most tests
    session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    return session.client(service)  # type: ignore[call-overload]  # the stubs want a literal


class Cloud:
    """Clients, and what the template defines, made from its very words."""

    articles_table, state_table, bucket = "articles", "state", "bucket"

    def __init__(self, client: Callable[[str], Any] = _client) -> None:
        """`client` makes one of boto3's for a service."""
        self.dynamodb: DynamoDBClient = client("dynamodb")
        self.s3: S3Client = client("s3")
        self.sqs: SQSClient = client("sqs")
        self.ssm: SSMClient = client("ssm")
        resources = _resources()
        for name, resource in ((self.articles_table, "ArticlesTable"), (self.state_table, "StateTable")):
            taken = ("BillingMode", "KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes")
            self.dynamodb.create_table(TableName=name, **{key: resources[resource][key] for key in taken})
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_bucket_versioning(
            Bucket=self.bucket, VersioningConfiguration=resources["Bucket"]["VersioningConfiguration"]
        )
        self.dead_letter_url = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        dead_arn = self._arn(self.dead_letter_url)
        parse_queue = resources["ParseQueue"]
        assert parse_queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
        self.polls_queue_url = self.sqs.create_queue(QueueName="polls")["QueueUrl"]
        self.queue_url = self.sqs.create_queue(
            QueueName="parse",
            Attributes={
                "VisibilityTimeout": str(parse_queue["VisibilityTimeout"]),
                "RedrivePolicy": f'{{"deadLetterTargetArn": "{dead_arn}", '
                f'"maxReceiveCount": {parse_queue["RedrivePolicy"]["maxReceiveCount"]}}}',
            },
        )["QueueUrl"]

    def stands_for_a_deployment(self, monkeypatch: pytest.MonkeyPatch, sources: str) -> None:
        """Let the command line's deployment be this, with a sources file of such text."""
        outputs = {
            "ArticlesTableName": self.articles_table,
            "StateTableName": self.state_table,
            "BucketName": self.bucket,
        }
        deployment = "broadsheet.cli.deployment.Deployment"
        monkeypatch.setattr(f"{deployment}.output", lambda _, name: outputs[name])
        monkeypatch.setattr(f"{deployment}.client", lambda _, name: getattr(self, name))
        monkeypatch.setattr(f"{deployment}.sources", parse(sources))

    def _arn(self, url: str) -> str:
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    def keys(self) -> list[str]:
        """The keys of the objects in the bucket."""
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def items(self, table: str) -> list[dict[str, Any]]:
        """All items of a table, as DynamoDB writes them."""
        return list(self.dynamodb.scan(TableName=table)["Items"])

    def messages(self, url: str) -> list[Any]:
        """Take what is visible on a queue, with all attributes."""
        taken: list[Any] = []
        while answer := self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            taken += answer
        return taken

    def let_come(self, url: str) -> None:
        """Whatever on a queue waits for its time is there now."""
        for message in sqs_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].queues[url.rpartition("/")[2]]._messages:
            message.delayed_until = 0


@contextmanager
def before(client: Any, operation: str, act: Callable[[Any], object], *, nth: int = 1) -> Iterator[list[str]]:
    """Call `act(request)` before the nth request of an operation leaves; what it raises, the caller gets.

    `operation` is `*` for any. Yields the list of the operations asked for while this lasts.
    """
    service = client.meta.service_model.service_name
    asked: list[str] = []

    def handle(event_name: str, request: Any, **_: Any) -> None:
        name = event_name.rpartition(".")[2]
        asked.append(name)
        hits = [one for one in asked if operation in ("*", one)]
        if operation in ("*", name) and len(hits) == nth:
            act(request)

    event = f"before-send.{service}"
    client.meta.events.register_first(event, handle)
    try:
        yield asked
    finally:
        client.meta.events.unregister(event, handle)


def die(request: Any) -> None:
    """Kill the process before the call has any effect."""
    raise KilledError


def done_then_die(request: Any) -> None:
    """Kill the process after the call took effect."""
    botocore_stubber(event_name="before-send", request=request)
    raise KilledError


def lose_answer(request: Any) -> None:
    """The call takes effect, but its answer never arrives: the SDK will ask again."""
    botocore_stubber(event_name="before-send", request=request)
    raise ReadTimeoutError(endpoint_url=request.url)


def unpatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the SDK's retries follow at once."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
