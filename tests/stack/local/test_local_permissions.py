"""A function may do what its role says, and nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.embedded import EmbeddedAws
from local.permissions import DeniedError, allowed, partition_keys, required

SMALL = Path(__file__).with_name("small.yaml").read_text()
ARN = "arn:aws:sqs:us-east-1:123456789012:jobs"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({"Action": "sqs:SendMessage", "Resource": ARN}, True),
        ({"Action": ["s3:GetObject", "SQS:sendmessage"], "Resource": ["arn:aws:s3:::b", ARN]}, True),
        ({"Action": "sqs:Send*", "Resource": "*"}, True),
        ({"Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:*:*:job?"}, True),
        ({"Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:*:*:job"}, False),
        ({"Action": "sqs:SendMessage", "Resource": ARN.upper()}, False),
        ({"Action": "sqs:Send", "Resource": ARN}, False),
        ({"Action": "sqs:ReceiveMessage", "Resource": "*"}, False),
    ],
)
def test_a_statement_allows(statement: dict[str, Any], expected: bool) -> None:
    assert allowed([{"Effect": "Allow", **statement}], "sqs:SendMessage", ARN) is expected


def test_a_denial_outweighs() -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    assert allowed([everything], "sqs:SendMessage", ARN)
    assert not allowed([everything, {**everything, "Effect": "Deny"}], "sqs:SendMessage", ARN)
    assert not allowed([], "sqs:SendMessage", ARN)


@pytest.mark.parametrize(
    ("keys", "expected"), [([], True), (["ours#1", "ours#2"], True), (["ours#1", "theirs#1"], False)]
)
def test_a_condition_on_partition_keys_holds_for_all_of_them(keys: list[str], expected: bool) -> None:
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["ours#*"]}}
    statement = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*", "Condition": condition}
    assert allowed([statement], "dynamodb:GetItem", "t", keys) is expected


def test_the_partition_keys_of_a_call() -> None:
    key, item = {"pk": {"S": "a"}, "sk": {"S": "1"}}, {"pk": {"S": "b"}, "n": {"N": "1"}}
    assert partition_keys({"Key": key}, "pk") == ["a"]
    assert partition_keys({"Item": item}, "pk") == ["b"]
    assert partition_keys({"RequestItems": {"t": {"Keys": [key, {"id": {"S": "c"}}]}}}, "pk") == ["a"]
    assert partition_keys({"TableName": "t"}, "pk") == []


def test_what_anybody_can_call_reaches_sources_alone() -> None:
    with EmbeddedAws(parameters={"WebSub": "on"}) as aws:
        statements = aws.stack.functions["CallbackFunction"].statements
        table = f"arn:aws:dynamodb:us-east-1:123456789012:table/{aws.resource('StateTable')}"
        assert allowed(statements, "dynamodb:GetItem", table, ["source#s"])
        for key in ("host#a.example", "article#a", "channel#a", "sweep"):
            assert not allowed(statements, "dynamodb:GetItem", table, [key])


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        ("sqs", "SendMessageBatch", {"QueueUrl": "https://sqs/1/jobs"}, [("sqs:SendMessage", "arn:aws:sqs:r:1:jobs")]),
        ("s3", "PutObject", {"Bucket": "b", "Key": "a/b"}, [("s3:PutObject", "arn:aws:s3:::b/a/b")]),
        ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "a"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
        ("ssm", "GetParameter", {"Name": "/a/b"}, [("ssm:GetParameter", "arn:aws:ssm:r:1:parameter/a/b")]),
        (
            "sesv2",
            "SendEmail",
            {"FromEmailAddress": "a@b.example"},
            [("ses:SendEmail", "arn:aws:ses:r:1:identity/a@b.example")],
        ),
        (
            "dynamodb",
            "Query",
            {"TableName": "t", "IndexName": "i"},
            [("dynamodb:Query", "arn:aws:dynamodb:r:1:table/t/index/i")],
        ),
        (
            "dynamodb",
            "BatchGetItem",
            {"RequestItems": {"t": {}, "u": {}}},
            [("dynamodb:BatchGetItem", f"arn:aws:dynamodb:r:1:table/{table}") for table in "tu"],
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]},
            [
                ("dynamodb:PutItem", "arn:aws:dynamodb:r:1:table/t"),
                ("dynamodb:ConditionCheckItem", "arn:aws:dynamodb:r:1:table/u"),
            ],
        ),
        ("kms", "Decrypt", {}, [("kms:Decrypt", "unknown:kms")]),
    ],
)
def test_what_a_call_requires(service: str, operation: str, params: dict[str, Any], expected: list[Any]) -> None:
    assert list(required(service, operation, params, region="r", account="1")) == expected


def test_a_function_is_refused_what_its_role_lacks(up: Callable[..., EmbeddedAws]) -> None:
    def work(event: Any, context: Any) -> Any:
        dynamodb, s3, sqs = boto3.client("dynamodb"), boto3.client("s3"), boto3.client("sqs")
        dynamodb.get_item(TableName=event["table"], Key={"id": {"S": "a"}})
        with pytest.raises(ClientError, match="NoSuchKey"):
            s3.get_object(Bucket=event["bucket"], Key="open/a")
        for call in (
            lambda: dynamodb.delete_item(TableName=event["table"], Key={"id": {"S": "a"}}),
            lambda: s3.get_object(Bucket=event["bucket"], Key="closed/a"),
            lambda: sqs.send_message(QueueUrl=event["queue"], MessageBody="x"),
        ):
            with pytest.raises(ClientError, match=r"AccessDenied.*Worker's role is not authorized to perform"):
                call()

    aws = up(worker=work)
    names = {name.lower(): aws.resource(name) for name in ("Table", "Bucket", "Queue")}
    assert aws.invoke("Worker", names).error is None


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ("sqs:DeleteMessage, ", r"Worker: its role lacks \(sqs:DeleteMessage on .*Queue"),
        ('Action: "dynamodb:*", ', r"Watcher: its role lacks \(dynamodb:DescribeStream on .*stream"),
        ("Action: sqs:SendMessage, ", r"Watcher: its role lacks \(sqs:SendMessage on .*Failures"),
    ],
)
def test_a_role_that_cannot_serve_its_event_source(taken: str, said: str, tmp_path: Path) -> None:
    assert taken in SMALL
    (tmp_path / "template.yaml").write_text(SMALL.replace(taken, ""))
    with pytest.raises(DeniedError, match=said):
        EmbeddedAws(tmp_path / "template.yaml").__enter__()


def test_no_role_of_the_real_template_may_do_everything_anywhere() -> None:
    functions = ("DiscoverFunction", "ParseFunction", "NotifyFunction", "PublishFunction")
    with EmbeddedAws(handlers=dict.fromkeys(functions, print)) as aws:
        for function in aws.stack.functions.values():
            for action in ("dynamodb:DeleteItem", "dynamodb:Scan", "s3:PutObject", "ssm:GetParameter", "iam:PassRole"):
                assert not allowed(function.statements, action, "arn:aws:any:us-east-1:123456789012:other")
