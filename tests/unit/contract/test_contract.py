"""The contract: the committed schema is the model's, says no less than the released one, and real documents keep it."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships none
import msgspec
import pytest

from broadsheet import contract
from broadsheet.editions import COLUMNS
from broadsheet.store import StoredArticle
from local.embedded import TEMPLATE

DOCS = TEMPLATE.parent / "docs"
GOLDEN = sorted((DOCS / "schema" / "examples").glob("*.json"))
PAGE = (DOCS / "consuming.md").read_text(encoding="utf-8")
RELEASED: dict[str, Any] = json.loads((DOCS / "schema" / "released" / "article-v1.json").read_text())


def test_the_committed_schema_is_the_models() -> None:
    assert (DOCS / "schema" / "article-v1.json").read_bytes() == contract.text(), "python -m broadsheet.contract"


def test_a_reader_of_the_released_schema_stumbles_over_nothing() -> None:
    assert list(contract.breaches(RELEASED, contract.schema())) == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (("StoredArticle", "properties", "title"), "StoredArticle.title: gone"),
        (("Witness",), "Witness: gone"),
        (("Image", "properties", "url", "type"), "Image.url: changed"),
    ],
)
def test_what_goes_or_changes_is_a_breach(path: tuple[str, ...], said: str) -> None:
    now = copy.deepcopy(contract.schema())
    place = now["$defs"]
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    assert said in list(contract.breaches(RELEASED, now))


def test_a_field_more_is_no_breach() -> None:
    now = copy.deepcopy(contract.schema())
    now["$defs"]["StoredArticle"]["properties"]["mood"] = {"type": "string"}
    assert list(contract.breaches(RELEASED, now)) == []


def test_the_page_explains_every_field() -> None:
    explained = set(re.findall(r"`(\w+)`", PAGE.partition("## Fields")[2].partition("## As it happens")[0]))
    for name, part in contract.schema()["$defs"].items():
        assert set(part["properties"]) <= explained, name


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_objects_are_read_and_written_as_they_are(path: Path) -> None:
    body = path.read_bytes()
    jsonschema.validate(json.loads(body), contract.schema())
    jsonschema.validate(json.loads(body), RELEASED)
    article = msgspec.json.decode(body, type=StoredArticle)
    assert json.loads(msgspec.json.encode(article)) == json.loads(body)


def test_there_is_a_golden_object_for_each_origin() -> None:
    assert {json.loads(path.read_bytes())["origin"] for path in GOLDEN} == {"page", "feed", "seed"}


def test_a_reader_of_v1_reads_a_document_with_a_field_more() -> None:
    written = json.loads(GOLDEN[0].read_bytes()) | {"mood": "calm"}
    jsonschema.validate(written, RELEASED)
    assert msgspec.json.decode(json.dumps(written), type=StoredArticle).title == written["title"]


def test_athenas_table_has_the_columns_that_editions_have() -> None:
    (table,) = re.findall(r"CREATE EXTERNAL TABLE articles \((.*?)\n\)", PAGE, re.DOTALL)
    kinds = {"text": "string", "texts": "array<string>", "instant": "timestamp", "integer": "bigint"}
    assert [tuple(part.split()) for part in table.split(",")] == [(c.name, kinds[c.kind]) for c in COLUMNS]
