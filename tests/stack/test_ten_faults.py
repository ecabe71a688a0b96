"""Ten planted faults: an alarm or `status` names each, and what the runbook's page says mends it."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
import yaml
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sqs.models import sqs_backends

from broadsheet import extract
from broadsheet.cli import main
from broadsheet.extract import rules
from broadsheet.polling import PollState
from broadsheet.polls import Polls
from broadsheet.queue import ArticleMessage, Failure, Queue, decode, encode
from broadsheet.store import Record, record_from_item
from broadsheet.urls import article_id
from local.embedded import EmbeddedAws
from local.receiver import Receiver
from local.watch import Watch
from tests.hostile.loopback import Asked, Server, answer, serving
from tests.stack.newsstand import item, page, rss

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
DAY = 86_400.0


class Stand:
    """A paper, a channel, the stack and who watches it. `pages` are what the paper answers, by path."""

    def __init__(
        self, aws: EmbeddedAws, receiver: Receiver, server: Server, *, pages: dict[str, bytes], file: Path
    ) -> None:
        self.aws, self.receiver, self.server, self.pages, self.file = aws, receiver, server, pages, file
        self.minutes_later = 0.0
        self.watch = Watch(aws, clock=lambda: time.time() + 60 * self.minutes_later)

    def write(self, **changes: Any) -> None:
        """The sources file: the one paper, and the channel that hears of it."""
        source = {"id": "herald", "name": "Herald", "url": self.server.url("/feed"), "delay": 0, "channels": ["town"]}
        listed = {"channels": [{"id": "town", "kind": "slack", "interval": 0}], "sources": [source | changes]}
        self.file.write_text(yaml.safe_dump(listed), encoding="utf-8")

    def publish(self, *paths: str) -> None:
        """Put stories into the feed, and a page behind each."""
        site = self.server.url("").rstrip("/")
        self.pages["/feed"] = answer(rss(*(item(path, site=site) for path in paths), link=site))
        for path in paths:
            self.pages[path] = answer(page(f"What the town says of {path}"), headers={"Content-Type": "text/html"})

    def poll(self) -> dict[str, int]:
        """One forced poll, and all that follows from it at once; how polls ended."""
        result: dict[str, int] = self.aws.fire("DiscoverFunctionPoll", {"job": "poll", "force": True}).result
        self.flow()
        return result

    def flow(self) -> None:
        """Deliver what can be delivered now; what is delayed stays."""
        while self.aws.step():
            pass

    def hurry(self) -> None:
        """Let the time pass that messages and deliveries have to wait."""
        name = self.aws.resource("ParseQueue").rsplit("/", 1)[1]
        for message in sqs_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].queues[name]._messages:
            again = msgspec.structs.replace(decode(message.body, message_id=""), not_before=0.0)
            message.body, message.delayed_until = encode(again), 0
        table, dynamodb = self.aws.resource("StateTable"), self.aws.client("dynamodb")
        for due in dynamodb.scan(TableName=table, IndexName="due")["Items"]:
            dynamodb.update_item(
                TableName=table,
                Key={"pk": due["pk"], "sk": due["sk"]},
                UpdateExpression="SET due_at = :now",
                ExpressionAttributeValues={":now": {"N": "1"}},
            )
        self.flow()
        self.aws.fire("NotifyFunctionDue")

    def save(self, **state: Any) -> None:
        """What is remembered of the paper, as weeks of polls would have left it."""
        polls = Polls(self.aws.client("dynamodb"), self.aws.resource("StateTable"))
        polls.save("herald", msgspec.structs.replace(polls.states(["herald"]).get("herald", PollState()), **state))

    @property
    def here(self) -> tuple[str, ...]:
        """The options of a command that asks the paper."""
        return "--file", str(self.file), "--allow", "127.0.0.0/8"

    @property
    def stored(self) -> list[Record]:
        items = self.aws.client("dynamodb").scan(TableName=self.aws.resource("ArticlesTable"))["Items"]
        return [record for record in map(record_from_item, items) if record.status == "stored"]

    def status(self) -> Any:
        """What `broadsheet status` says, the alarms judged before."""
        self.watch.judge()
        result = CliRunner().invoke(main, ["status", "--json"])
        found = json.loads(result.output)
        assert result.exit_code == (0 if found["well"] else 1)
        return found

    def alarms(self) -> set[str]:
        return {alarm["name"] for alarm in self.status()["alarms"]}

    def failures(self) -> set[tuple[str, str, str]]:
        return {(one["service"], one["status"], one["reason"]) for one in self.status()["failures"]}


@contextmanager
def standing(folder: Path, **parameters: str) -> Iterator[Stand]:
    pages: dict[str, bytes] = {}

    def say(asked: Asked, sock: Any) -> bool:
        sock.sendall(pages.get(asked.path, answer(status="404 Not Found")))
        return True

    with serving(say) as server, Receiver() as receiver, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        file = folder / "sources.yaml"
        given = {"Sources": str(file), "AllowedNetworks": "127.0.0.0/8", "RetryDelay": "1"} | parameters
        with EmbeddedAws(parameters=given) as aws:
            stand = Stand(aws, receiver, server, pages=pages, file=file)
            stand.write()
            stand.publish("/2026/a")
            aws.client("ssm").put_parameter(
                Name="/broadsheet/broadsheet/channels/town", Value=receiver.url("slack/town"), Type="SecureString"
            )
            yield stand


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with standing(tmp_path) as found:
        found.poll()
        found.hurry()  # robots.txt first
        assert [record.source for record in found.stored] == ["herald"]
        assert found.status()["well"], "nothing is planted yet"
        yield found


def typed(heading: str, *words: str, text: str = "") -> Result:
    """Type a command that the runbook's page tells of."""
    text_of = RUNBOOK.partition(f"# {heading}\n")[2].partition("\n## ")[0]
    assert text_of, heading
    spelt = [word for word in words if not word.startswith(("--", "/", "http"))][:2]
    names = spelt if words[0] in ("dlq", "sources", "channels") else spelt[:1]
    assert f"broadsheet {' '.join(names)}" in text_of, f"{heading} doesn't say to type {names}"
    return CliRunner().invoke(main, words, input=text)


