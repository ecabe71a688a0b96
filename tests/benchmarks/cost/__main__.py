"""What an article costs: the real handlers over the embedded AWS, every call counted as AWS would bill it.

    make build .venv-runtime/.ready .venv-ministack/.ready
    .venv/bin/python -m tests.benchmarks.cost
    .venv/bin/python -m tests.benchmarks.cost calls [EACH]

Fifty papers on loopback publish one story each, which discover finds, parse stores and notify tells one channel of.
They are asked as rarely as a source asks for that says nothing of it, so that counting takes four minutes. How long
runs take is measured in Lambda's own emulator (tests/benchmarks/cold_start/emulator.py). Both are written into
shared/broadsheet/cli/figures.json, from which `broadsheet cost` reckons with the list prices beside it. `calls` counts
only, and keeps the seconds there are; with EACH stories a paper it prints what it counts and writes nothing.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import yaml

from broadsheet.dynamo import from_item
from broadsheet.polls import KEY_BYTES, Polls, Window
from broadsheet.source import Source
from local.embedded import EmbeddedAws
from local.ministack import ROOT
from local.receiver import Receiver
from local.runtime import Invocation
from tests.benchmarks.cold_start import emulator
from tests.benchmarks.cost.meter import Meter
from tests.benchmarks.cost.papers import Papers

FIGURES = ROOT / "shared" / "broadsheet" / "cli" / "figures.json"
PAPERS = 50
DELAY = Source(id="any", name="Any", url="https://any.example/").delay
WINDOW = 500  # entries a source that has been read for some weeks remembers besides those it shows
PLATFORM_LINES = 700  # bytes of START, END and REPORT as JSON, for each invocation
LINE = 26  # bytes CloudWatch Logs adds to each event
FUNCTIONS = {"DiscoverFunction": "discover", "ParseFunction": "parse", "NotifyFunction": "notify"}


class Counted:
    """The stack with a meter: rounds of polling, and what each function did in them."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        self.meter = Meter(aws, {key: sys.modules[f"lambda_{key}"] for key in FUNCTIONS})
        aws.observers.append(self._observe)

    def _observe(self, invocation: Invocation) -> None:
        counts, key = self.meter.counts, invocation.function
        counts[key, "invocations"] += 1
        counts[key, "log_bytes"] += sum(len(line.encode()) + LINE for line in invocation.log) + PLATFORM_LINES
        counts[key, "records"] += len(invocation.event.get("Records", []))
        if invocation.error:
            raise invocation.error

    def round(self) -> dict[str, Counter[str]]:
        """Poll every source once hosts may be asked, and let all that follows come to its end; counts by function."""
        time.sleep(max(0.0, self._free_at() - time.time()))
        self.meter.counts.clear()
        self.aws.fire("DiscoverFunctionPoll", {"job": "poll", "force": True})
        assert self.aws.run_until_idle(900), self.aws.backlog()
        return {
            name: Counter({what: units for (f, what), units in self.meter.counts.items() if f == function})
            for function, name in FUNCTIONS.items()
        }

    def _free_at(self) -> float:
        """When every host's turn has ended."""
        items = self.aws.client("dynamodb").scan(TableName=self.aws.resource("StateTable"))["Items"]
        turns = [from_item(item) for item in items if item["sk"]["S"] == "turn"]
        return max((max(turn["lease_until"], turn["next_at"]) for turn in turns), default=0.0)


def count(papers: int = PAPERS, *, each: int = 1, delay: float = DELAY) -> dict[str, dict[str, float]]:
    """Units per poll that found nothing, per poll that did, per article, and per post."""
    with tempfile.TemporaryDirectory() as folder, Papers(papers) as site, Receiver() as receiver:
        sources = Path(folder) / "sources.yaml"
        listed = {
            "channels": [{"id": "town", "kind": "slack", "interval": 0, "burst": 1000}],
            "sources": site.sources(["town"], delay=delay),
        }
        sources.write_text(yaml.safe_dump(listed))
        given = {"Sources": str(sources), "AllowedNetworks": "127.0.0.0/8", "RetryDelay": "1"}
        with EmbeddedAws(parameters=given, minute=3600) as aws:
            aws.client("ssm").put_parameter(
                Name="/broadsheet/broadsheet/channels/town", Type="SecureString", Value=receiver.url("slack/town")
            )
            counted = Counted(aws)
            polls = Polls(aws.client("dynamodb"), aws.resource("StateTable"))
            for n in range(papers):
                polls.save_window(f"paper-{n}", Window(os.urandom(WINDOW * KEY_BYTES)))
            site.publish(9)
            counted.round()  # robots.txt
            counted.round()
            idle = counted.round()
            site.publish(each)
            busy = counted.round()
    stored = papers * each
    assert busy["parse"]["s3_puts"] == stored
    return {
        "poll": _each(idle["discover"], papers),
        "found": _each(busy["discover"] - idle["discover"], papers),
        "article": _each(busy["parse"], stored),
        "post": _each(busy["notify"], stored),
    }


def _each(units: Counter[str], number: int) -> dict[str, float]:
    counted = {what: round(units[what] / number, 2) for what in sorted(units) if what not in ("invocations", "records")}
    return {what: each for what, each in counted.items() if each}


def seconds(runs: int = 5) -> dict[str, dict[str, float]]:
    """Seconds of the wall and of CPU, as measured on this machine."""
    with emulator.world() as world:
        found = {**emulator.work(world, runs), **emulator.starts(world, runs)}
    return {name: {what: round(took, 4) for what, took in times.items()} for name, times in found.items()}


def main(what: str = "", each: str = "") -> None:
    """Measure, and write what the price is reckoned from."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    if each:
        print(json.dumps(count(each=int(each)), indent=1))
        return
    figures = json.loads(FIGURES.read_text()) | {"measured": today, "units": count()}
    if what != "calls":
        figures |= {"timed": today, "seconds": seconds()}
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    print(FIGURES.read_text())


if __name__ == "__main__":
    main(*sys.argv[1:])
