"""Comparing headlines and parting them from the site's name."""

import re
import unicodedata
from functools import lru_cache
from operator import add

from broadsheet.language import han_and_kana

_SEPARATOR = re.compile(r"\s+[|•·»›‹«~:]+\s+|\s+[-–—]+\s+|\s*[|｜_]\s*|\s::\s|[-–—](?=[^-–—]*$)")
_NOT_ALNUM = re.compile(r"[\W_]+")
_LONGEST = 500
# Letters and digits that a section's name seldom has and a headline mostly: of 1,500 headlines one in sixty is shorter.
_SHORTEST = 20
# Of what is folded: one character of compatibility may become eighteen.
_MOST_FOLDED = 5_000


def folded(text: str) -> str:
    """A title as it is compared: width, case, quotes, dashes and spaces don't count."""
    return _NOT_ALNUM.sub("", unicodedata.normalize("NFKC", text[:_MOST_FOLDED]).casefold())


def weight(text: str) -> int:
    """How much a title says, in letters and digits; Han and kana, two of which make a word, count twice."""
    letters = folded(text)
    return len(letters) + han_and_kana(letters)


def is_long(text: str) -> bool:
    """Whether a title says more than the names of sections and sites mostly do."""
    return weight(text) >= _SHORTEST


def likeness(one: str, other: str) -> float:
    """How much of the shorter of two titles is in the other, by pairs of letters: 0 to 1, in any script."""
    pairs, others = _pairs(one), _pairs(other)
    return len(pairs & others) / max(1, min(len(pairs), len(others)))


def sameness(one: str, other: str) -> float:
    """How much two titles have in common of all they say, by pairs of letters: 0 to 1 (Dice 1945)."""
    pairs, others = _pairs(one), _pairs(other)
    return 2 * len(pairs & others) / max(1, len(pairs) + len(others))


# A page's few titles are each compared with all others.
@lru_cache(maxsize=64)
def _pairs(title: str) -> frozenset[str]:
    text = folded(title[:_LONGEST])
    return frozenset(map(add, text, text[1:]))


def without_site(title: str, site_names: list[str]) -> str:
    """The title without leading or trailing parts that are one of the site's names."""
    names = {folded(name) for name in site_names if name} - {""}
    for _ in range(3):
        cuts = list(_SEPARATOR.finditer(title[:_LONGEST]))
        for match in (cuts[-1], cuts[0]) if cuts else ():
            before, after = title[: match.start()].strip(), title[match.end() :].strip()
            if before and _is_site(after, names):
                title = before
                break
            if after and _is_site(before, names):
                title = after
                break
        else:
            return title
    return title


def _is_site(part: str, names: set[str]) -> bool:
    text = folded(part)
    return text in names or (
        len(text) >= 5
        and any(text in name or (len(name) >= 5 and name in text and len(text) < 3 * len(name)) for name in names)
    )
