"""Which stored article a new one is a reprint of: the last days' texts, by what they are recognised by (`reprints`).

A run files its new texts in one item of the State table, 58 bytes each; a worker reads what others filed, and holds it
in memory for as long as it lives. So an article costs a tenth of a write or less and hardly a read, where an item for
each of a text's bands would cost as many writes. The price is sight: workers see what another run files when it ends,
so that copies which come at the same moment to two workers aren't linked. Copies in one batch are, for they take turns.

A missing link does no harm, so nothing here may hold an article up: what fails leaves one out. Reprints aren't filed,
for their original stands for them, and briefs cost nothing.
"""

import hashlib
import logging
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import reprints
from broadsheet.dynamo import from_item, instant, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WINDOW = 3 * 86400  # seconds: agencies' copy is reprinted within days
MOST = 200_000  # texts a worker reads when it begins, 300 bytes each: three days of two million articles a month
MORE = MOST // 4  # until it begins anew: were it fewer, it would read them all again every second
FRESH = 1.0  # seconds until a worker looks again what others filed
OVERLAP = 60  # seconds looked at again: an item is stamped before it is written, and seen later still
PATIENCE = 1.0  # seconds that a copy waits for another's commit: ten times what one usually takes
KEPT = timedelta(seconds=WINDOW) + timedelta(days=4)  # DynamoDB deletes what has expired within days
ID = 26  # characters of an article's id
ROW = ID + reprints.BYTES

log = logging.getLogger("broadsheet.originals")


