"""One fetch under way: what it may cost, how long it has, what happened so far, and how its errors are told."""

import re
import time
from typing import TypeVar

import ada_url
import msgspec

from broadsheet import codings, urls
from broadsheet.fetch.errors import FetchError, FetchRefused, FetchTransient, Refusal, Step, meaning

CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

_E = TypeVar("_E", bound=FetchError)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request may cost. Pages have 0.1 to 2 MB, feeds and sitemaps up to 10; ten at once must fit 512 MB."""

    header_bytes: int = 64 * 1024
    body_bytes: int = 8 * 2**20
    decoded_bytes: int = 16 * 2**20
    answer_bytes: int = 64 * 1024  # of the answer to a post
    connect_seconds: float = 6.0  # name, TCP and TLS
    first_byte_seconds: float = 12.0  # from the request to the end of the answer's head
    total_seconds: float = 30.0  # with all redirects
    redirects: int = 5


class Call:
    """One get or post under way: its clock, its trace, and how its errors are told."""

    def __init__(self, limits: Limits, seconds: float, *, secret: bool = False) -> None:
        self.limits = limits
        self.started = time.monotonic()
        self.deadline = self.started + seconds
        self.until = min(self.started + limits.total_seconds, self.deadline)
        self.secret = secret
        self.url = ""
        self.phase = "starting"
        self.sent = False
        self.steps: list[Step] = []

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def within(self, seconds: float) -> float:
        return min(time.monotonic() + seconds, self.until)

    def note(self, what: str, detail: str) -> None:
        self.steps.append(Step(round(self.elapsed, 4), what, detail))

    def parsed(self, url: str, base: str | None = None) -> ada_url.URL:
        """`url` as browsers read it, without credentials and fragment; from now on errors name it."""
        try:
            if len(url) > urls.MAX_LENGTH or CONTROLS.search(url):
                raise urls.UrlError(url[:200].encode("ascii", "backslashreplace").decode(), "malformed")
            parsed = urls.parse(url, base)
        except urls.UrlError as error:
            self.url = "a webhook" if self.secret else error.subject
            raise self.refused("bad-url") from (None if self.secret else error)
        if parsed.username or parsed.password:
            self.note("stripped", "user and password in the URL")
            parsed.username = parsed.password = ""
        parsed.hash = ""
        self.url = f"{parsed.protocol}//{parsed.host}/…" if self.secret else parsed.href
        if parsed.protocol not in ("http:", "https:") or not parsed.hostname:
            raise self.refused("scheme-refused", parsed.protocol)
        return parsed

    def failed(self, kind: type[_E], reason: str, detail: str = "", status: int | None = None) -> _E:
        self.note(reason, detail)
        return kind(self.url, reason, detail, status=status, trace=tuple(self.steps))

    def refused(self, reason: str, detail: str = "", status: int | None = None) -> FetchRefused:
        return self.failed(FetchRefused, reason, detail, status)

    def translated(self, error: Exception) -> FetchError:
        """A lower layer's error as one of ours."""
        if isinstance(error, Refusal):
            return self.refused(error.reason, error.detail)
        if isinstance(error, codings.CodingError) and error.reason != "incomplete":
            return self.refused(error.reason, f"{error.subject} {error.detail}".strip())
        kind, reason, host_wide = meaning(type(error))
        if kind is FetchRefused:
            return self.refused(reason, self.phase)
        late = reason == "timeout" and time.monotonic() >= self.deadline
        transient = self.failed(FetchTransient, "deadline" if late else reason, f"{self.phase}: {type(error).__name__}")
        transient.host_wide = host_wide and not late
        transient.sent = self.sent
        return transient
