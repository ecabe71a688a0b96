"""Editions: a day's articles in one file of JSON lines and one of Parquet, so that nobody lists a million objects.

    editions/v1/jsonl/date=2026-11-24/articles.jsonl.zst      the documents as they lie in articles/v1, one a line
    editions/v1/parquet/date=2026-11-24/articles.parquet      their columns (`Row`), without blocks, HTML and witnesses
    editions/v1/manifest.json                                 which days there are, with counts, sizes and SHA-256

The day is that of the article's first sighting, in UTC, as in its key. An edition is merged from the one before and
the documents that changed, both in order of article ids: memory stays that of a row group however long the day is, and
the same articles give the same bytes, whatever way they came in.
"""

import hashlib
import heapq
import io
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol, cast, get_type_hints

import msgspec
import zstandard
from botocore.exceptions import ClientError

from broadsheet.errors import BroadsheetError
from broadsheet.parquet import Column, Kind, Writer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = "editions/v1"
MANIFEST = f"{ROOT}/manifest.json"
JSON = "application/json"
JSONL, PARQUET = "articles.jsonl.zst", "articles.parquet"


class EditionError(BroadsheetError):
    """A manifest or an edition isn't as this version can read it; `subject` is its key."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an edition; `bytes` long, `sha256` in hexadecimal digits."""

    key: str
    bytes: int
    sha256: str


class Edition(msgspec.Struct, frozen=True, kw_only=True):
    """A day. `sources` counts its articles by source; `changed_at` is the newest commit in it (ISO 8601, UTC)."""

    articles: int
    sources: dict[str, int]
    changed_at: str
    jsonl: File
    parquet: File


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which editions there are, by day. `through` is the newest commit that all of them, and the pages, know of.

    `pages` are the SHA-256 of what was published beside the editions, by key: what didn't change isn't written again.
    """

    schema: str = "v1"
    through: str = ""
    editions: dict[str, Edition] = {}
    pages: dict[str, str] = {}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The Parquet columns, in this order: what analysts group, filter and search by."""

    id: str
    source: str
    url: str
    title: str
    standfirst: str | None = None
    authors: tuple[str, ...] = ()
    agency: str | None = None
    published_at: datetime | None = None
    modified_at: datetime | None = None
    first_seen: datetime | None = None
    fetched_at: datetime | None = None
    section: str | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None
    site_name: str | None = None
    access: str | None = None
    summary: str = ""
    text: str = ""
    length: int = 0
    length_unit: str = ""
    reading_minutes: int = 0
    origin: str = ""
    revision: int = 1
    content_hash: str = ""
    reprint_of: str | None = None
    canonical_url: str | None = None


def _kind(hint: Any) -> Kind:
    if hint == tuple[str, ...]:
        return "texts"
    if hint is int:
        return "integer"
    return "instant" if hint == datetime | None else "text"


COLUMNS = tuple(Column(name, _kind(hint)) for name, hint in get_type_hints(Row).items())

_row = msgspec.json.Decoder(Row).decode


class Fetch(Protocol):
    """Gives the documents' bytes for these keys, in their order; None for one that is gone."""

    def __call__(self, keys: Iterable[str]) -> Iterator[bytes | None]: ...


