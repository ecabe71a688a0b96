"""Publishing: what was committed is in its day's edition and on its source's pages, however often and late it ran."""

import io
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
import zstandard

from broadsheet.article import Article
from broadsheet.editions import MANIFEST, Editions, Manifest
from broadsheet.forget import Forgetting
from broadsheet.hosts import Hosts
from broadsheet.polling import PollState
from broadsheet.polls import Polls
from broadsheet.publish import TURN, Outcome, Publisher
from broadsheet.source import Source, Sources
from broadsheet.store import Articles, StoredArticle, document
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die

NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
HARBOUR = Source(id="harbour", name="Harbour Gazette", url="https://harbour.example/feed")
QINGHE = Source(
    id="qinghe", name="清河日报", url="https://qinghe.example/feed", language="zh", timezone="Asia/Shanghai"
)
PAGES = {
    f"pages/{id}/{name}"
    for id in ("harbour", "qinghe")
    for name in ("index.html", "latest.md", "feed.xml", "feed.json")
}
PAGES |= {"pages/index.html", "pages/health.html"}


def articles(cloud: Cloud) -> Articles:
    return Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket)


def publisher(
    cloud: Cloud, now: datetime = NOW, *, seconds: float = 840, sources: tuple[Source, ...] = (HARBOUR, QINGHE)
) -> Publisher:
    return Publisher(
        articles=articles(cloud),
        editions=Editions(cloud.s3, cloud.bucket),
        polls=Polls(cloud.dynamodb, cloud.state_table),
        hosts=Hosts(cloud.dynamodb, cloud.state_table, run="r", lease=870),
        sources=Sources(sources=sources),
        clock=now.timestamp,
        deadline=now.timestamp() + seconds,
    )


def commit(
    cloud: Cloud, name: str, *, seen: datetime = NOW, now: datetime = NOW, source: str = "harbour", title: str = ""
) -> StoredArticle:
    article = Article(url=f"https://{source}.example/{name}", title=title or name, text=f"The text of {name}.")
    made = document(
        article, id=name.ljust(26, "a"), source=source, first_seen=seen, fetched_at=now, summary=f"About {name}."
    )
    articles(cloud).commit(made, now=now, announce=True, trace="t")
    return made


def run(cloud: Cloud, now: datetime = NOW, **kind: Any) -> list[Outcome]:
    return publisher(cloud, now, **kind).run()


def keys(cloud: Cloud) -> list[str]:
    return cloud.keys()


def contents(cloud: Cloud, prefix: str = "") -> dict[str, bytes]:
    published = [key for key in keys(cloud) if key.startswith(prefix) and not key.startswith("articles/")]
    return {key: cloud.s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read() for key in published}


def lines(cloud: Cloud, day: str) -> list[dict[str, Any]]:
    body = contents(cloud)[f"editions/v1/jsonl/date={day}/articles.jsonl.zst"]
    text = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read().decode()
    return [json.loads(line) for line in text.splitlines()]


def manifest(cloud: Cloud) -> Manifest:
    return msgspec.json.decode(contents(cloud)[MANIFEST], type=Manifest)


def test_a_day_is_an_edition_in_both_formats(cloud: Cloud, tmp_path: Path) -> None:
    made = [commit(cloud, name) for name in ("tide", "fog")] + [commit(cloud, "豆腐", source="qinghe")]
    run(cloud)
    assert [line["id"] for line in lines(cloud, "2026-03-05")] == sorted(one.id for one in made)
    assert [msgspec.convert(line, StoredArticle) for line in lines(cloud, "2026-03-05")] == sorted(
        made, key=lambda one: one.id
    )
    file = tmp_path / "articles.parquet"
    file.write_bytes(contents(cloud)["editions/v1/parquet/date=2026-03-05/articles.parquet"])
    read = duckdb.execute(f"SELECT id, title, text, first_seen FROM read_parquet('{file}')").fetchall()
    expected = [(one.id, one.title, one.text, NOW.replace(tzinfo=None)) for one in made]
    assert read == sorted(expected)
    edition = manifest(cloud).editions["2026-03-05"]
    assert (edition.articles, edition.sources) == (3, {"harbour": 2, "qinghe": 1})
    assert edition.parquet.bytes == file.stat().st_size


def test_every_source_has_its_pages(cloud: Cloud) -> None:
    commit(cloud, "tide", title="The [tide] clock")
    run(cloud)
    found = contents(cloud, "pages/")
    assert set(found) == PAGES
    assert found["pages/harbour/latest.md"].decode() == (
        "Harbour Gazette\n------\n\n3-5 [The \\[tide\\] clock](<https://harbour.example/tide>)\n"
    )
    assert "No articles yet." in found["pages/qinghe/index.html"].decode()
    answer = cloud.s3.get_object(Bucket=cloud.bucket, Key="pages/harbour/feed.xml")
    assert answer["ContentType"] == "application/atom+xml; charset=utf-8"


@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=9)])
def test_publishing_again_writes_nothing(cloud: Cloud, after: timedelta) -> None:
    commit(cloud, "tide")
    run(cloud)
    first = contents(cloud)
    with before(cloud.s3, "PutObject", die):
        outcomes = run(cloud, NOW + after)
    assert {outcome.status for outcome in outcomes} == {"unchanged"}
    assert contents(cloud) == first


def test_a_quiet_run_costs_a_read_and_a_query_for_each_hour(cloud: Cloud) -> None:
    commit(cloud, "tide")
    run(cloud)
    run(cloud, NOW + timedelta(minutes=15))
    with before(cloud.s3, "-", die) as s3, before(cloud.dynamodb, "-", die) as dynamodb:
        run(cloud, NOW + timedelta(minutes=30))
    assert s3 == ["GetObject"]
    assert sorted(dynamodb) == ["BatchGetItem", "Query", "UpdateItem", "UpdateItem"]


