"""Anything else: one of the services that Apprise knows, by its URL. https://appriseit.com/services/

Apprise is an extra, not in the layer: it is imported at the first post of such a channel, and costs nothing before. It
makes its own requests: they aren't bound to the public internet as ours are, so an address is as much to be trusted as
the rest of the file that names its channel. No article has a say in it, and redirects aren't followed.

Apprise tells yes from no, and what a service answered only in its log. The status found there decides as it would for
any other kind; without one nobody knows whether the post arrived. So a channel is one service with one target: of
several, those that took a post would get it again for the one that didn't.
"""

import logging
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import msgspec

from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.digest import Digest, fitting, remainder
from broadsheet.channels.errors import DeliveryError
from broadsheet.channels.exchange import Channel, Http, Secret, refusal
from broadsheet.channels.wording import context, fit, headline, inert, lead, link

_TITLE, _BODY = 250, 2500  # characters, where a service doesn't want less
_DIGEST, _DIGEST_TITLE = 2000, 120
_SECONDS = 10.0  # for an answer; then Apprise waits no longer
_PAUSE = 0.3  # seconds between a digest's parts, 15 of them at 140 characters; Apprise's 5.5 leave time for two
_STATUS = re.compile(r"\berror=(\d{3})\b")  # how its services log an HTTP status
_MISSING = "Apprise isn't installed: pip install 'broadsheet[apprise]', and for the stack see docs/deploying.md#apprise"


class AppriseSecret(Secret, frozen=True):
    """The service's URL as Apprise writes it (`mastodon://token@host`), for one target."""

    address: str


class _Answer(msgspec.Struct, frozen=True):
    """What is known of a service's answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns {"title", "body"} in plain text: the summary, who said it when, and the address."""
    if isinstance(announcement, Digest):
        return digest(announcement)[0]
    return _message(announcement, _TITLE, _BODY)


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The message of a digest, and how many items it shows. Where a service wants less, Apprise makes several of it."""

    def line(item: Announcement) -> str:
        title, address = fit(headline(item), _DIGEST_TITLE, inert), link(item.url)
        return f"• {title}\n{address}" if address else f"• {title}"

    lines, shown = fitting(
        digest,
        _DIGEST,
        heading=lambda name: fit(name, _DIGEST_TITLE, inert),
        line=line,
        size=lambda text: len(text) + 1,
    )
    said = " · ".join(part for part in (remainder(digest, shown), context(digest)) if part)
    return {"title": headline(digest), "body": "\n".join([*lines, *([said] if said else [])])}, shown


def _message(announcement: Announcement, title_room: int, body_room: int) -> dict[str, str]:
    title = fit(headline(announcement), title_room or min(_TITLE, body_room // 3), inert)
    room = body_room if title_room else body_room - len(title) - 2  # the title goes before the body then
    address = link(announcement.url) or ""
    if len(address) > room // 2:
        address = ""
    said = fit(context(announcement), min(400, (room - len(address)) // 3), inert)
    text = fit(lead(announcement), room - len(address) - len(said) - 2, inert)
    return {"title": title, "body": "\n".join(part for part in (text, said, address) if part)}


def post(channel: Channel, announcement: Announcement, _http: Http) -> Receipt:
    secret = channel.unlock(AppriseSecret)
    apprise = _library(channel)
    services = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False, app_id="Broadsheet"))
    if not services.add(secret.address):
        raise channel.closed("malformed-secret", "expected an address that Apprise knows")
    service = services[0]
    if len(service) != 1:
        raise channel.closed("malformed-secret", f"expected the address of one target, not of {len(service)}")
    service.redirects = False
    if isinstance(announcement, Digest):
        message = render(announcement)
        service.overflow_mode = apprise.OverflowMode.SPLIT
        service.request_rate_per_sec = min(_PAUSE, service.request_rate_per_sec)
    else:
        message = _message(announcement, min(_TITLE, service.title_maxlen), min(_BODY, service.body_maxlen))
    result = services.notify(**message, body_format="text", timeout=_SECONDS, log_level=logging.WARNING)
    if result:
        return channel.receipt(announcement)
    raise _error(channel, " ".join(entry.message for entry in result.logs()))


def _error(channel: Channel, said: str) -> DeliveryError:
    if status := _STATUS.search(said):
        return refusal(channel, _Answer(int(status[1]), said.encode()))
    return channel.transient("not-taken", said, perhaps_delivered=True)


def _library(channel: Channel) -> ModuleType:
    try:
        import apprise  # noqa: PLC0415 - a second of CPU, for those who have such a channel
    except ImportError:
        raise channel.closed("apprise-missing", _MISSING) from None
    log = logging.getLogger(apprise.LOGGER_NAME)
    log.propagate = False  # its words may hold the address
    return apprise
