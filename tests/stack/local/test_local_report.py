"""A person is told of each outcome once, in columns that line up, and of everything that went wrong."""

import json
from typing import Any

import pytest

from local.report import Ledger, colour
from local.runtime import Invocation


def told(*lines: dict[str, Any], ledger: Ledger | None = None, **more: Any) -> list[str]:
    log = tuple(json.dumps(line, ensure_ascii=False) for line in lines)
    return (ledger or Ledger()).take(
        Invocation(function="ParseFunction", trigger="t", request_id="r", event={}, log=log, **more)
    )


def page(**fields: Any) -> dict[str, Any]:
    return {"service": "parse", "source": "town", "url": "https://town.example/a", **fields}


def columns(text: str) -> int:
    return sum(2 if ord(character) > 0x2E80 else 1 for character in text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (page(status="stored", title="Bells", origin="page"), "stored    town          Bells"),
        (page(status="unavailable", reason="http-404"), f"skipped   town          {'town.example/a':<56}http-404"),
        (page(status="postponed", reason="timeout"), f"again     town          {'town.example/a':<56}timeout"),
        (
            page(status="given-up", reason="unexpected"),
            f"broken    town          {'town.example/a':<56}given-up unexpected",
        ),
        (
            {
                "service": "discover",
                "status": "found",
                "source": "town",
                "entries": 3,
                "new": 2,
                "skipped": {"seen": 1},
            },
            f"asked     town          {'2 new of 3 entries':<56}1 seen",
        ),
        ({"service": "notify", "status": "retry", "channel": "c", "title": "Bells", "reason": "http-503"}, None),
    ],
)
def test_an_outcome_is_a_line(line: dict[str, Any], expected: str | None) -> None:
    (said,) = told(line)
    assert said == (expected or f"again     c             {'Bells':<56}http-503")


@pytest.mark.parametrize("reason", ["crawl-delay", "host-busy", "host-paused", "deadline"])
def test_waiting_for_a_turn_is_only_counted(reason: str) -> None:
    ledger = Ledger()
    assert told(page(status="postponed", reason=reason), ledger=ledger) == []
    assert ledger.table().splitlines()[1].split() == ["town", "·", "·", "·", "·", "·", "·", "1"]
    assert ledger.reasons() == []


def test_channels_told_together_share_a_line() -> None:
    sent = {"service": "notify", "status": "sent", "id": "a", "title": "钟楼"}
    ledger = Ledger()
    assert told({**sent, "channel": "one"}, {**sent, "channel": "two"}, ledger=ledger) == [
        "posted    one+two       钟楼"
    ]
    assert ledger.posted() == "1 to one, 1 to two"


@pytest.mark.parametrize("title", ["一" * 100, "a" * 100, "一a" * 50, "短"])
def test_columns_line_up_in_any_script(title: str) -> None:
    (said,) = told(page(status="stored", title=title, origin="feed", reason="http-403"))
    assert columns(said.removesuffix("http-403")) == 80


def test_of_a_long_address_the_end_is_shown() -> None:
    (said,) = told(page(status="unavailable", url="https://town.example/" + "x" * 90 + "/%E9%92%9F", reason="http-404"))
    assert "xxx/钟 " in said
    assert "…" in said


def test_what_broke_is_remembered() -> None:
    ledger = Ledger()
    told(page(status="given-up", reason="unexpected", detail="KeyError"), ledger=ledger)
    told(error=ValueError("no"), ledger=ledger)
    told(seconds=130.0, timed_out=True, ledger=ledger)
    assert ledger.broken == [
        "given-up: https://town.example/a unexpected KeyError",
        "ParseFunction: ValueError: no",
        "ParseFunction: over its time, 130 s",
    ]


def test_what_is_no_outcome_is_passed_over() -> None:
    log = (
        "plain text",
        '{"_aws": {}, "service": "parse", "Stored": [1.0]}',
        '{"service": "parse", "message": "x"}',
        "[1]",
    )
    invocation = Invocation(function="ParseFunction", trigger="t", request_id="r", event={}, log=log)
    assert Ledger().take(invocation) == []


def test_colour_is_for_the_first_column() -> None:
    assert colour("stored    town") == "\x1b[32mstored    \x1b[0mtown"
    assert colour("anything else") == "anything else"
