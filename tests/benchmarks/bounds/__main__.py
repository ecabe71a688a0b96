"""What the worst pages cost to read: processor time and memory, each page in a process of its own.

    PYTHONPATH=shared:. python -m tests.benchmarks.bounds

The pages are those of tests/hostile/worst.py and, beside the checkout, of the corpus; the process is the one that parse
uses, bounds and all. A page is read (decoded, parsed, extracted), then summarised and signed.

On two shared and busy cores, Python 3.11: of 69 pages of ours and 20 of the corpus two were refused as too slow, after
5.5 s and 5.8 s (thousands of attributes on each of 200 tags; thousands of pictures in one figure). All others ended
within 3.1 s; the most memory was 328 MiB in all, for 8 MB of text that an emoji makes four times as wide.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from broadsheet.apart import MEMORY, SECONDS, Apart, LateError, Task
from broadsheet.extract import ExtractionError
from broadsheet.reprints import signature
from broadsheet.summary import summarize
from tests.hostile.conftest import CORPUS
from tests.hostile.worst import PAGES


def pages() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Ours, then the corpus's."""
    yield from PAGES.items()
    if CORPUS.is_dir():
        for line in (CORPUS / "html.jsonl").read_text("utf-8").splitlines():
            case = json.loads(line)
            yield f"corpus: {case['sub']}", lambda made=case["gen"]: eval(made)  # type: ignore[misc]  # a default's type


def measure(name: str) -> None:
    """One page: seconds in the reading process, its peak in MiB, seconds after it, and what came of the page."""
    apart = Apart()
    apart.start()
    page = dict(pages())[name]()
    try:
        article = apart.read(Task(kind="page", url="https://quay.example/2026/1", body=page), 60)
    except (ExtractionError, LateError) as error:
        after, outcome = 0.0, error.reason
    else:
        began = time.process_time()
        summarize(article)
        signature(article.text)
        after, outcome = time.process_time() - began, f"{len(article.text):,} characters"
    apart.close()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime
    print(f"{name:44}{len(page):12,}{seconds:8.2f}{used.ru_maxrss / 1024:6.0f}{after:8.2f}  {outcome}")


def main() -> None:
    if len(sys.argv) > 1:
        measure(sys.argv[1])
        return
    print(f"at most {SECONDS} s and {MEMORY >> 20} MiB beyond an interpreter")
    print(f"{'':44}{'bytes':>12}{'CPU s':>8}{'MiB':>6}{'then s':>8}", flush=True)
    for name, _ in pages():
        subprocess.run([sys.executable, "-m", "tests.benchmarks.bounds", name], check=True)


if __name__ == "__main__":
    main()
