"""What AWS would bill for the calls functions make: units by its own rules, from what is sent and what is stored.

DynamoDB: a write takes a unit per KB of the larger of the old and the new item, and as much again in each index whose
entry changes (twice where its key does); a read one per 4 KB, half of that if it may be stale; a condition that fails
takes its write all the same. SQS: a request per 64 KB of payload. S3: a request per call.
(AWS's own pages: "Read and write capacity mode", "Amazon SQS pricing", "Amazon S3 pricing".)
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from local.embedded import EmbeddedAws

Item = Mapping[str, Any]


class Meter:
    """Counts by (function's logical id, what): attach it once the stack is up, and read `counts`."""

    def __init__(self, aws: EmbeddedAws, modules: Mapping[str, Any]) -> None:
        self.counts: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._dynamodb = aws.client("dynamodb")
        tables = [aws.resource(key) for key in ("ArticlesTable", "StateTable")]
        self._indexes = {name: self._described(name) for name in tables}
        self._keys = {
            name: [k["AttributeName"] for k in self._dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]]
            for name in tables
        }
        for function, module in modules.items():
            for service in ("dynamodb", "s3", "sqs", "ssm"):
                if client := getattr(module, service, None):
                    self._attach(function, service, client.meta.events)

    def _described(self, table: str) -> list[Any]:
        found: list[Any] = self._dynamodb.describe_table(TableName=table)["Table"].get("GlobalSecondaryIndexes", [])
        return found

    def _attach(self, function: str, service: str, events: Any) -> None:
        def before(params: Any, model: Any, context: Any, **_: Any) -> None:
            context["params"] = dict(params)
            if service == "dynamodb" and model.name in ("PutItem", "UpdateItem", "DeleteItem"):
                context["old"] = self._stored(params)

        def after(parsed: Any, model: Any, context: Any, **_: Any) -> None:
            if "params" in context:
                for what, units in self._bill(service, model.name, context, parsed):
                    self.counts[function, what] += units

        events.register(f"provide-client-params.{service}", before)
        events.register(f"after-call.{service}", after)

    def _stored(self, params: Any) -> Item | None:
        table = params["TableName"]
        key = {name: (params.get("Key") or params["Item"])[name] for name in self._keys[table]}
        found: Item | None = self._dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        return found

    def _bill(self, service: str, operation: str, context: Any, parsed: Any) -> list[tuple[str, float]]:
        params = context["params"]
        match service, operation:
            case "sqs", "SendMessageBatch":
                size = sum(len(entry["MessageBody"].encode()) for entry in params["Entries"])
                return [("sqs_requests", math.ceil(size / 65536)), ("messages_sent", len(params["Entries"]))]
            case "sqs", _:
                return [("sqs_requests", 1)]
            case "s3", "PutObject":
                return [("s3_puts", 1), ("object_bytes", len(params["Body"]))]
            case "s3", "DeleteObject":
                return []  # free
            case "s3", _:
                return [("s3_gets", 1)]
            case "dynamodb", "PutItem" | "UpdateItem" | "DeleteItem":
                new = self._stored(params)
                if _is_of_texts(new):
                    return [("reprint_writes", _write_units(new)), ("reprint_bytes", size_of(new))]
                table = "articles" if "Articles" in params["TableName"] else "state"
                units = self.write_units(params["TableName"], context["old"], new)
                grown = size_of(new) - size_of(context["old"])
                return [
                    (f"{table}_writes", units["table"]),
                    (f"{table}_index_writes", units["index"]),
                    (f"{table}_bytes", grown),
                ]
            case "dynamodb", "GetItem":
                return [("reads", _read_units(parsed.get("Item")) / (1 if params.get("ConsistentRead") else 2))]
            case "dynamodb", "BatchGetItem":
                asked = [key for table in params["RequestItems"].values() for key in table["Keys"]]
                found = [item for items in parsed.get("Responses", {}).values() for item in items]
                consistent = all(table.get("ConsistentRead") for table in params["RequestItems"].values())
                read = sum(map(_read_units, found)) + len(asked) - len(found)
                return [("reads", read if consistent else read / 2)]
            case "dynamodb", "Query":
                what = "reprint_reads" if "texts#" in str(params["ExpressionAttributeValues"]) else "reads"
                return [(what, max(1, math.ceil(sum(map(size_of, parsed.get("Items", []))) / 4096)) / 2)]
        return []

    def write_units(self, table: str, old: Item | None, new: Item | None) -> dict[str, int]:
        """The units of turning one item into another, in the table and in its indexes."""
        index_units = 0
        for index in self._indexes[table]:
            was, becomes = self._entry(table, index, old), self._entry(table, index, new)
            key = [part["AttributeName"] for part in index["KeySchema"]]
            if was == becomes:
                continue
            if was is None or becomes is None or all(was[name] == becomes[name] for name in key):
                index_units += max(_write_units(was), _write_units(becomes))
            else:
                index_units += _write_units(was) + _write_units(becomes)
        return {"table": max(1, _write_units(old), _write_units(new)), "index": index_units}

    def _entry(self, table: str, index: Any, item: Item | None) -> Item | None:
        """What an index holds of an item; None if the item isn't in it."""
        key = [part["AttributeName"] for part in index["KeySchema"]]
        if item is None or any(name not in item for name in key):
            return None
        projection = index["Projection"]
        if projection["ProjectionType"] == "ALL":
            return item
        names = {*key, *self._keys[table], *projection.get("NonKeyAttributes", [])}
        return {name: value for name, value in item.items() if name in names}


def size_of(item: Item | None) -> int:
    """An item's size in bytes as DynamoDB counts it."""
    return sum(len(name.encode()) + _value_size(value) for name, value in (item or {}).items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return len(held.strip("-").replace(".", "")) // 2 + 2
        case "B":
            return len(held)
        case "SS" | "NS":
            return sum(len(one.encode()) for one in held)
        case "L":
            return 3 + sum(1 + _value_size(one) for one in held)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(one) for name, one in held.items())
    return 1


def _is_of_texts(item: Item | None) -> bool:
    return bool(item and item.get("pk", {}).get("S", "").startswith("texts#"))


def _write_units(item: Item | None) -> int:
    return math.ceil(size_of(item) / 1024) if item else 0


def _read_units(item: Item | None) -> int:
    return max(1, math.ceil(size_of(item) / 4096))
