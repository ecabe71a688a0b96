"""What a channel is told of an article, and what it answers when it took it."""

import base64
import hashlib
from datetime import datetime
from typing import Literal

import msgspec


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """One article for one channel. All text is plain text, untrusted, and escaped by the channel's own renderer.

    `published_at` is timezone-aware. `possible_repeat` says that the channel may have had this very post before: the
    answer to the first one never arrived. An "updated" one may carry `changes` (what changed, in a sentence) and
    `in_reply_to`, the `Receipt.message_id` of the first post, for channels that have threads. `reprint_of` is the id of
    the article whose text this one repeats; in a digest its `reprints` share one line with a story.
    """

    article_id: str
    delivery_id: str
    title: str
    url: str
    summary: str = ""
    source_name: str = ""
    published_at: datetime | None = None
    language: str | None = None
    image: str | None = None
    authors: tuple[str, ...] = ()
    section: str | None = None
    tags: tuple[str, ...] = ()
    kind: Literal["new", "updated"] = "new"
    possible_repeat: bool = False
    changes: str = ""
    in_reply_to: str | None = None
    reprint_of: str | None = None
    reprints: tuple["Announcement", ...] = ()


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A channel's yes. `message_id` is what the channel calls the message, if it says so."""

    channel_id: str
    delivery_id: str
    message_id: str | None = None


def delivery_id(article_id: str, channel_id: str, revision: int = 1) -> str:
    """The stable id of telling `channel_id` about one revision of an article: 26 characters of base32, as article ids.

    It is the same on every attempt, so that a receiver can drop a repeat.
    """
    digest = hashlib.sha256(f"{article_id}\n{channel_id}\n{revision}".encode()).digest()
    return base64.b32encode(digest).decode("ascii").lower()[:26]
