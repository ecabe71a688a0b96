"""Each function may do just what it does: what no run ever asked for, its role must not grant.

The other half holds in every test: a call that no statement allows fails it. Here are the runs that between them need
all that is granted; whatever other tests of the session asked for counts as well.
"""

import base64
import hmac
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import boto3
import msgspec
import pytest
from botocore.config import Config

from broadsheet import secrets, websub
from broadsheet.article import Article
from broadsheet.channels import aws as aws_channels
from broadsheet.polling import PollState
from broadsheet.polls import Polls, Window
from broadsheet.queue import decode
from broadsheet.store import Articles, document, object_key
from broadsheet.subscriptions import Subscriptions
from local.embedded import EmbeddedAws
from tests.privileges import LEDGER, functions
from tests.proofs.conftest import DEATHBED
from tests.proofs.plans import read
from tests.proofs.scenes import SCENES
from tests.proofs.world import World
from tests.stack.newsstand import item, rss

pytestmark = DEATHBED
RUNS = (
    *SCENES,
    "text stream/deliver#1=lost",  # the sweep
    "text notify/post#1=error",  # what is due
    "text parse/PutObject#1=kill-after",  # an object that is there already
    "text parse/BatchGetItem#2=stale",  # a lost commit
    " ".join(["knots", *(f"queue/deliver#{n}=twice" for n in range(1, 9))]),  # an alias, again
)
SENDER, TOPIC = "desk@news.example", "arn:aws:sns:us-east-1:123456789012:news"
MODELS = tuple(f"arn:aws:bedrock:us-east-1::foundation-model/{name}" for name in ("first-v1:0", "second-v1:0"))
ON_DEMAND = {  # statements that parameters bring along
    "WebSub": "on",
    "RawArchive": "on",
    "Sources": "s3://settings/sources.yaml",
    "SourcesObjectArn": "arn:aws:s3:::settings/sources.yaml",
    "SecretsStore": "secretsmanager",
    "SnsChannelArn": TOPIC,
    "SesIdentityArn": f"arn:aws:ses:us-east-1:123456789012:identity/{SENDER}",
    "ModelArns": ",".join(MODELS),
}
SOURCES = b"""
channels: [{id: mail, kind: email, interval: 0}, {id: topic, kind: sns, interval: 0, updates: true, summaries: model}]
sources: [{id: s, name: S, url: "http://127.0.0.1:9/feed", channels: [mail, topic]}]
"""


@pytest.fixture(scope="module")
def all_used(tmp_path_factory: pytest.TempPathFactory) -> None:
    with World(tmp_path_factory.mktemp("world")) as world:
        for line in RUNS:
            assert not world.run(read(line)).guilty


@pytest.fixture
def on_demand(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedAws]:
    """A stack with every optional statement, its sources in a bucket, a topic and a verified sender."""
    monkeypatch.setattr(aws_channels, "_clients", {})
    with EmbeddedAws(parameters=ON_DEMAND) as up:
        up.client("s3").create_bucket(Bucket="settings")
        up.client("s3").put_object(Bucket="settings", Key="sources.yaml", Body=SOURCES)
        up.client("sesv2").create_email_identity(EmailIdentity=SENDER)
        up.client("sns").create_topic(Name="news")
        mail = {"sender": SENDER, "recipients": ["reader@home.example"], "region": "us-east-1"}
        for channel, secret in (("mail", json.dumps(mail)), ("topic", TOPIC)):
            secrets.put(up.client("secretsmanager"), "/broadsheet/broadsheet/channels", channel, secret)
        yield up


def test_what_parameters_grant_suffices(on_demand: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    once = Config(retries={"total_max_attempts": 1})
    nobody = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url="http://127.0.0.1:9", config=once)
    monkeypatch.setattr(sys.modules["lambda_NotifyFunction"], "model", lambda: nobody)
    article = Article(url="https://harbour.example/a", title="The mail boat has a new bell", text="It rang twice.")
    made = document(article, id="a" * 26, source="s", first_seen=now, fetched_at=now, summary="It rang.")
    table, bucket = on_demand.resource("ArticlesTable"), on_demand.resource("Bucket")
    articles = Articles(on_demand.client("dynamodb"), table, on_demand.client("s3"), bucket)
    articles.commit(made, now=now, announce=True, trace="t")
    on_demand.client("sqs").send_message(QueueUrl=on_demand.resource("ParseQueue"), MessageBody="no article message")
    ran = [on_demand.fire("DiscoverFunctionPoll"), on_demand.step(), on_demand.step()]
    ran.append(on_demand.fire("NotifyFunctionDue"))  # for the channel that has a model's summaries
    assert [one.error for one in ran if one] == [None] * 4
    sent = on_demand.client("dynamodb").scan(TableName=on_demand.resource("StateTable"))["Items"]
    assert [item["status"]["S"] for item in sent if "channel" in item] == ["sent", "sent"]
    assert {("NotifyFunction", "bedrock:InvokeModel", arn) for arn in MODELS} <= LEDGER.calls.keys()
    record = articles.record(made.id)
    assert record
    articles.revise(record, msgspec.structs.replace(made, title="The mail boat has a bell"), now=now)
    for told in (on_demand.step(), on_demand.fire("NotifyFunctionDue"), on_demand.fire("NotifyFunctionSweep")):
        assert told
        assert told.error is None
    sent = on_demand.client("dynamodb").scan(TableName=on_demand.resource("StateTable"))["Items"]
    assert [item["status"]["S"] for item in sent if "channel" in item] == ["sent", "sent", "sent"]


