"""Event sources do with a batch what AWS documents."""

import json
from collections.abc import Callable
from typing import Any

from local.embedded import EmbeddedAws
from local.runtime import Invocation

Up = Callable[..., EmbeddedAws]


def send(aws: EmbeddedAws, *bodies: str, **more: Any) -> None:
    for body in bodies:
        aws.client("sqs").send_message(QueueUrl=aws.resource("Queue"), MessageBody=body, **more)


def put(aws: EmbeddedAws, *ids: str, kind: str = "news") -> None:
    for item in ids:
        aws.client("dynamodb").put_item(TableName=aws.resource("Table"), Item={"id": {"S": item}, "kind": {"S": kind}})


def bodies(aws: EmbeddedAws, queue: str) -> list[str]:
    found = aws.client("sqs").receive_message(QueueUrl=aws.resource(queue), MaxNumberOfMessages=10)
    return [message["Body"] for message in found.get("Messages", [])]


def batch(event: Any) -> list[str]:
    return [
        record["body"] if "body" in record else record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]
    ]


class Recorder:
    """A handler that remembers its batches and answers as `answer` says."""

    def __init__(self, answer: Callable[[Any], Any] = lambda _: None) -> None:
        self.batches: list[list[str]] = []
        self.events: list[Any] = []
        self.answer = answer

    def __call__(self, event: Any, context: Any) -> Any:
        self.events.append(event)
        if "Records" in event:
            self.batches.append(batch(event))
        return self.answer(event)


def test_a_batch_holds_as_many_messages_as_the_mapping_says(up: Up) -> None:
    worker = Recorder()
    aws = up(worker)
    send(aws, *(f"{n:02}" for n in range(30)))
    assert aws.run_until_idle(timeout=20)
    assert [len(b) for b in worker.batches] == [25, 5]
    assert sorted(worker.batches[0] + worker.batches[1]) == [f"{n:02}" for n in range(30)]


def test_a_record_has_the_shape_that_lambda_hands_over(up: Up) -> None:
    worker = Recorder()
    aws = up(worker)
    attributes = {
        "reason": {"DataType": "String", "StringValue": "http-404"},
        "packed": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    send(aws, "one", MessageAttributes=attributes, MessageGroupId="host.example")
    aws.step()
    (record,) = worker.events[0]["Records"]
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].rsplit(":", 1)[1] == aws.resource("Queue").rsplit("/", 1)[1]
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["MessageGroupId"] == "host.example"
    assert record["messageAttributes"]["reason"]["stringValue"] == "http-404"
    assert record["messageAttributes"]["packed"]["binaryValue"] == "AP8="
    assert {"messageId", "receiptHandle", "md5OfBody", "awsRegion"} <= record.keys()


def test_only_failed_messages_come_again(up: Up) -> None:
    def fail_bad_once(event: Any) -> Any:
        return {
            "batchItemFailures": [
                {"itemIdentifier": r["messageId"]}
                for r in event["Records"]
                if r["body"] == "bad" and r["attributes"]["ApproximateReceiveCount"] == "1"
            ]
        }

    worker = Recorder(fail_bad_once)
    aws = up(worker)
    send(aws, "good", "bad")
    assert aws.run_until_idle(timeout=20)
    assert worker.batches == [["good", "bad"], ["bad"]]


def test_an_error_or_an_answer_about_foreign_messages_fails_the_whole_batch(up: Up) -> None:
    answers = iter([ValueError("no"), {"batchItemFailures": [{"itemIdentifier": "foreign"}]}, None])

    def answer(_: Any) -> Any:
        given = next(answers)
        if isinstance(given, Exception):
            raise given
        return given

    worker = Recorder(answer)
    aws = up(worker)
    send(aws, "one", "two")
    assert aws.run_until_idle(timeout=20)
    assert worker.batches == [["one", "two"]] * 3


def test_a_message_that_always_fails_ends_in_the_dead_letter_queue(up: Up) -> None:
    def crash(_: Any) -> Any:
        raise SystemExit(1)

    worker = Recorder(crash)
    aws = up(worker)
    send(aws, "poison")
    assert aws.run_until_idle(timeout=20)
    assert worker.batches == [["poison"]] * 3
    assert bodies(aws, "DeadLetters") == ["poison"]


