"""E-mail through SES and the SNS topic, on moto behind real boto3, and AWS's refusals."""

import json
from collections.abc import Iterator

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from broadsheet.channels import (
    Announcement,
    ChannelClosedError,
    DeliveryError,
    MessageRefusedError,
    TransientDeliveryError,
    aws,
    post,
    render,
)
from broadsheet.channels.exchange import Channel
from broadsheet.fetch import Client

REGION = "eu-west-1"
MAIL = json.dumps({"sender": "desk@news.example", "recipients": ["reader@home.example"], "region": REGION})


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(aws, "_clients", {})
    with mock_aws():
        yield


def test_a_mail_goes_out_with_both_parts_and_its_id(announcement: Announcement, wire: Client) -> None:
    boto3.client("sesv2", region_name=REGION).create_email_identity(EmailIdentity="desk@news.example")
    receipt = post("desk", "email", MAIL, announcement, wire)
    sent = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages[0]
    assert receipt.message_id == sent.id
    assert sent.destinations["ToAddresses"] == ["reader@home.example"]
    assert sent.subject == announcement.title


def test_an_unverified_sender_closes_the_channel(announcement: Announcement, wire: Client) -> None:
    with pytest.raises(ChannelClosedError, match=r"^desk: MessageRejected"):
        post("desk", "email", MAIL, announcement, wire)


def test_a_topic_gets_the_webhooks_body(announcement: Announcement, wire: Client) -> None:
    sqs, sns = boto3.client("sqs", region_name=REGION), boto3.client("sns", region_name=REGION)
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:told")
    chinese = msgspec.structs.replace(announcement, title="渡轮复航", language="zh")
    receipt = post("topic", "sns", topic, chinese, wire)
    envelope = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    assert envelope["MessageId"] == receipt.message_id
    assert envelope["Subject"] == "New article"
    assert envelope["MessageAttributes"]["language"]["Value"] == "zh"
    assert json.loads(envelope["Message"]) == render("webhook", chinese).payload


@pytest.mark.parametrize("secret", ["arn:aws:sqs:eu-west-1:1:x", "news", "arn:aws:sns:eu-west-1"])
def test_what_is_no_topic_is_a_malformed_secret(secret: str, announcement: Announcement, wire: Client) -> None:
    with pytest.raises(ChannelClosedError, match="malformed-secret"):
        post("topic", "sns", secret, announcement, wire)


def test_a_missing_topic_closes_the_channel(announcement: Announcement, wire: Client) -> None:
    topic = f"arn:aws:sns:{REGION}:{DEFAULT_ACCOUNT_ID}:gone"
    with pytest.raises(ChannelClosedError, match="NotFound"):
        post("topic", "sns", topic, announcement, wire)


@pytest.mark.parametrize(
    ("code", "status", "words", "error", "perhaps"),
    [
        ("ThrottlingException", 400, "Rate exceeded", TransientDeliveryError, False),
        ("TooManyRequestsException", 429, "Maximum sending rate exceeded.", TransientDeliveryError, False),
        ("InternalFailure", 500, "", TransientDeliveryError, True),
        ("AccessDeniedException", 403, "no", ChannelClosedError, False),
        ("MessageRejected", 400, "Email address is not verified.", ChannelClosedError, False),
        ("MessageRejected", 400, "Illegal content", MessageRefusedError, False),
    ],
)
def test_a_refusal_says_whether_to_come_back(
    code: str, status: int, words: str, error: type[DeliveryError], *, perhaps: bool
) -> None:
    def refuse() -> None:
        answer = {"Error": {"Code": code, "Message": words}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "SendEmail")  # type: ignore[arg-type]  # the fields that matter

    with pytest.raises(error) as caught:
        aws.call(Channel("desk", MAIL), refuse)
    assert caught.value.perhaps_delivered is perhaps


def test_no_answer_is_perhaps_delivered() -> None:
    def hang() -> None:
        raise ConnectTimeoutError(endpoint_url="https://email.example")

    with pytest.raises(TransientDeliveryError) as caught:
        aws.call(Channel("desk", MAIL), hang)
    assert caught.value.perhaps_delivered
