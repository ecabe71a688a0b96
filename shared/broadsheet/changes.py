"""What changed in an article: whether enough for a revision, and what of it readers are to be told. Pure."""

import re

import msgspec

from broadsheet.article import Article

_NOTE = re.compile(
    r"\W*(?:correction|clarification|corrigendum|erratum|update|editor[’']s note"
    r"|an earlier version of|this (?:article|story|report|piece|post) (?:was|has been) (?:updated|corrected|amended)"
    r"|更正|勘误|勘誤|编者按|編者按|编者注|編者註|本文已更新|訂正"
    r"|rectificatif|précision|note de la rédaction|cet article a été (?:mis à jour|corrigé|modifié)"
    r"|berichtigung|korrektur|anmerkung der redaktion|in einer früheren (?:version|fassung)"
    r"|corrección|aclaración|fe de erratas|nota de la redacción|una versión anterior)(?!\w)",
    re.IGNORECASE,
)


# What pages print anew whenever they are asked for: the time, the date, how long ago it was.
_CLOCK = re.compile(
    r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[./]\d{1,2}[./]\d{4}"
    r"|\d{1,2}(?:[:：]\d{2}){1,2}(?:\s?[ap]\.?m\b\.?)?|\d{1,2}\s?[ap]m\b|\d{1,2}h\d{2}\b"
    r"|\d+\s?(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?)\s+ago\b|(?:il y a|vor|hace)\s+\d+\s+\w+"
    r"|\d+\s?(?:秒|分钟|分鐘|小时|小時|天)前",
    re.IGNORECASE,
)
MOST_UNTOLD = 24  # revisions of which the publisher says nothing: a page that changes more often prints what it likes


class Changes(msgspec.Struct, frozen=True):
    """The former title, the new first paragraph, the new note of correction; None for what didn't change."""

    title: str | None = None
    lead: str | None = None
    correction: str | None = None


def is_revision(before: Article, after: Article, *, revisions: int) -> bool:
    """Whether what a page says now is worth a revision, where there are so many before.

    Not if nothing but the time it prints is new; nor, after `MOST_UNTOLD`, if its publisher doesn't say that it was
    modified.
    """
    if _timeless(before) == _timeless(after):
        return False
    return revisions < MOST_UNTOLD or after.modified_at != before.modified_at


def between(before: Article, after: Article) -> Changes:
    """What `after` says otherwise than `before`. White space and case are no change."""
    former = {_plain(paragraph) for paragraph in _paragraphs(before)}
    new = [paragraph for paragraph in _paragraphs(after) if _plain(paragraph) not in former]
    note = next((paragraph for paragraph in new if _NOTE.match(paragraph)), None)
    first = next((one for one in _paragraphs(after) if not _NOTE.match(one)), "")
    return Changes(
        title=before.title if _plain(before.title) != _plain(after.title) and before.title else None,
        lead=first if first in new else None,
        correction=note,
    )


def _timeless(article: Article) -> list[str]:
    return [_CLOCK.sub("", _plain(text or "")) for text in (article.title, article.standfirst, article.text)]


def _paragraphs(article: Article) -> list[str]:
    return [paragraph.strip() for paragraph in article.text.split("\n\n") if paragraph.strip()]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
