"""What a person sees of a run: a line per outcome while it goes on; at the end the sums and the reasons.

Everything is read from the functions' own log lines, one per outcome, as an operator would read them.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from urllib.parse import unquote

import msgspec

from local.runtime import Invocation

WAITS = frozenset({"crawl-delay", "deadline", "host-busy", "host-paused"})  # no failure: its host's turn comes later
COLOURS = {"stored": "32", "from feed": "36", "again": "33", "skipped": "35", "posted": "34", "broken": "31"}
TITLE = 56  # columns


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an outcome's log line that are shown; `service` says whose outcome it is."""

    service: str = ""
    status: str = ""
    id: str = ""
    source: str = ""
    channel: str = ""
    url: str = ""
    title: str = ""
    reason: str = ""
    detail: str = ""
    origin: str | None = None
    entries: int = 0
    new: int = 0
    skipped: dict[str, int] = {}


class Ledger:
    """The outcomes of a run so far."""

    def __init__(self) -> None:
        self.polls: list[Line] = []
        self.pages: list[Line] = []
        self.posts: list[Line] = []
        self.broken: list[str] = []

    def take(self, invocation: Invocation) -> list[str]:
        """Note an invocation's outcomes; return a line for each that a person wants to see at once."""
        lines = outcomes(invocation.log)
        shown = [text for line in lines if (text := self._note(line))]
        sent: dict[str, list[Line]] = {}
        for line in lines:
            if line.status == "sent":
                sent.setdefault(line.id, []).append(line)
        shown += [_columns("posted", "+".join(line.channel for line in told), told[0].title) for told in sent.values()]
        if invocation.error is not None:
            self.broken.append(f"{invocation.function}: {type(invocation.error).__name__}: {invocation.error}")
            shown.append(f"{'broken':<10}{self.broken[-1]}")
        elif invocation.timed_out:
            self.broken.append(f"{invocation.function}: over its time, {invocation.seconds:.0f} s")
            shown.append(f"{'broken':<10}{self.broken[-1]}")
        return shown

    def _note(self, line: Line) -> str:
        match line.service, line.status:
            case "discover", _:
                self.polls.append(line)
                if line.status in ("failed", "incomplete", "unfinished"):
                    self.broken.append(f"poll {line.status}: {line.source}: {line.detail or line.reason}")
                    return f"{'broken':<10}{self.broken[-1]}"
                return _poll(line)
            case "parse", "stored" if line.origin == "feed":
                self.pages.append(line)
                return _columns("from feed", line.source, line.title, line.reason)
            case "parse", "stored":
                self.pages.append(line)
                return _columns("stored", line.source, line.title)
            case "parse", "postponed":
                self.pages.append(line)
                return "" if line.reason in WAITS else _columns("again", line.source, _address(line.url), line.reason)
            case "parse", "unavailable":
                self.pages.append(line)
                return _columns("skipped", line.source, _address(line.url), line.reason)
            case "parse", "known":
                self.pages.append(line)
                return _columns("known", line.source, line.title or _address(line.url))
            case "parse", _:
                self.pages.append(line)
                self.broken.append(f"{line.status}: {line.url} {line.reason} {line.detail}".strip())
                return _columns("broken", line.source, _address(line.url), f"{line.status} {line.reason}")
            case "notify", "sent":
                self.posts.append(line)  # shown once for all the channels that were told together
            case "notify", "channel-closed":
                self.broken.append(f"channel closed: {line.channel} {line.reason}")
                return f"{'broken':<10}{self.broken[-1]}"
            case "notify", "retry":
                self.posts.append(line)
                return _columns("again", line.channel, line.title, line.reason)
            case "notify", "failed" | "lost-claim":
                self.posts.append(line)
                self.broken.append(f"post {line.status}: {line.channel} {line.url} {line.reason}")
                return _columns("broken", line.channel, line.title, f"{line.status} {line.reason}")
        return ""

    def table(self) -> str:
        """The sums per source."""
        if not any(line.new for line in self.polls) and not self.pages:
            return "Nothing new."
        sources = sorted({line.source for line in (*self.polls, *self.pages)} - {""})
        rows = [["", "found", "stored", "from feed", "known", "skipped", "retried", "waited"]]
        for source in [*sources, ""]:
            pages = [line for line in self.pages if source in ("", line.source)]
            polls = [line for line in self.polls if source in ("", line.source)]
            count = Counter(line.status for line in pages)
            numbers = [
                sum(line.new for line in polls),
                count["stored"],
                sum(line.status == "stored" and line.origin == "feed" for line in pages),
                count["known"],
                count["unavailable"] + sum(_left_out(line).total() for line in polls),
                sum(line.status == "postponed" and line.reason not in WAITS for line in pages),
                sum(line.status == "postponed" and line.reason in WAITS for line in pages),
            ]
            rows.append([source or "together", *(str(number or "·") for number in numbers)])
        lines = [f"  {_fit(row[0], 22)}" + "".join(f"{cell:>11}" for cell in row[1:]) for row in rows]
        waited = "  (waited: sent again until its host's turn came)\n"
        return "\n".join((*lines, waited))

    def reasons(self) -> list[str]:
        """Why something was skipped, retried or taken from the feed, each reason with its number and an example."""
        told: dict[tuple[str, str, str], list[str]] = {}
        for line in self.polls:
            for reason, number in _left_out(line).items():
                told.setdefault(("skipped", line.source, reason), []).extend([line.url] * number)
        for line in self.pages:
            if line.status == "unavailable":
                told.setdefault(("skipped", line.source, line.reason), []).append(line.url)
            elif line.status == "postponed" and line.reason not in WAITS:
                told.setdefault(("retried", line.source, line.reason), []).append(line.url)
            elif line.status == "stored" and line.origin == "feed":
                told.setdefault(("from feed", line.source, line.reason), []).append(line.url)
        return [
            _columns(kind, source, _address(urls[0]), f"{reason}{f' × {len(urls)}' if len(urls) > 1 else ''}").rstrip()
            for (kind, source, reason), urls in told.items()
        ]

    def posted(self) -> str:
        """How many posts each channel took."""
        count = Counter(line.channel for line in self.posts if line.status == "sent")
        return ", ".join(f"{number} to {channel}" for channel, number in sorted(count.items())) or "nothing"


