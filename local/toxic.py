"""A bad network on loopback: a TCP proxy that delays answers, resets and cuts them, drips, and closes late."""

import random
import selectors
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self, get_args

Toxin = Literal["latency", "reset", "reset-midway", "cut", "drip", "slow-close"]

LATENCY = 0.3  # seconds before an answer's first byte
MIDWAY = 400  # bytes of an answer that pass before it ends: its headers, and the beginning of its body
DRIP, DRIP_EVERY = 200, 0.05  # bytes at a time, and seconds between them: 4 KB/s
LATE = 2.0  # seconds until a connection that leads nowhere any more is closed
NO_LINGER = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST


class BadNetwork:
    """Proxies before servers, good until `bad` is set; a context manager. `seen` counts what it did.

    Then every other request gets a toxin, in an order drawn by a seed, each as often as any other. Only answers are
    touched, so a server sees requests when they are made; one that is reset, or comes to a dead connection, it never
    sees.
    """

    def __init__(self, *, seed: int) -> None:
        self.bad = False
        self.seen: Counter[Toxin] = Counter()
        self._draw = random.Random(seed)  # noqa: S311 - to be repeated
        self._coming: list[Toxin | None] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listeners: list[socket.socket] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        while self._threads:
            self._threads.pop().join()

    def front(self, host: str, port: int) -> str:
        """Put a proxy before a server; returns the proxy's `host:port`."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        self._start(self._listen, listener, (host, port))
        return f"127.0.0.1:{listener.getsockname()[1]}"

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _listen(self, listener: socket.socket, server: tuple[str, int]) -> None:
        while not self._stop.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return  # it was closed
            self._start(self._carry, client, server)

    def _next(self) -> Toxin | None:
        """What befalls the next request."""
        with self._lock:
            if not self.bad:
                return None
            if not self._coming:
                toxins = list(get_args(Toxin))
                self._draw.shuffle(toxins)
                self._coming = [one for toxin in toxins for one in (toxin, None)]
            toxin = self._coming.pop()
            if toxin:
                self.seen[toxin] += 1
            return toxin

    def _carry(self, client: socket.socket, server: tuple[str, int]) -> None:
        """Carry bytes both ways until either end closes, or a toxin has done its work."""
        ready = selectors.DefaultSelector()
        # either may leave at any moment
        with client, ready, suppress(OSError), socket.create_connection(server) as site:
            ready.register(client, selectors.EVENT_READ)
            ready.register(site, selectors.EVENT_READ)
            toxin, answered = self._next(), 0
            while not self._stop.is_set():
                for key, _ in ready.select(0.5):
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]  # they are sockets
                    if not data:
                        return
                    if key.fileobj is site:
                        if not self._answer(client, data, answered, toxin):
                            return
                        answered += len(data)
                        continue
                    if answered:  # the next request on this connection
                        if toxin == "slow-close":  # nobody is there any more, but nobody says so
                            self._stop.wait(LATE)
                            return
                        toxin, answered = self._next(), 0
                    if toxin == "reset":
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                        return
                    site.sendall(data)

    def _answer(self, client: socket.socket, data: bytes, answered: int, toxin: Toxin | None) -> bool:
        """Pass on a part of an answer, as the toxin lets it; False if that was the last."""
        if toxin == "latency" and not answered:
            self._stop.wait(LATENCY)
        if toxin in ("cut", "reset-midway") and answered + len(data) > MIDWAY:
            client.sendall(data[: MIDWAY - answered])
            if toxin == "reset-midway":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            return False
        if toxin == "drip":
            for i in range(0, len(data), DRIP):
                client.sendall(data[i : i + DRIP])
                self._stop.wait(DRIP_EVERY)
            return True
        client.sendall(data)
        return True
