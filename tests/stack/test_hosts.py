"""A host's turn: one holder at a time, whatever is retried, forgotten or killed."""

import random
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import boto3
import msgspec
import pytest
from botocore.errorfactory import ClientExceptionsFactory

from broadsheet.hosts import BusyError, Hosts, Turn
from tests.stack.cloud import Cloud, KilledError, before, done_then_die, lose_answer

NOW = 1_790_000_000.0
HOST = "news.example"


def hosts(cloud: Cloud, run: str = "run-1", lease: float = 150) -> Hosts:
    return Hosts(cloud.dynamodb, cloud.state_table, run=run, lease=lease)


def test_a_turn_is_taken_once_and_again_when_it_is_given_back_and_due(cloud: Cloud) -> None:
    ours, theirs = hosts(cloud), hosts(cloud, "run-2")
    turn = ours.take(HOST, now=NOW)
    assert (turn.host, turn.lease_until, turn.failures) == (HOST, NOW + 150, 0)
    with pytest.raises(BusyError) as busy:
        theirs.take(HOST, now=NOW + 1)
    assert busy.value.until == NOW + 6  # looked at again long before the lease could end
    ours.give_back(turn, next_at=NOW + 9, failures=2)
    with pytest.raises(BusyError) as waiting:
        theirs.take(HOST, now=NOW + 8.9)
    assert waiting.value.until == NOW + 9
    assert theirs.take(HOST, now=NOW + 9).failures == 2


def test_the_same_run_has_no_second_turn(cloud: Cloud) -> None:
    ours = hosts(cloud)
    ours.take(HOST, now=NOW)
    with pytest.raises(BusyError):
        ours.take(HOST, now=NOW)
    ours.take("other.example", now=NOW)


def test_busy_names_the_end_of_a_lease_that_ends_soon(cloud: Cloud) -> None:
    hosts(cloud, lease=2).take(HOST, now=NOW)
    with pytest.raises(BusyError) as busy:
        hosts(cloud).take(HOST, now=NOW)
    assert busy.value.until == NOW + 2


def test_a_dead_holders_turn_ends_with_its_lease_and_its_late_return_changes_nothing(cloud: Cloud) -> None:
    dead, living = hosts(cloud), hosts(cloud, "run-2")
    lost = dead.take(HOST, now=NOW)
    with pytest.raises(BusyError):
        living.take(HOST, now=NOW + 149.9)
    living.take(HOST, now=NOW + 150)
    dead.give_back(lost, next_at=NOW + 151)
    with pytest.raises(BusyError):
        hosts(cloud, "run-3").take(HOST, now=NOW + 152)


def test_taking_survives_an_answer_that_is_lost(cloud: Cloud) -> None:
    with before(cloud.dynamodb, "UpdateItem", lose_answer) as asked:
        turn = hosts(cloud).take(HOST, now=NOW)
    assert asked == ["UpdateItem", "UpdateItem"]
    hosts(cloud).give_back(turn, next_at=NOW)
    hosts(cloud).take(HOST, now=NOW)


def test_giving_back_survives_an_answer_that_is_lost(cloud: Cloud) -> None:
    ours = hosts(cloud)
    turn = ours.take(HOST, now=NOW)
    with before(cloud.dynamodb, "UpdateItem", lose_answer):
        ours.give_back(turn, next_at=NOW + 5)
    assert hosts(cloud, "run-2").take(HOST, now=NOW + 5)


def test_a_worker_killed_while_taking_costs_the_host_one_lease_at_most(cloud: Cloud) -> None:
    with before(cloud.dynamodb, "UpdateItem", done_then_die), pytest.raises(KilledError):
        hosts(cloud).take(HOST, now=NOW)
    with pytest.raises(BusyError):
        hosts(cloud, "run-2").take(HOST, now=NOW + 1)
    hosts(cloud, "run-2").take(HOST, now=NOW + 150)


