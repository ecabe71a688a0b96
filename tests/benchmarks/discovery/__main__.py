"""How many sources a core polls, what AWS is asked for it, and how much memory it takes.

    PYTHONPATH=shared:. python -m tests.benchmarks.discovery [SOURCES]

10,000 sources, each a host of its own, are polled in shares as discover does it; 90 % have nothing new (`papers`).
Papers and AWS are a process of their own, on loopback, and answer at once: what is measured is discover's own CPU, for
fetching, parsing and deciding, and for boto3 to put its calls into words and on a socket. Beside it the same without
AWS, its state in memory; and what one would write in an afternoon: feedparser and a thread pool.
"""

import json
import subprocess
import sys

from tests.benchmarks.discovery.papers import serving

WAYS = {"ours": "discover, AWS over HTTP", "memory": "discover, state in memory", "peer": "feedparser, thread pool"}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"{'':28}{'CPU s':>8}{'polls per CPU s':>17}{'wall s':>8}{'peak MB':>9}{'new entries':>13}")
    for way, named in WAYS.items():
        with serving() as ports:
            module = "peer" if way == "peer" else "ours"
            command = [sys.executable, "-m", f"tests.benchmarks.discovery.{module}", way, str(count), *map(str, ports)]
            ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found = json.loads(ran.stdout.splitlines()[-1])
        cpu = found["cpu"]
        print(
            f"{named:28}{cpu:8.1f}{count / cpu:17.0f}{found['wall']:8.1f}{found['peak_mb']:9.0f}{found['new']:13}",
            flush=True,
        )
        if counts := found.get("counts"):
            print("    a poll: " + ", ".join(f"{what} {n / count:.3f}" for what, n in sorted(counts.items())))


if __name__ == "__main__":
    main()