def test_a_dead_feed(stand: Stand) -> None:
    stand.pages["/feed"] = answer(status="404 Not Found")
    stand.save(failures=5.0, failing_since=time.time() - 2 * DAY, reason="http-404")
    assert stand.poll() == {"failed": 1}
    assert "SourcesInTroubleAlarm" in stand.alarms()
    (told,) = stand.status()["troubled"]
    assert (told["source"], told["trouble"], told["reason"]) == ("herald", "broken", "http-404")
    checked = typed(
        "SourcesInTroubleAlarm", "sources", "check", "herald", "--file", str(stand.file), "--allow", "127.0.0.0/8"
    )
    assert "http-404" in checked.output
    site = stand.server.url("").rstrip("/")
    stand.pages["/new-feed"] = answer(rss(item("/2026/b", site=site), link=site))
    stand.write(url=stand.server.url("/new-feed"))
    stand.poll()
    assert stand.status()["troubled"] == []


def test_a_moved_site(stand: Stand) -> None:
    moved = stand.server.url("/moved")
    stand.pages["/moved"] = stand.pages["/feed"]
    stand.pages["/feed"] = answer(status="301 Moved Permanently", headers={"Location": moved})
    stand.poll()
    (told,) = stand.status()["troubled"]
    assert (told["source"], told["trouble"], told["reason"]) == ("herald", "moved", moved)
    assert (
        typed("Moved sites", "sources", "check", moved, "--file", str(stand.file), "--allow", "127.0.0.0/8").exit_code
        == 0
    )
    stand.write(url=moved)
    stand.poll()
    assert stand.status()["troubled"] == []


