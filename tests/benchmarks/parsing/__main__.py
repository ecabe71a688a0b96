"""What fetching a batch's hosts at once saves: articles a second, and milliseconds billed for each.

    make .venv-ministack/.ready
    PYTHONPATH=shared:. .venv/bin/python -m tests.benchmarks.parsing [PAGES]

1,000 pages of 45 KB on 50 hosts, which answer after 100 ms, lie in the queue as a backlog. The parse handler works it
off in processes of their own, in batches of 50, with ministack for AWS. First as it is; then visiting one host after
another, the same pages, calls and extraction; then as it is with crawl delays of 1 s and 3 s, each wanted by a tenth
of the hosts, by one worker and by three. The server fails the run for a single request that comes while another is
under way on its host, or earlier than the host's delay.

It was written with moto for AWS, in one process, and told of a host that was asked twice at once. That was moto: of 600
times that three threads asked for a turn together, two had it at once 478 times, and never once its updates were made
atomic, nor in ministack, where nothing had to be.

On two shared and very busy cores (15 processes waiting), Python 3.11, 2026-11; nobody asked too early or twice at once:

                                       pages  articles/s  billed ms/article  runs  sent again  requests  hosts at once
    one worker, 16 hosts at once        1000         4.9                160    20           0      1050             15
    one worker, one host at a time      1000         1.7                541    20           0      1050              1
    one worker, crawl delays            1000         5.2                147    21           5      1050             16
    three workers, crawl delays         1000         4.4                367    55         918      1050             17

One at a time is billed 3.4 times as much, and takes 2.8 times as long. Three workers share the two cores with ministack
and the papers, and gain nothing there.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import yaml

from broadsheet.queue import ArticleMessage, Queue
from broadsheet.urls import article_id
from local.ministack import Ministack
from tests.benchmarks.parsing.press import HOSTS, Press
from tests.benchmarks.parsing.worker import Work, work
from tests.stack.cloud import Cloud

PATIENCE = 3600.0  # seconds for a run


class Run(msgspec.Struct, frozen=True):
    """How a backlog was worked off; `seconds` by the clock."""

    pages: int
    seconds: float
    requests: int
    at_once: int
    works: list[Work]

    @property
    def billed(self) -> float:
        """Milliseconds for an article."""
        return 1000 * sum(one.billed for one in self.works) / self.pages

    def told(self) -> str:
        """A row of the table."""
        again = sum(one.handled for one in self.works) - self.pages
        runs = sum(one.runs for one in self.works)
        rate = self.pages / self.seconds
        return f"{self.pages:7}{rate:12.1f}{self.billed:19.0f}{runs:6}{again:12}{self.requests:10}{self.at_once:15}"


def run(pages: int, workers: int, at_once: int, *, delays: bool) -> Run:
    """Work off a backlog of so many pages."""
    with ExitStack() as held:
        press = held.enter_context(Press(delays=delays))
        cloud = held.enter_context(_cloud())
        _fill(cloud, press, pages)
        spawning = multiprocessing.get_context("spawn")
        done = spawning.Event()
        ends = [spawning.Pipe(duplex=False) for _ in range(workers)]
        processes = [spawning.Process(target=work, args=(at_once, done, theirs)) for _, theirs in ends]
        began = time.monotonic()
        for process in processes:
            process.start()
        while (stored := _stored(cloud)) < pages and all(process.is_alive() for process in processes):
            assert time.monotonic() < began + PATIENCE, f"{stored} of {pages} are stored"
            time.sleep(0.5)
        seconds = time.monotonic() - began
        done.set()
        works = [ours.recv() for ours, _ in ends]
        for process in processes:
            process.join()
        assert press.rude == [], press.rude[:5]
        return Run(pages, seconds, press.asked, press.at_once, works)


@contextmanager
def _cloud() -> Iterator[Cloud]:
    """AWS for this process and its children, and in their environment what the template gives to parse."""
    with Ministack() as ministack, tempfile.TemporaryDirectory() as folder:
        listed = [
            {"id": f"paper-{n}", "name": f"Paper {n}", "url": f"http://paper-{n}.example/", "delay": 0}
            for n in range(HOSTS)
        ]
        sources = Path(folder) / "sources.yaml"
        sources.write_text(yaml.safe_dump({"sources": listed}))
        before = dict(os.environ)
        os.environ |= ministack.environment
        cloud = Cloud(ministack.client)
        os.environ |= {
            "SOURCES": str(sources),
            "STATE_TABLE": cloud.state_table,
            "ARTICLES_TABLE": cloud.articles_table,
            "BUCKET": cloud.bucket,
            "PARSE_QUEUE_URL": cloud.queue_url,
            "DEAD_LETTER_QUEUE_URL": cloud.dead_letter_url,
            "CONTACT": "https://benchmark.example/",
            "ALLOWED_NETWORKS": "127.0.0.0/8",
            "FETCH_SECONDS": "30",
            "RETRY_DELAY": "60",
            "POWERTOOLS_METRICS_NAMESPACE": "Broadsheet",
            "POWERTOOLS_SERVICE_NAME": "parse",
        }
        try:
            yield cloud
        finally:
            os.environ.clear()
            os.environ |= before


def _fill(cloud: Cloud, press: Press, pages: int) -> None:
    """Put the pages into the queue, the hosts by turns."""
    seen = datetime.now(UTC)
    urls = [(n % HOSTS, press.url(n % HOSTS, n // HOSTS)) for n in range(pages)]
    messages = [
        ArticleMessage(id=article_id(url), url=url, source=f"paper-{host}", first_seen=seen, trace=url)
        for host, url in urls
    ]
    refused = Queue(cloud.sqs, cloud.queue_url, cloud.dead_letter_url).send(messages, now=time.time())
    assert refused == []


def _stored(cloud: Cloud) -> int:
    scan = cloud.dynamodb.get_paginator("scan").paginate(TableName=cloud.articles_table, Select="COUNT")
    return sum(page["Count"] for page in scan)


def main() -> None:
    pages = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    columns = f"{'pages':>7}{'articles/s':>12}{'billed ms/article':>19}{'runs':>6}{'sent again':>12}{'requests':>10}"
    print(f"{'':36}{columns}{'hosts at once':>15}")

    def measured(named: str, workers: int, at_once: int, *, delays: bool) -> Run:
        done = run(pages, workers, at_once, delays=delays)
        print(f"{named:36}{done.told()}", flush=True)
        return done

    ours = measured("one worker, 16 hosts at once", 1, 16, delays=False)
    theirs = measured("one worker, one host at a time", 1, 1, delays=False)
    measured("one worker, crawl delays", 1, 16, delays=True)
    measured("three workers, crawl delays", 3, 16, delays=True)
    print(
        f"one at a time is billed {theirs.billed / ours.billed:.1f} times as much, "
        f"and takes {theirs.seconds / ours.seconds:.1f} times as long"
    )


if __name__ == "__main__":
    main()
