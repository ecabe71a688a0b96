"""How channels stand across runs: which rest after failures, and which are closed until somebody mends them.

A circuit breaker: after `OPENS_AFTER` failures in a row a channel rests, longer each time, and then one post of one run
tries it. A channel that said it is closed is tried once an hour, or as soon as its secret or kind is another.
"""

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OPENS_AFTER = 3  # transient failures in a row
REST, LONGEST_REST = 60.0, 900.0  # seconds, doubling
CLOSED_REST = 3600.0
TRIAL = 90.0  # seconds one run has the trial to itself: longer than a run

_KEY = {"pk": {"S": "channels"}, "sk": {"S": "standing"}}


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a channel that failed. `until` (epoch seconds) it is left alone; `by` the run that wrote it.

    `mark` is of the kind and secret with which it was found closed.
    """

    by: str
    since: float
    reason: str
    failures: int = 0
    until: float = 0
    closed: bool = False
    mark: str = ""

    @property
    def is_open(self) -> bool:
        """Whether only a trial may post."""
        return self.closed or self.failures >= OPENS_AFTER


class Standings:
    """The channels' standings, in one item of the State table: a run reads it once, and writes what changes.

    Each write holds only if nobody wrote since we read: of several runs that see a channel close, or its rest end, one
    is told so.
    """

    def __init__(self, dynamodb: "DynamoDBClient", table: str, *, run: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._run = run
        self._read: dict[str, str] | None = None

    def get(self, channel: str) -> Standing | None:
        """How a channel stands; None if well."""
        text = self._texts().get(channel)
        return msgspec.json.decode(text, type=Standing) if text else None

    def failed(self, channel: str, *, reason: str, now: float, retry_after: float | None) -> bool:
        """Note a transient failure; True if the channel rests from now on and didn't before."""
        before = self.get(channel)
        failures = (before.failures if before and not before.closed else 0) + 1
        rest = min(LONGEST_REST, REST * 2.0 ** (failures - OPENS_AFTER)) if failures >= OPENS_AFTER else 0.0
        after = Standing(
            by=self._run,
            since=before.since if before else now,
            reason=reason[:300],
            failures=failures,
            until=now + max(rest, retry_after or 0.0),
        )
        return self._write(channel, after) and failures == OPENS_AFTER

    def closed(self, channel: str, *, reason: str, now: float, mark: str) -> bool:
        """Note that a channel takes nothing more; True if that is news."""
        before = self.get(channel)
        known = before is not None and before.closed and before.mark == mark
        since = before.since if before and known else now
        after = Standing(
            by=self._run, since=since, reason=reason[:300], until=now + CLOSED_REST, closed=True, mark=mark
        )
        return self._write(channel, after) and not known

    def trial(self, channel: str, *, now: float) -> bool:
        """Take the one post by which a resting channel is tried; False if another run has it."""
        before = self.get(channel)
        return before is None or self._write(channel, msgspec.structs.replace(before, by=self._run, until=now + TRIAL))

    def well(self, channel: str) -> bool:
        """Note that the channel answers; True if it had been resting or closed."""
        before = self.get(channel)
        return before is not None and self._write(channel, None) and before.is_open

    def _texts(self) -> dict[str, str]:
        if self._read is None:
            answer = self._dynamodb.get_item(TableName=self._table, Key=_KEY, ConsistentRead=True)
            item = answer.get("Item", {})
            self._read = {name.removeprefix("of#"): v["S"] for name, v in item.items() if name.startswith("of#")}
        return self._read

    def _write(self, channel: str, standing: Standing | None) -> bool:
        texts = self._texts()
        before, after = texts.get(channel), msgspec.json.encode(standing).decode() if standing else None
        # As it was when we read, or ours already by an answer that was lost.
        condition = ("#of = :before" if before else "attribute_not_exists(#of)") + (" OR #of = :after" if after else "")
        values: dict[str, Any] = {name: {"S": text} for name, text in ((":before", before), (":after", after)) if text}
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_KEY,
                UpdateExpression="SET #of = :after" if after else "REMOVE #of",
                ConditionExpression=condition,
                ExpressionAttributeNames={"#of": f"of#{channel}"},
                ExpressionAttributeValues=values,
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        if after:
            texts[channel] = after
        else:
            del texts[channel]
        return True


def mark(kind: str, secret: str | None) -> str:
    """What tells one configuration of a channel from another: 32 bits, from which no secret can be guessed back."""
    return hashlib.sha256(f"{kind}\n{secret or ''}".encode()).hexdigest()[:8]
