"""Backfill: a folder of seed documents becomes articles, through the same store as everything else."""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from broadsheet import mirror, urls
from broadsheet.extract import ExtractionError
from broadsheet.mirror import MirrorError
from broadsheet.source import Source
from broadsheet.store import Articles, document, object_key
from broadsheet.summary import summarize

log = logging.getLogger("broadsheet.importer")


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one file ended. `skipped` has a reason; `known` was imported or fetched before."""

    status: Literal["stored", "known", "skipped"]
    path: str
    id: str = ""
    url: str = ""
    title: str = ""
    reason: str = ""


def documents(paths: Iterable[Path]) -> Iterator[Path]:
    """The document files among these files and folders, folders read through and in order of their names."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and p.suffix in (".md", ".txt"))
        else:
            yield path


def import_documents(
    paths: Iterable[Path],
    articles: Articles,
    source: Source,
    *,
    announce: bool,
    clock: Callable[[], float],
) -> Iterator[Outcome]:
    """Store every document as an article of `source`, first seen when the document says; yields one Outcome a file.

    A malformed one is skipped with its reason and stops nothing. Trouble with AWS raises: run it again, and it goes
    on where it stopped, for what is stored is `known`.
    """
    for path in documents(paths):
        outcome = _import(path, articles, source, announce=announce, now=datetime.fromtimestamp(clock(), UTC))
        log.info(outcome.status, extra=msgspec.to_builtins(outcome))
        yield outcome


def _import(path: Path, articles: Articles, source: Source, *, announce: bool, now: datetime) -> Outcome:
    try:
        found = mirror.read(path.read_bytes(), name=str(path))
        article = mirror.to_article(found, source.timezone or mirror.ZONE)
        ids = urls.article_ids(found.url)
    except OSError as error:
        return Outcome(status="skipped", path=str(path), reason=f"unreadable: {error.strerror}")
    except (MirrorError, ExtractionError, urls.UrlError) as error:
        return Outcome(status="skipped", path=str(path), reason=f"{error.reason} {error.detail}".strip())
    doc = document(
        msgspec.structs.replace(article, language=article.language or source.language),
        id=ids[0],
        source=source.id,
        first_seen=found.timestamp,
        fetched_at=now,
        summary=summarize(article),
        origin="seed",
    )
    known = articles.first_record(ids)
    new = False
    if known is None or known.status == "unavailable":
        _, new = articles.commit(doc, now=now, announce=announce, trace=f"import-{doc.id[:12]}")
    elif known.status == "stored":
        articles.withdraw(known, object_key(known.id, source.id, found.timestamp))  # what an interrupted import left
    stored_as = known.id if known and not new else doc.id
    return Outcome(status="stored" if new else "known", path=str(path), id=stored_as, url=found.url, title=doc.title)
