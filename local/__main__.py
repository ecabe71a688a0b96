"""`make run`: the pipeline over the sample site, a real feed (--feed URL) or seed documents (--seed FILE)."""

import argparse
import hashlib
import ipaddress
import re
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from broadsheet.errors import BroadsheetError
from broadsheet.importer import import_documents
from broadsheet.source import Source
from broadsheet.store import StoredArticle
from local.pipeline import CHANNELS, Pipeline, free, say
from local.site import SampleSite

OUT = Path("out")
LOOPBACK = "127.0.0.0/8"
SITE_PORT = 8801  # and the next three: fixed, so that a second run finds the same addresses
IN_HURRY = {"FetchSeconds": "2", "RetryDelay": "2"}  # the sample site is near, and nobody wants to wait for a minute


def main(arguments: list[str] | None = None) -> int:
    """Run; return 0 if everything came to its end."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--feed", metavar="URL", help="read this feed instead of the sample site")
    which.add_argument("--seed", metavar="FILE", type=Path, help="import this seed document, or a folder of them")
    given = parser.parse_args(arguments)
    try:
        if given.feed:
            return feed(given.feed, OUT)
        return seed(given.seed, OUT) if given.seed else sample(OUT)
    except BroadsheetError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\ninterrupted; what was done so far is kept in out/, and the next run goes on from there", file=sys.stderr
        )
        return 130


def sample(out: Path, port: int = SITE_PORT) -> int:
    """Read the sample site's four newspapers."""
    if not free(*range(port, port + 4)):
        say(f"Ports {port} to {port + 3} are taken: the site has new addresses, so its articles count as new.")
        port = 0
    with SampleSite(stall=5, port=port) as site:
        sources = site.sources(tuple(CHANNELS), delay=0.2, announce_first=100)
        for source in sources:
            say(f"{source['name']}: {source['url']}")
        return _poll(sources, out, networks=LOOPBACK, parameters=IN_HURRY, timeout=50)


def feed(url: str, out: Path) -> int:
    """Read one real feed, as politely as in production."""
    host = urlsplit(url).hostname or ""
    source: dict[str, object] = {
        "id": _source_id(host, url),
        "name": host,
        "url": url,
        "kind": "sitemap" if "sitemap" in url.rsplit("/", 1)[-1] else "feed",
        "channels": list(CHANNELS),
        "announce_first": 100,
    }
    return _poll([source], out, networks=LOOPBACK if _is_loopback(host) else "", parameters={}, timeout=1800)


def seed(path: Path, out: Path) -> int:
    """Import seed documents, as an archive's owner would."""
    source = Source(id="seed", name="Seed", url="https://seed.invalid/", channels=tuple(CHANNELS))
    listed = {"id": source.id, "name": source.name, "url": source.url, "channels": list(source.channels)}
    with Pipeline([listed], out) as pipeline:
        before, articles = pipeline.counts(), pipeline.articles()
        outcomes = list(import_documents([path], articles, source, announce=True, clock=time.time))
        idle = pipeline.run(timeout=120)
        for outcome in outcomes:
            say(f"{outcome.status:<10}{outcome.path}  {outcome.reason}".rstrip())
            record = articles.record(outcome.id) if outcome.id else None
            if record and record.s3_key and len(outcomes) <= 3:
                _show(articles.read(record.s3_key))
        texts = [post.payload["text"] for post in pipeline.receiver.accepted if "text" in post.payload]
        if texts and len(outcomes) <= 3:
            say("\n" + "\n\n".join(texts))
        refused = bool(outcomes) and all(outcome.status == "skipped" for outcome in outcomes)
        return _finish(pipeline, before, idle) or int(refused)


def _poll(
    sources: list[dict[str, object]], out: Path, *, networks: str, parameters: dict[str, str], timeout: float
) -> int:
    began = time.monotonic()
    with Pipeline(sources, out, networks=networks, parameters=parameters) as pipeline:
        say(f"{len(pipeline.aws.stack.resources)} resources are there after {time.monotonic() - began:.1f} s.\n")
        before = pipeline.counts()
        pipeline.aws.fire("DiscoverFunctionPoll", {"job": "poll", "force": True})
        idle = pipeline.run(timeout - (time.monotonic() - began))
        say(f"\n{pipeline.ledger.table()}")
        for line in pipeline.ledger.reasons():
            say(line)
        say(f"\nIt took {time.monotonic() - began:.0f} s.")
        return _finish(pipeline, before, idle)


def _finish(pipeline: Pipeline, before: dict[str, int], idle: bool) -> int:
    after, out = pipeline.counts(), pipeline.out
    new = {what: after[what] - before[what] for what in after}
    say(f"\nPosted: {pipeline.ledger.posted()}.")
    say("Look at:")
    for place, what in (
        (f"{out}/bucket/articles/", f"{after['objects']} articles, {new['objects']} of them new"),
        (
            f"{out}/bucket/pages/index.html",
            f"to read; with feeds and editions {after['published']} files, {new['published']} of them new",
        ),
        (f"{out}/tables/ArticlesTable.json", f"{after['records']} records, {new['records']} of them new"),
        (f"{out}/posts/", f"{after['posts']} posts, {new['posts']} of them new"),
        (f"{out}/log.jsonl", "what the functions logged in this run"),
    ):
        say(f"  {place:<34}{what}")
    left = pipeline.left()
    if idle and not left:
        return 0
    say("\nNot everything came to its end:" if left else "\nThe time was up before everything had come to its end.")
    for line in left:
        say(f"  {line}")
    return 1


def _show(article: StoredArticle) -> None:
    paragraphs = sum(block.kind == "paragraph" for block in article.blocks)
    for name, value in (
        ("title", article.title),
        ("published", f"{article.published_at:%Y-%m-%dT%H:%M:%SZ}" if article.published_at else "unknown"),
        ("image", article.images[0].url if article.images else "none"),
        ("lead", article.standfirst or "none"),
        ("paragraphs", str(paragraphs)),
        ("summary", article.summary),
    ):
        say(f"  {name:<12}{value}")


def _source_id(host: str, url: str) -> str:
    """An id that stays the feed's own from run to run."""
    name = re.sub("[^a-z0-9]+", "-", host.lower()).strip("-")[:48] or "feed"
    return f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:6]}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
