"""`broadsheet reparse`: today's extractor over the raw archive, what it would change, and new revisions of it."""

import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

import click
import msgspec

from broadsheet import feedtext
from broadsheet.apart import PATIENCE, Apart, LateError, Task
from broadsheet.archive import Archive, ArchiveError
from broadsheet.article import Article
from broadsheet.cli.answers import json_option, show_json
from broadsheet.cli.deployment import Deployment, on_deployment
from broadsheet.cli.export import bodies, keys
from broadsheet.extract import ExtractionError
from broadsheet.mirror import MirrorError
from broadsheet.reading import read_answer
from broadsheet.source import Source, Sources
from broadsheet.store import Articles, RawPage, StoredArticle, changes_between, document
from broadsheet.summary import summarize

SHOWN = 70  # characters of a value

Status = Literal["same", "changed", "no-page", "no-article", "written", "overtaken"]


class Change(msgspec.Struct, frozen=True):
    """A field as it is stored, and as it is read now."""

    field: str
    before: Any
    after: Any


class Reread(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of an article: `no-page`: none was archived, or it can't be read; `no-article`: today's extractor
    finds none on it; `overtaken`: somebody else revised or forgot it meanwhile."""

    status: Status
    id: str
    source: str
    url: str
    reason: str = ""
    changes: tuple[Change, ...] = ()


@click.command("reparse")
@click.option("--source", help="Only of this source, by its id.")
@click.option("--since", default="0000-00-00", help="Only first seen on this day (UTC, YYYY-MM-DD) or later.")
@click.option("--until", default="9999-99-99", help="Only first seen on this day or earlier.")
@click.option("--write", is_flag=True, help="Write a new revision of each article that is read otherwise.")
@json_option
@on_deployment
def reparse_(*, source: str | None, since: str, until: str, write: bool, as_json: bool, deployment: Deployment) -> None:
    """Read archived pages with today's extractor, and show what is read otherwise than it is stored.

    Nothing is asked of any host. With --write what changed becomes a new revision; no channel hears of it, and publish
    takes it into editions and pages. Interrupted, the same again goes on: what was written is the same then.
    """
    length = sum(1 for _ in keys(deployment, source, since, until)) if sys.stderr.isatty() else None
    found = _reread(deployment, keys(deployment, source, since, until), write=write)
    ends: Counter[str] = Counter()
    fields: Counter[str] = Counter()
    told: list[Reread] = []
    bar: Any = click.progressbar(found, length=length, label="reading", file=sys.stderr, hidden=length is None)
    with bar as progress:
        for one in progress:
            ends[one.status] += 1
            fields.update(change.field for change in one.changes)
            if one.status == "same":
                continue
            if as_json:
                told.append(one)
            else:
                _show(one)
    if as_json:
        show_json({"articles": dict(ends), "fields": dict(fields), "changes": told})
        return
    click.echo(", ".join(f"{number} {status}" for status, number in sorted(ends.items())) or "no articles")
    if fields:
        click.echo("fields: " + ", ".join(f"{number} {name}" for name, number in fields.most_common()))
    if ends["changed"]:
        click.echo("--write makes these new revisions")


def _reread(deployment: Deployment, wanted: Iterator[str], *, write: bool) -> Iterator[Reread]:
    """One for each article, in the order of their keys; read by as many workers as there are processors."""
    desk = _Desk(deployment.articles, deployment.archive, deployment.sources, write=write)
    workers = os.cpu_count() or 1
    with closing(desk), ThreadPoolExecutor(workers) as pool:
        found = bodies(deployment, wanted)
        while batch := list(islice(found, 16 * workers)):
            yield from pool.map(desk.reread, (msgspec.json.decode(body, type=StoredArticle) for _, body in batch))


class _Desk:
    """Where articles are read again; for many threads, each with a reading process of its own."""

    def __init__(self, articles: Articles, archive: Archive, sources: Sources, *, write: bool) -> None:
        self._articles, self._archive, self._sources, self._write = articles, archive, sources, write
        self._own = threading.local()
        self._readers: list[Apart] = []

    def reread(self, there: StoredArticle) -> Reread:
        said = Reread(status="same", id=there.id, source=there.source, url=there.url)
        if there.raw is None:
            return msgspec.structs.replace(said, status="no-page")
        try:
            after = self._today(there, there.raw)
        except ArchiveError as error:
            return msgspec.structs.replace(said, status="no-page", reason=str(error))
        except (ExtractionError, MirrorError, LateError) as error:
            return msgspec.structs.replace(said, status="no-article", reason=error.reason)
        except RuntimeError as error:  # a defect of the extractor's, met in its own process
            return msgspec.structs.replace(said, status="no-article", reason=str(error))
        changed = changes_between(there, after)
        changes = tuple(Change(name, getattr(there, name), getattr(after, name)) for name in changed)
        status: Status = "changed" if changed else "same"
        if self._write:
            status = self._written(there, after, status)
        return msgspec.structs.replace(said, status=status, changes=changes)

    def _written(self, there: StoredArticle, after: StoredArticle, status: Status) -> Status:
        record = self._articles.record(there.id)
        now = datetime.now(UTC)
        if record and record.status == "stored" and record.revision < there.revision:
            record = self._articles.revise(record, there, now=now)  # whose writer died before it was committed
        if status == "same":
            return status
        if record is None or record.status != "stored" or record.revision != there.revision:
            return "overtaken"
        return "written" if self._articles.revise(record, after, now=now, reread=True) else "overtaken"

    def _today(self, there: StoredArticle, raw: RawPage) -> StoredArticle:
        """The document that an article's archived page gives today."""
        page = self._archive.read(raw)
        id = page.message.source
        source = self._sources.source(id) or Source(id=id, name=id, url=page.message.url)
        reading = read_answer(page.response, page.message, source, self._read)
        article = feedtext.carried_over(reading.article, there) if page.message.revisit else reading.article
        return document(
            article,
            id=there.id,
            source=there.source,
            first_seen=there.first_seen,
            fetched_at=there.fetched_at,
            summary=summarize(article),
            origin=reading.origin,
            origin_reason=reading.reason,
            withheld=reading.withheld,
            raw=raw,
        )

    def _read(self, task: Task) -> Article:
        if not hasattr(self._own, "apart"):
            self._own.apart = Apart()
            self._readers.append(self._own.apart)
        apart: Apart = self._own.apart
        return apart.read(task, PATIENCE)

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


def _show(one: Reread) -> None:
    click.secho(f"{one.id}  {one.source}  {one.url}", bold=True)
    if one.status in ("no-page", "no-article"):
        click.echo(f"  {one.status} {one.reason}".rstrip())
    for change in one.changes:
        click.echo(f"  {change.field}")
        click.secho(f"    - {_short(change.before)}", fg="red")
        click.secho(f"    + {_short(change.after)}", fg="green")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
