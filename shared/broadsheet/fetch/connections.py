"""Connections through the gate, and those that are kept for the next request."""

import ssl
import threading
import time
from typing import Final, TypeAlias, cast

import ada_url
from urllib3.connection import HTTPConnection, HTTPSConnection

from broadsheet.fetch.call import Call
from broadsheet.fetch.gate import Gate
from broadsheet.fetch.sockets import TimedSocket

_IDLE_SECONDS = 30.0  # most servers close after 5 to 75 s; a frozen function must not wait on a connection long dead
_MAX_IDLE = 64  # connections; a function has 1,024 file descriptors

Origin: TypeAlias = tuple[str, str, int]


def origin_of(url: ada_url.URL) -> Origin:
    """The scheme, host and port that answer for a URL."""
    return (
        url.protocol,
        url.hostname.strip("[]"),
        int(url.port) if url.port else 443 if url.protocol == "https:" else 80,
    )


class PlainConnection(HTTPConnection):
    """A connection whose socket the gate opens."""

    call: Call

    def __init__(self, gate: Gate, origin: Origin) -> None:
        super().__init__(origin[1], origin[2])
        self.gate = gate
        self.origin = origin

    def _new_conn(self) -> TimedSocket:
        return self.gate.connect(self._dns_host, self.origin[2], self.call)

    def described(self) -> str:
        return str(self.sock.getpeername()[0]) if self.sock else "nowhere"


class TlsConnection(HTTPSConnection):
    """The same under TLS, certificates verified."""

    call: Call

    def __init__(self, gate: Gate, origin: Origin) -> None:
        super().__init__(origin[1], origin[2], ssl_context=gate.tls)
        self.gate = gate
        self.origin = origin

    def _new_conn(self) -> TimedSocket:
        return self.gate.connect(self._dns_host, self.origin[2], self.call)

    def described(self) -> str:
        sock = cast(ssl.SSLSocket, self.sock)
        return f"{sock.getpeername()[0]} {sock.version()}"


Connection: TypeAlias = PlainConnection | TlsConnection
_KINDS: Final[dict[str, type[Connection]]] = {"http:": PlainConnection, "https:": TlsConnection}


class Connections:
    """What a client has open: new connections, and one idle for each origin, for all its threads."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._lock = threading.Lock()
        self._idle: dict[Origin, tuple[Connection, float]] = {}

    def new(self, origin: Origin) -> Connection:
        """A connection that opens when it is asked."""
        return _KINDS[origin[0]](self._gate, origin)

    def kept(self, origin: Origin) -> Connection | None:
        """The idle connection to an origin, if it can still be asked; nobody else gets it."""
        with self._lock:
            connection, since = self._idle.pop(origin, (None, 0.0))
        if connection is None:
            return None
        if time.monotonic() - since < _IDLE_SECONDS and connection.is_connected:
            return connection
        connection.close()
        return None

    def keep(self, connection: Connection) -> None:
        """Let a connection wait for the next request, if it is open."""
        if connection.sock is None:
            return
        with self._lock:
            surplus = [self._idle.pop(connection.origin, None)]
            if len(self._idle) >= _MAX_IDLE:
                surplus.append(self._idle.pop(next(iter(self._idle))))
            self._idle[connection.origin] = (connection, time.monotonic())
        for idle in surplus:
            if idle:
                idle[0].close()

    def close(self) -> None:
        """Let go of the idle ones."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for connection, _ in idle.values():
            connection.close()
