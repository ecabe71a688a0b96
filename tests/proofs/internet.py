"""The proofs' internet, in memory: papers to read, channels to post to, and a log of what each was asked."""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from broadsheet.fetch import FetchDenied, FetchError, FetchGone, FetchTransient, Limits, Response
from broadsheet.urls import host_key
from tests.proofs.clock import START, Clock
from tests.proofs.faults import Faults, Touch
from tests.proofs.partners import HUB, Hub, Model

FETCH_TAKES, TIMEOUT_TAKES = 0.2, 12.0  # seconds
ASKED_FOR = 120.0  # seconds of Retry-After
LATER = 1800.0  # seconds after the start, further pages are published


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What is published at an address. `canonical` is what it says its address is, `moved` where it redirects.

    A `changing` one reads otherwise whenever it is fetched; a `busy` one says 429 so many times at first.
    """

    url: str
    title: str = ""
    canonical: str = ""
    moved: str = ""
    status: int = 200
    changing: bool = False
    busy: int = 0
    body: str = ""  # instead of an article's page

    def html(self, times: int = 1) -> str:
        """An article in three paragraphs of its own, when it has been asked for so many times."""
        if self.body:
            return self.body
        named = f'<link rel="canonical" href="{self.canonical}">' if self.canonical else ""
        paragraphs = "".join(f"<p>{text}</p>" for text in prose(self.title, times if self.changing else 1))
        return (
            f'<!DOCTYPE html><html lang="en"><head><title>{self.title}</title>{named}'
            f'<meta property="og:title" content="{self.title}"><meta property="og:type" content="article">'
            '<meta property="article:published_time" content="2026-11-18T08:00:00Z"></head>'
            f"<body><main><article><h1>{self.title}</h1>{paragraphs}</article></main></body></html>"
        )


def prose(title: str, readers: int = 1) -> list[str]:
    """Three paragraphs long enough to be an article."""
    return [
        f"{title}: this is what the whole town talked about on Wednesday, from the ferry landing to the upper mill, "
        "and by noon the bakers had run out of both news and rolls.",
        "The council will meet again next week. Until then the keys stay with the harbour master, who has promised to "
        "open the gate every morning and to count whoever passes through it.",
        f"Nobody was hurt, {readers} came to look, and the two swans that started it all were last seen asleep on the "
        "roof of the library, where the children have named them after the opening hours.",
    ]


def feed(*entries: Page | tuple[Page, bool], hub: str = "") -> str:
    """An RSS feed of articles; with True beside one, the feed has its text in full. `hub`: links of its own, if any."""
    items = []
    for entry in entries:
        page, full = entry if isinstance(entry, tuple) else (entry, False)
        text = "".join(f"<p>{part}</p>" for part in prose(page.title)) * 4 if full else ""
        content = f"<content:encoded><![CDATA[{text}]]></content:encoded>" if full else ""
        items.append(
            f'<item><title>{page.title}</title><link>{page.url}</link><guid isPermaLink="false">{page.url}</guid>'
            f"<pubDate>Wed, 18 Nov 2026 08:00:00 GMT</pubDate>{content}</item>"
        )
    return (
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>News</title>'
        f"{hub}{''.join(items)}</channel></rss>"
    )


class Visit(msgspec.Struct, frozen=True):
    """A request that reached a host."""

    host: str
    url: str
    start: float
    end: float
    by: str
    paused: float  # seconds the answer asked to be left alone
    in_turn: bool  # whether a worker had the host's turn


class Post(msgspec.Struct, frozen=True):
    """An announcement that a channel took."""

    channel: str
    delivery_id: str
    url: str
    possible_repeat: bool | None  # None: the channel's form has no place to say it
    at: float
    is_update: bool = False
    summary: str = ""


class Internet:
    """The pages and feeds by address, and what happened."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self._clock = clock
        self._faults = faults
        self._pages: dict[str, Page] = {}
        self._tired: set[str] = set()
        self._later: dict[str, Page] = {}
        self.turn_of: Callable[[str], bool] = lambda _: True
        self.visits: list[Visit] = []
        self.posts: list[Post] = []
        self.refused: list[Post] = []  # with Retry-After
        self.hub = Hub()
        self.model = Model()

    def begin(self, pages: Mapping[str, Page], later: Mapping[str, Page], tired: Iterable[str] = ()) -> None:
        """Forget everything; there are these pages, and later those. `tired` channels refuse their first post."""
        self._pages, self._later = dict(pages), {**pages, **later}
        self._tired = set(tired)
        self.visits, self.posts, self.refused = [], [], []
        self.hub.begin(START + LATER)
        self.model.begin()

    def publish(self, *pages: Page) -> None:
        """Put pages up, or others in their place."""
        for page in pages:
            self._pages[page.url] = self._later[page.url] = page

    @property
    def pages(self) -> dict[str, Page]:
        """What is published by now."""
        return self._pages if self._clock.now < START + LATER else self._later

    def is_busy(self, url: str) -> bool:
        """Whether the host has no time for this page yet."""
        page = self.pages.get(url)
        return page is not None and sum(visit.url == url for visit in self.visits) < page.busy

    def refuses(self, channel: str) -> bool:
        """Whether the channel wants to be left alone for now."""
        if channel in self._tired:
            self._tired.remove(channel)
            return True
        return False

    def client(self) -> "Client":
        """What a function fetches and posts with."""
        return Client(self, self._clock, self._faults)

    def answer(self, url: str, headers: Mapping[str, str]) -> Response:
        """What the host says."""
        page = self.pages.get(url)
        if page is None or page.status in (404, 410):
            raise FetchGone(url, "http-404", status=404)
        if page.status == 403:
            raise FetchDenied(url, "http-403", status=403)
        if page.status == 500:
            raise FetchTransient(url, "http-500", status=500)
        tag = f'"{zlib.crc32(page.body.encode())}"'
        if page.body and headers.get("If-None-Match") == tag:
            return Response(url=url, status=304, headers={"etag": tag}, body=b"")
        kind = "application/rss+xml" if page.body.startswith("<rss") else "text/html; charset=utf-8"
        times = sum(visit.url == url for visit in self.visits)
        found = {"content-type": kind} | ({"etag": tag} if page.body else {})
        return Response(url=url, status=200, headers=found, body=page.html(times).encode())


