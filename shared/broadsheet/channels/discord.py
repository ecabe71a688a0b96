"""Discord's webhooks: one embed, its Markdown escaped, and nobody mentioned.

Limits: 256 characters of title, 4,096 of description, 2,048 of footer, 6,000 in all.
https://discord.com/developers/docs/resources/webhook#execute-webhook
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.digest import Digest, fitting, remainder
from broadsheet.channels.exchange import Channel, Http, Response, Secret, encode, object_of, require_success, send
from broadsheet.channels.wording import context, fit, headline, lead, link

_TITLE = 256
_DESCRIPTION = 3000
_FOOTER = 2048
_DIGEST = 4000


class DiscordSecret(Secret, frozen=True):
    """The webhook's URL; `?thread_id=…` posts into a thread."""

    url: str


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns {"embeds": [one], "allowed_mentions": nobody}."""
    if isinstance(announcement, Digest):
        return digest(announcement)[0]
    embed: dict[str, Any] = {"title": fit(headline(announcement), _TITLE, escape)}
    if address := link(announcement.url):
        embed["url"] = address
    if summary := fit(lead(announcement), _DESCRIPTION, escape):
        embed["description"] = summary
    if said := fit(context(announcement), _FOOTER):  # a footer shows Markdown as it is
        embed["footer"] = {"text": said}
    if announcement.image and (image := link(announcement.image)):
        embed["thumbnail"] = {"url": image}
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The message of a digest, and how many items it shows: linked titles under their groups' names."""

    def line(item: Announcement) -> str:
        title, address = fit(headline(item), _TITLE, escape), link(item.url)
        return f"• [{title}]({address})" if address else f"• {title}"

    lines, shown = fitting(
        digest,
        _DIGEST,
        heading=lambda name: f"**{fit(name, _TITLE, escape)}**",
        line=line,
        size=lambda text: len(text) + 1,
    )
    embed: dict[str, Any] = {"title": fit(headline(digest), _TITLE, escape), "description": "\n".join(lines)}
    if said := " · ".join(part for part in (remainder(digest, shown), context(digest)) if part):
        embed["footer"] = {"text": said}
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}, shown


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(DiscordSecret)
    parts = urlsplit(secret.url)
    # Without wait=true Discord answers before it has stored the message, and a lost one is no error.
    query = urlencode({**dict(parse_qsl(parts.query)), "wait": "true"})
    response = send(http, channel, urlunsplit(parts._replace(query=query)), encode(render(announcement)))
    return accepted(channel, announcement, response)


def accepted(channel: Channel, announcement: Announcement, response: Response) -> Receipt:
    """Reads the answer to a new message: its id, or why it wasn't taken."""
    answer = object_of(response)
    if response.status == 429 and isinstance(answer.get("retry_after"), int | float):
        raise channel.transient("http-429", str(answer.get("message", "")), retry_after=float(answer["retry_after"]))
    require_success(channel, response)
    return channel.receipt(announcement, answer.get("id"))


def escape(text: str) -> str:
    """Puts a backslash before what Discord's Markdown, mentions, emoji or links begin with."""
    return re.sub(r"([\\*_~`|>#\[\]()<:@/!+.-])", r"\\\1", text)
