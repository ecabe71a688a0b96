"""One request to a channel and what its answer means, with the channel's secret kept out of every word about it."""

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec

from broadsheet import fetch
from broadsheet.channels.announcement import Announcement, Receipt
from broadsheet.channels.errors import ChannelClosedError, DeliveryError, MessageRefusedError, TransientDeliveryError
from broadsheet.fetch import RETRY_AFTER_CAP, FetchError, FetchTransient

_DETAIL = 300  # characters of a channel's own error text worth keeping


class Response(Protocol):
    """An answer; header names are lower-case."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Http(Protocol):
    """What posts: follows no redirect; raises a `broadsheet.fetch.FetchError` where there is no answer."""

    def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Response: ...


class Secret(msgspec.Struct, frozen=True):
    """Base of what a kind needs to know to post; never shows its values."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


S = TypeVar("S", bound=Secret)


class Channel:
    """A channel to post to: its id, and its secret as stored, which only `unlock` gives out."""

    def __init__(self, channel_id: str, secret: str) -> None:
        self.id = channel_id
        self._secret = secret.strip()

    def __repr__(self) -> str:
        return f"Channel({self.id!r})"

    def unlock(self, shape: type[S]) -> S:
        """Reads the secret as `shape`: a JSON object of its fields, or the bare value of its first field.

        Raises ChannelClosedError naming the fields that are expected, never what was found.
        """
        fields = msgspec.structs.fields(shape)
        try:
            if self._secret.startswith("{"):
                unlocked = msgspec.json.decode(self._secret, type=shape)
            else:
                unlocked = msgspec.convert({fields[0].encode_name: self._secret}, shape)
            for field in fields:
                if field.encode_name.endswith("url"):
                    _check_url(getattr(unlocked, field.name))
        except ValueError:
            pass  # raised below, where no cause can carry the secret into a log
        else:
            return unlocked
        needed = [field.encode_name for field in fields if field.required]
        optional = [field.encode_name for field in fields if not field.required]
        expected = f"expected a JSON object with {', '.join(needed)}"
        expected += f" and optionally {', '.join(optional)}" if optional else ""
        expected += f", or the bare {needed[0]}" if len(needed) == 1 else ""
        raise ChannelClosedError(self.id, "malformed-secret", expected)

    def redact(self, text: str) -> str:
        """Returns the channel's own words on one line, cut, and without anything out of the secret."""
        hidden = set(re.findall(r"[\w-]{8,}", self._secret)) | {self._secret}
        if self._secret.startswith("{"):
            with suppress(ValueError):
                hidden |= {value for value in json.loads(self._secret).values() if isinstance(value, str)}
        for part in sorted(hidden, key=len, reverse=True):
            if len(part) >= 4:
                text = text.replace(part, "•••")
        text = re.sub(r"https?://\S+", "•••", text)
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= _DETAIL else line[: _DETAIL - 1] + "…"

    def receipt(self, announcement: Announcement, message_id: object = None) -> Receipt:
        named = None if message_id is None else str(message_id)
        return Receipt(channel_id=self.id, delivery_id=announcement.delivery_id, message_id=named)

    def transient(
        self, reason: str, detail: str = "", *, retry_after: float | None = None, perhaps_delivered: bool = False
    ) -> TransientDeliveryError:
        wait = None if retry_after is None else min(max(retry_after, 0.0), RETRY_AFTER_CAP)
        return TransientDeliveryError(
            self.id, reason, self.redact(detail), retry_after=wait, perhaps_delivered=perhaps_delivered
        )

    def refused(self, reason: str, detail: str = "", *, perhaps_delivered: bool = False) -> MessageRefusedError:
        return MessageRefusedError(self.id, reason, self.redact(detail), perhaps_delivered=perhaps_delivered)

    def closed(self, reason: str, detail: str = "") -> ChannelClosedError:
        return ChannelClosedError(self.id, reason, self.redact(detail))


def send(http: Http, channel: Channel, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """Posts a JSON body and returns the answer, whatever its status.

    Raises TransientDeliveryError when no answer comes (the post may have arrived all the same), ChannelClosedError when
    the URL is none we post to.
    """
    failed: DeliveryError
    try:
        return http.post(url, body, headers={"content-type": "application/json; charset=utf-8", **(headers or {})})
    except FetchTransient as error:
        failed = channel.transient(error.reason, error.detail, perhaps_delivered=error.sent)
    except FetchError as error:
        failed = channel.closed(error.reason, error.detail)
    raise failed  # out of the handler: a chained error could show the URL, which is a secret


def encode(payload: object) -> bytes:
    """JSON in UTF-8 as posted; a lone surrogate, which no channel takes, becomes a question mark."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def require_success(channel: Channel, response: Response) -> None:
    """Raises what a status other than 2xx means where the channel documents nothing else."""
    if not 200 <= response.status < 300:
        raise refusal(channel, response)


def refusal(channel: Channel, response: Response) -> DeliveryError:
    """The error an HTTP status stands for; the channel's own words are its detail."""
    status = response.status
    reason, detail = f"http-{status}", text_of(response)
    if status == 429:
        return channel.transient(reason, detail, retry_after=retry_after(response))
    if status in (408, 425) or status >= 500:
        unsaid = status not in (425, 503)  # the work may have been done before the answer went wrong
        return channel.transient(reason, detail, retry_after=retry_after(response), perhaps_delivered=unsaid)
    if status in (401, 403, 404, 405, 410) or status < 400:
        return channel.closed(reason, detail)
    return channel.refused(reason, detail)


def retry_after(response: Response) -> float | None:
    """The seconds that the answer's Retry-After asks for, if it does."""
    return fetch.retry_after(response.headers.get("retry-after", ""), time.time())


def text_of(response: Response) -> str:
    return response.body[: 4 * _DETAIL].decode("utf-8", "replace")


def object_of(response: Response) -> dict[str, Any]:
    """The answer's JSON object; empty when it is something else."""
    try:
        found = json.loads(response.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _check_url(url: str | None) -> None:
    if url is None:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\x00-\x1f]", url):
        raise ValueError
