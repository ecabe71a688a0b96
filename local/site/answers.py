"""What a host answers to a request, decided without doing any I/O: pages, feeds, robots.txt and the misbehaviour."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

import msgspec

from local.site import feeds, pages, pictures
from local.site.publication import Publication, Story

CRAWL_DELAY = 1  # seconds between two requests, which the Anzeiger's robots.txt asks for
RETRY_AFTER = 2  # seconds to stay away, which the daily's 429 asks for


class Reply(msgspec.Struct, frozen=True):
    """What a host answers; `wait` in seconds before it does."""

    status: int
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = {}
    wait: float = 0


def answer(
    publication: Publication, base: str, target: str, headers: Mapping[str, str], *, first: bool, stall: float
) -> Reply:
    """The answer to a request for `target` (path and query); `first`: nobody has asked for it before.

    `headers` are the request's; `stall` is how long (seconds) the slow page waits the first time.
    """
    path = target.partition("?")[0]
    if path == "/":
        return Reply(200, pages.front(publication, base), pages.CONTENT_TYPE[publication.shape])
    if path == "/robots.txt":
        return _robots(publication, base)
    if path == publication.feed_path:
        body = feeds.feed(publication, base)
        return _fresh(body, feeds.CONTENT_TYPE[publication.shape], feeds.last_changed(publication), headers)
    for story in publication.stories:
        if path == publication.path(story):
            return _story(publication, story, base, first, stall)
        if path == story.picture_path:
            return Reply(200, pictures.png(story.slug), "image/png", {"Cache-Control": "max-age=86400"})
        if path in publication.links(story):
            return Reply(301, headers={"Location": publication.path(story)})
    return Reply(404, b"<!doctype html><title>404</title><h1>Not found</h1>")


def _story(publication: Publication, story: Story, base: str, first: bool, stall: float) -> Reply:
    if story.answer == "forbidden":
        return Reply(403, b"<!doctype html><title>403</title><h1>Forbidden</h1>")
    if story.answer == "missing":
        return Reply(404, b"<!doctype html><title>404</title><h1>This story has sailed</h1>")
    if story.answer == "busy" and first:
        return Reply(429, b"<!doctype html><title>429</title>", headers={"Retry-After": str(RETRY_AFTER)})
    wait = stall if story.answer == "slow" and first else 0
    return Reply(200, pages.page(publication, story, base), pages.CONTENT_TYPE[publication.shape], wait=wait)


def _robots(publication: Publication, base: str) -> Reply:
    if publication.shape == "daily":
        return Reply(404, b"<!doctype html><title>404</title>")
    lines = ["User-agent: *"]
    if publication.shape == "anzeiger":
        lines += ["Disallow: /intern/", f"Crawl-delay: {CRAWL_DELAY}", "", f"Sitemap: {base}{publication.feed_path}"]
    else:
        lines += ["Allow: /"]
    return Reply(200, "\n".join((*lines, "")).encode(), "text/plain; charset=utf-8")


def _fresh(body: bytes, content_type: str, changed: datetime, headers: Mapping[str, str]) -> Reply:
    """The body with its validators, or 304 to a client that has it (RFC 9110, § 13.2.2: the entity tag decides)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    validators = {"ETag": tag, "Last-Modified": format_datetime(changed, usegmt=True), "Cache-Control": "max-age=300"}
    asked = {name.lower(): value for name, value in headers.items()}
    if "if-none-match" in asked:
        known = tag in [candidate.strip().removeprefix("W/") for candidate in asked["if-none-match"].split(",")]
    elif "if-modified-since" in asked:
        known = parsedate_to_datetime(asked["if-modified-since"]) >= changed.replace(microsecond=0)
    else:
        known = False
    return Reply(304, headers=validators) if known else Reply(200, body, content_type, validators)
