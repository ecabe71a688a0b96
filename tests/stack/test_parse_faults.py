"""What one message, record, host or call does wrong stays its own trouble: every message ends in one outcome."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import pytest
from botocore.exceptions import ClientError

from broadsheet.apart import Apart, LateError, Task, read
from broadsheet.archive import Archive
from broadsheet.article import Article, Reservation
from broadsheet.fetch import Client, FetchGone, FetchRefused, FetchTransient, Response
from broadsheet.hosts import BusyError, Hosts
from broadsheet.originals import Originals
from broadsheet.parse import MAX_ATTEMPTS, Outcome, Parser
from broadsheet.queue import ArticleMessage, FeedEntry, Queue, decode, encode, pack
from broadsheet.source import Source, Sources
from broadsheet.store import Articles
from broadsheet.urls import article_id
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die

NOW = 1_790_000_000.0
HOST = "https://news.example"


class Scripted(Client):
    """The real client's interface; what it answers or raises is the test's."""

    def __init__(self, answer: Callable[[str], bytes | Exception]) -> None:
        super().__init__(user_agent="test")
        self.answer = answer
        self.asked: list[str] = []
        self.asked_until: list[float | None] = []

    def get(self, url: str, *, deadline: float | None = None, **_: Any) -> Response:
        self.asked.append(url)
        self.asked_until.append(deadline)
        answer = self.answer(url)
        if isinstance(answer, Exception):
            raise answer
        return Response(url=url, status=200, headers={"content-type": "text/html; charset=utf-8"}, body=answer)


def page(url: str) -> bytes | Exception:
    if url.endswith("/robots.txt"):
        return FetchGone(url, "http-404", status=404)
    day = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    words = "".join(f"<p>On {name} the ferry sailed as it should, and nobody was left on the quay.</p>" for name in day)
    title = f"Ferry report {url[-1]}"
    return (
        f'<html lang="en"><head><title>{title}</title></head><body><article><h1>{title}</h1>{words}</article>'.encode()
    )


def message(n: int, **changes: Any) -> ArticleMessage:
    url = f"{HOST}/2026/ferry-report-{n}"
    plain = ArticleMessage(
        id=article_id(url), url=url, source="news", first_seen=datetime(2026, 3, 4, tzinfo=UTC), trace=f"t{n}"
    )
    return msgspec.structs.replace(plain, **changes)


def parse(
    cloud: Cloud,
    client: Client,
    messages: list[ArticleMessage],
    *,
    delay: float = 0,
    seconds: float = 120,
    fetch: Literal["page", "feed"] = "page",
    respect: tuple[Reservation, ...] = (),
    apart: Apart | None = None,
    archive: bool = False,
    now: float = NOW,
) -> dict[str, Outcome]:
    parser = parser_of(
        cloud,
        client,
        delay=delay,
        seconds=seconds,
        fetch=fetch,
        respect=respect,
        apart=apart,
        archive=archive,
        now=now,
    )
    bodies = [(f"m{n}", encode(one)) for n, one in enumerate(messages)]
    outcomes = parser.run(bodies)
    assert sorted(one.message_id for one in outcomes) == sorted(id for id, _ in bodies), "one outcome a message"
    return {one.message_id: one for one in outcomes}


def parser_of(
    cloud: Cloud,
    client: Client,
    *,
    delay: float = 0,
    seconds: float = 120,
    fetch: Literal["page", "feed"] = "page",
    respect: tuple[Reservation, ...] = (),
    apart: Apart | None = None,
    archive: bool = False,
    now: float = NOW,
    clock: Callable[[], float] | None = None,
) -> Parser:
    return Parser(
        articles=Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket),
        originals=Originals(cloud.dynamodb, cloud.state_table),
        hosts=Hosts(cloud.dynamodb, cloud.state_table, run="run", lease=150),
        queue=Queue(cloud.sqs, cloud.queue_url, cloud.dead_letter_url),
        client=client,
        sources=Sources(sources=(Source(id="news", name="News", url=HOST, delay=delay, fetch=fetch, respect=respect),)),
        clock=clock or (lambda: now),
        sleep=lambda _: None,
        deadline=now + seconds,
        apart=apart,
        archive=Archive(cloud.s3, cloud.bucket) if archive else None,
    )


def statuses(outcomes: dict[str, Outcome]) -> list[str]:
    return [outcomes[f"m{n}"].status for n in range(len(outcomes))]


def given_up(cloud: Cloud) -> list[str]:
    return [decode(one["Body"], message_id="m").url for one in cloud.messages(cloud.dead_letter_url)]


def host_is_free(cloud: Cloud, at: float = NOW) -> bool:
    Hosts(cloud.dynamodb, cloud.state_table, run="other", lease=1).take("news.example", now=at)
    return True


def test_a_batch_is_stored_and_the_host_given_back(cloud: Cloud) -> None:
    client = Scripted(page)
    with before(cloud.dynamodb, "BatchGetItem", lambda _: None) as asked:
        assert statuses(parse(cloud, client, [message(n) for n in range(3)])) == ["stored"] * 3
    assert asked.count("BatchGetItem") == 1, "what is known of a batch is asked once, and of no article again"
    assert client.asked[0] == f"{HOST}/robots.txt"
    assert len(client.asked) == 4
    assert host_is_free(cloud)
    assert statuses(parse(cloud, client, [message(0)])) == ["known"]


def lone(cloud: Cloud, client: Scripted, n: int, *, now: float, **changes: Any) -> tuple[Outcome, int]:
    """How a batch of one article of a host in no hurry ends, and how often it wrote of the host's turn."""
    with before(cloud.dynamodb, "UpdateItem", lambda _: None) as asked:
        outcomes = parse(cloud, client, [message(n, **changes)], delay=5, now=now)
    return outcomes["m0"], asked.count("UpdateItem")


