"""The world's HTTP: one request at a time, to the public internet only, within limits.

    FetchError            .url .reason .status .trace
    ├── FetchRefused      we won't: address, scheme, port, size, redirects, coding; permanent
    ├── FetchDenied       401, 402, 403, 451: the host knows the page and doesn't give it to us; permanent
    ├── FetchGone         404, 410 and every other 4xx: the host has no such page; permanent
    └── FetchTransient    come back: 408, 421, 423, 425, 429, 5xx, 202, time-outs, DNS, TLS, broken answers
                          .retry_after .host_wide .sent

Reasons: `http-<status>` for an answer's status; refused: `bad-url`, `bad-header`, `scheme-refused`, `port-refused`,
`address-refused`, `too-large`, `too-many-redirects`, `redirect-without-location`, `downgrade-refused`, `encoding`;
transient: `timeout`, `deadline`, `dns`, `connection`, `tls`, `incomplete`, `protocol`, `unasked-304`.

A connection goes to an address that was just resolved and judged, and the address it reached is judged again, so a
second DNS answer changes nothing. Nothing comes from the environment: no proxies, no .netrc, no cookies.
"""

import http.client
import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from ipaddress import ip_address, ip_network
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, cast
from urllib.parse import quote

import ada_url
import msgspec
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3 import exceptions as urllib3_errors
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from broadsheet import addresses, codings, urls
from broadsheet.errors import BroadsheetError

VERSION = "0.1"  # pyproject.toml's; the layer carries no package metadata

