"""The contract with consumers: the JSON Schema of the stored article, generated from the model.

    python -m broadsheet.contract > docs/schema/article-v1.json

Within v1 fields are only ever added: `breaches` compares with what was released.
"""

import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from broadsheet.article import SCHEMA
from broadsheet.store import StoredArticle


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the documents under `articles/v1/` and of an edition's lines."""
    made = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(StoredArticle)))  # lists for tuples, as in JSON
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"Broadsheet article {SCHEMA}"}
    return {**head, **made}


def text() -> bytes:
    """The schema as it is committed."""
    return msgspec.json.format(msgspec.json.encode(schema(), order="deterministic"), indent=2) + b"\n"


def breaches(released: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What a reader of the released schema could stumble over: fields gone, changed, or no longer always there."""
    for name, old in released["$defs"].items():
        new = now["$defs"].get(name)
        if new is None:
            yield f"{name}: gone"
            continue
        if "properties" not in old:
            if old != new:
                yield f"{name}: changed"
            continue
        for field, kind in old["properties"].items():
            if field not in new.get("properties", {}):
                yield f"{name}.{field}: gone"
            elif new["properties"][field] != kind:
                yield f"{name}.{field}: changed"
        for field in old.get("required", []):
            if field not in new.get("required", []):
                yield f"{name}.{field}: no longer always there"


if __name__ == "__main__":
    sys.stdout.buffer.write(text())
