"""A newsstand: papers on loopback under names of their own; discover, parse and notify read them by one clock."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from broadsheet.archive import Archive
from broadsheet.callback import Callback
from broadsheet.deliveries import Deliveries
from broadsheet.discover import Discoverer, Outcome
from broadsheet.fetch import Client, Endpoint
from broadsheet.hosts import Hosts
from broadsheet.intake import Intake
from broadsheet.notify import Notifier
from broadsheet.originals import Originals
from broadsheet.parse import Parser
from broadsheet.polls import Polls
from broadsheet.queue import Queue
from broadsheet.refetch import Refetcher
from broadsheet.secrets import Secrets
from broadsheet.shares import Shares
from broadsheet.source import Channel, Source, Sources
from broadsheet.standings import Standings
from broadsheet.store import Articles, Record, record_from_item
from broadsheet.subscriptions import Subscriptions
from tests.hostile.loopback import Asked, Server, answer, serving
from tests.stack.cloud import Cloud

HERALD = "http://herald.example"
CALLBACK = "https://callback.example/"
START = 1_790_000_000.0


class Newsstand:
    """Papers by URL; `pages` maps to a body, or to a whole answer from `loopback.answer`. Time passes in `later`."""

    def __init__(self, cloud: Cloud, server: Server, client: type[Client]) -> None:
        def resolve(host: str, port: int) -> list[Endpoint]:
            return [("127.0.0.1", server.port)]

        self.cloud, self.now = cloud, START
        self.client = client(
            user_agent="Broadsheet/test",
            allowed_networks=("127.0.0.0/8",),
            resolve=resolve,
            clock=lambda: self.now,
        )
        self.pages: dict[str, bytes] = {}
        self.sources: tuple[Source, ...] = (herald(),)
        self.subscriptions: Subscriptions | None = None  # no hub is asked
        self.archive = False
        self.polls = Polls(cloud.dynamodb, cloud.state_table)
        self._asked = server.asked
        for channel in ("town", "valley"):
            cloud.ssm.put_parameter(
                Name=f"/broadsheet/t/channels/{channel}", Value=f"http://hooks.example/{channel}", Type="SecureString"
            )

    def discoverer(self, run: str = "discover") -> Discoverer:
        return Discoverer(
            polls=self.polls,
            hosts=Hosts(self.cloud.dynamodb, self.cloud.state_table, run=run, lease=330),
            queue=Queue(self.cloud.sqs, self.cloud.queue_url),
            shares=Shares(self.cloud.sqs, self.cloud.polls_queue_url),
            client=self.client,
            sources=self._sources,
            clock=lambda: self.now,
            sleep=lambda _: None,
            deadline=self.now + 240,
            subscriptions=self.subscriptions,
            callback_url=CALLBACK,
        )

    def callback(self) -> Callback:
        return Callback(
            polls=self.polls,
            subscriptions=Subscriptions(self.cloud.dynamodb, self.cloud.state_table),
            intake=Intake(self.polls, Queue(self.cloud.sqs, self.cloud.queue_url)),
            sources=self._sources,
            clock=lambda: self.now,
        )

    def poll(self, *, force: bool = True) -> list[Outcome]:
        """One run of discover, then parse until its queue is empty, then notify."""
        outcomes = self.discoverer().run(force=force)
        self.deliver()
        return outcomes

    def refetch(self) -> int:
        """What discover does before it polls: send what is due to be fetched again; then parse it."""
        sent = Refetcher(
            articles=self.articles,
            polls=self.polls,
            queue=Queue(self.cloud.sqs, self.cloud.queue_url),
            sources=self._sources,
            clock=lambda: self.now,
        ).run()
        self.deliver()
        return sent

    def deliver(self) -> None:
        """Parse what is queued; then show notify every record, as its stream may at any time."""
        while found := self.cloud.messages(self.cloud.queue_url):
            self.parser().run([(one["MessageId"], one["Body"]) for one in found])
            for one in found:
                self.cloud.sqs.delete_message(QueueUrl=self.cloud.queue_url, ReceiptHandle=one["ReceiptHandle"])
        notifier = Notifier(
            articles=self.articles,
            deliveries=Deliveries(self.cloud.dynamodb, self.cloud.state_table, run="notify", lease=150),
            standings=Standings(self.cloud.dynamodb, self.cloud.state_table, run="notify"),
            secrets=Secrets(self.cloud.ssm, "/broadsheet/t/channels"),
            sources=self._sources,
            http=self.client,
            clock=lambda: self.now,
            sleep=lambda _: None,
            deadline=self.now + 240,
        )
        for record in self.records:
            notifier.announce(record)

    def parser(self) -> Parser:
        return Parser(
            articles=self.articles,
            originals=Originals(self.cloud.dynamodb, self.cloud.state_table),
            hosts=Hosts(self.cloud.dynamodb, self.cloud.state_table, run="parse", lease=150),
            queue=Queue(self.cloud.sqs, self.cloud.queue_url, self.cloud.dead_letter_url),
            client=self.client,
            sources=self._sources,
            clock=lambda: self.now,
            sleep=lambda _: None,
            deadline=self.now + 120,
            archive=Archive(self.cloud.s3, self.cloud.bucket) if self.archive else None,
        )

    def later(self, hours: float = 1) -> None:
        self.now += hours * 3600

    def publish(self, *stories: "str | tuple[str, str]", site: str = HERALD, canonical: str = "") -> None:
        """Put a page at each path, titled by its last words or as given beside it."""
        for story in stories:
            path, title = story if isinstance(story, tuple) else (story, headline(story))
            self.pages[site + path] = page(title, canonical=canonical)

    @property
    def records(self) -> list[Record]:
        return [record_from_item(item) for item in self.cloud.items(self.cloud.articles_table)]

    @property
    def stored(self) -> list[Record]:
        """The articles, by URL."""
        return sorted((record for record in self.records if record.status == "stored"), key=lambda one: one.url)

    @property
    def aliases(self) -> list[Record]:
        return [record for record in self.records if record.status == "alias"]

    @property
    def posts(self) -> Counter[tuple[str, str]]:
        """How often each channel heard of each title."""
        posted = self.asked("hooks.example")
        return Counter((asked.path.strip("/"), json.loads(asked.body)["article"]["title"]) for asked in posted)

    def asked(self, host: str) -> list[Asked]:
        """What was posted to a host."""
        return [one for one in self._asked if one.method == "POST" and one.headers["host"] == host]

    @property
    def fetched(self) -> list[str]:
        """The URLs asked for, in order, without robots.txt."""
        asked = [f"http://{one.headers['host']}{one.path}" for one in self._asked if one.method == "GET"]
        return [url for url in asked if not url.endswith("/robots.txt")]

    def asked_headers(self, url: str) -> dict[str, str]:
        """The headers of the last request for a URL."""
        parts = urlsplit(url)
        return next(
            one.headers
            for one in reversed(self._asked)
            if (one.headers["host"], one.path) == (parts.netloc, parts.path or "/")
        )

    @property
    def articles(self) -> Articles:
        return Articles(self.cloud.dynamodb, self.cloud.articles_table, self.cloud.s3, self.cloud.bucket)

    @property
    def _sources(self) -> Sources:
        channels = tuple(Channel(id=id, kind="webhook", interval=0) for id in ("town", "valley"))
        return Sources(sources=self.sources, channels=channels)


@contextmanager
def opened(cloud: Cloud, client: type[Client] = Client) -> Iterator[Newsstand]:
    """A newsstand whose every name leads to one server on loopback."""
    pages: dict[str, bytes] = {}

    def say(asked: Asked, sock: socket.socket) -> bool:
        url = f"http://{asked.headers['host']}{asked.path}"
        if asked.method == "POST":
            body = pages.get(f"POST {url}", answer())
        else:
            body = pages.get(url, answer(status="404 Not Found"))
        sock.sendall(body if body.startswith(b"HTTP/1.1 ") else answer(body, headers={"Content-Type": "text/html"}))
        return True

    with serving(say) as server:
        stand = Newsstand(cloud, server, client)
        stand.pages = pages
        yield stand


def herald(**changes: Any) -> Source:
    """The paper most tests read."""
    given: dict[str, Any] = {
        "id": "herald",
        "name": "Herald",
        "url": f"{HERALD}/feed",
        "delay": 0,
        "channels": ("town",),
    }
    return Source(**given | {"announce_first": 100} | changes)


def headline(path: str) -> str:
    """A title of a path's own: no two agree."""
    return f"What the town says of {path.strip('/').replace('/', ' ').replace('-', ' ')}"