def test_a_failed_message_is_invisible_until_its_redelivery(up: Up) -> None:
    worker = Recorder(lambda e: {"batchItemFailures": [{"itemIdentifier": e["Records"][0]["messageId"]}]})
    aws = up(worker, redelivery=25)
    send(aws, "one")
    assert aws.step() is not None
    assert aws.step() is None
    assert aws.backlog()["WorkerMessages"] == 1


def test_a_delayed_message_is_waited_for(up: Up) -> None:
    worker = Recorder()
    aws = up(worker)
    send(aws, "late", DelaySeconds=1)
    assert aws.step() is None
    assert aws.run_until_idle(timeout=20)
    assert worker.batches == [["late"]]


def test_running_out_of_time_says_so(up: Up) -> None:
    aws = up()
    send(aws, "late", DelaySeconds=600)
    assert not aws.run_until_idle(timeout=0.1)
    assert aws.backlog() == {"WatcherChanges": 0, "WorkerMessages": 1}


def test_a_stream_hands_over_what_passes_the_filter_in_order(up: Up) -> None:
    watcher = Recorder()
    aws = up(watcher=watcher)
    put(aws, "a", "b")
    put(aws, "x", kind="alias")
    put(aws, "c", "d", "e")
    assert aws.run_until_idle(timeout=20)
    assert [b for b in watcher.batches if b] == [["a", "b", "c", "d"], ["e"]]
    record = watcher.events[0]["Records"][0]
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"]["kind"] == {"S": "news"}
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], float)


def test_a_stream_goes_on_from_the_lowest_record_that_failed(up: Up) -> None:
    failed: list[str] = []

    def fail_b_and_c_once(event: Any) -> Any:
        again = [r for r in event["Records"] if r["dynamodb"]["Keys"]["id"]["S"] in "cb" and not failed]
        failed.extend(r["eventID"] for r in again)
        return {"batchItemFailures": [{"itemIdentifier": r["dynamodb"]["SequenceNumber"]} for r in reversed(again)]}

    watcher = Recorder(fail_b_and_c_once)
    aws = up(watcher=watcher)
    put(aws, "a", "b", "c", "d")
    while aws.step():
        pass
    assert watcher.batches == [["a", "b", "c", "d"], ["b", "c", "d"]]


def test_a_poison_record_is_isolated_by_halving_and_then_given_up(up: Up) -> None:
    def refuse_c(event: Any) -> Any:
        if "c" in batch(event):
            raise ValueError("c")

    watcher = Recorder(refuse_c)
    aws = up(watcher=watcher)
    put(aws, "a", "b", "c", "d", "e")
    while aws.step():
        pass
    assert watcher.batches == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["c"], ["c"], ["d"], ["e"]]
    (given_up,) = bodies(aws, "Failures")
    lost = json.loads(given_up)
    assert lost["DDBStreamBatchInfo"]["batchSize"] == 1
    assert lost["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert lost["requestContext"]["approximateInvokeCount"] == 3


def test_a_schedule_sends_its_input_and_its_failure_to_the_destination(up: Up) -> None:
    def fail(_: Any) -> Any:
        raise RuntimeError("not today")

    watcher = Recorder(fail)
    aws = up(watcher=watcher)
    assert isinstance(aws.fire("WatcherTick").error, RuntimeError)
    assert watcher.events == [{"job": "tick"}] * 2
    (failure,) = bodies(aws, "Failures")
    assert json.loads(failure)["requestPayload"] == {"job": "tick"}
    assert json.loads(failure)["responsePayload"]["errorMessage"] == "not today"


def test_minute_schedules_come_while_something_waits(up: Up) -> None:
    ticks: list[Any] = []
    aws = up(watcher=lambda event, _: ticks.append(event))
    assert aws.run_until_idle(timeout=20, waiting=lambda: len(ticks) < 2)
    assert ticks == [{"job": "tick"}] * 2


def test_a_batch_taken_but_not_settled_comes_again_after_the_crash(up: Up) -> None:
    worker = Recorder()
    aws = up(worker, redelivery=0)
    seen: list[Invocation] = []
    aws.observers.append(seen.append)
    send(aws, "one")
    first = aws.step()
    assert first is not None
    assert aws.invoke("Worker", first.event).event == first.event
    assert [i.trigger for i in seen] == ["WorkerMessages", "direct"]
