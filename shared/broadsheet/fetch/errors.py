"""What goes wrong, by its meaning for who asked: whether to come back, and whom it concerns.

The tree and the reasons stand where all of fetching is told, in the package.
"""

import http.client
import socket
import ssl
from typing import Final, TypeAlias

import msgspec
from urllib3 import exceptions as urllib3_errors

from broadsheet import codings
from broadsheet.errors import BroadsheetError


class Step(msgspec.Struct, frozen=True):
    """One thing that happened during a fetch: seconds since its start, what, and details to read."""

    at: float
    what: str
    detail: str


Trace: TypeAlias = tuple[Step, ...]


class FetchError(BroadsheetError):
    """A request brought nothing. `url` is where it failed (a redirect's target, say), `trace` how it got there."""

    def __init__(
        self, url: str, reason: str, detail: str = "", *, status: int | None = None, trace: Trace = ()
    ) -> None:
        super().__init__(url, reason, detail)
        self.url = url
        self.status = status
        self.trace = trace


class FetchRefused(FetchError):  # noqa: N818 - its base says Error, its name what happened
    """We won't fetch this, or won't take the answer. The same again would be refused again."""


class FetchDenied(FetchError):  # noqa: N818 - its base says Error, its name what happened
    """The host has the page and doesn't give it to us: 401, 402, 403 or 451."""


class FetchGone(FetchError):  # noqa: N818 - its base says Error, its name what happened
    """The host has no such page: 404, 410 or another 4xx."""


class FetchTransient(FetchError):  # noqa: N818 - its base says Error, its name what happened
    """It may succeed later.

    `retry_after`: seconds the host asked for, capped at a day; None if it didn't say.
    `host_wide`: the host as a whole should be left alone for a while, not just this URL.
    `sent`: the request may have reached the host (what a repeated post must consider).
    """

    retry_after: float | None = None
    host_wide = False
    sent = False


class Refusal(Exception):  # noqa: N818 - it becomes the error FetchRefused, which knows the URL
    """Raised where the URL isn't known: within sockets and connections."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def meaning(error: type[Exception]) -> tuple[type[FetchError], str, bool]:
    """What an exception of a lower layer means: our error, its reason, and whether it concerns the whole host."""
    for kinds, kind, reason, host_wide in MEANINGS:
        if issubclass(error, kinds):
            return kind, reason, host_wide
    return FetchTransient, "protocol", False


# The first row that fits counts, so the more special errors stand above the more general.
MEANINGS: Final[tuple[tuple[tuple[type[Exception], ...], type[FetchError], str, bool], ...]] = (
    ((ssl.SSLError, urllib3_errors.SSLError), FetchTransient, "tls", True),
    ((socket.gaierror, urllib3_errors.NameResolutionError), FetchTransient, "dns", True),
    ((UnicodeError, http.client.InvalidURL, urllib3_errors.LocationValueError), FetchRefused, "bad-url", False),
    ((http.client.LineTooLong,), FetchRefused, "too-large", False),
    ((urllib3_errors.NewConnectionError, http.client.RemoteDisconnected), FetchTransient, "connection", True),
    ((TimeoutError, urllib3_errors.TimeoutError), FetchTransient, "timeout", True),
    ((OSError,), FetchTransient, "connection", True),
    (
        (
            http.client.BadStatusLine,
            http.client.IncompleteRead,
            urllib3_errors.ProtocolError,
            codings.CodingError,
        ),
        FetchTransient,
        "incomplete",
        False,
    ),
    (
        (
            http.client.UnknownProtocol,
            http.client.UnknownTransferEncoding,
            http.client.UnimplementedFileMode,
            http.client.ImproperConnectionState,
            http.client.NotConnected,
            urllib3_errors.InvalidHeader,
            urllib3_errors.HeaderParsingError,
            urllib3_errors.DecodeError,
            urllib3_errors.BodyNotHttplibCompatible,
            # None of these is raised by a connection without a pool, but a later urllib3 may think otherwise.
            urllib3_errors.PoolError,
            urllib3_errors.ProxyError,
            urllib3_errors.ResponseError,
            urllib3_errors.TimeoutStateError,
            urllib3_errors.UnrewindableBodyError,
        ),
        FetchTransient,
        "protocol",
        False,
    ),
    ((http.client.HTTPException,), FetchRefused, "too-large", False),  # raised as such for more than 100 headers
)
LOWER = (OSError, UnicodeError, http.client.HTTPException, urllib3_errors.HTTPError, Refusal, codings.CodingError)
