"""The publish job: what was committed since the last run becomes editions, lists, feeds and pages.

The story of a run: ask the table's index what changed; merge each day that did into its edition, however long ago it
was; render the pages of each source that did; write the manifest last. Killed anywhere, the next run sees the same
changes and writes the same bytes; what stays the same is not written at all.

It asks S3 for each changed document and, per day that changed, for the edition so far; it writes two files per day,
four per source, two pages and the manifest. Nothing new costs one small read and a query.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from broadsheet import pages
from broadsheet.dynamo import instant
from broadsheet.editions import Editions, Manifest
from broadsheet.hosts import BusyError, Hosts
from broadsheet.pages import Standing
from broadsheet.polling import PollState
from broadsheet.polls import Polls
from broadsheet.source import Source, Sources
from broadsheet.store import Articles, Change

Status = Literal["written", "unchanged", "removed", "unfinished", "busy"]

LATEST = 100  # articles on a source's pages, as the seed's job listed
CHART_DAYS = 30
QUIET_DAYS = 7
OVERLAP = 600.0  # seconds looked at again: the index shows a commit later than it is made, if seldom by a second
FIRST_LOOK = 30 * 86400.0  # how far back a first run looks
SAVE_AFTER = 3600.0  # seconds: without changes the manifest is written once an hour, so that the next look is short
TIME_FOR_A_DAY = 120.0  # seconds before the deadline to begin another edition
TURN = "publish"  # runs one at a time: editions and manifest are read, merged and written

_TYPES = {"html": "text/html", "md": "text/markdown", "xml": "application/atom+xml", "json": "application/feed+json"}

log = logging.getLogger("broadsheet.publish")


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of an edition or a page."""

    status: Status
    key: str = ""
    articles: int = 0
    bytes: int = 0


