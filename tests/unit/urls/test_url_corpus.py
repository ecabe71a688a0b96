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

# The share of each policy's cases in which we say the same, as measured, and what the rest are: decisions, of which the
# module docstring of urls tells. `pytest -s` prints the table.
AGREEMENT = {
    ("crawler-commons", "normalize"): (0.98, "a parameter without a name is kept"),
    ("crawler-commons", "resolve"): (0.87, "a file is no web page"),
    ("w3lib", "safe"): (0.98, "escapes are UTF-8, not the page's encoding; an invalid port is no URL"),
    ("w3lib", "normalize"): (0.97, "blank parameters are kept; `;` parts no parameters; escapes are UTF-8"),
    ("url-normalize", "normalize"): (0.91, "what has no scheme is no web URL; no parameter goes but trackers"),
    ("courlan", "normalize"): (0.84, "parameters that may name an article stay: language, id; so does a stray quote"),
    ("courlan", "scrub"): (0.37, "nothing is cut out of a garbled link: it is fetched as a browser would"),
    ("courlan", "resolve"): (0.80, "as a browser does: the root's slash, escaped braces"),
    ("courlan", "is_external"): (0.75, "google.com and google.co.uk are two sites"),
    ("metadata-lib", "identity_key"): (0.90, "a port is kept"),
    ("metadata-lib", "canonical_domain"): (0.75, "an AMP cache is a site; gov.cn is a public suffix"),
    ("metadata-lib", "is_homepage_url"): (0.85, "two short words are taken for a section"),
    ("metadata-lib", "same_identity"): (1.0, ""),
    ("miniflux", "remove_tracking"): (1.0, ""),
    ("purell", "normalize_flags"): (0.66, "http and https, and www, are folded the other way round"),
}
NOT_ASKED = {  # by us: nothing of what they decide is decided here
    ("courlan", "accept"): "which pages are worth crawling",
    ("courlan", "type_filter"): "which pages are articles",
    ("metadata-lib", "is_shortened_url"): "which hosts shorten links: a redirect tells",
    ("w3lib", "query_clean"): "the caller names the parameters",
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
    assert not wrong


def _says_the_same(case: dict[str, Any]) -> Any:
    """True if we answer a case as its suite does, False if not; None where it asks nothing that we can be asked."""
    given, expected, kind = case["input"], case["expect"], case["kind"]
    other = (case.get("args") or [case.get("base") or case.get("other")])[0]
    if not isinstance(given, str):
        return None
    match kind:
        case "resolve":
            base, link = (given, other) if case["suite"] == "courlan" else (other or given, given)
            return _resolved(base, link) == expected
        case "is_external":
            web = given.startswith("http") and other.startswith("http")
            return (not urls.same_site(given, other)) is expected if web else None
        case "canonical_domain":
            return urls.registrable_domain(given) == expected
        case "is_homepage_url":
            return urls.is_section_page(given) is expected
        case "same_identity":
            return (_canonical(given) == _canonical(other)) is expected
    if not given.lower().startswith("http") or not (expected is None or str(expected).lower().startswith("http")):
        return None
    return _canonical(given) == (expected and _canonical(expected))


def test_agreement() -> None:
    counts: dict[tuple[str, str], Counter[bool]] = {}
    for case in cases(*{suite for suite, _ in (*AGREEMENT, *NOT_ASKED)}):
        key = case["suite"], case["kind"]
        if key not in NOT_ASKED and (same := _says_the_same(case)) is not None:
            counts.setdefault(key, Counter())[same] += 1
    assert set(counts) == set(AGREEMENT)
    for key, (_, rest) in AGREEMENT.items():
        found = counts[key]
        print(f"{' '.join(key):32} {found[True]:4} of {found.total():4}  {found[True] / found.total():6.1%}  {rest}")
    for key, what in NOT_ASKED.items():
        print(f"{' '.join(key):32} not asked: {what}")
    below = {
        key: counts[key] for key, (least, _) in AGREEMENT.items() if counts[key][True] / counts[key].total() < least
    }
    assert not below


def _canonical(url: str) -> str | None:
    try:
        return urls.canonicalize(url)
    except urls.UrlError:
        return None


def _resolved(base: str, link: str) -> str | None:
    try:
        return urls.resolve(base, link)
    except urls.UrlError:
        return None
