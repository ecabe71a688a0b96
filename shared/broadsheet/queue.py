"""The parse queue: what a message says, and sending messages so that each is accepted or known not to be."""

import base64
import gzip
import json
import re
import time
import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec.structs import replace

from broadsheet.errors import BroadsheetError
from broadsheet.fetch.answers import Validators
from broadsheet.urls import UrlError, host_key

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

VERSION = 1
MAX_DELAY = 900  # seconds; SQS takes no longer DelaySeconds
MAX_BATCH_BYTES = 1_000_000  # SQS takes 1 MiB for all entries of a call; the rest is for attributes
MAX_ATTRIBUTE = 2000  # characters of an exception or place in an attribute
SEND_ATTEMPTS = 3

_HALF_PAIR = re.compile("[\ud800-\udfff]")  # feeds cut strings in the middle of an emoji; no UTF-8 spells a half
_NO_ATTRIBUTE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters SQS refuses

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]  # DynamoDB refuses an empty key, and one of 2 KB


class MessageError(BroadsheetError):
    """A queue message that isn't one of ours; `subject` is its SQS message id."""


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the feed said of an article, carried along: the fallback when its page can't be had.

    `html` is gzip in base64: Chinese text in ASCII-escaped JSON takes 6 bytes a character.
    """

    title: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    summary: str = ""
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    image: str | None = None
    html: str = ""

    @property
    def text(self) -> str:
        """The entry's own HTML, unpacked."""
        return gzip.decompress(base64.b64decode(self.html)).decode("utf-8") if self.html else ""


def pack(html: str | None) -> str:
    """HTML as a message carries it; the same text always packs to the same bytes."""
    if not html:
        return ""
    return base64.b64encode(gzip.compress(html.encode("utf-8", "replace"), mtime=0)).decode("ascii")


class ArticleMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One article URL on its way to parse.

    `former` are the ids that its link had under former policies of identity. `first_seen` decides the object's key, so
    it never changes on the way. `attempt` counts failed fetches only: waiting for a host's turn is no failure. `hops`
    counts redirects, after which `url` is where to go on, and `found_at` what it was before the first. `not_before` is
    in epoch seconds, as is `place`, its time in the line of those that wait for its host; `turn` names the owner who
    left it the host's turn for then. `trace` follows the article through every log line. With `revisit` the article is
    there already, and its page is asked whether it is another now than those say.
    """

    v: int = VERSION
    id: Key
    url: str
    source: Key
    first_seen: datetime
    trace: str
    announce: bool = True
    entry: FeedEntry | None = None
    former: tuple[Key, ...] = ()
    attempt: int = 0
    hops: int = 0
    found_at: str = ""
    not_before: float = 0
    place: float = 0
    turn: str = ""
    reason: str = ""
    revisit: Validators | None = None

    def again(self, *, at: float, reason: str, failed: bool = False) -> "ArticleMessage":
        """The message as it is sent again, not to be looked at before `at` (epoch seconds)."""
        return replace(self, not_before=at, reason=reason, attempt=self.attempt + 1 if failed else self.attempt)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a message was given up, as the dead-letter queue's attributes say it."""

    reason: str
    error: str
    place: str = ""


def encode(message: ArticleMessage) -> str:
    """ASCII-escaped JSON: AWS's own texts disagree on what SQS does to control characters."""
    values = msgspec.to_builtins(message)
    if _HALF_PAIR.search(text := json.dumps(values, ensure_ascii=False)):
        values = json.loads(_HALF_PAIR.sub("\ufffd", text))
    return json.dumps(values, separators=(",", ":"))


def decode(body: str, *, message_id: str) -> ArticleMessage:
    """The message of a body; raises MessageError for anything else, so that no later step stumbles over it."""
    try:
        message = msgspec.json.decode(body.encode("utf-8", "surrogatepass"), type=ArticleMessage)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise MessageError(message_id, "not an article message", str(error)) from error
    if message.v > VERSION:
        raise MessageError(message_id, "from a later version", f"v{message.v}, this is v{VERSION}")
    try:
        host_key(message.url)
        _ = message.entry and message.entry.text
    except (UrlError, ValueError, OSError, EOFError, zlib.error) as error:
        raise MessageError(message_id, "not an article message", str(error)) from error
    if message.first_seen.tzinfo is None:
        raise MessageError(message_id, "not an article message", "first_seen has no zone")
    return message


class Queue:
    """The parse queue and its dead-letter queue."""

    def __init__(self, sqs: "SQSClient", url: str, dead_letter_url: str = "") -> None:
        self._sqs = sqs
        self._url = url
        self._dead_letter_url = dead_letter_url

    def send(self, messages: Sequence[ArticleMessage], *, now: float) -> list[ArticleMessage]:
        """Send all, each due at its `not_before`; returns those that SQS did not accept.

        An entry that SQS reports as failed is tried again here; a call that raises leaves its entries unaccepted
        and lets the rest be tried. A message due later than SQS can delay comes back early and is sent on; one longer
        than SQS takes leaves behind what its feed said.
        """
        refused: list[ArticleMessage] = []
        for batch in _batches(messages):
            refused += self._send_batch(batch, now)
        return refused

    def _send_batch(self, batch: list[tuple[ArticleMessage, str]], now: float) -> list[ArticleMessage]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - botocore comes with the client

        left = dict(enumerate(batch))
        for attempt in range(SEND_ATTEMPTS):
            if attempt:
                time.sleep(0.1 * 2**attempt)
            entries: list[Any] = [
                {
                    "Id": str(i),
                    "MessageBody": body,
                    "DelaySeconds": _delay(message, now),
                    "MessageGroupId": group(message.url),
                }
                for i, (message, body) in left.items()
            ]
            try:
                answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            except (BotoCoreError, ClientError):
                continue
            for accepted in answer.get("Successful", []):
                left.pop(int(accepted["Id"]), None)
            if not left:
                break
        return [message for message, _ in left.values()]

    def give_up(self, body: str, failure: Failure, *, group_id: str = "unreadable") -> None:
        """Send a message's body to the dead-letter queue, with why as attributes."""
        self._sqs.send_message(
            QueueUrl=self._dead_letter_url,
            MessageBody=body,
            MessageGroupId=group_id,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": _NO_ATTRIBUTE.sub("\ufffd", value[:MAX_ATTRIBUTE])}
                for name, value in msgspec.to_builtins(failure).items()
                if value
            },
        )


def group(url: str) -> str:
    """The fair queue's group: the host, in the 128 characters that SQS takes."""
    return host_key(url)[:128]


def _delay(message: ArticleMessage, now: float) -> int:
    # rounded up: coming a moment early costs another round through the queue
    return max(0, min(MAX_DELAY, -int(-(message.not_before - now) // 1))) if message.not_before else 0


def _body(message: ArticleMessage) -> str:
    """The message as SQS takes it: one too long goes without the feed's text, or without all the feed said."""
    body = encode(message)
    if len(body) > MAX_BATCH_BYTES and message.entry:
        body = encode(replace(message, entry=replace(message.entry, html="")))
        if len(body) > MAX_BATCH_BYTES:
            body = encode(replace(message, entry=None))
    return body


def _batches(messages: Sequence[ArticleMessage]) -> list[list[tuple[ArticleMessage, str]]]:
    batches: list[list[tuple[ArticleMessage, str]]] = []
    size = MAX_BATCH_BYTES + 1
    for message in messages:
        body = _body(message)
        if size + len(body) > MAX_BATCH_BYTES or len(batches[-1]) == 10:
            batches.append([])
            size = 0
        batches[-1].append((message, body))
        size += len(body)
    return batches
