"""A real browser without a window, for tests that look at pages: Chromium, spoken to through a pair of pipes.

`find()` says which one there is; `make browser` fetches Debian's. It reaches nothing but this machine.
https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60.0  # seconds for any one answer: a loaded machine takes its time to start a browser
FLAGS = [
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--remote-debugging-pipe",
]
# Chromium reads its descriptor 3 and writes 4: a process of its own gives its pipes those numbers and becomes it.
LAUNCH = """
import os, sys
ends = [os.dup(os.dup(os.dup(int(end)))) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find() -> str | None:
    """The path of a browser: the variable BROWSER's, or one on the PATH."""
    return next((path for name in (os.environ.get("BROWSER"), *NAMES) if name and (path := shutil.which(name))), None)


class BrowserError(Exception):
    """The browser said no, said nothing, or the page threw."""


class Page:
    """A tab. `requests` are the addresses it asked for, `errors` what its console complained of."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser = browser
        self._session = session
        self.requests: list[str] = []
        self.errors: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """One command of the DevTools protocol."""
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is there with all it loads."""
        said = self.call("Page.navigate", url=url)
        if "errorText" in said:
            raise BrowserError(f"{url[:200]}: {said['errorText']}")
        self._browser.wait(self._session, "Page.loadEventFired")

    def show(self, html: str) -> None:
        """Show a document that has no address."""
        self.open("data:text/html;charset=utf-8;base64," + base64.b64encode(html.encode()).decode("ascii"))

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, or of the promise it gives."""
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise BrowserError(said["exceptionDetails"].get("exception", {}).get("description", "it threw"))
        return said["result"].get("value")

    def size(self, width: int, height: int = 800, *, mobile: bool = False) -> None:
        """Give the page a window of so many CSS pixels; as on a phone, or not."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def scheme(self, scheme: str) -> None:
        """Prefer `light` or `dark`."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path) -> Path:
        """Keep what is to be seen as a PNG, to look at by hand."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]))
        return path

    def heard(self, method: str, parameters: Any) -> None:
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(parameters["exceptionDetails"].get("exception", {}).get("description", "it threw"))
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.errors.append(parameters["entry"]["text"])


class Browser:
    """A running browser; use it as a context, and its pages too."""

    def __init__(self, path: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        flags = [*FLAGS, f"--user-data-dir={self._folder.name}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", LAUNCH, str(theirs_in), str(theirs_out), path, *flags, "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._number = 0
        self._unread = b""
        self._pages: dict[str, Page] = {}
        self._events: dict[str, deque[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        os.close(self._in)
        os.close(self._out)
        self._folder.cleanup()

    @contextmanager
    def page(self, width: int = 1000, *, mobile: bool = False) -> Iterator[Page]:
        """A new tab, with nothing in it from any other."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._events[session] = deque(maxlen=1000)
        page = self._pages[session] = Page(self, session)
        page.size(width, mobile=mobile)
        try:
            yield page
        finally:
            del self._pages[session]
            self.call("Target.disposeBrowserContext", browserContextId=context)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """One command of the DevTools protocol, to the browser or to one of its pages."""
        self._number += 1
        asked = {"id": self._number, "method": method, "params": parameters}
        os.write(self._out, json.dumps(asked | ({"sessionId": session} if session else {})).encode() + b"\0")
        while (said := self._hear()).get("id") != self._number:
            pass
        if "error" in said:
            raise BrowserError(f"{method}: {said['error']['message']}")
        return said["result"]

    def wait(self, session: str, event: str) -> None:
        """Listen until a page tells of an event."""
        while event not in self._events[session]:
            self._hear()
        self._events[session].clear()

    def _hear(self) -> Any:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - time.monotonic()))
            if not ready or not (more := os.read(self._in, 1 << 20)):
                raise BrowserError("it says nothing more")
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\0")
        said = json.loads(line)
        if (session := said.get("sessionId")) in self._pages and "method" in said:
            self._events[session].append(said["method"])
            self._pages[session].heard(said["method"], said["params"])
        return said
