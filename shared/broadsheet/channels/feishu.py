"""Feishu's and Lark's custom bot: an interactive card of plain-text elements, which no title can put markup into.

Limits: 20 KB for the request, 30 KB for a card; 100 messages a minute, 5 a second. The answer is 200 even when the
post failed: `code` tells. Limits and codes: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot; what a
rate limit looks like: https://open.feishu.cn/document/server-docs/api-call-guide/frequency-control
"""

import base64
import hashlib
import hmac
import time
from typing import Any

from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.digest import Digest, fitting, remainder
from broadsheet.channels.errors import DeliveryError
from broadsheet.channels.exchange import Channel, Http, Response, Secret, encode, object_of, refusal, send, text_of
from broadsheet.channels.wording import context, fit, headline, lead, link, word

_TITLE = 1_500  # bytes; with the summary well under 20 KB even if JSON escapes every character
_SUMMARY = 6_000
_CONTEXT = 500
_DIGEST, _DIGEST_TITLE = 16_000, 400
_ELEMENTS = 48  # more make a card that phones show badly

_RATE_LIMITED = {
    9499,  # "too many request", at times with the status 400; with other words it is a bad request
    11232,  # "frequency limited", at full and half hours even to those who keep to the limits
    99991400,  # the platform's own
}
_CLOSED = {
    19001,  # no such bot
    19021,  # the signature doesn't match, or the clock is an hour off
    19022,  # our address isn't on the bot's list
}
_A_MINUTE = 60.0  # the window of the bot's limit, whose answer names no time


class FeishuSecret(Secret, frozen=True):
    """The bot's URL, and its signing secret if signatures are switched on."""

    url: str
    sign_key: str | None = None


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns {"msg_type": "interactive", "card": …}: a title, the summary, who said it when, and a button to it."""
    if isinstance(announcement, Digest):
        return digest(announcement)[0]
    elements: list[dict[str, Any]] = []
    if summary := fit(lead(announcement), _SUMMARY, unit="bytes"):
        elements.append({"tag": "div", "text": _text(summary)})
    address = link(announcement.url)
    if address:
        button = {"tag": "button", "text": _text(word("read", announcement.language)), "type": "default"}
        elements.append({"tag": "action", "actions": [{**button, "url": address}]})
    if said := fit(context(announcement), _CONTEXT, unit="bytes"):
        elements.append({"tag": "note", "elements": [_text(said)]})
    title = fit(headline(announcement), _TITLE, unit="bytes")
    card = _card(title, elements)
    if address:
        card["card_link"] = {"url": address}
    return {"msg_type": "interactive", "card": card}


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The card of a digest, and how many items it shows: each a line with a button to it, under its group's name."""

    def line(item: Announcement) -> dict[str, Any]:
        shown = {"tag": "div", "text": _text(fit(headline(item), _DIGEST_TITLE, unit="bytes"))}
        address = link(item.url)
        button = {"tag": "button", "text": _text(word("read", item.language)), "type": "default", "url": address}
        return {**shown, "extra": button} if address else shown

    elements, shown = fitting(
        digest,
        _DIGEST,
        heading=lambda name: {"tag": "note", "elements": [_text(fit(name, _DIGEST_TITLE, unit="bytes"))]},
        line=line,
        size=lambda element: max(len(encode(element)) + 1, _DIGEST // _ELEMENTS),
    )
    if told := " · ".join(part for part in (remainder(digest, shown), context(digest)) if part):
        elements.append({"tag": "note", "elements": [_text(told)]})
    return {"msg_type": "interactive", "card": _card(headline(digest), elements)}, shown


def _card(title: str, elements: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "config": {"wide_screen_mode": True},
        "header": {"template": "blue", "title": _text(title)},
        "elements": elements,
    }


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(FeishuSecret)
    message = render(announcement)
    if secret.sign_key:
        stamp = str(int(time.time()))
        message = {"timestamp": stamp, "sign": sign(secret.sign_key, stamp), **message}
    _check(channel, send(http, channel, secret.url, encode(message)))
    return channel.receipt(announcement)


def sign(key: str, timestamp: str) -> str:
    """Feishu's signature: the HMAC of nothing, keyed by the time in Unix seconds and the secret."""
    return base64.b64encode(hmac.new(f"{timestamp}\n{key}".encode(), b"", hashlib.sha256).digest()).decode("ascii")


def _text(content: str) -> dict[str, str]:
    return {"tag": "plain_text", "content": content}


def _check(channel: Channel, response: Response) -> None:
    answer = object_of(response)
    code = answer.get("code", answer.get("StatusCode"))
    if code == 0 and 200 <= response.status < 300:
        return
    raise _error(channel, response, code, str(answer.get("msg", "")))


def _error(channel: Channel, response: Response, code: object, said: str) -> DeliveryError:
    if not isinstance(code, int) or code == 0:
        if 200 <= response.status < 300:
            return channel.refused("unexpected-answer", text_of(response), perhaps_delivered=True)
        return refusal(channel, response)
    reason = f"code-{code}"
    if code in _RATE_LIMITED and (code != 9499 or "too many" in said.lower()):
        named = response.headers.get("x-ogw-ratelimit-reset", "")
        return channel.transient(reason, said, retry_after=float(named) if named.isdecimal() else _A_MINUTE)
    if code in _CLOSED:
        return channel.closed(reason, said)
    if response.status >= 429:
        return refusal(channel, response)
    return channel.refused(reason, said)
