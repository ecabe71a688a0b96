"""How good and how dear extraction is, beside its peers: one table for each labelled file, and by language.

    PYTHONPATH=shared python tests/benchmarks/extraction [--python VENV/bin/python] [--repeat 1] [--peers ...] [file]

Reads the pages and the scorer beside the checkout (../shared); peers are measured if the interpreter named by --python
has them installed (trafilatura newspaper4k readability-lxml html-text resiliparse lxml_html_clean). Each extractor runs
once over a file in a process of its own; languages with ten pages or more get a row of their own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import types
from collections import Counter
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
CORPUS = SHARED / "corpus" / "extraction"
SCORER = SHARED / "tools" / "score-extraction"
OURS = "broadsheet.extract:extract"
PEERS = ("trafilatura", "trafilatura_precision", "newspaper4k", "readability_lxml", "resiliparse")
COLUMNS = ("f1", "p", "r", "title", "inst", "day", "auth")
FEWEST_PAGES = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the peers")
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
        results = {spec: run(options.python, path, spec, options.repeat) for spec in (OURS, *options.peers)}
        print_table(name, rows, results, scorer)
        languages = Counter(row.get("lang") for row in rows)
        for language, count in languages.most_common():
            if language and FEWEST_PAGES <= count < len(rows) * 0.95:
                print_table(f"{name} {language}", [row for row in rows if row.get("lang") == language], results, scorer)
    return 0


def load_scorer() -> Any:
    """The scorer's functions; it is a script without a name to import it by."""
    scorer = types.ModuleType("scorer")
    scorer.__dict__["__file__"] = str(SCORER)
    exec(compile(SCORER.read_text("utf-8"), str(SCORER), "exec"), scorer.__dict__)
    return scorer


def run(python: str, corpus: Path, spec: str, repeat: int) -> dict[str, Any] | None:
    """One extractor's results over one file, or None with its complaint printed if it could not run."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [python, str(SCORER), "--corpus", str(corpus), "--repeat", str(repeat), "--worker", spec, out.name]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(f"{spec}: not scored: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            return None
        results: dict[str, Any] = json.loads(Path(out.name).read_text("utf-8"))
        return results


def print_table(name: str, rows: list[dict[str, Any]], results: dict[str, dict[str, Any] | None], scorer: Any) -> None:
    """A row for each extractor, best body F1 first; times are CPU milliseconds a page."""
    table = []
    for spec, result in results.items():
        if result is not None:
            row, _ = scorer.report("broadsheet" if spec == OURS else spec, result, rows)
            ids = {page["id"] for page in rows}
            times = sorted(1000 * record["t"] for record in result["recs"] if record["id"] in ids)
            table.append({**row, "p99": times[int(0.99 * (len(times) - 1))]})
    print(f"\n{name}: {len(rows)} pages")
    print(f"{'':22}" + "".join(f"{column:>7}" for column in (*COLUMNS, "ms", "p99", "import", "empty", "errors")))
    for row in sorted(table, key=lambda row: -row["f1"]):
        figures = "".join(f"{row[column]:7.3f}" for column in COLUMNS)
        print(
            f"{row['name']:22}{figures}{row['ms']:7.1f}{row['p99']:7.0f}{row['imp']:7.2f}{row['empty']:7d}{row['err']:7d}"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
