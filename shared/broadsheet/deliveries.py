"""What each channel was told: an item per article, channel and revision told, claimed before a post, settled after it.

    pending ── claimed ── sent
       ^          ├────── failed       the channel will never take it
       └──────────┘                    it may later, at due_at
    filtered                           the channel doesn't want it; `reason` is the rule

A claim is a lease that outlasts the longest run. Found with its lease out, it tells of a death between the channel's
acceptance and our record of it: the post is made again, flagged as a possible repeat under the same delivery id.
"""

import re
import uuid
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import msgspec

from broadsheet.dynamo import from_item, to_item, unprocessed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Status = Literal["pending", "claimed", "sent", "failed", "filtered"]

KEPT_FOR = 400 * 86400  # seconds; a source that finds an old article later than that announces it everywhere again


class Telling(NamedTuple):
    """What there is to tell a channel: an article, or a later `revision` of one that it was told of."""

    article_id: str
    revision: int = 1

    @property
    def name(self) -> str:
        """`id`, or `id#2`."""
        return self.article_id if self.revision == 1 else f"{self.article_id}#{self.revision}"

    @classmethod
    def named(cls, name: str) -> Self:
        """The telling of a name."""
        article_id, _, revision = name.partition("#")
        return cls(article_id, int(revision or 1))


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The state of telling one channel of one article, or of a later `revision` of it.

    `due_at` in epoch seconds; of a claim it is the lease's end. `doubtful_since` is when the first attempt began of
    which nobody knows whether the channel took it; `digest` is the key of the digest it was in, if it was in one: only
    that very digest may repeat it. `alone`: a digest with it in was refused, so it goes into no other. `told` is the
    revision whose words were sent.
    """

    article_id: str
    channel: str
    revision: int = 1
    status: Status
    due_at: float = 0
    owner: str = ""
    attempts: int = 0
    possible_repeat: bool = False
    doubtful_since: float | None = None
    digest: str = ""
    alone: bool = False
    reason: str = ""
    sent_at: float | None = None
    told: int = 1
    message_id: str | None = None
    trace: str = ""

    @property
    def telling(self) -> Telling:
        """What it is that the channel is told."""
        return Telling(self.article_id, self.revision)


class DigestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was told together, written before the post: a repeat has the same members under the same delivery id.

    `members` are the names of tellings.
    """

    key: str
    channel: str
    delivery_id: str
    members: tuple[str, ...]
    sent: bool = False
    message_id: str | None = None


