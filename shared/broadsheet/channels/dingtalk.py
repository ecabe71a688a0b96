"""DingTalk's custom bot: Markdown without escapes, so characters that mean something are written full-width.

Limits: some 3,500 characters in practice, kept here in bytes (the server itself refuses 20,000, as 460101); 20 messages
a minute, then ten minutes of silence. https://open.dingtalk.com/document/robots/custom-robot-access
The answer is 200 even when the post failed: `errcode` tells. The codes are from the table in
https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages, and the older ones that servers still give
(130101, 300001) from https://help.aliyun.com/zh/sls/error-codes; any that isn't named here closes the channel.
"""

import base64
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import quote_plus

from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.digest import Digest
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
from broadsheet.channels.inert_markdown import digest_text, linked
from broadsheet.channels.wording import context, fit, headline, inert, lead

_TITLE = 600  # bytes
_SUMMARY = 2000
_CONTEXT = 400
_LINK = 500
_DIGEST = 2600

_TRANSIENT = {-1: None, 130101: 600.0, 410100: 600.0}  # busy; more than 20 messages in a minute
_REFUSED = {
    40035,  # parameters are missing
    43004,  # not the content type it takes
    400105,  # no such type of message
    430101,  # a link that it holds to be unsafe
    430102,  # text, a picture or something else that it won't have
    430103,
    430104,
    460101,  # too long
}


class DingTalkSecret(Secret, frozen=True):
    """The bot's URL with its access token, and its signing secret ("SEC…") if signatures are switched on."""

    url: str
    sign_key: str | None = None


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns {"msgtype": "markdown", …}: the linked title, the summary, who said it when; nobody mentioned."""
    if isinstance(announcement, Digest):
        return digest(announcement)[0]
    title = fit(headline(announcement), _TITLE, inert, "bytes")
    said = fit(context(announcement), _CONTEXT, inert, "bytes")
    parts = [
        f"#### {linked(title, announcement.url, _LINK)}",
        fit(lead(announcement), _SUMMARY, inert, "bytes"),
        f"> {said}" if said else "",
    ]
    text = "\n\n".join(part for part in parts if part)
    return {"msgtype": "markdown", "markdown": {"title": title, "text": text}, "at": {"isAtAll": False}}


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The message of a digest, and how many items it shows."""
    text, shown = digest_text(digest, _DIGEST, longest_link=_LINK, parting="\n\n")
    return {
        "msgtype": "markdown",
        "markdown": {"title": headline(digest), "text": text},
        "at": {"isAtAll": False},
    }, shown


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(DingTalkSecret)
    url = secret.url
    if secret.sign_key:
        stamp = str(time.time_ns() // 1_000_000)
        url += f"&timestamp={stamp}&sign={quote_plus(sign(secret.sign_key, stamp))}"
    _check(channel, send(http, channel, url, encode(render(announcement))))
    return channel.receipt(announcement)


def sign(key: str, timestamp: str) -> str:
    """DingTalk's signature: the base64 HMAC of the time in Unix milliseconds and the secret, keyed by the secret."""
    return base64.b64encode(hmac.new(key.encode(), f"{timestamp}\n{key}".encode(), hashlib.sha256).digest()).decode()


def _check(channel: Channel, response: Response) -> None:
    require_success(channel, response)
    answer = object_of(response)
    code, said = answer.get("errcode"), str(answer.get("errmsg", ""))
    if code == 0:
        return
    if not isinstance(code, int):
        raise channel.refused("unexpected-answer", text_of(response), perhaps_delivered=True)
    if code in _TRANSIENT:
        raise channel.transient(f"errcode-{code}", said, retry_after=_TRANSIENT[code])
    if code in _REFUSED or (code == 310000 and "keyword" in said.lower()):  # the group wants a word in every message
        raise channel.refused(f"errcode-{code}", said)
    raise channel.closed(f"errcode-{code}", said)
