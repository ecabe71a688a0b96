"""WeCom's (企业微信) group bot: Markdown without escapes, so characters that mean something are written full-width.

Limits: 4,096 *bytes* of content; 20 messages a minute. https://developer.work.weixin.qq.com/document/path/91770
The answer is 200 even when the post failed: `errcode` tells. What the codes mean is from the global list (全局错误码),
https://developer.work.weixin.qq.com/document/path/90313; any that isn't named here refuses the message.
"""

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

_TITLE = 600  # bytes
_SUMMARY = 2400
_CONTEXT = 400
_LINK = 600
_DIGEST, _DIGEST_TITLE = 3300, 300

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
    address = link(announcement.url)
    linked = f"[{title}]({address})" if address and len(address) <= _LINK else title
    said = fit(context(announcement), _CONTEXT, inert, "bytes")
    comment = f'<font color="comment">{said}</font>' if said else ""
    parts = [f"**{linked}**", fit(lead(announcement), _SUMMARY, inert, "bytes"), comment]
    return {"msgtype": "markdown", "markdown": {"content": "\n".join(part for part in parts if part)}}


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The message of a digest, and how many items it shows."""

    def line(item: Announcement) -> str:
        title, address = fit(headline(item), _DIGEST_TITLE, inert, "bytes"), link(item.url)
        return f"• [{title}]({address})" if address and len(address) <= _LINK else f"• {title}"

    lines, shown = fitting(
        digest,
        _DIGEST,
        heading=lambda name: f"**{fit(name, _DIGEST_TITLE, inert, 'bytes')}**",
        line=line,
        size=lambda text: len(text.encode()) + 2,
    )
    said = " · ".join(part for part in (remainder(digest, shown), context(digest)) if part)
    text = "\n".join([f"**{headline(digest)}**", *lines, *([said] if said else [])])
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
