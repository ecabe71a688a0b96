"""The articles: objects in S3, and the records whose conditional put is the commit point.

Writing is safe to repeat from any step. The object's key is computed from the message alone and is written once
(`If-None-Match`); the record is made from the object that is there, so that the two agree whoever wrote first.
"""

import hashlib
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from botocore.exceptions import ClientError

from broadsheet.article import SCHEMA, Article, Origin, Reservation
from broadsheet.dynamo import from_item, instant, to_item, unprocessed
from broadsheet.errors import BroadsheetError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

# A record is for lists and channels, and an item holds 400 KB at most; the object has everything whole.
MAX_TITLE, MAX_SUMMARY, MAX_URL, MAX_NAMES = 1000, 2000, 8000, 30
READERS = 10  # objects read at once: as many connections as boto3 keeps
NO_VALIDATORS: Mapping[str, str | None] = {}
MAX_SOURCES = 1000  # noted of an article, 63 bytes each, twice: further ones are not told of it


class StoreError(BroadsheetError):
    """A record or object isn't as this version can read it, or stays where it was to go; `subject` is its key."""


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier state of an article: `number` counts from 1; replaced `at` (UTC) by a revision that differs in the
    fields `changed`; its own document stays readable at `s3_key`. `reread`: the publisher changed nothing, the page
    that was archived was read anew."""

    number: int
    at: datetime
    changed: tuple[str, ...]
    s3_key: str
    reread: bool = False


class RawPage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page lies as it was fetched (`archive`): so many bytes from there on of the object at `key`."""

    key: str
    offset: int
    length: int


class StoredArticle(Article, frozen=True, kw_only=True):
    """The document consumers read from S3: the article, and how it came to us.

    `source` and `first_seen` are those of the first sighting. `origin` says whether the page, the feed's own text or
    a seed document was read; `origin_reason` why it wasn't the page. `content_hash` is over title, standfirst and
    text, and carries its version. `reprint_of` is the id of the article
    stored before whose text this one repeats, or nearly so (`reprints`). `withheld` is what the page reserves, and the
    source's policy respects: there is no text then. `revision` counts from 1; `revisions` are the
    earlier ones, oldest first. `raw` is the page this revision was read from, where there is an archive.
    """

    schema: str = SCHEMA
    id: str
    source: str
    first_seen: datetime
    fetched_at: datetime
    origin: Origin = "page"
    origin_reason: str | None = None
    revision: int = 1
    revisions: tuple[Revision, ...] = ()
    content_hash: str = ""
    reprint_of: str | None = None
    withheld: Reservation | None = None
    summary: str = ""
    raw: RawPage | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the Articles table says of an id.

    `stored` is an article; `alias` another address of `target`; `unavailable` one whose page can't be had, with the
    reason, until another sighting brings it; `forgotten` one that was removed and mustn't come back, with nothing of it
    kept but where it lay and its `revision` (`reason` is "unfinished" while that is under way). Instants are ISO 8601
    in UTC. `silent` are those of `sources` that had it in the past they brought along when they were new: their
    channels don't hear of it.
    `changed_at` is when the present revision was committed, or the article forgotten. `reread`: that revision is ours
    and not the publisher's, a page from the archive read anew; no channel hears of it. `etag` and `last_modified` are
    those of the page where it is to be asked for again.
    """

    id: str
    status: Literal["stored", "alias", "unavailable", "forgotten"]
    url: str
    source: str
    first_seen: str
    sources: set[str] = set()
    silent: set[str] = set()
    target: str | None = None
    reason: str | None = None
    title: str = ""
    summary: str = ""
    published_at: str | None = None
    language: str | None = None
    authors: tuple[str, ...] = ()
    section: str | None = None
    tags: tuple[str, ...] = ()
    image: str | None = None
    length: int = 0  # of the text, as the article counts it; 0 is unknown
    origin: Origin = "page"
    s3_key: str | None = None
    content_hash: str = ""
    reprint_of: str | None = None
    revision: int = 1
    reread: Literal[True] | None = None
    etag: str | None = None
    last_modified: str | None = None
    announce: bool = True
    trace: str = ""
    sort_at: str | None = None
    outbox_hour: str | None = None
    outbox_at: str | None = None
    changed_hour: str | None = None
    changed_at: str | None = None


class Change(msgspec.Struct, frozen=True):
    """An article whose present revision was committed `at` (ISO 8601 in UTC), and lies at `s3_key`; or lay there, if it
    is `gone`: forgotten."""

    id: str
    s3_key: str
    at: str
    gone: bool = False

    @property
    def day(self) -> str:
        """Of the article's first sighting, as its key says it."""
        return self.s3_key.partition("/date=")[2][:10]

    @property
    def source(self) -> str:
        """Of the article's first sighting."""
        return self.s3_key.partition("/source=")[2].partition("/")[0]