class Deliveries:
    """The delivery items in the State table. `lease` in seconds: longer than the longest run."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str, *, run: str, lease: float) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._run = run
        self._lease = lease

    def open(
        self,
        telling: Telling,
        channel: str,
        *,
        now: float,
        at: float | None = None,
        reason: str = "",
        trace: str = "",
    ) -> None:
        """Put a pending delivery, due now or `at` a later time for a reason, unless there is one in whatever state."""
        pending = _new(telling, channel, "pending", due_at=at or now, reason=reason, trace=trace)
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._put_new(pending, now)

    def filtered(self, telling: Telling, channel: str, *, now: float, rule: str, trace: str = "") -> bool:
        """Record that the channel doesn't want the article; False if there is a delivery already."""
        stopped = _new(telling, channel, "filtered", reason=rule[:1000], trace=trace)
        try:
            self._put_new(stopped, now)
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def open_claimed(self, telling: Telling, channel: str, *, now: float, trace: str = "") -> Delivery | None:
        """Put a delivery that is ours to post; of one that is there already, claim it if it is due. None: not ours."""
        claim = _new(
            telling,
            channel,
            "claimed",
            due_at=now + self._lease,
            owner=self._new_owner(),
            attempts=1,
            trace=trace,
        )
        try:
            self._put_new(claim, now)
        except self._dynamodb.exceptions.ConditionalCheckFailedException as refused:
            there = _delivery(refused.response["Item"])  # type: ignore[typeddict-item]  # absent from the stubs
            # Ours already: the SDK sent the put again because the answer to the first was lost.
            return there if there.owner == claim.owner else self._claim(there, now)
        return claim

    def claim(self, telling: Telling, channel: str, *, now: float, digest: str = "") -> Delivery | None:
        """Claim a delivery that is due, for a digest if one is named; None if it isn't due, or another was quicker.

        One of unknown fate keeps the digest it was in, or that it was in none; one that goes alone takes none.
        """
        there = self.get(telling, channel)
        return self._claim(there, now, digest) if there else None

    def claim_all(self, tellings: Iterable[Telling], channel: str, *, now: float, digest: str) -> list[Delivery]:
        """Claim for a digest those of a hundred tellings at most that are due, read at once; in the tellings' order."""
        keys = [_key(telling, channel) for telling in tellings]
        there: dict[Telling, Delivery] = {}
        wanted = keys
        while wanted:
            answer = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}})
            for item in answer["Responses"].get(self._table, []):
                there[_telling(item)] = _delivery(item)
            wanted = unprocessed(answer, self._table)
        listed = [there[telling] for telling in map(_telling, keys) if telling in there]
        return [claim for one in listed if (claim := self._claim(one, now, digest))]

    def get(self, telling: Telling, channel: str) -> Delivery | None:
        """One delivery, strongly consistent."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_key(telling, channel), ConsistentRead=True)
        return _delivery(answer["Item"]) if "Item" in answer else None

    def sent(self, claim: Delivery, *, now: float, message_id: str | None, told: int = 1) -> bool:
        """Record the channel's acceptance of the words of a revision; False if the claim was lost meanwhile."""
        later = told if told > 1 else None
        return self._settle(
            claim, {"status": "sent", "sent_at": now, "message_id": message_id, "told": later, "reason": None}
        )

    def dropped(self, claim: Delivery, *, reason: str) -> bool:
        """Record that there is nothing more to tell."""
        return self._settle(claim, {"status": "filtered", "reason": reason[:1000]})

    def failed(self, claim: Delivery, *, reason: str) -> bool:
        """Record that the channel will never take it."""
        return self._settle(claim, {"status": "failed", "reason": reason[:1000]})

    def retry(self, claim: Delivery, *, at: float, reason: str, possible_repeat: bool, alone: bool = False) -> bool:
        """Put the delivery back, due at `at`."""
        values = {
            "status": "pending",
            "due_at": at,
            "due_channel": claim.channel,
            "reason": reason[:1000],
            "possible_repeat": claim.possible_repeat or possible_repeat,
            "doubtful_since": self._doubtful_since(claim) if possible_repeat else claim.doubtful_since,
            "alone": alone or claim.alone or None,
        }
        return self._settle(claim, values)

    def hold(self, claim: Delivery, *, at: float, reason: str) -> bool:
        """Put back, due at `at`, what wasn't even tried."""
        values = {
            "status": "pending",
            "due_at": at,
            "due_channel": claim.channel,
            "reason": reason,
            "attempts": claim.attempts - 1,
        }
        return self._settle(claim, values)

    def release(self, claim: Delivery) -> bool:
        """Put back, due as before and free of any doubt, what turned out never to have been posted."""
        values = {
            "status": "pending",
            "due_at": claim.due_at - self._lease,
            "due_channel": claim.channel,
            "attempts": claim.attempts - 1,
            "possible_repeat": None,
            "doubtful_since": None,
            "digest": None,
        }
        return self._settle(claim, values)

    def new_digest_key(self) -> str:
        """A key for a digest and for the claims of its members."""
        return uuid.uuid4().hex

    def open_digest(self, digest: DigestRecord, *, now: float) -> None:
        """Write down what is about to be told together."""
        values = msgspec.structs.asdict(digest)
        self._dynamodb.put_item(
            TableName=self._table,
            Item={**_digest_key(digest.key), **to_item({**values, "expires_at": int(now) + KEPT_FOR})},
        )

    def digest(self, key: str) -> DigestRecord | None:
        """The digest of a key; None says that it was never posted."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_digest_key(key), ConsistentRead=True)
        return msgspec.convert(from_item(answer["Item"]), DigestRecord) if "Item" in answer else None

    def digest_sent(self, digest: DigestRecord, *, message_id: str | None) -> None:
        """Record the channel's acceptance for all members at once; each is still to be settled."""
        self._dynamodb.update_item(
            TableName=self._table,
            Key=_digest_key(digest.key),
            UpdateExpression="SET sent = :true" + (", message_id = :id" if message_id else ""),
            ExpressionAttributeValues=to_item({":true": True, ":id": message_id}),
        )

    def count_post(self, channel: str, day: str, *, cap: int, now: float) -> bool:
        """Count one post of a channel's day (YYYY-MM-DD); False if there were as many as `cap` already."""
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": f"channel#{channel}"}, "sk": {"S": f"day#{day}"}},
                UpdateExpression="ADD posts :one SET expires_at = :expires",
                ConditionExpression="attribute_not_exists(posts) OR posts < :cap",
                ExpressionAttributeValues=to_item({":one": 1, ":cap": cap, ":expires": int(now) + 3 * 86400}),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def take_turn(self, channel: str, *, now: float, interval: float) -> float | None:
        """Take the channel's turn, `interval` seconds long, which runs side by side share: one of them posts in it.

        None if it is taken; else when the turn of another run ends.
        """
        until = now + interval
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"pk": {"S": f"channel#{channel}"}, "sk": {"S": "turn"}},
                UpdateExpression="SET next_at = :until, #owner = :me, expires_at = :expires",
                # free, or ours already by an answer that was lost
                ConditionExpression="attribute_not_exists(next_at) OR next_at <= :now OR #owner = :me",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues=to_item(
                    {":now": now, ":until": until, ":me": self._new_owner(), ":expires": int(now) + 86400}
                ),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException as refused:
            return float(from_item(refused.response["Item"])["next_at"])  # type: ignore[typeddict-item]  # absent from the stubs
        return None

    def due(self, channel: str, *, now: float, limit: int) -> list[Telling]:
        """What the channel is due to be told, longest waiting first."""
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName="due",
            KeyConditionExpression="due_channel = :channel AND due_at <= :now",
            ExpressionAttributeValues=to_item({":channel": channel, ":now": now}),
            Limit=limit,
        )
        return [_telling(item) for item in answer["Items"]]

    def waiting(self, channel: str) -> int:
        """How many articles the channel is still to be told of, now or later; counted up to one answer's 1 MB."""
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName="due",
            KeyConditionExpression="due_channel = :channel",
            ExpressionAttributeValues=to_item({":channel": channel}),
            Select="COUNT",
        )
        return answer["Count"]

    def of_article(self, article_id: str) -> dict[str, Delivery]:
        """The deliveries of an article by channel, those of its later revisions left out."""
        return {one.channel: one for one in self._all(article_id) if one.revision == 1}

    def updates(self, article_id: str, channel: str) -> list[Delivery]:
        """What the channel was told, or is to be told, of the article's later revisions, in their order."""
        found = [one for one in self._all(article_id) if one.channel == channel and one.revision > 1]
        return sorted(found, key=lambda one: one.revision)

    def missing(self, article_id: str, wanted: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Which of these, channels and revisions of one article, have no delivery."""
        there = {(one.channel, one.revision) for one in self._all(article_id)}
        return [pair for pair in wanted if pair not in there]

    def remove(self, article_id: str) -> int:
        """Delete all that is known of an article's deliveries; returns how many items that was."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"article#{article_id}"}},
            ProjectionExpression="pk, sk",
        )
        keys = [item for page in pages for item in page["Items"]]
        for key in keys:
            self._dynamodb.delete_item(TableName=self._table, Key=key)
        return len(keys)

    def swept_until(self) -> float | None:
        """Up to when the sweep has looked for commits without deliveries; None before its first run."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_SWEEP, ConsistentRead=True)
        return float(from_item(answer["Item"])["until"]) if "Item" in answer else None

    def save_swept_until(self, until: float) -> None:
        """Remember how far the sweep came."""
        self._dynamodb.put_item(TableName=self._table, Item={**_SWEEP, **to_item({"until": until})})

    def _all(self, article_id: str) -> list[Delivery]:
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :delivery)",
            ExpressionAttributeValues=to_item({":pk": f"article#{article_id}", ":delivery": "delivery#"}),
        )
        return [_delivery(item) for item in answer["Items"]]

    def _claim(self, there: Delivery, now: float, digest: str = "") -> Delivery | None:
        if there.status not in ("pending", "claimed") or there.due_at > now:
            return None
        claim = msgspec.structs.replace(
            there,
            status="claimed",
            due_at=now + self._lease,
            owner=self._new_owner(),
            attempts=there.attempts + 1,
            possible_repeat=_is_doubtful(there),
            digest=there.digest if _is_doubtful(there) else "" if there.alone else digest,
            doubtful_since=self._doubtful_since(there) if there.status == "claimed" else there.doubtful_since,
        )
        try:
            self._update(
                claim,
                {
                    "status": "claimed",
                    "due_at": claim.due_at,
                    "owner": claim.owner,
                    "attempts": claim.attempts,
                    "possible_repeat": claim.possible_repeat,
                    "doubtful_since": claim.doubtful_since,
                    "digest": claim.digest or None,
                },
                # as it was when we looked, or ours already by an answer that was lost
                "(#status = :was AND due_at = :due) OR #owner = :me",
                {":was": there.status, ":due": there.due_at, ":me": claim.owner},
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return None
        return claim

    def _settle(self, claim: Delivery, values: dict[str, Any]) -> bool:
        remove = () if "due_at" in values else ("due_at", "due_channel")  # out of the index of what is due
        try:
            # The owner stays: the SDK's second try, after an answer that was lost, must find the claim still ours.
            self._update(claim, values, "#owner = :me", {":me": claim.owner}, remove)
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _update(
        self,
        delivery: Delivery,
        values: dict[str, Any],
        condition: str,
        condition_values: dict[str, Any],
        remove: Iterable[str] = (),
    ) -> None:
        sets = {name: value for name, value in values.items() if value is not None}
        gone = [name for name, value in values.items() if value is None] + list(remove)
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in sets)
        if gone:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in gone)
        self._dynamodb.update_item(
            TableName=self._table,
            Key=_key(delivery.telling, delivery.channel),
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeNames={name: name[1:] for name in re.findall(r"#\w+", expression + condition)},
            ExpressionAttributeValues=to_item({f":{name}": value for name, value in sets.items()} | condition_values),
        )

    def _put_new(self, delivery: Delivery, now: float) -> None:
        values = {name: value for name, value in msgspec.structs.asdict(delivery).items() if value}
        values |= {name: None for name in ("revision", "told") if values[name] == 1}
        waits = delivery.channel if delivery.due_at else None  # in the index of what is due
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                **_key(delivery.telling, delivery.channel),
                **to_item({**values, "due_channel": waits, "expires_at": int(now) + KEPT_FOR}),
            },
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    def _doubtful_since(self, claim: Delivery) -> float:
        return claim.due_at - self._lease if claim.doubtful_since is None else claim.doubtful_since

    def _new_owner(self) -> str:
        return f"{self._run}/{uuid.uuid4().hex[:12]}"


_SWEEP = {"pk": {"S": "sweep"}, "sk": {"S": "cursor"}}


def _new(telling: Telling, channel: str, status: Status, **fields: Any) -> Delivery:
    return Delivery(article_id=telling.article_id, revision=telling.revision, channel=channel, status=status, **fields)


def _key(telling: Telling, channel: str) -> dict[str, Any]:
    later = f"#{telling.revision}" if telling.revision > 1 else ""
    return {"pk": {"S": f"article#{telling.article_id}"}, "sk": {"S": f"delivery#{channel}{later}"}}


def _telling(key: Any) -> Telling:
    _, _, revision = key["sk"]["S"].removeprefix("delivery#").partition("#")
    return Telling(key["pk"]["S"].removeprefix("article#"), int(revision or 1))


def _is_doubtful(there: Delivery) -> bool:
    """Whether the channel may have taken it: an earlier answer never came, or the claim's holder died."""
    return there.possible_repeat or there.status == "claimed"


def _digest_key(key: str) -> dict[str, Any]:
    return {"pk": {"S": f"digest#{key}"}, "sk": {"S": "digest"}}


def _delivery(item: Any) -> Delivery:
    return msgspec.convert(from_item(item), Delivery)