RETRY_AFTER_CAP = 24 * 3600.0  # seconds; rss-fetcher honours no more, and a typo of ten years must not end a source
_REDIRECTS = (301, 302, 303, 307, 308)
_PERMANENT_REDIRECTS = (301, 308)
_DENIED = (401, 402, 403, 451)
_TRANSIENT = (202, 408, 421, 423, 425, 429)  # 202: queued, or a challenge by a bot filter
_CREDENTIALS = ("authorization", "cookie", "proxy-authorization")
# Public hosts serve the web on these. Any other port is another protocol, to which a request of ours would be an attack
# in the name of whoever wrote the link.
_WEB_PORTS = frozenset((80, 443, *range(8000, 9000)))
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?\s*([^\s;"',]+)""", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PIECE = 64 * 1024  # bytes read at a time
_MAX_PIECES = 50_000  # an 8 MiB body in 64 KiB pieces has 128; one in one-byte chunks would cost seconds of CPU
_DRAIN_BYTES = 64 * 1024  # a short answer we don't want is read to its end, which is cheaper than a new connection
_DRAIN_SECONDS = 1.0
_IDLE_SECONDS = 30.0  # most servers close after 5 to 75 s; a frozen function must not wait on a connection long dead
_MAX_IDLE = 64  # connections; a function has 1,024 file descriptors
_MAX_ADDRESSES = 4  # of one host's, tried in turn

_ENDPOINT = re.compile(r"([0-9.]+|\[[0-9A-Fa-f:.]+\]):([0-9]+)")
_ASCII = "".join(map(chr, range(0x20, 0x7F)))

Endpoint: TypeAlias = tuple[str, int]
Resolve: TypeAlias = Callable[[str, int], Sequence[Endpoint]]
_Origin: TypeAlias = tuple[str, str, int]


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


_DEFAULT_LIMITS = Limits()


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `url` is final; `headers` have lower-case names; `body` is decoded; `elapsed` is in seconds.

    `redirects` holds the status and target of each hop, so the last target is `url`.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    redirects: tuple[tuple[int, str], ...] = ()
    elapsed: float = 0.0
    trace: Trace = ()

    @property
    def permanent_url(self) -> str | None:
        """Where the page has moved for good: the final URL, if there were redirects and each was a 301 or 308."""
        moved = self.redirects and all(status in _PERMANENT_REDIRECTS for status, _ in self.redirects)
        return self.url if moved else None

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty if the host didn't say."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        """The charset that Content-Type declares, in lower case."""
        declared = _CHARSET.search(self.headers.get("content-type", ""))
        return declared[1].lower() if declared else None


def user_agent(contact: str) -> str:
    """The truthful User-Agent: who we are and where to complain. `contact` is a URL or an e-mail address."""
    return f"Broadsheet/{VERSION} (+{contact})"


def resolve(host: str, port: int) -> list[Endpoint]:
    """The system's answer to where `host` is. Raises socket.gaierror."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(sockaddr[0]), int(sockaddr[1])) for *_, sockaddr in found))


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


class Client:
    """Fetches and posts; one per warm function, for all its threads. Keeps one idle connection per origin.

    `allowed_networks` are the exceptions for an intranet or a test: networks ("10.1.0.0/16") or endpoints
    ("127.0.0.1:8080", "[::1]:8080"), on any port. `resolve` may be another resolver; its answers are judged all the
    same. `clock` gives seconds since 1970: deadlines and a dated Retry-After are read against it.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        allowed_networks: Sequence[str] = (),
        limits: Limits = _DEFAULT_LIMITS,
        resolve: Resolve = resolve,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._gate = _Gate(allowed_networks, resolve, limits.connect_seconds)
        self._defaults = {
            "user-agent": user_agent,
            "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "accept-encoding": codings.ACCEPTED,
        }
        self._lock = threading.Lock()
        self._idle: dict[_Origin, tuple[_Connection, float]] = {}

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        before_redirect: Callable[[str], None] | None = None,
        before_host: Callable[[str], None] | None = None,
        deadline: float | None = None,
        beginning: int | None = None,
    ) -> Response:
        """The page at `url`, over at most `Limits.redirects` redirects; raises a FetchError for anything else.

        Status 200, or 304 if `headers` made it conditional. `headers` go over the client's own. Credentials among them
        stay on the first origin. `before_redirect(target)` is called before each redirect is followed, then
        `before_host(target)` if it leads to another `urls.host_key`; what they raise ends the fetch and reaches the
        caller.
        `deadline` is an instant of the client's clock at which this ends, whatever the limits.
        `beginning` is how many bytes of the page will do: what comes after is not read, and no page is too large.
        """
        call = _Call(self._limits, math.inf if deadline is None else deadline - self._clock())
        target = call.parsed(url)
        sent = self._headers(call, headers if beginning is None else {**(headers or {}), "accept-encoding": "identity"})
        hops: list[tuple[int, str]] = []
        while True:
            answer = self._exchange(_Request("GET", target, sent, None, beginning), call)
            if answer.status not in _REDIRECTS:
                break
            if answer.location is None:
                raise call.refused("redirect-without-location", status=answer.status)
            if len(hops) == self._limits.redirects:
                raise call.refused("too-many-redirects", f"more than {len(hops)}", status=answer.status)
            following = call.parsed(quote(answer.location.encode("latin-1"), safe=_ASCII), base=target.href)
            if _origin(following) != _origin(target) and any(name in sent for name in _CREDENTIALS):
                if (target.protocol, following.protocol) == ("https:", "http:"):
                    raise call.refused("downgrade-refused", "with credentials", status=answer.status)
                sent = {name: value for name, value in sent.items() if name not in _CREDENTIALS}
            hops.append((answer.status, following.href))
            call.note("redirect", f"{answer.status} to {following.href}")
            if before_redirect:
                before_redirect(following.href)
            if before_host and urls.host_key(following.href) != urls.host_key(target.href):
                before_host(following.href)
            target = following
        conditional = "if-none-match" in sent or "if-modified-since" in sent
        if answer.status != 200 and not (answer.status == 304 and conditional):
            raise self._failed(answer, call)
        return Response(
            url=target.href,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            redirects=tuple(hops),
            elapsed=call.elapsed,
            trace=tuple(call.steps),
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
        """The answer to a JSON `body` posted to `url`, whatever its status; redirects are not followed.

        Raises FetchRefused or FetchTransient where there is no answer. Of a long answer only the beginning is kept.
        Errors, trace and the response name only the host, since a webhook's URL is its password. Every post has its own
        connection: on one that was kept, a failure wouldn't tell whether the host had taken the message.
        """
        call = _Call(self._limits, math.inf, secret=True)
        target = call.parsed(url)
        sent = self._headers(
            call, {"content-type": "application/json", "accept-encoding": "identity", **(headers or {})}
        )
        answer = self._exchange(_Request("POST", target, sent, body), call)
        return Response(
            url=call.url,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            elapsed=call.elapsed,
            trace=tuple(call.steps),
        )

    def close(self) -> None:
        """Let go of the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for connection, _ in idle.values():
            connection.close()

    __del__ = close

    def _headers(self, call: "_Call", headers: Mapping[str, str] | None) -> dict[str, str]:
        given = {name.lower(): value for name, value in (headers or {}).items()}
        for name, value in given.items():
            if not _TOKEN.fullmatch(name) or _CONTROLS.search(value) or not value.isascii():
                raise call.refused("bad-header", name)
        return {**self._defaults, **given}

    def _failed(self, answer: "_Answer", call: "_Call") -> FetchError:
        """The error that an answer without a page amounts to."""
        status = answer.status
        reason = f"http-{status}"
        if status in _DENIED:
            return call.failed(FetchDenied, reason, status=status)
        if status == 304:
            return call.failed(FetchTransient, "unasked-304", "to an unconditional request", status=status)
        if status in _TRANSIENT or status >= 500 or status < 200:
            error = call.failed(FetchTransient, reason, status=status)
            error.retry_after = retry_after(answer.headers.get("retry-after", ""), self._clock())
            error.host_wide = status in (429, 503)
            return error
        if 400 <= status < 500:
            return call.failed(FetchGone, reason, status=status)
        return call.refused(reason, status=status)

    def _exchange(self, request: "_Request", call: "_Call") -> "_Answer":
        """One request and its answer; a kept connection that the host has let go of meanwhile is tried once."""
        origin = _origin(request.target)
        try:
            if request.method == "GET" and (kept := self._take(origin)):
                try:
                    return self._once(kept, request, call)
                except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
                    call.note("reconnect", str(error))
            return self._once(_KINDS[origin[0]](self._gate, origin), request, call)
        except _LOWER as error:
            raise call.translated(error) from error

    def _once(self, connection: "_Connection", request: "_Request", call: "_Call") -> "_Answer":
        limits = self._limits
        response = sock = None
        connection.call = call
        try:
            if connection.sock is None:
                call.phase = "connecting"
                connection.connect()
                call.note("connected", connection.described())
            else:
                call.note("kept", connection.described())
            call.phase = "waiting for the head"
            sock = cast(_TimedSocket, connection.sock)
            sock.until, sock.room = call.within(limits.first_byte_seconds), limits.header_bytes
            call.sent = True
            connection.request(
                request.method,
                request.target.pathname + request.target.search,
                body=request.body,
                headers={name.title(): value for name, value in request.headers.items()},
                preload_content=False,
                decode_content=False,
            )
            response = connection.getresponse()
            call.phase = "reading the body"
            sock.until, sock.room = call.until, limits.body_bytes + limits.header_bytes
            call.note("answer", f"{response.status} {response.reason}".strip())
            if request.method == "GET" and response.status == 200:
                content = self._page(response, call, request.beginning)
            elif request.method == "GET":
                content = _drained(response, sock, call)
            else:
                content = _beginning(response, limits.answer_bytes)
            if response.isclosed() and response.status >= 200 and connection.sock is not None:
                self._give(connection)
            else:
                response.close()
                connection.close()
        except BaseException:
            if response:
                response.close()
            dropped = cast(_TimedSocket | None, connection.sock) or sock
            connection.close()
            if dropped:
                dropped.abandon()
            raise
        return _Answer(response.status, response.headers, content)

    def _page(self, response: HTTPResponse, call: "_Call", beginning: int | None) -> bytes:
        """The whole body, decoded; or its beginning, from a host that sends it plain as it was asked to."""
        if beginning is not None and not response.headers.get("content-encoding"):
            return _beginning(response, beginning)
        limit = self._limits.body_bytes
        if (response.length_remaining or 0) > limit:
            raise _Refusal("too-large", f"{response.length_remaining} bytes announced")
        raw = bytearray()
        for count, piece in enumerate(_pieces(response, _PIECE)):
            raw += piece
            if len(raw) > limit or count > _MAX_PIECES:
                raise _Refusal("too-large", f"more than {limit} bytes, or in too many pieces")
        coding = response.headers.get("content-encoding", "")
        body = codings.decode(bytes(raw), coding, self._limits.decoded_bytes)
        call.note("body", f"{len(raw)} bytes {coding or 'plain'}, {len(body)} decoded")
        return body

    def _take(self, origin: _Origin) -> "_Connection | None":
        with self._lock:
            connection, since = self._idle.pop(origin, (None, 0.0))
        if connection is None:
            return None
        if time.monotonic() - since < _IDLE_SECONDS and connection.is_connected:
            return connection
        connection.close()
        return None

    def _give(self, connection: "_Connection") -> None:
        with self._lock:
            surplus = [self._idle.pop(connection.origin, None)]
            if len(self._idle) >= _MAX_IDLE:
                surplus.append(self._idle.pop(next(iter(self._idle))))
            self._idle[connection.origin] = (connection, time.monotonic())
        for idle in surplus:
            if idle:
                idle[0].close()


class _Refusal(Exception):  # noqa: N818 - it becomes the error FetchRefused, which knows the URL
    """Raised where the URL isn't known: within sockets and connections."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class _Request(NamedTuple):
    """What one connection is asked."""

    method: str
    target: ada_url.URL
    headers: Mapping[str, str]
    body: bytes | None
    beginning: int | None = None


class _Answer:
    """What came back, of whatever status."""

    def __init__(self, status: int, headers: HTTPHeaderDict, body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.location = next(iter(headers.getlist("location")), None)
        self.body = body


class _Call:
    """One get or post under way: its clock, its trace, and how its errors are told."""

    def __init__(self, limits: Limits, seconds: float, *, secret: bool = False) -> None:
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
            if len(url) > urls.MAX_LENGTH or _CONTROLS.search(url):
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
        if isinstance(error, _Refusal):
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


class _Gate:
    """The way out: opens sockets to the addresses that may be connected to."""

    def __init__(self, allowed: Sequence[str], resolve: Resolve, seconds: float) -> None:
        self._resolve = resolve
        self._seconds = seconds
        self._networks = [ip_network(text) for text in allowed if not _ENDPOINT.fullmatch(text)]
        self._endpoints = {
            (str(ip_address(match[1].strip("[]"))), int(match[2]))
            for text in allowed
            if (match := _ENDPOINT.fullmatch(text))
        }
        self.tls = _tls()

    def connect(self, host: str, port: int, call: "_Call") -> "_TimedSocket":
        """A socket connected to `host`, all of whose addresses may be connected to."""
        until = call.within(self._seconds)
        web = port in _WEB_PORTS
        if not web and not self._networks and not self._endpoints:
            raise _Refusal("port-refused", str(port))
        if addresses.parse(host) is not None and not self.admits((host, port)):
            raise _Refusal("address-refused", host)
        found = _resolved(self._resolve, host, port, until)
        call.note("resolved", f"{host} is {', '.join(address for address, _ in found) or 'nowhere'}")
        for endpoint in found:
            if not self.admits(endpoint):
                raise _Refusal("address-refused", f"{host} is {endpoint[0]}")
        if not web and not all(self._exempt(endpoint) for endpoint in found):
            raise _Refusal("port-refused", str(port))
        failure: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
        tried = found[:_MAX_ADDRESSES]
        for number, endpoint in enumerate(tried):
            try:
                sock = _dialled(endpoint, _left(until) / (len(tried) - number))
            except OSError as error:
                failure = error
                continue
            peer = sock.getpeername()
            if not self.admits((str(peer[0]), int(peer[1]))):
                sock.close()
                raise _Refusal("address-refused", f"{host} led to {peer[0]}")
            sock.settimeout(_left(until))
            return sock
        raise failure

    def admits(self, endpoint: Endpoint) -> bool:
        return addresses.is_public(endpoint[0]) or self._exempt(endpoint)

    def _exempt(self, endpoint: Endpoint) -> bool:
        address = addresses.parse(endpoint[0])
        if address is None:
            return False
        return (str(address), endpoint[1]) in self._endpoints or any(address in network for network in self._networks)


class _TimedSocket(socket.socket):
    """A socket whose every wait ends at `until`, however often a byte drips in, and which takes only `room` bytes."""

    until = math.inf
    room: float = math.inf

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if self.room <= 0:
            raise _Refusal("too-large", "a head without end, or a body of nothing but framing")
        self.settimeout(_left(self.until))
        received = super().recv_into(*args, **kwargs)
        self.room -= received
        return received

    def send(self, data: Any, flags: int = 0) -> int:
        self.settimeout(_left(self.until))
        return super().send(data, flags)

    def abandon(self) -> None:
        """Close it, even if an answer that was refused half-built still holds it open."""
        if (descriptor := self.detach()) != -1:
            socket.close(descriptor)

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.settimeout(_left(self.until))
        super().sendall(data, flags)


class _TimedTlsSocket(_TimedSocket, ssl.SSLSocket):
    """The same under TLS."""


class _PlainConnection(HTTPConnection):
    """A connection whose socket the gate opens."""

    call: _Call

    def __init__(self, gate: _Gate, origin: _Origin) -> None:
        super().__init__(origin[1], origin[2])
        self.gate = gate
        self.origin = origin

    def _new_conn(self) -> _TimedSocket:
        return self.gate.connect(self._dns_host, self.origin[2], self.call)

    def described(self) -> str:
        return str(self.sock.getpeername()[0]) if self.sock else "nowhere"


class _TlsConnection(HTTPSConnection):
    """The same under TLS, certificates verified."""

    call: _Call

    def __init__(self, gate: _Gate, origin: _Origin) -> None:
        super().__init__(origin[1], origin[2], ssl_context=gate.tls)
        self.gate = gate
        self.origin = origin

    def _new_conn(self) -> _TimedSocket:
        return self.gate.connect(self._dns_host, self.origin[2], self.call)

    def described(self) -> str:
        sock = cast(ssl.SSLSocket, self.sock)
        return f"{sock.getpeername()[0]} {sock.version()}"


_Connection: TypeAlias = _PlainConnection | _TlsConnection
_KINDS: Final[dict[str, type[_Connection]]] = {"http:": _PlainConnection, "https:": _TlsConnection}


def meaning(error: type[Exception]) -> tuple[type[FetchError], str, bool]:
    """What an exception of a lower layer means: our error, its reason, and whether it concerns the whole host."""
    for kinds, kind, reason, host_wide in _MEANINGS:
        if issubclass(error, kinds):
            return kind, reason, host_wide
    return FetchTransient, "protocol", False


# The first row that fits counts, so the more special errors stand above the more general.
_MEANINGS: Final[tuple[tuple[tuple[type[Exception], ...], type[FetchError], str, bool], ...]] = (
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
_LOWER = (OSError, UnicodeError, http.client.HTTPException, urllib3_errors.HTTPError, _Refusal, codings.CodingError)


@cache
def _tls() -> ssl.SSLContext:
    """One for the process: reading the system's certificates takes 50 ms."""
    context = create_urllib3_context()
    context.load_default_certs()
    context.sslsocket_class = _TimedTlsSocket
    return context


def _origin(url: ada_url.URL) -> _Origin:
    return (
        url.protocol,
        url.hostname.strip("[]"),
        int(url.port) if url.port else 443 if url.protocol == "https:" else 80,
    )


def _left(until: float) -> float:
    """Seconds from now; TimeoutError if there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("out of time")
    return left


def _resolved(resolve: Resolve, host: str, port: int, until: float) -> Sequence[Endpoint]:
    """What `resolve` answers in time. In a thread of its own, since getaddrinfo takes no time limit."""
    outcome: SimpleQueue[Sequence[Endpoint] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            outcome.put(resolve(host, port))
        except Exception as error:  # noqa: BLE001 - it is raised again, below, in the thread that waits for it
            outcome.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        found = outcome.get(timeout=_left(until))
    except Empty:
        raise TimeoutError("no answer from the resolver") from None
    if isinstance(found, Exception):
        raise found
    return found


def _dialled(endpoint: Endpoint, seconds: float) -> _TimedSocket:
    sock = _TimedSocket(socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(endpoint)
    except BaseException:
        sock.close()
        raise
    return sock


def _pieces(response: HTTPResponse, size: int) -> Iterator[bytes]:
    """The body as it comes, still coded."""
    try:
        yield from response.stream(size, decode_content=False)
    except ValueError as error:  # urllib3 takes a chunk of negative size for one, and fails to read it
        raise urllib3_errors.ProtocolError("no such chunk") from error


def _drained(response: HTTPResponse, sock: _TimedSocket, call: _Call) -> bytes:
    """Nothing; but a short body is read to its end, so that the connection can be kept."""
    if response.length_remaining is not None and response.length_remaining <= _DRAIN_BYTES:
        sock.until = call.within(_DRAIN_SECONDS)
        _beginning(response, _DRAIN_BYTES)
    return b""


def _beginning(response: HTTPResponse, limit: int) -> bytes:
    """At most `limit` bytes of a body. The status has been given: a body that breaks off takes nothing back."""
    content = bytearray()
    try:
        for piece in _pieces(response, 4096):
            content += piece
            if len(content) >= limit:
                break
    except _LOWER:
        response.close()
    return bytes(content[:limit])
