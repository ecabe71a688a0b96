"""What is remembered of a source between polls: how it stands, and which entries it has shown.

Two items a source. `poll` is small, for it is written at every poll. `window` holds 8 bytes for each entry shown
lately, newest last, and is read only when the feed's body changed: an unchanged poll costs no read per entry, and a new
entry no item of its own. Nor does it cost the window a write: the few shown since that was written stand in `poll`
(`PollState.lately`), until they are too many for it. Falling out of the window loses nothing: parse knows the article
still.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from broadsheet.dynamo import from_item, to_item, unprocessed
from broadsheet.polling import PollState

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY_BYTES = 8  # of SHA-256: two of a window's keys collide once in 10^13 articles
WINDOW = 40_000  # keys kept at most: 320 KB of the 400 KB an item may have
LATELY = 40  # keys that the poll item holds at most, 320 bytes: with them it still is one write unit of 1 KB


class Window:
    """The keys of entries shown lately. Immutable: `with_shown` gives the next one.

    `lately` are those that the window's item doesn't hold yet, packed alike. `backlog_until` (epoch seconds) is set
    while entries are left of what the source had at its first poll: until then, what is older is backlog and no news.
    """

    def __init__(self, packed: bytes = b"", *, lately: bytes = b"", backlog_until: float | None = None) -> None:
        self.packed = packed
        self.lately = lately
        self.backlog_until = backlog_until
        self._keys = set(_parted(packed + lately))

    def __contains__(self, key: str) -> bool:
        return _short(key) in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def with_shown(self, keys: Iterable[str], *, backlog_until: float | None = None) -> "Window":
        """The window after these keys were shown, oldest first: as many older ones stay, or 60.

        A write unit holds 120 keys, which is a feed of thirty and as much of its past; an entry that comes back
        later than that costs parse a look at a record it knows.
        """
        shown = list(dict.fromkeys(_short(key) for key in keys))
        newest = set(shown)
        older = [key for key in dict.fromkeys(_parted(self.packed + self.lately)) if key not in newest]
        room = max(len(shown), 60)  # a feed that flips between two states, or drops an entry and brings it back
        return Window(b"".join((older[-room:] + shown)[-WINDOW:]), backlog_until=backlog_until)

    def with_more(self, keys: Iterable[str]) -> "Window":
        """The window after these keys were shown beside all others, as by a hub that pushes only what is new."""
        packed = (self.packed + b"".join(self._unknown(keys)))[-WINDOW * KEY_BYTES :]
        return Window(packed, lately=self.lately, backlog_until=self.backlog_until)

    def lately_with(self, keys: Iterable[str]) -> bytes | None:
        """`lately` after these keys were shown; None if it is full, and the window itself has to be written."""
        lately = self.lately + b"".join(self._unknown(keys))
        return lately if len(lately) <= LATELY * KEY_BYTES else None

    def _unknown(self, keys: Iterable[str]) -> dict[bytes, None]:
        return dict.fromkeys(_short(key) for key in keys if key not in self)


class Polls:
    """The source items of the State table."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def states(self, source_ids: Sequence[str]) -> dict[str, PollState]:
        """How the sources stood after their last poll; a source that was never polled is absent."""
        wanted: list[Any] = [_key(id, "poll") for id in source_ids]
        states: dict[str, PollState] = {}
        while wanted:
            answer = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": wanted[:100]}})
            for item in answer["Responses"].get(self._table, []):
                values = from_item(item)
                states[values["pk"].removeprefix("source#")] = msgspec.convert(values, PollState)
            wanted = unprocessed(answer, self._table) + wanted[100:]
        return states

    def save(self, source_id: str, state: PollState) -> None:
        """Remember how the source stands. The last write of a poll: what it says was all sent."""
        self._put(source_id, "poll", msgspec.structs.asdict(state))

    def change(self, source_id: str, before: PollState, after: PollState) -> None:
        """Write what differs, and leave the rest to a poll that may be under way."""
        old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
        if changes := {name: value for name, value in new.items() if value != old[name]}:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=_key(source_id, "poll"),
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
                ExpressionAttributeNames={f"#{name}": name for name in changes},
                ExpressionAttributeValues=to_item({f":{name}": value for name, value in changes.items()}),
            )

    def window(self, source_id: str, lately: bytes = b"") -> Window | None:
        """The entries the source has shown, with those its state holds; None before its first poll succeeded."""
        key = _key(source_id, "window")
        answer = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        if "Item" not in answer:
            return None
        values = from_item(answer["Item"])
        return Window(values["keys"], lately=lately, backlog_until=values.get("backlog_until"))

    def refetched_until(self) -> float | None:
        """Until when (epoch seconds) what was due to be fetched again was sent; None before the first time."""
        answer = self._dynamodb.get_item(TableName=self._table, Key=_REFETCHED, ConsistentRead=True)
        return from_item(answer["Item"])["until"] if "Item" in answer else None

    def save_refetched_until(self, until: float) -> None:
        """Remember until when what was due to be fetched again was sent."""
        self._dynamodb.put_item(TableName=self._table, Item={**_REFETCHED, **to_item({"until": until})})

    def save_window(self, source_id: str, window: Window) -> None:
        """Remember the entries shown; only after their messages were accepted."""
        self._put(source_id, "window", {"keys": window.packed, "backlog_until": window.backlog_until})

    def _put(self, source_id: str, sk: str, values: dict[str, Any]) -> None:
        self._dynamodb.put_item(TableName=self._table, Item={**_key(source_id, sk), **to_item(values)})


_REFETCHED: dict[str, Any] = {"pk": {"S": "refetch"}, "sk": {"S": "cursor"}}


def _parted(packed: bytes) -> list[bytes]:
    return [packed[i : i + KEY_BYTES] for i in range(0, len(packed), KEY_BYTES)]


def _short(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES]


def _key(source_id: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": f"source#{source_id}"}, "sk": {"S": sk}}
