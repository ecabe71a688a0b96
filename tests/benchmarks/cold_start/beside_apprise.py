"""The notifier's cold import beside Apprise's: `python -m tests.benchmarks.cold_start.beside_apprise [RUNS]`.

Each figure is the least CPU time of RUNS new processes (default 7) of this interpreter, with bytecode, interleaved.
Ours is measured with what a post through a channel needs (its kind loaded), with and without boto3 and its clients,
which Apprise has no need of; Apprise's as imported, and ready to post (it loads all its services at the first address).
"""

import subprocess
import sys

OURS = "import broadsheet.notify, broadsheet.fetch; from broadsheet import channels; channels.secret_shape('slack')"
CLIENTS = "import boto3; boto3.client('dynamodb'), boto3.client('s3'), boto3.client('ssm')"
PROGRAMS = {
    "the notifier, ready to post": OURS,
    "Apprise, imported": "import apprise",
    "Apprise, ready to post": "import apprise; apprise.Apprise().add('json://127.0.0.1/')",
    "boto3 and its clients": CLIENTS,
    "the notifier with boto3": f"{OURS}; {CLIENTS}",
}


def seconds(program: str) -> float:
    """The CPU time one new process takes for it, after the interpreter's own start."""
    timed = f"import time; t = time.process_time(); {program}; print(time.process_time() - t)"
    variables = {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": "shared", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run([sys.executable, "-c", timed], env=variables, capture_output=True, text=True, check=True)
    return float(ran.stdout.splitlines()[-1])


def main(runs: int) -> None:
    """Print the table."""
    for program in PROGRAMS.values():
        seconds(program)  # writes the bytecode
    least = dict.fromkeys(PROGRAMS, float("inf"))
    for _ in range(runs):
        for name, program in PROGRAMS.items():
            least[name] = min(least[name], seconds(program))
    ours = least["the notifier, ready to post"]
    for name, took in least.items():
        print(f"{name:28} {took * 1000:6.0f} ms  {took / ours:5.2f} × ours")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