@pytest.mark.usefixtures("read_here")
def test_a_broken_rule(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "0.1.yaml").write_text("name: Herald\nshape: paragraphs in div.story\nbody: div.story\n")
    monkeypatch.setattr(rules, "_directory", lambda: tmp_path)
    monkeypatch.setattr(rules, "_stored", cache(rules._stored.__wrapped__))
    stand.publish("/2026/a", "/2026/b")
    stand.poll()
    assert ("parse", "rule-missed", "Herald") in stand.failures()
    assert not stand.status()["well"]
    url = stand.server.url("/2026/b")
    mended = tmp_path / "mended.yaml"
    mended.write_text("name: Herald\nshape: paragraphs in article\nbody: article\n")
    tried = typed("Broken rules", "extract", url, "--explain", "--rule", str(mended), "--allow", "127.0.0.0/8")
    assert tried.exit_code == 0, tried.output
    (tmp_path / "0.1.yaml").write_text("name: Herald\nshape: paragraphs in article\nbody: article\n")
    rules._stored.cache_clear()
    before = len(stand.status()["failures"])
    stand.publish("/2026/c")
    stand.poll()
    assert len(stand.status()["failures"]) == before
    assert len(stand.stored) == 3


def test_a_revoked_webhook(stand: Stand, tmp_path: Path) -> None:
    stand.receiver.fail(404)
    stand.publish("/2026/b")
    stand.poll()
    assert any(one[:2] == ("notify", "channel-closed") for one in stand.failures())
    assert stand.status()["deliveries"] == {"town": 1}
    secret = tmp_path / "secret"
    secret.write_text(stand.receiver.url("slack/new-town"))
    given = typed(
        "Closed channels", "channels", "secret", "town", "--secret-file", str(secret), "--allow", "127.0.0.0/8"
    )
    assert given.exit_code == 0, given.output
    sys.modules["lambda_NotifyFunction"].secrets._kept.clear()  # five minutes later
    stand.hurry()
    assert stand.status()["deliveries"] == {"town": 0}
    assert [post.path for post in stand.receiver.accepted][-1] == "/slack/new-town"


@pytest.mark.usefixtures("read_here")
def test_a_poison_page(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    real = extract.extract

    def poisoned(body: bytes, *given: Any, **options: Any) -> Any:
        if b"poison" in body:
            raise ZeroDivisionError("of a page nobody foresaw")
        return real(body, *given, **options)

    stand.publish("/2026/poison", "/2026/b")
    with monkeypatch.context() as patch:
        patch.setattr("broadsheet.extract.extract", poisoned)
        stand.poll()
    assert len(stand.stored) == 2, "it holds up nothing else"
    assert "ArticlesGivenUpAlarm" in stand.alarms()
    assert ("parse", "given-up", "unexpected") in stand.failures()
    shown = typed("ArticlesGivenUpAlarm", "dlq", "show", "--all").output
    assert "ZeroDivisionError" in shown
    assert typed("ArticlesGivenUpAlarm", "dlq", "redrive", "--all").exit_code == 0
    stand.flow()
    assert len(stand.stored) == 3
    stand.minutes_later = 6  # than the alarm's period
    assert stand.alarms() == set()


def _refusing(stand: Stand, code: str) -> Callable[[], None]:
    """Let the Articles table refuse parse's writes; returns what ends that."""
    events = sys.modules["lambda_ParseFunction"].dynamodb.meta.events

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "the table takes no more"}}, "PutItem")

    events.register("before-call.dynamodb.PutItem", refuse)
    return lambda: events.unregister("before-call.dynamodb.PutItem", refuse)


def test_a_throttled_table(stand: Stand) -> None:
    mend = _refusing(stand, "ThrottlingException")
    stand.publish("/2026/b")
    stand.poll()
    assert ("parse", "postponed", "aws-ThrottlingException") in stand.failures()
    assert not stand.status()["well"]
    assert stand.status()["queues"]["waiting"][2] == 1, "it waits, and is not lost"
    assert "aws-ThrottlingException" in RUNBOOK.replace("`parse postponed ", "")
    mend()  # `aws dynamodb update-table` in the runbook
    stand.hurry()
    assert len(stand.stored) == 2