def test_of_two_that_ask_at_once_one_has_it(cloud: Cloud) -> None:
    won: list[Turn] = []
    with (
        before(cloud.dynamodb, "UpdateItem", lambda _: won.append(hosts(cloud, "run-2").take(HOST, now=NOW))),
        pytest.raises(BusyError),
    ):
        hosts(cloud).take(HOST, now=NOW)
    assert [turn.owner.partition("/")[0] for turn in won] == ["run-2"]


def test_a_redirect_borrows_the_other_hosts_turn_once_and_gives_it_back(cloud: Cloud) -> None:
    ours, theirs = hosts(cloud), hosts(cloud, "run-2")
    with ours.borrowed(lambda: NOW, 7) as borrow:
        borrow("https://cdn.example/a")
        borrow("https://cdn.example/b")
        with pytest.raises(BusyError):
            theirs.take("cdn.example", now=NOW)
    with pytest.raises(BusyError) as busy:
        theirs.take("cdn.example", now=NOW)
    assert busy.value.until == NOW + 7
    theirs.take("cdn.example", now=NOW + 7)


def test_a_host_that_is_borrowed_keeps_the_delay_it_is_known_to_want(cloud: Cloud) -> None:
    ours = hosts(cloud)
    ours.give_back(ours.take("slow.example", now=NOW), next_at=NOW, delay=30)
    with ours.borrowed(lambda: NOW, 7) as borrow:
        borrow("https://slow.example/a")
    with pytest.raises(BusyError) as busy:
        ours.take("slow.example", now=NOW)
    assert (busy.value.until, busy.value.delay) == (NOW + 30, 30)


def test_a_redirect_to_a_busy_host_raises_and_returns_what_it_had(cloud: Cloud) -> None:
    ours, theirs = hosts(cloud), hosts(cloud, "run-2")
    theirs.take("busy.example", now=NOW)
    with pytest.raises(BusyError), ours.borrowed(lambda: NOW, 0) as borrow:
        borrow("https://free.example/")
        borrow("https://busy.example/")
    theirs.take("free.example", now=NOW)


def test_a_redirect_back_to_the_host_we_hold_is_no_wait(cloud: Cloud) -> None:
    ours = hosts(cloud)
    turn = ours.take(HOST, now=NOW)
    with ours.borrowed(lambda: NOW, 7, held=HOST) as borrow:
        borrow("https://cookie.example/")
        borrow(f"https://{HOST}/feed?cookie=1")
    ours.give_back(turn, next_at=NOW)  # still ours to give
    ours.take(HOST, now=NOW)


def test_robots_are_kept_until_they_expire_whether_or_not_ttl_has_cleaned_up(cloud: Cloud) -> None:
    ours = hosts(cloud)
    origin = "https://news.example"
    assert ours.robots(origin, now=NOW) is None
    ours.keep_robots(origin, status=200, body=b"User-agent: *\nDisallow: /no\nCrawl-delay: 9\n", now=NOW)
    kept = ours.robots(origin, now=NOW + 24 * 3600 - 1)
    assert kept is not None
    assert not kept.allows(f"{origin}/no", "Broadsheet")
    assert kept.allows(f"{origin}/yes", "Broadsheet")
    assert kept.crawl_delay("Broadsheet") == 9
    assert ours.robots(origin, now=NOW + 24 * 3600) is None
    assert ours.robots("http://news.example", now=NOW) is None
    ours.keep_robots(origin, status=404, body=b"", now=NOW, ttl=60)
    again = ours.robots(origin, now=NOW + 59)
    assert again is not None
    assert again.allows(f"{origin}/no", "Broadsheet")
    assert ours.robots(origin, now=NOW + 60) is None


