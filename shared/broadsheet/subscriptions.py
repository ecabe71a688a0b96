"""What is agreed with hubs, one item a source in the State table, and how a hub is asked."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from broadsheet import websub
from broadsheet.dynamo import from_item, to_item
from broadsheet.errors import BroadsheetError
from broadsheet.fetch import Client
from broadsheet.urls import parse
from broadsheet.websub import Subscription

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_FOR = 60 * 86_400  # after the last agreement; of a source that is gone, nothing stays
MAX_REDIRECTS = 3  # of a hub that has moved


class HubError(BroadsheetError):
    """A hub won't push; `subject` is its address, `reason` its answer's status."""


class Subscriptions:
    """The subscription items of sources."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def known(self, source_id: str) -> Subscription | None:
        """What was agreed for a source; None if nothing was ever asked."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_key(source_id), ConsistentRead=True)
        return msgspec.convert(from_item(answer["Item"]), Subscription) if "Item" in answer else None

    def begin(self, source_id: str, subscription: Subscription, *, now: float) -> None:
        """Remember what is about to be asked, in place of anything agreed before."""
        values = {**msgspec.structs.asdict(subscription), "expires_at": int(now) + KEPT_FOR}
        self._dynamodb.put_item(TableName=self._table, Item={**_key(source_id), **to_item(values)})

    def note(self, source_id: str, known: Subscription, *, now: float, **changes: float) -> bool:
        """Change fields of a subscription; False if another has taken its place."""
        changes = {**changes, "expires_at": int(now) + KEPT_FOR}
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(source_id),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
                ConditionExpression="#token = :token",
                ExpressionAttributeNames={"#token": "token"} | {f"#{name}": name for name in changes},
                ExpressionAttributeValues=to_item(
                    {":token": known.token} | {f":{name}": value for name, value in changes.items()}
                ),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True


def ask(client: Client, known: Subscription, callback: str, *, before_redirect: Callable[[str], None]) -> None:
    """Ask a hub to push to `callback`; it answers by asking the callback. Raises HubError, or a FetchError.

    `before_redirect(target)` is called before each redirect is followed; what it raises reaches the caller.
    """
    url, body = known.hub, websub.request(known, callback)
    for _ in range(MAX_REDIRECTS + 1):
        answer = client.post(url, body, {"content-type": "application/x-www-form-urlencoded"})
        target = answer.headers.get("location")
        if answer.status not in (307, 308) or not target:
            break
        following = parse(target, url).href
        if known.secret and not following.startswith("https://"):
            break  # the secret stays under TLS
        before_redirect(following)
        url = following
    if not 200 <= answer.status < 300:
        raise HubError(known.hub, f"http-{answer.status}", answer.body[:200].decode("utf-8", "replace"))


def _key(source_id: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"source#{source_id}"}, "sk": {"S": "subscription"}}
