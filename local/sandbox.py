"""A function in a process of its own, as Lambda has it: events in, answers out, and a death at any time.

`python -m local.sandbox` is the process: it is told its function, then an event a line, and answers a line to each.
"""

import os
import selectors
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from broadsheet.errors import BroadsheetError
from local.runtime import Invocation, Runtime
from local.stack import Function

ROOT = Path(__file__).parent.parent
GRACE = 2.0  # seconds for the answer's way beyond the function's own time


class SandboxError(BroadsheetError):
    """An invocation that ended without a result; `subject` is the function, the detail what it said."""


class Started(msgspec.Struct, frozen=True):
    """What the process is told first. `lease` in seconds takes the place of the module's own, if given."""

    function: Function
    lease: float | None


class Answer(msgspec.Struct, frozen=True):
    """How an invocation ended: with a result, or with an error's traceback."""

    result: Any
    error: str
    log: tuple[str, ...]
    seconds: float


class Sandbox:
    """A function's process as its event sources see it; started when it is needed, again after each death.

    What it writes goes to the end of the file `log`. A function that overruns its time is killed, as on Lambda.
    """

    def __init__(self, function: Function, log: Path, *, lease: float | None = None) -> None:
        self.function = function
        self._log = log
        self._lease = lease
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()  # one invocation at a time

    def invoke(self, event: Any, trigger: str = "direct") -> Invocation:
        """Run the function once; a death on the way is the invocation's error."""
        with self._lock:
            process = self._process
            if process is None or process.poll() is not None:
                process = self._process = self._start()
            answer = self._ask(process, event)
        error = None
        if not isinstance(answer, Answer):
            error = SandboxError(self.function.id, answer)
            answer = Answer(None, "", (), 0.0)
        elif answer.error:
            error = SandboxError(self.function.id, "failed", answer.error)
        return Invocation(
            function=self.function.id,
            trigger=trigger,
            request_id="",
            event=event,
            result=answer.result,
            error=error,
            log=answer.log,
            seconds=answer.seconds,
        )

    def kill(self) -> bool:
        """SIGKILL, whatever it is doing; tells whether there was anything to kill."""
        process = self._process
        if process is None or process.poll() is not None:
            return False
        process.kill()
        return True

    def memory(self) -> int | None:
        """Resident bytes of the process; None if there is none."""
        process = self._process
        if process is None or process.poll() is not None:
            return None
        try:
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):  # it died just now, or this system has no /proc
            return None
        return pages * os.sysconf("SC_PAGE_SIZE")

    def close(self) -> None:
        """End the process."""
        self.kill()
        if self._process is not None:
            self._process.wait()
            for end in (self._process.stdin, self._process.stdout):
                if end is not None:
                    end.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        if self._process is not None:
            self.close()
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "local.sandbox"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                bufsize=0,
                env={"PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}", "PATH": os.defpath},
            )
        _write(process, msgspec.json.encode(Started(self.function, self._lease), enc_hook=str))
        return process

    def _ask(self, process: "subprocess.Popen[bytes]", event: Any) -> Answer | str:
        """The answer to an event, or the word for why there is none."""
        _write(process, msgspec.json.encode(event))
        assert process.stdout is not None  # noqa: S101 - a pipe
        said = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            while not said.endswith(b"\n"):
                if not ready.select(self.function.timeout + GRACE):
                    process.kill()
                    return "timed-out"
                part = os.read(process.stdout.fileno(), 1 << 20)
                if not part:
                    process.wait()
                    return "killed"
                said += part
        return msgspec.json.decode(said, type=Answer)


def _write(process: "subprocess.Popen[bytes]", line: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - a pipe
    rest = memoryview(line + b"\n")
    try:
        while rest:
            rest = rest[process.stdin.write(rest) or 0 :]
    except BrokenPipeError:
        return  # dead: whoever waits for its answer will see


def main() -> None:
    """Answer events until there are no more. Nothing the function prints gets between the answers."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    started = msgspec.json.decode(sys.stdin.buffer.readline(), type=Started, dec_hook=lambda kind, value: kind(value))
    runtime = Runtime({started.function.id: started.function}, {})
    if started.lease is not None:
        vars(sys.modules[f"lambda_{started.function.id}"])["LEASE"] = started.lease
    for line in sys.stdin.buffer:
        invocation = runtime.invoke(started.function.id, msgspec.json.decode(line))
        answer = Answer(invocation.result, invocation.trace, invocation.log, invocation.seconds)
        rest = memoryview(msgspec.json.encode(answer) + b"\n")
        while rest:
            rest = rest[answers.write(rest) :]


if __name__ == "__main__":
    main()
