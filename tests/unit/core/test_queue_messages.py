"""Messages: what goes into SQS comes out of it, and anything else is told by name."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from broadsheet.queue import ArticleMessage, FeedEntry, MessageError, decode, encode, group, pack

SEEN = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)
PLAIN: dict[str, Any] = {
    "v": 1,
    "id": "a" * 26,
    "url": "https://news.example/a",
    "source": "harbour",
    "first_seen": "2026-03-04T23:30:00Z",
    "trace": "t",
}


def message(**changes: Any) -> ArticleMessage:
    plain = ArticleMessage(id="a" * 26, url="https://news.example/a", source="harbour", first_seen=SEEN, trace="t")
    return replace(plain, **changes)


def test_a_message_comes_out_as_it_went_in() -> None:
    entry = FeedEntry(
        title="渡轮复航",
        published_at=datetime(2026, 3, 4, 8, 0, tzinfo=timezone(timedelta(hours=8))),
        authors=("Ida", "Bo"),
        html=pack("<p>渡轮今天复航。</p>"),
    )
    sent = message(entry=entry, announce=False, attempt=3, hops=1, not_before=1790000000.25, reason="http-503")
    assert decode(encode(sent), message_id="m") == sent
    assert entry.text == "<p>渡轮今天复航。</p>"


def test_a_body_is_printable_ascii_and_says_no_default() -> None:
    body = encode(message(entry=FeedEntry(title="新闻 \x00\x0b\x1f😀\n", html=pack("\x08"))))
    assert body.isascii()
    assert body.isprintable()
    assert "\\ud83d\\ude00" in body
    assert {"v", "attempt", "hops", "reason", "announce"}.isdisjoint(json.loads(encode(message())))


@given(st.text(st.characters() | st.characters(categories=["Cs"]), max_size=30))
def test_any_text_at_all_survives_but_for_half_surrogate_pairs(text: str) -> None:
    sent = message(entry=FeedEntry(title=text, summary=text, tags=(text,), html=pack(text)))
    entry = decode(encode(sent), message_id="m").entry
    whole = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    assert entry is not None
    assert (entry.title, entry.tags) == (whole, (whole,))
    assert entry.text.replace("?", "\ufffd") == whole.replace("?", "\ufffd")


def test_packing_is_repeatable_and_small() -> None:
    assert pack("<p>渡轮</p>" * 1000) == pack("<p>渡轮</p>" * 1000)
    assert len(pack("<p>渡轮</p>" * 1000)) < 300
    assert pack(None) == pack("") == ""
    assert FeedEntry().text == ""


def test_sending_again_counts_failures_only() -> None:
    first = message()
    waited = first.again(at=5.0, reason="host-busy")
    failed = waited.again(at=9.0, reason="http-503", failed=True)
    assert (waited.attempt, waited.not_before, waited.reason) == (0, 5.0, "host-busy")
    assert (failed.attempt, failed.not_before, failed.reason) == (1, 9.0, "http-503")
    assert failed.first_seen == first.first_seen


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": ""},  # DynamoDB refuses an empty key, and with it the whole batch's read
        {"id": "x" * 3000},
        {"url": "nonsense"},
        {"url": "http://[bad"},
        {"url": "ftp://news.example/a"},
        {"url": "javascript:alert(1)"},
        {"url": 7},
        {"source": ""},
        {"first_seen": "yesterday"},
        {"first_seen": "2026-03-04T23:30:00"},
        {"trace": None},
        {"attempt": "three"},
        {"entry": {"html": "not base64 gzip"}},
        {"entry": {"html": "H4sI"}},
        {"entry": {"html": "äöü"}},
        {"entry": {"authors": "Ida"}},
        {"v": 2},
    ],
    ids=lambda change: str(change)[:40],
)
def test_what_is_no_message_is_told_with_its_sqs_id(change: dict[str, Any]) -> None:
    decode(json.dumps(PLAIN), message_id="m-7")
    with pytest.raises(MessageError, match=r"^m-7: (not an article message|from a later version)"):
        decode(json.dumps(PLAIN | change), message_id="m-7")


@pytest.mark.parametrize("body", ["", "null", "[]", "hello", "{", '"\ud800"', "7", "[" * 100_000, "\x00"], ids=ascii)
def test_a_body_that_is_not_even_json_is_told_too(body: str) -> None:
    with pytest.raises(MessageError, match="m-7"):
        decode(body, message_id="m-7")


def test_a_later_versions_further_fields_are_ignored() -> None:
    assert decode(json.dumps(PLAIN | {"priority": 3}), message_id="m") == message()


def test_the_group_is_the_host_in_sqss_bounds() -> None:
    assert group("https://News.Example:443/a") == "news.example"
    assert group("http://news.example:8080/a") == "news.example:8080"
    assert len(group("https://" + ".".join(["a" * 60] * 4) + "/")) == 128
    assert group("https://新闻.example/").isascii()
