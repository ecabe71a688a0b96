"""What is known of a host across all workers: whose turn it is to ask it, and what its robots.txt says.

A host's turn is one item, taken by a conditional update and given back with the earliest time of the next request.
Whoever holds it may make one request after another; nobody else may make any.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from broadsheet.dynamo import from_item, to_item
from broadsheet.errors import BroadsheetError
from broadsheet.robots import Robots, from_answer, pack, unpack
from broadsheet.urls import host_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROBOTS_TTL = 24 * 3600  # RFC 9309 §2.4: not longer than 24 hours
KEPT_FOR = 30 * 86400  # of a host nobody asks any more, the item goes after a month


class BusyError(BroadsheetError):
    """The host is being asked by another worker, or wants to be left alone until `until` (epoch seconds)."""

    def __init__(self, host: str, until: float, reason: str = "busy") -> None:
        super().__init__(host, reason)
        self.until = until


class Turn(msgspec.Struct, frozen=True):
    """Ours until `lease_until`. `failures` counts the visits in a row that ended with the host in trouble."""

    host: str
    owner: str
    lease_until: float
    failures: int = 0


class Hosts:
    """Turns and robots.txt of hosts, in the State table; `run` names the invocation in leases."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str, *, run: str, lease: float) -> None:
        """`lease` in seconds: longer than the longest run can last, so that no living worker loses its turn."""
        self._dynamodb = dynamodb
        self._table = table
        self._run = run
        self._lease = lease

    def take(self, host: str, *, now: float) -> Turn:
        """Take the host's turn; raises BusyError if another has it or the host isn't due."""
        # New for every taking: the SDK's own retry of an update whose answer was lost then finds itself the owner.
        owner = f"{self._run}/{uuid.uuid4().hex[:12]}"
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(host, "turn"),
                UpdateExpression="SET lease_until = :until, #owner = :owner, expires_at = :expires, "
                "next_at = if_not_exists(next_at, :now)",
                ConditionExpression="attribute_not_exists(pk) OR #owner = :owner "
                "OR (lease_until <= :now AND next_at <= :now)",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues=to_item(
                    {
                        ":until": now + self._lease,
                        ":owner": owner,
                        ":now": now,
                        ":expires": int(now) + KEPT_FOR,
                    }
                ),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as refused:
            turn = from_item(refused.response["Item"])  # type: ignore[typeddict-item]  # absent from the stubs
            next_at, lease_until = turn.get("next_at", 0), turn.get("lease_until", 0)
            # A worker seldom keeps its whole lease; five seconds later is soon enough to look again.
            raise BusyError(host, max(next_at, min(lease_until, now + 5))) from refused
        return Turn(host, owner, now + self._lease, from_item(answer["Attributes"]).get("failures", 0))

    def give_back(self, turn: Turn, *, next_at: float, failures: int = 0) -> None:
        """End the turn: nobody asks the host before `next_at`. A lease that ran out meanwhile is left to its owner."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(turn.host, "turn"),
                UpdateExpression="SET lease_until = :none, next_at = :next, failures = :failures REMOVE #owner",
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues=to_item(
                    {":none": 0, ":next": next_at, ":failures": failures, ":owner": turn.owner}
                ),
            )

    @contextmanager
    def borrowed(
        self,
        clock: Callable[[], float],
        delay: float,
        *,
        held: str | None = None,
        turn_of: Callable[[str], str] = host_key,
    ) -> Iterator[Callable[[str], None]]:
        """Gives a function that takes the turn of a URL's host, or raises BusyError, for redirects to follow.

        `turn_of` names that turn: several hosts may share one.

        On leaving, the turns it took are given back, due again after `delay` seconds. `held` is the host whose turn
        the caller has: a redirect that comes back to it (for a cookie, say) must not wait for ourselves.
        """
        turns: dict[str, Turn] = {}

        def borrow(url: str) -> None:
            host = turn_of(url)
            if host != held and host not in turns:
                turns[host] = self.take(host, now=clock())

        try:
            yield borrow
        finally:
            for turn in turns.values():
                self.give_back(turn, next_at=clock() + delay, failures=turn.failures)

    def robots(self, origin: str, *, now: float) -> Robots | None:
        """What is kept of the origin's robots.txt; None when it has to be fetched (again)."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_key(origin, "robots"))
        kept = from_item(answer.get("Item", {}))
        if not kept or kept["expires_at"] <= now:
            return None
        return unpack(kept["body"])

    def keep_robots(self, origin: str, *, status: int, body: bytes, now: float, ttl: float = ROBOTS_TTL) -> None:
        """Keep what an answer to the origin's robots.txt means, for `ttl` seconds."""
        self._dynamodb.put_item(
            TableName=self._table,
            Item=to_item(
                {
                    "pk": f"host#{origin}",
                    "sk": "robots",
                    "body": pack(from_answer(status, body)),
                    "expires_at": int(now + ttl),
                }
            ),
        )


def _key(host: str, sk: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"host#{host}"}, "sk": {"S": sk}}