def page(title: str, *, canonical: str = "") -> bytes:
    """An article's page, in three paragraphs of its own."""
    link = f'<link rel="canonical" href="{canonical}">' if canonical else ""
    text = "".join(
        f"<p>{title}: {told}, said the keeper of the lighthouse, who has counted every boat since the spring and wrote "
        f"each one down in a ledger that nobody else may open before the council has met again.</p>"
        for told in ("it began at the pier before dawn", "by noon the bakers knew", "in the evening it was settled")
    )
    head = f'<title>{title}</title>{link}<meta property="og:title" content="{title}">'
    body = f"<body><article><h1>{title}</h1>{text}</article></body>"
    return f'<!doctype html><html lang="en"><head>{head}</head>{body}</html>'.encode()


def item(path: str, *, site: str = HERALD, **fields: str) -> str:
    """An RSS item; `fields` replace or, if empty, remove what it has: title, link, guid, pubDate."""
    given = {"title": headline(path), "link": site + path, "guid": f"tag:{path}"} | fields
    given["guid"] = given["guid"] and f"<guid isPermaLink='false'>{given['guid']}</guid>"
    plain = {name: f"<{name}>{value}</{name}>" if name != "guid" else value for name, value in given.items() if value}
    return f"<item>{''.join(plain.values())}</item>"


def rss(*items: str, link: str = f"{HERALD}/") -> bytes:
    """A feed of these items."""
    return (
        f"<rss version='2.0'><channel><title>Paper</title><link>{link}</link>{''.join(items)}</channel></rss>".encode()
    )


def sitemap(*urls: str) -> bytes:
    """A sitemap without dates."""
    return (
        "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"
        + "".join(f"<url><loc>{url}</loc></url>" for url in urls)
        + "</urlset>"
    ).encode()
