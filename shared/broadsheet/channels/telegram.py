"""Telegram's Bot API: a message in its HTML, with nothing in it for clients to make a link, mention or command of.

Limit: 4,096 characters after the tags are read, counted here in UTF-16 as Telegram counts everywhere else.
https://core.telegram.org/bots/api#sendmessage
"""

import html
from typing import Any

from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.digest import Digest, fitting, remainder
from broadsheet.channels.exchange import Channel, Http, Response, Secret, encode, object_of, refusal, send, text_of
from broadsheet.channels.wording import context, defang, fit, headline, lead, link
from broadsheet.summary import measure

_TITLE = 1000
_SUMMARY = 2500
_CONTEXT = 500
_DIGEST, _DIGEST_TITLE = 3400, 300

_CLOSED = (
    "chat not found",
    "upgraded to a supergroup",
    "not enough rights",
    "chat_write_forbidden",
    "need administrator",
)


class TelegramSecret(Secret, frozen=True):
    """The bot's token, and the chat: a numeric id or @channelname."""

    token: str
    chat_id: str
    api_url: str = "https://api.telegram.org"


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns sendMessage's parameters but for the chat."""
    if isinstance(announcement, Digest):
        return digest(announcement)[0]
    title = f"<b>{_fit(headline(announcement), _TITLE)}</b>"
    if address := link(announcement.url):
        title = f'<a href="{html.escape(address)}">{title}</a>'
    said = _fit(context(announcement), _CONTEXT)
    parts = [title, _fit(lead(announcement), _SUMMARY), f"<i>{said}</i>" if said else ""]
    message = _message("\n\n".join(part for part in parts if part))
    if announcement.in_reply_to and announcement.in_reply_to.isdecimal():
        reply = {"message_id": int(announcement.in_reply_to), "allow_sending_without_reply": True}
        message["reply_parameters"] = reply
    return message


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The message of a digest, and how many items it shows."""

    def line(item: Announcement) -> str:
        title, address = _fit(headline(item), _DIGEST_TITLE), link(item.url)
        return f'• <a href="{html.escape(address)}">{title}</a>' if address else f"• {title}"

    lines, shown = fitting(
        digest,
        _DIGEST,
        heading=lambda name: f"\n<b>{_fit(name, _DIGEST_TITLE)}</b>",
        line=line,
        size=lambda text: measure(text, "utf16") + 1,
    )
    said = " · ".join(part for part in (remainder(digest, shown), context(digest)) if part)
    closing = [f"\n<i>{_fit(said, _CONTEXT)}</i>"] if said else []
    return _message("\n".join([f"<b>{_fit(headline(digest), _DIGEST_TITLE)}</b>", *lines, *closing])), shown


def _message(text: str) -> dict[str, Any]:
    return {"text": text, "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(TelegramSecret)
    url = f"{secret.api_url}/bot{secret.token}/sendMessage"
    response = send(http, channel, url, encode({"chat_id": secret.chat_id, **render(announcement)}))
    answer = _read(channel, response)
    return channel.receipt(announcement, answer.get("result", {}).get("message_id"))


def _fit(text: str, limit: int) -> str:
    return html.escape(fit(text, limit, defang, "utf16"), quote=False)


def _read(channel: Channel, response: Response) -> dict[str, Any]:
    answer = object_of(response)
    if answer.get("ok"):
        return answer
    said = str(answer.get("description", ""))
    wait = (answer.get("parameters") or {}).get("retry_after")
    if isinstance(wait, int | float):
        raise channel.transient("http-429", said, retry_after=float(wait))
    if response.status == 400 and any(words in said.lower() for words in _CLOSED):
        raise channel.closed("http-400", said)
    if 200 <= response.status < 300:
        raise channel.refused("unexpected-answer", said or text_of(response), perhaps_delivered=True)
    raise refusal(channel, response)
