"""ntfy, hosted or your own: a push notification of plain text.

Limit: 4,096 bytes of message; what is longer ntfy would turn into an attachment. https://docs.ntfy.sh/publish/
"""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.exchange import Channel, Http, Secret, encode, object_of, require_success, send
from broadsheet.channels.wording import context, fit, headline, lead, link

_TITLE = 500  # bytes
_MESSAGE = 3500
_CONTEXT = 500


class NtfySecret(Secret, frozen=True):
    """The topic's URL, and an access token if the topic wants one."""

    url: str
    token: str | None = None


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns ntfy's JSON but for the topic."""
    parts = [
        fit(lead(announcement), _MESSAGE, unit="bytes"),
        fit(context(announcement), _CONTEXT, unit="bytes"),
    ]
    message: dict[str, Any] = {
        "title": fit(headline(announcement), _TITLE, unit="bytes"),
        "message": "\n".join(part for part in parts if part),
    }
    if address := link(announcement.url):
        message["click"] = address
    return message


def post(channel: Channel, announcement: Announcement, http: Http) -> Receipt:
    secret = channel.unlock(NtfySecret)
    parts = urlsplit(secret.url)
    root, _, topic = parts.path.rstrip("/").rpartition("/")
    if not topic:
        raise channel.closed("malformed-secret", "expected the URL of a topic")
    url = urlunsplit(parts._replace(path=f"{root}/"))  # JSON is published at the root, with the topic inside
    headers = {"authorization": f"Bearer {secret.token}"} if secret.token else {}
    response = send(http, channel, url, encode({"topic": topic, **render(announcement)}), headers)
    require_success(channel, response)
    return channel.receipt(announcement, object_of(response).get("id"))
