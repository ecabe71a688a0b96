"""The same pass with feedparser and a thread pool: ETags and the ids seen are in memory, what is new goes on a list.

Says what it took as one line of JSON: CPU and wall seconds of the pass alone, peak memory of the process.
"""

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import feedparser

from tests.benchmarks.discovery.papers import feed, has_etag

THREADS = 32  # as many as discover has


def main() -> None:
    count, papers = int(sys.argv[2]), int(sys.argv[3])
    etags = {n: '"1"' for n in range(count) if has_etag(n)}
    seen: dict[int, set[str]] = {}
    new: list[tuple[str, str]] = []

    def poll(n: int) -> None:
        found = feedparser.parse(f"http://127.0.0.1:{papers}/{n}", etag=etags.get(n))
        etags[n] = found.get("etag")
        for entry in found.entries:
            if entry.id not in seen[n]:
                seen[n].add(entry.id)
                new.append((entry.link, entry.title))

    for n in range(count):
        seen[n] = {f"{n}-{i}" for i in range(1, feed(n).count(b"<item>") + 1)}
    cpu, wall = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(poll, range(count)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": cpu, "wall": wall, "peak_mb": peak, "new": len(new)}))


if __name__ == "__main__":
    main()
