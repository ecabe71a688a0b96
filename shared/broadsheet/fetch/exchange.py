"""One request over one connection, and its answer, within limits."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

import ada_url
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3 import exceptions as urllib3_errors

from broadsheet import codings
from broadsheet.fetch.answers import LINES
from broadsheet.fetch.call import Call
from broadsheet.fetch.connections import Connection
from broadsheet.fetch.errors import LOWER, Refusal
from broadsheet.fetch.sockets import TimedSocket

_PIECE = 64 * 1024  # bytes read at a time
_MAX_PIECES = 50_000  # an 8 MiB body in 64 KiB pieces has 128; one in one-byte chunks would cost seconds of CPU
_DRAIN_BYTES = 64 * 1024  # a short answer we don't want is read to its end, which is cheaper than a new connection
_DRAIN_SECONDS = 1.0
# Lists among the headers that are read somewhere: sent in several lines, they add up. They stay lines, for a robot's
# name in X-Robots-Tag governs the rest of its own alone.
_LISTS = frozenset({"cache-control", "link", "x-robots-tag"})


class Request(NamedTuple):
    """What one connection is asked."""

    method: str
    target: ada_url.URL
    headers: Mapping[str, str]
    body: bytes | None
    beginning: int | None = None


class Answer:
    """What came back, of whatever status."""

    def __init__(self, status: int, headers: HTTPHeaderDict, body: bytes) -> None:
        self.status = status
        self.headers = {
            name.lower(): LINES.join(values) if name.lower() in _LISTS else values[-1]  # RFC 9110 §5.3
            for name in headers
            if (values := headers.getlist(name))
        }
        self.location = next(iter(headers.getlist("location")), None)
        self.body = body


def ask(connection: Connection, request: Request, call: Call) -> Answer:
    """The answer to a request; afterwards the connection is open only if it can be asked again.

    Raises what `errors.LOWER` lists.
    """
    limits = call.limits
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
        sock = cast(TimedSocket, connection.sock)
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
            content = _page(response, call, request.beginning)
        elif request.method == "GET":
            content = _drained(response, sock, call)
        else:
            content = _beginning(response, limits.answer_bytes)
        if not response.isclosed() or response.status < 200:
            response.close()
            connection.close()
    except BaseException:
        if response:
            response.close()
        dropped = cast(TimedSocket | None, connection.sock) or sock
        connection.close()
        if dropped:
            dropped.abandon()
        raise
    return Answer(response.status, response.headers, content)


def _page(response: HTTPResponse, call: Call, beginning: int | None) -> bytes:
    """The whole body, decoded; or its beginning, from a host that sends it plain as it was asked to."""
    if beginning is not None and not response.headers.get("content-encoding"):
        return _beginning(response, beginning)
    limit = call.limits.body_bytes
    if (response.length_remaining or 0) > limit:
        raise Refusal("too-large", f"{response.length_remaining} bytes announced")
    raw = bytearray()
    for count, piece in enumerate(_pieces(response, _PIECE)):
        raw += piece
        if len(raw) > limit or count > _MAX_PIECES:
            raise Refusal("too-large", f"more than {limit} bytes, or in too many pieces")
    coding = response.headers.get("content-encoding", "")
    body = codings.decode(bytes(raw), coding, call.limits.decoded_bytes)
    call.note("body", f"{len(raw)} bytes {coding or 'plain'}, {len(body)} decoded")
    return body


def _pieces(response: HTTPResponse, size: int) -> Iterator[bytes]:
    """The body as it comes, still coded."""
    try:
        yield from response.stream(size, decode_content=False)
    except ValueError as error:  # urllib3 takes a chunk of negative size for one, and fails to read it
        raise urllib3_errors.ProtocolError("no such chunk") from error


def _drained(response: HTTPResponse, sock: TimedSocket, call: Call) -> bytes:
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
    except LOWER:
        response.close()
    return bytes(content[:limit])
