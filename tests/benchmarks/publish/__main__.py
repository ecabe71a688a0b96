"""A long day's edition: time, memory, calls and cost of compacting it, and of searching it, beside a plain script.

    PYTHONPATH=shared python -m tests.benchmarks.publish [ARTICLES]

Articles are made up, 5 KB each; S3 is a folder, so no time is spent on the network. Each part runs in a process of its
own, whose peak memory is told. The plain script reads all documents, sorts them and writes gzipped JSON lines; it
searches by reading those again.
"""

import gzip
import io
import json
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import msgspec

from broadsheet.article import Article, Block
from broadsheet.cli.search import search
from broadsheet.editions import Edition, Editions
from broadsheet.store import document

DAY = "2026-11-24"
AT = datetime(2026, 11, 24, 5, tzinfo=UTC)
WORDS = [
    "ferry",
    "harbour",
    "night",
    "bread",
    "tide",
    "clock",
    "library",
    "keeper",
    "fog",
    "bridge",
    "market",
    "tea",
    "mountain",
    "letter",
    "school",
    "river",
]
LATE = 100  # articles that come after the edition was made
PUT, GET = 5e-6, 0.4e-6  # dollars a call, us-east-1, list prices of 2026


class Folder:
    """As much of S3 as editions ask for, in a folder; counts the calls."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: Counter[str] = Counter()

    def put_object(self, *, Key: str, Body: Any, **_: Any) -> None:  # noqa: N803 - S3's own names
        self.calls["PUT"] += 1
        path = self.path / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body if isinstance(Body, bytes) else Body.read())

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.calls["GET"] += 1
        return {"Body": io.BytesIO((self.path / Key).read_bytes())}


def body(number: int) -> bytes:
    """The document of one article."""
    dice = random.Random(number)
    paragraphs = [" ".join(dice.choices(WORDS, k=50)) for _ in range(5)]
    article = Article(
        url=f"https://paper.example/{number}",
        title=" ".join(dice.choices(WORDS, k=7)),
        text="\n\n".join(paragraphs),
        html="".join(f"<p>{text}</p>" for text in paragraphs),
        blocks=tuple(Block(kind="paragraph", text=text) for text in paragraphs),
        length=250,
    )
    summary = paragraphs[0]
    source = f"paper-{number % 50}"
    return msgspec.json.encode(
        document(article, id=f"{number:026}", source=source, first_seen=AT, fetched_at=AT, summary=summary)
    )


def keys_of(numbers: Iterable[int]) -> dict[str, str]:
    return {f"{number:026}": str(number) for number in numbers}


def compact(path: Path, count: int, *, late: bool) -> Counter[str]:
    """Make the edition of all but the late articles; or merge these into it."""
    s3 = Folder(path)
    editions = Editions(cast(Any, s3), "bucket")

    def fetch(keys: Iterable[str]) -> Iterator[bytes | None]:
        for key in keys:
            s3.calls["GET"] += 1
            yield body(int(key))

    kept = path / "edition.json"
    before = msgspec.json.decode(kept.read_bytes(), type=Edition) if late else None
    behind = range(7, count, count // LATE)
    changed = keys_of(behind if late else (number for number in range(count) if number not in behind))
    made = editions.merge(DAY, before, changed, fetch=fetch, changed_at="2026-11-24T05:00:00Z")
    kept.write_bytes(msgspec.json.encode(made))
    return s3.calls


def part(name: str, path: Path, count: int) -> str:
    """Run one part; what is to be told of it."""
    match name:
        case "documents alone":
            for number in range(count):
                body(number)
        case "edition":
            calls = compact(path, count, late=False)
            cost = calls["PUT"] * PUT + calls["GET"] * GET
            size = sum(file.stat().st_size for file in (path / "editions").rglob("*.*") if file.is_file())
            return f"{calls['GET']} GET, {calls['PUT']} PUT, ${cost:.4f}; {size / 1e6:.0f} MB"
        case "late articles":
            calls = compact(path, count, late=True)
            return f"{calls['GET']} GET, {calls['PUT']} PUT, ${calls['PUT'] * PUT + calls['GET'] * GET:.6f}"
        case "plain edition":
            every = sorted((json.loads(body(number)) for number in range(count)), key=lambda one: str(one["id"]))
            with gzip.open(path / "plain.jsonl.gz", "wt", encoding="utf-8") as file:
                file.writelines(json.dumps(one) + "\n" for one in every)
            return f"{count} GET, 1 PUT; {(path / 'plain.jsonl.gz').stat().st_size / 1e6:.0f} MB"
        case "search":
            return f"{len(search(str(path / 'editions'), ['ferry', 'clock']))} shown"
        case "plain search":
            with gzip.open(path / "plain.jsonl.gz", "rt", encoding="utf-8") as file:
                texts = (json.loads(line)["text"] for line in file)
                return f"{sum('ferry' in text and 'clock' in text for text in texts)} found"
    return ""


PARTS = ("documents alone", "edition", "late articles", "plain edition", "search", "plain search")


def main(arguments: list[str]) -> None:
    """Run every part; with a part's name and folder, that one here."""
    if len(arguments) == 3:
        started = time.process_time(), time.monotonic()
        told = part(arguments[0], Path(arguments[1]), int(arguments[2]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        cpu, wall = time.process_time() - started[0], time.monotonic() - started[1]
        print(f"{arguments[0]:<20}{wall:8.1f} s {cpu:8.1f} s CPU {peak:7.0f} MB  {told}", flush=True)
        return
    count = int(arguments[0]) if arguments else 100_000
    with TemporaryDirectory(prefix="publish-") as folder:
        for name in PARTS:
            subprocess.run([sys.executable, "-m", "tests.benchmarks.publish", name, folder, str(count)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
