"""The main job, end to end: the sample site's sources through the real template's stack, over real HTTP.

Twice: in the embedded AWS, in one process; and, for a second opinion, in ministack, over HTTP, with functions in
processes of their own, two of them reading the queue at once over a network that delays, drips, cuts and resets.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, get_args

import msgspec
import pytest

from broadsheet.store import Record, StoredArticle, record_from_item
from local.build import BuildError, build_ministack
from local.embedded import EmbeddedAws
from local.processes import Processes
from local.receiver import Receiver
from local.runtime import Invocation
from local.site import SampleSite
from local.toxic import BadNetwork, Toxin

SEED = 7
FAST = {"FetchSeconds": "1", "RetryDelay": "1", "AllowedNetworks": "127.0.0.0/8"}


class World:
    """A site, its readers' channels, and the stack between them, after one run of everything."""

    def __init__(self, aws: EmbeddedAws | Processes, network: BadNetwork, site: SampleSite, receiver: Receiver) -> None:
        self.aws = aws
        self.network = network
        self.site = site
        self.receiver = receiver
        self.invocations: list[Invocation] = []
        aws.observers.append(self.invocations.append)

    def run(self) -> None:
        self.network.bad = False  # it stands between parser and sites
        self.aws.invoke("DiscoverFunction", {"job": "poll", "force": True})
        self.network.bad = isinstance(self.aws, Processes)
        assert self.aws.run_until_idle(90), self.aws.backlog()

    @property
    def records(self) -> dict[str, Record]:
        items = self.aws.client("dynamodb").scan(TableName=self.aws.resource("ArticlesTable"))["Items"]
        return {item["id"]["S"]: record_from_item(item) for item in items}

    @property
    def stored(self) -> list[Record]:
        return [record for record in self.records.values() if record.status == "stored"]

    @property
    def objects(self) -> dict[str, bytes]:
        s3, bucket = self.aws.client("s3"), self.aws.resource("Bucket")
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def titled(self, slug: str) -> Record:
        story = next(s for p in self.site.publications for s in p.stories if s.slug == slug)
        return next(record for record in self.stored if record.title == story.title)


@pytest.fixture(scope="module", params=["embedded", "second-opinion"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    sources = tmp_path_factory.mktemp("sources") / "sources.yaml"
    with ExitStack() as up:
        network = up.enter_context(BadNetwork(seed=SEED))
        site = up.enter_context(SampleSite(stall=3))
        receiver = up.enter_context(Receiver())
        site.stand_behind(network.front)
        text = site.sources_yaml({"town": "slack", "archive": "webhook"}, delay=0.05, announce_first=100)
        sources.write_text(
            text.replace("kind: slack", "kind: slack\n  interval: 0").replace(
                "kind: webhook", "kind: webhook\n  interval: 0"
            ),
            encoding="utf-8",
        )
        parameters = {**FAST, "Sources": str(sources)}
        aws: EmbeddedAws | Processes
        if request.param == "embedded":
            aws = up.enter_context(EmbeddedAws(parameters=parameters, minute=0.3))
        else:
            try:
                build_ministack()
            except BuildError as error:
                if error.reason == "failed":
                    raise
                pytest.skip(str(error))
            aws = up.enter_context(Processes(parameters, minute=0.3))
        for channel, path in (("town", "slack/town"), ("archive", "json/archive")):
            aws.client("ssm").put_parameter(
                Name=f"/broadsheet/broadsheet/channels/{channel}", Value=receiver.url(path), Type="SecureString"
            )
        world = World(aws, network, site, receiver)
        world.run()
        yield world


def test_every_invocation_succeeds(world: World) -> None:
    failed = [(i.function, i.error) for i in world.invocations if i.error is not None]
    assert not failed


def test_the_network_was_as_bad_as_it_should(world: World) -> None:
    assert set(world.network.seen) == (set(get_args(Toxin)) if isinstance(world.aws, Processes) else set())


def test_every_story_ends_stored_or_with_its_reason(world: World) -> None:
    stories = [story for publication in world.site.publications for story in publication.stories]
    assert len(stories) >= 24
    stored = Counter(record.title for record in world.stored)
    reasons = Counter(record.reason for record in world.records.values() if record.status == "unavailable")
    assert max(stored.values()) == 1
    # the malformed feed breaks off within its last entry
    expected = {s.title for s in stories if s.answer not in ("missing", "disallowed") and s.slug != "cable-car"}
    assert set(stored) == expected
    assert reasons == {"http-404": 1, "robots-disallowed": 1}


def test_each_object_is_the_schema_and_agrees_with_its_record(world: World) -> None:
    objects = world.objects
    assert sorted(objects) == sorted(record.s3_key or "" for record in world.stored)
    for record in world.stored:
        article = msgspec.json.decode(objects[record.s3_key or ""], type=StoredArticle)
        assert (article.id, article.title, article.content_hash) == (record.id, record.title, record.content_hash)
        assert article.published_at is not None
        assert len([b for b in article.blocks if b.kind == "paragraph"]) >= 3
        assert article.summary
        assert {"title", "published_at", "text", "blocks", "language"} <= set(article.provenance)


def test_a_refused_page_is_told_from_the_feeds_own_text(world: World) -> None:
    record = world.titled("tofu-festival")
    article = msgspec.json.decode(world.objects[record.s3_key or ""], type=StoredArticle)
    assert (article.origin, article.origin_reason) == ("feed", "http-403")
    assert article.provenance["title"].kind == "feed"


def test_a_page_that_timed_out_and_a_host_that_said_429_arrive_later(world: World) -> None:
    assert world.titled("tide-clock").origin == "page"
    assert world.titled("railway-path").origin == "page"
    statuses = Counter(request.status for request in world.site.requests)
    assert statuses[429] == 1
    assert statuses[0] == 1  # we hung up on the slow page


def test_two_links_to_one_article_are_one_article(world: World) -> None:
    aliases = [record for record in world.records.values() if record.status == "alias"]
    assert {alias.target for alias in aliases} <= {record.id for record in world.stored}
    assert world.titled("keeper-teaches-fog")
    assert world.titled("salvage-orchestra").id in {alias.target for alias in aliases}


def test_each_channel_hears_of_each_article_once(world: World) -> None:
    posts = Counter((post.path, json.dumps(post.payload, sort_keys=True)) for post in world.receiver.accepted)
    assert set(posts.values()) == {1}
    per_channel = Counter(post.path for post in world.receiver.accepted)
    assert per_channel == {"/slack/town": len(world.stored), "/json/archive": len(world.stored)}


def test_no_host_was_asked_twice_at_once_and_crawl_delay_held(world: World) -> None:
    assert world.site.overlaps() == []
    pages = [r for r in world.site.requests if r.source == "anzeiger" and r.path.endswith((".html", "/"))]
    starts = [request.start for request in pages]
    assert all(later - earlier >= 0.99 for earlier, later in itertools.pairwise(starts))


def test_nothing_is_left_anywhere(world: World) -> None:
    assert not any(world.aws.backlog().values())
    sqs = world.aws.client("sqs")
    for queue in ("DeadLetterQueue", "FailuresQueue"):
        assert "Messages" not in sqs.receive_message(QueueUrl=world.aws.resource(queue))


def test_a_second_run_changes_nothing(world: World) -> None:
    def state() -> Any:
        return sorted(world.objects.items()), sorted(world.records), len(world.receiver.posts)

    before = state()
    world.run()
    world.aws.fire(next(s.id for s in world.aws.stack.schedules if '"sweep"' in json.dumps(s.event)))
    assert state() == before