def object_key(article_id: str, source: str, first_seen: datetime) -> str:
    """Where an article's object lies; from what its message carries, so that a retry computes it again."""
    return f"articles/v1/source={source}/date={first_seen.astimezone(UTC):%Y-%m-%d}/{article_id}.json"


def revision_key(article_id: str, source: str, first_seen: datetime, number: int) -> str:
    """Where a revision lies once another has taken its place; beside the articles, so that nobody lists both."""
    return f"{revision_prefix(article_id, source, first_seen)}{number}.json"


def revision_prefix(article_id: str, source: str, first_seen: datetime) -> str:
    """What the keys of an article's older revisions begin with."""
    return f"revisions/v1/source={source}/date={first_seen.astimezone(UTC):%Y-%m-%d}/{article_id}."


def content_hash(article: Article) -> str:
    """`1:` and 32 hexadecimal digits over what a reader would call the content; empty fields don't count."""
    parts = [part for part in (article.title, article.standfirst, article.text) if part]
    return "1:" + hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def document(
    article: Article,
    *,
    id: str,
    source: str,
    first_seen: datetime,
    fetched_at: datetime,
    summary: str,
    origin: Origin = "page",
    origin_reason: str | None = None,
    withheld: Reservation | None = None,
    raw: RawPage | None = None,
) -> StoredArticle:
    """The document of an article. All instants become UTC, so that consumers can sort them as strings."""
    made = StoredArticle(
        **{
            **{name: getattr(article, name) for name in article.__struct_fields__},
            "published_at": _utc(article.published_at),
            "modified_at": _utc(article.modified_at),
        },
        id=id,
        source=source,
        first_seen=first_seen.astimezone(UTC).replace(microsecond=0),
        fetched_at=fetched_at.astimezone(UTC).replace(microsecond=0),
        summary=summary,
        origin=origin,
        origin_reason=origin_reason,
        content_hash=content_hash(article),
        withheld=withheld,
        raw=raw,
    )
    return _well_formed(made)


def record_of(document: StoredArticle, *, key: str, committed_at: datetime, announce: bool, trace: str) -> Record:
    """The record that commits a document lying at `key`."""
    published = instant(document.published_at) if document.published_at else None
    lead = next(iter(document.images), None)
    return Record(
        id=document.id,
        status="stored",
        url=document.url[:MAX_URL],
        source=document.source,
        sources={document.source},
        silent=set() if announce else {document.source},
        first_seen=instant(document.first_seen),
        title=document.title[:MAX_TITLE],
        summary=document.summary[:MAX_SUMMARY],
        published_at=published,
        language=document.language,
        authors=tuple(author[:200] for author in document.authors[:MAX_NAMES]),
        section=document.section[:200] if document.section else None,
        tags=tuple(tag[:200] for tag in document.tags[:MAX_NAMES]),
        image=lead.url if lead and len(lead.url) <= MAX_URL else None,
        length=document.length,
        origin=document.origin,
        s3_key=key,
        content_hash=document.content_hash,
        reprint_of=document.reprint_of,
        revision=document.revision,
        reread=True if document.revisions and document.revisions[-1].reread else None,
        announce=announce,
        trace=trace,
        sort_at=published or instant(document.first_seen),
        # Only what is to be announced enters the outbox index; the rest costs it nothing.
        outbox_hour=instant(committed_at)[:13] if announce else None,
        outbox_at=instant(committed_at) if announce else None,
        changed_hour=instant(committed_at)[:13],
        changed_at=instant(committed_at),
    )


def changes_between(before: StoredArticle, after: StoredArticle) -> tuple[str, ...]:
    """The fields in which two documents of one article differ, but for those that tell of us rather than of it."""
    return tuple(
        name
        for name in StoredArticle.__struct_fields__
        if name not in _OURS and getattr(before, name) != getattr(after, name)
    )