def outcomes(log: Iterable[str]) -> list[Line]:
    """The log lines that tell of an outcome."""
    found = []
    for text in log:
        try:
            line = msgspec.json.decode(text, type=Line)
        except msgspec.DecodeError:
            continue  # metrics, whose fields have other types, and whatever a library prints
        if line.status:
            found.append(line)
    return found


def colour(text: str) -> str:
    """A progress line as a terminal shows it."""
    word = text[:10].strip()
    return f"\x1b[{COLOURS[word]}m{text[:10]}\x1b[0m{text[10:]}" if word in COLOURS else text


def _left_out(line: Line) -> Counter[str]:
    """What a poll left aside for good; what was seen before is no news, and `later` comes with the next poll."""
    return Counter({reason: n for reason, n in line.skipped.items() if reason not in ("seen", "later")})


def _poll(line: Line) -> str:
    if line.status == "busy":
        return _columns("again", line.source, "its host is busy", line.reason)
    if line.status == "not-modified":
        return _columns("asked", line.source, "not modified", line.reason)
    said = ", ".join(f"{number} {reason}" for reason, number in line.skipped.items())
    return _columns("asked", line.source, f"{line.new} new of {line.entries} entries", said or line.reason)


def _address(url: str) -> str:
    """A URL as a person reads it: of a long one the end, for that tells articles apart."""
    shown = unquote(url).split("://", 1)[-1]
    return shown if _width(shown) <= TITLE - 2 else "…" + _end(shown, TITLE - 3)


def _columns(word: str, who: str, what: str, why: str = "") -> str:
    return f"{word:<10}{_fit(who, 14)}{_fit(what, TITLE)}{why}".rstrip()


def _fit(text: str, columns: int) -> str:
    """`text` cut and filled to a width on the terminal."""
    text = " ".join(text.split())
    if _width(text) > columns - 2:
        text = _end(text[::-1], columns - 3)[::-1] + "…"
    return text + " " * (columns - _width(text))


def _end(text: str, columns: int) -> str:
    while _width(text) > columns:
        text = text[1:]
    return text


def _width(text: str) -> int:
    """Columns on the terminal, where a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