def test_a_full_dead_letter_queue(stand: Stand) -> None:
    stand.publish("/2026/b", "/2026/c")
    sqs = stand.aws.client("sqs")
    queue = Queue(sqs, stand.aws.resource("ParseQueue"), stand.aws.resource("DeadLetterQueue"))
    seen = stand.stored[0].first_seen
    for name in ("b", "c"):
        url = stand.server.url(f"/2026/{name}")
        made: Mapping[str, Any] = {"id": article_id(url), "url": url, "source": "herald", "trace": name}
        message = msgspec.convert({**made, "first_seen": seen}, ArticleMessage)
        queue.give_up(encode(message), Failure(reason="timeout", error="the site slept"))
    assert stand.status()["queues"]["given up"][0] == 2
    assert "ArticlesGivenUpAlarm" in stand.alarms()
    assert "timeout" in typed("ArticlesGivenUpAlarm", "dlq", "list").output
    assert "2 sent again" in typed("ArticlesGivenUpAlarm", "dlq", "redrive", "--reason", "timeout").output
    stand.flow()
    assert len(stand.stored) == 3
    stand.minutes_later = 6  # than the alarm's period
    assert stand.alarms() == set()


def test_a_silent_source(stand: Stand) -> None:
    stand.save(changed_at=time.time() - 40 * DAY, first_at=time.time() - 90 * DAY, gap=3600.0)
    stand.poll()
    assert "SourcesInTroubleAlarm" in stand.alarms()
    (told,) = stand.status()["troubled"]
    assert (told["source"], told["trouble"]) == ("herald", "silent")
    checked = typed(
        "SourcesInTroubleAlarm", "sources", "check", "herald", "--file", str(stand.file), "--allow", "127.0.0.0/8"
    )
    assert "announce" in checked.output, "the feed reads well: the paper is quiet"
    stand.publish("/2026/a", "/2026/b")
    stand.poll()
    assert stand.status()["troubled"] == []


def test_a_wrong_permission(stand: Stand) -> None:
    statements = stand.aws.stack.functions["ParseFunction"].statements
    objects = next(statement for statement in statements if statement["Sid"] == "Objects")
    objects["Effect"] = "Deny"  # somebody edited the role by hand
    stand.publish("/2026/b")
    stand.poll()
    assert ("parse", "postponed", "aws-AccessDenied") in stand.failures()
    assert not stand.status()["well"]
    assert "`aws-AccessDenied`" in RUNBOOK.partition("## Wrong permissions")[2]
    objects["Effect"] = "Allow"  # `sam deploy`, once drift detection has named the role
    stand.hurry()
    assert len(stand.stored) == 2


@pytest.mark.filterwarnings("ignore:No application metrics")  # of a run that ended before it counted any
def test_a_bad_deploy_setting(tmp_path: Path) -> None:
    with standing(tmp_path, Sources="no-such-file.yaml") as stand:
        for _ in range(3):
            failed = stand.aws.fire("DiscoverFunctionPoll")
            assert failed.error is not None
        assert "InvocationsFailedAlarm" in stand.alarms()
        (told,) = stand.status()["troubled"]
        assert "no-such-file.yaml" in told["reason"]
        listed = typed("InvocationsFailedAlarm", "failures")
        assert "SourcesError" in listed.output
        assert "no-such-file.yaml: unreadable" in listed.output
        assert typed("InvocationsFailedAlarm", "failures", "--drop").exit_code == 0
        stand.minutes_later = 6
        assert "InvocationsFailedAlarm" not in stand.alarms()
    with standing(tmp_path) as stand:  # deployed again, with the right one
        assert stand.poll() == {"found": 1}