def test_a_lone_article_takes_its_hosts_turn_for_one_request_and_leaves_it_to_end(cloud: Cloud) -> None:
    client = Scripted(page)
    first, _ = lone(cloud, client, 0, now=NOW)
    assert first.reason == "crawl-delay", "robots.txt was the one"
    unknown, writes = lone(cloud, client, 0, now=NOW + 60)
    assert (unknown.status, writes) == ("stored", 1)
    assert client.asked_until == [NOW + 35, NOW + 95]
    with pytest.raises(BusyError) as busy:
        host_is_free(cloud, NOW + 99)
    assert busy.value.until == NOW + 105, "a fetch of 30 s, five before and after it, and the delay"
    assert host_is_free(cloud, NOW + 105)


@pytest.mark.parametrize(
    "answer",
    [FetchGone(HOST, "http-404", status=404), FetchTransient(HOST, "http-500", status=500), RuntimeError("a defect")],
    ids=lambda answer: type(answer).__name__,
)
def test_a_turn_is_given_back_where_the_article_is_to_come_again(
    cloud: Cloud, answer: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    lone(cloud, Scripted(page), 0, now=NOW)
    with caplog.at_level(logging.CRITICAL, logger="broadsheet.parse"):
        outcome, _ = lone(cloud, Scripted(lambda _: answer), 0, now=NOW + 60)
    if outcome.status == "postponed":
        assert host_is_free(cloud, NOW + 65)
    else:
        with pytest.raises(BusyError):
            host_is_free(cloud, NOW + 99)


def test_a_turn_is_given_back_to_those_in_line(cloud: Cloud) -> None:
    lone(cloud, Scripted(page), 0, now=NOW)
    Hosts(cloud.dynamodb, cloud.state_table, run="other", lease=1).line_up("news.example", 2, spacing=6, start=NOW + 60)
    outcome, writes = lone(cloud, Scripted(page), 0, now=NOW + 60, place=NOW + 60)
    assert (outcome.status, writes) == ("stored", 2)
    outcome, writes = lone(cloud, Scripted(page), 1, now=NOW + 66, place=NOW + 66)
    assert (outcome.status, writes) == ("stored", 1), "it was the last"


def test_an_article_takes_over_the_turn_that_its_poll_left_it_but_not_before_the_host_is_due(cloud: Cloud) -> None:
    lone(cloud, Scripted(page), 0, now=NOW)
    poll = Hosts(cloud.dynamodb, cloud.state_table, run="poll", lease=330)
    left = poll.take("news.example", now=NOW + 60, request=30)
    early, _ = lone(cloud, Scripted(page), 0, now=NOW + 65.4, place=NOW + 66, turn=left.owner)
    assert (early.status, early.reason) == ("postponed", "host-busy")
    in_time, writes = lone(cloud, Scripted(page), 0, now=NOW + 65.5, place=NOW + 66, turn=left.owner)
    assert (in_time.status, writes) == ("stored", 2), "the line that the early one had entered goes on"
    again, _ = lone(cloud, Scripted(page), 1, now=NOW + 66, place=NOW + 66, turn=left.owner)
    assert again.reason == "host-busy"


def test_a_turn_that_came_late_is_not_begun(cloud: Cloud) -> None:
    """A slow answer of DynamoDB leaves no time for a whole request."""
    lone(cloud, Scripted(page), 0, now=NOW)
    client, passed = Scripted(page), [NOW + 60]
    parser = parser_of(cloud, client, delay=5, clock=lambda: passed[-1], now=NOW + 60)
    with before(cloud.dynamodb, "UpdateItem", lambda _: passed.append(NOW + 70)):
        (outcome,) = parser.run([("m0", encode(message(0)))])
    assert (outcome.status, outcome.reason, client.asked) == ("postponed", "deadline", [])


def test_the_delay_that_robots_ask_for_holds_after_robots_too(cloud: Cloud) -> None:
    client = Scripted(lambda url: b"User-agent: *\nCrawl-delay: 9\n" if url.endswith("/robots.txt") else page(url))
    outcomes = parse(cloud, client, [message(0), message(1)])
    assert client.asked == [f"{HOST}/robots.txt"]
    assert {(one.status, one.reason) for one in outcomes.values()} == {("postponed", "crawl-delay")}
    assert min(one.retry_at or 0.0 for one in outcomes.values()) >= NOW + 9


def test_one_article_twice_in_a_batch_is_stored_once(cloud: Cloud) -> None:
    assert sorted(statuses(parse(cloud, Scripted(page), [message(1), message(1)]))) == ["known", "stored"]
    assert len(cloud.keys()) == 1


def test_an_unreadable_record_parks_its_own_message_only(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    cloud.dynamodb.put_item(
        TableName=cloud.articles_table, Item={"id": {"S": message(1).id}, "status": {"S": "from the future"}}
    )
    outcomes = parse(cloud, Scripted(page), [message(n) for n in range(3)])
    assert statuses(outcomes) == ["stored", "given-up", "stored"]
    assert given_up(cloud) == [message(1).url]
    assert host_is_free(cloud)


def test_a_feed_entry_of_empty_markup_harms_nobody(cloud: Cloud) -> None:
    empty = message(0, entry=FeedEntry(title="Empty", html=pack("<p></p>")))
    assert statuses(parse(cloud, Scripted(page), [empty, message(1)], fetch="feed")) == ["stored"] * 2


def test_a_defect_met_in_a_robots_file_is_its_messages_trouble(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    client = Scripted(lambda url: RuntimeError("a defect") if "robots" in url else page(url))
    with caplog.at_level(logging.CRITICAL, logger="broadsheet.parse"):
        outcomes = parse(cloud, client, [message(0), message(1, url="https://other.example/2026/fine-report-1")])
    assert statuses(outcomes) == ["given-up", "given-up"]
    assert "RuntimeError: a defect" in outcomes["m0"].detail
    assert host_is_free(cloud)


def test_a_host_in_trouble_for_weeks_is_still_only_left_alone(cloud: Cloud) -> None:
    hosts = Hosts(cloud.dynamodb, cloud.state_table, run="run", lease=150)
    hosts.give_back(hosts.take("news.example", now=NOW), next_at=NOW, failures=5000)
    down = FetchTransient(HOST, "http-503", status=503)
    down.host_wide = True
    client = Scripted(lambda _: down)
    outcomes = parse(cloud, client, [message(n) for n in range(4)])
    assert statuses(outcomes) == ["postponed"] * 4
    assert [outcomes[f"m{n}"].attempt for n in range(4)] == [1, 0, 0, 0], "only who asked has failed"
    assert [outcomes[f"m{n}"].retry_at for n in (1, 2)] == [NOW + 600, NOW + 600]
    assert len(client.asked) == 1
    assert host_is_free(cloud, NOW + 600)


def test_what_aws_will_never_take_does_not_go_round_for_ever(cloud: Cloud) -> None:
    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "ValidationException", "Message": "item too large"}}, "PutItem")

    with before(cloud.dynamodb, "PutItem", refuse, nth=2):  # the first keeps the robots.txt
        assert statuses(parse(cloud, Scripted(page), [message(0)])) == ["given-up"]
    assert given_up(cloud) == [message(0).url]


