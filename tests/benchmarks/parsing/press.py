"""Fifty papers behind one server on loopback, which remember who asked them when they shouldn't have been asked."""

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.benchmarks.cost import papers

HOSTS, LATENCY = 50, 0.1  # seconds before an answer
DELAYS = {0: 1.0, 5: 3.0}  # seconds between two requests that hosts of these last digits want, where delays are on
SLACK = 0.05  # seconds an answer may take from our last look at the clock to its reader's


class Press(ThreadingHTTPServer):
    """The papers; a context manager. `rude` tells of requests that came at once with another, or too early."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, *, delays: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.delays = DELAYS if delays else {}
        self.lock = threading.Lock()
        self.under_way: Counter[str] = Counter()
        self.ended: dict[str, float] = {}
        self.rude: list[str] = []
        self.asked = 0
        self.at_once = 0  # hosts at most

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()

    def url(self, host: int, story: int) -> str:
        """A story's page."""
        return f"http://paper-{host}.example:{self.server_port}/story/{story}"

    def begin(self, host: str, delay: float) -> None:
        """A request has come."""
        now = time.monotonic()
        with self.lock:
            self.asked += 1
            self.under_way[host] += 1
            self.at_once = max(self.at_once, sum(map(bool, self.under_way.values())))
            if self.under_way[host] > 1:
                self.rude.append(f"{host} was asked twice at once")
            if now < self.ended.get(host, 0.0) + delay - SLACK:
                self.rude.append(f"{host} was asked after {now - self.ended[host]:.2f} s instead of {delay:g}")

    def end(self, host: str) -> None:
        """Its answer is about to leave: who has it may ask again."""
        with self.lock:
            self.under_way[host] -= 1
            self.ended[host] = time.monotonic()


class _Handler(BaseHTTPRequestHandler):
    server: Press
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        press, host = self.server, self.headers["Host"].partition(":")[0]
        number = int(host.partition(".")[0].removeprefix("paper-"))
        delay = press.delays.get(number % 10, 0.0)
        press.begin(host, delay)
        time.sleep(LATENCY)
        if self.path == "/robots.txt":
            body = f"User-agent: *\nCrawl-delay: {delay:g}\n".encode() if delay else b""
        else:
            body = papers.page(number, int(self.path.rpartition("/")[2]))
        press.end(host)
        self.send_response_only(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""
