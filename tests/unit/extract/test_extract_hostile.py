"""Hostile pages end quickly with an article or a clear error, and what is rendered can't run."""

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from broadsheet.extract import ExtractionError, extract, from_fragment
from broadsheet.extract.tree import MAX_ATTRIBUTES, MAX_BYTES, MAX_TAGS

ROOT = Path(__file__).parents[3]
HOSTILE = ROOT.parent / "shared" / "corpus" / "hostile"
URL = "https://quay.example/hostile"
SECONDS = 5
MEGABYTES = 300

corpus = pytest.mark.skipif(not HOSTILE.exists(), reason="the shared corpus is not beside this checkout")


def cases(name: str) -> list[dict[str, Any]]:
    path = HOSTILE / name
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (b"<p>" + b"word " * (MAX_BYTES // 5), "too-large"),
        (b"<br>" * (MAX_TAGS + 1), "too-many-tags"),
        (b"<p " + b" ".join(b"a%d" % i for i in range(MAX_ATTRIBUTES + 2)) + b">x", "too-many-attributes"),
        (b'<p x=">" ' + b" ".join(b"a%d=1" % i for i in range(MAX_ATTRIBUTES + 2)) + b">x", "too-many-attributes"),
    ],
)
def test_what_would_cost_seconds_is_refused_before_parsing(page: bytes, reason: str) -> None:
    with pytest.raises(ExtractionError) as caught:
        extract(page, URL)
    assert caught.value.reason == reason


def test_a_long_script_is_not_taken_for_a_tag_with_many_attributes() -> None:
    script = "<script>" + "var a = 1 ; " * 20_000 + "</script>"
    prose = "<p>The little ferry that carried commuters across the harbour will sail again, its owner said.</p>"
    assert extract((script + prose).encode(), URL).text.startswith("The little ferry")


# The peak is the kernel's own for this program: getrusage would count what pytest held before it started us.
RUN = """
import json, re, resource, sys
from pathlib import Path
from broadsheet.extract import ExtractionError, extract
page = eval(sys.stdin.read())
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]),) * 2)
try:
    outcome = extract(page, "https://quay.example/hostile").text[:20]
except ExtractionError as error:
    outcome = error.reason
status = Path("/proc/self/status")
peak = re.search(r"VmHWM:\\s+(\\d+)", status.read_text()) if status.exists() else None
print(json.dumps([outcome, int(peak[1]) / 1024 if peak else 0]))
"""


@corpus
@pytest.mark.parametrize("case", [pytest.param(case, id=case["sub"]) for case in cases("html.jsonl")])
def test_every_hostile_page_ends_in_time_and_memory(case: dict[str, Any]) -> None:
    ends_in_time_and_memory(case["gen"])


@pytest.mark.parametrize(
    "page",
    [
        "'<h1>' * 60 + 'word ' * 1_500_000",
        "'<h2>' * 60 + 'word ' * 1_500_000",
        "'<h1>' * 250 + 'word ' * 1_500_000",
        "'<h1>' * 8 + '<b>' * 230 + 'x' + '<br>' * 99_000",
        "'<h1><h2>' * 60 + '<br>' * 99_000",
        "'<h1>' * 8 + '<b class=\"' + 'subsubtop-top-' * 500_000 + '\">x</b>'",
    ],
    ids=["book in h1", "book in h2", "book in more", "breaks", "nested breaks", "long class"],
)
def test_headings_that_lie_in_each_other_are_not_read_once_for_each(page: str) -> None:
    title = "<meta property=og:title content='Harbour ferry returns after a year'>"
    # They take a fifth of a second.
    ends_in_time_and_memory(f"({title!r} + {page}).encode()", seconds=2)


def test_a_line_of_capitals_is_no_stamp_and_told_so_at_once() -> None:
    # By 2 * 10^10 ways to part them.
    ends_in_time_and_memory("('<article>' + ('<p>12:30' + 'A' * 390 + '!</p>') * 500).encode()", seconds=2)


def test_a_heading_with_a_book_in_it_is_not_compared_with_the_title() -> None:
    # Each of these letters is eighteen, as far as case and width don't count.
    ends_in_time_and_memory("(('<h2>' + chr(0xFDFA) * 5_000 + '</h2>') * 500).encode()", seconds=2)


def ends_in_time_and_memory(source: str, seconds: int = SECONDS) -> None:
    """Extracts the page that an expression makes, in a process that gets so many seconds of CPU."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(seconds)],
        input=source,
        capture_output=True,
        text=True,
        timeout=SECONDS * 10,
        cwd=ROOT / "shared",
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-500:]}"
    _, megabytes = json.loads(done.stdout)
    assert megabytes < MEGABYTES


@corpus
@pytest.mark.parametrize("case", [pytest.param(case, id=case["sub"]) for case in cases("redos.jsonl")])
def test_no_expression_runs_away(case: dict[str, Any]) -> None:
    text = eval(case["gen"]).replace("<", "&lt;").replace('"', "&quot;")
    head = f'<title>{text}</title><meta name="author" content="{text}"><meta name="date" content="{text}">'
    page = (
        f"<html><head>{head}</head><body><h1>{text}</h1><p class=byline>{text}</p><p class=date>{text}</p><p>{text}</p>"
    )
    with contextlib.suppress(ExtractionError):
        extract(page.encode(), URL)


@pytest.mark.parametrize(
    "attack",
    [
        "<script>x()</script>",
        '<img src=x onerror="x()">',
        '<a href="javascript:x()">y</a>',
        '<a href="java&#10;script:x()">y</a>',
        '<svg onload="x()"></svg>',
        '<iframe src="javascript:x()"></iframe>',
        '<b style="background:url(javascript:x())">y</b>',
        '<math><mtext></form><form><mglyph><style></math><img src onerror="x()">',
        '<img src="https://a.example/b.jpg&quot; onload=&quot;x()">',
    ],
)
def test_nothing_that_could_run_is_rendered(attack: str) -> None:
    html = from_fragment(f"<p>Some words <i>before</i> {attack} and after.</p>{attack}<p>More words.</p>", URL).html
    for element in etree.fromstring(f"<div>{html}</div>", etree.HTMLParser()).iter():
        assert element.tag in {"html", "body", "div", "p", "i", "b", "a", "figure", "img"}
        assert set(element.attrib) <= {"href", "src", "alt"}
        assert all(re.match("https?://", str(element.get(name, "http://"))) for name in ("href", "src"))
