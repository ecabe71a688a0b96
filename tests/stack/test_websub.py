"""A hub that pushes: agreed with, believed as far as it proves itself, never needed. The W3C's steps, by one clock."""

import hashlib
import hmac
import logging
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from broadsheet import websub
from broadsheet.callback import MAX_BODY, Outcome
from broadsheet.fetch import Client, Response
from broadsheet.hosts import Hosts
from broadsheet.subscriptions import Subscriptions
from tests.hostile.loopback import answer
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die, lose_answer
from tests.stack.newsstand import CALLBACK, HERALD, Newsstand, headline, herald, item, opened, rss

FEED, HUB = f"{HERALD}/feed", "https://hub.example/"
LINKS = f'<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="hub" href="{HUB}"/>' + (
    f'<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="self" href="{FEED}"/>'
)
A, B, C = "/2026/11/ferry-runs-late-again", "/2026/11/library-keeps-its-owls", "/2026/11/mill-wheel-turns-back"
DAY = 86_400.0


class Trusting(Client):
    """Takes loopback for the hub's TLS, which is proved where fetch is."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
        return super().post(url.replace("https://", "http://"), body, headers)


class Hub:
    """Does as W3C WebSub, 5 and 7, says; and, where a test wants it, otherwise."""

    def __init__(self, stand: Newsstand) -> None:
        self._stand = stand

    @property
    def requests(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(one.body.decode())) for one in self._stand.asked("hub.example")]

    @property
    def path(self) -> str:
        callback = self.requests[-1]["hub.callback"]
        assert callback.startswith(CALLBACK)
        return urlsplit(callback).path

    def verify(self, **changes: str) -> Outcome:
        asked = self.requests[-1]
        query = {"hub.mode": "subscribe", "hub.topic": asked["hub.topic"], "hub.challenge": "c 1&2"}
        query |= {"hub.lease_seconds": f"{10 * DAY:.0f}"} | {f"hub.{name}": value for name, value in changes.items()}
        return self._stand.callback().asked(self.path, query)

    def push(self, body: bytes, *, method: str = "sha256", signature: str | None = None, path: str = "") -> Outcome:
        secret = self.requests[-1].get("hub.secret", "")
        if signature is None:
            signature = f"{method}={hmac.new(secret.encode(), body, getattr(hashlib, method)).hexdigest()}"
        headers = {"x-hub-signature": signature, "content-type": "application/rss+xml"}
        return self._stand.callback().pushed(path or self.path, headers, body)


def feed(*items: str) -> bytes:
    return rss(*items).replace(b"<title>Paper", LINKS.encode() + b"<title>Paper")


@pytest.fixture
def stand(cloud: Cloud) -> Iterator[Newsstand]:
    with opened(cloud, Trusting) as stand:
        stand.subscriptions = Subscriptions(cloud.dynamodb, cloud.state_table)
        stand.publish(A, B, C)
        stand.pages[FEED] = feed(item(A))
        yield stand


@pytest.fixture
def hub(stand: Newsstand) -> Hub:
    """A hub that was asked and has agreed, and pushed one entry."""
    hub = Hub(stand)
    stand.poll()
    assert hub.verify().challenge == "c 1&2"
    stand.pages[FEED] = feed(item(B), item(A))
    assert hub.push(feed(item(B))).enqueued == 1
    return hub


def once(stand: Newsstand, *paths: str) -> None:
    stand.deliver()
    assert [one.url for one in stand.stored] == [HERALD + path for path in sorted(paths)]
    assert stand.posts == {("town", headline(path)): 1 for path in paths}


def polls_in(stand: Newsstand, hours: int, *, runs: int) -> int:
    """How often the feed is asked in so many hours, by so many runs."""
    asked = stand.fetched.count(FEED)
    for _ in range(runs):
        stand.later(hours / runs)
        stand.discoverer().run()
    return stand.fetched.count(FEED) - asked


def test_a_hub_is_asked_as_the_standard_says_and_agreed_with(stand: Newsstand) -> None:
    hub = Hub(stand)
    stand.poll()
    (request,) = hub.requests
    assert request["hub.mode"] == "subscribe"
    assert request["hub.topic"] == FEED
    assert request["hub.lease_seconds"] == "864000"
    assert len(request["hub.secret"]) >= 32
    assert stand.asked("hub.example")[0].headers["content-type"] == "application/x-www-form-urlencoded"
    agreed = hub.verify()
    assert (agreed.answer, agreed.challenge) == (200, "c 1&2")
    stand.later()
    stand.poll()
    assert len(hub.requests) == 1, "agreed is agreed"


def test_nothing_is_asked_where_no_hub_may_call(stand: Newsstand) -> None:
    stand.subscriptions = None
    stand.poll()
    assert stand.asked("hub.example") == []


def test_what_is_pushed_is_an_article_at_once_and_once(stand: Newsstand, hub: Hub) -> None:
    once(stand, A, B)
    assert hub.push(feed(item(B), item(A))).new == 0, "pushed again"
    assert [one.status for one in stand.poll()] == ["nothing-new"], "and polled"
    once(stand, A, B)


def test_a_push_of_a_part_forgets_nothing_of_the_whole(stand: Newsstand, hub: Hub) -> None:
    paths = [f"/2026/11/ferry-report-number-{n}" for n in range(50)]
    stand.pages[FEED] = feed(*map(item, paths))
    stand.discoverer().run(force=True)
    hub.push(feed(item(C)))
    stand.pages[FEED] = feed(item(C), *map(item, paths))
    (outcome,) = stand.discoverer().run(force=True)
    assert outcome.skipped == {"seen": 51}


def test_each_method_of_signing_is_known(stand: Newsstand, hub: Hub) -> None:
    pushed = [hub.push(feed(item(C)), method=method) for method in ("sha1", "sha256", "sha384", "sha512")]
    assert [(one.status, one.new) for one in pushed] == [("pushed", 1), *[("pushed", 0)] * 3]


FORGED = {
    "none": "",
    "another's": "sha256=" + hmac.new(b"guess", feed(item(C)), hashlib.sha256).hexdigest(),
    "of another body": "sha256=" + "0" * 64,
    "in a method nobody may use": "md5=" + "0" * 32,
    "no hex": "sha256=ä",
}


def test_what_is_not_signed_is_acknowledged_and_ignored(stand: Newsstand, hub: Hub) -> None:
    with before(stand.cloud.dynamodb, "*", str) as calls:
        outcomes = {name: hub.push(feed(item(C)), signature=signature) for name, signature in FORGED.items()}
    assert {name: (one.status, one.answer) for name, one in outcomes.items()} == dict.fromkeys(FORGED, ("forged", 202))
    assert calls == ["GetItem"] * len(FORGED)
    once(stand, A, B)


STRANGERS = {
    "a root": "/",
    "no token": "/herald/",
    "a short token": "/herald/abc",
    "a path to elsewhere": "/herald/../../etc/passwd",
    "a guess": "/herald/" + "A" * 43,
}


def test_a_stranger_is_told_nothing_for_a_read_at_most(stand: Newsstand, hub: Hub) -> None:
    topic = {"hub.mode": "subscribe", "hub.topic": FEED, "hub.challenge": "x"}
    for name, path in STRANGERS.items():
        with before(stand.cloud.dynamodb, "*", str) as calls:
            answers = [stand.callback().pushed(path, {}, feed(item(C))), stand.callback().asked(path, topic)]
        assert [(one.status, one.answer, one.challenge) for one in answers] == [("unknown", 404, "")] * 2, name
        assert calls == (["GetItem"] * 2 if name == "a guess" else [])


def test_what_nobody_asked_for_is_not_confirmed(stand: Newsstand) -> None:
    stand.poll()
    hub = Hub(stand)
    for wrong in ({"topic": f"{HERALD}/other"}, {"mode": "unsubscribe"}, {"mode": "publish"}, {"challenge": ""}):
        assert hub.verify(**wrong).answer == 404
    stand.later(1)
    stand.poll()
    assert len(hub.requests) == 2, "still to be agreed"


def test_with_a_hub_that_pushes_a_poll_a_day_is_enough_and_the_lease_is_renewed(stand: Newsstand, hub: Hub) -> None:
    stand.poll()
    token = hub.path
    assert 4 <= polls_in(stand, 24 * 4, runs=12 * 4) <= 5
    assert len(hub.requests) == 1
    assert polls_in(stand, 30, runs=1) == 1
    assert len(hub.requests) == 2, "half the lease is over"
    assert hub.path == token, "the same subscription"
    hub.verify()
    stand.later(20)
    assert polls_in(stand, 12, runs=2) == 1
    assert len(hub.requests) == 2


def test_until_it_has_pushed_a_hub_is_not_relied_on(stand: Newsstand) -> None:
    hub = Hub(stand)
    stand.poll()
    hub.verify()
    assert polls_in(stand, 6, runs=12) > 10


def test_a_lease_that_ends_is_the_end_of_it(stand: Newsstand, hub: Hub) -> None:
    stand.poll()
    stand.pages["POST http://hub.example/"] = answer(status="500 No")
    stand.later(24 * 11)
    assert polls_in(stand, 30, runs=10) > 2, "asleep for days, but not for a day"


def test_a_hub_that_leaves_something_out_is_not_relied_on_until_it_pushes_again(stand: Newsstand, hub: Hub) -> None:
    stand.poll()
    stand.later(25)
    stand.pages[FEED] = feed(item(C), item(B), item(A))
    assert [one.status for one in stand.poll(force=False)] == ["found"]
    once(stand, A, B, C)
    assert polls_in(stand, 6, runs=12) > 10
    assert hub.push(feed(item(C))).new == 0
    stand.later(1)
    stand.poll()
    assert polls_in(stand, 12, runs=24) <= 1


def test_an_empty_push_has_the_source_asked_and_counts_as_one(stand: Newsstand, hub: Hub) -> None:
    stand.poll()
    stand.later(3)
    assert polls_in(stand, 1, runs=2) == 0
    stand.pages[FEED] = feed(item(C), item(B), item(A))
    assert hub.push(b"").status == "pinged"
    assert [one.status for one in stand.poll(force=False)] == ["found"]
    assert polls_in(stand, 6, runs=12) == 0, "it was not left out"
    once(stand, A, B, C)


def test_too_large_a_push_is_not_read(stand: Newsstand, hub: Hub) -> None:
    outcome = hub.push(feed(item(C)) + b" " * MAX_BODY)
    assert (outcome.status, outcome.reason) == ("pinged", "too-large")
    once(stand, A, B)


def test_a_hub_without_tls_is_told_no_secret_and_only_makes_us_look(stand: Newsstand) -> None:
    hub = Hub(stand)
    stand.pages[FEED] = feed(item(A)).replace(b"https://hub", b"http://hub")
    stand.poll()
    hub.verify()
    assert "hub.secret" not in hub.requests[0]
    assert hub.push(feed(item(C)), signature="").status == "pinged"
    once(stand, A)
    stand.later()
    stand.pages[FEED] = feed(item(C), item(A))
    stand.poll(force=False)
    once(stand, A, C)


def test_a_hub_that_says_no_is_left_alone_for_a_week(stand: Newsstand) -> None:
    hub = Hub(stand)
    stand.poll()
    assert hub.verify(mode="denied", reason="who are you").answer == 200
    for _ in range(6):
        stand.later(24)
        stand.poll()
    assert len(hub.requests) == 1
    stand.later(25)
    stand.poll()
    assert len(hub.requests) == 2


def test_a_hub_that_does_not_answer_is_asked_ever_more_seldom(stand: Newsstand) -> None:
    stand.pages["POST http://hub.example/"] = answer(status="503 Busy")
    for _ in range(20):
        assert stand.discoverer().run(force=True)[0].status in ("found", "not-modified", "nothing-new")
        stand.later(1)
    assert len(Hub(stand).requests) == 5


def test_a_hub_that_has_moved_is_followed(stand: Newsstand) -> None:
    moved = answer(status="307 Temporary Redirect", headers={"Location": "https://new.hub.example/"})
    stand.pages["POST http://hub.example/"] = moved
    stand.poll()
    (request,) = stand.asked("new.hub.example")
    assert parse_qs(request.body.decode())["hub.topic"] == [FEED]
    stand.pages["POST http://hub.example/"] = answer(
        status="308 Permanent Redirect", headers={"Location": "http://plain.hub.example/"}
    )
    stand.later(24)
    stand.poll()
    assert stand.asked("plain.hub.example") == [], "the secret stays under TLS"


def test_a_hub_that_has_moved_is_asked_under_the_turn_of_its_new_host(stand: Newsstand) -> None:
    moved = answer(status="307 Temporary Redirect", headers={"Location": "https://new.hub.example/"})
    stand.pages["POST http://hub.example/"] = moved
    another = Hosts(stand.cloud.dynamodb, stand.cloud.state_table, run="another", lease=3600)
    another.take("new.hub.example", now=stand.now)
    stand.poll()
    assert len(stand.asked("hub.example")) == 1
    assert stand.asked("new.hub.example") == []


def test_a_hub_on_the_feeds_own_host_is_asked_after_its_delay(stand: Newsstand) -> None:
    stand.sources = (herald(delay=7),)
    stand.pages[FEED] = feed(item(A)).replace(HUB.encode(), f"{HERALD}/hub".encode())
    discoverer, slept = stand.discoverer(), list[float]()
    discoverer._sleep = slept.append
    discoverer.run(force=True)
    assert ([one.path for one in stand.asked("herald.example")], slept) == (["/hub"], [7])


def test_another_hub_is_another_subscription(stand: Newsstand, hub: Hub) -> None:
    old = hub.path
    stand.pages[FEED] = feed(item(A)).replace(b"hub.example", b"hub.example/2")
    stand.later()
    stand.poll()
    assert hub.path != old
    assert hub.push(feed(item(C)), path=old).answer == 404


def test_a_source_that_is_gone_ends_its_subscription_without_a_line(
    stand: Newsstand, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    stand.sources = (herald(id="gazette"),)
    caplog.set_level(logging.INFO, "broadsheet.callback")
    with before(stand.cloud.dynamodb, "*", str) as calls:
        assert stand.callback().pushed(hub.path, {}, b"").answer == 410
        assert stand.callback().asked(hub.path, {}).answer == 404
    assert (calls, caplog.records) == ([], [])  # for anybody can ask after a source that isn't


def test_links_in_headers_come_first(stand: Newsstand) -> None:
    links = f'<{HUB}header>; rel="hub", <{HERALD}/atom>; title="a, b"; rel=self, </x>; rel="next"'
    stand.pages[FEED] = answer(feed(item(A)), headers={"Link": links})
    stand.poll()
    (request,) = stand.asked("hub.example")
    assert (request.path, dict(parse_qsl(request.body.decode()))["hub.topic"]) == ("/header", f"{HERALD}/atom")


def test_what_the_queue_refuses_of_a_push_is_found_by_the_next_poll(
    stand: Newsstand, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.poll()
    stand.pages[FEED] = feed(item(C), item(B), item(A))
    with monkeypatch.context() as broken:
        broken.setattr("broadsheet.queue.SEND_ATTEMPTS", 0)
        outcome = hub.push(feed(item(C)))
    assert (outcome.new, outcome.enqueued) == (1, 0)
    assert [one.status for one in stand.poll(force=False)] == ["found"], "due at once, a day early"
    once(stand, A, B, C)


WRITTEN = (die, done_then_die, lose_answer)
CALLS = {  # of a push: service, operation, its number; and what may befall it
    ("dynamodb", "GetItem", 1): (die,),
    ("dynamodb", "BatchGetItem", 1): (die,),
    ("dynamodb", "GetItem", 2): (die,),
    ("sqs", "SendMessageBatch", 1): WRITTEN,
    ("dynamodb", "PutItem", 1): WRITTEN,
    ("dynamodb", "UpdateItem", 1): WRITTEN,
}


def test_whatever_call_of_a_push_dies_nothing_is_lost_and_nothing_repeated(stand: Newsstand, hub: Hub) -> None:
    """Each as the first of its kind and again with the hub calling once more; then the daily poll, and all is there."""
    paths = [B, A]
    for called_again in (False, True):
        for (service, operation, nth), ends in CALLS.items():
            for end in ends:
                paths.insert(0, f"/2026/11/report-{len(paths)}-of-the-harbour-master")
                stand.publish(paths[0])
                stand.pages[FEED] = feed(*map(item, paths))
                body = feed(item(paths[0]))
                with before(getattr(stand.cloud, service), operation, end, nth=nth) as calls:
                    try:
                        hub.push(body)
                    except KilledError:
                        assert end is not lose_answer
                    else:
                        assert end is lose_answer
                assert calls.count(operation) >= nth
                if called_again:
                    assert hub.push(body).status == "pushed"
    stand.later(25)
    stand.poll(force=False)
    once(stand, *paths)


def test_killed_and_never_called_again_the_daily_poll_finds_it(stand: Newsstand, hub: Hub) -> None:
    stand.poll()
    stand.pages[FEED] = feed(item(C), item(B), item(A))
    with before(stand.cloud.sqs, "SendMessageBatch", die), pytest.raises(KilledError):
        hub.push(feed(item(C)))
    stand.later(25)
    stand.poll(force=False)
    once(stand, A, B, C)


@pytest.mark.parametrize("moment", ["SendMessageBatch", "PutItem", "GetItem"])
def test_a_push_in_the_middle_of_a_poll_does_no_harm(stand: Newsstand, hub: Hub, moment: str) -> None:
    stand.pages[FEED] = feed(item(C), item(B), item(A))
    client = stand.cloud.sqs if moment == "SendMessageBatch" else stand.cloud.dynamodb
    with before(client, moment, lambda _: hub.push(feed(item(C)))):
        stand.discoverer().run(force=True)
    stand.deliver()
    stand.later()
    stand.poll()
    once(stand, A, B, C)


def test_a_push_of_what_a_poll_has_just_shown_is_nothing_new(stand: Newsstand, hub: Hub) -> None:
    stand.pages[FEED] = feed(item(C))
    assert [one.new for one in stand.poll()] == [1]
    hub.push(feed(item(C)))
    assert stand.cloud.messages(stand.cloud.queue_url) == []


def test_a_push_asks_no_more_of_aws_than_a_poll_and_a_look_at_its_subscription(stand: Newsstand, hub: Hub) -> None:
    with before(stand.cloud.dynamodb, "*", str) as calls:
        hub.push(feed(item(C)))
    assert calls == ["GetItem", "BatchGetItem", "GetItem", "PutItem", "UpdateItem"]


def test_tokens_and_secrets_are_nobodys_guess() -> None:
    made = [websub.begun(websub.Named(HUB, FEED)) for _ in range(2)]
    assert len({one.token for one in made} | {one.secret for one in made}) == 4
    assert all(websub.read_path("/" + websub.path("herald", one.token)) == ("herald", one.token) for one in made)
