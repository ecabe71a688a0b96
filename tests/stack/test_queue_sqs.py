"""Sending: every message is accepted or known not to be, whatever SQS says or fails to say."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from broadsheet.queue import ArticleMessage, Failure, FeedEntry, Queue, decode, encode, pack
from tests.stack.cloud import Cloud, KilledError, before, done_then_die, lose_answer

NOW = 1_790_000_000.0


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr("broadsheet.queue.time", SimpleNamespace(sleep=taken.append))
    return taken


def message(n: int = 0, **changes: Any) -> ArticleMessage:
    values: dict[str, Any] = {
        "id": f"{n:026d}",
        "url": f"https://host{n % 3}.example/{n}",
        "source": "harbour",
        "first_seen": datetime(2026, 3, 4, tzinfo=UTC),
        "trace": f"t{n}",
    }
    return ArticleMessage(**values | changes)


def queue(cloud: Cloud) -> Queue:
    return Queue(cloud.sqs, cloud.queue_url, cloud.dead_letter_url)


def arrived(cloud: Cloud) -> list[ArticleMessage]:
    taken = cloud.messages(cloud.queue_url)
    return sorted((decode(one["Body"], message_id="m") for one in taken), key=lambda one: one.id)


def partly(cloud: Cloud, refuse: Callable[[int, str], bool]) -> tuple[Callable[..., None], Callable[..., None]]:
    """Handlers that hold back the entries for which `refuse(call, id)`, and report them as failed."""
    calls: list[list[str]] = []

    def hold(params: Any, **_: Any) -> None:
        held = [one for one in params["Entries"] if refuse(len(calls), one["Id"])]
        calls.append([one["Id"] for one in held])
        kept = [one for one in params["Entries"] if one not in held]
        params["Entries"] = kept or [{"Id": "none-kept", "MessageBody": "x", "DelaySeconds": 900}]

    def report(parsed: Any, **_: Any) -> None:
        parsed["Successful"] = [one for one in parsed.get("Successful", []) if one["Id"] != "none-kept"]
        failed = [{"Id": id, "SenderFault": False, "Code": "InternalError"} for id in calls[-1]]
        parsed["Failed"] = failed

    return hold, report


def test_a_message_arrives_with_its_hosts_group(cloud: Cloud) -> None:
    sent = message(1, entry=FeedEntry(title="渡轮复航", html=pack("<p>新闻</p>")))
    assert queue(cloud).send([sent], now=NOW) == []
    (got,) = cloud.messages(cloud.queue_url)
    assert decode(got["Body"], message_id="m") == sent
    assert got["Attributes"]["MessageGroupId"] == "host1.example"
    assert got["Body"].isascii()


def test_many_go_ten_at_a_time(cloud: Cloud) -> None:
    sent = [message(n) for n in range(23)]
    with before(cloud.sqs, "*", lambda _: None) as asked:
        assert queue(cloud).send(sent, now=NOW) == []
    assert asked == ["SendMessageBatch"] * 3
    assert arrived(cloud) == sent
    assert queue(cloud).send([], now=NOW) == []


@pytest.mark.parametrize(
    ("not_before", "delay"),
    [(0, 0), (NOW - 50, 0), (NOW, 0), (NOW + 0.2, 1), (NOW + 60, 60), (NOW + 900.5, 900), (NOW + 1e9, 900)],
)
def test_delays_are_rounded_up_and_end_at_sqss_limit(cloud: Cloud, not_before: float, delay: int) -> None:
    seen: list[Any] = []
    cloud.sqs.meta.events.register("provide-client-params.sqs", lambda params, **_: seen.append(params), unique_id="x")
    try:
        assert queue(cloud).send([message(not_before=not_before)], now=NOW) == []
    finally:
        cloud.sqs.meta.events.unregister("provide-client-params.sqs", unique_id="x")
    assert [entry["DelaySeconds"] for params in seen for entry in params["Entries"]] == [delay]


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_entries_that_sqs_reports_as_failed_are_tried_again_and_no_others(cloud: Cloud, failures: int) -> None:
    sent = [message(n) for n in range(10)]
    hold, report = partly(cloud, lambda call, id: call < failures and id in "37")
    cloud.sqs.meta.events.register("provide-client-params.sqs.SendMessageBatch", hold)
    cloud.sqs.meta.events.register("after-call.sqs.SendMessageBatch", report)
    try:
        refused = queue(cloud).send(sent, now=NOW)
    finally:
        cloud.sqs.meta.events.unregister("provide-client-params.sqs.SendMessageBatch", hold)
        cloud.sqs.meta.events.unregister("after-call.sqs.SendMessageBatch", report)
    lost = [sent[3], sent[7]] if failures == 3 else []
    assert refused == lost
    assert all(any(one is there for there in sent) for one in refused), "the very messages, so that callers find them"
    assert arrived(cloud) == [one for one in sent if one not in lost]


def _unreachable(_: Any) -> None:
    raise EndpointConnectionError(endpoint_url="https://sqs.example/")


def _denied(_: Any) -> None:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessageBatch")


def test_a_call_that_raises_leaves_the_other_calls_messages_sent(cloud: Cloud, naps: list[float]) -> None:
    sent = [message(n) for n in range(25)]
    calls: list[int] = []

    def second_batch_fails(request: Any, **_: Any) -> None:
        calls.append(len(calls))
        if 2 <= len(calls) <= 4:
            _denied(request)

    cloud.sqs.meta.events.register_first("before-send.sqs", second_batch_fails, unique_id="x")
    try:
        refused = queue(cloud).send(sent, now=NOW)
    finally:
        cloud.sqs.meta.events.unregister("before-send.sqs", unique_id="x")
    assert refused == sent[10:20]
    assert arrived(cloud) == sent[:10] + sent[20:]
    assert len(calls) == 5, "one batch, three tries of the next, one batch"
    assert len(naps) == 2


@pytest.mark.parametrize("fault", [_unreachable, _denied])
def test_a_queue_that_fails_once_gets_everything_all_the_same(cloud: Cloud, fault: Callable[[Any], Any]) -> None:
    with before(cloud.sqs, "SendMessageBatch", fault):
        assert queue(cloud).send([message(n) for n in range(3)], now=NOW) == []
    assert arrived(cloud) == [message(n) for n in range(3)]


def test_an_answer_that_is_lost_sends_twice_rather_than_never(cloud: Cloud) -> None:
    with before(cloud.sqs, "SendMessageBatch", lose_answer):
        assert queue(cloud).send([message(1)], now=NOW) == []
    assert arrived(cloud) == [message(1), message(1)]


def test_a_death_is_nobodys_to_swallow(cloud: Cloud) -> None:
    with before(cloud.sqs, "SendMessageBatch", done_then_die), pytest.raises(KilledError):
        queue(cloud).send([message(1)], now=NOW)


def test_batches_keep_within_what_one_call_carries(cloud: Cloud) -> None:
    noise = random.Random(3)
    sent = [message(n, entry=FeedEntry(title=noise.randbytes(110_000).hex())) for n in range(9)]
    with before(cloud.sqs, "*", lambda _: None) as asked:
        assert queue(cloud).send(sent, now=NOW) == []
    assert len(asked) == 3
    assert arrived(cloud) == sent


def test_a_message_too_long_for_sqs_goes_without_what_its_feed_said(cloud: Cloud) -> None:
    noise = random.Random(3)
    han = "".join(chr(noise.randrange(0x4E00, 0x9FA5)) for _ in range(500_000))  # the worst a feed's text can be
    whole = FeedEntry(title="渡轮", html=pack(han))
    assert len(whole.html) > 1024 * 1024
    names = FeedEntry(title="渡轮", authors=("标" * 200_000,))
    assert len(encode(message(2, entry=names))) > 1024 * 1024
    sent = [message(1, entry=whole), message(2, entry=names), message(3, entry=FeedEntry(title="kept"))]
    assert queue(cloud).send(sent, now=NOW) == []
    got = arrived(cloud)
    assert [one.entry for one in got] == [FeedEntry(title="渡轮"), None, FeedEntry(title="kept")]
    assert [one.url for one in got] == [one.url for one in sent]


def test_what_is_given_up_lies_in_the_dead_letter_queue_with_its_reason(cloud: Cloud) -> None:
    failure = Failure(reason="http-503", error="FetchTransient: " + "é" * 5000, place="")
    queue(cloud).give_up(encode(message(1)), failure, group_id="host1.example")
    queue(cloud).give_up("not json", Failure(reason="bad\x00\ud83d", error="x"))
    first, second = cloud.messages(cloud.dead_letter_url)
    assert decode(first["Body"], message_id="m") == message(1)
    assert first["MessageAttributes"].keys() == {"reason", "error"}
    assert first["MessageAttributes"]["reason"]["StringValue"] == "http-503"
    assert len(first["MessageAttributes"]["error"]["StringValue"]) == 2000
    assert second["Body"] == "not json"
    assert second["MessageAttributes"]["reason"]["StringValue"] == "bad\ufffd\ufffd"
    assert cloud.messages(cloud.queue_url) == []


def test_giving_up_raises_where_it_can_not(cloud: Cloud) -> None:
    cloud.sqs.delete_queue(QueueUrl=cloud.dead_letter_url)
    with pytest.raises(ClientError):
        queue(cloud).give_up("{}", Failure(reason="x", error="y"))


def test_only_deaths_count_towards_the_redrive(cloud: Cloud) -> None:
    """A message that is received and never acknowledged goes to the dead-letter queue by itself, after five tries."""
    queue(cloud).send([message(1)], now=NOW)
    for _ in range(5):
        (got,) = cloud.messages(cloud.queue_url)
        cloud.sqs.change_message_visibility(
            QueueUrl=cloud.queue_url, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0
        )
    assert cloud.messages(cloud.queue_url) == []
    assert len(cloud.messages(cloud.dead_letter_url)) == 1
