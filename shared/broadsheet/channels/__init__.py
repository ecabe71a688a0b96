"""Where readers are: one module per kind of channel, each with a pure `render` and a `post`.

    render(kind, announcement) -> Message          what the channel would show, without its secret
    room(kind, digest) -> int                      how many articles of a digest, an announcement of many, it shows
    post(channel_id, kind, secret, announcement, http) -> Receipt, or a DeliveryError
    find(channel_id, kind, secret, announcement, http, since) -> Receipt | None, for the kinds in READ_BACK

Adding a kind is one module beside this one and one line in `_REGISTRY`. A module is imported when its kind is first
used, so that a function pays at its cold start only for the channels it has.
"""

from datetime import datetime
from importlib import import_module
from typing import Any, Protocol, cast

import msgspec

from broadsheet.channels.announcement import Announcement, Receipt, delivery_id
from broadsheet.channels.digest import Digest, compose, digest_id, plain_lines
from broadsheet.channels.errors import (
    ChannelClosedError,
    DeliveryError,
    MessageRefusedError,
    TransientDeliveryError,
)
from broadsheet.channels.exchange import Channel, Http, Secret

__all__ = [
    "KINDS",
    "READ_BACK",
    "Announcement",
    "ChannelClosedError",
    "DeliveryError",
    "Digest",
    "Http",
    "Message",
    "MessageRefusedError",
    "Receipt",
    "TransientDeliveryError",
    "compose",
    "delivery_id",
    "digest_id",
    "find",
    "interval",
    "post",
    "render",
    "room",
    "secret_shape",
    "unlock",
]

# The module of each kind, and the seconds it wants between two posts, by what its documentation allows. Where that is
# so many a minute, a twentieth more: a post that was slow to arrive left the minute one too many, once in 536 posts.
_REGISTRY = {
    "slack": ("slack", 1.0),  # one a second
    "slack-bot": ("slack_bot", 1.0),  # one a second and channel
    "webhook": ("webhook", 0.0),
    "feishu": ("feishu", 0.63),  # 100 a minute
    "email": ("ses", 1.0),  # one a second until SES has let the account out of its sandbox
    "discord": ("discord", 2.1),  # 30 a minute and channel
    "discord-bot": ("discord_bot", 1.0),  # 5 in 5 seconds
    "telegram": ("telegram", 3.15),  # 20 a minute in a group
    "teams": ("teams", 1.0),
    "dingtalk": ("dingtalk", 3.15),  # 20 a minute, then ten minutes of silence
    "wecom": ("wecom", 3.15),  # 20 a minute
    "sns": ("sns", 0.0),
    "ntfy": ("ntfy", 5.0),  # one in 5 seconds after a burst of 60, on the public server
    "apprise": ("apprise", 1.0),  # whichever service: gentle enough for most
}
KINDS = tuple(_REGISTRY)
READ_BACK = frozenset({"slack-bot"})  # kinds that can be asked whether a post arrived


def interval(kind: str) -> float:
    """The seconds between two posts that a channel of `kind` takes for good; one for a kind that isn't known."""
    return _REGISTRY[kind][1] if kind in _REGISTRY else 1.0


class Message(msgspec.Struct, frozen=True):
    """What a channel of `kind` is sent: for most the JSON body, for mail its subject and parts."""

    kind: str
    payload: dict[str, Any]


class _Kind(Protocol):
    def render(self, announcement: Announcement) -> dict[str, Any]: ...
    def post(self, channel: Channel, announcement: Announcement, http: Http) -> Receipt: ...


class _Digests(Protocol):
    def digest(self, digest: Digest) -> tuple[dict[str, Any], int]: ...


class _ReadBack(Protocol):
    def find(self, channel: Channel, announcement: Announcement, http: Http, since: datetime) -> Receipt | None: ...


def render(kind: str, announcement: Announcement) -> Message:
    """Formats `announcement` as a channel of `kind` shows it: within its limits, in its markup, escaped. Pure."""
    return Message(kind, _module(kind, kind).render(announcement))


def room(kind: str, digest: Digest) -> int:
    """How many of the digest's items, from the first, a channel of `kind` shows: at least one. Pure."""
    module = _module(kind, kind)
    return cast(_Digests, module).digest(digest)[1] if hasattr(module, "digest") else plain_lines(digest)[1]


def post(channel_id: str, kind: str, secret: str, announcement: Announcement, http: Http) -> Receipt:
    """Posts to the channel once; whether to come back is the caller's to decide from the DeliveryError.

    `secret` is what is stored for the channel: a URL, or a JSON object as the kind's `…Secret` documents.
    """
    return _module(channel_id, kind).post(Channel(channel_id, secret), announcement, http)


def find(
    channel_id: str, kind: str, secret: str, announcement: Announcement, http: Http, *, since: datetime
) -> Receipt | None:
    """Asks a channel of a kind in `READ_BACK` whether it got the announcement after `since`, before posting it again.

    None means that it didn't. Raises DeliveryError when it can't say.
    """
    return cast(_ReadBack, _module(channel_id, kind)).find(Channel(channel_id, secret), announcement, http, since)


def secret_shape(kind: str) -> type[Secret]:
    """What a channel of `kind` needs to know to post, with a docstring that says what its fields are."""
    module = _module(kind, kind)
    return next(s for s in Secret.__subclasses__() if s.__module__ == module.__name__)  # type: ignore[attr-defined]  # it is a module


def unlock(channel_id: str, kind: str, secret: str) -> None:
    """Raises ChannelClosedError, naming the fields that are expected, unless `secret` is of the kind's shape."""
    Channel(channel_id, secret).unlock(secret_shape(kind))


def _module(channel_id: str, kind: str) -> _Kind:
    if kind not in _REGISTRY:
        raise ChannelClosedError(channel_id, "unknown-kind", f"{kind!r} is none of {', '.join(KINDS)}")
    return cast(_Kind, import_module(f"{__name__}.{_REGISTRY[kind][0]}"))