class Client:
    """The interface of `broadsheet.fetch.Client`, over the internet in memory."""

    limits = Limits(total_seconds=20)  # as the template has it

    def __init__(self, internet: Internet, clock: Clock, faults: Faults) -> None:
        self._internet = internet
        self._clock = clock
        self._faults = faults

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
        """As the real one: redirects are followed, another host only after `before_host`."""
        hops: list[tuple[int, str]] = []
        while True:
            self._exchange(url)
            page = self._internet.pages.get(url)
            if page is None or not page.moved:
                return msgspec.structs.replace(self._internet.answer(url, headers or {}), redirects=tuple(hops))
            hops.append((302, page.moved))
            if before_redirect:
                before_redirect(page.moved)
            if before_host and host_key(page.moved) != host_key(url):
                before_host(page.moved)
            url = page.moved

    def _exchange(self, url: str) -> None:
        kind = self._visit(url, "fetch")
        if kind == "kill-after":
            self._faults.kill()
        if kind is not None:
            raise _transient(url, kind)

    def _visit(self, url: str, what: str) -> str | None:
        """A request to a host, and what befell it."""
        visited = Touch(f"host {host_key(url)}", writes=True)
        kind = self._faults.step(what, visited)
        if kind is None and self._internet.is_busy(url):
            kind = "throttle"
        start = self._clock.now
        self._clock.now += TIMEOUT_TAKES if kind == "timeout" else FETCH_TAKES
        self._faults.process.between("fetching", (visited,))
        asked = ASKED_FOR if kind == "throttle" else 0.0
        host, by = host_key(url), self._faults.process.function
        self._internet.visits.append(Visit(host, url, start, self._clock.now, by, asked, self._internet.turn_of(host)))
        return kind

    def _subscribe(self, url: str, form: bytes) -> Response:
        kind = self._visit(url, "post")
        if kind in (None, "kill-after", "timeout"):
            self._internet.hub.hears(form, self._clock.now)
        if kind == "kill-after":
            self._faults.kill()
        if kind is not None:
            raise _transient(url, kind)
        return Response(url=url, status=202, headers={}, body=b"")

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
        """Post to a channel, or ask one what it has had; or ask a hub to push."""
        parts = urlsplit(url)
        if url == HUB:
            return self._subscribe(url, body)
        if parts.path.endswith("/conversations.history"):
            return self._history(url, body)
        kind = self._faults.step("post", Touch(f"channel {parts.path}", writes=True))
        if kind == "timeout":
            self._clock.now += TIMEOUT_TAKES
        if kind is None and self._internet.refuses(parts.path.rsplit("/", 1)[1]):
            kind = "throttle"
        if kind == "error":
            return Response(url=url, status=503, headers={}, body=b"not now")
        told = self._read(parts.path, json.loads(body))
        if kind == "throttle":
            self._internet.refused += told
            return Response(url=url, status=429, headers={"retry-after": str(int(ASKED_FOR))}, body=b"{}")
        self._internet.posts += told
        if kind == "kill-after":
            self._faults.kill()
        if kind == "timeout":
            raise _transient(url, kind)
        ts = f"{self._clock.now:.6f}"
        return Response(url=url, status=200, headers={}, body=json.dumps({"ok": True, "ts": ts}).encode())

    def _read(self, path: str, body: Any) -> list[Post]:
        """What a post tells; a digest tells of several articles under one id."""
        if path.endswith("/chat.postMessage"):
            told = body["metadata"]["event_payload"]["delivery_id"]
            return [Post(body["channel"], told, body["text"].partition("|")[0].lstrip("<"), None, self._clock.now)]
        channel, articles = path.rsplit("/", 1)[1], body.get("articles") or [body["article"]]
        repeat, updated = body["possible_repeat"], body.get("kind") == "updated"
        return [
            Post(channel, body["id"], each["url"], repeat, self._clock.now, updated, each["summary"])
            for each in articles
        ]

    def _history(self, url: str, body: bytes) -> Response:
        kind = self._faults.step("read-back", Touch("channel *", writes=False))
        if kind == "kill-after":
            self._faults.kill()
        if kind == "throttle":
            return Response(url=url, status=429, headers={"retry-after": "60"}, body=b"{}")
        if kind is not None:
            raise _transient(url, kind)
        asked = parse_qs(body.decode())
        messages = [
            {
                "ts": f"{post.at:.6f}",
                "metadata": {
                    "event_type": "broadsheet_delivery",
                    "event_payload": {"delivery_id": post.delivery_id},
                },
            }
            for post in self._internet.posts
            if post.channel == asked["channel"][0] and post.at > float(asked["oldest"][0])
        ]
        return Response(url=url, status=200, headers={}, body=json.dumps({"ok": True, "messages": messages}).encode())


def _transient(url: str, kind: str) -> FetchError:
    if kind == "throttle":
        error = FetchTransient(url, "http-429", status=429)
        error.retry_after, error.host_wide = ASKED_FOR, True
        return error
    error = FetchTransient(url, "timeout" if kind == "timeout" else "connection")
    error.host_wide, error.sent = True, kind == "timeout"
    return error
