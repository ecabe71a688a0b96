"""The parse against web-platform-tests, and the policy against those of other projects."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broadsheet import urls

CASES = Path(__file__).parents[4] / "shared/corpus/urls/cases.jsonl"
pytestmark = pytest.mark.skipif(not CASES.exists(), reason="../shared/corpus isn't there")

# can_ada 3.0 carries an older release of ada: the standard (or Unicode's IDNA table) has changed since in these rows.
BEHIND = {
    "wpt/urltestdata.json#281": "spaces before ? and # in an opaque path are escaped now",
    "wpt/urltestdata.json#285": "spaces before ? and # in an opaque path are escaped now",
    "wpt/urltestdata.json#287": "spaces before ? and # in an opaque path are escaped now",
    "wpt/urltestdata.json#294": "an ASCII host with an invalid xn-- label is let through now",
    "wpt/urltestdata.json#296": "an ASCII host with an invalid xn-- label is let through now",
    "wpt/urltestdata.json#734": "an invalid xn-- label is let through now",
    "wpt/urltestdata.json#746": "^ is escaped in paths now",
    "wpt/urltestdata.json#747": "^ is escaped in paths now",
    "wpt/toascii#17": "an invalid xn-- label is let through now",
    "wpt/toascii#86": "capital sharp s maps to ß now",
    "wpt/toascii#87": "capital sharp s maps to ß now",
    "wpt/toascii#91": "an invalid xn-- label is let through now",
}

# Share of each policy's cases in which its input and its result are one article to us, as measured; the rest are
# decisions: see the module docstring of urls (no guessing of wrappers, ports are kept, blank parameters count).
AGREEMENT = {
    ("crawler-commons", "normalize"): 0.98,
    ("w3lib", "safe"): 0.98,
    ("w3lib", "normalize"): 0.97,
    ("url-normalize", "normalize"): 0.91,
    ("courlan", "normalize"): 0.84,
    ("metadata-lib", "identity_key"): 0.90,
    ("miniflux", "remove_tracking"): 1.0,
    ("purell", "normalize_flags"): 0.66,
}


def cases(*suites: str) -> Iterator[dict[str, Any]]:
    with CASES.open(encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            if case["suite"] in suites:
                yield case


def test_web_platform_tests() -> None:
    wrong = {}
    for case in cases("wpt"):
        try:
            if case["kind"] == "parse":
                got = str(urls.parse(case["input"], case["base"]))
            else:
                got = urls.host_key(f"https://{case['input']}/x")
        except urls.UrlError:
            got = None
        if got != case["expect"]:
            wrong[case["id"]] = got
    assert set(wrong) == set(BEHIND)


@pytest.mark.parametrize(("suite", "kind"), AGREEMENT)
def test_agreement(suite: str, kind: str) -> None:
    counts: Counter[bool] = Counter()
    for case in cases(suite):
        given, expected = case["input"], case["expect"]
        web = isinstance(given, str) and given.lower().startswith("http")
        if case["kind"] == kind and web and (expected is None or expected.lower().startswith("http")):
            counts[_canonical(given) == (expected and _canonical(expected))] += 1
    share = counts[True] / counts.total()
    assert share >= AGREEMENT[suite, kind], counts


def _canonical(url: str) -> str | None:
    try:
        return urls.canonicalize(url)
    except urls.UrlError:
        return None
