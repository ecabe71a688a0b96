"""Which articles a channel wants: its filters, and the reason for every yes and no. Pure.

Every filter that is given must hold; within one, any of its values will do, but for `all` and `none`. Words are looked
for in title and summary without regard to case: whole where a script writes spaces, anywhere where it doesn't.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Annotated, Any, Protocol

import msgspec

Words = tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...]

LONGEST_TEXT = 3001  # characters of a record's title and summary
MOST_STEPS = 10_000_000  # of the regular expression engine: a tenth of a second or two

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # and kana
_SPACED_WORD = re.compile(rf"[^\W{_UNSPACED}]")


class Filters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a channel wants. `min_length` as articles count theirs: words, or characters where no spaces are written."""

    sources: Words = ()
    sections: Words = ()
    tags: Words = ()
    languages: Words = ()
    any: Words = ()
    all: Words = ()
    none: Words = ()
    matches: str | None = None  # a regular expression, found anywhere in title and summary
    min_length: Annotated[int, msgspec.Meta(ge=0)] = 0
    reprints: bool = True  # false: nothing whose text another article had before


class Story(Protocol):
    """What of an article decides. A `length` of zero is unknown."""

    @property
    def title(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def sources(self) -> set[str]: ...
    @property
    def section(self) -> str | None: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def language(self) -> str | None: ...
    @property
    def length(self) -> int: ...
    @property
    def reprint_of(self) -> str | None: ...


class Check(msgspec.Struct, frozen=True):
    """One filter, as written, against what the article has."""

    rule: str
    found: str
    holds: bool


def checks(filters: Filters, story: Story) -> Iterator[Check]:
    """Every filter that is given, in the order of the fields."""
    text = f"{story.title}\n{story.summary}"
    yield from _one_of("sources", filters.sources, sorted(story.sources))
    yield from _one_of("sections", filters.sections, [story.section] if story.section else [])
    yield from _one_of("tags", filters.tags, story.tags)
    if filters.languages:
        language = (story.language or "").lower()
        holds = any(_is_language(language, wanted.lower()) for wanted in filters.languages)
        yield Check(_written("languages", filters.languages), language or "unknown", holds)
    for rule, words in (("any", filters.any), ("all", filters.all), ("none", filters.none)):
        if words:
            there = [word for word in words if contains(text, word)]
            holds = {"any": bool(there), "all": len(there) == len(words), "none": not there}[rule]
            yield Check(_written(rule, words), ", ".join(there) or "none of them", holds)
    if filters.matches is not None:
        match = compiled(filters.matches).search(text[:LONGEST_TEXT])
        yield Check(f"matches: {filters.matches}", match[0][:100] if match else "nothing", match is not None)
    if filters.min_length:
        holds = not story.length or story.length >= filters.min_length
        yield Check(f"min_length: {filters.min_length}", str(story.length or "unknown"), holds)
    if not filters.reprints:
        found = f"a reprint of {story.reprint_of}" if story.reprint_of else "no reprint"
        yield Check("reprints: false", found, not story.reprint_of)


def stopped_by(filters: Filters | None, story: Story) -> Check | None:
    """The first filter that doesn't hold; None lets the article through."""
    return next((check for check in checks(filters, story) if not check.holds), None) if filters else None


def contains(text: str, word: str) -> bool:
    """Whether `word`, which may be a phrase, stands in `text`."""
    folded, wanted = _folded(text), _folded(word)
    at = folded.find(wanted)
    while at >= 0:
        end = at + len(wanted)
        if not (_joined(folded, at) or _joined(folded, end)):
            return True
        at = folded.find(wanted, at + 1)
    return False


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as `matches` uses it. Raises re.error."""
    return re.compile(pattern, re.IGNORECASE)


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern may not be used: it is none, or some text could keep it busy for longer than a moment."""
    try:
        compiled(pattern)
        steps = LONGEST_TEXT * _ways(import_module("re._parser").parse(pattern, re.IGNORECASE))  # no public parser
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}"
    except _DangerousError as error:
        return str(error)
    if steps > MOST_STEPS:
        return "could take too long: repeat without bounds once at most, and bound other repeats, as in .{0,20}"
    return None


class _DangerousError(Exception):
    pass


def _ways(items: Any) -> int:
    """How many ways at most the items can match from one place: each may cost a try.

    A repeat can stop after any of its rounds, an alternation goes on from each of its branches, and what stands in a
    row multiplies. A repeat within a repeat multiplies without end, so there is none.
    """
    ways = 1
    for op, argument in items:
        match str(op):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, body = argument
                inside = _ways(body)
                rounds = min(int(most), LONGEST_TEXT)
                if inside > 1 and (rounds > 16 or least != most):
                    raise _DangerousError("could take too long: a repeat or an alternation stands within a repeat")
                ways *= inside**rounds if inside > 1 else rounds - min(int(least), rounds) + 1
            case "BRANCH":
                ways *= sum(_ways(branch) for branch in argument[1])
            case "SUBPATTERN":
                ways *= _ways(argument[-1])
            case "ATOMIC_GROUP":
                ways *= _ways(argument)
            case "ASSERT" | "ASSERT_NOT":
                ways *= _ways(argument[1])
            case "GROUPREF" | "GROUPREF_EXISTS" | "GROUPREF_IGNORE":
                raise _DangerousError("may not refer back to a group")
            case _:
                pass
        if ways > MOST_STEPS:
            break
    return ways


def _one_of(rule: str, wanted: Words, has: Sequence[str]) -> Iterator[Check]:
    if wanted:
        folded = {_folded(value) for value in has}
        yield Check(
            _written(rule, wanted), ", ".join(has)[:200] or "none", any(_folded(value) in folded for value in wanted)
        )


def _written(rule: str, values: Sequence[str]) -> str:
    return f"{rule}: {', '.join(values)}"


def _is_language(language: str, wanted: str) -> bool:
    return language == wanted or language.startswith(f"{wanted}-")


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _joined(text: str, at: int) -> bool:
    """Whether the characters on both sides of `at` belong to one word of a script with spaces."""
    return 0 < at < len(text) and bool(_SPACED_WORD.match(text[at - 1]) and _SPACED_WORD.match(text[at]))
