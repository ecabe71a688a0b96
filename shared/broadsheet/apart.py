"""Reading what strangers wrote in a process of its own: what costs too much ends that process, and nothing else.

One worker is kept, warm invocations included, so that a page costs a message to it and one back; it starts while the
first page is fetched. It is given no credentials, and no descriptor but its end of a socket pair. Its bounds are the
kernel's: processor time for each page, and address space. Nothing here needs /dev/shm, which Lambda has not.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from broadsheet import extract
from broadsheet.article import Article
from broadsheet.errors import BroadsheetError
from broadsheet.extract import ExtractionError

# The dearest page of those in tests/hostile/worst.py that give an article takes 4 s and 300 MiB; a usual one 10 ms.
SECONDS = 5  # of processor time, for a page
MEMORY = 400 * 2**20  # bytes of address space for all that a worker reads
PATIENCE = 20.0  # seconds by the clock for a worker that has no processor, or waits for what never comes
_LENGTH = 8  # bytes before each message, which tell its length
_NEEDED = ("LD_LIBRARY_PATH", "PATH")  # of the environment, by an interpreter that starts
_PROGRAM = "import sys; from broadsheet.apart import serve; serve(*map(int, sys.argv[1:]))"

Kind = Literal["page", "fragment"]


class LateError(BroadsheetError):
    """A text wasn't read in time, for which it may not be to blame: it may be tried again."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to read; `charset` is the HTTP header's, `timezone` the publisher's, by name."""

    kind: Kind
    url: str
    body: bytes
    charset: str | None = None
    timezone: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    """What came of a task: an article as JSON, which keeps its instants' zones, or why there is none.

    `last`: the worker ends with this, since it has grown.
    """

    article: bytes = b""
    reason: str = ""
    detail: str = ""
    defect: bool = False
    last: bool = False


def read(task: Task) -> Article:
    """The article of a text, read here and now; raises ExtractionError if there is none."""
    if task.kind == "fragment":
        return extract.from_fragment(task.body.decode("utf-8", "replace"), task.url)
    zone = ZoneInfo(task.timezone) if task.timezone else None
    return extract.extract(task.body, task.url, charset=task.charset, zone=zone)


class Apart:
    """Reads in a worker: one for all threads of a warm function, which take turns."""

    def __init__(self, *, seconds: int = SECONDS, memory: int = MEMORY) -> None:
        self._bounds = seconds, memory
        self._lock = threading.Lock()
        self._worker: _Worker | None = None

    def start(self) -> None:
        """Let the worker begin while there is something else to wait for."""
        with self._lock:
            self._worker = self._worker or _Worker(*self._bounds)

    def read(self, task: Task, seconds: float) -> Article:
        """The article of a text, within `seconds` by the clock.

        Raises ExtractionError if there is none, or it costs more than it may; LateError if time runs out before.
        """
        until = time.monotonic() + seconds
        if seconds <= 0 or not self._lock.acquire(timeout=seconds):
            raise LateError(task.url, "late", "while others were read")
        try:
            answer = self._answer(task, min(until, time.monotonic() + PATIENCE))
        finally:
            self._lock.release()
        if answer.article:
            return msgspec.json.decode(answer.article, type=Article)
        if answer.defect:
            raise RuntimeError(answer.detail)
        raise ExtractionError(task.url, answer.reason, answer.detail)  # type: ignore[arg-type]  # one of its own words

    def _answer(self, task: Task, until: float) -> _Answer:
        """The worker's, or why it died; one that had read others before may have died of them, so a new one tries."""
        used = self._worker is not None and self._worker.used
        worker, self._worker = self._worker or _Worker(*self._bounds), None
        try:
            answer = worker.ask(task, until)
        except TimeoutError:
            worker.end()
            raise LateError(task.url, "late", "in the reading process") from None
        except (OSError, EOFError):
            reason = worker.end()
            if not worker.used:
                raise LateError(task.url, "no-worker", "the reading process doesn't begin") from None
            if used and reason != "too-slow":
                return self._answer(task, until)
            return _Answer(reason=reason, detail=f"at most {self._bounds[0]} s and {self._bounds[1] >> 20} MiB")
        if answer.last:
            worker.end()
            if used and answer.reason == "too-much-memory":
                return self._answer(task, until)
        else:
            self._worker = worker
        return answer

    def close(self) -> None:
        """Let the worker go."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker:
            worker.end()


class _Worker:
    """The process, seen from outside."""

    def __init__(self, seconds: int, memory: int) -> None:
        self.used = False
        ours, theirs = socket.socketpair()
        self._socket = ours
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program; the text it reads comes over the socket
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), str(seconds), str(memory)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _NEEDED if name in os.environ}
                | {"PYTHONPATH": os.pathsep.join(sys.path)},
                pass_fds=(theirs.fileno(),),
            )
        self._ended = weakref.finalize(self, _end, self._process, ours)

    def ask(self, task: Task, until: float) -> _Answer:
        """Raises TimeoutError if there is no answer in time, OSError or EOFError if the process has died."""
        if not self.used:
            _receive(self._socket, until)  # that it has begun
        self.used = True
        _send(self._socket, msgspec.msgpack.encode(task), until)
        return msgspec.msgpack.decode(_receive(self._socket, until), type=_Answer)

    def end(self) -> str:
        """Let the process end, if it hasn't yet; says what it died of."""
        with suppress(subprocess.TimeoutExpired):  # it lives: its death is ours to cause
            self._process.wait(0.2)
        self._ended()
        return "too-slow" if self._process.returncode == -signal.SIGXCPU else "crashed"


