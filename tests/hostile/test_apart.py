"""A page that costs too much ends its own process: not its batch, not its function, and it isn't tried for ever."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from moto import mock_aws

from broadsheet.apart import Apart, LateError, Task, read
from broadsheet.article import Article
from broadsheet.extract import ExtractionError
from broadsheet.queue import FeedEntry, pack
from tests.hostile import worst
from tests.stack.cloud import Cloud, unpatient
from tests.stack.test_parse_faults import Scripted, given_up, message, page, parse, statuses

URL = "https://quay.example/2026/1"
# No page is known any more that a second isn't enough for: the worker reads for so many seconds as these tell it to.
_PROGRAM = """
import re, sys, time
from broadsheet import apart

def read(task, here=apart.read):
    told = re.search(rb"<!-- ([0-9.]+) s -->", task.body)
    until = time.process_time() + float(told[1] if told else 0)
    while time.process_time() < until:
        pass
    return here(task)

apart.read = read
apart.serve(*map(int, sys.argv[1:]))
"""
SLOW, BIG = b"<!-- 600 s -->", worst.PAGES["words of two letters"]()  # more words than 100 MiB hold
GOOD = Task(kind="page", url=URL, body=b"<article><p>" + worst.SENTENCE * 9 + b"<time>2026-03-04T10:00+02:00</time>")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    unpatient(monkeypatch)
    with mock_aws():
        yield Cloud()


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[Apart]:
    monkeypatch.setattr("broadsheet.apart._PROGRAM", _PROGRAM)
    apart = Apart(seconds=1, memory=100 * 2**20)
    yield apart
    apart.close()


def refusal(apart: Apart, body: bytes) -> str:
    with pytest.raises(ExtractionError) as caught:
        apart.read(Task(kind="page", url=URL, body=body), 60)
    assert caught.value.subject == URL
    return caught.value.reason


def test_what_is_read_apart_is_what_is_read_here(apart: Apart) -> None:
    article = apart.read(GOOD, 60)
    assert article == read(GOOD)
    assert article.published_at is not None
    assert article.published_at.utcoffset() == timedelta(hours=2)
    fragment = Task(kind="fragment", url=URL, body=b"<p>" + worst.SENTENCE)
    assert apart.read(fragment, 60) == read(fragment)
    assert refusal(apart, b"<p>x") == refusal(apart, b"<title>x</title>") == "no-article"


def test_too_much_time_or_memory_is_refused_and_the_next_page_read(apart: Apart) -> None:
    assert refusal(apart, SLOW) == "too-slow"
    assert apart.read(GOOD, 60).text
    assert refusal(apart, BIG) == "too-much-memory"
    assert apart.read(GOOD, 60).text


def test_a_page_pays_for_itself_alone(apart: Apart) -> None:
    """Processor time is counted anew for each: together these would have had too much."""
    task = Task(kind="page", url=URL, body=b"<!-- 0.5 s -->" + GOOD.body)
    apart.start()
    worker = apart._worker
    for _ in range(6):
        assert apart.read(task, 60).text
    assert apart._worker is worker


def test_late_is_nobodys_fault(apart: Apart) -> None:
    for seconds in (0.0, 0.05):
        with pytest.raises(LateError, match="late"):
            apart.read(Task(kind="page", url=URL, body=SLOW), seconds)
    assert apart.read(GOOD, 60).text


def test_a_worker_that_was_killed_meanwhile_is_replaced(apart: Apart) -> None:
    apart.read(GOOD, 60)
    assert apart._worker
    apart._worker._process.kill()
    apart._worker._process.wait()
    assert apart.read(GOOD, 60).text


def test_where_no_worker_begins_no_page_is_blamed(apart: Apart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadsheet.apart._PROGRAM", "import no_such_module")
    with pytest.raises(LateError, match="no-worker"):
        apart.read(GOOD, 60)
    monkeypatch.setattr("broadsheet.apart._PROGRAM", _PROGRAM)
    assert apart.read(GOOD, 60).text


def test_the_worker_knows_no_secret(apart: Apart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    apart.read(GOOD, 60)
    assert apart._worker
    process = apart._worker._process.pid
    known = Path(f"/proc/{process}")
    if not known.exists():
        pytest.skip("no /proc here")
    assert b"hush" not in (known / "environ").read_bytes()
    assert len(list((known / "fd").iterdir())) == 4, "standard streams and its socket"


def test_it_ends_when_nobody_asks_any_more(apart: Apart) -> None:
    apart.read(GOOD, 60)
    assert apart._worker
    process = apart._worker._process
    apart._worker._socket.close()
    assert process.wait(10) == 0


def test_in_a_batch_the_others_are_stored_and_its_loss_is_recorded(cloud: Cloud, apart: Apart) -> None:
    def answer(url: str) -> bytes | Exception:
        return SLOW if url.endswith("-1") else BIG if url.endswith(("-2", "-3")) else page(url)

    entry = FeedEntry(title="Told in the feed", html=pack("<p>" + worst.SENTENCE.decode() * 9))
    messages = [message(n, entry=entry if n == 3 else None) for n in range(5)]
    began = time.process_time()
    outcomes = parse(cloud, Scripted(answer), messages, apart=apart)
    assert time.process_time() - began < 5, "of ours"
    assert statuses(outcomes) == ["stored", "unavailable", "unavailable", "stored", "stored"]
    assert [outcomes[f"m{n}"].reason for n in (1, 2, 3)] == ["too-slow", "too-much-memory", "too-much-memory"]
    assert outcomes["m3"].origin == "feed"
    assert given_up(cloud) == []
    assert cloud.messages(cloud.queue_url) == [], "nothing comes back"


class Busy(Apart):
    """Reads something else for as long as anybody waits."""

    def start(self) -> None:
        """It has."""

    def read(self, task: Task, seconds: float) -> Article:
        assert 0 < seconds <= 118
        raise LateError(task.url, "late")


def test_what_comes_too_late_comes_again_but_not_for_ever(cloud: Cloud) -> None:
    late = parse(cloud, Scripted(page), [message(0), message(1, attempt=9)], apart=Busy())
    assert (late["m0"].status, late["m0"].reason, late["m0"].attempt) == ("postponed", "late", 1)
    assert (late["m1"].status, late["m1"].reason) == ("given-up", "unexpected")
