"""The benchmark's other side, in a process of its own: papers that serve feeds, and an AWS that counts.

Papers: of ten, six answer 304 to their ETag, three send the same body again without any validator, and one has two new
entries. The AWS answers what discover asks in the wire's own words and keeps what it is given; of conditions it knows
nothing, since here no two workers meet. Units are counted as `tests.benchmarks.cost.meter` counts them.
"""

import asyncio
import json
import multiprocessing
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from tests.benchmarks.cost.meter import size_of

ENTRIES, NEW = 20, 2
TEXT = "The council met again and the harbour stayed open, said the keeper, who counts the boats every evening. " * 4


def feed(n: int, *, new: int = 0) -> bytes:
    """The feed of paper `n`, about 14 KB, when it has published so many stories more."""
    site = f"http://s{n}.example"
    items = "".join(
        f"<item><title>Report {i} of paper {n}</title><link>{site}/2026/11/report-{i}-of-the-harbour</link>"
        f"<guid isPermaLink='false'>{n}-{i}</guid><pubDate>Wed, 18 Nov 2026 08:{i:02}:00 GMT</pubDate>"
        f"<description>{TEXT}</description></item>"
        for i in range(ENTRIES + new, new, -1)
    )
    return f"<rss version='2.0'><channel><title>Paper</title><link>{site}/</link>{items}</channel></rss>".encode()


def is_changed(n: int) -> bool:
    return n % 10 == 0


def has_etag(n: int) -> bool:
    return n % 10 < 7


def _answer(n: int, *, conditional: bool) -> bytes:
    if has_etag(n) and not is_changed(n) and conditional:
        return b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'
    tag = 'ETag: "1"\r\n' if has_etag(n) else ""
    return _said(feed(n, new=NEW if is_changed(n) else 0), f"Content-Type: application/rss+xml\r\n{tag}")


def _said(body: bytes, headers: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


class _Aws:
    def __init__(self) -> None:
        self.items: dict[str, Any] = {}
        self.shares: list[str] = []
        self.counts: defaultdict[str, float] = defaultdict(float)

    def answer(self, target: str, asked: Any) -> Any:
        operation = target.rpartition(".")[2]
        if operation == "Counts":
            counts, self.counts = self.counts, defaultdict(float)
            return counts
        if operation == "Shares":
            return self.shares
        self.counts["calls"] += 1
        self.counts[operation] += 1
        return getattr(self, f"_{operation}")(asked)

    def _BatchGetItem(self, asked: Any) -> Any:  # noqa: N802 - AWS's names
        ((table, keys),) = asked["RequestItems"].items()
        found = [item for key in keys["Keys"] if (item := self.items.get(_key(key)))]
        self.counts["reads"] += sum(-(-size_of(item) // 4096) for item in found) / 2
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def _GetItem(self, asked: Any) -> Any:  # noqa: N802
        item = self.items.get(_key(asked["Key"]))
        self.counts["reads"] += max(1, -(-size_of(item) // 4096)) / (1 if asked.get("ConsistentRead") else 2)
        return {"Item": item} if item else {}

    def _PutItem(self, asked: Any) -> Any:  # noqa: N802
        self._write(asked["Item"], asked["Item"])
        return {}

    def _UpdateItem(self, asked: Any) -> Any:  # noqa: N802
        held = self.items.get(_key(asked["Key"]), {})
        until = asked["ExpressionAttributeValues"].get(":until", {"N": "0"})
        names = {"owner": {"S": "x" * 50}, "lease_until": until, "next_at": until}
        self._write(asked["Key"], {**held, **asked["Key"], **names})
        return {"Attributes": self.items[_key(asked["Key"])]}

    def _SendMessage(self, asked: Any) -> Any:  # noqa: N802
        self.shares.append(asked["MessageBody"])
        return {"MessageId": "m", "MD5OfMessageBody": ""}

    def _SendMessageBatch(self, asked: Any) -> Any:  # noqa: N802
        self.counts["messages"] += len(asked["Entries"])
        accepted = [{"Id": e["Id"], "MessageId": "m", "MD5OfMessageBody": ""} for e in asked["Entries"]]
        return {"Successful": accepted, "Failed": []}

    def _write(self, key: Any, item: Any) -> None:
        before = self.items.get(_key(key))
        self.counts["writes"] += max(-(-size_of(item) // 1024), -(-size_of(before) // 1024))
        self.items[_key(key)] = item


def _key(item: Any) -> str:
    return f"{item['pk']['S']} {item['sk']['S']}"


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes] | None:
    """The path, headers and body of the next request."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    return head[0].split(" ")[1], headers, await reader.readexactly(int(headers.get("content-length", 0)))


async def _serve(ports: Connection) -> None:
    aws = _Aws()

    async def paper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await _request(reader):
            path, headers, _ = request
            writer.write(_answer(int(path.strip("/")), conditional="if-none-match" in headers))
        writer.close()

    async def cloud(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await _request(reader):
            path, headers, body = request
            said = aws.answer(headers.get("x-amz-target", path), json.loads(body or b"{}"))
            writer.write(_said(json.dumps(said).encode(), "Content-Type: application/x-amz-json-1.0\r\n"))
        writer.close()

    servers = [await asyncio.start_server(handler, "127.0.0.1", 0, backlog=1000) for handler in (paper, cloud)]
    ports.send([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.gather(*(server.serve_forever() for server in servers))


def _run(ports: Connection) -> None:
    asyncio.run(_serve(ports))


@contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """The ports of the papers and of the AWS, whose `/.Counts` and `/.Shares` tell what it was asked and given."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_run, args=(theirs,), daemon=True)
    server.start()
    try:
        papers, aws = ours.recv()
        yield papers, aws
    finally:
        server.terminate()
        server.join()
