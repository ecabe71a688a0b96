"""Cold and warm starts of each built function under Lambda's own runtime emulator, and what they spend time on.

    make build .venv-runtime/.ready .venv-ministack/.ready
    .venv/bin/python -m tests.benchmarks.cold_start.emulator [RUNS]

A cold start is a new runtime's first invocation with nothing to do; warm ones are the following. Then discover polls
fifty papers that take 0.3 s to answer, parse gets batches of 1, 10 and 50 articles from them, and notify tells a
channel of twenty. AWS is ministack, in a process of its own. Seconds of the wall and of the runtime's own CPU, the
least of RUNS (default 3); of warm starts the median.
"""

import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count, islice, repeat
from pathlib import Path
from typing import Any

import urllib3
import yaml

from broadsheet.queue import ArticleMessage, FeedEntry, encode
from broadsheet.urls import article_id
from local.deployment import PROCESSORS
from local.ministack import ROOT, Ministack
from local.receiver import Receiver
from tests.benchmarks.cold_start.measure import BUILT, LAYERS
from tests.benchmarks.cost.papers import Papers

PYTHON = ROOT / ".venv-runtime" / "bin" / "python"
RAPID = "lib/python3*/site-packages/samcli/local/rapid"
LATENCY = 0.3  # seconds a page takes: what public sites usually answer in
BATCHES = (1, 10, 50)
POSTS = 20
TICK = os.sysconf("SC_CLK_TCK")


class Emulated:
    """A function in the emulator: `invoke` gives its answer, seconds of the wall, and seconds of CPU."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        self._http = urllib3.PoolManager(retries=False, timeout=120)

    def invoke(self, event: Any) -> tuple[Any, float, float]:
        """Invoke and wait."""
        cpu, began = self.cpu(), time.monotonic()
        answer = self._http.request("POST", self._url, body=json.dumps(event))
        wall = time.monotonic() - began
        result = answer.json()
        if isinstance(result, dict) and "errorType" in result:
            raise RuntimeError(json.dumps(result)[:3000])
        return result, wall, self.cpu() - cpu

    def cpu(self) -> float:
        """CPU seconds of the runtime so far; it is the emulator's only child."""
        total = 0.0
        for children in Path(f"/proc/{self._process.pid}/task").glob("*/children"):  # any of its threads made it
            for child in children.read_text().split():
                with suppress(OSError):
                    fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                    total += (int(fields[11]) + int(fields[12])) / TICK
        return total


@contextmanager
def emulated(function: str, variables: Mapping[str, str]) -> Iterator[Emulated]:
    """The built function under the emulator, on free ports, its layer on the path as /opt/python would be."""
    rapid = next((ROOT / ".venv-sam").glob(RAPID)) / f"aws-lambda-rie-{PROCESSORS[platform.machine()]}"
    ports = [_free(), _free()]
    layer = BUILT / LAYERS[PROCESSORS[platform.machine()]] / "python"
    environment = {
        **variables,
        "PATH": os.defpath,
        "PYTHONPATH": str(layer),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": str(BUILT / f"{function.capitalize()}Function"),
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "240",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    }
    # AWS's program asks no name for its runtime: a Python client of the runtime API is what an image would start.
    command = [str(rapid), "--runtime-interface-emulator-address", f"127.0.0.1:{ports[0]}"]
    command += [
        "--runtime-api-address",
        f"127.0.0.1:{ports[1]}",
        str(PYTHON),
        "-m",
        "awslambdaric",
        "app.lambda_handler",
    ]
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=environment["LAMBDA_TASK_ROOT"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while socket.socket().connect_ex(("127.0.0.1", ports[0])):
            time.sleep(0.02)
        yield Emulated(process, ports[0])
    finally:
        process.terminate()
        process.wait()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class World:
    """What the functions read and write: papers, a receiver, and ministack with the template's tables and queues."""

    def __init__(self, aws: Ministack, papers: Papers, receiver: Receiver, folder: Path) -> None:
        self.papers, self.aws = papers, aws
        for queue in ("parse", "dead"):
            aws.client("sqs").create_queue(QueueName=queue)
        aws.client("s3").create_bucket(Bucket="bucket")
        resources = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Template)["Resources"]
        for name in ("ArticlesTable", "StateTable"):
            wanted = {"KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode"}
            given = {key: value for key, value in resources[name]["Properties"].items() if key in wanted}
            aws.client("dynamodb").create_table(TableName=name, **given)
        sources = folder / "sources.yaml"
        channels = [{"id": "town", "kind": "slack", "interval": 0}]
        sources.write_text(yaml.safe_dump({"channels": channels, "sources": papers.sources(["town"], delay=0)}))
        self.nothing = str(folder / "nothing.yaml")
        Path(self.nothing).write_text("sources: []\n")
        aws.client("ssm").put_parameter(Name="/secrets/town", Type="SecureString", Value=receiver.url("slack/town"))
        url = aws.client("sqs").get_queue_url(QueueName="parse")["QueueUrl"]
        self.variables = {
            **{k: v for k, v in aws.environment.items() if k.startswith("AWS_")},
            "SOURCES": str(sources),
            "STATE_TABLE": "StateTable",
            "ARTICLES_TABLE": "ArticlesTable",
            "BUCKET": "bucket",
            "PARSE_QUEUE_URL": url,
            "POLLS_QUEUE_URL": url.replace("parse", "polls"),
            "DEAD_LETTER_QUEUE_URL": url.replace("parse", "dead"),
            "SECRETS_PATH": "/secrets",
            "CONTACT": "measuring@example.org",
            "ALLOWED_NETWORKS": "127.0.0.0/8",
            "FETCH_SECONDS": "20",
            "RETRY_DELAY": "60",
            "POWERTOOLS_SERVICE_NAME": "measured",
            "POWERTOOLS_METRICS_NAMESPACE": "measured",
        }

    def batch(self, size: int, story: int) -> dict[str, Any]:
        """An event of so many articles, each of another paper."""
        return {"Records": [_record(self.papers.url(paper, story), paper) for paper in range(size)]}

    def commits(self) -> list[dict[str, Any]]:
        """What the table's stream would show of the articles there are."""
        items = self.aws.client("dynamodb").scan(TableName="ArticlesTable")["Items"]
        return [
            {
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {"NewImage": item, "SequenceNumber": str(number), "StreamViewType": "NEW_IMAGE"},
            }
            for number, item in enumerate(items)
            if "outbox_at" in item
        ]


