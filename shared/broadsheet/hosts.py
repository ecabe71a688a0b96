"""What is known of a host across all workers: whose turn it is, who waits in line, and what its robots.txt says.

A host's turn is one item, taken by a conditional update and given back with the earliest time of the next request.
Whoever holds it may make one request after another; nobody else may make any. The line is where those who found the
host busy take a place, so that each comes back when it is due rather than all at once. A place is advice, the turn
decides: one that is lost with its worker costs the host a moment of rest and nobody an article.
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
    """The host is being asked by another worker, or wants to be left alone until `until` (epoch seconds).

    `delay` is what it was last known to want between two requests, in seconds.
    """

    def __init__(self, host: str, until: float, *, delay: float = 0.0) -> None:
        super().__init__(host, "busy")
        self.until = until
        self.delay = delay


class Turn(msgspec.Struct, frozen=True):
    """Ours until `lease_until`. `failures` counts the visits in a row that ended with the host in trouble.

    `delay` is what the host was last known to want between two requests, in seconds.
    """

    host: str
    owner: str
    lease_until: float
    failures: int = 0
    delay: float = 0.0


class Hosts:
    """Turns and robots.txt of hosts, in the State table; `run` names the invocation in leases."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str, *, run: str, lease: float) -> None:
        """`lease` in seconds: longer than the longest run can last, so that no living worker loses its turn."""
        self._dynamodb = dynamodb
        self._table = table
        self._run = run
        self._lease = lease
        # Asked for before any threads begin: the SDK makes a client's exceptions when first asked, and for each thread
        # that asks at once its own, which another's `except` doesn't know.
        self._refused = dynamodb.exceptions.ConditionalCheckFailedException

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
        except self._refused as refused:
            turn = from_item(refused.response["Item"])  # type: ignore[typeddict-item]  # absent from the stubs
            next_at, lease_until = turn.get("next_at", 0), turn.get("lease_until", 0)
            # A worker seldom keeps its whole lease; five seconds later is soon enough to look again.
            raise BusyError(host, max(next_at, min(lease_until, now + 5)), delay=turn.get("delay", 0.0)) from refused
        taken = from_item(answer["Attributes"])
        return Turn(host, owner, now + self._lease, taken.get("failures", 0), taken.get("delay", 0.0))

    def give_back(self, turn: Turn, *, next_at: float, failures: int = 0, delay: float = 0.0) -> None:
        """End the turn: nobody asks the host before `next_at`, and it wants `delay` seconds between two requests.

        A lease that ran out meanwhile is left to its owner.
        """
        with suppress(self._refused):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(turn.host, "turn"),
                UpdateExpression="SET lease_until = :none, next_at = :next, failures = :failures, #delay = :delay "
                "REMOVE #owner",
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner", "#delay": "delay"},
                ExpressionAttributeValues=to_item(
                    {":none": 0, ":next": next_at, ":failures": failures, ":delay": delay, ":owner": turn.owner}
                ),
            )

    def line_up(self, host: str, count: int, *, spacing: float, start: float) -> float:
        """Take `count` places in the host's line, `spacing` seconds apart; returns the first's time, `start` or later.

        Two updates at most but for races, since none can say "the later of the two". A call that is repeated, or that
        loses one race after another, only makes the line longer, or doesn't enter it.
        """
        for _ in range(2):
            for change, condition in (
                ("tail = tail + :length", "tail >= :start"),
                ("tail = :start + :length", "attribute_not_exists(tail) OR tail < :start"),
            ):
                with suppress(self._refused):
                    answer = self._dynamodb.update_item(
                        TableName=self._table,
                        Key=_key(host, "line"),
                        UpdateExpression=f"SET {change}, expires_at = :expires",
                        ConditionExpression=condition,
                        ExpressionAttributeValues=to_item(
                            {":length": count * spacing, ":start": start, ":expires": int(start) + KEPT_FOR}
                        ),
                        ReturnValues="UPDATED_NEW",
                    )
                    return float(from_item(answer["Attributes"])["tail"]) - count * spacing
        return start

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

        On leaving, the turns it took are given back, due again after `delay` seconds, or more if they are known to want
        more. `held` is the host whose turn
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
                self.give_back(turn, next_at=clock() + max(delay, turn.delay), failures=turn.failures, delay=turn.delay)

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
