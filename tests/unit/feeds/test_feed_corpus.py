"""Feeds, sitemaps, dates, OPML and pages of other projects' test suites, and what they expect of them.

`reasons.json` lists, by id, the cases in which we decide otherwise, and why. A case that starts to hold must leave it.
"""

import base64
import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from broadsheet import feeds
from broadsheet.feeds import Entry, Feed, FeedError, autodiscovery, opml, sitemap
from broadsheet.feeds.dates import instant
from broadsheet.feeds.plain import folded, plain

CORPUS = Path(__file__).parents[4] / "shared/corpus"
pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="../shared/corpus isn't there")

REASONS: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "reasons.json").read_text())
FALLBACK = "https://example.org/feed"

# Measured 2026-11: what holds of the cases that feedparser itself disagrees with, and of those that aren't core.
BEYOND_FEEDPARSER = 57


def lines(name: str) -> Iterator[dict[str, Any]]:
    with (CORPUS / name).open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def body_of(case: dict[str, Any]) -> bytes:
    return base64.b64decode(case["body_b64"]) if "body_b64" in case else str(case["body"]).encode()


def zulu(moment: datetime | None) -> str | None:
    return f"{moment.year}-{moment:%m-%dT%H:%M:%SZ}" if moment else None


def wrong_in_feed(case: dict[str, Any]) -> list[str]:
    """The names of the fields in which our reading differs from the case's expectation."""
    expect = case["expect"]
    headers = {name.lower(): value for name, value in case["headers"].items()}
    base = case["base_url"] or FALLBACK
    if (location := headers.get("content-location", "")).startswith("http"):
        base = location
    try:
        feed = feeds.parse(body_of(case), url=base, content_type=headers.get("content-type"))
    except FeedError:
        return [] if expect.get("parse_error") else ["error"]
    if expect.get("parse_error"):
        return ["no error"]
    wrong = [name for name, differs in _feed_differences(feed, expect) if differs]
    for expected in expect["entries"]:
        if expected["index"] >= len(feed.entries):
            wrong.append("entry")
        else:
            entry = feed.entries[expected["index"]]
            wrong += [name for name, differs in _entry_differences(entry, expected) if differs]
    return wrong


def _feed_differences(feed: Feed, expect: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    yield "count", expect.get("n_entries", len(feed.entries)) != len(feed.entries)
    expected = expect["feed"]
    yield "feed title", "title" in expected and plain(expected["title"] or "") != feed.title
    yield "feed link", bool(expected.get("link")) and expected["link"] != feed.link


def _entry_differences(entry: Entry, expected: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    exact = {
        "title": entry.title,
        "link": entry.url,
        "id": entry.id,
        "published": zulu(entry.published_at),
        "updated": zulu(entry.updated_at),
    }
    for name, value in exact.items():
        yield name, name in expected and (expected[name] or None) != (value or None)
    for name, text in {"summary": entry.summary, "content": plain(entry.html)}.items():
        yield name, name in expected and plain(expected[name] or "") != folded(text)
    language = expected.get("language")
    yield "language", language is not None and language.lower() != (entry.language or "").lower()


def test_core_cases_hold() -> None:
    """Title, link, id, date and count, wherever feedparser agrees with the suite."""
    wrong = {}
    for case in lines("feeds/cases.jsonl"):
        if case.get("core") and case["feedparser_agrees"]:
            fields = set(wrong_in_feed(case)) - {"summary", "content", "feed link", "feed title"}
            if fields:
                wrong[case["id"]] = sorted(fields)
    assert set(wrong) == set(REASONS["core"]), wrong


def test_the_rest_holds_as_far_as_feedparser_and_further() -> None:
    wrong, beyond = {}, 0
    for case in lines("feeds/cases.jsonl"):
        if case.get("core") and case["feedparser_agrees"]:
            continue
        fields = wrong_in_feed(case)
        if case["feedparser_agrees"] is not False and fields:
            wrong[case["id"]] = fields
        beyond += case["feedparser_agrees"] is False and not fields
    assert set(wrong) == set(REASONS["rest"]), wrong
    assert beyond >= BEYOND_FEEDPARSER


def test_every_validity_file_ends_soon_and_valid_feeds_have_entries() -> None:
    empty = set()
    for case in lines("feeds/validity.jsonl"):
        body = body_of(case)
        started = time.process_time()
        try:
            entries = len(feeds.parse(body, url=FALLBACK).entries)
        except FeedError:
            entries = -1
        assert time.process_time() - started < 2, case["id"]
        holds_some = b"<item" in body or b"<entry" in body or b":entry" in body or b":item" in body
        if case["expect"]["valid"] and holds_some and entries <= 0:
            empty.add(case["id"])
    assert empty == set(REASONS["validity"])


def test_dates() -> None:
    wrong = {}
    for case in lines("dates/strings.jsonl"):
        got = zulu(instant(case["input"]))
        if ("expect_utc" in case and got != case["expect_utc"]) or ("expect_utc" not in case and got is None):
            wrong[case["id"]] = got
    assert set(wrong) == set(REASONS["dates"]), wrong


def test_opml() -> None:
    wrong = {}
    for case in lines("feeds/opml.jsonl"):
        expect = case["expect"]
        try:
            found = opml.read(body_of(case))
        except FeedError as error:
            wrong[case["id"]] = str(error)
            continue
        if expect.get("n", len(found)) != len(found):
            wrong[case["id"]] = f"{len(found)} feeds"
        for subscription, expected in zip(found, expect.get("subscriptions", []), strict=False):
            for name, value in expected.items():
                if (getattr(subscription, name) or None) != (value or None):
                    wrong[case["id"]] = f"{name}: {getattr(subscription, name)}"
        assert set(opml.read(opml.write(found))) == set(found)
    assert set(wrong) == set(REASONS["opml"]), wrong


def test_autodiscovery() -> None:
    for case in lines("feeds/autodiscovery.jsonl"):
        (found,) = autodiscovery.find(body_of(case), url=case["base_url"])
        assert found.url.endswith(case["expect"]["feed_name"]), case["id"]


def test_finder() -> None:
    for case in lines("feeds/finder.jsonl"):
        found = autodiscovery.find(body_of(case), url=case["base_url"] or FALLBACK)
        assert [link.url for link in found] == case["expect"]["urls"], case["id"]
        assert [link.title for link in found] == case["expect"]["titles"], case["id"]


def test_sitemaps() -> None:
    wrong = {}
    for case in lines("sitemaps/cases.jsonl"):
        expect = case["expect"]
        try:
            feed = sitemap.parse(body_of(case), url=case["url"] or FALLBACK, content_type=case["content_type"])
        except FeedError as error:
            if not expect.get("rejected"):
                wrong[case["id"]] = str(error)
            continue
        addresses = [entry.url for entry in feed.entries]
        if (
            expect.get("rejected")
            or expect.get("n_pages", len(addresses)) != len(addresses)
            or expect.get("n_sitemaps", len(feed.children)) != len(feed.children)
            or expect.get("is_index", feed.kind == "sitemap-index") != (feed.kind == "sitemap-index")
            or not set(expect.get("contains_urls", ())) <= set(addresses)
        ):
            wrong[case["id"]] = f"{feed.kind} {addresses} {feed.children}"
    assert set(wrong) == set(REASONS["sitemaps"]), wrong
