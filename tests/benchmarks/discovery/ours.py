"""One pass of discover over all sources, in shares: `ours` over boto3, `memory` with all that it keeps in this process.

Says what it took as one line of JSON: CPU and wall seconds of the pass alone, peak memory of the process.
"""

import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

import boto3

from broadsheet import feeds, shares
from broadsheet.discover import Discoverer
from broadsheet.feeds.identity import entry_keys
from broadsheet.fetch import Client
from broadsheet.hosts import Hosts, Turn
from broadsheet.polling import PollState
from broadsheet.polls import Polls, Window
from broadsheet.queue import ArticleMessage, Queue
from broadsheet.rhythm import Rhythm, packed
from broadsheet.shares import Share, Shares
from broadsheet.source import Source, Sources
from tests.benchmarks.discovery.papers import feed, has_etag, is_changed

NOW = time.time()


class _Memory:
    """Polls, hosts, queue and shares, without AWS."""

    def __init__(self) -> None:
        self._states: dict[str, PollState] = {}
        self._windows: dict[str, Window] = {}
        self.shares: list[Share] = []

    def states(self, ids: Sequence[str]) -> dict[str, PollState]:
        return {id: self._states[id] for id in ids}

    def save(self, id: str, state: PollState) -> None:
        self._states[id] = state

    def window(self, id: str, _lately: bytes = b"") -> Window | None:
        return self._windows.get(id)

    def save_window(self, id: str, window: Window) -> None:
        self._windows[id] = window

    def take(self, host: str, *, now: float, request: float | None = None, left_by: str = "") -> Turn:
        return Turn(host, "", now + 3600, now + 3600, is_brief=request is not None)

    def give_back(self, turn: Turn, **_: object) -> None:
        pass

    @contextmanager
    def borrowed(self, *_: object, **__: object) -> Iterator[Callable[[str], None]]:
        yield lambda _: None

    def send(self, what: Any, **_: object) -> Any:
        if isinstance(what, Share):
            self.shares.append(what)
            return True
        return list[ArticleMessage]()


def seed(polls: Polls | _Memory, sources: Sequence[Source]) -> None:
    """Each source as it stands after weeks of polling, due now; what it has shown is known."""
    rhythm = packed(Rhythm(NOW - 3e6, NOW - 900, NOW - 9000, 0.5, (2.5,) * 24, (8.5,) * 7))
    for n, source in enumerate(sources):
        body = feed(n)
        state = PollState(
            etag='"1"' if has_etag(n) else None,
            body_hash=hashlib.sha256(body).hexdigest(),
            full_at=NOW,
            next_at=NOW - n % 300,
            first_at=NOW - 3e6,
            polled_at=NOW - 900,
            changed_at=NOW - 9000,
            gap=3000,
            rhythm=rhythm,
        )
        polls.save(source.id, state)
        if is_changed(n):
            keys = [key for names in entry_keys(feeds.parse(body, url=source.url).entries) for key in names]
            polls.save_window(source.id, Window().with_shown(reversed(keys)))


def main() -> None:
    way, count, papers, aws = sys.argv[1], *map(int, sys.argv[2:5])
    sources = Sources(
        sources=tuple(Source(id=f"s{n}", name=f"s{n}", url=f"http://s{n}.example/{n}") for n in range(count))
    )
    memory = _Memory()
    given: dict[str, Any] = dict.fromkeys(("polls", "hosts", "queue", "shares"), memory)
    if way == "ours":
        session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        dynamodb: Any = session.client("dynamodb", endpoint_url=f"http://127.0.0.1:{aws}")
        sqs: Any = session.client("sqs", endpoint_url=f"http://127.0.0.1:{aws}")
        given = {
            "polls": Polls(dynamodb, "state"),
            "hosts": Hosts(dynamodb, "state", run="run", lease=270),
            "queue": Queue(sqs, "http://127.0.0.1/parse"),
            "shares": Shares(sqs, "http://127.0.0.1/polls"),
        }

    def discoverer() -> Discoverer:
        return Discoverer(
            **given,
            client=client,
            sources=sources,
            clock=time.time,
            sleep=time.sleep,
            deadline=time.time() + 240,
        )

    def told(what: str) -> Any:
        return json.loads(urlopen(f"http://127.0.0.1:{aws}/.{what}").read())

    client = Client(
        user_agent="benchmark", allowed_networks=("127.0.0.0/8",), resolve=lambda *_: [("127.0.0.1", papers)]
    )
    seed(given["polls"], sources.sources)
    told("Counts")
    cpu, wall = time.process_time(), time.perf_counter()
    outcomes = discoverer().run()
    left = [shares.decode(body, message_id="") for body in told("Shares")] if way == "ours" else memory.shares
    for share in left:
        outcomes += discoverer().run_share(share)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    counts = told("Counts")
    assert len(outcomes) == count
    assert all(one.status in ("not-modified", "found") for one in outcomes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    new = sum(one.enqueued for one in outcomes)
    print(json.dumps({"cpu": cpu, "wall": wall, "peak_mb": peak, "new": new, "counts": counts}))


if __name__ == "__main__":
    main()
