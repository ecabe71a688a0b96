"""Which stored article a new one is a reprint of: texts filed by what they are recognised by (`reprints`).

Four items a text in the State table, one for each of its bands, for a week. To look up costs 2 read units, to file 4
write units; reprints aren't filed, for their original stands for them, and briefs cost nothing. A missing link does no
harm, so nothing here may hold an article up: what fails leaves one out, and so do two copies committed in one moment.
"""

import logging
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import reprints
from broadsheet.dynamo import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WINDOW = 7 * 86400  # seconds: agencies' copy is reprinted within days, and weeklies follow within the week

log = logging.getLogger("broadsheet.originals")


class Originals:
    """The text items of the State table."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def find(self, signature: bytes, *, id: str, now: float) -> str | None:
        """The id of the article that has this text already, other than `id` itself; of several, the most alike."""
        keys: Any = [_key(band) for band in reprints.bands(signature)]
        try:
            answer = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": keys}})
        except (ClientError, BotoCoreError) as error:
            log.warning("reprint not looked up", extra={"id": id, "reason": type(error).__name__})
            return None
        filed = [from_item(item) for item in answer["Responses"].get(self._table, [])]
        alike = [
            (reprints.resemblance(signature, text["signature"]), text["id"])
            for text in filed
            if text["id"] != id and text["expires_at"] > now
        ]
        best, original = max(alike, default=(0.0, None))
        return original if best >= reprints.THRESHOLD else None

    def file(self, signature: bytes, *, id: str, now: float) -> None:
        """File a text that is stored. Where another has the same band, the newer one is the more likely original."""
        text = to_item({"id": id, "signature": signature, "expires_at": int(now) + WINDOW})
        puts: Any = [{"PutRequest": {"Item": {**_key(band), **text}}} for band in reprints.bands(signature)]
        try:
            self._dynamodb.batch_write_item(RequestItems={self._table: puts})
        except (ClientError, BotoCoreError) as error:
            log.warning("text not filed", extra={"id": id, "reason": type(error).__name__})


def _key(band: str) -> dict[str, Any]:
    return {"pk": {"S": f"text#{band}"}, "sk": {"S": "original"}}
