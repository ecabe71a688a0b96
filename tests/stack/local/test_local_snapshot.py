"""What a run leaves behind is what the next one starts with, wherever the writer was stopped."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from local import snapshot
from local.embedded import EmbeddedAws

SMALL = Path(__file__).with_name("small.yaml")
ITEM = {
    "id": {"S": "a"},
    "kind": {"S": "news"},
    "n": {"N": "1.10"},
    "packed": {"B": b"\x00\xff"},
    "B": {"M": {"BS": {"BS": [b"\x01"]}}},
}


def ignore(event: Any, context: Any) -> None:
    """Succeed."""


def start(folder: Path, watcher: Any = ignore) -> EmbeddedAws:
    return EmbeddedAws(SMALL, handlers={"Worker": ignore, "Watcher": watcher}, state_dir=folder)


def fill(aws: EmbeddedAws) -> None:
    aws.client("s3").put_object(
        Bucket=aws.resource("Bucket"), Key="articles/v1/语/a.json", Body=b"{}", ContentType="application/json"
    )
    aws.client("dynamodb").put_item(TableName=aws.resource("Table"), Item=ITEM)
    aws.client("sqs").send_message(
        QueueUrl=aws.resource("DeadLetters"),
        MessageBody="given up",
        MessageGroupId="host",
        MessageAttributes={
            "reason": {"DataType": "String", "StringValue": "http-404"},
            "packed": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    aws.client("sqs").send_message(QueueUrl=aws.resource("Queue"), MessageBody="late", DelaySeconds=600)


def holds(aws: EmbeddedAws) -> None:
    found = aws.client("s3").get_object(Bucket=aws.resource("Bucket"), Key="articles/v1/语/a.json")
    assert (found["Body"].read(), found["ContentType"]) == (b"{}", "application/json")
    item = aws.client("dynamodb").get_item(TableName=aws.resource("Table"), Key={"id": {"S": "a"}})["Item"]
    assert item == ITEM
    (message,) = aws.client("sqs").receive_message(
        QueueUrl=aws.resource("DeadLetters"),
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
        VisibilityTimeout=0,
    )["Messages"]
    assert message["Body"] == "given up"
    assert message["Attributes"]["MessageGroupId"] == "host"
    assert message["MessageAttributes"]["reason"]["StringValue"] == "http-404"
    assert message["MessageAttributes"]["packed"]["BinaryValue"] == b"\x00\xff"
    assert aws.backlog()["WorkerMessages"] == 1
    assert aws.step() is None or aws.backlog()["WatcherChanges"] == 0


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_second_start_finds_everything_and_changes_nothing(tmp_path: Path) -> None:
    with start(tmp_path) as aws:
        fill(aws)
        assert aws.step() is not None
    kept = tree(tmp_path)
    assert kept["bucket/articles/v1/语/a.json"] == b"{}"
    with start(tmp_path) as aws:
        assert aws.step() is None  # restoring the table makes no news
        holds(aws)
    again = tree(tmp_path)
    assert {k: v for k, v in kept.items() if "queues" not in k} == {k: v for k, v in again.items() if "queues" not in k}


def test_a_record_that_no_function_saw_is_delivered_by_the_next_run(tmp_path: Path) -> None:
    with start(tmp_path) as aws:
        fill(aws)
    seen: list[Any] = []
    with start(tmp_path, watcher=lambda event, _: seen.extend(event["Records"])) as aws:
        assert aws.step() is not None
    assert [record["dynamodb"]["Keys"] for record in seen] == [{"id": {"S": "a"}}]


def test_interrupted_while_it_is_written_the_old_state_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start(tmp_path) as aws:
        fill(aws)
    kept = tree(tmp_path)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), start(tmp_path) as aws:
        aws.client("s3").delete_object(Bucket=aws.resource("Bucket"), Key="articles/v1/语/a.json")
        patch.setattr(snapshot, "_items", interrupted)
    assert {k: v for k, v in tree(tmp_path).items() if not k.startswith(".new")} == kept
    with start(tmp_path) as aws:
        holds(aws)


@pytest.mark.parametrize("part", snapshot.PARTS)
def test_interrupted_while_it_moves_in_the_new_state_holds(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(tmp_path) as aws:
        aws.client("s3").put_object(Bucket=aws.resource("Bucket"), Key="old", Body=b"old")
    really = shutil.rmtree

    def stopped(path: Path, **more: Any) -> None:
        really(path, **more)
        if path == tmp_path / part:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), start(tmp_path) as aws:
        aws.client("s3").delete_object(Bucket=aws.resource("Bucket"), Key="old")
        fill(aws)
        patch.setattr(shutil, "rmtree", stopped)
    with start(tmp_path) as aws:
        holds(aws)
        assert "old" not in tree(tmp_path)


def test_an_empty_state_is_a_state(tmp_path: Path) -> None:
    for _ in range(2):
        with start(tmp_path) as aws:
            assert aws.run_until_idle(timeout=5)
        assert (tmp_path / "tables" / "Table.json").read_text().strip() == "[]"