def test_a_robots_file_too_big_to_keep_loses_its_end_not_its_rules(cloud: Cloud) -> None:
    ours = hosts(cloud)
    noise = random.Random(7).randbytes(480_000).replace(b"\n", b"#").replace(b"\r", b"#")
    body = b"User-agent: *\nDisallow: /no\n" + b"\n".join(b"# " + noise[i : i + 60] for i in range(0, len(noise), 60))
    assert len(zlib.compress(body)) > 400_000  # what an item holds
    ours.keep_robots("https://news.example", status=200, body=body, now=NOW)
    kept = ours.robots("https://news.example", now=NOW)
    assert kept is not None
    assert not kept.allows("https://news.example/no", "Broadsheet")


def test_places_in_line_follow_one_another_whoever_takes_them(cloud: Cloud) -> None:
    ours, theirs = hosts(cloud), hosts(cloud, "run-2")
    assert ours.line_up(HOST, 3, spacing=6, start=NOW) == NOW
    assert theirs.line_up(HOST, 2, spacing=6, start=NOW + 1) == NOW + 18
    assert ours.line_up(HOST, 1, spacing=6, start=NOW + 100) == NOW + 100, "a line that has run empty starts anew"
    assert ours.line_up("other.example", 1, spacing=6, start=NOW) == NOW


def test_a_place_whose_answer_was_lost_is_left_empty_and_no_two_get_one(cloud: Cloud) -> None:
    with before(cloud.dynamodb, "UpdateItem", lose_answer):
        first = hosts(cloud).line_up(HOST, 2, spacing=6, start=NOW)
    assert hosts(cloud, "run-2").line_up(HOST, 1, spacing=6, start=NOW) >= first + 12