def test_what_nobody_expected_is_parked_with_its_exception_and_its_place(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of no words")

    monkeypatch.setattr("broadsheet.parse.summarize", stumble)
    assert statuses(parse(cloud, Scripted(page), [message(0)])) == ["given-up"]
    (parked,) = cloud.messages(cloud.dead_letter_url)
    said = {name: value["StringValue"] for name, value in parked["MessageAttributes"].items()}
    assert (said["reason"], said["error"]) == ("unexpected", "ZeroDivisionError: of no words")
    assert said["place"].endswith("in stumble")
    assert decode(parked["Body"], message_id="m") == message(0)


@pytest.mark.parametrize("operation", ["BatchGetItem", "UpdateItem", "GetItem", "PutItem"])
def test_trouble_with_dynamodb_brings_every_message_back_soon(cloud: Cloud, operation: str) -> None:
    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError", "Message": "later"}}, operation)

    with before(cloud.dynamodb, operation, refuse):
        outcomes = parse(cloud, Scripted(page), [message(n) for n in range(2)])
    assert set(statuses(outcomes)) <= {"postponed", "stored"}
    back = [one for one in outcomes.values() if one.status == "postponed"]
    assert back
    assert all((one.retry_at, one.attempt, one.reason) == (NOW + 30, 0, "aws-InternalServerError") for one in back)


def test_what_is_given_up_twice_is_parked_twice_and_ends_stored_once(cloud: Cloud) -> None:
    """Its message was delivered twice: `broadsheet dlq redrive` sends both again."""
    last = message(0, attempt=MAX_ATTEMPTS - 1)
    for n in range(2):
        (outcome,) = parse(
            cloud, Scripted(lambda url: FetchTransient(url, "timeout")), [last], now=NOW + n * 600
        ).values()
        assert outcome.status == "given-up"
    parked = [decode(one["Body"], message_id="") for one in cloud.messages(cloud.dead_letter_url)]
    assert parked == [last, last]
    outcomes = parse(cloud, Scripted(page), [msgspec.structs.replace(one, attempt=0) for one in parked], now=NOW + 3600)
    assert sorted(statuses(outcomes)) == ["known", "stored"]


def test_without_the_queue_a_message_is_left_to_its_visibility(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadsheet.queue.SEND_ATTEMPTS", 1)
    cloud.sqs.delete_queue(QueueUrl=cloud.queue_url)
    cloud.sqs.delete_queue(QueueUrl=cloud.dead_letter_url)
    busy = message(0, not_before=NOW + 100)
    outcomes = parse(cloud, Scripted(lambda url: FetchTransient(url, "timeout")), [busy, message(1), message(2)])
    assert statuses(outcomes) == ["unfinished"] * 3


@pytest.mark.parametrize("delay", [0, 0.5, 1, 9])
@pytest.mark.parametrize("seconds", [0, 24, 26, 120])
def test_every_message_has_one_outcome_however_slow_the_host_and_short_the_time(
    cloud: Cloud, delay: float, seconds: float
) -> None:
    outcomes = parse(cloud, Scripted(page), [message(n) for n in range(5)], delay=delay, seconds=seconds)
    assert set(statuses(outcomes)) <= {"stored", "postponed"}
    stored = statuses(outcomes).count("stored")
    assert stored == (0 if seconds < 25 or delay > 1 else 5), "with a long delay, robots.txt is the visit's one request"
    assert len(cloud.keys()) == stored
    again = [one.retry_at or 0 for one in outcomes.values() if one.status == "postponed"]
    first = NOW if seconds < 25 else NOW + delay
    apart = delay if delay <= 1 else delay * 1.1 + 0.5
    assert sorted(again) == pytest.approx([first + apart * n for n in range(len(again))], abs=1e-3, rel=0)
    assert host_is_free(cloud, NOW + delay)


class Redirecting(Scripted):
    """Sends every page on to `target`, as the real client does: it asks before it follows."""

    def __init__(self, target: str, robots: bytes = b"") -> None:
        super().__init__(lambda url: robots if url.endswith("/robots.txt") else page(url))
        self.target = target

    def get(self, url: str, *, before_redirect: Callable[[str], None] | None = None, **_: Any) -> Response:
        if not url.endswith("/robots.txt") and url != self.target:
            self.asked.append(url)
            assert before_redirect is not None
            before_redirect(self.target)
            url = self.target
        return super().get(url)


def test_a_redirect_to_where_robots_forbid_is_not_followed(cloud: Cloud) -> None:
    client = Redirecting(f"{HOST}/private/9", robots=b"User-agent: *\nDisallow: /private/")
    outcome = parse(cloud, client, [message(1)])["m0"]
    assert (outcome.status, outcome.reason) == ("unavailable", "robots-disallowed")
    assert client.asked == [f"{HOST}/robots.txt", message(1).url]


def test_a_redirect_on_the_same_host_is_followed_after_its_delay(cloud: Cloud) -> None:
    client, slept = Redirecting(f"{HOST}/2026/9"), list[float]()
    parser = parser_of(cloud, client, delay=0.5)
    parser._sleep = slept.append
    assert [one.status for one in parser.run([("m0", encode(message(1)))])] == ["stored"]
    assert client.asked == [f"{HOST}/robots.txt", message(1).url, f"{HOST}/2026/9"]
    assert slept == [0.5, 0.5]


def test_a_redirect_goes_round_by_the_queue_where_the_delay_is_long(cloud: Cloud) -> None:
    client = Redirecting(f"{HOST}/2026/9")
    Hosts(cloud.dynamodb, cloud.state_table, run="other", lease=1).keep_robots(HOST, status=404, body=b"", now=NOW)
    sent: list[str] = []
    with before(cloud.sqs, "SendMessageBatch", lambda request: sent.append(request.body)):
        outcome = parse(cloud, client, [message(1)], delay=9)["m0"]
    assert (outcome.status, outcome.reason, outcome.retry_at) == ("postponed", "crawl-delay", NOW + 9)
    assert client.asked == [message(1).url]
    (entry,) = json.loads(sent[0])["Entries"]
    moved = msgspec.structs.replace(decode(entry["MessageBody"], message_id="m"), not_before=0.0)
    assert (moved.url, moved.id, moved.hops) == (client.target, message(1).id, 1)
    cloud.dynamodb.delete_item(
        TableName=cloud.state_table, Key={"pk": {"S": "host#news.example"}, "sk": {"S": "turn"}}
    )  # the delay is over
    assert statuses(parse(cloud, client, [moved])) == ["stored"]
    aliases = [item for item in cloud.items(cloud.articles_table) if item["status"]["S"] == "alias"]
    assert [(item["id"]["S"], item["url"]["S"]) for item in aliases] == [(message(1).id, message(1).url)]


@pytest.mark.parametrize("reason", ["address-refused", "port-refused"])
def test_a_host_we_refuse_to_connect_to_is_told_by_that(cloud: Cloud, reason: str) -> None:
    outcome = parse(cloud, Scripted(lambda url: FetchRefused(url, reason, "10.0.0.1")), [message(1)])["m0"]
    assert (outcome.status, outcome.reason, outcome.detail) == ("unavailable", reason, "10.0.0.1")


def test_articles_that_all_lead_to_one_wall_keep_their_own_address_and_their_feeds_text(cloud: Cloud) -> None:
    wall = Redirecting(f"{HOST}/subscribe", robots=b"User-agent: *\nDisallow: /subscribe")
    outcomes = parse(cloud, wall, [message(n, entry=entry(n)) for n in (1, 2)])
    assert [(one.status, one.origin, one.reason, one.id) for one in outcomes.values()] == [
        ("stored", "feed", "robots-disallowed", message(n).id) for n in (1, 2)
    ]


def walled(title: str) -> Callable[[str], bytes | Exception]:
    """Every page asks to log in first, and answers 200."""
    wall = "<p>Log in, or make an account: it takes a minute, and you read ten articles a month for nothing.</p>"

    def answer(url: str) -> bytes | Exception:
        there = page(url)
        return there if isinstance(there, Exception) else f"{title}<article>{wall}</article>".encode()

    return answer


def entry(n: int, html: str = "") -> FeedEntry:
    return FeedEntry(title=f"Ferry report {n}", html=pack(html or f"<p>{f'Ferry {n} sailed. ' * 40}</p>" * 3))


@pytest.mark.parametrize("title", ["<title>Log in</title>", ""])
@pytest.mark.parametrize("where", ["there", "elsewhere"])
def test_a_wall_that_answers_like_a_page_is_no_article_of_a_feed_with_full_texts(
    cloud: Cloud, where: str, title: str
) -> None:
    client = Scripted(walled(title)) if where == "there" else Redirecting(f"{HOST}/account/login")
    client.answer = walled(title)
    messages = [message(n, entry=entry(n)) for n in (1, 2)]
    outcomes = parse(cloud, client, messages)
    assert [(one.status, one.origin, one.reason, one.id, one.title) for one in outcomes.values()] == [
        ("stored", "feed", "page-lacks-text", message(n).id, f"Ferry report {n}") for n in (1, 2)
    ]
    assert {record["url"]["S"] for record in cloud.items(cloud.articles_table)} == {message(n).url for n in (1, 2)}
    assert statuses(parse(cloud, client, messages)) == ["known", "known"]


@pytest.mark.parametrize("death", [die, done_then_die])
def test_a_death_at_the_alias_of_an_article_that_its_page_titles_otherwise_makes_no_second_one(
    cloud: Cloud, death: Callable[[Any], None]
) -> None:
    offered = [message(1, entry=FeedEntry(title="Boats are late, says the town"))]
    client = Redirecting(f"{HOST}/2026/9")
    with before(cloud.dynamodb, "PutItem", death, nth=3), pytest.raises(KilledError):  # after robots.txt, the record
        parse(cloud, client, offered)
    assert statuses(parse(cloud, client, offered, now=NOW + 900)) == ["known"]
    kinds = sorted(item["status"]["S"] for item in cloud.items(cloud.articles_table))
    assert kinds == ["alias", "stored"]


@pytest.mark.parametrize("trouble", [LateError(HOST, "too-slow"), RuntimeError("defect")])
def test_a_page_stands_though_the_feeds_text_cannot_be_read(cloud: Cloud, trouble: Exception) -> None:
    class Choosy(Apart):
        def read(self, task: Task, seconds: float) -> Article:
            if task.kind == "fragment":
                raise trouble
            return read(task)

    outcomes = parse(cloud, Scripted(page), [message(1, entry=entry(1))], apart=Choosy())
    assert [(one.status, one.origin) for one in outcomes.values()] == [("stored", "page")]


@pytest.mark.parametrize("target", [f"{HOST}/", f"{HOST}/de/", "https://other.example/", "http://news.example/"])
def test_a_redirect_to_a_home_page_says_that_the_article_is_gone(cloud: Cloud, target: str) -> None:
    outcome = parse(cloud, Redirecting(target), [message(1)])["m0"]
    assert (outcome.status, outcome.reason, outcome.detail) == ("unavailable", "moved-to-home-page", target)


@pytest.mark.parametrize("target", ["https://other.example/2026/9", "http://news.example/2026/9"])
def test_a_redirect_to_another_origin_goes_on_there_in_its_own_time(cloud: Cloud, target: str) -> None:
    outcome = parse(cloud, Redirecting(target), [message(1)])["m0"]
    assert (outcome.status, outcome.reason) == ("postponed", "moved")
    (sent,) = cloud.messages(cloud.queue_url)
    again = decode(sent["Body"], message_id="m")
    assert (again.url, again.id, again.hops) == (target, message(1).id, 1)


def test_redirects_from_origin_to_origin_end(cloud: Cloud) -> None:
    outcome = parse(cloud, Redirecting("https://other.example/2026/9"), [message(1, hops=5)])["m0"]
    assert (outcome.status, outcome.reason) == ("unavailable", "too-many-redirects")


@pytest.mark.parametrize("respect", [(), ("noarchive",)])
def test_a_page_that_asks_not_to_be_kept_is_without_text_where_the_policy_says_so(
    cloud: Cloud, respect: tuple[Reservation, ...]
) -> None:
    def reserved(url: str) -> bytes | Exception:
        answer = page(url)
        head = b'<head><meta name="robots" content="noarchive">'
        return answer if isinstance(answer, Exception) else answer.replace(b"<head>", head)

    assert statuses(parse(cloud, Scripted(reserved), [message(1)], respect=respect)) == ["stored"]
    (key,) = cloud.keys()
    article = Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket).read(key)
    assert article.noarchive
    assert article.provenance["noarchive"].key == "robots: noarchive"
    assert (article.withheld, bool(article.text)) == (("noarchive", False) if respect else (None, True))
    assert article.title == "Ferry report 1"
    assert ("ferry sailed" in article.summary) == (not respect)
