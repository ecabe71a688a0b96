"""Leaving: an article is removed from everywhere, and kept from coming back.

For a person's own credentials: no function may list or delete what this does. What is left of an article is a record
of the status `forgotten` with its id, source and day. parse takes it for known, and publish takes the article out of
its day's edition and its source's pages.

The story of one article: its record becomes the tombstone, first of all, so that nothing brings it back meanwhile; the
addresses that led to it become tombstones, too; what other objects and items hold of it goes, its pages in the raw
archive among it; its own objects, which tell where those are, go last. Killed anywhere, the same again completes it.

Not reached: posts in channels, what consumers copied, the table's backups (35 days) and stream (a day), messages on
their way.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from broadsheet.archive import ID_PART, Archive
from broadsheet.deliveries import Deliveries
from broadsheet.dynamo import instant, to_item
from broadsheet.originals import Originals
from broadsheet.store import Record, StoredArticle, StoreError, object_key, record_from_item, revision_prefix

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

UNFINISHED = "unfinished"
# A message lives for 14 days in its queue: no page was fetched for an article longer before its first document, and
# after its last one only by who was about to lose the commit.
BEFORE, AFTER = timedelta(days=15), timedelta(days=1)
_READ = ("id", "status", "url", "source", "title", "first_seen", "target", "reason", "s3_key")  # of each record

log = logging.getLogger("broadsheet.forget")


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed of an article: other addresses, object versions, raw pages, items of ours."""

    id: str
    aliases: int = 0
    objects: int = 0
    raw: int = 0
    items: int = 0


class Forgetting:
    """The tables and the bucket, for removing articles."""

    def __init__(
        self, dynamodb: "DynamoDBClient", s3: "S3Client", *, articles_table: str, state_table: str, bucket: str
    ) -> None:
        self._dynamodb = dynamodb
        self._s3 = s3
        self._articles = articles_table
        self._originals = Originals(dynamodb, state_table)
        self._deliveries = Deliveries(dynamodb, state_table, run="forget", lease=1)
        self._bucket = bucket
        self._archive = Archive(s3, bucket)
        self._written_on = cache(lambda day: list(self._archive.written_on(day)))

    def find(self, wanted: Callable[[Record], bool]) -> dict[str, tuple[Record, list[str]]]:
        """The records that are `wanted` and not forgotten yet, each with the ids of its other addresses.

        Reads the whole table once, for no index leads from an article to its aliases: half a read unit for 4 KB,
        about $0.02 a million articles.
        """
        found: dict[str, Record] = {}
        aliases: dict[str, list[str]] = {}
        for record in self._records():
            if record.status == "alias" and record.target:
                aliases.setdefault(record.target, []).append(record.id)
            elif wanted(record) and (record.status != "forgotten" or record.reason == UNFINISHED):
                found[record.id] = record
        return {id: (record, aliases.get(id, [])) for id, record in found.items()}

    def forget(self, record: Record, aliases: list[str], *, now: datetime) -> Forgotten:
        """Remove an article everywhere; done twice, it removes nothing the second time."""
        tombstone = Record(
            id=record.id,
            status="forgotten",
            reason=UNFINISHED,
            url="",
            source=record.source,
            first_seen=record.first_seen,
            s3_key=record.s3_key,
            revision=record.revision,  # whoever was just making the next one takes back the copy of this one
            announce=False,
            # publish hears of it as of any change
            changed_hour=instant(now)[:13] if record.s3_key else None,
            changed_at=instant(now) if record.s3_key else None,
        )
        self._put(tombstone)
        for alias in aliases:
            self._put(
                Record(
                    id=alias,
                    status="forgotten",
                    url="",
                    source=record.source,
                    first_seen=record.first_seen,
                    announce=False,
                )
            )
        versions = list(self._versions(record))
        items = self._deliveries.remove(record.id) + self._originals.remove(record.id, now=now)
        fetched = [document.fetched_at for version in versions if (document := self._document(version))]
        raw = self._remove_raw({record.id, *aliases}, record, fetched, now)
        for at in range(0, len(versions), 1000):
            self._delete(versions[at : at + 1000])
        self._put(msgspec.structs.replace(tombstone, reason=None))
        log.info("forgotten", extra={"id": record.id, "objects": len(versions)})
        return Forgotten(id=record.id, aliases=len(aliases), objects=len(versions), raw=raw, items=items)

    def _remove_raw(self, ids: set[str], record: Record, fetched: list[datetime], now: datetime) -> int:
        """Remove all pages that were fetched for these ids, be they an article's or nobody's."""
        seen = datetime.fromisoformat(record.first_seen)
        day = max(seen, min(fetched, default=seen) - BEFORE).date() - AFTER
        last = (max(fetched, default=now) + AFTER).date()
        parts = {id[:ID_PART] for id in ids}
        removed = 0
        while day <= last:
            removed += sum(self._archive.remove(key, ids) for key, there in self._written_on(day) if there & parts)
            day += timedelta(days=1)
        return removed

    def _records(self) -> Iterator[Record]:
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._articles,
            ProjectionExpression=", ".join(f"#{name}" for name in _READ),
            ExpressionAttributeNames={f"#{name}": name for name in _READ},
        )
        for page in pages:
            yield from map(record_from_item, page["Items"])

    def _put(self, record: Record) -> None:
        self._dynamodb.put_item(TableName=self._articles, Item=to_item(msgspec.structs.asdict(record)))

    def _versions(self, record: Record) -> Iterator[Any]:
        """Every version of the article's objects, delete markers among them, older revisions first."""
        first_seen = datetime.fromisoformat(record.first_seen).astimezone(UTC)
        own = object_key(record.id, record.source, first_seen)
        for prefix in (revision_prefix(record.id, record.source, first_seen), own):
            for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix):
                for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    yield {"Key": one["Key"], "VersionId": one["VersionId"]}

    def _delete(self, versions: list[Any]) -> None:
        """Delete object versions, a thousand at most; raises StoreError if one stays."""
        answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": versions, "Quiet": True})
        for error in answer.get("Errors", []):
            raise StoreError(
                f"s3://{self._bucket}/{error.get('Key')}", "not-deleted", f"{error.get('Code')}: {error.get('Message')}"
            )

    def _document(self, version: Any) -> StoredArticle | None:
        """The document of a version; None for a delete marker, or one that can't be read, which goes all the same."""
        try:
            body = self._s3.get_object(Bucket=self._bucket, **version)["Body"].read()
            return msgspec.json.decode(body, type=StoredArticle)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in ("MethodNotAllowed", "405", "NoSuchKey", "NoSuchVersion"):
                raise
        except msgspec.DecodeError:
            log.warning("unreadable document", extra=version)
        return None