def test_threads_that_line_up_at_once_in_a_new_function_all_get_a_place(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK makes a client's exceptions when they are first asked for, for each thread that asks its own."""
    made = ClientExceptionsFactory._create_client_exceptions  # type: ignore[attr-defined]  # absent from the stubs
    both = threading.Barrier(2)

    def slowly(self: Any, service_model: Any) -> Any:
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return made(self, service_model)

    monkeypatch.setattr(ClientExceptionsFactory, "_create_client_exceptions", slowly)
    ours = Hosts(boto3.client("dynamodb", region_name="us-east-1"), cloud.state_table, run="cold", lease=150)
    with ThreadPoolExecutor(2) as pool:
        places = pool.map(lambda host: ours.line_up(host, 1, spacing=6, start=NOW), ["a.example", "b.example"])
        assert list(places) == [NOW, NOW]


def test_busy_says_what_delay_the_host_is_known_to_want(cloud: Cloud) -> None:
    ours = hosts(cloud)
    ours.give_back(ours.take(HOST, now=NOW), next_at=NOW + 30, delay=30)
    with pytest.raises(BusyError) as busy:
        hosts(cloud, "run-2").take(HOST, now=NOW)
    assert busy.value.delay == 30


def test_a_turn_for_one_request_ends_by_itself_after_the_delay_that_the_host_is_known_to_want(cloud: Cloud) -> None:
    ours, theirs = hosts(cloud), hosts(cloud, "run-2")
    ours.give_back(ours.take(HOST, now=NOW), next_at=NOW, delay=60)
    turn = ours.take(HOST, now=NOW, request=20)
    assert (turn.asks_until, turn.lease_until) == (NOW + 25, NOW + 90), "time for it, and for rest"
    with pytest.raises(BusyError) as busy:
        theirs.take(HOST, now=NOW + 1)
    assert busy.value.until == NOW + 90, "so long it may last: looking again any sooner would be in vain"
    with pytest.raises(BusyError):
        theirs.take(HOST, now=NOW + 89.9)
    theirs.take(HOST, now=NOW + 90)
    ours.give_back(turn, next_at=NOW + 91)
    with pytest.raises(BusyError):
        hosts(cloud, "run-3").take(HOST, now=NOW + 92)


def test_a_turn_for_one_request_that_is_given_back_is_like_any_other(cloud: Cloud) -> None:
    ours, theirs = hosts(cloud), hosts(cloud, "run-2")
    ours.give_back(ours.take(HOST, now=NOW, request=20), next_at=NOW + 6, failures=1, delay=5)
    with pytest.raises(BusyError) as busy:
        theirs.take(HOST, now=NOW + 5)
    assert busy.value.until == NOW + 6
    turn = theirs.take(HOST, now=NOW + 6, request=20)
    assert (turn.failures, turn.delay) == (1, 5)


def test_who_may_leave_a_turn_to_end_by_itself(cloud: Cloud) -> None:
    ours = hosts(cloud)
    ours.give_back(ours.take(HOST, now=NOW), next_at=NOW, delay=5)
    long = ours.take(HOST, now=NOW)
    assert not long.may_run_out(next_at=NOW + 6, delay=5), "one that could last for minutes"
    ours.give_back(long, next_at=NOW, delay=5)
    brief = ours.take(HOST, now=NOW, request=20)
    assert brief.may_run_out(next_at=NOW + 35, delay=5)
    assert not brief.may_run_out(next_at=NOW + 36, delay=5), "the host is to be left alone for longer"
    assert not brief.may_run_out(next_at=NOW + 6, failures=1, delay=5), "it was in trouble"
    assert not brief.may_run_out(next_at=NOW + 6, delay=9), "another delay is to be remembered"
    assert not msgspec.structs.replace(brief, failures=1).may_run_out(next_at=NOW + 6, delay=5), "it has recovered"
    ours.give_back(brief, next_at=NOW, delay=5, tail=NOW + 3)
    assert not ours.take(HOST, now=NOW, request=20).may_run_out(next_at=NOW + 6, delay=5), "somebody is to come"


def test_a_turn_is_taken_over_by_whom_it_was_left_to_and_by_nobody_after(cloud: Cloud) -> None:
    ours, theirs = hosts(cloud), hosts(cloud, "run-2")
    left = ours.take(HOST, now=NOW, request=20)
    with pytest.raises(BusyError):
        theirs.take(HOST, now=NOW + 6, left_by="somebody else")
    turn = theirs.take(HOST, now=NOW + 6, request=20, left_by=left.owner)
    with pytest.raises(BusyError):
        hosts(cloud, "run-3").take(HOST, now=NOW + 7, left_by=left.owner)
    ours.give_back(left, next_at=NOW)
    with pytest.raises(BusyError):
        hosts(cloud, "run-3").take(HOST, now=NOW + 7)
    theirs.give_back(turn, next_at=NOW + 12)
    with pytest.raises(BusyError):
        hosts(cloud, "run-3").take(HOST, now=NOW + 11, left_by=left.owner)


def test_who_finds_a_host_busy_that_others_wait_for_looks_again_soon(cloud: Cloud) -> None:
    ours, theirs = hosts(cloud), hosts(cloud, "run-2")
    ours.give_back(ours.take(HOST, now=NOW), next_at=NOW, tail=NOW + 60)
    ours.take(HOST, now=NOW, request=20)
    with pytest.raises(BusyError) as busy:
        theirs.take(HOST, now=NOW + 1)
    assert busy.value.until == NOW + 6, "for it will be given back"


def test_whoever_has_the_turn_gives_places_away_with_it(cloud: Cloud) -> None:
    ours = hosts(cloud)
    ours.give_back(ours.take(HOST, now=NOW), next_at=NOW, tail=NOW + 60)
    assert ours.line_up(HOST, 2, spacing=6, start=NOW) == NOW + 66
    turn = ours.take(HOST, now=NOW)
    assert (turn.tail, turn.is_awaited) == (NOW + 72, True)
    ours.give_back(turn, next_at=NOW)
    later = ours.take(HOST, now=NOW + 72)
    assert (later.tail, later.is_awaited) == (NOW + 72, False), "the last in line has nobody behind it"


def test_a_line_before_anybody_had_the_turn_keeps_nobody_from_taking_it(cloud: Cloud) -> None:
    assert hosts(cloud).line_up(HOST, 1, spacing=6, start=NOW) == NOW
    hosts(cloud).take(HOST, now=NOW)
