"""Slack as a bot: what the webhook shows, but in threads, and every post can be found again by its delivery id.

The id rides in the message's metadata, so after an answer that never came `find` tells whether the post arrived.
https://docs.slack.dev/reference/methods/chat.postMessage
"""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from broadsheet.channels import slack
from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.digest import Digest
from broadsheet.channels.errors import DeliveryError
from broadsheet.channels.exchange import (
    Channel,
    Http,
    Response,
    Secret,
    encode,
    object_of,
    require_success,
    retry_after,
    send,
)

_EVENT = "broadsheet_delivery"
_PAGE = 200
_PAGES = 10  # 2,000 messages after a claim: far more than a channel gets in the minutes before we ask

_TRANSIENT = {"internal_error", "fatal_error", "request_timeout", "service_unavailable", "ratelimited", "rate_limited"}
_REFUSED = {
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "message_limit_exceeded",
    "metadata_too_large",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
}
_NO_THREAD = {"thread_not_found", "invalid_thread_ts", "cannot_reply_to_message"}


class SlackBotSecret(Secret, frozen=True):
    """A bot token with chat:write (and channels:history for `find`), and the channel's id."""

    token: str
    channel: str
    api_url: str = "https://slack.com/api"


def render(announcement: Announcement) -> dict[str, Any]:
    """The webhook's message with the delivery id as metadata, in the thread of the first post if this is an update."""
    metadata = {"event_type": _EVENT, "event_payload": {"delivery_id": announcement.delivery_id}}
    thread = {"thread_ts": announcement.in_reply_to} if announcement.in_reply_to else {}
    return {**slack.render(announcement), "metadata": metadata, **thread}


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The message of a digest, and how many items it shows."""
    return render(digest), slack.digest(digest)[1]


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(SlackBotSecret)
    message = {"channel": secret.channel, **render(announcement)}
    answer = _post_message(channel, secret, http, message)
    if answer.get("error") in _NO_THREAD and message.pop("thread_ts", None):  # its first post was deleted
        answer = _post_message(channel, secret, http, message)
    if not answer.get("ok"):
        raise _error(channel, answer)
    return channel.receipt(announcement, answer.get("ts"))


def find(channel: Channel, announcement: Announcement, http: Http, since: datetime) -> Receipt | None:
    """Looks for the announcement among what was posted after `since`; None if it isn't there."""
    secret = channel.unlock(SlackBotSecret)
    asked: dict[str, Any] = {
        "channel": secret.channel,
        "oldest": f"{since.timestamp():.6f}",
        "include_all_metadata": "true",
        "limit": _PAGE,
    }
    method = "conversations.history"
    if announcement.in_reply_to:
        method, asked["ts"] = "conversations.replies", announcement.in_reply_to
    headers = {"content-type": "application/x-www-form-urlencoded"}  # these methods read no JSON
    for _ in range(_PAGES):
        url = f"{secret.api_url}/{method}"
        answer = _read(channel, send(http, channel, url, urlencode(asked).encode("ascii"), headers | _bearer(secret)))
        if not answer.get("ok"):
            raise _error(channel, answer)
        for message in answer.get("messages", []):
            metadata = message.get("metadata") or {}
            told = (metadata.get("event_payload") or {}).get("delivery_id")
            if metadata.get("event_type") == _EVENT and told == announcement.delivery_id:
                return channel.receipt(announcement, message.get("ts"))
        cursor = (answer.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return None
        asked["cursor"] = cursor
    return None


def _post_message(channel: Channel, secret: SlackBotSecret, http: Http, message: dict[str, Any]) -> dict[str, Any]:
    url = f"{secret.api_url}/chat.postMessage"
    return _read(channel, send(http, channel, url, encode(message), _bearer(secret)))


def _bearer(secret: SlackBotSecret) -> dict[str, str]:
    return {"authorization": f"Bearer {secret.token}"}


def _read(channel: Channel, response: Response) -> dict[str, Any]:
    answer = object_of(response)
    if answer.get("error") == "ratelimited":
        raise channel.transient("ratelimited", retry_after=retry_after(response))
    require_success(channel, response)
    return answer


def _error(channel: Channel, answer: dict[str, Any]) -> DeliveryError:
    reason = str(answer.get("error", "unexpected-answer"))
    detail = " ".join(str(part) for part in answer.get("errors", ()) or (answer.get("needed"),) if part)
    if reason in _TRANSIENT:
        return channel.transient(reason, detail, perhaps_delivered=True)
    if reason in _REFUSED or reason == "unexpected-answer":
        return channel.refused(reason, detail, perhaps_delivered=reason == "unexpected-answer")
    return channel.closed(reason, detail)  # of some fifty others all but a few are about token, scope or channel