class Editions:
    """The bucket's editions and their manifest. One process at a time may write: the caller sees to it."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def manifest(self) -> Manifest:
        """The manifest; an empty one before the first edition.

        AWS tells nobody that a key is missing who may not list the bucket: one that can be written only if it is
        missing was.
        """
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=MANIFEST)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "AccessDenied"):
                raise
            self._s3.put_object(
                Bucket=self._bucket, Key=MANIFEST, Body=_manifest(Manifest()), ContentType=JSON, IfNoneMatch="*"
            )
            return Manifest()
        try:
            return msgspec.json.decode(body, type=Manifest)
        except msgspec.DecodeError as error:
            raise EditionError(f"s3://{self._bucket}/{MANIFEST}", "unreadable", str(error)) from error

    def save(self, manifest: Manifest) -> None:
        """Publish the manifest: the last write of a run, of files that are all there."""
        self._s3.put_object(Bucket=self._bucket, Key=MANIFEST, Body=_manifest(manifest), ContentType=JSON)

    def lines(self, edition: Edition | None) -> Iterator[bytes]:
        """The documents of an edition, in order of their ids, each without its line's end."""
        if edition is None:
            return
        body: Any = self._s3.get_object(Bucket=self._bucket, Key=edition.jsonl.key)["Body"]
        with zstandard.ZstdDecompressor().stream_reader(body) as reader:
            for line in io.BufferedReader(cast(io.RawIOBase, reader), 1 << 20):
                yield line.rstrip(b"\n")

    def merge(
        self,
        day: str,
        before: Edition | None,
        changed: dict[str, str],
        *,
        fetch: Fetch,
        changed_at: str,
        gone: Collection[str] = (),
    ) -> Edition | None:
        """Write a day's edition: the one before, with the documents of `changed` (keys by article id) taken in or
        replaced, and the ids in `gone` taken out. Files whose bytes stay are not written. None: no article is left.
        """
        ids = sorted(changed.keys() - set(gone))
        new = ((id, 1, body) for id, body in zip(ids, fetch([changed[id] for id in ids]), strict=True))
        old = ((_row(line).id, 0, line) for line in self._left(before, gone))
        known = None if gone else before  # a run that died may have written what has gone since
        with TemporaryDirectory(prefix="edition-") as folder:
            lines, columns = Path(folder, JSONL), Path(folder, PARQUET)
            sources = _write(heapq.merge(old, new), set(gone), lines, columns)
            if not sources:
                return None
            return Edition(
                articles=sum(sources.values()),
                sources=dict(sorted(sources.items())),
                changed_at=changed_at,
                jsonl=self._put(lines, f"{ROOT}/jsonl/date={day}/{lines.name}", known.jsonl if known else None),
                parquet=self._put(
                    columns, f"{ROOT}/parquet/date={day}/{columns.name}", known.parquet if known else None
                ),
            )

    def _left(self, edition: Edition | None, gone: Collection[str]) -> Iterator[bytes]:
        """The documents of an edition; none if all are gone and the file, too: a run died that was removing it."""
        try:
            yield from self.lines(edition)
        except ClientError as error:
            missing = error.response["Error"]["Code"] in ("NoSuchKey", "AccessDenied")
            if not missing or edition is None or edition.articles > len(gone):
                raise

    def remove(self, day: str) -> None:
        """Delete the files of a day of which no article is left."""
        for key in (f"{ROOT}/jsonl/date={day}/{JSONL}", f"{ROOT}/parquet/date={day}/{PARQUET}"):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def put_page(self, key: str, body: bytes, content_type: str) -> None:
        """Publish a page, list or feed beside the editions."""
        self._s3.put_object(
            Bucket=self._bucket, Key=key, Body=body, ContentType=content_type, CacheControl="max-age=300"
        )

    def remove_page(self, key: str) -> None:
        """Take back a page of a source that is no more."""
        self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _put(self, path: Path, key: str, before: File | None) -> File:
        with path.open("rb") as body:
            file = File(key=key, bytes=path.stat().st_size, sha256=hashlib.file_digest(body, "sha256").hexdigest())
            if file != before:
                body.seek(0)
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=body,
                    ContentType="application/zstd" if key.endswith(".zst") else "application/vnd.apache.parquet",
                )
        return file


def _manifest(manifest: Manifest) -> bytes:
    return msgspec.json.encode(manifest, order="deterministic")


def _write(
    documents: Iterable[tuple[str, int, bytes | None]], gone: Collection[str], lines: Path, columns: Path
) -> dict[str, int]:
    """Write both files; of two documents with one id the later holds. Returns how many articles each source has."""
    sources: dict[str, int] = {}
    names = [column.name for column in COLUMNS]
    with (
        lines.open("wb") as packed,
        zstandard.ZstdCompressor(level=3).stream_writer(packed, closefd=False) as jsonl,
        columns.open("wb") as file,
        Writer(file, COLUMNS) as parquet,
    ):
        for id, line in _latest(documents):
            if id in gone or line is None:
                continue
            row = _row(line)
            jsonl.write(line + b"\n")
            parquet.write(tuple(getattr(row, name) for name in names))
            sources[row.source] = sources.get(row.source, 0) + 1
    return sources


def _latest(documents: Iterable[tuple[str, int, bytes | None]]) -> Iterator[tuple[str, bytes | None]]:
    held: tuple[str, bytes | None] | None = None
    for id, _, line in documents:
        if held and held[0] != id:
            yield held
        held = id, line
    if held:
        yield held
