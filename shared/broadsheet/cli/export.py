"""`broadsheet export`: stored articles as JSON lines, or as seed documents, however many; goes on where it stopped."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from broadsheet import mirror
from broadsheet.cli.answers import json_option, show_json
from broadsheet.cli.deployment import Deployment, on_deployment
from broadsheet.mirror import MirrorError
from broadsheet.store import StoredArticle

ROOT = "articles/v1/"
AT_ONCE = 100  # objects held in memory, 2 MB of them, and records asked for in one call
READERS = 16


class Position(msgspec.Struct, frozen=True):
    """How far an export came: the last key written, the bytes of the file until then, and the choice it was of."""

    choice: str
    key: str
    bytes: int


def keys(deployment: Deployment, source: str | None, since: str, until: str, *, after: str = "") -> Iterator[str]:
    """Keys of articles first seen from day to day (YYYY-MM-DD, both counted), in order, a thousand at a time."""
    s3, bucket = deployment.client("s3"), deployment.output("BucketName")
    for prefix in [f"{ROOT}source={source}/"] if source else _sources(s3, bucket):
        if prefix + "date=9" <= after:
            continue
        first = max(after, f"{prefix}date={since}")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=first):
            for found in page.get("Contents", []):
                if found["Key"].removeprefix(prefix) > f"date={until}/~":
                    break
                yield found["Key"]
            else:
                continue
            break


def _sources(s3: Any, bucket: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=ROOT, Delimiter="/"):
        yield from (found["Prefix"] for found in page.get("CommonPrefixes", []))


def bodies(deployment: Deployment, wanted: Iterator[str]) -> Iterator[tuple[str, bytes]]:
    """The objects at these keys that a record names, in order; others are leftovers of writers that lost."""
    s3, bucket, articles = deployment.client("s3"), deployment.output("BucketName"), deployment.articles

    def body(key: str) -> bytes:
        read: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return read

    with ThreadPoolExecutor(READERS) as pool:
        while part := list(islice(wanted, AT_ONCE)):
            ids = {key: key.rpartition("/")[2].partition(".")[0] for key in part}
            records = articles.records(ids.values())
            committed = [key for key in part if ids[key] in records and records[ids[key]].s3_key == key]
            yield from zip(committed, pool.map(body, committed), strict=True)


@click.command("export")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--source", help="Only of this source, by its id.")
@click.option("--since", default="0000-00-00", help="Only first seen on this day (UTC, YYYY-MM-DD) or later.")
@click.option("--until", default="9999-99-99", help="Only first seen on this day or earlier.")
@click.option("--seed", is_flag=True, help="As seed documents, a file each, in the folder TARGET.")
@json_option
@on_deployment
def export_(
    target: Path, *, source: str | None, since: str, until: str, seed: bool, as_json: bool, deployment: Deployment
) -> None:
    """Write stored articles to TARGET: a file of JSON lines, or with --seed a folder of documents.

    Interrupted, the same command goes on where it stopped.
    """
    choice = f"{deployment.name} {source} {since} {until} {seed}"
    mark = target / ".position" if seed else target.with_name(target.name + ".position")
    if target.exists() and not mark.exists() and not (seed and target.is_dir()):
        raise click.ClickException(f"{target} exists; remove it, or name another")
    at = msgspec.json.decode(mark.read_bytes(), type=Position) if mark.exists() else Position(choice, "", 0)
    if at.choice != choice:
        raise click.ClickException(f"{mark} is of another export: finish that one, or remove both")
    (target if seed else target.parent).mkdir(parents=True, exist_ok=True)
    length = sum(1 for _ in keys(deployment, source, since, until, after=at.key)) if sys.stderr.isatty() else None
    found = bodies(deployment, keys(deployment, source, since, until, after=at.key))
    written = skipped = 0
    bar: Any = click.progressbar(found, length=length, label="exporting", file=sys.stderr, hidden=length is None)
    with bar as progress, ExitStack() as files:
        lines = None if seed else files.enter_context(_continued(target, at.bytes))
        for key, body in progress:
            if lines:
                lines.write(body + b"\n")
            elif not _document(body, target):
                skipped += 1
                continue
            written += 1
            if written % AT_ONCE == 0:
                _keep(mark, Position(choice, key, _flushed(lines)))
    mark.unlink(missing_ok=True)
    if as_json:
        show_json({"written": written, "skipped": skipped, "target": str(target)})
    else:
        click.echo(
            f"{written} articles in {target}" + (f", {skipped} can't be written as documents" if skipped else "")
        )


def _continued(path: Path, size: int) -> BinaryIO:
    """The file, of which what came after the last position is written again."""
    file = path.open("ab")
    file.truncate(size)
    return file


def _flushed(file: BinaryIO | None) -> int:
    if file is None:
        return 0
    file.flush()
    return file.tell()


def _keep(mark: Path, position: Position) -> None:
    new = mark.with_name(mark.name + ".new")
    new.write_bytes(msgspec.json.encode(position))
    new.replace(mark)


def _document(body: bytes, folder: Path) -> bool:
    article = msgspec.json.decode(body, type=StoredArticle)
    at: datetime = article.first_seen
    try:
        document = mirror.write(mirror.from_article(article, at))
    except MirrorError as error:
        click.echo(f"\n{article.id}: {error.reason}", err=True)
        return False
    (folder / f"{article.id}.md").write_bytes(document)
    return True
