"""Every failure has a name: of lower layers, of statuses, and in what it prints."""

import http.client
import socket
import ssl
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
import urllib3.exceptions

from broadsheet import fetch
from broadsheet.fetch import (
    Client,
    FetchDenied,
    FetchError,
    FetchGone,
    FetchRefused,
    FetchTransient,
    errors,
    retry_after,
)
from tests.hostile.loopback import answer, script, serving

NOW = 1_800_000_000.0


def _below(*roots: type[BaseException]) -> list[type[BaseException]]:
    found: list[type[BaseException]] = []
    for root in roots:
        found += [root, *_below(*root.__subclasses__())]
    return list(dict.fromkeys(found))


def _theirs(root: type[BaseException], *modules: str) -> list[type[BaseException]]:
    return [kind for kind in _below(root) if kind.__module__ in modules and kind is not root]


@pytest.mark.parametrize(
    "kind",
    [
        *_theirs(urllib3.exceptions.HTTPError, "urllib3.exceptions"),
        *_theirs(http.client.HTTPException, "http.client"),
        *_theirs(OSError, "builtins", "socket", "ssl"),
    ],
)
def test_every_lower_exception_is_mapped(kind: type[Exception]) -> None:
    """By a row of its own, not by falling through to the last."""
    rows = [row for row in errors.MEANINGS if row[0] != (http.client.HTTPException,)]
    assert any(issubclass(kind, kinds) for kinds, *_ in rows), f"{kind.__name__} has no meaning"
    assert errors.meaning(kind)[1] in fetch.__doc__.replace("\n", " ") if fetch.__doc__ else False


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (TimeoutError, (FetchTransient, "timeout", True)),
        (urllib3.exceptions.ReadTimeoutError, (FetchTransient, "timeout", True)),
        (socket.gaierror, (FetchTransient, "dns", True)),
        (ConnectionRefusedError, (FetchTransient, "connection", True)),
        (ConnectionResetError, (FetchTransient, "connection", True)),
        (http.client.RemoteDisconnected, (FetchTransient, "connection", True)),
        (ssl.SSLCertVerificationError, (FetchTransient, "tls", True)),
        (ssl.SSLEOFError, (FetchTransient, "tls", True)),
        (http.client.BadStatusLine, (FetchTransient, "incomplete", False)),
        (urllib3.exceptions.IncompleteRead, (FetchTransient, "incomplete", False)),
        (urllib3.exceptions.InvalidChunkLength, (FetchTransient, "incomplete", False)),
        (http.client.UnknownProtocol, (FetchTransient, "protocol", False)),
        (http.client.LineTooLong, (FetchRefused, "too-large", False)),
        (http.client.HTTPException, (FetchRefused, "too-large", False)),
        (UnicodeEncodeError, (FetchRefused, "bad-url", False)),
    ],
)
def test_what_they_mean(kind: type[Exception], expected: tuple[type[FetchError], str, bool]) -> None:
    assert errors.meaning(kind) == expected


@pytest.mark.parametrize(
    ("status", "kind", "host_wide"),
    [
        *((status, FetchDenied, False) for status in (401, 402, 403, 451)),
        *((status, FetchGone, False) for status in (400, 404, 405, 406, 410, 418, 422)),
        *((status, FetchTransient, False) for status in (202, 408, 421, 425, 500, 502, 504, 520, 599)),
        *((status, FetchTransient, True) for status in (429, 503)),
        *((status, FetchRefused, False) for status in (201, 204, 206, 300, 305)),
    ],
)
def test_every_status_but_200_raises(status: int, kind: type[FetchError], host_wide: bool) -> None:
    said = answer(b"sorry", f"{status} So", {"Retry-After": "120"})
    with serving(script({"/a": said})) as server, pytest.raises(FetchError) as caught:
        Client(user_agent="t", allowed_networks=[server.endpoint]).get(server.url("/a"))
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.reason, error.url) == (status, f"http-{status}", server.url("/a"))
    assert error.trace[-1].what == f"http-{status}"
    if isinstance(error, FetchTransient):
        assert error.host_wide is host_wide
        assert error.retry_after == 120


def test_every_error_prints_its_url() -> None:
    kinds = [kind for kind in _below(FetchError) if kind.__module__ == "broadsheet.fetch.errors"]
    assert len(kinds) == 5
    for kind in kinds:
        assert issubclass(kind, FetchError)
        assert str(kind("https://example.org/a", "dns", "why")) == "https://example.org/a: dns (why)"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("315360000", 86400.0),
        ("9" * 20, 86400.0),
        ("9" * 500, None),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90.0),
        (format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True), 0.0),
        (format_datetime(datetime.fromtimestamp(NOW + 10**8, UTC), usegmt=True), 86400.0),
        (datetime.fromtimestamp(NOW + 90, UTC).strftime("%A, %d-%b-%y %H:%M:%S GMT"), 90.0),
        (datetime.fromtimestamp(NOW + 90, UTC).strftime("%a %b %d %H:%M:%S %Y"), 90.0),
    ],
)
def test_retry_after(value: str, expected: float | None) -> None:
    assert retry_after(value, NOW) == expected
