"""Channels on loopback: each answers as its service documents, refuses what is over its limits, keeps what it took."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, payload: Any, status: int = 200, **headers: str) -> "Answer":
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(payload).encode(), {"content-type": "application/json", **named})


@dataclass
class Posted:
    """One request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A service: `judge` answers a request, `next` answers once before it."""

    url: str
    judge: Callable[[Posted], Answer]
    posts: list[Posted] = field(default_factory=list)
    next: list[Answer] = field(default_factory=list)


@contextmanager
def listening(judge: Callable[[Posted], Answer]) -> Iterator[Receiver]:
    """Serves `judge` on a free port of 127.0.0.1."""
    receiver = Receiver("", judge)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            posted = Posted(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.posts.append(posted)
            answer = receiver.next.pop(0) if receiver.next else receiver.judge(posted)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            with suppress(BrokenPipeError, ConnectionResetError):  # an impatient client has gone
                self.end_headers()
                self.wfile.write(answer.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's name)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
