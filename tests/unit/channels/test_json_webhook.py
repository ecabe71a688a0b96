"""The JSON webhook: its schema, its signature, and an id that stays the same on every attempt."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator

import jsonschema  # type: ignore[import-untyped]  # ships none
import msgspec
import pytest

from broadsheet.channels import Announcement, ChannelClosedError, TransientDeliveryError, delivery_id, post, render
from broadsheet.channels.webhook import schema
from broadsheet.fetch import Client
from tests.unit.channels.loopback import Answer, Posted, Receiver, listening

KEY = base64.b64encode(b"a key of the receiver's choice").decode()


def judge(posted: Posted) -> Answer:
    """A receiver as Standard Webhooks wants it: the signature holds, the time is now, the body is of the schema."""
    stamp, key = posted.headers["webhook-timestamp"], base64.b64decode(KEY)
    signed = f"{posted.headers['webhook-id']}.{stamp}.".encode() + posted.body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(posted.headers.get("webhook-signature", ""), expected):
        return Answer(401, b"bad signature")
    if abs(time.time() - int(stamp)) > 300:
        return Answer(401, b"too old")
    jsonschema.validate(posted.json, schema())
    same = posted.json["id"] == posted.headers["webhook-id"] == posted.headers["idempotency-key"]
    return Answer(204) if same else Answer(422)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening(judge) as listener:
        yield listener


def test_a_receiver_can_verify_it(receiver: Receiver, wire: Client, announcement: Announcement) -> None:
    secret = json.dumps({"url": receiver.url, "hmac_key": f"whsec_{KEY}"})
    post("room", "webhook", secret, announcement, wire)
    article = receiver.posts[0].json["article"]
    assert article["title"] == announcement.title
    assert article["published_at"] == "2026-03-04T05:06:00Z"
    assert article["tags"] == ["ferry", "storm"]


def test_another_key_is_refused(receiver: Receiver, wire: Client, announcement: Announcement) -> None:
    secret = json.dumps({"url": receiver.url, "hmac_key": "another key"})
    with pytest.raises(ChannelClosedError, match="bad signature"):
        post("room", "webhook", secret, announcement, wire)


def test_a_repeat_says_so_and_keeps_its_id(receiver: Receiver, wire: Client, announcement: Announcement) -> None:
    secret = json.dumps({"url": receiver.url, "hmac_key": f"whsec_{KEY}"})
    receiver.next.append(Answer(502))
    with pytest.raises(TransientDeliveryError) as caught:
        post("room", "webhook", secret, announcement, wire)
    assert caught.value.perhaps_delivered
    post("room", "webhook", secret, msgspec.structs.replace(announcement, possible_repeat=True), wire)
    first, second = receiver.posts
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert (first.json["possible_repeat"], second.json["possible_repeat"]) == (False, True)


def test_an_id_names_article_channel_and_revision() -> None:
    ids = {delivery_id("a", "b"), delivery_id("a", "c"), delivery_id("d", "b"), delivery_id("a", "b", 2)}
    assert len(ids) == 4
    assert delivery_id("a", "b") == delivery_id("a", "b", 1)


def test_a_missing_value_is_null_and_a_lone_surrogate_is_no_obstacle(announcement: Announcement) -> None:
    bare = Announcement(article_id="x", delivery_id="y", title="half \ud83d of a pair", url="https://news.example/")
    payload = render("webhook", bare).payload
    jsonschema.validate(payload, schema())
    assert payload["article"]["published_at"] is None
    assert payload["article"]["title"] == "half ? of a pair"
