"""What docs/consuming.md promises, done over a published stack: the sample consumer, the DuckDB query, searching."""

import importlib.util
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from broadsheet.article import Article
from broadsheet.cli import main
from broadsheet.store import Articles, document
from local.embedded import TEMPLATE
from tests.stack.cloud import Cloud
from tests.stack.test_publish import NOW, contents, run

DOCS = TEMPLATE.parent / "docs"
STORIES = (
    ("harbour", "Ferry cat retires", "After eleven years the Harbour cat leaves the ferry."),
    ("harbour", "Bread at night", "The night shift gets its bread. A ferry brings it to the harbour."),
    ("qinghe", "茶农学会了收集雾", "山上的茶农用网收集雾水。一百年来第一次。"),
    ("qinghe", "老戏院重开", "放映师把第一张票留给自己。100% 的座位"),
)


@pytest.fixture
def editions(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The editions of two days, as `aws s3 sync` leaves them, in the working directory."""
    for i, (source, title, text) in enumerate(STORIES):
        seen: datetime = NOW - timedelta(days=i % 2)
        article = Article(url=f"https://{source}.example/{i}", title=title, text=text, length=len(text))
        made = document(article, id=f"n{i}", source=source, first_seen=seen, fetched_at=NOW, summary=text)
        Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket).commit(
            made, now=NOW, announce=False, trace="t"
        )
    run(cloud)
    for key, body in contents(cloud, "editions/").items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "editions"


def found(*arguments: str) -> list[str]:
    answer = CliRunner().invoke(main, ["search", *arguments, "--json"])
    assert answer.exit_code == 0, answer.output
    return [row["id"] for row in json.loads(answer.output)]


def test_the_query_in_the_docs_counts_the_articles(editions: Path) -> None:
    (query,) = re.findall(r"```sql\n(SELECT.*?)```", (DOCS / "consuming.md").read_text(encoding="utf-8"), re.DOTALL)
    rows = duckdb.execute(query).fetchall()
    assert sorted((source, str(day), count) for source, day, count, _ in rows) == [
        (source, f"{day:%Y-%m-%d}", 1) for source in ("harbour", "qinghe") for day in (NOW - timedelta(days=1), NOW)
    ]


def test_the_json_lines_are_read_too(editions: Path) -> None:
    rows = duckdb.execute(
        "SELECT count(*) FROM read_json('editions/v1/jsonl/*/*.zst', union_by_name = true)"
    ).fetchall()
    assert rows == [(len(STORIES),)]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["ferry"], ["n0", "n1"]),
        (["FERRY", "harbour"], ["n0", "n1"]),
        (["bread", "ferry"], ["n1"]),
        (["茶农"], ["n2"]),
        (["收集雾水"], ["n2"]),
        (["100%"], ["n3"]),
        (["1__%"], []),
        (["'; DROP TABLE x; --"], []),
        (["ferry", "--since", f"{NOW:%Y-%m-%d}"], ["n0"]),
        (["一", "--source", "qinghe"], ["n2", "n3"]),
        (["一", "--source", "harbour"], []),
    ],
)
def test_search_finds_articles_with_all_words_best_first(editions: Path, words: list[str], ids: list[str]) -> None:
    assert found(*words) == ids


def test_search_without_editions_says_where_they_come_from(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["search", "x", "--editions", str(tmp_path)])
    assert answer.exit_code == 1
    assert "aws s3 sync" in answer.output


def test_the_sample_consumer_reads_the_article_its_event_names(
    cloud: Cloud, editions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("consumer", DOCS / "consumer" / "app.py")
    assert spec
    assert spec.loader
    consumer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(consumer)
    monkeypatch.setattr(consumer, "s3", cloud.s3)
    event: dict[str, Any] = json.loads((DOCS / "consumer" / "event.json").read_text())
    key = next(key for key in cloud.keys() if key.endswith("/n2.json"))  # noqa: SIM118 - it is a method, no dict's
    event["detail"] |= {"bucket": {"name": cloud.bucket}, "object": {**event["detail"]["object"], "key": key}}
    assert consumer.lambda_handler(event, None)["title"] == "茶农学会了收集雾"
