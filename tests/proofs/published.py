"""What readers and analysts must find: each article in its day's edition, on its source's pages, nothing by halves."""

import hashlib
from typing import Any

import msgspec
import zstandard

from broadsheet.editions import MANIFEST, Manifest, Row
from tests.proofs.backstage import Backstage


def faults_of(backstage: Backstage, stored: list[dict[str, Any]], gone: frozenset[str]) -> list[str]:
    """What is wrong with editions and pages, of the records `stored` by now and the titles that are `gone`."""
    everything = backstage.versions()
    there = {key: bodies[-1] for key, bodies in everything.items()}
    manifest = msgspec.json.decode(there.get(MANIFEST, b"{}"), type=Manifest)
    return [
        *_editions(manifest, there, stored),
        *_pages(manifest, there, stored),
        *(f"still told of {title}: {key}" for key, body in there.items() for title in gone if _says(key, body, title)),
        *(f"by halves: {key}" for key, bodies in everything.items() for body in bodies if not _is_whole(key, body)),
    ]


def _editions(manifest: Manifest, there: dict[str, bytes], stored: list[dict[str, Any]]) -> list[str]:
    wrong: list[str] = []
    days: dict[str, list[str]] = {}  # by article
    for day, edition in manifest.editions.items():
        for file in (edition.jsonl, edition.parquet):
            body = there.pop(file.key, b"")
            if (len(body), hashlib.sha256(body).hexdigest()) != (file.bytes, file.sha256):
                wrong.append(f"not as the manifest says: {file.key}")
            if file is edition.jsonl:
                for line in _lines(body):
                    days.setdefault(msgspec.json.decode(line, type=Row).id, []).append(day)
                    if line not in there.values():
                        wrong.append(f"an edition of {day} with an article as it is no more")
    for record in stored:
        day = record["s3_key"].partition("date=")[2].partition("/")[0]
        if days.pop(record["id"], []) != [day]:
            wrong.append(f"not in the edition of {day}, or in others: {record['title']}")
    wrong += [f"in an edition, and nowhere else: {id}" for id in days]
    wrong += [f"of no edition: {key}" for key in there if key.startswith("editions/") and key != MANIFEST]
    return wrong


def _pages(manifest: Manifest, there: dict[str, bytes], stored: list[dict[str, Any]]) -> list[str]:
    pages = {key: hashlib.sha256(body).hexdigest() for key, body in there.items() if key.startswith("pages/")}
    wrong = [f"not as the manifest says: {key}" for key, _ in pages.items() ^ manifest.pages.items()]
    return wrong + [
        f"not on its source's {name}: {record['title']}"
        for record in stored
        for name in ("index.html", "latest.md", "feed.xml", "feed.json")
        if record["title"].encode() not in there.get(f"pages/{record['source']}/{name}", b"")
    ]


def _lines(body: bytes) -> list[bytes]:
    return zstandard.ZstdDecompressor().decompressobj().decompress(body).splitlines()


def _says(key: str, body: bytes, title: str) -> bool:
    return title.encode() in (b"".join(_lines(body)) if key.endswith(".zst") else body)


def _is_whole(key: str, body: bytes) -> bool:
    try:
        if key.endswith(".json"):
            msgspec.json.decode(body)
        elif key.endswith(".zst"):
            _lines(body)
    except (msgspec.DecodeError, zstandard.ZstdError):
        return False
    ends = {"html": b"</html>", "xml": b"</feed>", "parquet": b"PAR1"}.get(key.rpartition(".")[2], b"")
    return body.rstrip().endswith(ends)
