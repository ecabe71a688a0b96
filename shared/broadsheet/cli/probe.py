"""One source asked once, for a person to see: what it is, what a poll would make of it, entry by entry."""

import time
from datetime import datetime

import msgspec
from msgspec.structs import replace

from broadsheet import discover, intake, polling, urls, websub
from broadsheet.errors import BroadsheetError
from broadsheet.feeds import Entry, Feed, FeedError, autodiscovery
from broadsheet.feeds.autodiscovery import FeedLink
from broadsheet.fetch import Client, Response
from broadsheet.polling import PollOutcome, PollState
from broadsheet.polls import Window
from broadsheet.source import Source


class ProbeError(BroadsheetError):
    """There is no source at `subject`."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a poll does with an entry: `announce`, `store` (without telling a channel), or why it leaves it."""

    verdict: str
    url: str | None
    title: str
    published_at: datetime | None
    full_text: bool


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, as a source that could be added. `minutes` until it would be asked again.

    `links` are the feeds that the page named, if it was a page that was asked for; the first was taken.
    """

    source: Source
    feed: str
    title: str
    encoding: str
    language: str | None
    ttl_minutes: int | None
    update_minutes: int | None
    hub: str | None
    self_url: str | None
    next_url: str | None
    moved_to: str | None
    minutes: float
    warnings: tuple[str, ...]
    children: tuple[str, ...]
    links: tuple[FeedLink, ...]
    verdicts: tuple[Verdict, ...]


def discovered(url: str, client: Client) -> tuple[Source, Feed, Response, tuple[FeedLink, ...]]:
    """The feed or sitemap at `url`, or the first feed that the page there names; ProbeError if it names none."""
    source = Source(id="new", name=url, url=url)
    response = client.get(url)
    try:
        return source, discover.read(source, response), response, ()
    except FeedError as error:
        if error.reason == "not-a-feed":
            source = replace(source, kind="sitemap")
            return source, discover.read(source, response), response, ()
        links = autodiscovery.find(response.body, url=response.url)
        if not links:
            hint = "no feed, and the page names none; a listing needs `kind: listing` and `select` in the sources file"
            raise ProbeError(url, error.reason, hint) from error
    source = replace(source, url=links[0].url)
    response = client.get(source.url)
    return source, discover.read(source, response), response, links


def probe(url: str, client: Client) -> Probe:
    """What `url` would be as a source."""
    source, feed, response, links = discovered(url, client)
    source = replace(source, name=feed.title or urls.host_key(source.url), language=feed.language)
    feed = _with_children(source, feed, client)
    picked = intake.pick(feed, source, None)
    if not source.off_site and not picked.send and "off-site" in picked.skipped:
        source = replace(source, off_site=True)  # its feed lives elsewhere than all of its articles
    return examined(source, feed, response, links=links)


def probe_source(
    source: Source, client: Client, *, window: Window | None = None, state: PollState | None = None
) -> Probe:
    """What a poll would make now of a source in the file, given what the deployment remembers of it."""
    state = state or PollState()
    response = client.get(
        polling.address(state, source.url), headers={"User-Agent": source.user_agent} if source.user_agent else None
    )
    feed = _with_children(source, discover.read(source, response), client)
    return examined(source, feed, response, window=window, state=state)


def examined(
    source: Source,
    feed: Feed,
    response: Response,
    *,
    window: Window | None = None,
    state: PollState | None = None,
    links: tuple[FeedLink, ...] = (),
) -> Probe:
    """The verdict on every entry of a feed, in its own order."""
    state = state or PollState()
    now = time.time()
    allowance = polling.allowance(state, source, now=now)
    picked = intake.pick(feed, source, window, last_new=state.changed_at or 0.0, allowance=allowance)
    verdicts = {id(entry): reason for entry, reason in picked.left}
    verdicts |= {id(entry): "announce" if url in picked.announce else "store" for url, entry in picked.send}
    outcome = PollOutcome(
        kind="changed",
        new=len(picked.send),
        ttl_minutes=max(feed.ttl_minutes or 0, feed.update_minutes or 0) or None,
        fresh_for=polling.freshness(response.headers, now=now),
    )
    named = websub.named(feed, response.headers, url=response.url)
    planned = polling.plan(state, outcome, source, now=now)
    return Probe(
        source=source,
        feed=feed.kind,
        title=feed.title,
        encoding=feed.encoding,
        language=feed.language,
        ttl_minutes=feed.ttl_minutes,
        update_minutes=feed.update_minutes,
        hub=named.hub if named else feed.hub,
        self_url=named.topic if named else feed.self_url,
        next_url=feed.next_url,
        moved_to=response.permanent_url,
        minutes=round((planned.next_at - now) / 60, 1),
        warnings=feed.warnings,
        children=feed.children,
        links=links,
        verdicts=tuple(_verdict(entry, verdicts[id(entry)]) for entry in feed.entries),
    )


def _verdict(entry: Entry, verdict: str) -> Verdict:
    return Verdict(
        verdict=verdict,
        url=entry.url,
        title=entry.headline,
        published_at=entry.published_at or entry.updated_at,
        full_text=bool(entry.html),
    )


def _with_children(source: Source, feed: Feed, client: Client) -> Feed:
    """A sitemap index with the entries of its newest sitemap, which says what the others are like."""
    if not feed.children:
        return feed
    time.sleep(min(source.delay, 1.0))
    newest = discover.read(source, client.get(feed.children[0]))
    return replace(feed, entries=newest.entries, warnings=feed.warnings + newest.warnings)
