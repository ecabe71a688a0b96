"""WeCom's (企业微信) group bot: Markdown without escapes, so characters that mean something are written full-width.

Limits: 4,096 *bytes* of content; 20 messages a minute. https://developer.work.weixin.qq.com/document/path/91770
The answer is 200 even when the post failed: `errcode` tells. What the codes mean is from the global list (全局错误码),
https://developer.work.weixin.qq.com/document/path/90313; any that isn't named here refuses the message.
"""

from typing import Any

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
_SUMMARY = 2400
_CONTEXT = 400
_LINK = 600
_DIGEST = 3300

_TRANSIENT = {-1: None, 45009: 60.0, 45033: 60.0}  # busy; over the minute's limit; too many at once
_CLOSED = {
    93000,  # no such webhook, or the bot was put out of the group
    93004,  # the bot is switched off
    93008,  # it isn't in the group
}


class WeComSecret(Secret, frozen=True):
    """The bot's URL with its key."""

    url: str


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns {"msgtype": "markdown", …}: the linked title, the summary, and who said it when."""
    if isinstance(announcement, Digest):
        return digest(announcement)[0]
    title = fit(headline(announcement), _TITLE, inert, "bytes")
    head = linked(title, announcement.url, _LINK)
    said = fit(context(announcement), _CONTEXT, inert, "bytes")
    comment = f'<font color="comment">{said}</font>' if said else ""
    parts = [
        f"**{head}**",
        fit(lead(announcement), _SUMMARY, inert, "bytes"),
        comment,
    ]
    return {"msgtype": "markdown", "markdown": {"content": "\n".join(part for part in parts if part)}}


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The message of a digest, and how many items it shows."""
    text, shown = digest_text(digest, _DIGEST, longest_link=_LINK, parting="\n")
    return {"msgtype": "markdown", "markdown": {"content": text}}, shown


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(WeComSecret)
    _check(channel, send(http, channel, secret.url, encode(render(announcement))))
    return channel.receipt(announcement)


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
    if code in _CLOSED:
        raise channel.closed(f"errcode-{code}", said)
    raise channel.refused(f"errcode-{code}", said)
