"""Shortening: within the limit in its unit, at a sentence or a word, never inside a character as a reader sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadsheet.summary import Unit, measure, shorten

FAMILY = "👨‍👩‍👧‍👦"


@pytest.mark.parametrize(
    ("text", "limit", "unit", "expected"),
    [
        ("Short.", 10, "characters", "Short."),
        ("One is done. Two is on its way.", 20, "characters", "One is done."),
        ("One. Two goes on and on and on.", 20, "characters", "One. Two goes on…"),
        ("Hello wonderful world", 12, "characters", "Hello…"),
        ("今天下雨。明天天晴。", 8, "characters", "今天下雨。"),
        ("他说：“今天下雨。”明天天晴。", 11, "characters", "他说：“今天下雨。”"),
        ("今天下雨而明天天晴", 20, "bytes", "今天下雨而…"),
        ("今天iPhone", 5, "characters", "今天…"),
        ("今天下雨，明天天晴", 6, "characters", "今天下雨…"),
        (FAMILY * 2, 12, "characters", FAMILY + "…"),
        (FAMILY * 2, 13, "utf16", FAMILY + "…"),
        ("🇫🇷🇩🇪🇬🇧", 4, "characters", "🇫🇷…"),
        ("👍🏽👍🏽", 3, "characters", "👍🏽…"),
        ("e\u0301e\u0301e\u0301", 4, "characters", "e\u0301…"),
        ("It was Yahoo! that won it all", 13, "characters", "It was…"),
        ("今天下雨。\u0301明天天晴，后天有风", 7, "characters", "今天下雨。\u0301…"),
        ("word", 0, "characters", ""),
        ("word", 2, "bytes", ""),
        (FAMILY, 5, "characters", ""),
    ],
)
def test_cut(text: str, limit: int, unit: Unit, expected: str) -> None:
    assert shorten(text, limit, unit) == expected


@given(
    st.text(st.sampled_from("ab .。！”é́\u200d👨👩🇫🇷🏽汉字&\n"), max_size=60),
    st.integers(0, 80),
    st.sampled_from(["characters", "bytes", "utf16"]),
)
def test_never_over_the_limit_never_invented_never_inside_a_character(text: str, limit: int, unit: Unit) -> None:
    regex = pytest.importorskip("regex")
    cut = shorten(text, limit, unit)
    assert measure(cut, unit) <= limit or cut == text
    kept = cut.removesuffix("…") if cut != text else cut
    assert text.startswith(kept)
    ends = {0}
    for cluster in regex.finditer(r"\X", text):
        ends.add(cluster.end())
    assert len(kept) in ends


@pytest.mark.parametrize(("unit", "size"), [("characters", 2), ("bytes", 7), ("utf16", 3)])
def test_units(unit: Unit, size: int) -> None:
    assert measure("汉🇫", unit) == size
