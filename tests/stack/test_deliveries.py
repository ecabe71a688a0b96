"""Deliveries: claimed by one, settled once, flagged where a repeat can't be ruled out."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from broadsheet.deliveries import KEPT_FOR, Deliveries, Delivery, Telling
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die, lose_answer

NOW = 1_790_000_000.25
ID = "a" * 26
IT = Telling(ID)
ROOM = "room"
LEASE = 90.0


def deliveries(cloud: Cloud, run: str = "run-1") -> Deliveries:
    return Deliveries(cloud.dynamodb, cloud.state_table, run=run, lease=LEASE)


def state(cloud: Cloud, channel: str = ROOM) -> Delivery:
    return deliveries(cloud).of_article(ID)[channel]


def claimed(cloud: Cloud, now: float = NOW) -> Delivery:
    claim = deliveries(cloud).open_claimed(IT, ROOM, now=now, trace="t")
    assert claim is not None
    return claim


def test_a_delivery_is_opened_claimed_and_sent_once(cloud: Cloud) -> None:
    ours = deliveries(cloud)
    ours.open(IT, ROOM, now=NOW, trace="t")
    ours.open(IT, ROOM, now=NOW + 5)
    assert state(cloud) == Delivery(article_id=ID, channel=ROOM, status="pending", due_at=NOW, trace="t")
    assert ours.due(ROOM, now=NOW, limit=25) == [IT]
    claim = ours.claim(IT, ROOM, now=NOW)
    assert claim is not None
    assert (claim.status, claim.due_at, claim.attempts, claim.possible_repeat) == ("claimed", NOW + LEASE, 1, False)
    assert state(cloud) == claim
    assert ours.due(ROOM, now=NOW, limit=25) == []
    assert ours.sent(claim, now=NOW + 1, message_id="m-1")
    sent = state(cloud)
    assert (sent.status, sent.sent_at, sent.message_id, sent.possible_repeat) == ("sent", NOW + 1, "m-1", False)
    assert ours.due(ROOM, now=NOW + 1e6, limit=25) == []
    assert ours.claim(IT, ROOM, now=NOW + 1e6) is None
    assert ours.open_claimed(IT, ROOM, now=NOW + 1e6) is None


def test_opening_never_touches_what_is_there(cloud: Cloud) -> None:
    claim = claimed(cloud)
    deliveries(cloud, "run-2").open(IT, ROOM, now=NOW + 1)
    assert state(cloud) == claim
    deliveries(cloud).sent(claim, now=NOW, message_id=None)
    deliveries(cloud).open(IT, ROOM, now=NOW + 2)
    assert state(cloud).status == "sent"


def test_an_item_says_when_it_may_be_forgotten(cloud: Cloud) -> None:
    claimed(cloud)
    assert cloud.items(cloud.state_table)[0]["expires_at"] == {"N": str(int(NOW) + KEPT_FOR)}


def test_claiming_what_is_not_there_or_not_due_gives_nothing(cloud: Cloud) -> None:
    ours = deliveries(cloud)
    assert ours.claim(IT, ROOM, now=NOW) is None
    ours.open(IT, ROOM, now=NOW)
    assert ours.claim(IT, ROOM, now=NOW - 0.01) is None
    assert ours.open_claimed(IT, ROOM, now=NOW - 0.01) is None
    assert ours.claim(IT, "other", now=NOW) is None


def test_open_claimed_takes_over_a_pending_delivery(cloud: Cloud) -> None:
    deliveries(cloud).open(IT, ROOM, now=NOW, trace="t")
    claim = deliveries(cloud, "run-2").open_claimed(IT, ROOM, now=NOW + 1)
    assert claim is not None
    assert (claim.owner[:6], claim.attempts, claim.possible_repeat, claim.trace) == ("run-2/", 1, False, "t")


def test_the_end_of_a_lease_hands_the_claim_on_flagged_and_the_late_holder_settles_nothing(cloud: Cloud) -> None:
    dead = claimed(cloud)
    other = deliveries(cloud, "run-2")
    assert other.claim(IT, ROOM, now=NOW + LEASE - 0.1) is None
    assert other.due(ROOM, now=NOW + LEASE, limit=25) == [IT]
    again = other.claim(IT, ROOM, now=NOW + LEASE)
    assert again is not None
    assert again.possible_repeat
    assert again.attempts == 2
    late = deliveries(cloud)
    assert not late.sent(dead, now=NOW + LEASE + 1, message_id="late")
    assert not late.failed(dead, reason="late")
    assert not late.retry(dead, at=NOW + LEASE + 1, reason="late", possible_repeat=False)
    assert state(cloud) == again
    assert other.sent(again, now=NOW + LEASE + 1, message_id=None)
    assert state(cloud).possible_repeat


@pytest.mark.parametrize("first", ["pending", "nothing", "claimed and out"])
@pytest.mark.parametrize("way", ["open_claimed", "claim"])
def test_of_two_that_claim_at_once_one_has_it(cloud: Cloud, first: str, way: str) -> None:
    now = NOW
    if first == "pending":
        deliveries(cloud).open(IT, ROOM, now=NOW)
    elif first == "claimed and out":
        claimed(cloud)
        now = NOW + LEASE
    ours, theirs = deliveries(cloud), deliveries(cloud, "run-2")
    won: list[Delivery | None] = []

    def rival(_: Any) -> None:
        won.append(theirs.open_claimed(IT, ROOM, now=now))

    operation = "PutItem" if first == "nothing" else "UpdateItem"
    with before(cloud.dynamodb, operation, rival):
        lost = getattr(ours, way)(IT, ROOM, now=now)
    assert lost is None
    if (first, way) == ("nothing", "claim"):
        assert won == []
    else:
        assert [claim and claim.owner[:6] for claim in won] == ["run-2/"]
        assert state(cloud) == won[0]


def test_a_claim_survives_an_answer_that_is_lost(cloud: Cloud) -> None:
    with before(cloud.dynamodb, "PutItem", lose_answer):
        claim = claimed(cloud)
    assert (claim.attempts, claim.possible_repeat) == (1, False)
    assert state(cloud) == claim
    assert deliveries(cloud).retry(claim, at=NOW, reason="x", possible_repeat=False)
    with before(cloud.dynamodb, "UpdateItem", lose_answer):
        again = deliveries(cloud).claim(IT, ROOM, now=NOW)
    assert again is not None
    assert (again.attempts, again.possible_repeat) == (2, False)
    assert state(cloud) == again


@pytest.mark.parametrize("way", ["sent", "failed", "retry"])
def test_settling_survives_an_answer_that_is_lost(cloud: Cloud, way: str) -> None:
    claim = claimed(cloud)
    settle: dict[str, Callable[[], bool]] = {
        "sent": lambda: deliveries(cloud).sent(claim, now=NOW, message_id="m"),
        "failed": lambda: deliveries(cloud).failed(claim, reason="gone"),
        "retry": lambda: deliveries(cloud).retry(claim, at=NOW + 9, reason="429", possible_repeat=False),
    }
    with before(cloud.dynamodb, "UpdateItem", lose_answer) as asked:
        assert settle[way](), "settled, not lost to another"
    assert len(asked) == 2
    assert state(cloud).status == {"sent": "sent", "failed": "failed", "retry": "pending"}[way]


def test_a_retry_puts_it_back_until_then_and_keeps_the_flag(cloud: Cloud) -> None:
    ours = deliveries(cloud)
    assert ours.retry(claimed(cloud), at=NOW + 30.123456, reason="timeout " * 500, possible_repeat=True)
    back = state(cloud)
    assert (back.status, back.due_at, back.attempts, back.possible_repeat) == ("pending", NOW + 30.123, 1, True)
    assert len(back.reason) == 1000
    assert ours.due(ROOM, now=NOW + 30.1, limit=25) == []
    assert ours.due(ROOM, now=NOW + 30.2, limit=25) == [IT]
    again = ours.claim(IT, ROOM, now=NOW + 30.2)
    assert again is not None
    assert ours.retry(again, at=NOW + 90, reason="429", possible_repeat=False)
    assert (state(cloud).possible_repeat, state(cloud).attempts) == (True, 2)


def test_what_failed_for_good_is_never_due_again(cloud: Cloud) -> None:
    ours = deliveries(cloud)
    assert ours.failed(claimed(cloud), reason="channel closed")
    assert (state(cloud).status, state(cloud).reason) == ("failed", "channel closed")
    assert ours.due(ROOM, now=NOW + 1e6, limit=25) == []
    assert ours.claim(IT, ROOM, now=NOW + 1e6) is None
    ours.open(IT, ROOM, now=NOW)
    assert ours.open_claimed(IT, ROOM, now=NOW + 1e6) is None


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize("way", ["open", "open_claimed", "claim", "sent", "retry"])
def test_whatever_call_dies_the_delivery_still_ends_sent(cloud: Cloud, way: str, death: Callable[[Any], None]) -> None:
    ours = deliveries(cloud)
    posted = way in ("sent", "retry")
    if way == "claim":
        ours.open(IT, ROOM, now=NOW)
    claim = claimed(cloud) if posted else None
    with (
        before(cloud.dynamodb, "PutItem" if way.startswith("open") else "UpdateItem", death),
        pytest.raises(KilledError),
    ):
        if way == "open":
            ours.open(IT, ROOM, now=NOW)
        elif way == "open_claimed":
            ours.open_claimed(IT, ROOM, now=NOW)
        elif way == "claim":
            ours.claim(IT, ROOM, now=NOW)
        elif claim is not None and way == "sent":
            ours.sent(claim, now=NOW, message_id=None)
        elif claim is not None:
            ours.retry(claim, at=NOW, reason="timeout", possible_repeat=False)
    later = NOW + LEASE
    other = deliveries(cloud, "run-2")
    other.open(IT, ROOM, now=later)  # the sweep
    again = other.claim(IT, ROOM, now=later)
    if (way, death) == ("sent", done_then_die):
        assert again is None
        assert state(cloud).status == "sent"
        return
    assert again is not None
    # Not flagged only where nobody can have posted: unclaimed, or put back by its holder's own hand.
    unclaimed = way == "open" or (way in ("open_claimed", "claim") and death is die)
    put_back = (way, death) == ("retry", done_then_die)
    assert again.possible_repeat == (not (unclaimed or put_back))
    assert other.sent(again, now=later, message_id=None)


def test_due_is_longest_waiting_first_and_by_channel(cloud: Cloud) -> None:
    ours = deliveries(cloud)
    for n in (2, 0, 1, 3):
        ours.open(Telling(f"{n:026d}"), ROOM, now=NOW + n)
    ours.open(IT, "other", now=NOW)
    assert [int(telling.article_id) for telling in ours.due(ROOM, now=NOW + 2, limit=25)] == [0, 1, 2]
    assert [int(telling.article_id) for telling in ours.due(ROOM, now=NOW + 2, limit=2)] == [0, 1]
    assert ours.due("nobody", now=NOW + 99, limit=25) == []


def test_missing_names_the_channels_that_know_nothing(cloud: Cloud) -> None:
    ours = deliveries(cloud)
    ours.open(IT, "b", now=NOW)
    deliveries(cloud).open(Telling("b" * 26), "c", now=NOW)
    assert ours.missing(ID, [("c", 1), ("b", 1), ("a", 1), ("b", 2)]) == [("c", 1), ("a", 1), ("b", 2)]
    assert ours.missing("z" * 26, []) == []
    assert set(ours.of_article(ID)) == {"b"}


def test_a_revision_is_told_beside_the_article_itself(cloud: Cloud) -> None:
    ours = deliveries(cloud)
    first, third, second = (ours.open_claimed(Telling(ID, n), ROOM, now=NOW + n) for n in (1, 3, 2))
    assert first and second and third
    ours.sent(first, now=NOW, message_id="m-1", told=1)
    ours.retry(third, at=NOW, reason="429", possible_repeat=False)
    assert ours.due(ROOM, now=NOW, limit=25) == [Telling(ID, 3)]
    assert [one.revision for one in ours.updates(ID, ROOM)] == [2, 3]
    assert ours.of_article(ID)[ROOM].message_id == "m-1"
    assert ours.open_claimed(Telling(ID, 2), ROOM, now=NOW + 9) is None
    assert ours.dropped(second, reason="superseded")
    assert [Telling.named(Telling(ID, n).name) for n in (1, 12)] == [Telling(ID), Telling(ID, 12)]


def test_the_sweep_remembers_how_far_it_came(cloud: Cloud) -> None:
    ours = deliveries(cloud)
    assert ours.swept_until() is None
    ours.save_swept_until(NOW)
    ours.save_swept_until(NOW + 3600)
    assert deliveries(cloud).swept_until() == NOW + 3600


def test_every_state_a_delivery_can_be_in_is_read_back_as_written(cloud: Cloud) -> None:
    claim = claimed(cloud)
    assert msgspec.structs.asdict(state(cloud)) == msgspec.structs.asdict(claim)
    assert "run-1/" in claim.owner
    assert claim.owner != claimed(cloud, NOW + LEASE).owner, "a name for each claim, not for each run"
