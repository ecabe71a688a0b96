"""What came back: an answer's status, headers and body, and what its headers say."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from broadsheet.fetch.errors import Trace

RETRY_AFTER_CAP = 24 * 3600.0  # seconds; rss-fetcher honours no more, and a typo of ten years must not end a source
LINES = ",\n"  # between the values of a header that came in several lines
_PERMANENT_REDIRECTS = (301, 308)
_SENDABLE = re.compile(r"[\x20-\x7e]{1,1000}")  # and as long as an item of ours may hold two of
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?\s*([^\s;"',]+)""", re.IGNORECASE)


class Validators(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host calls the state a page is in; sent back, it asks whether that is another now (RFC 9110, 13.1)."""

    etag: str | None = None
    last_modified: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Those of a request that is answered 304, without a body, if nothing has changed."""
        sent = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in sent.items() if value}


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `url` is final; `headers` have lower-case names; `body` is decoded; `elapsed` is in seconds.

    `redirects` holds the status and target of each hop, so the last target is `url`. `sent` are the headers it was
    asked with.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: Mapping[str, str] = {}
    redirects: tuple[tuple[int, str], ...] = ()
    elapsed: float = 0.0
    trace: Trace = ()

    @property
    def permanent_url(self) -> str | None:
        """Where the page has moved for good: the final URL, if there were redirects and each was a 301 or 308."""
        moved = self.redirects and all(status in _PERMANENT_REDIRECTS for status, _ in self.redirects)
        return self.url if moved else None

    @property
    def validators(self) -> Validators:
        """What asks for this page only if it has changed; without what no header of ours can carry."""
        sendable = {name: value for name, value in self.headers.items() if _SENDABLE.fullmatch(value)}
        return Validators(sendable.get("etag"), sendable.get("last-modified"))

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty if the host didn't say."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """The charset that Content-Type declares, in lower case."""
        declared = _CHARSET.search(self.headers.get("content-type", ""))
        return declared[1].lower() if declared else None


def retry_after(value: str, now: float) -> float | None:
    """The seconds from `now`, an instant since 1970, that a Retry-After header asks for; at most a day.

    Both forms, seconds and date (RFC 9110, 10.2.3); None for neither.
    """
    if re.fullmatch(r"[0-9]{1,20}", value.strip()):
        return min(float(value), RETRY_AFTER_CAP)
    try:
        at = parsedate_to_datetime(value)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_CAP)
