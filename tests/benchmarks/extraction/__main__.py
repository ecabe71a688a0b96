"""How good and how dear extraction is, beside its peers: one table for each labelled file, and by language.

    make bench-extraction [ONLY='fundus wcxb'] [PEERS='trafilatura peers:gne'] [REPEAT=3]

Runs in an environment of its own that holds the peers beside what the layer carries (requirements/peers.txt). The pages
and the scorer lie beside the checkout (../shared). Ours goes the generic path, without publisher rules. Each extractor
goes once over a file in a process of its own; languages with ten pages or more get a row of their own. `ms` and `p99`
are CPU time a page, in milliseconds, `/t` the same as a share of trafilatura's, `import` in seconds, as the scorer
takes it: once, by the clock. The last line has the middle one of many.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broadsheet.article import Article
from broadsheet.extract import ExtractionError, explain, no_rule

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2].parent / "shared"
CORPUS = SHARED / "corpus" / "extraction"
SCORER = SHARED / "tools" / "score-extraction"
OURS = "peers:broadsheet"
YARDSTICK = "trafilatura"
PEERS = (
    YARDSTICK,
    "trafilatura_precision",
    "newspaper4k",
    "readability_lxml",
    "resiliparse",
    "peers:goose3",
    "peers:justext",
    "peers:gne",
)
IMPORTS = 15
COLUMNS = ("f1", "p", "r", "title", "inst", "day", "auth")
FEWEST_PAGES = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=1, help="runs a page, of which the fastest counts")
    parser.add_argument("--peers", nargs="*", default=PEERS)
    parser.add_argument("files", nargs="*", help="corpus files by name, all if none is named")
    options = parser.parse_args()
    if not SCORER.exists():
        print(f"skipped: no scorer and no pages at {SHARED}", file=sys.stderr)
        return 0
    scorer = load_scorer()
    for path in sorted(CORPUS.glob("*.jsonl.xz")):
        name = path.name.removesuffix(".jsonl.xz")
        if options.files and name not in options.files:
            continue
        rows = scorer.load(path)
        results = {spec: run(path, spec, options.repeat) for spec in (OURS, *options.peers)}
        for title, part in parts(name, rows):
            print_table(title, part, results, scorer)
        print_census(rows)
    print_imports()
    return 0


def load_scorer() -> Any:
    """The scorer's functions; it is a script without a name to import it by."""
    scorer = types.ModuleType("scorer")
    scorer.__dict__["__file__"] = str(SCORER)
    exec(compile(SCORER.read_text("utf-8"), str(SCORER), "exec"), scorer.__dict__)
    return scorer


def run(corpus: Path, spec: str, repeat: int) -> dict[str, Any] | None:
    """One extractor's results over one file, or None with its complaint printed if it could not run."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [sys.executable, str(SCORER), "--corpus", str(corpus), "--repeat", str(repeat)]
        done = subprocess.run(
            [*command, "--worker", spec, out.name],
            env={**os.environ, "PYTHONPATH": f"{HERE.parents[2] / 'shared'}:{HERE}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            print(f"{spec}: not scored: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            return None
        results: dict[str, Any] = json.loads(Path(out.name).read_text("utf-8"))
        return results


def parts(name: str, rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The whole file, then its larger languages."""
    yield name, rows
    for language, count in Counter(row.get("lang") for row in rows).most_common():
        if language and FEWEST_PAGES <= count < len(rows) * 0.95:
            yield f"{name} {language}", [row for row in rows if row.get("lang") == language]


def print_table(name: str, rows: list[dict[str, Any]], results: dict[str, dict[str, Any] | None], scorer: Any) -> None:
    """A row for each extractor, best body F1 first."""
    ids = {page["id"] for page in rows}
    table = []
    for spec, result in results.items():
        if result is not None:
            row, _ = scorer.report(spec.removeprefix("peers:"), result, rows)
            times = sorted(1000 * record["t"] for record in result["recs"] if record["id"] in ids)
            table.append({**row, "p99": times[int(0.99 * (len(times) - 1))]})
    yard = next((row for row in table if row["name"] == YARDSTICK), None)
    heads = (*COLUMNS, "ms", "/t", "p99", "/t", "import", "/t", "empty", "errors")
    print(f"\n{name}: {len(rows)} pages\n" + " " * 22 + "".join(f"{head:>7}" for head in heads))
    for row in sorted(table, key=lambda row: -row["f1"]):
        figures = "".join(f"{row[column]:7.3f}" for column in COLUMNS)
        for column, form in (("ms", "7.1f"), ("p99", "7.0f"), ("imp", "7.2f")):
            figures += f"{row[column]:{form}}" + (f"{row[column] / yard[column]:7.2f}" if yard else " " * 7)
        print(f"{row['name']:22}{figures}{row['empty']:7d}{row['err']:7d}")
    sys.stdout.flush()


def print_imports() -> None:
    """CPU time of our import and of the yardstick's, in turns, each in a fresh process with its bytecode at hand."""
    taken: dict[str, list[float]] = {"broadsheet.extract": [], YARDSTICK: []}
    clock = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"
    with tempfile.TemporaryDirectory() as bytecode:
        env = {**os.environ, "PYTHONPATH": str(HERE.parents[2] / "shared"), "PYTHONPYCACHEPREFIX": bytecode}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(IMPORTS + 1):
            for module, times in taken.items():
                command = [sys.executable, "-c", clock.format(module)]
                times.append(float(subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout))
    # The first wrote the bytecode.
    ours, theirs = (1000 * statistics.median(times[1:]) for times in taken.values())
    print(f"\nimport: {ours:.0f} ms, {YARDSTICK} {theirs:.0f} ms, a share of {ours / theirs:.2f}")


def print_census(rows: list[dict[str, Any]]) -> None:
    """How our bodies were found, and the fields that have a value without a witness."""
    ways: Counter[str] = Counter()
    unwitnessed: Counter[str] = Counter()
    for row in rows:
        try:
            explanation = explain(row["html"].encode("latin-1"), row.get("url") or "", rules=no_rule)
        except ExtractionError as error:
            ways[error.reason] += 1
            continue
        ways[explanation.body.split()[0]] += 1
        unwitnessed.update(without_witness(explanation.article))
    print("ours: body by " + ", ".join(f"{way} {count / len(rows):.1%}" for way, count in ways.most_common()))
    print(f"ours: fields without a witness: {dict(unwitnessed) or 'none'}")


def without_witness(article: Article) -> list[str]:
    """The fields that have a value and no provenance; `url` was asked for, the measures follow from the text."""
    given = {"url", "length", "length_unit", "reading_minutes", "rule_missed", "provenance"}
    return [
        field
        for field in article.__struct_fields__
        if field not in given and getattr(article, field) and field not in article.provenance
    ]


if __name__ == "__main__":
    sys.exit(main())
