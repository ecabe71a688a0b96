"""A webhook receiver on loopback: takes what a chat service or a consumer would be posted, and keeps it in order."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import msgspec


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One POST: where, its headers (names in lower case), its body as sent and as JSON, and what it was answered."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    payload: Any
    status: int


class Receiver:
    """Answers `/slack/<name>` like Slack, every other path as a plain JSON webhook; a context manager.

    Slack's own words are used for what it refuses: `invalid_payload` for no JSON, `no_text` for an empty message.
    """

    def __init__(self, port: int = 0, address: str = "127.0.0.1") -> None:
        self._posts: list[Post] = []
        self._failures: deque[tuple[int, int | None]] = deque()
        self._lock = threading.Lock()
        self._address = address
        self._server = _Server((address, port), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str) -> str:
        """The address of a webhook, such as `slack/town` or `json/archive`."""
        return f"http://{self._address}:{self._server.server_address[1]}/{path.lstrip('/')}"

    def fail(self, *statuses: int, retry_after: int | None = None) -> None:
        """The next posts are refused with these statuses, one each; `retry_after` (seconds) goes with them."""
        with self._lock:
            self._failures.extend((status, retry_after) for status in statuses)

    @property
    def posts(self) -> tuple[Post, ...]:
        """Every POST so far, refused ones too, in the order in which they were answered."""
        with self._lock:
            return tuple(self._posts)

    @property
    def accepted(self) -> tuple[Post, ...]:
        """The posts that were answered 200."""
        return tuple(post for post in self.posts if post.status == 200)

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, int | None]:
        """Records a post; what it is answered: status, text, Retry-After in seconds."""
        try:
            payload = json.loads(body)
        except ValueError:
            payload = None
        with self._lock:
            status, retry_after = self._failures.popleft() if self._failures else (200, None)
            text = "ok" if status == 200 else "told to fail"
            if status == 200 and not isinstance(payload, dict):
                status, text = 400, "invalid_payload"
            elif status == 200 and path.startswith("/slack/") and not (payload.get("text") or payload.get("blocks")):
                status, text = 400, "no_text"
            self._posts.append(Post(path=path, headers=headers, body=body, payload=payload, status=status))
        return status, text, retry_after


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0: a connection a post, so that none is left open when the receiver stops.
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, text, retry_after = self.server.receiver.take(self.path, headers, body)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """What arrived is kept, not printed."""