def revised(
    before: StoredArticle, after: StoredArticle, changed: tuple[str, ...], *, at: datetime, reread: bool
) -> StoredArticle:
    """The document of the next revision: `after`, with the identity and history of `before`."""
    older = Revision(
        number=before.revision,
        at=at.astimezone(UTC).replace(microsecond=0),
        changed=changed,
        s3_key=revision_key(before.id, before.source, before.first_seen, before.revision),
        reread=reread,
    )
    kept = {name: getattr(before, name) for name in ("id", "url", "source", "first_seen", "reprint_of")}
    return msgspec.structs.replace(after, **kept, revision=before.revision + 1, revisions=(*before.revisions, older))


# What says how and when an article came to us, rather than what it is.
_OURS = frozenset(
    ("schema", "id", "url", "source", "first_seen", "fetched_at", "revision", "revisions", "reprint_of", "raw")
)
# Of a record, what a revision leaves as it is: how the article came in, and whether channels are to hear of it.
_NOT_REVISED = frozenset(
    ("id", "status", "source", "sources", "silent", "first_seen", "reprint_of", "announce", "trace", "target", "reason")
) | {"outbox_hour", "outbox_at"}


class Articles:
    """The Articles table and the bucket."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str, s3: "S3Client", bucket: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._s3 = s3
        self._bucket = bucket

    def records(self, ids: Iterable[str], *, consistent: bool = False) -> dict[str, Record]:
        """The records there are for these ids. Eventually consistent unless told otherwise, at a tenth of a write's
        price: the commit's condition decides, not this."""
        wanted: list[Any] = [{"id": {"S": id}} for id in dict.fromkeys(ids)]
        found: dict[str, Record] = {}
        while wanted:
            asked: Any = {self._table: {"Keys": wanted[:100], "ConsistentRead": consistent}}
            answer = self._dynamodb.batch_get_item(RequestItems=asked)
            for item in answer["Responses"].get(self._table, []):
                record = record_from_item(item)
                found[record.id] = record
            wanted = unprocessed(answer, self._table) + wanted[100:]
        return found

    def record(self, id: str) -> Record | None:
        """One record, strongly consistent."""
        answer = self._dynamodb.get_item(TableName=self._table, Key={"id": {"S": id}}, ConsistentRead=True)
        return record_from_item(answer["Item"]) if "Item" in answer else None

    def first_record(self, ids: Iterable[str]) -> Record | None:
        """The record of the first of these ids that has one, strongly consistent."""
        return next((found for id in ids if (found := self.record(id))), None)

    def read(self, key: str) -> StoredArticle:
        """The document at a key."""
        return self._decoded(key, self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def _decoded(self, key: str, body: bytes) -> StoredArticle:
        try:
            return msgspec.json.decode(body, type=StoredArticle)
        except msgspec.DecodeError as error:
            raise StoreError(f"s3://{self._bucket}/{key}", "unreadable", str(error)) from error

    def bodies(self, keys: Iterable[str]) -> Iterator[bytes | None]:
        """The bytes of the documents at these keys, in their order, some ahead of the reader; None for one that is gone
        (AWS denies access instead to those who may not list the bucket, which raises).
        """
        with ThreadPoolExecutor(READERS) as pool:
            ahead: deque[Future[bytes | None]] = deque()
            for key in keys:
                ahead.append(pool.submit(self._body, key))
                if len(ahead) > 4 * READERS:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _body(self, key: str) -> bytes | None:
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None

    def commit(
        self,
        document: StoredArticle,
        *,
        now: datetime,
        announce: bool,
        trace: str,
        validators: Mapping[str, str | None] = NO_VALIDATORS,
    ) -> tuple[Record, bool]:
        """Write the object, then the record; returns the record that holds and whether it is new.

        `validators` are the record's `etag` and `last_modified`.
        Whoever loses the commit takes an object of its own back, unless it is the very one that was committed.
        """
        key = object_key(document.id, document.source, document.first_seen)
        try:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=msgspec.json.encode(document),
                ContentType="application/json; charset=utf-8",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            document = self.read(key)  # an earlier try got this far; what it wrote is what counts
        record = record_of(document, key=key, committed_at=now, announce=announce, trace=trace)
        record = msgspec.structs.replace(record, **validators)
        try:
            self._put(record, "attribute_not_exists(id) OR #status = :unavailable")
        except self._dynamodb.exceptions.ConditionalCheckFailedException as refused:
            existing = record_from_item(refused.response["Item"])  # type: ignore[typeddict-item]  # absent from the stubs
            self.withdraw(existing, key)
            return existing, False
        return record, True

    def revise(
        self,
        record: Record,
        document: StoredArticle,
        *,
        now: datetime,
        reread: bool = False,
        validators: Mapping[str, str | None] = NO_VALIDATORS,
    ) -> Record | None:
        """Let a document become the article's next revision, in the place of the one that is; returns the new record.

        What is taken from `document` is the article and when and how it came; the rest, `revisions` included, goes on
        from the revision before, which stays readable at its own key. None: someone else revised it, or forgot it,
        meanwhile. Safe to repeat from any step: a revision whose object was written is completed, whatever else is
        offered.
        """
        key = record.s3_key or ""
        answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        body = answer["Body"].read()
        there = self._decoded(key, body)
        if there.revision == record.revision:
            changed = changes_between(there, document)
            if not changed:
                return None
            document = revised(there, document, changed, at=now, reread=reread)
            json_type = answer["ContentType"]
            self._s3.put_object(
                Bucket=self._bucket, Key=document.revisions[-1].s3_key, Body=body, ContentType=json_type
            )
            try:
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=msgspec.json.encode(document),
                    ContentType=json_type,
                    IfMatch=answer["ETag"],
                )
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code not in ("PreconditionFailed", "NoSuchKey"):
                    raise
                # The SDK sends it again when the answer to the first was lost: then what lies there is ours.
                if code == "NoSuchKey" or self._body(key) != msgspec.json.encode(document):
                    self._withdraw_forgotten(record.id, document)
                    return None
            there = document
        made = record_of(there, key=key, committed_at=now, announce=record.announce, trace=record.trace)
        known_by = {"etag": record.etag, "last_modified": record.last_modified, **validators}
        made = msgspec.structs.replace(made, **known_by)
        values = {name: value for name, value in msgspec.structs.asdict(made).items() if name not in _NOT_REVISED}
        given = to_item(values)
        removed = [f"#{name}" for name in values if name not in given]
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"id": {"S": record.id}},
                UpdateExpression="SET "
                + ", ".join(f"#{name} = :{name}" for name in given)
                + (f" REMOVE {', '.join(removed)}" if removed else ""),
                ConditionExpression="#status = :stored AND #revision = :before",
                ExpressionAttributeNames={"#status": "status", **{f"#{name}": name for name in values}},
                ExpressionAttributeValues={
                    ":stored": {"S": "stored"},
                    ":before": {"N": str(record.revision)},
                    **{f":{name}": value for name, value in given.items()},
                },
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            self._withdraw_forgotten(record.id, there)
            return None
        return msgspec.structs.replace(record, **values)

    def _withdraw_forgotten(self, id: str, document: StoredArticle) -> None:
        """Delete what was written of a revision if the article was forgotten meanwhile: its tombstone came first, so
        whoever finds none yet has written what `forget` is still to list."""
        record = self.record(id)
        if record is not None and record.status == "forgotten":
            own = object_key(document.id, document.source, document.first_seen)
            for key in (own, document.revisions[-1].s3_key):
                self._s3.delete_object(Bucket=self._bucket, Key=key)

    def withdraw(self, committed: Record, key: str) -> None:
        """Delete the object at `key`, which an uncommitted try may have left, unless it is the committed one; and the
        older copy that a revision may have left of an article which was forgotten meanwhile."""
        if committed.status == "forgotten" or committed.s3_key != key:
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        if committed.status == "forgotten" and committed.s3_key:
            first_seen = datetime.fromisoformat(committed.first_seen)
            older = revision_key(committed.id, committed.source, first_seen, committed.revision)
            self._s3.delete_object(Bucket=self._bucket, Key=older)

    def add_source(self, id: str, source: str, *, announce: bool, now: datetime) -> None:
        """Note that the article was found in this source as well, as news to `announce` or as its silent past.

        As news it goes into the outbox again, where the sweep looks, should the stream lose this change.
        """
        values: dict[str, Any] = {":source": {"SS": [source]}}
        if announce:
            expression = "ADD sources :source SET announce = :yes, outbox_hour = :hour, outbox_at = :at"
            values |= to_item({":yes": True, ":hour": instant(now)[:13], ":at": instant(now)})
        else:
            expression = "ADD sources :source, silent :source"
        self._dynamodb.update_item(
            TableName=self._table,
            Key={"id": {"S": id}},
            UpdateExpression=expression,
            ConditionExpression="attribute_exists(id)",
            ExpressionAttributeValues=values,
        )

    def put_alias(self, id: str, target: Record, *, url: str, source: str, first_seen: datetime) -> None:
        """Note that `id`, the address `url`, is another address of `target`; of a forgotten one nothing but that."""
        if target.status == "forgotten":
            self._put_if_absent(Record(id=id, status="forgotten", url="", source=source, first_seen=target.first_seen))
            return
        self._put_if_absent(
            Record(
                id=id,
                status="alias",
                url=url[:MAX_URL],
                source=source,
                first_seen=instant(first_seen),
                target=target.target or target.id,
                announce=False,
            )
        )

    def put_unavailable(self, id: str, *, url: str, source: str, first_seen: datetime, reason: str, trace: str) -> None:
        """Note that the article's page can't be had, and why. A later sighting may still bring it."""
        self._put_if_absent(
            Record(
                id=id,
                status="unavailable",
                url=url[:MAX_URL],
                source=source,
                sources={source},
                first_seen=instant(first_seen),
                reason=reason,
                announce=False,
                trace=trace,
            )
        )

    def outbox(self, since: float, until: float) -> Iterator[str]:
        """Ids of the articles to be announced that were committed between two instants (epoch seconds)."""
        return (item["id"]["S"] for item in self._by_hour("outbox", "outbox_hour", "outbox_at", since, until))

    def changes(self, since: float, until: float) -> Iterator[Change]:
        """The articles committed, revised or forgotten between two instants (epoch seconds), in order within an hour.

        The index is eventually consistent: what was committed a moment ago may be missing.
        """
        for item in self._by_hour("changes", "changed_hour", "changed_at", since, until):
            gone = item["status"]["S"] == "forgotten"
            yield Change(item["id"]["S"], item["s3_key"]["S"], item["changed_at"]["S"], gone)

    def _by_hour(self, index: str, hour_name: str, at_name: str, since: float, until: float) -> Iterator[Any]:
        """The items between two instants (epoch seconds) of an index whose partitions are the hours between them."""
        hour = datetime.fromtimestamp(since, UTC).replace(minute=0, second=0, microsecond=0)
        first, last = (instant(datetime.fromtimestamp(at, UTC)) for at in (since, until))
        while hour.timestamp() <= until:
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression=f"{hour_name} = :hour AND {at_name} BETWEEN :first AND :last",
                ExpressionAttributeValues=to_item({":hour": instant(hour)[:13], ":first": first, ":last": last}),
            )
            for page in pages:
                yield from page["Items"]
            hour += timedelta(hours=1)

    def newest(self, source: str, count: int) -> list[Record]:
        """The records of a source's newest articles, newest first; eventually consistent."""
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName="newest-by-source",
            KeyConditionExpression="#source = :source",
            ExpressionAttributeNames={"#source": "source"},
            ExpressionAttributeValues={":source": {"S": source}},
            ScanIndexForward=False,
            Limit=count,
        )
        ids = [item["id"]["S"] for item in answer["Items"]]
        found = self.records(ids)
        return [found[id] for id in ids if id in found]

    def _put_if_absent(self, record: Record) -> None:
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):  # somebody knows better already
            self._put(record, "attribute_not_exists(id) OR #status = :unavailable")

    def _put(self, record: Record, condition: str) -> None:
        self._dynamodb.put_item(
            TableName=self._table,
            Item=to_item(msgspec.structs.asdict(record)),
            ConditionExpression=condition,
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":unavailable": {"S": "unavailable"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )


def record_from_item(item: Any) -> Record:
    """The record of an item as a table or its stream gives it."""
    values = from_item(item)
    try:
        return msgspec.convert(values, Record)
    except msgspec.ValidationError as error:
        raise StoreError(f"record {values.get('id')}", "unreadable", str(error)) from error


def _well_formed(document: StoredArticle) -> StoredArticle:
    """The document without lone surrogates: pages cut strings in the middle of an emoji, and no JSON spells a half."""
    try:
        msgspec.json.encode(document)
    except UnicodeEncodeError:
        text = json.dumps(msgspec.to_builtins(document), ensure_ascii=False)
        return msgspec.json.decode(re.sub("[\ud800-\udfff]", "\ufffd", text), type=StoredArticle)
    return document


def _utc(at: datetime | None) -> datetime | None:
    try:
        return at.astimezone(UTC) if at else None
    except OverflowError:  # "0001-01-01T00:00:00+08:00": some software's word for no date
        return None