def _end(process: "subprocess.Popen[bytes]", ours: socket.socket) -> None:
    process.kill()
    process.wait()
    ours.close()


def serve(descriptor: int, seconds: int, memory: int) -> None:
    """The worker's life: one task after another, until nobody is there to ask."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    begun = _address_space()
    if begun:
        resource.setrlimit(resource.RLIMIT_AS, (begun + memory, begun + memory))
    with socket.socket(fileno=descriptor) as theirs, suppress(EOFError, ConnectionError):
        _send(theirs, b"begun")
        with Path(os.devnull).open("w") as silence:  # a page must not fill the log with its parser's complaints
            os.dup2(silence.fileno(), sys.stderr.fileno())
        last = False
        while not last:
            task = msgspec.msgpack.decode(_receive(theirs), type=Task)
            _, hard = resource.getrlimit(resource.RLIMIT_CPU)
            resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1 + seconds, hard))
            answer = _done(task)
            last = answer.reason == "too-much-memory" or _address_space() > begun + memory // 4
            _send(theirs, msgspec.msgpack.encode(msgspec.structs.replace(answer, last=last)))


def _done(task: Task) -> _Answer:
    try:
        return _Answer(article=msgspec.json.encode(read(task)))
    except ExtractionError as error:
        return _Answer(reason=error.reason, detail=error.detail)
    except MemoryError:
        return _Answer(reason="too-much-memory")
    except Exception as error:  # noqa: BLE001 - it is raised again where the message can be parked with it
        return _Answer(detail=f"{type(error).__name__}: {error}", defect=True)


def _address_space() -> int:
    """Bytes of this process's; 0 where the kernel doesn't say, and wouldn't keep to a limit either."""
    status: Final = Path("/proc/self/statm")
    return int(status.read_text("ascii").split()[0]) * resource.getpagesize() if status.exists() else 0


def _send(to: socket.socket, message: bytes, until: float | None = None) -> None:
    to.settimeout(_left(until))
    to.sendall(len(message).to_bytes(_LENGTH, "big") + message)


def _receive(source: socket.socket, until: float | None = None) -> bytes:
    length = int.from_bytes(_exactly(source, _LENGTH, until), "big")
    return bytes(_exactly(source, length, until))


def _exactly(source: socket.socket, length: int, until: float | None) -> bytearray:
    received = bytearray(length)
    view = memoryview(received)
    while view:
        source.settimeout(_left(until))
        count = source.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return received


def _left(until: float | None) -> float | None:
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
