"""Where readers are: one module per kind of channel, each with a pure `render` and a `post`.

    render(kind, announcement) -> Message          what the channel would show, without its secret
    post(channel_id, kind, secret, announcement, http) -> Receipt, or a DeliveryError
    find(channel_id, kind, secret, announcement, http, since) -> Receipt | None, for the kinds in READ_BACK

Adding a kind is one module beside this one and one line in `_MODULES`. A module is imported when its kind is first
used, so that a function pays at its cold start only for the channels it has.
"""

from datetime import datetime
from importlib import import_module
from typing import Any, Protocol, cast

import msgspec

from broadsheet.channels.announcement import Announcement, Receipt, delivery_id
from broadsheet.channels.errors import (
    ChannelClosedError,
    DeliveryError,
    MessageRefusedError,
    TransientDeliveryError,
)
from broadsheet.channels.exchange import Channel, Http

__all__ = [
    "KINDS",
    "READ_BACK",
    "Announcement",
    "ChannelClosedError",
    "DeliveryError",
    "Http",
    "Message",
    "MessageRefusedError",
    "Receipt",
    "TransientDeliveryError",
    "delivery_id",
    "find",
    "post",
    "render",
]

_MODULES = {
    "slack": "slack",
    "slack-bot": "slack_bot",
    "webhook": "webhook",
    "feishu": "feishu",
    "email": "ses",
    "discord": "discord",
    "discord-bot": "discord_bot",
    "telegram": "telegram",
    "teams": "teams",
    "dingtalk": "dingtalk",
    "wecom": "wecom",
    "sns": "sns",
    "ntfy": "ntfy",
}
KINDS = tuple(_MODULES)
READ_BACK = frozenset({"slack-bot"})  # kinds that can be asked whether a post arrived


class Message(msgspec.Struct, frozen=True):
    """What a channel of `kind` is sent: for most the JSON body, for mail its subject and parts."""

    kind: str
    payload: dict[str, Any]


class _Kind(Protocol):
    def render(self, announcement: Announcement) -> dict[str, Any]: ...
    def post(self, channel: Channel, announcement: Announcement, http: Http) -> Receipt: ...


class _ReadBack(Protocol):
    def find(self, channel: Channel, announcement: Announcement, http: Http, since: datetime) -> Receipt | None: ...


def render(kind: str, announcement: Announcement) -> Message:
    """Formats `announcement` as a channel of `kind` shows it: within its limits, in its markup, escaped. Pure."""
    return Message(kind, _module(kind, kind).render(announcement))


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


def _module(channel_id: str, kind: str) -> _Kind:
    if kind not in _MODULES:
        raise ChannelClosedError(channel_id, "unknown-kind", f"{kind!r} is none of {', '.join(KINDS)}")
    return cast(_Kind, import_module(f"{__name__}.{_MODULES[kind]}"))
