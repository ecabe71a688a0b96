"""Sockets whose every wait ends in time, and which take no more than there is room for."""

import math
import socket
import ssl
import time
from functools import cache
from typing import Any, TypeAlias

from urllib3.util.ssl_ import create_urllib3_context

from broadsheet.fetch.errors import Refusal

Endpoint: TypeAlias = tuple[str, int]


class TimedSocket(socket.socket):
    """A socket whose every wait ends at `until`, however often a byte drips in, and which takes only `room` bytes."""

    until = math.inf
    room: float = math.inf

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if self.room <= 0:
            raise Refusal("too-large", "a head without end, or a body of nothing but framing")
        self.settimeout(left(self.until))
        received = super().recv_into(*args, **kwargs)
        self.room -= received
        return received

    def send(self, data: Any, flags: int = 0) -> int:
        self.settimeout(left(self.until))
        return super().send(data, flags)

    def abandon(self) -> None:
        """Close it, even if an answer that was refused half-built still holds it open."""
        if (descriptor := self.detach()) != -1:
            socket.close(descriptor)

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.settimeout(left(self.until))
        super().sendall(data, flags)


class TimedTlsSocket(TimedSocket, ssl.SSLSocket):
    """The same under TLS."""


def dialled(endpoint: Endpoint, seconds: float) -> TimedSocket:
    """A socket connected to an endpoint within `seconds`; OSError if there is none."""
    sock = TimedSocket(socket.AF_INET6 if ":" in endpoint[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(endpoint)
    except BaseException:
        sock.close()
        raise
    return sock


@cache
def tls_context() -> ssl.SSLContext:
    """One for the process: reading the system's certificates takes 50 ms."""
    context = create_urllib3_context()
    context.load_default_certs()
    context.sslsocket_class = TimedTlsSocket
    return context


def left(until: float) -> float:
    """Seconds from now; TimeoutError if there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("out of time")
    return left
