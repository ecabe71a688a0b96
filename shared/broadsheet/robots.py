"""What a host's robots.txt allows us: RFC 9309 over protego, as a value that can be stored.

`from_answer` says what an answer means, `allows` and `crawl_delay` what follows for a URL. Which group is ours is
decided here (`_ours`), the matching of its rules is protego's: left to itself, protego keeps every rule once for each
agent named above it, and a 500 KiB file of agents and rules takes it minutes.
"""

import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from protego import Protego

MAX_BYTES = 500 * 1024  # RFC 9309, 2.5: parse at least 500 KiB; what comes after is not read
FRESH_SECONDS = 24 * 3600  # RFC 9309, 2.4: don't use a cached answer for longer, unless the host is unreachable
_MAX_PACKED = 300_000  # bytes; a DynamoDB item holds 400 KB with all its attributes
_AGENT_LINE = re.compile(r"user[- ]?agent(?:\s*:|\s)(.*)", re.IGNORECASE)

_US, _OTHERS = "us", "others"

Verdict = Literal["rules", "allow", "disallow"]


class Robots(msgspec.Struct, frozen=True, array_like=True):
    """What one host answered: its rules, or leave or refusal for everything. Equal for equal answers; store `pack`."""

    verdict: Verdict
    body: bytes = b""

    def allows(self, url: str, agent: str) -> bool:
        """Whether `agent` (a product token or a whole User-Agent) may fetch `url`."""
        if self.verdict != "rules":
            return self.verdict == "allow" or urlsplit(url).path == "/robots.txt"
        return _rules(self.body, agent).can_fetch(url, _US)

    def crawl_delay(self, agent: str) -> float | None:
        """Seconds to leave between two fetches of `agent` on this host; None if it doesn't say."""
        return _rules(self.body, agent).crawl_delay(_US) if self.verdict == "rules" else None

    def sitemaps(self) -> tuple[str, ...]:
        """The sitemap URLs it names, in order, as written."""
        return tuple(_rules(self.body, "*").sitemaps) if self.verdict == "rules" else ()


ALLOW_ALL = Robots("allow")
DISALLOW_ALL = Robots("disallow")


def parse(body: bytes) -> Robots:
    """The rules of a robots.txt, of which the first 500 KiB count. Never raises: junk is no rule."""
    return Robots("rules", _whole_lines(body, MAX_BYTES))


def from_answer(status: int | None, body: bytes = b"") -> Robots:
    """What an answer to GET /robots.txt means (RFC 9309, 2.3.1), after redirects.

    2xx: its rules. 3xx (too many of them) and 4xx: there are none, all is allowed. 5xx and None, for no answer: nothing
    is allowed now; the caller keeps the older rules if it has some, and asks again later.
    """
    if status is not None and 200 <= status < 300:
        return parse(body)
    return ALLOW_ALL if status is not None and 300 <= status < 500 else DISALLOW_ALL


def location(url: str) -> str:
    """The URL of the robots.txt that governs an absolute http(s) `url`: one per scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/robots.txt"


def pack(robots: Robots) -> bytes:
    """`robots` compressed for a State item; a file that compresses badly loses its end rather than its item."""
    packed = zlib.compress(msgspec.msgpack.encode(robots), 9)
    while len(packed) > _MAX_PACKED:
        robots = Robots(robots.verdict, _whole_lines(robots.body, len(robots.body) // 2))
        packed = zlib.compress(msgspec.msgpack.encode(robots), 9)
    return packed


def unpack(packed: bytes) -> Robots:
    """The inverse of `pack`."""
    return msgspec.msgpack.decode(zlib.decompress(packed), type=Robots)


def _whole_lines(body: bytes, limit: int) -> bytes:
    """At most `limit` bytes of `body`, cut at a line's end: half a rule would be another rule."""
    if len(body) <= limit:
        return body
    return body[: max(body.rfind(b"\n", 0, limit), body.rfind(b"\r", 0, limit)) + 1]


@lru_cache(maxsize=64)
def _rules(body: bytes, agent: str) -> Protego:
    products = " ".join(word for word in agent.lower().split() if "://" not in word and "@" not in word)
    return Protego.parse("\n".join(_ours(_text(body).splitlines(), products)))


def _ours(lines: list[str], agent: str) -> Iterator[str]:
    """The lines with our group's name made `_US` and all others' `_OTHERS`.

    Our group is the one with the longest name in `agent` (protego's rule: a User-Agent may name several products). A
    line that names several agents, as some write, means each of them.
    """
    lines = [line.partition("#")[0].strip() for line in lines]
    named = [match[1].lower().split() if (match := _AGENT_LINE.match(line)) else None for line in lines]
    best = max((_score(name, agent) for names in named for name in names or ()), default=0)
    for line, names in zip(lines, named, strict=True):
        if names is None:
            yield line
        for name in names or ():
            ours = best and _score(name, agent) == best
            yield f"user-agent: {_US if ours else '*' if name == '*' else _OTHERS}"


def _score(name: str, agent: str) -> int:
    """The length of the product token `name` if it stands in `agent` at a token's beginning; 0 if it doesn't."""
    name = name.replace("*", "")
    at = agent.find(name) if name else -1
    while at > 0 and (agent[at - 1].isalnum() or agent[at - 1] in "-_"):
        at = agent.find(name, at + 1)
    return len(name) if at >= 0 else 0


def _text(body: bytes) -> str:
    """robots.txt is UTF-8 (RFC 9309, 2.2); a byte order mark is no part of the first line, and may name UTF-16."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", "replace")
    return body.decode("utf-8-sig", "replace")
