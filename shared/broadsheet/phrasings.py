"""What a model wrote of articles, and the tokens of a month, in the State table.

An item per article, content and task: it is claimed before a model is asked and kept with what came of it, so that no
two runs ask for the same, all channels and repeats have the same words, and a death costs one further question at the
most. It lies with the article's deliveries, and is forgotten with them. The month's tokens are reserved before a
question and corrected after its answer: a death leaves too many counted, never too few.
"""

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from broadsheet.dynamo import from_item, to_item
from broadsheet.words import Task, Words

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE = 60.0  # seconds: longer than any question
MOST_ASKED = 2  # times a task is given to a model
KEPT_FOR = 30 * 86400  # seconds: an article is news for a week, and an update may come later

Key = tuple[str, str]  # article id, content hash


class Phrasings:
    """The items, of articles and months."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def get(self, article: Key, task: Task, *, now: float) -> tuple[bool, Words | None]:
        """Whether there is nothing to be asked, or not now, and the words if a model wrote some."""
        found = self._dynamodb.get_item(TableName=self._table, Key=_key(article, task), ConsistentRead=True)
        item = from_item(found["Item"]) if "Item" in found else None
        if item is None:
            return False, None
        words = Words(item["title"], item["summary"]) if item["status"] == "made" else None
        waits = item["status"] == "failed" or (item["status"] == "asking" and item["leased_until"] <= now)
        return not waits or item["asked"] >= MOST_ASKED, words

    def claim(self, article: Key, task: Task, *, now: float) -> bool:
        """Take a task that nobody has, or whose holder failed or died; False if it isn't to be had."""
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(article, task),
                UpdateExpression="SET #status = :asking, leased_until = :until, expires_at = :expires ADD asked :one",
                ConditionExpression="attribute_not_exists(pk)"
                " OR (asked < :most AND (#status = :failed OR (#status = :asking AND leased_until <= :now)))",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item(
                    {
                        ":asking": "asking",
                        ":failed": "failed",
                        ":until": now + LEASE,
                        ":now": now,
                        ":expires": int(now) + KEPT_FOR,
                        ":one": 1,
                        ":most": MOST_ASKED,
                    }
                ),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def keep(self, article: Key, task: Task, words: Words) -> None:
        """Keep what a model wrote."""
        values = {":status": "made", ":title": words.title, ":summary": words.summary}
        self._set(article, task, "SET #status = :status, title = :title, summary = :summary", values)

    def settle(self, article: Key, task: Task, *, for_good: bool) -> None:
        """Note that nothing came of it: for good, or to be asked once more."""
        self._set(article, task, "SET #status = :status", {":status": "refused" if for_good else "failed"})

    def _set(self, article: Key, task: Task, expression: str, values: dict[str, Any]) -> None:
        self._dynamodb.update_item(
            TableName=self._table,
            Key=_key(article, task),
            UpdateExpression=expression,
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=to_item(values),
        )

    def reserve(self, tokens: int, *, of: int, now: float) -> bool:
        """Count tokens to the month if it has room for them; False if it hasn't."""
        if tokens > of:
            return False
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_month(now),
                UpdateExpression="ADD tokens :tokens SET expires_at = :expires",
                ConditionExpression="attribute_not_exists(tokens) OR tokens <= :room",
                ExpressionAttributeValues=to_item(
                    {":tokens": tokens, ":room": of - tokens, ":expires": int(now) + 400 * 86400}
                ),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def correct(self, tokens: int, *, now: float) -> None:
        """Count what a question took more, or less (negative), than was reserved."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_month(now),
                UpdateExpression="ADD tokens :tokens SET corrected_by = :me",
                # but once: the SDK sends it again when the answer to the first was lost
                ConditionExpression="attribute_not_exists(corrected_by) OR corrected_by <> :me",
                ExpressionAttributeValues=to_item({":tokens": tokens, ":me": uuid.uuid4().hex}),
            )


def _key(article: Key, task: Task) -> dict[str, Any]:
    return {"pk": {"S": f"article#{article[0]}"}, "sk": {"S": f"words#{article[1]}#{task.name}"}}


def _month(now: float) -> dict[str, Any]:
    return {"pk": {"S": "model"}, "sk": {"S": f"month#{datetime.fromtimestamp(now, UTC):%Y-%m}"}}
