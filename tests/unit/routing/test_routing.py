"""Which article passes a channel's filters, what is said of it, and which expressions are too dear to be tried."""

import msgspec
import pytest

from broadsheet.routing import LONGEST_TEXT, Check, Filters, checks, compiled, contains, pattern_problem, stopped_by


class Tale(msgspec.Struct, frozen=True, kw_only=True):
    title: str = "Ferry to the Åland islands sails again"
    summary: str = "After the storm, the port of 青河 opens. AI is not involved."
    sources: set[str] = msgspec.field(default_factory=lambda: {"harbour", "city"})
    section: str | None = "Region"
    tags: tuple[str, ...] = ("Ferry", "Weather")
    language: str | None = "zh-Hant"
    length: int = 320
    reprint_of: str | None = None


TALE = Tale()


@pytest.mark.parametrize(
    ("filters", "holds", "found"),
    [
        (Filters(sources=("mill", "city")), True, "city, harbour"),
        (Filters(sources=("mill",)), False, "city, harbour"),
        (Filters(sections=("region",)), True, "Region"),
        (Filters(sections=("Sport",)), False, "Region"),
        (Filters(tags=("weather",)), True, "Ferry, Weather"),
        (Filters(tags=("weath",)), False, "Ferry, Weather"),
        (Filters(languages=("zh",)), True, "zh-hant"),
        (Filters(languages=("zh-Hant", "en")), True, "zh-hant"),
        (Filters(languages=("z",)), False, "zh-hant"),
        (Filters(any=("train", "ÅLAND ISLANDS")), True, "ÅLAND ISLANDS"),
        (Filters(any=("train", "sail")), False, "none of them"),
        (Filters(all=("storm", "青河")), True, "storm, 青河"),
        (Filters(all=("storm", "flood")), False, "storm"),
        (Filters(none=("flood", "stor")), True, "none of them"),
        (Filters(none=("flood", "storm")), False, "storm"),
        (Filters(matches=r"sails?\b.{0,9}port|^ferry"), True, "Ferry"),
        (Filters(matches=r"\d{4}"), False, "nothing"),
        (Filters(min_length=320), True, "320"),
        (Filters(min_length=321), False, "320"),
    ],
)
def test_each_filter_says_what_it_wanted_and_what_it_found(filters: Filters, holds: bool, found: str) -> None:
    [check] = checks(filters, TALE)
    assert (check.holds, check.found) == (holds, found)
    assert stopped_by(filters, TALE) == (None if holds else check)


def test_a_reprint_is_stopped_where_only_the_first_is_wanted() -> None:
    reprint = msgspec.structs.replace(TALE, reprint_of="a" * 26)
    assert stopped_by(Filters(), reprint) is None
    assert stopped_by(Filters(reprints=False), TALE) is None
    check = stopped_by(Filters(reprints=False), reprint)
    assert check == Check("reprints: false", f"a reprint of {'a' * 26}", False)


def test_all_filters_must_hold_and_the_first_that_does_not_is_named() -> None:
    filters = Filters(sections=("Region",), tags=("Sport", "Chess"), none=("storm",))
    assert stopped_by(filters, TALE) == Check("tags: Sport, Chess", "Ferry, Weather", False)
    assert stopped_by(None, TALE) is None
    assert stopped_by(Filters(), TALE) is None


def test_what_nobody_knows_stops_what_asks_for_it_but_an_unknown_length_stops_nothing() -> None:
    unknown = Tale(sources=set(), section=None, tags=(), language=None, length=0)
    for filters in (
        Filters(sections=("a",)),
        Filters(tags=("a",)),
        Filters(languages=("en",)),
        Filters(sources=("a",)),
    ):
        assert stopped_by(filters, unknown) is not None
    assert stopped_by(Filters(min_length=99), unknown) is None


@pytest.mark.parametrize(
    ("text", "word", "there"),
    [
        ("a cat.", "cat", True),
        ("concatenate", "cat", False),
        ("concatenate a cat", "cat", True),
        ("C++ and C#", "c++", True),
        ("用AI写稿", "ai", True),
        ("brain用", "ai", False),
        ("上海市民", "海市", True),
        ("Straße", "STRASSE", True),
        ("ＡＢＣ", "abc", True),
        ("new\nyork", "New York", True),
    ],
)
def test_a_word_is_whole_where_words_have_spaces(text: str, word: str, there: bool) -> None:
    assert contains(text, word) == there


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+b", "(a|aa)*b", "(a*)*", "a.*b.*c", r"(\w+\s?)*$", "(a?){40}b", "(?:x+x+)+y", r"(a)\1",
     "((a{1,9}){1,9}){1,9}",
     "(", "a{5,2}", ".*.*=", "(?=.*a)(?=.*b).*c", "[a", "(?:a{0,3000}){16}"],
)  # fmt: skip
def test_an_expression_that_some_text_keeps_busy_is_refused(pattern: str) -> None:
    assert pattern_problem(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"climate\s+change", "ferr(y|ies)", "wind ?(park|farm)s?", "港口.{0,20}罢工", r"\b(?:AI|LLM)\b", "a.*b", "x{3}"],
)
def test_an_ordinary_expression_is_let_through_and_ends_on_the_worst_text(pattern: str) -> None:
    assert pattern_problem(pattern) is None
    for text in ("a", "港口", "climate ", "x", "wind "):
        compiled(pattern).search((text * LONGEST_TEXT)[:LONGEST_TEXT])
