"""Cold starts: what each function imports, with the layer's bytecode and without, and what is uploaded.

    make build && .venv/bin/python -m tests.benchmarks.cold_start.measure [PYTHON3.13 [RUNS]]

Each figure is the least CPU time of RUNS new processes (default 5), boto3 and its clients included. An import without
bytecode compiles it again every time, as on Lambda, where /opt can't be written.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local.deployment import PROCESSORS
from local.ministack import ROOT

BUILT = ROOT / ".aws-sam" / "build"
LAYERS = {"x86_64": "X86Layer", "arm64": "Arm64Layer"}
FUNCTIONS = ("discover", "parse", "notify")
PROGRAM = "import json, time; t = time.process_time(); import app; print(json.dumps(time.process_time() - t))"


def import_seconds(python: str, function: str, layer: Path, runs: int) -> float:
    """The least CPU time in which a new process imports a handler, with only `layer` and boto3 to import from."""
    variables = {
        **dict.fromkeys(("SOURCES", "STATE_TABLE", "ARTICLES_TABLE", "BUCKET", "SECRETS_PATH"), "x"),
        **dict.fromkeys(("PARSE_QUEUE_URL", "POLLS_QUEUE_URL", "DEAD_LETTER_QUEUE_URL"), "https://sqs.example/q"),
        **dict.fromkeys(("FETCH_SECONDS", "RETRY_DELAY"), "1"),
        "CONTACT": "me@example.org",
        "POWERTOOLS_SERVICE_NAME": function,
        "POWERTOOLS_METRICS_NAMESPACE": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(BUILT / f"{function.capitalize()}Function"), str(layer / "python")]),
        "PATH": os.defpath,
    }
    times = []
    for _ in range(runs):
        ran = subprocess.run([python, "-c", PROGRAM], env=variables, capture_output=True, text=True, check=True)
        times.append(float(json.loads(ran.stdout)))
    return min(times)


def without_bytecode(layer: Path, folder: Path) -> Path:
    """A copy of the layer as `sam build` would leave it by itself."""
    copy = folder / "layer"
    shutil.copytree(layer, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def sizes(layer: Path, folder: Path) -> tuple[float, float]:
    """Unpacked and zipped, in MB."""
    unpacked = sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
    zipped = Path(shutil.make_archive(str(folder / "zip"), "zip", layer)).stat().st_size
    return unpacked / 1e6, zipped / 1e6


def main(python: str, runs: int = 5) -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as name:
        for built in LAYERS.values():
            unpacked, zipped = sizes(BUILT / built, Path(name))
            print(f"{built:12} {unpacked:6.1f} MB unpacked, {zipped:5.1f} MB zipped")
        layer = BUILT / LAYERS[PROCESSORS[platform.machine()]]
        bare = without_bytecode(layer, Path(name))
        for function in FUNCTIONS:
            compiled, source = (import_seconds(python, function, path, runs) for path in (layer, bare))
            print(f"{function:12} {compiled * 1000:5.0f} ms with bytecode, {source * 1000:5.0f} ms without")


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".venv-ministack" / "bin" / "python"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 5,
    )
