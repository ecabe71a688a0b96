"""What a revision changed that readers were told: the title, the first paragraph, a note of correction. Pure."""

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


class Changes(msgspec.Struct, frozen=True):
    """The former title, the new first paragraph, the new note of correction; None for what didn't change."""

    title: str | None = None
    lead: str | None = None
    correction: str | None = None


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


def _paragraphs(article: Article) -> list[str]:
    return [paragraph.strip() for paragraph in article.text.split("\n\n") if paragraph.strip()]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
