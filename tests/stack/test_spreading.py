"""More sources than one run asks go over the polls queue to further runs; each is asked once, and none is lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from broadsheet import shares
from broadsheet.discover import Outcome
from broadsheet.hosts import Hosts
from broadsheet.shares import decode
from local.embedded import EmbeddedAws
from tests.hostile.loopback import answer, script, serving
from tests.stack.cloud import Cloud, KilledError, before
from tests.stack.newsstand import Newsstand, herald, opened, rss

COUNT = 7


@pytest.fixture
def stand(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Newsstand]:
    """Seven papers, of which one run asks three."""
    monkeypatch.setattr(shares, "SHARE", 3)
    with opened(cloud) as stand:
        sites = [f"http://paper-{n}.example" for n in range(COUNT)]
        stand.sources = tuple(herald(id=f"paper-{n}", url=f"{site}/feed") for n, site in enumerate(sites))
        stand.pages |= {f"{site}/feed": rss(link=site) for site in sites}
        yield stand


def take_shares(stand: Newsstand) -> list[Outcome]:
    """Let the polls queue start its runs."""
    messages = stand.cloud.messages(stand.cloud.polls_queue_url)
    found: list[Outcome] = []
    for n, one in enumerate(messages):
        found += stand.discoverer(f"share-{n}").run_share(decode(one["Body"], message_id=one["MessageId"]))
    return found


def test_each_source_is_asked_once_by_one_of_the_runs(stand: Newsstand) -> None:
    first = stand.discoverer().run()
    assert [one.source for one in first] == ["paper-0", "paper-1", "paper-2"]
    others = take_shares(stand)
    assert sorted(one.source for one in others) == ["paper-3", "paper-4", "paper-5", "paper-6"]
    assert len(stand.fetched) == COUNT
    assert stand.discoverer().run() == [], "nothing is due"
    assert stand.cloud.messages(stand.cloud.polls_queue_url) == []


def test_a_share_that_comes_twice_asks_nobody_again(stand: Newsstand) -> None:
    stand.discoverer().run()
    messages = stand.cloud.messages(stand.cloud.polls_queue_url)
    for _ in range(2):
        for one in messages:
            stand.discoverer("again").run_share(decode(one["Body"], message_id="m"))
    assert len(stand.fetched) == COUNT


def test_a_share_that_never_comes_is_sent_again_and_those_who_waited_are_asked_first(stand: Newsstand) -> None:
    stand.discoverer().run()
    stand.cloud.messages(stand.cloud.polls_queue_url)  # taken, and lost
    stand.later()
    first = stand.discoverer().run()
    assert [one.source for one in first] == ["paper-3", "paper-4", "paper-5"]


def test_a_share_that_the_queue_refuses_is_reported_and_stays_due(stand: Newsstand) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "InternalError", "Message": "not now"}}, "SendMessage")

    events = stand.cloud.sqs.meta.events
    events.register("before-parameter-build.sqs.SendMessage", refuse)
    try:
        outcomes = stand.discoverer().run()
    finally:
        events.unregister("before-parameter-build.sqs.SendMessage", refuse)
    assert [one.reason for one in outcomes if one.status == "unfinished"] == ["send-refused"] * 4
    assert len(stand.discoverer().run()) == 3
    take_shares(stand)
    assert len(stand.fetched) == COUNT


def test_a_forced_run_forces_its_shares(stand: Newsstand) -> None:
    stand.discoverer().run()
    take_shares(stand)
    stand.discoverer().run(force=True)
    assert len(take_shares(stand)) == 4
    assert len(stand.fetched) == 2 * COUNT


def test_a_run_stops_cleanly_before_its_time_is_up(stand: Newsstand) -> None:
    """The first paper answers so late that there is no time for another: those cost nothing and stay due."""
    plain = stand.client.get

    def slowly(url: str, **options: Any) -> Any:
        stand.later(210 / 3600)
        return plain(url, **options)

    stand.client.get = slowly  # type: ignore[method-assign]  # the real fetch, three and a half minutes later
    discoverer = stand.discoverer()
    with patch("broadsheet.discover.MAX_HOSTS", 1), before(stand.cloud.dynamodb, "*", str) as asked:
        outcomes = discoverer.run()
    assert [(one.status, one.reason) for one in outcomes] == [("nothing-new", "")] + [("unfinished", "deadline")] * 2
    assert asked == ["BatchGetItem", "UpdateItem", "GetItem", "PutItem", "PutItem", "UpdateItem"]
    assert [one.source for one in stand.discoverer().run()] == ["paper-1", "paper-2", "paper-3"]


def test_a_source_that_kills_its_run_leaves_the_next_one_to_the_others(stand: Newsstand) -> None:
    """The run dies while it asks the first; five minutes later that host is still taken, and all others are asked."""
    plain = stand.client.get

    def deadly(url: str, **options: Any) -> Any:
        if "paper-0" in url:
            raise KilledError
        return plain(url, **options)

    stand.client.get = deadly  # type: ignore[method-assign]  # the real fetch, but for one host
    dead = patch.object(Hosts, "give_back", side_effect=KilledError)  # it does nothing any more
    with patch("broadsheet.discover.MAX_HOSTS", 1), dead, pytest.raises(KilledError):
        stand.discoverer().run()
    stand.later(300 / 3600)
    outcomes = stand.discoverer().run() + take_shares(stand)
    assert [one.source for one in outcomes if one.status == "busy"] == ["paper-0"]
    assert set(stand.fetched) == {source.url for source in stand.sources[1:]}


def test_the_stack_itself_spreads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Template, roles, queue and handler together; a message that is no share stops nobody."""
    monkeypatch.setattr(shares, "SHARE", 2)
    listed = tmp_path / "sources.yaml"
    with serving(script({f"/{n}": answer(rss(link="http://x.example")) for n in range(5)})) as server:
        lines = [f"  - {{id: s{n}, name: S, url: '{server.url(f'/{n}')}', delay: 0}}" for n in range(5)]
        lines = [line.replace("127.0.0.1", f"127.0.0.{n + 1}") for n, line in enumerate(lines)]
        listed.write_text("\n".join(["sources:", *lines]))
        with EmbeddedAws(parameters={"Sources": str(listed), "AllowedNetworks": "127.0.0.0/8"}) as aws:
            aws.client("sqs").send_message(QueueUrl=aws.resource("PollsQueue"), MessageBody="nonsense")
            first = aws.fire("DiscoverFunctionPoll")
            assert first.error is None
            answers = [first.result]
            aws.observers.append(lambda invocation: answers.append(invocation.result))
            assert aws.run_until_idle(timeout=20)
            items = aws.client("dynamodb").scan(TableName=aws.resource("StateTable"))["Items"]
    assert sum(sum(found.values()) for found in answers) == 5, json.dumps(answers)
    assert len(answers) == 4, "the scheduled run, two shares, and nonsense"
    assert len([item for item in items if item["sk"]["S"] == "poll"]) == 5