def test_a_late_article_lands_in_its_days_edition_and_in_no_other(cloud: Cloud) -> None:
    commit(cloud, "tide")
    run(cloud)
    first = contents(cloud, "editions/v1/jsonl/date=2026-03-05")
    later = NOW + timedelta(days=3)
    commit(cloud, "fog", seen=datetime(2026, 3, 1, 9, 0, tzinfo=UTC), now=later)
    outcomes = run(cloud, later)
    assert [outcome.key for outcome in outcomes if outcome.status == "written" and not outcome.key.startswith("p")] == [
        "2026-03-01"
    ]
    assert [line["title"] for line in lines(cloud, "2026-03-01")] == ["fog"]
    assert contents(cloud, "editions/v1/jsonl/date=2026-03-05") == first


@pytest.mark.parametrize("split", [1, 2, 3])
def test_the_bytes_are_the_same_whatever_way_articles_came_in(cloud: Cloud, split: int) -> None:
    names = ["tide", "fog", "cat", "bread"]
    for name in names[split:] + names[:split]:
        commit(cloud, name)
        run(cloud)
    data = contents(cloud, "editions/v1/jsonl") | contents(cloud, "editions/v1/parquet")
    for key in [*data, MANIFEST]:
        cloud.s3.delete_object(Bucket=cloud.bucket, Key=key)
    run(cloud)
    assert contents(cloud, "editions/v1/jsonl") | contents(cloud, "editions/v1/parquet") == data


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize("service", ["s3", "dynamodb"])
def test_a_death_at_any_call_is_made_up_for_by_the_next_run(
    cloud: Cloud, service: str, death: Callable[[Any], None]
) -> None:
    client = getattr(cloud, service)
    later = NOW + timedelta(minutes=15)
    for nth in itertools.count(1):
        name = f"n{nth}"
        commit(cloud, name, now=later)
        with before(client, "*", death, nth=nth):
            try:
                run(cloud, later)
                died = False
            except KilledError:
                died = True
        later += timedelta(minutes=15)  # the lease of a run that died has ended
        run(cloud, later)
        assert name in [line["title"] for line in lines(cloud, "2026-03-05")]
        assert name in contents(cloud)["pages/harbour/latest.md"].decode()
        assert manifest(cloud).editions["2026-03-05"].articles == nth
        if not died:
            break
        assert nth < 60
    else:
        raise AssertionError
    assert nth > 3


def test_one_run_works_at_a_time(cloud: Cloud) -> None:
    Hosts(cloud.dynamodb, cloud.state_table, run="other", lease=870).take(TURN, now=NOW.timestamp())
    assert [outcome.status for outcome in run(cloud)] == ["busy"]
    assert contents(cloud) == {}


def test_what_time_does_not_allow_is_the_next_runs(cloud: Cloud) -> None:
    commit(cloud, "tide")
    assert [outcome.status for outcome in run(cloud, seconds=60)] == ["unfinished"]
    assert manifest(cloud).editions == {}
    run(cloud, NOW + timedelta(minutes=15))
    assert [line["title"] for line in lines(cloud, "2026-03-05")] == ["tide"]


def test_the_pages_of_a_source_that_left_are_taken_back_and_its_articles_stay(cloud: Cloud) -> None:
    commit(cloud, "tide")
    run(cloud)
    outcomes = run(cloud, sources=(QINGHE,))
    assert [outcome.key for outcome in outcomes if outcome.status == "removed"] == sorted(
        key for key in PAGES if "harbour" in key
    )
    assert not [key for key in keys(cloud) if key.startswith("pages/harbour/")]
    assert [line["title"] for line in lines(cloud, "2026-03-05")] == ["tide"]


def test_the_list_holds_the_latest_hundred(cloud: Cloud) -> None:
    for i in range(105):
        commit(cloud, f"n{i:03}", seen=NOW + timedelta(seconds=i))
    run(cloud)
    listed = contents(cloud)["pages/harbour/latest.md"].decode().split("\n\n")[1:]
    assert len(listed) == 100
    assert "n104" in listed[0]
    assert "n005" in listed[-1]


def test_the_health_page_says_what_ails_a_source(cloud: Cloud) -> None:
    commit(cloud, "tide")
    state = PollState(failing_since=NOW.timestamp() - 7200, reason="http-503", polled_at=NOW.timestamp())
    Polls(cloud.dynamodb, cloud.state_table).save("qinghe", state)
    run(cloud)
    page = contents(cloud)["pages/health.html"].decode()
    assert "failing since 2026-03-05 10:00 UTC: http-503" in page
    assert "2026-03-05: 1</title>" in page


def test_a_forgotten_article_leaves_its_edition_and_its_sources_pages(cloud: Cloud) -> None:
    for name in ("tide", "fog"):
        commit(cloud, name)
    run(cloud)
    later = NOW + timedelta(days=3)
    forgetting = Forgetting(
        cloud.dynamodb,
        cloud.s3,
        articles_table=cloud.articles_table,
        state_table=cloud.state_table,
        bucket=cloud.bucket,
    )
    ((record, aliases),) = forgetting.find(lambda record: record.title == "fog").values()
    forgetting.forget(record, aliases, now=later)
    run(cloud, later)
    assert [line["title"] for line in lines(cloud, "2026-03-05")] == ["tide"]
    assert "fog" not in str(contents(cloud, "pages/"))
