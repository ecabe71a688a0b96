"""`make run` comes to its end, and doing it again changes nothing."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from local.__main__ import main, sample, seed
from local.pipeline import free

SEED = """<!--1687180620000-->
[湖上的灯塔重新亮起](https://lake.example/cn/20230619-lighthouse)
------

<div>19/06/2023 - 15:17</div><img src="https://img.lake.example/lighthouse.jpg"><p><strong>湖上的灯塔停了十一年，\
十九日傍晚又亮了。守塔人的女儿按下了开关。</strong></p><div><p>灯塔的机器是从一艘旧渡船上拆下来的。</p></div>
"""


def kept(out: Path) -> dict[str, bytes]:
    """Everything that is there for good: objects, records and posts."""
    folders = (out / "bucket", out / "posts")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in [*files, out / "tables" / "ArticlesTable.json"]}


def test_twice_over_the_sample_site_is_as_good_as_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = next(p for p in itertools.count(8810, 10) if free(*range(p, p + 4)))
    assert sample(tmp_path, port) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    for word in ("stored", "from feed", "skipped", "again", "posted", "http-404", "http-403", "http-429", "timeout"):
        assert word in said
    first = kept(tmp_path)
    records = json.loads((tmp_path / "tables" / "ArticlesTable.json").read_text())
    stored = [record for record in records if record["status"]["S"] == "stored"]
    posts = [name for name in first if "posts" in name]
    assert len(stored) >= 24
    assert len(posts) == 2 * len(stored)
    published = [name for name in first if "/bucket/pages/" in name or "/bucket/editions/" in name]
    assert len(published) == 4 * 4 + 2 + 2 + 1, "pages and feeds of four papers, index and health, a day, the manifest"
    assert len(first) == 1 + len(stored) + len(posts) + len(published)
    assert sample(tmp_path, port) == 0
    assert "Nothing new." in capsys.readouterr().out
    assert kept(tmp_path) == first


def test_a_seed_document_is_stored_and_posted_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "000.txt"
    document.write_text(SEED, encoding="utf-8")
    out = tmp_path / "out"
    assert seed(document, out) == 0
    said = capsys.readouterr().out
    assert "湖上的灯塔重新亮起" in said
    assert "2023-06-19T13:17:00Z" in said
    posts = [json.loads(path.read_text()) for path in sorted((out / "posts").iterdir())]
    assert sorted(post["path"] for post in posts) == ["/slack/town", "/webhook/archive"]
    first = kept(out)
    assert seed(document, out) == 0
    assert kept(out) == first


def test_a_document_that_cannot_be_read_is_named_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.txt").write_text("no document", encoding="utf-8")
    assert seed(tmp_path, tmp_path / "out") == 1
    assert "skipped" in capsys.readouterr().out


def test_a_feed_that_does_not_answer_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--feed", "nonsense"]) == 2
    assert "url (expected an http or https URL)" in capsys.readouterr().err
    assert main(["--feed", "http://127.0.0.1:9/feed"]) == 1
    assert "broken    poll failed: 127-0-0-1-" in capsys.readouterr().out


def test_an_interrupt_says_where_things_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("local.__main__.sample", interrupted)
    assert main([]) == 130
    assert "kept in out/" in capsys.readouterr().err
