"""Backfill: each document ends as one article or with its reason, however often and interruptedly it is run."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from broadsheet import urls
from broadsheet.cli.deployment import Deployment
from broadsheet.importer import Outcome, documents, import_documents
from broadsheet.source import Source
from broadsheet.store import Articles
from broadsheet.urls import article_id
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die

NOW = 1_790_000_000.0
SEED = Source(id="archive", name="Archive", url="https://news.example/", language="zh")


def write(folder: Path, n: int, *, body: str = "", name: str = "") -> Path:
    path = folder / (name or f"{n:03d}.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    body = body or "".join(f"<p>第{m}段：青禾湖上的渡轮今天又开了，晚归的人不必绕路。</p>" for m in range(8))
    path.write_text(
        f"<!--1687180620000-->\n[渡轮第{n}次复航](https://news.example/cn/{n}-ferry)\n------\n\n{body}\n",
        encoding="utf-8",
    )
    return path


def run(cloud: Cloud, *paths: Path, announce: bool = False, source: Source = SEED) -> list[Outcome]:
    articles = Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket)
    return list(import_documents(paths, articles, source, announce=announce, clock=lambda: NOW))


def test_a_document_becomes_an_article_first_seen_when_it_says(cloud: Cloud, tmp_path: Path) -> None:
    (outcome,) = run(cloud, write(tmp_path, 1), announce=True)
    assert (outcome.status, outcome.id) == ("stored", article_id("https://news.example/cn/1-ferry"))
    assert cloud.keys() == [f"articles/v1/source=archive/date=2023-06-19/{outcome.id}.json"]
    record = Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket).record(outcome.id)
    assert record is not None
    assert (record.origin, record.language, record.first_seen) == ("seed", "zh", "2023-06-19T13:17:00Z")
    assert record.outbox_at == datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert record.summary


def test_importing_again_changes_nothing(cloud: Cloud, tmp_path: Path) -> None:
    for n in range(3):
        write(tmp_path, n)
    assert [one.status for one in run(cloud, tmp_path)] == ["stored"] * 3
    items, keys = cloud.items(cloud.articles_table), cloud.keys()
    assert [one.status for one in run(cloud, tmp_path, announce=True)] == ["known"] * 3
    assert (cloud.items(cloud.articles_table), cloud.keys()) == (items, keys)


def test_a_new_policy_of_identity_finds_what_was_imported_under_a_former_one(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, url = write(tmp_path, 1), "https://news.example/cn/1-ferry"
    path.write_text(path.read_text(encoding="utf-8").replace(url, f"{url}?newtrack=7"), encoding="utf-8")
    (was,) = run(cloud, path)
    monkeypatch.setattr(urls, "POLICY", 2)
    monkeypatch.setitem(urls._TRACKERS, "newtrack", 2)
    (now,) = run(cloud, path)
    assert (now.status, now.id) == ("known", was.id)
    assert len(cloud.keys()) == 1
    cloud.stands_for_a_deployment(monkeypatch, "sources: []")
    id, record = Deployment().find(f"{url}?newtrack=7")
    assert record is not None
    assert (id, record.id) == (article_id(url), was.id)


def test_folders_are_read_through_in_order_and_other_files_left_alone(tmp_path: Path) -> None:
    for name in ("b/2.md", "a/1.md", "a/deep/0.txt", "a/picture.jpg", "README"):
        write(tmp_path, 1, name=name)
    found = [str(path.relative_to(tmp_path)) for path in documents([tmp_path, tmp_path / "README"])]
    assert found == ["a/1.md", "a/deep/0.txt", "b/2.md", "README"]


def test_a_malformed_document_is_skipped_with_its_reason_and_nothing_else_is(cloud: Cloud, tmp_path: Path) -> None:
    write(tmp_path, 1)
    (tmp_path / "002.md").write_text("no document\n")
    (tmp_path / "003.md").write_bytes(b"\xff\xfe")
    write(tmp_path, 4, body="<p></p>")
    (tmp_path / "005.md").write_text(
        "<!--1687180620000-->\n[t](mailto:a@b.example)\n------\n\n<p>渡轮今天又开了。</p>\n"
    )
    write(tmp_path, 6)
    outcomes = run(cloud, tmp_path, tmp_path / "missing.md")
    assert [one.status for one in outcomes] == ["stored", *["skipped"] * 4, "stored", "skipped"]
    assert [one.reason.split()[0] for one in outcomes[1:5]] == ["no-comment", "not-utf-8", "no-article", "no-link"]
    assert outcomes[-1].reason == "unreadable: No such file or directory"
    assert all(one.path for one in outcomes)
    assert len(cloud.keys()) == 2


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize("operation", ["GetItem", "PutObject", "PutItem"])
def test_an_import_that_died_goes_on_where_it_stopped(
    cloud: Cloud, tmp_path: Path, operation: str, death: Callable[[Any], None]
) -> None:
    for n in range(3):
        write(tmp_path, n)
    client: Any = cloud.s3 if operation == "PutObject" else cloud.dynamodb
    with before(client, operation, death, nth=2), pytest.raises(KilledError):
        run(cloud, tmp_path)
    statuses = [one.status for one in run(cloud, tmp_path)]
    committed = 2 if (operation, death) == ("PutItem", done_then_die) else 1
    assert statuses == ["known"] * committed + ["stored"] * (3 - committed)
    assert len(cloud.keys()) == len(cloud.items(cloud.articles_table)) == 3


def test_what_an_interrupted_import_left_goes_when_another_source_was_quicker(cloud: Cloud, tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    with before(cloud.dynamodb, "PutItem", die), pytest.raises(KilledError):
        run(cloud, path)
    (stored,) = run(cloud, path, source=Source(id="other", name="Other", url="https://news.example/"))
    assert stored.status == "stored"
    assert [one.status for one in run(cloud, path)] == ["known"]
    assert cloud.keys() == [f"articles/v1/source=other/date=2023-06-19/{stored.id}.json"]


def test_trouble_with_aws_stops_the_import_rather_than_skipping(cloud: Cloud, tmp_path: Path) -> None:
    cloud.s3.delete_bucket(Bucket=cloud.bucket)
    with pytest.raises(ClientError):
        run(cloud, write(tmp_path, 1))
