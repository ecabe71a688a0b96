"""What an article costs: the real handlers over the embedded AWS, every call counted as AWS would bill it.

    .venv/bin/python -m tests.benchmarks.cost

Fifty papers on loopback publish one story each, which discover finds, parse stores and notify tells one channel of.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import yaml

from broadsheet.polls import KEY_BYTES, Polls, Window
from local.embedded import EmbeddedAws
from local.receiver import Receiver
from local.runtime import Invocation
from tests.benchmarks.cost.meter import Meter
from tests.benchmarks.cost.papers import Papers

PAPERS = 50
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
        """Poll every source and let all that follows come to its end; counts by function."""
        self.meter.counts.clear()
        self.aws.fire("DiscoverFunctionPoll", {"job": "poll", "force": True})
        assert self.aws.run_until_idle(120), self.aws.backlog()
        return {
            name: Counter({what: units for (f, what), units in self.meter.counts.items() if f == function})
            for function, name in FUNCTIONS.items()
        }


def count(papers: int = PAPERS, *, each: int = 1, delay: float = 0) -> dict[str, dict[str, float]]:
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
    print(json.dumps({"idle": idle, "busy": busy}, indent=1), file=sys.stderr)
    assert busy["parse"]["s3_puts"] == stored
    found = busy["discover"] - idle["discover"]
    return {
        "poll": {what: units / papers for what, units in idle["discover"].items()},
        "found": {what: units / papers for what, units in found.items()},
        "article": {what: units / stored for what, units in busy["parse"].items()},
        "post": {what: units / stored for what, units in busy["notify"].items()},
    }


if __name__ == "__main__":
    print(json.dumps(count(), indent=1))
