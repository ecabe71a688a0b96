"""Leaving: nothing of an article is left anywhere, it doesn't come back, and a death on the way is made up for."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from broadsheet.cli import main
from broadsheet.deliveries import Deliveries, Telling
from broadsheet.fetch.answers import Validators
from broadsheet.queue import ArticleMessage
from broadsheet.source import Sources, parse
from broadsheet.store import Record, object_key
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die
from tests.stack.test_parse_faults import HOST, NOW, Scripted, message, page
from tests.stack.test_parse_faults import parse as parse_batch
from tests.stack.test_store import articles

LATER = datetime.fromtimestamp(NOW, UTC) + timedelta(hours=6)
SOURCES = "sources: [{id: news, name: News, url: 'https://news.example/', keep_days: 30}]"
SECRET = "ferry"


def long_page(url: str) -> bytes | Exception:
    """Long enough to be recognised in another's words."""
    answer = page(url)
    if isinstance(answer, Exception):
        return answer
    more = "".join(f"<p>Report {url[-1]} of hour {n}: fog {n * 7 % 13} on pier {url[-1]}{n}.</p>" for n in range(30))
    return answer.replace(b"</article>", f"{more}</article>".encode())


@pytest.fixture
def stocked(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Three articles; the first has another address, an older revision, deliveries, and a file for reprints."""
    cloud.stands_for_a_deployment(monkeypatch, SOURCES)
    monkeypatch.setattr("broadsheet.originals.KEPT", datetime.now(UTC) - datetime.fromtimestamp(NOW, UTC))
    parse_batch(cloud, Scripted(long_page), [message(n) for n in range(3)])
    first = record(cloud, 0)
    articles(cloud).put_alias("b" * 26, first, url=f"{HOST}/amp/0", source="news", first_seen=LATER)
    newer = msgspec.structs.replace(articles(cloud).read(first.s3_key or ""), title="Ferry report, corrected")
    assert articles(cloud).revise(first, newer, now=LATER)
    deliveries = Deliveries(cloud.dynamodb, cloud.state_table, run="run", lease=60)
    deliveries.open(Telling(first.id), "room", now=NOW)
    yield cloud


def record(cloud: Cloud, n: int) -> Record:
    found = articles(cloud).record(message(n).id)
    assert found is not None
    return found


def forget(*words: str) -> Result:
    return CliRunner().invoke(main, ["forget", *words])


def leftovers(cloud: Cloud, id: str) -> list[str]:
    """All that any version of any object, or any item, still says of an article but its tombstone."""
    versions = cloud.s3.list_object_versions(Bucket=cloud.bucket)
    kept = [
        one["Key"] for one in [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])] if id in one["Key"]
    ]
    items = [item for item in cloud.items(cloud.state_table) if id in json.dumps(item, default=str)]
    return kept + [str(item["pk"]) for item in items if item["sk"] != {"S": "turn"}]


def assert_forgotten(cloud: Cloud, n: int) -> None:
    id = message(n).id
    assert leftovers(cloud, id) == []
    tombstone = next(item for item in cloud.items(cloud.articles_table) if item["id"]["S"] == id)
    assert (tombstone["status"], tombstone.get("reason")) == ({"S": "forgotten"}, None)
    assert not {"title", "summary", "sort_at", "outbox_at"} & {k for k, v in tombstone.items() if v != {"S": ""}}
    assert SECRET not in json.dumps(tombstone)


@pytest.mark.parametrize("what", ["id", "url", "alias"])
def test_nothing_is_left_of_an_article_but_its_id(stocked: Cloud, what: str) -> None:
    word = {"id": message(0).id, "url": message(0).url, "alias": "b" * 26}[what]
    assert leftovers(stocked, message(0).id) != []
    done = forget(word, "--yes", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output[done.output.index("{") :])
    assert (told["forgotten"], told["aliases"], told["objects"], told["items"]) == (1, 1, 3, 2)
    assert_forgotten(stocked, 0)
    alias = articles(stocked).record("b" * 26)
    assert alias is not None
    assert (alias.status, alias.url) == ("forgotten", "")
    assert [record(stocked, n).status for n in (1, 2)] == ["stored", "stored"]
    assert len([key for key in stocked.keys() if key.startswith("articles/")]) == 2  # noqa: SIM118 - no dict
    changes = articles(stocked).changes(datetime.now(UTC).timestamp() - 60, datetime.now(UTC).timestamp() + 60)
    assert [(change.id, change.gone, change.source) for change in changes] == [(message(0).id, True, "news")]


def test_it_asks_first(stocked: Cloud) -> None:
    asked = CliRunner().invoke(main, ["forget", message(0).id], input="n\n")
    assert asked.exit_code == 1
    assert "Ferry report, corrected" in asked.output
    assert record(stocked, 0).status == "stored"


def test_twice_is_as_once(stocked: Cloud) -> None:
    assert forget(message(0).url, "--yes").exit_code == 0
    again = forget(message(0).url, "--yes", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.output[again.output.index("{") :])["objects"] == 0


def test_it_does_not_come_back_and_no_page_is_asked_for(stocked: Cloud) -> None:
    forget(message(0).id, "--yes")
    client = Scripted(long_page)
    (outcome,) = parse_batch(stocked, client, [message(0)]).values()
    assert (outcome.status, client.asked) == ("known", [])
    other: ArticleMessage = message(0, id="c" * 26, source="rival")  # by another address, in another source
    parse_batch(stocked, client, [other])
    assert leftovers(stocked, "c" * 26) == []
    found = articles(stocked).record("c" * 26)
    assert found is not None
    assert (found.status, found.url) == ("forgotten", "")
    assert not [key for key in stocked.keys() if message(0).id in key]  # noqa: SIM118 - no dict


def test_what_a_parser_was_about_to_commit_is_withdrawn(cloud: Cloud) -> None:
    def forgotten_meanwhile(_: Any) -> None:
        cloud.dynamodb.put_item(
            TableName=cloud.articles_table,
            Item={
                "id": {"S": message(0).id},
                "status": {"S": "forgotten"},
                "url": {"S": ""},
                "source": {"S": "news"},
                "first_seen": {"S": "2026-03-04T00:00:00Z"},
                "s3_key": {"S": object_key(message(0).id, "news", message(0).first_seen)},
            },
        )

    with before(cloud.s3, "PutObject", forgotten_meanwhile):
        parse_batch(cloud, Scripted(page), [message(0)])
    assert cloud.keys() == []


@pytest.mark.parametrize("nth", [1, 2])
def test_what_a_parser_that_dies_wrote_of_a_revision_goes_when_its_message_comes_again(
    stocked: Cloud, nth: int
) -> None:
    """It began before the article was forgotten, and wrote when everything there was had been listed."""
    revised = msgspec.structs.replace(articles(stocked).read(record(stocked, 1).s3_key or ""), title="Corrected twice")
    before_it = record(stocked, 1)

    def forgotten_meanwhile(params: Any) -> None:
        assert forget(message(1).id, "--yes").exit_code == 0
        done_then_die(params)

    with before(stocked.s3, "PutObject", forgotten_meanwhile, nth=nth), pytest.raises(KilledError):
        articles(stocked).revise(before_it, revised, now=LATER)
    again = msgspec.structs.replace(message(1), revisit=Validators())
    (outcome,) = parse_batch(stocked, Scripted(long_page), [again]).values()
    assert outcome.status == "known"
    assert not [key for key in stocked.keys() if message(1).id in key]  # noqa: SIM118 - no dict


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize(
    ("service", "operation", "nth"),
    [("dynamodb", "PutItem", n) for n in (1, 2, 3)]
    + [("dynamodb", "DeleteItem", 1), ("dynamodb", "UpdateItem", 1)]
    + [("s3", "DeleteObjects", 1), ("s3", "ListObjectVersions", 2)],
)
def test_a_death_on_the_way_is_made_up_for(
    stocked: Cloud, service: str, operation: str, nth: int, death: Callable[[Any], None]
) -> None:
    with before(getattr(stocked, service), operation, death, nth=nth), pytest.raises(KilledError):
        forget(message(0).id, "--yes")
    assert forget("news", "--yes").exit_code == 0
    for n in range(3):
        assert_forgotten(stocked, n)


def test_a_source_leaves_with_all_it_had_first(stocked: Cloud) -> None:
    shown = forget("news", "--yes", "--json")
    assert json.loads(shown.output[shown.output.index("{") :])["forgotten"] == 3
    for n in range(3):
        assert_forgotten(stocked, n)
    assert stocked.keys() == []


def test_what_its_source_keeps_no_longer_leaves(stocked: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Sources(sources=(msgspec.structs.replace(parse(SOURCES).sources[0], keep_days=100_000),))
    monkeypatch.setattr("broadsheet.cli.deployment.Deployment.sources", fresh)
    assert forget("--expired", "--yes").exit_code == 0
    assert record(stocked, 0).status == "stored"
    monkeypatch.setattr("broadsheet.cli.deployment.Deployment.sources", parse(SOURCES))
    assert forget("--expired", "--yes").exit_code == 0
    assert_forgotten(stocked, 0)


def test_what_is_not_there_is_said(stocked: Cloud) -> None:
    unknown = forget("nwes", "--yes")
    assert unknown.exit_code == 1
    assert "no article and no source nwes; did you mean news?" in unknown.output
    assert forget().exit_code == 2
    assert forget("news", "--expired").exit_code == 2
