"""Which scripts put no spaces between words, and how much of a text is theirs."""

import re

import pytest

from broadsheet import language

SCRIPTS = re.compile(r"[\u3000-\u30ff\u3400-\u9fff]")


@pytest.mark.parametrize(
    "text",
    [
        "The ferry returns",
        "Die Fähre fährt wieder – «nach einem Jahr»",
        "停航一年的港口渡轮恢复通航。",
        "フェリーは一年ぶりに運航を再開する、と言った。",
        "เรือข้ามฟากกลับมา",
        "Паром возвращается",
        "페리가 돌아온다",
        "㐀㐁 rare, 䶿 too",
        "\U00020000 beyond the first plane 🚢",
        "half a pair \ud83d of one",
        "",
    ],
)
def test_han_and_kana_are_counted_as_their_ranges_say(text: str) -> None:
    assert language.han_and_kana(text) == len(SCRIPTS.findall(text))


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("停航一年的港口渡轮恢复通航。", True),
        ("フェリーは一年ぶりに運航を再開する。", True),
        ("フェリーはサービスを再開する、とオーナーは言った", True),
        ("เรือข้ามฟากกลับมาให้บริการอีกครั้ง", True),
        ("페리가 돌아온다", False),
        ("Паром возвращается", False),
        ("The ferry (渡轮) returns to the harbour after a year", False),
    ],
)
def test_a_text_is_measured_in_characters_where_words_have_no_spaces_between(text: str, without: bool) -> None:
    assert language.writes_without_spaces(text) is without
