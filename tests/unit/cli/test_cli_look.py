"""`broadsheet extract` and `broadsheet fetch`, over the sample site."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from broadsheet.cli import main
from local.site import SampleSite


@pytest.fixture(scope="module")
def site() -> Iterator[SampleSite]:
    with SampleSite() as site:
        yield site


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_extract_prints_the_article_consumers_get(site: SampleSite) -> None:
    result = run("extract", "--allow", "127.0.0.0/8", site.url("qinghe", "late-letter"))
    article = json.loads(result.output)
    assert article["title"] == "一封寄了十六年的信"
    assert article["provenance"]["title"] == {"kind": "html", "key": "h1"}


@pytest.mark.parametrize(("flag", "expected"), [("--text", "柜子挪开"), ("--html", "<p>"), ("--explain", "→ html h1")])
def test_extract_in_other_shapes(site: SampleSite, flag: str, expected: str) -> None:
    result = run("extract", flag, "--allow", "127.0.0.0/8", site.url("qinghe", "late-letter"))
    assert result.exit_code == 0
    assert expected in result.output


def test_extract_reads_a_file_and_names_it_when_it_holds_no_article(tmp_path: Path) -> None:
    page = tmp_path / "empty.html"
    page.write_text("<p>nothing to see</p>")
    result = run("extract", str(page))
    assert result.exit_code == 1
    assert "empty.html: no-article" in result.output


def test_fetch_explains_robots_and_timings(site: SampleSite) -> None:
    result = run("fetch", "--explain", "--allow", "127.0.0.0/8", site.url("anzeiger", "redaktion-zieht-um"))
    assert "disallows" in result.output
    assert "crawl delay: 1 s" in result.output
    assert "resolved     127.0.0.1" in result.output


def test_fetch_refuses_what_is_not_public_and_says_so(site: SampleSite) -> None:
    result = run("fetch", "http://127.0.0.1:8080/")
    assert result.exit_code == 1
    assert result.output.startswith("Error: http://127.0.0.1:8080/: address")
