"""Date spellings, and those that must not be guessed at."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadsheet.feeds.dates import instant


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mon, 23 Nov 2026 10:00:00 +0100", "2026-11-23T09:00:00"),
        ("Mon, 23 Nov 2026 10:00:00 +0100 (CET)", "2026-11-23T09:00:00"),
        ("23 Nov 26 10:00 EST", "2026-11-23T15:00:00"),
        ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00"),
        ("2026-11-23 10:00:00 +0800", "2026-11-23T02:00:00"),
        ("2026-11-23T10:00:00.5+08:00", "2026-11-23T02:00:00.5"),
        ("2026-11-23", "2026-11-23T00:00:00"),
        ("1795428000", "2026-11-23T10:00:00"),
        ("1795428000000", "2026-11-23T10:00:00"),
        ("2026年11月23日 下午3:05", "2026-11-23T15:05:00"),
        ("2026年11月3日", "2026-11-03T00:00:00"),
        ("2026년 11월 23일 오후 3:05", "2026-11-23T06:05:00"),
        ("lun., 23 novembre 2026 10:00:00 +0100", "2026-11-23T09:00:00"),
        ("Mo, 23 Mär 2026 10:00:00 +0100", "2026-03-23T09:00:00"),
        ("Пн, 23 ноября 2026 10:00 MSK", "2026-11-23T07:00:00"),
        ("Nov. 23, 2026, 10:57 p.m.", "2026-11-23T22:57:00"),
        ("12:05 am, 23 Nov 2026", "2026-11-23T00:05:00"),
        ("23/11/2026 - 15:17", "2026-11-23T15:17:00"),
        ("11/23/2026", "2026-11-23T00:00:00"),
        ("Mon, 23 Nov 2026 10:00:00 Europe/Paris", "2026-11-23T09:00:00"),
    ],
)
def test_spellings(text: str, expected: str) -> None:
    assert instant(text) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-13-01",
        "2026-02-30",
        "32 Nov 2026",
        "2026-xx-23",
        "23 Zzz 2026",
        "10:00",
        "Nov",
        "1",
        "1 2",
        "x" * 200,
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert instant(text) is None


@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ["1", "23", "2026", "Nov", ":", "-", "+", "/", "Z", "T", "年", "pm", "99:99", "+9999", ",", "."]
        ),
        max_size=9,
    ).map("".join)
)
def test_no_text_raises(text: str) -> None:
    found = instant(text)
    assert found is None or found.tzinfo is UTC
