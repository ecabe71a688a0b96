"""Where Broadsheet breaks first as sources grow, and which setting moves it: AWS's limits beside what we ask of them.

    .venv/bin/python -m tests.benchmarks.scale.model

Limits are AWS's published defaults, put together in November 2026 from memory and secondary sources. What we ask is
from shared/broadsheet/cli/figures.json; a source is assumed to publish 33 articles a day, and the busiest hour to have
three times the average. A ratio above 1 is a limit that is passed.
"""

import math
from collections.abc import Iterator

import msgspec

from broadsheet.cli.cost import FULL_CORE, POLLS_A_DAY, figures, run_seconds

SOURCES = (1_000, 10_000, 100_000)
ARTICLES_A_DAY = 33.0  # of a source: 1,000 of them bring a million a month
PEAK = 3.0  # the busiest hour beside the average
DELAY = 5.0  # seconds between two requests to a host, the default
RUN = 240.0  # seconds a run of discover may take
EVERY = 300.0  # seconds between two runs
POLLED_AT_ONCE = 32  # hosts, by one run
POLL_SECONDS = 0.35  # a feed's answer, 0.3, and its turn; more when the host is slow
BATCH, CONCURRENCY = 20, 5  # articles a parse run, and ParseConcurrency as it comes
POST_SECONDS = 0.2

# AWS's own numbers
LAMBDA_CONCURRENCY = 1_000  # an account and region; can be raised
LAMBDA_SCALING = 1_000  # more at once within 10 s, of one function
SQS_IN_FLIGHT = 120_000  # of a standard queue
SQS_EVENT_SOURCE = 1_000  # MaximumConcurrency at most, and what Lambda's pollers reach
PARTITION_WRITES, PARTITION_READS = 1_000, 3_000  # units a second of one DynamoDB partition
S3_PUTS = 3_500  # a second and prefix


class Row(msgspec.Struct, frozen=True):
    """One limit: what `limit` allows, what is `asked` of it at the busiest hour, and what moves it."""

    what: str
    limit: float
    asked: float
    moves: str

    @property
    def ratio(self) -> float:
        """Above 1 it is passed."""
        return self.asked / self.limit


def rows(sources: int) -> Iterator[Row]:
    """Every limit beside what so many sources ask of it."""
    articles = sources * ARTICLES_A_DAY / 86400 * PEAK  # a second
    polls = sources * POLLS_A_DAY / 86400 * PEAK
    yield Row(
        "one run of discover (polls in 240 s)",
        RUN / POLL_SECONDS * POLLED_AT_ONCE,
        polls * EVERY,
        "the polls queue: what a run has no time for, others take",
    )
    cpu = figures().seconds["poll"]["cpu"] / 50 * FULL_CORE / 512
    yield Row("its CPU at 512 MB (s in 240 s)", RUN, polls * EVERY * cpu, "discover's MemorySize; the polls queue")
    busy = articles / BATCH * run_seconds(BATCH, 1024)
    yield Row("parse runs at once, as it comes", CONCURRENCY, busy, "ParseConcurrency")
    yield Row("the event source's concurrency", SQS_EVENT_SOURCE, busy, "MemorySize, BatchSize: shorter, fuller runs")
    yield Row(
        "Lambda's concurrency in the account", LAMBDA_CONCURRENCY, busy + polls * EVERY / 500 + 2, "ask AWS for more"
    )
    waiting = articles * DELAY * 2  # visible, invisible and delayed: a message sees its host's delay about twice
    yield Row("messages in flight", SQS_IN_FLIGHT, busy * BATCH + waiting, "a second queue")
    yield Row("objects a second, one source's prefix", S3_PUTS, articles / sources * 20, "none: S3 splits prefixes")
    yield Row(
        "outbox index, one hour's partition (writes a second)",
        PARTITION_WRITES,
        articles,
        "shards of an hour in the index's key: a change of the template and of the sweep",
    )
    yield Row("a source's partition of newest-by-source", PARTITION_WRITES, articles / sources * 20, "none")
    yield Row("a host's turn (writes a second)", PARTITION_WRITES, 2 / DELAY, "none: its delay keeps it small")
    yield Row("one chat channel told of everything (posts a second)", 1, articles, "digests, filters, more channels")
    yield Row(
        "notify: the stream's shard, one batch at a time (posts a second)",
        1 / POST_SECONDS,
        articles,
        "ParallelizationFactor (10 at most), digests",
    )


def first_to_break(sources: int) -> Row:
    """The limit that is passed by most, or is nearest to it."""
    return max(rows(sources), key=lambda row: row.ratio)


def breaks_at(row: str) -> float:
    """How many sources a limit holds for; infinite where they don't matter."""
    low, high = (next(one for one in rows(n) if one.what == row).ratio for n in (1_000, 2_000))
    slope = (high - low) / 1_000
    return math.inf if slope <= 1e-12 else 1_000 + (1 - low) / slope


def table() -> str:
    """All of it, as Markdown."""
    lines = ["| limit | allows | " + " | ".join(f"{n:,}" for n in SOURCES) + " | breaks at | what moves it |"]
    lines.append("|---|--:|" + "--:|" * len(SOURCES) + "--:|---|")
    for row in sorted(rows(SOURCES[0]), key=lambda one: breaks_at(one.what)):
        asked = [next(one for one in rows(n) if one.what == row.what) for n in SOURCES]
        cells = " | ".join(f"**{one.asked:,.1f}**" if one.ratio > 1 else f"{one.asked:,.1f}" for one in asked)
        at = breaks_at(row.what)
        holds = "never" if at == math.inf else f"{at:,.0f}"
        lines.append(f"| {row.what} | {row.limit:,.0f} | {cells} | {holds} | {row.moves} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
