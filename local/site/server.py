"""The sample site's hosts: one threaded server each on 127.0.0.1, misbehaving as told, with a log of every request."""

import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

import msgspec
import yaml

from local.site.answers import Reply, answer
from local.site.publication import Publication, publications


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request as its host saw it. `start` and `end` in seconds since the site began; status 0: the client left.

    `end` is taken just before the answer's last bytes leave, so that whoever waits for an answer never overlaps.
    """

    source: str
    host: str
    method: str
    path: str
    status: int
    start: float
    end: float
    user_agent: str


class SampleSite:
    """Four publications, each on a port of its own at `address`; a context manager.

    `stall` is how long (seconds) the page that times out once waits: longer than the fetcher's limit. `latency` is what
    every answer takes, so that two requests at once would be seen as such. `port` is the first host's, the others
    follow; 0 takes free ones.
    """

    def __init__(self, *, stall: float = 30, latency: float = 0.01, port: int = 0, address: str = "127.0.0.1") -> None:
        self.publications = publications()
        self.stall = stall
        self.latency = latency
        self._port = port
        self.address = address
        self._hosts: dict[str, _Host] = {}
        self._threads: list[threading.Thread] = []
        self._log: list[Request] = []
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        for number, publication in enumerate(self.publications):
            host = _Host(self, publication, self._port + number if self._port else 0)
            self._hosts[publication.id] = host
            thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self._hosts.values():
            host.shutdown()
            host.hang_up()
            host.server_close()
        for thread in self._threads:
            thread.join()

    def stand_behind(self, front: Callable[[str, int], str]) -> None:
        """Publish at the addresses that `front` gives (`host:port`) for each host's own, before anyone has come."""
        for host in self._hosts.values():
            host.base = f"http://{front(self.address, host.server_address[1])}"

    def base(self, source: str) -> str:
        """Scheme and host of a publication, without a slash at the end."""
        return self._hosts[source].base

    def url(self, source: str, slug: str) -> str:
        """The address of a story's page."""
        publication = next(p for p in self.publications if p.id == source)
        return self.base(source) + publication.path(next(s for s in publication.stories if s.slug == slug))

    def sources(self, channels: tuple[str, ...] = (), **settings: Any) -> list[dict[str, Any]]:
        """The site's sources as the sources file holds them; `settings` are further fields for each."""
        return [
            {
                "id": publication.id,
                "name": publication.name,
                "url": self.base(publication.id) + publication.feed_path,
                "kind": "sitemap" if publication.shape == "anzeiger" else "feed",
                "language": publication.language.partition("-")[0],
                "timezone": publication.zone,
                "channels": list(channels),
                **settings,
            }
            for publication in self.publications
        ]

    def sources_yaml(self, channels: Mapping[str, str], **settings: Any) -> str:
        """A whole sources file; `channels` are kinds by id, and every source posts to all of them."""
        file = {
            "channels": [{"id": channel, "kind": kind} for channel, kind in channels.items()],
            "sources": self.sources(tuple(channels), **settings),
        }
        return yaml.safe_dump(file, allow_unicode=True, sort_keys=False)

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request answered or given up so far, in the order in which they began."""
        with self._lock:
            return tuple(sorted(self._log, key=lambda request: request.start))

    def overlaps(self) -> list[tuple[Request, Request]]:
        """Pairs of requests that one host had to serve at once: a polite fetcher leaves none."""
        pairs = []
        for host in self._hosts.values():
            served = [request for request in self.requests if request.host == host.name]
            latest: Request | None = None
            for request in served:
                if latest is not None and request.start < latest.end:
                    pairs.append((latest, request))
                latest = request if latest is None or request.end > latest.end else latest
        return pairs

    def shortest_gap(self, source: str) -> float | None:
        """Seconds between the starts of the two closest requests to a publication; None if fewer than two came."""
        starts = [request.start for request in self.requests if request.source == source]
        return min((later - earlier for earlier, later in pairwise(starts)), default=None)

    def answer(self, publication: Publication, base: str, target: str, headers: Mapping[str, str]) -> Reply:
        """What a publication answers now: some pages behave differently when they are asked for again."""
        with self._lock:
            self._asked[base, target] += 1
            first = self._asked[base, target] == 1
        return answer(publication, base, target, headers, first=first, stall=self.stall)

    def _clock(self) -> float:
        return time.monotonic() - self._began

    def _record(self, request: Request) -> None:
        with self._lock:
            self._log.append(request)


class _Host(ThreadingHTTPServer):
    """One publication's server; remembers its connections, because an idle one would keep its thread alive."""

    daemon_threads = True

    def __init__(self, site: SampleSite, publication: Publication, port: int) -> None:
        super().__init__((site.address, port), _Handler)
        self.site = site
        self.publication = publication
        self.name = f"{site.address}:{self.server_address[1]}"
        self.base = f"http://{self.name}"
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._connections_lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends every open connection, so that their threads end too."""
        with self._connections_lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was quicker

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that left in the middle: some are told to."""


class _Handler(BaseHTTPRequestHandler):
    server: _Host
    protocol_version = "HTTP/1.1"
    server_version = "SampleSite"
    sys_version = ""
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        site, host = self.server.site, self.server
        start = site._clock()
        reply = site.answer(host.publication, host.base, self.path, dict(self.headers))
        stayed = self._stays(site.latency + reply.wait)
        end = site._clock()
        site._record(
            Request(
                source=host.publication.id,
                host=host.name,
                method=self.command,
                path=self.path,
                status=reply.status if stayed else 0,
                start=start,
                end=end,
                user_agent=self.headers.get("User-Agent", ""),
            )
        )
        if not stayed:
            self.close_connection = True
            return
        self.send_response_only(reply.status)
        if reply.status != 304:
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """The site's own log is enough."""

    def _stays(self, seconds: float) -> bool:
        """Whether the client is still there after `seconds`; returns early if it leaves."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        return not readable or self.connection.recv(1, socket.MSG_PEEK) != b""
