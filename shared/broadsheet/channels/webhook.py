"""A JSON webhook for your own receivers, signed as Standard Webhooks does (https://www.standardwebhooks.com).

Headers: `webhook-id` and `idempotency-key` (the delivery id, the same on every attempt), `webhook-timestamp` (Unix
seconds) and, if the channel has a key, `webhook-signature`: "v1," and the base64 HMAC-SHA256 of "id.timestamp.body".
A receiver that keeps the ids it has seen hears of every article once. Any 2xx answer means yes; 410 closes the channel.
"""

import base64
import hashlib
import hmac
import time
from datetime import datetime
from typing import Any, Literal

import msgspec

from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.digest import Digest
from broadsheet.channels.exchange import Channel, Http, Secret, encode, require_success, send
from broadsheet.channels.wording import link, plain

SCHEMA: Literal["broadsheet.announcement.v1"] = "broadsheet.announcement.v1"
DIGEST_SCHEMA: Literal["broadsheet.digest.v1"] = "broadsheet.digest.v1"
_DIGEST = 80_000  # bytes of articles: in ASCII-escaped JSON within the 256 KB of an SNS message


class WebhookSecret(Secret, frozen=True):
    """The receiver's URL; `hmac_key`, as plain text or as Standard Webhooks' "whsec_" + base64, signs each post."""

    url: str
    hmac_key: str | None = None


class WebhookArticle(msgspec.Struct, frozen=True, kw_only=True):
    """The article; all strings are plain text, not HTML. `reprint_of` is the id of the one whose text it repeats."""

    id: str
    url: str
    title: str
    summary: str
    source: str
    published_at: datetime | None
    language: str | None
    image: str | None
    authors: list[str]
    section: str | None
    tags: list[str]
    reprint_of: str | None = None


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver gets. `id` is the delivery's; `possible_repeat` says that this very id may have come before."""

    schema: Literal["broadsheet.announcement.v1"]
    id: str
    kind: Literal["new", "updated"]
    possible_repeat: bool
    changes: str
    article: WebhookArticle


class WebhookDigest(msgspec.Struct, frozen=True, kw_only=True):
    """Several articles in one post, reprints beside their originals; `more` further stories come in the next."""

    schema: Literal["broadsheet.digest.v1"]
    id: str
    possible_repeat: bool
    more: int
    articles: list[WebhookArticle]


def schema() -> dict[str, Any]:
    """The JSON Schema of the body; within v1 fields are only added."""
    return msgspec.json.schema(WebhookBody)


def digest_schema() -> dict[str, Any]:
    """The JSON Schema of a digest's body, which a channel gets that asks for digests, or after a burst of articles."""
    return msgspec.json.schema(WebhookDigest)


def render(announcement: Announcement) -> dict[str, Any]:
    if isinstance(announcement, Digest):
        return digest(announcement)[0]
    a = announcement
    body = WebhookBody(
        schema=SCHEMA,
        id=a.delivery_id,
        kind=a.kind,
        possible_repeat=a.possible_repeat,
        changes=plain(a.changes),
        article=_article(a),
    )
    built: dict[str, Any] = msgspec.to_builtins(body)
    return built


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The body of a digest, and how many stories it has."""
    articles: list[WebhookArticle] = []
    shown, room = 0, _DIGEST
    for item in digest.items:
        story = [_article(one) for one in (item, *item.reprints)]
        room -= len(msgspec.json.encode(story))
        if articles and room < 0:
            break
        articles += story
        shown += 1
    body = WebhookDigest(
        schema=DIGEST_SCHEMA,
        id=digest.delivery_id,
        possible_repeat=digest.possible_repeat,
        more=digest.more + len(digest.items) - shown,
        articles=articles,
    )
    built: dict[str, Any] = msgspec.to_builtins(body)
    return built, shown


def _article(a: Announcement) -> WebhookArticle:
    return WebhookArticle(
        id=a.article_id,
        url=a.url,
        title=plain(a.title),
        summary=plain(a.summary),
        source=plain(a.source_name),
        published_at=a.published_at,
        language=a.language,
        image=link(a.image) if a.image else None,
        authors=[plain(author) for author in a.authors],
        section=plain(a.section) if a.section else None,
        tags=[plain(tag) for tag in a.tags],
        reprint_of=a.reprint_of,
    )


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(WebhookSecret)
    body = encode(render(announcement))
    stamp = str(int(time.time()))
    headers = {
        "webhook-id": announcement.delivery_id,
        "idempotency-key": announcement.delivery_id,
        "webhook-timestamp": stamp,
    }
    if secret.hmac_key:
        headers["webhook-signature"] = sign(_key(channel, secret.hmac_key), announcement.delivery_id, stamp, body)
    response = send(http, channel, secret.url, body, headers)
    require_success(channel, response)
    return channel.receipt(announcement)


def sign(key: bytes, delivery_id: str, timestamp: str, body: bytes) -> str:
    """The `webhook-signature` of a body; receivers compare in constant time and refuse old timestamps."""
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def _key(channel: Channel, hmac_key: str) -> bytes:
    if not hmac_key.startswith("whsec_"):
        return hmac_key.encode()
    try:
        return base64.b64decode(hmac_key.removeprefix("whsec_"), validate=True)
    except ValueError:
        pass
    raise channel.closed("malformed-secret", "hmac_key starts with whsec_ but is no base64 after it")
