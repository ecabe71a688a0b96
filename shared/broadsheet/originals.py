"""Which stored article a new one is a reprint of: texts filed by what they are recognised by (`reprints`).

Four items a text in the State table, one for each of its bands, for a week. To look up costs 2 read units, to file 4
write units; reprints aren't filed, for their original stands for them, and briefs cost nothing. A missing link does no
harm, so nothing here may hold an article up: what fails leaves one out, and so do two workers that commit copies in one
moment. Copies in one batch, as a poll brings them, do see each other: they take turns.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import reprints
from broadsheet.dynamo import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WINDOW = 7 * 86400  # seconds: agencies' copy is reprinted within days, and weeklies follow within the week
PATIENCE = 1.0  # seconds that a copy waits for another's commit: ten times what one usually takes

log = logging.getLogger("broadsheet.originals")


class Originals:
    """The text items of the State table; one for all threads of a run."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._filed: dict[str, dict[str, Any]] = {}  # by this run: a table's cheap read may not show them yet

    @contextmanager
    def in_turn(self, signature: bytes) -> Iterator[None]:
        """While a text is looked up, committed and filed, those like it wait, a second at most."""
        until = time.monotonic() + PATIENCE
        with ExitStack() as held:
            for band in reprints.bands(signature):  # in the order of their numbers, so that none waits for another's
                lock = self._locks[band]
                if lock.acquire(timeout=max(0.0, until - time.monotonic())):
                    held.callback(lock.release)
            yield

    def find(self, signature: bytes, *, id: str, now: float) -> str | None:
        """The id of the article that has this text already, other than `id` itself; of several, the most alike."""
        keys: Any = [_key(band) for band in reprints.bands(signature)]
        try:
            answer = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": keys}})
        except (ClientError, BotoCoreError) as error:
            log.warning("reprint not looked up", extra={"id": id, "reason": type(error).__name__})
            return None
        filed = [from_item(item) for item in answer["Responses"].get(self._table, [])]
        ours = [text for band in reprints.bands(signature) if (text := self._filed.get(band))]
        alike = [
            (reprints.resemblance(signature, text["signature"]), text["id"])
            for text in filed + ours
            if text["id"] != id and text["expires_at"] > now
        ]
        best, original = max(alike, default=(0.0, None))
        return original if best >= reprints.THRESHOLD else None

    def file(self, signature: bytes, *, id: str, now: float) -> None:
        """File a text that is stored. Where another has the same band, the newer one is the more likely original."""
        text = {"id": id, "signature": signature, "expires_at": int(now) + WINDOW}
        self._filed |= dict.fromkeys(reprints.bands(signature), text)
        puts: Any = [{"PutRequest": {"Item": {**_key(band), **to_item(text)}}} for band in reprints.bands(signature)]
        try:
            self._dynamodb.batch_write_item(RequestItems={self._table: puts})
        except (ClientError, BotoCoreError) as error:
            log.warning("text not filed", extra={"id": id, "reason": type(error).__name__})

    def remove(self, signature: bytes, *, id: str) -> int:
        """Take a text back where no other was filed in its place; returns from how many bands."""
        removed = 0
        for band in reprints.bands(signature):
            try:
                self._dynamodb.delete_item(
                    TableName=self._table,
                    Key=_key(band),
                    ConditionExpression="id = :id",
                    ExpressionAttributeValues={":id": {"S": id}},
                )
            except self._dynamodb.exceptions.ConditionalCheckFailedException:
                continue
            removed += 1
        return removed


def _key(band: str) -> dict[str, Any]:
    return {"pk": {"S": f"text#{band}"}, "sk": {"S": "original"}}
