"""Slack's incoming webhooks, and what speaks their language (Mattermost, Rocket.Chat): Block Kit with a text fallback.

Limits: 3,000 characters a section, 4,000 advised for the text; escapes count. No image block: when Slack can't load
the picture it refuses the whole message. https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import re
from collections.abc import Callable
from typing import Any

from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.digest import Digest, fitting, remainder
from broadsheet.channels.exchange import (
    Channel,
    Http,
    Response,
    Secret,
    encode,
    object_of,
    require_success,
    send,
    text_of,
)
from broadsheet.channels.wording import context, fit, headline, inert, lead, link

_SECTION = 3000
_FALLBACK = 4000
_FALLBACK_TITLE = 500
_CONTEXT = 1000
_DIGEST = 11_000  # characters of all blocks, which Slack holds to some 13,000
_DIGEST_TITLE, _DIGEST_LINK = 300, 2000

# Slack's words for a webhook that no message will pass again, whatever the status they come with.
_CLOSED = {
    "action_prohibited",
    "channel_is_archived",
    "channel_not_found",
    "invalid_token",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "posting_to_general_channel_denied",
    "team_disabled",
    "token_revoked",
}


class SlackSecret(Secret, frozen=True):
    """The webhook's URL."""

    url: str


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns {"text", "blocks", ...}: a linked title, the summary as plain text, and who said it when.

    Slack shows `text` in notifications only; others show it instead of blocks, and read Markdown and @all in it.
    """
    if isinstance(announcement, Digest):
        return digest(announcement)[0]
    address = link(announcement.url)
    opening, closing = (f"<{escape(address)}|", ">") if address else ("", "")
    room = _SECTION - len(opening) - 3
    title = f"*{opening}{fit(headline(announcement), room, _literal)}{closing}*"
    blocks: list[dict[str, Any]] = [
        _section(title),
    ]
    if summary := fit(lead(announcement), _SECTION, escape):
        blocks.append({"type": "section", "text": {"type": "plain_text", "text": summary, "emoji": False}})
    if said := fit(context(announcement), _CONTEXT, escape):
        blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": said, "emoji": False}]})
    fallback = opening + fit(headline(announcement), _FALLBACK_TITLE, _inert) + closing
    if summary := fit(lead(announcement), _FALLBACK - len(fallback) - 1, _inert):
        fallback += f"\n{summary}"
    return {"text": fallback, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The message of a digest, and how many items it shows: sections of linked titles under their groups' names."""

    def line(item: Announcement, escaped: Callable[[str], str] = _literal) -> str:
        address, title = escape(link(item.url) or ""), fit(headline(item), _DIGEST_TITLE, escaped)
        return f"• <{address}|{title}>" if 0 < len(address) <= _DIGEST_LINK else f"• {title}"

    lines, shown = fitting(
        digest,
        _DIGEST,
        heading=lambda name: f"*{fit(name, _DIGEST_TITLE, _literal)}*",
        line=line,
        size=lambda text: len(text) + 1,
    )
    blocks = [_section(f"*{fit(headline(digest), _DIGEST_TITLE, _literal)}*")]
    while lines:
        full = next((n for n in range(1, len(lines) + 1) if sum(map(len, lines[:n])) + n > _SECTION), len(lines) + 1)
        blocks.append(_section("\n".join(lines[: full - 1])))
        lines = lines[full - 1 :]
    told = " · ".join(part for part in (remainder(digest, shown), context(digest)) if part)
    if told:
        blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": escape(told), "emoji": False}]})
    fallback = [fit(headline(digest), _DIGEST_TITLE, _inert), *(line(item, _inert) for item in digest.items[:shown])]
    return {"text": "\n".join(fallback), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}, shown


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(SlackSecret)
    _check(channel, send(http, channel, secret.url, encode(render(announcement))))
    return channel.receipt(announcement)


def escape(text: str) -> str:
    """Slack's three control characters as entities: without them no mention, no channel and no link can be written."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _literal(text: str) -> str:
    # mrkdwn has no escape for its emphasis; a delimiter followed by a (zero-width) space opens nothing.
    text = re.sub(r"([*_~])", "\\1\u200b", escape(text).replace("`", "ˋ"))
    return re.sub(r":(?=[\w+-]+:)|^(?=&gt;)", lambda found: found.group() + "\u200b", text)


def _inert(text: str) -> str:
    return escape(inert(text))


def _check(channel: Channel, response: Response) -> None:
    words = text_of(response).strip()
    if words in _CLOSED:
        raise channel.closed(words)
    require_success(channel, response)
    answer = object_of(response)
    if words not in ("", "ok") and not answer.get("ok") and not answer.get("success"):
        raise channel.refused("unexpected-answer", words, perhaps_delivered=True)  # a log-in page, say
