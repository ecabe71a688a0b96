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
    before = len(site.requests)
    result = run("fetch", "--explain", "--allow", "127.0.0.0/8", site.url("anzeiger", "redaktion-zieht-um"))
    assert "disallows" in result.output
    assert "crawl delay: 1 s" in result.output
    assert "resolved     127.0.0.1" in result.output
    assert "redaktion-zieht-um.html: robots-disallowed" in result.output, "nor is it asked for"
    assert result.exit_code == 1
    assert [request.path for request in site.requests[before:]] == ["/robots.txt"]


def test_fetch_explains_how_a_page_is_got_and_what_it_may_cost(site: SampleSite) -> None:
    result = run("fetch", "--explain", "--allow", "127.0.0.0/8", site.url("qinghe", "late-letter"))
    assert result.exit_code == 0
    assert "may take 6 s to connect, 12 s to begin, 30 s in all, 5 redirects" in result.output
    assert "8 MiB as sent, 16 MiB unpacked" in result.output
    assert "answer       200 OK" in result.output


def test_fetch_refuses_what_is_not_public_and_says_so(site: SampleSite) -> None:
    result = run("fetch", "http://127.0.0.1:8080/")
    assert result.exit_code == 1
    assert result.output.startswith("Error: http://127.0.0.1:8080/: address")


def test_fetch_explains_why_robots_txt_was_not_had() -> None:
    result = run("fetch", "--explain", "http://127.0.0.1:8080/")
    assert result.exit_code == 1
    assert "Error: http://127.0.0.1:8080/robots.txt: address-refused" in result.output


STORY = (
    "<h1>The ferry sails</h1><div class=text>"
    + "<p>The ferry sailed as it should, and nobody was left on the quay that day.</p>" * 3
    + "</div>"
)
RULE = "name: Herald\nshape: paragraphs in div.text\nbody: div.text\n"


@pytest.fixture
def story(tmp_path: Path) -> Path:
    page = tmp_path / "story.html"
    page.write_text(STORY)
    return page


def test_a_rule_is_tried_on_a_page_whatever_host_it_is_for(story: Path, tmp_path: Path) -> None:
    rule = tmp_path / "herald.example.yaml"
    rule.write_text(RULE + "title: h1\nauthors: .byline\n")
    result = run("extract", "--rule", str(rule), "--explain", str(story))
    assert result.exit_code == 0
    assert "body found by Herald: div.text" in result.stdout
    assert "→ rule title: The ferry sails" in result.stdout
    assert f"{rule}: authors: '.byline' finds nothing" in result.stderr


def test_a_rule_without_a_body_has_failed(story: Path, tmp_path: Path) -> None:
    rule = tmp_path / "herald.example.yaml"
    rule.write_text(RULE.replace("body: div.text", "body: div.story"))
    result = run("extract", "--rule", str(rule), str(story))
    assert result.exit_code == 1
    assert f"{rule}: body ('div.story' finds nothing on" in result.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RULE + "colour: red\n", ":4: colour (no such field)"),
        (RULE + "title: h1\ntitle: h2\n", ":5: title (given twice)"),
        (RULE + "drop: .share\n", ":4: drop (Expected `array`, got `str`)"),
        (RULE + "drop:\n  - .share\n  - div[\n", ":6: drop[1] ('div[' is no CSS selector"),
        (RULE + "zone: Europe/Qinghe\n", ":4: zone (no time zone 'Europe/Qinghe')"),
        (RULE + "scope: ['.main']\n", ":4: scope[0] ('.main' is no tag's name)"),
        (RULE + "paths: [news]\n", ":4: paths[0] (a path begins with /)"),
        ("name: Herald\nshape: x\n", ":1: body (is missing)"),
        ("name: Herald\nshape: x\nbody: ''\n", ":3: body (selects nothing)"),
        ("- 1\n", ":1: the file (Expected `object`, got `array`)"),
        (RULE + "title: [\n", ":5: not YAML"),
    ],
)
def test_a_wrong_rule_is_told_by_file_line_and_field(story: Path, tmp_path: Path, text: str, said: str) -> None:
    rule = tmp_path / "wrong.yaml"
    rule.write_text(text)
    result = run("extract", "--rule", str(rule), str(story))
    assert result.exit_code == 1
    assert f"{rule}{said}" in result.output


def test_a_rule_file_that_is_not_there_is_named(story: Path, tmp_path: Path) -> None:
    result = run("extract", "--rule", str(tmp_path / "none.yaml"), str(story))
    assert result.exit_code == 1
    assert "none.yaml: unreadable" in result.output
