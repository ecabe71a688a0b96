"""The raw archive: pages as they were fetched, with what was sent and received, many to an object of WARC records.

    raw/v1/date=2026-11-24/051203-<32 hexadecimal digits>.warc.gz

A page is three records side by side, each a gzip member of its own: the response, the request, and as metadata the
article message that asked for it, with what its feed had said. So the page alone can be fetched by its place, and read
again as if it had just come. A body is kept decoded, and the headers that tell of its coding are renamed
`X-Crawler-…`, as in Common Crawl's archives.

An object is put before any document names it: a death in between leaves pages that nobody names, and never a document
that names a page which isn't there. The object's metadata `ids` has the beginnings of its messages' ids, by which
`broadsheet forget` finds pages of both kinds without reading any; with the pages' bytes, in one put, it can't be
missing.
"""

import gzip
import hashlib
import io
import logging
import threading
import uuid
import zlib
from base64 import b32encode
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet.errors import BroadsheetError
from broadsheet.fetch import LINES, VERSION, Response
from broadsheet.queue import ArticleMessage, MessageError, decode, encode
from broadsheet.store import RawPage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = "raw/v1"
# Bytes of an object. Fifty pages have 0.6 MB; what makes more is no newspaper's, and a function's memory is bounded.
MAX_OBJECT = 32 * 2**20
ID_PART = 16  # characters of 26 in the object's metadata, which has room for 2 KB: 80 bits still tell any two apart
_CODING = ("content-encoding", "content-length", "transfer-encoding")
_PREFIX: Final = "x-crawler-"

log = logging.getLogger("broadsheet.archive")


class ArchiveError(BroadsheetError):
    """A page of the archive can't be read; `subject` is its place."""


class Page(msgspec.Struct, frozen=True):
    """An archived page: what was answered, and the message for whose sake it was asked for."""

    message: ArticleMessage
    response: Response


class Bundle:
    """The pages of one run, until they are put; for all its threads."""

    def __init__(self, *, now: float) -> None:
        """`now` in epoch seconds."""
        at = datetime.fromtimestamp(now, UTC)
        self.key = f"{ROOT}/date={at:%Y-%m-%d}/{at:%H%M%S}-{uuid.uuid4().hex}.warc.gz"
        self._lock = threading.Lock()
        self._body = bytearray(_info(self.key, at))
        self._ids: list[str] = []

    def add(self, message: ArticleMessage, response: Response, *, now: float) -> RawPage | None:
        """Take in a page that came `now`; returns where it will lie once the bundle is put, None if it is too large."""
        packed = _packed(message, response, datetime.fromtimestamp(now, UTC))
        with self._lock:
            if len(self._body) + len(packed) > MAX_OBJECT:
                log.warning("too large to archive", extra={"id": message.id, "url": response.url})
                return None
            place = RawPage(key=self.key, offset=len(self._body), length=len(packed))
            self._body += packed
            self._ids.append(message.id[:ID_PART])
        return place

    @property
    def body(self) -> bytes:
        """The object."""
        return bytes(self._body)

    @property
    def ids(self) -> str:
        """The object's metadata: the beginnings of its messages' ids, in the pages' order."""
        return ",".join(self._ids)


class Archive:
    """The bucket's raw pages."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put(self, bundle: Bundle) -> bool:
        """Put a bundle; False, and a line in the log, where that fails: articles matter more than their archive."""
        try:
            self._put(bundle.key, bundle.body, {"ids": bundle.ids})
        except (ClientError, BotoCoreError) as error:
            log.warning("not archived", extra={"key": bundle.key, "reason": str(error)})
            return False
        return True

    def read(self, place: RawPage) -> Page:
        """The page at a place; raises ArchiveError for one that isn't there, was forgotten, or can't be read."""
        subject = f"s3://{self._bucket}/{place.key} at {place.offset}"
        try:
            span = f"bytes={place.offset}-{place.offset + place.length - 1}"
            body = self._s3.get_object(Bucket=self._bucket, Key=place.key, Range=span)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "InvalidRange"):
                raise
            raise ArchiveError(subject, "missing") from error
        for _, page in _pages(body, subject):
            return page
        raise ArchiveError(subject, "forgotten")

    def written_on(self, day: date) -> Iterator[tuple[str, frozenset[str]]]:
        """The objects of a day (UTC), each with the beginnings of its messages' ids."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{ROOT}/date={day}/")
        for found in (found for page in pages for found in page.get("Contents", [])):
            head = self._s3.head_object(Bucket=self._bucket, Key=found["Key"])
            yield found["Key"], frozenset(head["Metadata"].get("ids", "").split(","))

    def remove(self, key: str, ids: set[str]) -> int:
        """Remove the pages of these messages from an object and its older versions; returns how many there were.

        Other pages keep their places: what was there becomes an empty record of the same length. Safe to repeat.
        """
        answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        body = bytearray(answer["Body"].read())
        there = [place for place, page in _pages(bytes(body), key) if page.message.id in ids]
        newest = answer.get("VersionId", "null")
        for start, end in there:
            body[start:end] = _blank(end - start)
        if there:
            newest = self._put(key, bytes(body), answer["Metadata"])
        listed = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key)
        for one in (one for page in listed for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]):
            if one["VersionId"] != newest:
                self._s3.delete_object(Bucket=self._bucket, Key=key, VersionId=one["VersionId"])
        return len(there)

    def _put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> str:
        answer = self._s3.put_object(
            Bucket=self._bucket, Key=key, Body=body, ContentType="application/warc", Metadata=metadata
        )
        return answer.get("VersionId", "null")  # which is what versions are called where none are kept


