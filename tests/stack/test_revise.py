"""An article that changed: the next revision takes its place, the one before stays readable, whatever dies."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from broadsheet.store import Record, StoredArticle
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die
from tests.stack.test_store import ID, NOW, articles, commit, doc

LATER = NOW + timedelta(hours=6)
OLDER = f"revisions/v1/source=harbour/date=2026-03-04/{ID}.1.json"


def revise(cloud: Cloud, text: str, **changes: Any) -> Record | None:
    record = articles(cloud).record(ID)
    assert record is not None
    again = msgspec.structs.replace(doc(text), fetched_at=LATER, **changes)
    return articles(cloud).revise(record, again, now=LATER)


def read(cloud: Cloud, key: str) -> StoredArticle:
    return articles(cloud).read(key)


def assert_revised(cloud: Cloud, text: str) -> None:
    record = articles(cloud).record(ID)
    assert record is not None
    stored = read(cloud, record.s3_key or "")
    assert (record.revision, stored.revision, stored.text, record.summary) == (2, 2, text, text)
    assert record.content_hash == stored.content_hash
    (older,) = stored.revisions
    assert (older.number, older.changed, older.s3_key) == (1, ("text", "content_hash", "summary"), OLDER)
    assert read(cloud, OLDER).text == "The ferry sails again."
    assert read(cloud, OLDER).revisions == ()
    assert record.changed_at == "2026-03-05T06:10:05Z"


def test_the_next_revision_takes_the_articles_place_and_the_older_stays_readable(cloud: Cloud) -> None:
    first, _ = commit(cloud, doc())
    record = revise(cloud, "The ferry sails on Monday.")
    assert record == articles(cloud).record(ID)
    assert_revised(cloud, "The ferry sails on Monday.")
    assert record is not None
    kept = ("s3_key", "first_seen", "announce", "outbox_at", "trace", "sources")
    assert all(getattr(record, name) == getattr(first, name) for name in kept)
    changes = list(articles(cloud).changes(LATER.timestamp() - 1, LATER.timestamp() + 1))
    assert [(change.id, change.gone) for change in changes] == [(ID, False)]


def test_what_is_the_same_makes_no_revision(cloud: Cloud) -> None:
    commit(cloud, doc())
    assert revise(cloud, "The ferry sails again.") is None
    assert not [key for key in cloud.keys() if "revisions/" in key]  # noqa: SIM118 - it is no dict


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize(("operation", "nth"), [("PutObject", 1), ("PutObject", 2), ("UpdateItem", 1)])
def test_a_death_at_any_call_leaves_what_a_retry_completes(
    cloud: Cloud, operation: str, nth: int, death: Callable[[Any], None]
) -> None:
    commit(cloud, doc())
    client: Any = cloud.s3 if operation == "PutObject" else cloud.dynamodb
    with before(client, operation, death, nth=nth), pytest.raises(KilledError):
        revise(cloud, "The ferry sails on Monday.")
    revise(cloud, "The ferry sails on Monday.")
    assert_revised(cloud, "The ferry sails on Monday.")


def test_of_two_that_revise_at_once_one_does(cloud: Cloud) -> None:
    commit(cloud, doc())
    with before(cloud.s3, "PutObject", lambda _: revise(cloud, "The ferry sails on Monday."), nth=2):
        assert revise(cloud, "The ferry sails on Tuesday.") is None
    assert_revised(cloud, "The ferry sails on Monday.")


def test_a_source_found_meanwhile_is_kept(cloud: Cloud) -> None:
    commit(cloud, doc())
    record = articles(cloud).record(ID)
    assert record is not None
    articles(cloud).add_source(ID, "rival", announce=False, now=LATER)
    articles(cloud).revise(record, doc("The ferry sails on Monday."), now=LATER)
    found = articles(cloud).record(ID)
    assert found is not None
    assert (found.revision, found.sources) == (2, {"harbour", "rival"})


def test_a_field_that_is_gone_leaves_the_record_too(cloud: Cloud) -> None:
    commit(cloud, msgspec.structs.replace(doc(), section="Ships"))
    revise(cloud, "The ferry sails again.")
    record = articles(cloud).record(ID)
    assert record is not None
    assert (record.section, record.revision) == (None, 2)
    written = json.loads(cloud.s3.get_object(Bucket=cloud.bucket, Key=record.s3_key or "")["Body"].read())
    assert written["revisions"][0]["changed"] == ["section"]