class _Template(yaml.SafeLoader):
    """Reads the template's plain parts; its functions become None."""


_Template.add_multi_constructor("!", lambda *_: None)


def _record(url: str, paper: int, *, not_before: float = 0) -> dict[str, Any]:
    message = ArticleMessage(
        id=article_id(url),
        url=url,
        source=f"paper-{paper}",
        first_seen=datetime.now(UTC).replace(microsecond=0),
        trace="measured",
        entry=FeedEntry(title="Measured"),
        not_before=not_before,
    )
    return {
        "messageId": message.id,
        "receiptHandle": "r",
        "body": encode(message),
        "attributes": {},
        "eventSource": "aws:sqs",
    }


def starts(world: World, runs: int) -> dict[str, dict[str, float]]:
    """Cold and warm seconds of each function with nothing to do."""
    later = {"Records": [_record(world.papers.url(0, 0), 0, not_before=time.time() + 86400)]}
    stranger = json.loads((ROOT / "events" / "callback-stranger.json").read_text())
    idle = {
        "discover": {"job": "poll"},
        "parse": later,
        "notify": {"job": "post-due"},
        "publish": {"job": "publish"},
        "callback": stranger,
    }
    found = {}
    for function, event in idle.items():
        colds, warms = [], []
        for _ in range(runs):
            with emulated(function, {**world.variables, "SOURCES": world.nothing}) as lambda_:
                colds.append(lambda_.invoke(event)[1:])
                warms += [lambda_.invoke(event)[1:] for _ in range(10)]
        found[function] = {
            "cold_seconds": min(wall for wall, _ in colds),
            "cold_cpu": min(cpu for _, cpu in colds),
            "warm_seconds": statistics.median(wall for wall, _ in warms),
            "warm_cpu": statistics.fmean(cpu for _, cpu in warms),
        }
    return found


def work(world: World, runs: int) -> dict[str, dict[str, float]]:
    """Seconds that warm functions take for polls, batches of articles (each of another host) and posts."""
    found: dict[str, dict[str, float]] = {}

    def measure(name: str, lambda_: Emulated, events: Iterator[Any]) -> None:
        times = [lambda_.invoke(event)[1:] for event in islice(events, runs)]
        found[name] = {"seconds": min(w for w, _ in times), "cpu": min(c for _, c in times)}

    def news() -> Iterator[Any]:
        while True:
            world.papers.publish(1)
            yield {"job": "poll", "force": True}

    with emulated("discover", world.variables) as lambda_:
        lambda_.invoke(next(news()))
        measure("found", lambda_, news())
        measure("poll", lambda_, repeat({"job": "poll", "force": True}))
    with emulated("parse", world.variables) as lambda_:
        stories = count()
        for _ in range(2):  # the first asks for every paper's robots.txt
            lambda_.invoke(world.batch(max(BATCHES), next(stories)))
        for size in BATCHES:
            measure(f"parse-{size}", lambda_, (world.batch(size, story) for story in stories))
    with emulated("notify", world.variables) as lambda_:
        records = world.commits()
        lambda_.invoke({"Records": records[:1]})
        parts = (records[1 + n * POSTS :][:POSTS] for n in range(runs))
        measure("post", lambda_, ({"Records": part} for part in parts))
    return found


def imports(function: str, variables: Mapping[str, str], most: int = 8) -> list[tuple[str, float]]:
    """The packages that importing a handler spends most on, with their share: its own time, summed by top name."""
    layer = BUILT / LAYERS[PROCESSORS[platform.machine()]] / "python"
    path = os.pathsep.join([str(BUILT / f"{function.capitalize()}Function"), str(layer)])
    ran = subprocess.run(
        [PYTHON, "-X", "importtime", "-c", "import app"],
        env={**variables, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    spent: defaultdict[str, int] = defaultdict(int)
    for own, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", ran.stderr):
        spent[name.partition(".")[0]] += int(own)
    total = sum(spent.values())
    return sorted(((name, own / total) for name, own in spent.items()), key=lambda one: -one[1])[:most]


@contextmanager
def world() -> Iterator[World]:
    """All of it, up."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Ministack() as aws,
        Papers(max(BATCHES), latency=LATENCY) as papers,
        Receiver() as receiver,
    ):
        yield World(aws, papers, receiver, Path(folder))


def main(runs: int = 3) -> None:
    """Print the three tables."""
    with world() as measured:
        for function, found in starts(measured, runs).items():
            shares = ", ".join(f"{name} {share:.0%}" for name, share in imports(function, measured.variables))
            print(
                f"{function:9} cold {found['cold_seconds'] * 1000:5.0f} ms ({found['cold_cpu'] * 1000:5.0f} CPU), warm "
                f"{found['warm_seconds'] * 1000:4.0f} ms ({found['warm_cpu'] * 1000:4.0f} CPU); imports: {shares}"
            )
        for name, took in work(measured, runs).items():
            print(f"{name:9} {took['seconds'] * 1000:5.0f} ms ({took['cpu'] * 1000:5.0f} CPU)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
