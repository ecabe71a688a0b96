"""Papers on loopback for measurements: each a host of its own, with a feed and pages of a usual size, in no hurry."""

import random
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

WORDS = """harbour ferry council lantern winter bakery orchard signal bridge meadow archive keeper market river letter
tide school engine garden quarry station morning evening citizens budget railway museum weather lighthouse boats said
of the and for with over under after before between nobody everybody perhaps because although again"""
_WORDS = WORDS.split()
PARAGRAPHS, SENTENCES, SENTENCE = 12, 4, 14  # about 670 words, a news article's usual length
CLUTTER = "<nav>" + "<a href='/section' class='navigation-item level-2'>Section</a>" * 600 + "</nav>"  # 40 KB of a page


class Papers:
    """`number` papers that answer after `latency` seconds; a context manager. `publish` puts stories into each feed."""

    def __init__(self, number: int, *, latency: float = 0.0) -> None:
        self.latency = latency
        self._stories: dict[int, list[int]] = {}
        self._servers = [_Paper(("127.0.0.1", 0), self) for _ in range(number)]

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def publish(self, each: int) -> None:
        """So many new stories in every paper; a feed shows its newest 30."""
        for server in self._servers:
            shown = self._stories.setdefault(server.server_port, [])
            shown.extend(range(len(shown), len(shown) + each))

    def sources(self, channels: Sequence[str], *, delay: float) -> list[dict[str, Any]]:
        """The papers as the sources file has them."""
        return [
            {
                "id": f"paper-{n}",
                "name": f"Paper {n}",
                "url": f"http://127.0.0.1:{server.server_port}/feed",
                "delay": delay,
                "channels": list(channels),
                "announce_first": 1000,
            }
            for n, server in enumerate(self._servers)
        ]

    def url(self, paper: int, story: int) -> str:
        """A story's page."""
        return f"http://127.0.0.1:{self._servers[paper].server_port}/story/{story}"

    def answer(self, port: int, path: str) -> bytes | None:
        """A feed, a page, or None for what isn't there."""
        time.sleep(self.latency)
        if path == "/feed":
            shown = self._stories.get(port, [])[-30:]
            items = "".join(
                f"<item><title>{title(port, n)}</title><link>http://127.0.0.1:{port}/story/{n}</link>"
                f"<guid isPermaLink='false'>{port}-{n}</guid><description>{text(port, n, 1)}</description></item>"
                for n in reversed(shown)
            )
            return f"<rss version='2.0'><channel><title>Paper {port}</title>{items}</channel></rss>".encode()
        if path.startswith("/story/"):
            return page(port, int(path.rsplit("/", 1)[1]))
        return None


class _Paper(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], papers: Papers) -> None:
        super().__init__(address, _Handler)
        self.papers = papers


class _Handler(BaseHTTPRequestHandler):
    server: _Paper

    def do_GET(self) -> None:
        body = self.server.papers.answer(self.server.server_port, self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8" if "story" in self.path else "application/rss+xml")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def title(port: int, n: int) -> str:
    """A headline of about 60 characters, no two alike."""
    chosen = random.Random(f"{port}/{n}")
    return " ".join(chosen.choice(_WORDS) for _ in range(8)).capitalize() + f", part {n} of {port}"


def text(port: int, n: int, paragraphs: int) -> str:
    """Paragraphs of a story, parted by line ends."""
    chosen = random.Random(f"{port}:{n}")

    def sentence() -> str:
        return " ".join(chosen.choice(_WORDS) for _ in range(SENTENCE)).capitalize() + "."

    return "\n".join(" ".join(sentence() for _ in range(SENTENCES)) for _ in range(paragraphs))


def page(port: int, n: int) -> bytes:
    """A story's page of about 45 KB, of which a tenth is the story."""
    address = f"http://127.0.0.1:{port}/story/{n}"
    head = (
        f"<title>{title(port, n)}</title><meta property='og:title' content='{title(port, n)}'>"
        f"<link rel='canonical' href='{address}'><meta property='og:image' content='{address}.jpg'>"
        "<meta property='article:published_time' content='2026-11-20T08:00:00Z'>"
        "<meta name='author' content='A. Keeper'>"
        "<meta property='article:section' content='Town'>"
    )
    paragraphs = "".join(f"<p>{paragraph}</p>" for paragraph in text(port, n, PARAGRAPHS).split("\n"))
    body = f"{CLUTTER}<article><h1>{title(port, n)}</h1>{paragraphs}</article>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>".encode()
