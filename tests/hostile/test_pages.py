"""Pages made to cost: within the fetcher's caps, none takes its batch's time with it."""

import time
from collections.abc import Callable

import pytest

from broadsheet.extract import ExtractionError, extract
from broadsheet.summary import summarize
from tests.hostile import worst

MADE: dict[str, Callable[[], bytes]] = {
    "a million sentences": lambda: b"<article><p>" + b"A. " * 1_000_000,
    "tags of thousands of attributes": lambda: b"".join(
        b"<p " + b" ".join(b"a%d=1" % n for n in range(4_990)) + b">text</p>" for _ in range(100)
    ),
    "pictures in a figure": worst.PAGES["pictures in a figure"],
    "prose of a library": lambda: b"<article>" + b"<p>The ferry sailed, as it should, at ten.</p>" * 90_000,
}


@pytest.mark.parametrize("name", MADE)
def test_a_page_costs_five_seconds_of_cpu_at_most(name: str) -> None:
    page = MADE[name]()
    began = time.process_time()
    try:
        summarize(extract(page, "https://hostile.example/2026/page"))
    except ExtractionError as error:
        assert error.reason
    # The issue's own bound, in processor time: other work on the machine doesn't count.
    assert time.process_time() - began < 5