class Publisher:
    """One run of the job. `clock` gives epoch seconds, `deadline` is on it; `base` is where the pages are served."""

    def __init__(
        self,
        *,
        articles: Articles,
        editions: Editions,
        polls: Polls,
        hosts: Hosts,
        sources: Sources,
        clock: Callable[[], float],
        deadline: float,
        base: str = "",
    ) -> None:
        self._articles = articles
        self._editions = editions
        self._polls = polls
        self._hosts = hosts
        self._sources = sources
        self._clock = clock
        self._deadline = deadline
        self._base = base

    def run(self, *, everything: bool = False) -> list[Outcome]:
        """Publish what changed; with `everything`, render every source's pages whether it changed or not."""
        try:
            turn = self._hosts.take(TURN, now=self._clock())
        except BusyError:
            outcomes = [Outcome(status="busy")]
        else:
            try:
                outcomes = list(self._publish(everything))
            finally:
                self._hosts.give_back(turn, next_at=self._clock())
        for outcome in outcomes:
            log.info(outcome.status, extra=msgspec.to_builtins(outcome))
        return outcomes

    def _publish(self, everything: bool) -> Iterator[Outcome]:
        before = manifest = self._editions.manifest()
        until = self._clock()
        since = _epoch(manifest.through) - OVERLAP if manifest.through else until - FIRST_LOOK
        changes = list(self._articles.changes(since, until))
        for day, changed in sorted(_by_day(changes).items()):
            if self._clock() + TIME_FOR_A_DAY > self._deadline:
                yield Outcome(status="unfinished", key=day)
                self._editions.save(manifest)
                return
            manifest, outcome = self._edition(manifest, day, changed)
            yield outcome
        through = instant(datetime.fromtimestamp(until, UTC))
        for key, body in self._pages(manifest, {change.source for change in changes}, everything, until):
            manifest, outcome = self._page(manifest, key, body)
            yield outcome
        for key in sorted(manifest.pages.keys() - self._keys()):
            self._editions.remove_page(key)
            manifest = _with_page(manifest, key, None)
            yield Outcome(status="removed", key=key)
        looked = _epoch(before.through) if before.through else 0.0
        if manifest != before or until - looked > (OVERLAP if changes else SAVE_AFTER):
            self._editions.save(msgspec.structs.replace(manifest, through=through))

    # ---- editions ------------------------------------------------------------------------------------------------

    def _edition(self, manifest: Manifest, day: str, changed: list[Change]) -> tuple[Manifest, Outcome]:
        """Take a day's changes into its edition; those that a run which died afterwards had taken in are left out."""
        there = manifest.editions.get(day)
        if there:
            known = _epoch(there.changed_at) - OVERLAP
            changed = [change for change in changed if _epoch(change.at) >= known]
            if not changed:
                return manifest, Outcome(status="unchanged", key=day, articles=there.articles)
        newest = max([change.at for change in changed] + ([there.changed_at] if there else []))
        keys = {change.id: change.s3_key for change in changed}
        gone = {change.id for change in changed if change.gone}
        made = self._editions.merge(day, there, keys, fetch=self._articles.bodies, changed_at=newest, gone=gone)
        if made is None:  # whether the manifest knows of its files or not: a run may have died that wrote them
            self._editions.remove(day)
            left = {known: edition for known, edition in manifest.editions.items() if known != day}
            status: Status = "removed" if there else "unchanged"
            return msgspec.structs.replace(manifest, editions=left), Outcome(status=status, key=day)
        if made == there:
            return manifest, Outcome(status="unchanged", key=day, articles=made.articles)
        size = made.jsonl.bytes + made.parquet.bytes
        outcome = Outcome(status="written", key=day, articles=made.articles, bytes=size)
        return msgspec.structs.replace(manifest, editions={**manifest.editions, day: made}), outcome

    # ---- pages ---------------------------------------------------------------------------------------------------

    def _pages(
        self, manifest: Manifest, changed: set[str], everything: bool, now: float
    ) -> Iterator[tuple[str, str | bytes]]:
        """Key and content of each page that may have changed."""
        standings = self._standings(manifest, now)
        for source in self._sources.sources:
            folder = f"pages/{source.id}/"
            if everything or source.id in changed or f"{folder}index.html" not in manifest.pages:
                records = self._articles.newest(source.id, LATEST)
                base = f"{self._base}/{source.id}/" if self._base else ""
                yield f"{folder}index.html", pages.source_page(source, records)
                yield f"{folder}latest.md", pages.markdown(source, records, ZoneInfo(source.timezone or "UTC"))
                yield f"{folder}feed.xml", pages.atom(source, records, base=base)
                yield f"{folder}feed.json", pages.json_feed(source, records, base=base)
        yield "pages/index.html", pages.index(standings)
        yield "pages/health.html", pages.health(standings)

    def _page(self, manifest: Manifest, key: str, body: str | bytes) -> tuple[Manifest, Outcome]:
        data = body.encode("utf-8") if isinstance(body, str) else body
        digest = hashlib.sha256(data).hexdigest()
        if manifest.pages.get(key) == digest:
            return manifest, Outcome(status="unchanged", key=key)
        self._editions.put_page(key, data, f"{_TYPES[key.rpartition('.')[2]]}; charset=utf-8")
        return _with_page(manifest, key, digest), Outcome(status="written", key=key, bytes=len(data))

    def _keys(self) -> set[str]:
        names = ("index.html", "latest.md", "feed.xml", "feed.json")
        own = {f"pages/{source.id}/{name}" for source in self._sources.sources for name in names}
        return own | {"pages/index.html", "pages/health.html"}

    def _standings(self, manifest: Manifest, now: float) -> list[Standing]:
        today = datetime.fromtimestamp(now, UTC).date()
        days = [f"{today - timedelta(days=ago):%Y-%m-%d}" for ago in reversed(range(CHART_DAYS))]
        states = self._polls.states([source.id for source in self._sources.sources])
        return [_standing(source, manifest, days, states.get(source.id)) for source in self._sources.sources]


def _standing(source: Source, manifest: Manifest, days: list[str], poll: PollState | None) -> Standing:
    with_some = (day for day in sorted(manifest.editions, reverse=True) if source.id in manifest.editions[day].sources)
    newest = next(with_some, None)
    state: pages.Health = "well"
    if poll and poll.failing_since is not None:
        state = "failing"
    elif newest is None and (poll is None or poll.polled_at is None):
        state = "new"
    elif newest is None or newest < days[-QUIET_DAYS]:
        state = "quiet"
    counts = {day: manifest.editions[day].sources.get(source.id, 0) for day in days if day in manifest.editions}
    return Standing(
        source=source,
        days=tuple((day, counts.get(day, 0)) for day in days),
        state=state,
        newest=newest,
        reason=poll.reason if poll else "",
        since=poll.failing_since if poll else None,
    )


def _with_page(manifest: Manifest, key: str, digest: str | None) -> Manifest:
    kept = {name: value for name, value in manifest.pages.items() if name != key}
    return msgspec.structs.replace(manifest, pages=kept | ({key: digest} if digest else {}))


def _by_day(changes: list[Change]) -> dict[str, list[Change]]:
    days: dict[str, list[Change]] = {}
    for change in changes:
        days.setdefault(change.day, []).append(change)
    return days


def _epoch(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
