"""A notifier over moto, whose channels are judges in this process and whose clock only sleeping and tests move."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from broadsheet.article import Article
from broadsheet.deliveries import Deliveries, Delivery, Telling
from broadsheet.notify import Notifier
from broadsheet.phrasings import Phrasings
from broadsheet.posting import TIME_FOR_A_POST
from broadsheet.rewriting import Rewriter
from broadsheet.secrets import Secrets
from broadsheet.source import Sources, parse
from broadsheet.standings import Standings
from broadsheet.store import Articles, Record, document
from tests.stack.cloud import Cloud
from tests.unit.channels.loopback import Answer, Posted

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()
PATH = "/broadsheet/t/channels"
LEASE = 90

Judge = Callable[[Posted], Answer | BaseException]


def article_id(n: int) -> str:
    return f"{n:026d}"


class Newsroom:
    """`judges` by channel id answer what is posted to `http://<channel id>/…`; `posts` are those they were given."""

    def __init__(self, cloud: Cloud, sources: str, secrets: Mapping[str, str] | None = None) -> None:
        self.cloud = cloud
        self.now = NOW
        self.sources: Sources = parse(sources)
        self.posts: list[tuple[str, Posted]] = []
        self.judges: dict[str, Judge] = {}
        self.last_posts: dict[str, float] | None = None
        self.bedrock: Any = None  # a client, where there are `models`
        self.models: tuple[str, ...] = ()
        self.monthly = 1_000_000
        kept = dict(secrets or {})
        for channel in self.sources.channels:
            secret = kept.get(channel.id) or f"http://{channel.id}/hook"
            cloud.ssm.put_parameter(Name=f"{PATH}/{channel.id}", Value=secret, Type="SecureString")
        self.articles = Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket)
        self.deliveries = Deliveries(cloud.dynamodb, cloud.state_table, run="run", lease=LEASE)

    def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Any:
        room, _, path = url.removeprefix("http://").partition("/")
        posted = Posted(f"/{path}", dict(headers), body)
        self.posts.append((room, posted))
        judged = self.judges[room](posted) if room in self.judges else Answer(200, b"ok")
        if isinstance(judged, BaseException):
            raise judged
        return judged

    def notifier(self, seconds: float = 60) -> Notifier:
        return Notifier(
            articles=self.articles,
            deliveries=self.deliveries,
            standings=Standings(self.cloud.dynamodb, self.cloud.state_table, run="run"),
            secrets=Secrets(self.cloud.ssm, PATH, clock=lambda: self.now),
            sources=self.sources,
            http=self,
            clock=lambda: self.now,
            sleep=self._sleep,
            deadline=self.now + seconds,
            last_posts=self.last_posts,
            rewriter=Rewriter(
                client=lambda: self.bedrock,
                models=self.models,
                monthly=self.monthly,
                phrasings=Phrasings(self.cloud.dynamodb, self.cloud.state_table),
                articles=self.articles,
                clock=lambda: self.now,
                deadline=self.now + seconds,
                reserve=TIME_FOR_A_POST,
            ),
        )

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def run(self, seconds: float = 60) -> Notifier:
        """The schedule's minute."""
        notifier = self.notifier(seconds)
        notifier.post_due()
        return notifier

    def commit(self, n: int, *, title: str = "", source: str = "news", **fields: Any) -> Record:
        when = datetime.fromtimestamp(self.now, UTC)
        fields = {"text": "x", **fields}
        article = Article(url=f"https://news.example/{n}", title=title or f"No-{n:02d} of the day", **fields)
        made = document(
            article, id=article_id(n), source=source, first_seen=when, fetched_at=when, summary=f"It sails at {n}."
        )
        return self.articles.commit(made, now=when, announce=True, trace=f"t{n}")[0]

    def pending(self, *numbers: int, room: str = "room") -> None:
        for n in numbers:
            self.commit(n)
            self.deliveries.open(Telling(article_id(n)), room, now=self.now)

    def state(self, n: int, room: str = "room") -> Delivery:
        return self.deliveries.of_article(article_id(n))[room]

    def told(self, room: str = "room") -> list[Any]:
        """The JSON bodies that a channel was posted."""
        return [json.loads(posted.body) for told, posted in self.posts if told == room and posted.body[:1] == b"{"]
