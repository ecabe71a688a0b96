"""`broadsheet dlq`: what was given up is listed with its reason, sent again as if new, or dropped; nothing is lost."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from click.testing import CliRunner, Result

from broadsheet.cli import main
from broadsheet.cli.dlq import parked
from broadsheet.queue import ArticleMessage, Failure, Queue, decode, encode
from tests.stack.cloud import Cloud, KilledError, before, die


def message(name: str) -> ArticleMessage:
    return ArticleMessage(
        id=name,
        url=f"https://harbour.example/{name}",
        source="harbour",
        first_seen=datetime(2026, 11, 1, tzinfo=UTC),
        trace="t",
        attempt=9,
        hops=1,
    )


@pytest.fixture
def dead(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Two articles given up for different reasons, one crash, and one message that isn't ours."""
    queue = Queue(cloud.sqs, cloud.queue_url, cloud.dead_letter_url)
    for name, reason in (("slow", "timeout"), ("odd", "unexpected")):
        queue.give_up(encode(message(name)), Failure(reason=reason, error=f"{name} failed", place="parse.py:1 in f"))
    cloud.sqs.send_message(QueueUrl=cloud.dead_letter_url, MessageBody=encode(message("crash")))
    queue.give_up("{}", Failure(reason="not an article message", error="no id"))
    urls = {"DeadLetterQueueUrl": cloud.dead_letter_url, "ParseQueueUrl": cloud.queue_url}
    monkeypatch.setattr("broadsheet.cli.deployment.Deployment.output", lambda _, name: urls[name])
    monkeypatch.setattr("broadsheet.cli.deployment.Deployment.client", lambda *_: cloud.sqs)
    receive = cloud.sqs.receive_message  # an empty queue would be waited at for a second
    monkeypatch.setattr(cloud.sqs, "receive_message", lambda **asked: receive(**{**asked, "WaitTimeSeconds": 0}))
    yield cloud


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["dlq", *words])


def reasons(cloud: Cloud) -> list[str]:
    with parked(cloud.sqs, cloud.dead_letter_url) as messages:
        return sorted(one.reason for one in messages)


def test_everything_is_listed_with_its_reason_and_stays_visible(dead: Cloud) -> None:
    for _ in range(2):
        listed = run("list")
        assert listed.exit_code == 0, listed.output
        lines = listed.output.splitlines()
        for reason, address in (
            ("timeout", "https://harbour.example/slow"),
            ("unexpected", "https://harbour.example/odd"),
            ("crashed", "https://harbour.example/crash"),
            ("not an article message", "not an article message"),
        ):
            assert [line for line in lines if reason in line and line.endswith(address)]


def test_one_is_shown_with_its_exception_and_place(dead: Cloud) -> None:
    shown = run("show", "--reason", "unexpected").output
    assert "odd failed" in shown
    assert "parse.py:1 in f" in shown
    assert "slow" not in shown


def test_what_is_redriven_starts_over_and_is_gone_from_here(dead: Cloud) -> None:
    assert run("redrive", "--reason", "timeout").output.strip() == "1 sent again"
    (again,) = (decode(one["Body"], message_id="") for one in dead.messages(dead.queue_url))
    assert (again.id, again.attempt, again.hops, again.reason) == ("slow", 0, 0, "redriven")
    assert again.first_seen == message("slow").first_seen  # or its object would get another key
    assert reasons(dead) == ["crashed", "not an article message", "unexpected"]


def test_what_is_no_article_message_stays(dead: Cloud) -> None:
    done = run("redrive", "--all")
    assert done.exit_code == 1
    assert "3 sent again" in done.output
    assert reasons(dead) == ["not an article message"]


def test_a_death_after_the_send_keeps_the_message(dead: Cloud) -> None:
    with before(dead.sqs, "DeleteMessageBatch", die), pytest.raises(KilledError):
        run("redrive", "--reason", "timeout")
    assert len(dead.messages(dead.queue_url)) == 1
    assert "timeout" in reasons(dead)


def test_what_the_queue_refuses_stays(dead: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Queue, "send", lambda _, messages, **_asked: list(messages))
    assert run("redrive", "--reason", "timeout").exit_code == 1
    assert "timeout" in reasons(dead)


def test_a_drop_asks_first(dead: Cloud) -> None:
    assert run("drop", "--reason", "timeout").exit_code == 1
    assert "timeout" in reasons(dead)
    assert "1 dropped" in run("drop", "--reason", "timeout", "--yes").output
    assert "timeout" not in reasons(dead)


@pytest.mark.parametrize("words", [("show",), ("redrive",), ("drop", "--yes"), ("redrive", "nosuchid")])
def test_nothing_is_chosen_by_mistake(dead: Cloud, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2
    assert len(reasons(dead)) == 4


def test_hundreds_are_held_listed_and_sent_again_by_source_and_reason(
    dead: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto looks at every message at every call, and at the clock for each: its own way of asking that takes minutes
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: time.time() * 1000)
    queue = Queue(dead.sqs, dead.queue_url, dead.dead_letter_url)
    for n in range(300):
        parked_one = msgspec.structs.replace(message(f"m{n}"), source=("mill", "quay", "pier")[n % 3])
        queue.give_up(encode(parked_one), Failure(reason=("timeout", "connect")[n % 2], error="x"))
    assert len(run("list").output.splitlines()) == 305, "300, four others, and their number"
    assert run("redrive", "--source", "mill", "--reason", "connect").output.strip() == "50 sent again"
    assert run("redrive", "--source", "mill").output.strip() == "50 sent again"
    again = [decode(one["Body"], message_id="") for one in dead.messages(dead.queue_url)]
    assert sorted(one.id for one in again) == sorted(f"m{n}" for n in range(0, 300, 3))
    listed = json.loads(run("list", "--json").output)
    assert (len(listed), sum(one["reason"] == "connect" for one in listed)) == (204, 100)
    assert "100 dropped" in run("drop", "--source", "quay", "--yes").output
    assert len(reasons(dead)) == 104
