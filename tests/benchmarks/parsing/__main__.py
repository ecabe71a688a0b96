"""What fetching a batch's hosts at once saves: articles a second, and milliseconds billed for each.

    PYTHONPATH=shared:. python -m tests.benchmarks.parsing [PAGES]

1,000 pages of 45 KB on 50 hosts, a tenth of which ask for a second between two requests, answer after 100 ms; they are
a backlog in moto's SQS, taken in batches of 50. First the parser as it is, by one worker; then by three at once; then
a tenth of the pages by a parser that visits one host after another. Every run has the same AWS calls, answered by moto
in this very process, so that compare the runs with each other only. The server refuses to be asked twice at once for
one host, or earlier than its delay: a single such request fails the run.

On two shared and very busy cores, 200 pages (20 one at a time), 2026-11: 107 ms billed for an article by one worker,
239 by each of three, which share this process and its moto, and 498 one host after another: 4.6 times as much.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from moto import mock_aws

from broadsheet import parse
from broadsheet.apart import Apart
from broadsheet.fetch import Client
from broadsheet.hosts import Hosts, Turn
from broadsheet.originals import Originals
from broadsheet.queue import ArticleMessage, Queue
from broadsheet.source import Source, Sources
from broadsheet.store import Articles
from broadsheet.urls import article_id
from tests.benchmarks.cost import papers
from tests.stack.cloud import Cloud

HOSTS, LATENCY, BATCH = 50, 0.1, 50
SLOW, DELAY = 10, 1.0  # every so many hosts want so many seconds
LIMIT = 120.0  # seconds of a function


class Turns(Hosts):
    """As DynamoDB keeps them: moto's conditional updates are not atomic between threads."""

    _one_at_a_time = threading.Lock()

    def take(self, host: str, *, now: float) -> Turn:
        with self._one_at_a_time:
            return super().take(host, now=now)

    def give_back(self, turn: Turn, *, next_at: float, failures: int = 0, delay: float = 0.0) -> None:
        with self._one_at_a_time:
            super().give_back(turn, next_at=next_at, failures=failures, delay=delay)


class Press(ThreadingHTTPServer):
    """Every host; remembers who was asked when he shouldn't have been."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.under_way: Counter[str] = Counter()
        self.ended: dict[str, float] = {}
        self.rude: list[str] = []
        self.asked = 0

    def url(self, host: int, story: int) -> str:
        return f"http://paper-{host}.example:{self.server_port}/story/{story}"


class _Handler(BaseHTTPRequestHandler):
    server: Press
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        press, host = self.server, self.headers["Host"].partition(":")[0]
        number = int(host.partition(".")[0].removeprefix("paper-"))
        delay = DELAY if number % SLOW == 0 else 0.0
        now = time.monotonic()
        with press.lock:
            press.asked += 1
            press.under_way[host] += 1
            if press.under_way[host] > 1:
                press.rude.append(f"{host} was asked twice at once")
            if now < press.ended.get(host, 0.0) + delay - 0.05:  # what our own answer took to arrive
                press.rude.append(f"{host} was asked after {now - press.ended[host]:.2f} s")
        time.sleep(LATENCY)
        if self.path == "/robots.txt":
            body = f"User-agent: *\nCrawl-delay: {DELAY:g}\n".encode() if delay else b""
        else:
            body = papers.page(number, int(self.path.rpartition("/")[2]))
        with press.lock:
            press.under_way[host] -= 1
            press.ended[host] = time.monotonic()
        self.send_response_only(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextmanager
def press() -> Iterator[Press]:
    server = Press()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class Run:
    """A backlog and those who work it off."""

    def __init__(self, press: Press, pages: int) -> None:
        self.cloud = Cloud()
        self.pages = pages
        self.billed = 0.0
        self.ended: Counter[str] = Counter()
        self.sources = Sources(
            sources=tuple(
                Source(id=f"paper-{n}", name=f"Paper {n}", url=f"http://paper-{n}.example", delay=0)
                for n in range(HOSTS)
            )
        )
        seen = datetime.now(UTC)
        self.queue = Queue(self.cloud.sqs, self.cloud.queue_url, self.cloud.dead_letter_url)
        urls = [(n % HOSTS, press.url(n % HOSTS, n // HOSTS)) for n in range(pages)]
        messages = [
            ArticleMessage(id=article_id(url), url=url, source=f"paper-{host}", first_seen=seen, trace=url)
            for host, url in urls
        ]
        self.queue.send(messages, now=time.time())
        self._lock = threading.Lock()

    def work(self, workers: int) -> float:
        """Seconds until all is stored."""
        began = time.monotonic()
        threads = [threading.Thread(target=self._work, args=(n,)) for n in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - began

    def _work(self, number: int) -> None:
        """One warm function."""
        cloud, apart = self.cloud, Apart()
        client = Client(
            user_agent="benchmark", allowed_networks=["127.0.0.0/8"], resolve=lambda _, port: [("127.0.0.1", port)]
        )
        robots: dict[str, Any] = {}
        runs = 0
        while self.ended["stored"] + self.ended["given-up"] + self.ended["unavailable"] < self.pages:
            taken = self._batch()
            if not taken:
                time.sleep(0.1)
                continue
            runs += 1
            began = time.monotonic()
            outcomes = parse.Parser(
                articles=Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket),
                originals=Originals(cloud.dynamodb, cloud.state_table),
                hosts=Turns(cloud.dynamodb, cloud.state_table, run=f"{number}-{runs}", lease=LIMIT + 30),
                queue=self.queue,
                client=client,
                sources=self.sources,
                clock=time.time,
                sleep=time.sleep,
                deadline=time.time() + LIMIT,
                robots=robots,
                apart=apart,
            ).run([(one["MessageId"], one["Body"]) for one in taken])
            seconds = time.monotonic() - began
            for one in taken:
                cloud.sqs.delete_message(QueueUrl=cloud.queue_url, ReceiptHandle=one["ReceiptHandle"])
            with self._lock:
                self.billed += seconds
                self.ended.update(outcome.status for outcome in outcomes)
        client.close()
        apart.close()

    def _batch(self) -> list[Any]:
        taken: list[Any] = []
        while len(taken) < BATCH:
            answer = self.cloud.sqs.receive_message(QueueUrl=self.cloud.queue_url, MaxNumberOfMessages=10)
            if not (found := answer.get("Messages")):
                break
            taken += found
        return taken


def measure(named: str, pages: int, workers: int, at_once: int) -> float:
    """One line; milliseconds billed for an article."""
    parse.MAX_HOSTS = at_once
    with mock_aws(), press() as server:
        run = Run(server, pages)
        seconds = run.work(workers)
    assert server.rude == [], server.rude[:5]
    assert run.ended["stored"] == pages, run.ended
    billed = 1000 * run.billed / pages
    figures = f"{pages:7}{pages / seconds:13.1f}{billed:20.0f}{run.ended['postponed']:14}{server.asked:10}"
    print(f"{named:32}{figures}", flush=True)
    return billed


def main() -> None:
    pages = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    print(f"{'':32}{'pages':>7}{'articles/s':>13}{'billed ms/article':>20}{'sent again':>14}{'requests':>10}")
    ours = measure("one worker, 16 hosts at once", pages, 1, 16)
    measure("three workers, 16 hosts at once", pages, 3, 16)
    theirs = measure("one worker, one host at a time", pages // 10, 1, 1)
    print(f"one at a time is billed {theirs / ours:.1f} times as much")


if __name__ == "__main__":
    main()
