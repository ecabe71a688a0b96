"""What is known of a host across all workers: whose turn it is, who waits in line, and what its robots.txt says.

A host's turn is one item, taken by a conditional update and given back with the earliest time of the next request.
Whoever holds it may make one request after another; nobody else may make any. Who has but one request to make takes it
for so long only, and may leave it to end by itself, or to whom it sends for the next one (its owner's name is all that
takes): most visits are such, and cost one write instead of two.

The line is where those who are to come take a place, so that each comes when it is due rather than all at once. A place
is advice, the turn decides: one that is lost with its worker costs the host a moment of rest and nobody an article.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from broadsheet.dynamo import from_item, to_item
from broadsheet.errors import BroadsheetError
from broadsheet.robots import Robots, from_answer, pack, unpack
from broadsheet.urls import host_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROBOTS_TTL = 24 * 3600  # RFC 9309 §2.4: not longer than 24 hours
KEPT_FOR = 30 * 86400  # of a host nobody asks any more, the item goes after a month
MAX_WAIT = 1.0  # seconds of delay that a visit waits out; after a longer one somebody comes again
SLACK_OF_DELAY, SLACK_OF_FETCH = 1.1, 0.5  # more between places in line than a delay: batches gather for seconds
BEFORE_A_REQUEST = 5.0  # seconds that a turn for one request gives to what comes before it
CLOCKS_DIFFER = 5.0  # seconds of such a turn after its request must have ended


class BusyError(BroadsheetError):
    """The host is being asked by another worker, or wants to be left alone until `until` (epoch seconds).

    `delay` is what it was last known to want between two requests, in seconds.
    """

    def __init__(self, host: str, until: float, *, delay: float = 0.0) -> None:
        super().__init__(host, "busy")
        self.until = until
        self.delay = delay


class Turn(msgspec.Struct, frozen=True):
    """Ours until `lease_until`; no request may be under way after `asks_until`. For one request, `is_brief`.

    `failures` counts the visits in a row that ended with the host in trouble. `delay` is what the host was last known
    to want between two requests, in seconds. `tail` is the last place in its line, and `is_awaited` if that is to come.
    """

    host: str
    owner: str
    lease_until: float
    asks_until: float
    is_brief: bool = False
    failures: int = 0
    delay: float = 0.0
    tail: float = 0.0
    is_awaited: bool = False

    def may_run_out(self, *, next_at: float, failures: int = 0, delay: float = 0.0) -> bool:
        """Whether it need not be given back so: it ends by itself, nobody waits, and nothing is to be remembered."""
        kept = failures == self.failures == 0 and delay == self.delay
        return self.is_brief and not self.is_awaited and kept and next_at <= self.lease_until


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

    def take(self, host: str, *, now: float, request: float | None = None, left_by: str = "") -> Turn:
        """Take the host's turn; raises BusyError if another has it or the host isn't due.

        It lasts as long as a run can, or as one request of at most `request` seconds and the host's delay after it. The
        turn of an owner who left it to us, for when that delay is over, is taken over.
        """
        # New for every taking: the SDK's own retry of an update whose answer was lost then finds itself the owner.
        owner = f"{self._run}/{uuid.uuid4().hex[:12]}"
        asks_until = now + (self._lease if request is None else BEFORE_A_REQUEST + request)
        lease_until = ":until + if_not_exists(#delay, :none)"  # should nobody live to give it back, the delay holds
        # A turn that may not be given back tells by itself when the host is due again.
        next_at = "if_not_exists(next_at, :now)" if request is None else lease_until
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(host, "turn"),
                UpdateExpression=f"SET lease_until = {lease_until}, next_at = {next_at}, "
                "#owner = :owner, expires_at = :expires",
                ConditionExpression="attribute_not_exists(lease_until) OR #owner = :owner OR #owner = :left_by "
                "OR (lease_until <= :now AND next_at <= :now)",
                ExpressionAttributeNames={"#owner": "owner", "#delay": "delay"},
                ExpressionAttributeValues=to_item(
                    {
                        ":until": asks_until + (CLOCKS_DIFFER if request is not None else 0.0),
                        ":owner": owner,
                        ":left_by": left_by,
                        ":now": now,
                        ":expires": int(now) + KEPT_FOR,
                        ":none": 0,
                    }
                ),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._refused as refused:
            there = from_item(refused.response["Item"])  # type: ignore[typeddict-item]  # absent from the stubs
            raise BusyError(host, _free_at(there, now), delay=there.get("delay", 0.0)) from refused
        taken = from_item(answer["Attributes"])
        return Turn(
            host,
            owner,
            lease_until=taken["lease_until"],
            asks_until=asks_until,
            is_brief=request is not None,
            failures=taken.get("failures", 0),
            delay=taken.get("delay", 0.0),
            tail=taken.get("tail", 0.0),
            is_awaited=taken.get("tail", 0.0) > now,
        )

    def give_back(
        self, turn: Turn, *, next_at: float, failures: int = 0, delay: float = 0.0, tail: float | None = None
    ) -> None:
        """End the turn: nobody asks the host before `next_at`, and it wants `delay` seconds between two requests.

        A `tail` is the last place in line that its holder gave away. A lease that ran out meanwhile is left to its
        owner.
        """
        values = {":none": 0, ":next": next_at, ":failures": failures, ":delay": delay, ":owner": turn.owner}
        lined_up = "" if tail is None else ", tail = :tail"
        with suppress(self._refused):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(turn.host, "turn"),
                UpdateExpression="SET lease_until = :none, next_at = :next, failures = :failures, #delay = :delay"
                f"{lined_up} REMOVE #owner",
                ConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner", "#delay": "delay"},
                ExpressionAttributeValues=to_item(values if tail is None else values | {":tail": tail}),
            )

    def line_up(self, host: str, count: int, *, spacing: float, start: float) -> float:
        """Take `count` places in the host's line, `spacing` seconds apart; returns the first's time, `start` or later.

        Two updates at most but for races, since none can say "the later of the two". A call that is repeated, or that
        loses one race after another, only makes the line longer, or doesn't enter it.
        """
        for _ in range(2):
            for change, condition in (
                ("tail = tail + :length", "tail > :before"),
                ("tail = :before + :length", "attribute_not_exists(tail) OR tail <= :before"),
            ):
                with suppress(self._refused):
                    answer = self._dynamodb.update_item(
                        TableName=self._table,
                        Key=_key(host, "turn"),
                        UpdateExpression=f"SET {change}, expires_at = :expires",
                        ConditionExpression=condition,
                        ExpressionAttributeValues=to_item(
                            {":length": count * spacing, ":before": start - spacing, ":expires": int(start) + KEPT_FOR}
                        ),
                        ReturnValues="UPDATED_NEW",
                    )
                    return float(from_item(answer["Attributes"])["tail"]) - (count - 1) * spacing
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


def spacing(delay: float) -> float:
    """Seconds between two places in line where a host wants so many between two requests.

    A visit that waits between requests makes up for who came a moment early or late; one that doesn't can't.
    """
    return delay if delay <= MAX_WAIT else delay * SLACK_OF_DELAY + SLACK_OF_FETCH


def _free_at(turn: dict[str, Any], now: float) -> float:
    """When to look again at a turn that couldn't be had."""
    # A worker seldom keeps its whole lease; five seconds later is soon enough.
    soon: float = min(turn["lease_until"], now + 5)
    is_brief = turn["next_at"] == turn["lease_until"]
    # Once its one request must have ended, it is left to run out; else, with a line, it is given back.
    asks = now < turn["lease_until"] - turn.get("delay", 0.0) - CLOCKS_DIFFER
    return soon if is_brief and asks and turn.get("tail", 0) > now else max(turn["next_at"], soon)


def _key(host: str, sk: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"host#{host}"}, "sk": {"S": sk}}