def _packed(message: ArticleMessage, response: Response, at: datetime) -> bytes:
    known = {status.value: status.phrase for status in HTTPStatus}
    status = f"HTTP/1.1 {response.status} {known.get(response.status, '')}"
    headers = [
        (f"{_PREFIX}{name}" if name in _CODING else name, line)
        for name, value in response.headers.items()
        for line in value.split(LINES)
    ]
    answer = _http(status, [*headers, ("content-length", str(len(response.body)))]) + response.body
    parts = urlsplit(response.url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    request = _http(f"GET {path} HTTP/1.1", [("host", parts.netloc), *response.sent.items()])
    id = f"<urn:uuid:{uuid.uuid4()}>"
    digest = b32encode(hashlib.sha1(response.body, usedforsecurity=False).digest()).decode()
    about = {"WARC-Target-URI": response.url, "WARC-Concurrent-To": id}
    return b"".join(
        (
            _record(
                "response",
                "application/http; msgtype=response",
                answer,
                at,
                {"WARC-Target-URI": response.url, "WARC-Payload-Digest": f"sha1:{digest}"},
                id=id,
            ),
            _record("request", "application/http; msgtype=request", request, at, about),
            _record("metadata", "application/json", encode(message).encode("ascii"), at, about),
        )
    )


def _record(
    kind: str, content_type: str, block: bytes, at: datetime, about: Mapping[str, str], *, id: str = ""
) -> bytes:
    """A WARC 1.1 record (ISO 28500) in a gzip member of its own.

    warcio is what reads them; its writer lays each record down in a temporary file first, and would be one more library
    in the layer.
    """
    head = {
        "WARC-Type": kind,
        "WARC-Record-ID": id or f"<urn:uuid:{uuid.uuid4()}>",
        "WARC-Date": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        **about,
        "Content-Type": content_type,
        "Content-Length": str(len(block)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return gzip.compress(b"WARC/1.1\r\n" + lines.encode() + b"\r\n" + block + b"\r\n\r\n", 6, mtime=0)


def _http(first: str, headers: list[tuple[str, str]]) -> bytes:
    """A head as HTTP/1.1 would have it, each value on one line: obsolete folding and HTTP/2 are unfolded."""
    lines = [first.strip(), *(f"{name}: {' '.join(value.split())}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


def _pages(body: bytes, subject: str) -> Iterator[tuple[tuple[int, int], Page]]:
    """The pages among the records of `body`, each with where it begins and ends; what else there is is passed over."""
    from warcio.archiveiterator import ArchiveIterator  # noqa: PLC0415 - for those who read, which no function does
    from warcio.exceptions import ArchiveLoadFailed  # noqa: PLC0415

    records = ArchiveIterator(io.BytesIO(body))
    response, begins = None, 0
    try:
        for record in records:
            content = record.content_stream().read()
            if record.rec_type == "response" and record.http_headers:
                response, begins = _response(record, content), records.get_record_offset()
            elif record.rec_type == "metadata" and response is not None and content:
                message = decode(content.decode("ascii"), message_id=subject)
                ends = records.get_record_offset() + records.get_record_length()
                yield (begins, ends), Page(message, response)
                response = None
    except (ArchiveLoadFailed, MessageError, ValueError, zlib.error) as error:
        raise ArchiveError(subject, "unreadable", str(error)) from error


def _response(record: Any, body: bytes) -> Response:
    headers: dict[str, str] = {}
    for name, line in record.http_headers.headers:
        known = headers.get(name.lower())
        headers[name.lower()] = line if known is None else f"{known}{LINES}{line}"
    headers.pop("content-length", None)
    return Response(
        url=record.rec_headers.get_header("WARC-Target-URI"),
        status=int(record.http_headers.get_statuscode()),
        headers={name.removeprefix(_PREFIX): value for name, value in headers.items()},
        body=body,
    )


def _blank(length: int) -> bytes:
    """An empty record in a gzip member of just this length; a comment in its head fills it up (RFC 1952, FCOMMENT)."""
    member = _record("metadata", "text/plain", b"", datetime.now(UTC), {})
    head, packed = member[:10], member[10:]
    return head[:3] + b"\x10" + head[4:] + b" " * (length - len(member) - 1) + b"\x00" + packed


def _info(key: str, at: datetime) -> bytes:
    told = f"software: Broadsheet/{VERSION}\r\nformat: WARC File Format 1.1\r\n".encode()
    return _record("warcinfo", "application/warc-fields", told, at, {"WARC-Filename": key.rpartition("/")[2]})