def test_what_publish_is_granted_suffices(on_demand: EmbeddedAws) -> None:
    """An edition and pages that grow, and that go when all their articles are forgotten and their source is gone."""
    now = datetime.now(UTC)
    article = Article(url="https://harbour.example/a", title="The mail boat has a new bell", text="It rang twice.")
    made = document(article, id="a" * 26, source="s", first_seen=now, fetched_at=now, summary="It rang.")
    dynamodb, table = on_demand.client("dynamodb"), on_demand.resource("ArticlesTable")
    s3, bucket = on_demand.client("s3"), on_demand.resource("Bucket")
    articles = Articles(dynamodb, table, s3, bucket)
    event = {"job": "publish", "everything": True}
    for id in ("a" * 26, "b" * 26):
        articles.commit(msgspec.structs.replace(made, id=id), now=now, announce=False, trace="t")
        published = on_demand.invoke("PublishFunction", event)
        assert published.error is None, published.trace
    for id in ("a" * 26, "b" * 26):
        dynamodb.update_item(
            TableName=table,
            Key={"id": {"S": id}},
            UpdateExpression="SET #status = :forgotten",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":forgotten": {"S": "forgotten"}},
        )
        s3.delete_object(Bucket=bucket, Key=object_key(id, "s", now))
    s3.put_object(Bucket="settings", Key="sources.yaml", Body=b"sources: []")
    published = on_demand.invoke("PublishFunction", event)
    assert published.error is None, published.trace
    assert published.result["removed"] >= 5


def test_what_callback_is_granted_suffices(on_demand: EmbeddedAws) -> None:
    """A hub agrees and pushes, as its function URL hands it on; a forgery and a stranger change nothing."""
    dynamodb, state = on_demand.client("dynamodb"), on_demand.resource("StateTable")
    polls, subscriptions = Polls(dynamodb, state), Subscriptions(dynamodb, state)
    known = websub.begun(websub.Named("https://hub.example/", "http://127.0.0.1:9/feed"))
    subscriptions.begin("s", known, now=time.time())
    polls.save("s", PollState(polled_at=1.0, next_at=1e12))
    polls.save_window("s", Window())

    def called(method: str, path: str = "", /, **given: Any) -> Any:
        request = {"rawPath": path or f"/s/{known.token}", "requestContext": {"http": {"method": method}}, **given}
        ran = on_demand.invoke("CallbackFunction", request)
        assert ran.error is None, ran.trace
        counted = [json.loads(line)["Enqueued"] for line in ran.log if '"_aws"' in line]
        return ran.result["statusCode"], ran.result["body"], counted

    agree = {"hub.mode": "subscribe", "hub.topic": known.topic, "hub.challenge": "a & b", "hub.lease_seconds": "9"}
    assert called("GET", rawQueryString=urlencode(agree)) == (200, "a & b", [[0.0]])
    feed = rss(item("/new", site="http://127.0.0.1:9"), link="http://127.0.0.1:9/")
    signature = {"x-hub-signature": f"sha1={hmac.new(known.secret.encode(), feed, 'sha1').hexdigest()}"}
    body: dict[str, Any] = {"body": base64.b64encode(feed).decode(), "isBase64Encoded": True}
    assert called("POST", headers=signature, **body) == (202, "", [[1.0]])
    assert called("POST", headers=signature, body="forged") == (202, "", [[0.0]])
    stranger = f"/s/{'A' * 43}"
    assert [called(method, stranger, headers={}, body="") for method in ("GET", "POST", "PUT")] == [
        (404, "", []),
        (404, "", []),
        (404, "", []),
    ]
    queued = on_demand.client("sqs").receive_message(QueueUrl=on_demand.resource("ParseQueue"))["Messages"]
    assert [decode(one["Body"], message_id="").url for one in queued] == ["http://127.0.0.1:9/new"]


def test_what_parse_takes_back(on_demand: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both versions of an article that was forgotten while its revision was made, at no call of any scene's."""
    now = datetime.now(UTC)
    article = Article(url="https://harbour.example/a", title="The mail boat has a new bell", text="It rang twice.")
    made = document(article, id="a" * 26, source="s", first_seen=now, fetched_at=now, summary="It rang.")
    s3, bucket = on_demand.client("s3"), on_demand.resource("Bucket")
    articles = Articles(on_demand.client("dynamodb"), on_demand.resource("ArticlesTable"), s3, bucket)
    record, _ = articles.commit(made, now=now, announce=False, trace="t")
    on_demand.client("dynamodb").update_item(
        TableName=on_demand.resource("ArticlesTable"),
        Key={"id": {"S": record.id}},
        UpdateExpression="SET #status = :forgotten",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":forgotten": {"S": "forgotten"}},
    )
    with monkeypatch.context() as as_parse:
        as_parse.setenv("AWS_LAMBDA_FUNCTION_NAME", on_demand.resource("ParseFunction"))
        assert articles.revise(record, msgspec.structs.replace(made, title="The mail boat has a bell"), now=now) is None
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("function", functions())
def test_every_permission_is_used(all_used: None, function: str) -> None:
    assert not LEDGER.unused(function)