class Originals:
    """The texts of the State table; one for all runs of a worker, and for all threads of a run."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._looking = threading.Lock()
        self._looked = 0.0
        self._changed = threading.Condition()
        self._committing: list[int] = []
        self._unsaved: list[bytes] = []
        self._read_whole: dict[str, dict[str, bytes]] = {}  # days, to remove from
        self._forget_all()

    def _forget_all(self) -> None:
        self._read_until = 0.0
        self._items: set[str] = set()  # that were read
        self._texts: list[tuple[int, str]] = []  # signature, article's id
        self._filed = array("d")  # epoch seconds, of each
        # By band the place of its latest text, from 1, and by text and band the place of the one before: flat, for a
        # worker that begins reads a hundred thousand texts.
        self._latest = array("I", bytes(4 * reprints.ALL_BANDS))
        self._before = array("I")

    @contextmanager
    def in_turn(self, signature: int) -> Iterator[None]:
        """While a text is looked up, committed and filed, those like it wait, a second at most."""
        until = time.monotonic() + PATIENCE
        with self._changed:
            while any(reprints.resemblance(signature, one) >= reprints.THRESHOLD for one in self._committing):
                if not self._changed.wait(until - time.monotonic()):
                    break
            self._committing.append(signature)
        try:
            yield
        finally:
            with self._changed:
                self._committing.remove(signature)
                self._changed.notify_all()

    def find(self, signature: int, *, id: str, now: float) -> str | None:
        """The id of the article that has this text already, other than `id` itself; of several, the most alike."""
        self._look(now)
        with self._changed:
            alike = [
                (reprints.resemblance(signature, text), other)
                for text, other in (
                    self._texts[at] for at in self._sharing(signature) if self._filed[at] > now - WINDOW
                )
                if other != id
            ]
        best, original = max(alike, default=(0.0, None))
        return original if best >= reprints.THRESHOLD else None

    def file(self, signature: int, *, id: str, now: float) -> None:
        """File a text that is stored; other workers see it once it is saved."""
        with self._changed:
            self._remember(signature, id, now)
            self._unsaved.append(id.encode().ljust(ID)[:ID] + signature.to_bytes(reprints.BYTES))

    def save(self, *, now: float) -> None:
        """Let others see what was filed since the last time, in one item."""
        with self._changed:
            rows, self._unsaved = b"".join(self._unsaved), []
        if not rows:
            return
        at = datetime.fromtimestamp(now, UTC)
        sk = f"{instant(at)}#{hashlib.sha256(rows).hexdigest()[:8]}"
        self._items.add(sk)
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=to_item({"pk": _key(at), "sk": sk, "texts": rows, "expires_at": int(now) + WINDOW}),
            )
        except (ClientError, BotoCoreError) as error:
            log.warning("texts not filed", extra={"reason": type(error).__name__})

    def remove(self, id: str, *, now: datetime) -> int:
        """Take back what was filed of an article; returns from how many items.

        Reads each day that may be there once, however many articles are removed.
        """
        removed = 0
        day = now - KEPT
        while day.date() <= now.date():
            items = self._of_day(day)
            for sk in [sk for sk, texts in items.items() if any(_id(row) == id for row in _rows(texts))]:
                kept = b"".join(row for row in _rows(items[sk]) if _id(row) != id)
                with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):  # expired meanwhile
                    self._dynamodb.update_item(
                        TableName=self._table,
                        Key=to_item({"pk": _key(day), "sk": sk}),
                        UpdateExpression="SET texts = :kept",
                        ConditionExpression="attribute_exists(pk)",
                        ExpressionAttributeValues=to_item({":kept": kept}),
                    )
                items[sk] = kept
                removed += 1
            day += timedelta(days=1)
        return removed

    def _of_day(self, day: datetime) -> dict[str, bytes]:
        if (pk := _key(day)) not in self._read_whole:
            self._read_whole[pk] = {item["sk"]: item["texts"] for item in self._query(pk)}
        return self._read_whole[pk]

    def _look(self, now: float) -> None:
        """Read what others filed since the last look, at first of all the time that counts; newest first."""
        if now - self._looked < FRESH or not self._looking.acquire(blocking=not self._looked):
            return
        try:
            if now - self._looked < FRESH:
                return
            if len(self._texts) > MOST + MORE:
                with self._changed:
                    self._forget_all()
            for item in self._since(max(self._read_until - OVERLAP, now - WINDOW), now):
                if item["sk"] not in self._items:
                    self._items.add(item["sk"])
                    with self._changed:
                        for row in _rows(item["texts"]):
                            signature = int.from_bytes(row[ID:])
                            self._remember(signature, _id(row), item["expires_at"] - WINDOW)
                if len(self._texts) > MOST and not self._read_until:
                    break
            self._read_until = now
        except (ClientError, BotoCoreError) as error:
            log.warning("texts not read", extra={"reason": type(error).__name__})
        finally:
            self._looked = now
            self._looking.release()

    def _remember(self, signature: int, id: str, at: float) -> None:
        self._texts.append((signature, id))
        self._filed.append(at)
        for band in reprints.bands(signature):
            self._before.append(self._latest[band])
            self._latest[band] = len(self._texts)

    def _sharing(self, signature: int) -> set[int]:
        """Places of the texts that have a band in common with this one."""
        found: set[int] = set()
        bands = reprints.bands(signature)
        for i, band in enumerate(bands):
            place = self._latest[band]
            while place:
                found.add(place - 1)
                place = self._before[(place - 1) * len(bands) + i]
        return found

    def _since(self, since: float, now: float) -> Iterator[dict[str, Any]]:
        """The items from an instant on, newest first."""
        day = now
        while day // 86400 >= since // 86400:
            at, first = (datetime.fromtimestamp(one, UTC) for one in (day, since))
            yield from self._query(_key(at), instant(first))
            day -= 86400

    def _query(self, pk: str, since: str = "0") -> Iterator[dict[str, Any]]:
        """A day's items from an instant on, newest first; eventually consistent, at half the price."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk >= :since",
            ExpressionAttributeValues=to_item({":pk": pk, ":since": since}),
            ScanIndexForward=False,
        )
        for page in pages:
            yield from map(from_item, page["Items"])


def _key(at: datetime) -> str:
    return f"texts#{reprints.VERSION}#{at:%Y-%m-%d}"


def _rows(texts: bytes) -> Iterator[bytes]:
    return (texts[at : at + ROW] for at in range(0, len(texts), ROW))


def _id(row: bytes) -> str:
    return row[:ID].decode().rstrip()
