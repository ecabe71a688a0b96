"""The discover job: sources that are due in; messages for new articles out.

The story of a poll: under the host's turn, ask the feed with what we remember of it; if its body changed, pick the
entries it hasn't shown before; send a message for each; then remember them as shown; then, last, how the source stands
(validators, next time). Killed anywhere in between, the same entries are found and sent again.

A run asks one share of the sources, many hosts at once, until its time is up; what is due beyond that it leaves to runs
that start meanwhile (`shares`).
"""

import hashlib
import logging
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Literal

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import feeds, polling, queue, urls
from broadsheet.feeds import Entry, Feed, FeedError, autodiscovery, listing, sitemap
from broadsheet.feeds.identity import entry_keys
from broadsheet.fetch import Client, FetchError, FetchTransient, Response
from broadsheet.hosts import BusyError, Hosts, Turn
from broadsheet.polling import Notice, PollOutcome, PollState
from broadsheet.polls import Polls, Window
from broadsheet.queue import ArticleMessage, FeedEntry, Queue
from broadsheet.shares import Share, Shares, dealt
from broadsheet.source import Source, Sources

Status = Literal["found", "nothing-new", "not-modified", "failed", "busy", "incomplete", "unfinished"]

MAX_HOSTS = 32  # polled at once: polling is waiting
TIME_FOR_A_POLL = 40.0  # seconds before the deadline: a slow feed, its parsing, the sends
FIRST_PAUSE, MAX_PAUSE = 30.0, 600.0  # seconds a host in trouble is left alone, doubling, unless it asks for more
NEWS_TAKES = 3600.0  # seconds until an article stands in its sitemap, at most: so much of a backlog counts as news
FLOOD = 10  # entries, all of them unknown, of a source that isn't: fewer are an hour's news, or a short feed's
UNREAD = "unread"  # a warning's beginning: a sitemap of an index could not be read
MAX_CHILDREN = 10  # sitemaps of an index read in one poll, newest first
MAX_ENTRY_HTML = 500_000  # characters of an entry's text; packed, with the rest, below SQS's 1 MiB even in Chinese

_Poll = tuple[Source, PollState]

log = logging.getLogger("broadsheet.discover")


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one source's poll ended. `entries` the feed had, `new` of them unseen, `enqueued` accepted by the queue;
    `notice` is what the source's owner is to be told, once; `traces` are those of the enqueued articles, by id."""

    status: Status
    source: str
    url: str
    entries: int = 0
    new: int = 0
    enqueued: int = 0
    reason: str = ""
    detail: str = ""
    skipped: dict[str, int] = {}
    notice: Notice | Literal[""] = ""
    traces: dict[str, str] = {}


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """What a poll makes of a feed's entries, as plain data: whom to send, what to remember, why not the others."""

    send: tuple[tuple[str, Entry], ...]  # (url to fetch, entry), newest first
    keys: dict[str, tuple[str, ...]]  # by that url, what the entry is remembered by; first its article's id
    announce: frozenset[str]  # URLs of those to announce
    shown: tuple[str, ...]  # keys of entries that need nothing more
    moved: bool  # the source is known, but nothing in it
    left: tuple[tuple[Entry, str], ...]  # the others and why, newest first; `later` ones are sent by another poll

    @property
    def skipped(self) -> dict[str, int]:
        """How many were left for each reason."""
        return dict(Counter(reason for _, reason in self.left))

    @property
    def complete(self) -> bool:
        """False: more was new than one poll may send."""
        return "later" not in self.skipped


class _Visit(msgspec.Struct):
    """How a visit to a host stands: visits in a row that found it in trouble, seconds it is to be left alone."""

    host: str
    failures: int
    pause: float = 0.0


def pick(
    feed: Feed, source: Source, window: Window | None, *, last_new: float = 0.0, allowance: int = sys.maxsize
) -> Pick:
    """Decide which of a feed's entries are new, `allowance` of them at most.

    Pure; `window` None means that this is the source's first poll.

    Lest the past floods the channels, only what is newer than it is announced: while the window says that entries are
    left of what the source had at first; and where so many entries are all unknown that the site has moved, or names
    its entries anew, since `last_new` (epoch seconds), when it last had something new.
    """
    seen = window or Window()
    send: dict[str, tuple[str, Entry, tuple[str, ...]]] = {}  # by article id: spellings of an address are one article
    shown: list[str] = []
    left: list[tuple[Entry, str]] = []
    room = min(source.max_new_per_poll, _room(source), allowance)
    for entry, keys in sorted(zip(feed.entries, entry_keys(feed.entries), strict=True), key=_newest_first):
        # Seen under any of its names: the others are then names of it, too.
        url, reason = ("", "seen") if any(key in seen for key in keys) else _address(entry, source, feed)
        if url and keys[0] in send:
            reason = "twice"
        elif url and len(send) >= room:
            reason = "later"
        if not reason:
            send[keys[0]] = url, entry, keys
            continue
        left.append((entry, reason))
        if reason != "later":
            shown.extend(keys)
    sent = [(url, entry) for url, entry, _ in send.values()]
    moved = len(seen) > 0 and len(send) > FLOOD and not any(reason == "seen" for _, reason in left)
    if window is None:
        announced = sent[: source.announce_first]
    else:
        until = last_new if moved else window.backlog_until
        announced = [(url, entry) for url, entry in sent if until is None or _is_newer(entry, until)]
    return Pick(
        send=tuple(sent),
        keys={url: keys for url, _, keys in send.values()},
        announce=frozenset(url for url, _ in announced),
        moved=moved,
        shown=tuple(shown),
        left=tuple(left),
    )


def read(source: Source, response: Response) -> Feed:
    """The feed, listing or sitemap in an answer; of a sitemap index the addresses of its sitemaps."""
    if source.kind == "listing":
        return listing.parse(response.body, url=response.url, select=source.select or "a")
    if source.kind == "feed":
        return feeds.parse(response.body, url=response.url, content_type=response.headers.get("content-type"))
    return sitemap.parse(response.body, url=response.url, content_type=response.content_type)


class Discoverer:
    """One run of the job. `clock` gives epoch seconds, `deadline` is on it."""

    def __init__(
        self,
        *,
        polls: Polls,
        hosts: Hosts,
        queue: Queue,
        shares: Shares,
        client: Client,
        sources: Sources,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        deadline: float,
    ) -> None:
        self._polls = polls
        self._hosts = hosts
        self._queue = queue
        self._shares = shares
        self._client = client
        self._sources = sources
        self._clock = clock
        self._sleep = sleep
        self._deadline = deadline

    def run(self, *, force: bool = False) -> list[Outcome]:
        """Poll the sources that are due, or all of them; returns one Outcome per source that this run asked.

        More than a share of them are left to other runs, those that have waited longest not.
        """
        own, *others = dealt(self._due(self._sources.sources, force)) or [[]]
        outcomes: list[Outcome] = []
        for share in others:
            left = [source for polls in share for source, _ in polls]
            if not self._shares.send(Share(sources=tuple(source.id for source in left), force=force)):
                outcomes += [_outcome(source, "unfinished", reason="send-refused") for source in left]
        if others:
            log.info("shared", extra={"shares": len(others), "asked_here": sum(map(len, own))})
        return outcomes + self._ask(own)

    def run_share(self, share: Share) -> list[Outcome]:
        """Poll what another run left to this one; what was polled meanwhile isn't due any more."""
        sources = [source for id in share.sources if (source := self._sources.source(id))]
        return self._ask(self._due(sources, share.force))

    def _due(self, sources: Sequence[Source], force: bool) -> list[list[_Poll]]:
        """The polls that are due, those under one turn together, longest waiting first."""
        states = self._polls.states([source.id for source in sources])
        now = self._clock()
        due = [
            (source, states.get(source.id, PollState()))
            for source in sources
            if force or polling.is_due(states.get(source.id), now=now)
        ]
        by_host: dict[str, list[_Poll]] = {}
        for source, state in sorted(due, key=lambda poll: poll[1].next_at):
            by_host.setdefault(self._turn(source, state), []).append((source, state))
        return list(by_host.values())

    def _turn(self, source: Source, state: PollState) -> str:
        return self._sources.turn(polling.address(state, source.url))

    def _ask(self, hosts: Sequence[Sequence[_Poll]]) -> list[Outcome]:
        """Visit the hosts, many at once."""
        with ThreadPoolExecutor(MAX_HOSTS) as pool:
            outcomes = [outcome for visited in pool.map(self._visit, hosts) for outcome in visited]
        for outcome in outcomes:
            level = logging.WARNING if outcome.status in ("failed", "incomplete") else logging.INFO
            log.log(level, outcome.status, extra=msgspec.to_builtins(outcome))
        return outcomes

    def _visit(self, polls: Sequence[_Poll]) -> list[Outcome]:
        """Poll a host's sources one after another, its delay apart, under its turn."""
        outcomes: list[Outcome] = []
        if not self._time_for_a_poll(0):
            return [_outcome(source, "unfinished", reason="deadline") for source, _ in polls]
        host = self._turn(*polls[0])
        try:
            turn = self._hosts.take(host, now=self._clock())
        except BusyError:
            return [_outcome(source, "busy") for source, _ in polls]
        except (ClientError, BotoCoreError) as error:
            return [_outcome(source, "unfinished", reason=type(error).__name__) for source, _ in polls]
        delay = max(source.delay for source, _ in polls)
        visit = _Visit(host, turn.failures)
        try:
            for i, (source, state) in enumerate(polls):
                if visit.pause:
                    outcomes.append(_outcome(source, "busy", reason="host-paused"))
                    continue
                if not self._time_for_a_poll(delay if i else 0):
                    outcomes.append(_outcome(source, "unfinished", reason="deadline"))
                    continue
                if i:
                    self._sleep(delay)
                outcomes.append(self._guarded(source, state, visit))
        finally:
            self._give_back(turn, visit, delay)
        return outcomes

    def _time_for_a_poll(self, delay: float) -> bool:
        return self._clock() + delay + TIME_FOR_A_POLL <= self._deadline

    def _give_back(self, turn: Turn, visit: _Visit, delay: float) -> None:
        try:
            self._hosts.give_back(turn, next_at=self._clock() + max(delay, visit.pause), failures=visit.failures)
        except (ClientError, BotoCoreError) as error:
            # The lease ends by itself, later than it need; the visit's outcomes stand.
            log.warning("turn not given back", extra={"host": turn.host, "reason": type(error).__name__})

    def _guarded(self, source: Source, state: PollState, visit: _Visit) -> Outcome:
        """One source's trouble is its own; what wasn't saved is found again at the next poll."""
        try:
            return self._poll(source, state, visit)
        except (ClientError, BotoCoreError) as error:
            return _outcome(source, "unfinished", reason=type(error).__name__, detail=str(error))
        except BusyError as error:
            return _outcome(source, "busy", detail=str(error))
        except Exception as error:
            log.exception("unexpected", extra={"source": source.id, "url": source.url})
            return _outcome(source, "unfinished", reason="unexpected", detail=repr(error))

    def _poll(self, source: Source, state: PollState, visit: _Visit) -> Outcome:
        url = polling.address(state, source.url)
        try:
            response = self._get(url, source, visit, polling.validators(state, now=self._clock()))
            visit.failures = 0
            body_hash = hashlib.sha256(response.body).hexdigest()
            if response.status == 304 or body_hash == state.body_hash:
                told = response.status == 304
                kind: Literal["not-modified", "same-body"] = "not-modified" if told else "same-body"
                answered = _answered(kind, response, now=self._clock(), body_hash=body_hash)
                notice = self._save(source, state, answered)
                return _outcome(source, "not-modified", reason="" if told else kind, notice=notice)
            feed = self._read(source, response, visit)
        except FetchError as error:
            retry_after = error.retry_after if isinstance(error, FetchTransient) else None
            self._trouble(visit, error)
            failed = PollOutcome(kind="failed", reason=error.reason, status=error.status, retry_after=retry_after)
            notice = self._save(source, state, failed)
            return _outcome(source, "failed", reason=error.reason, detail=str(error), notice=notice)
        except FeedError as error:
            links = autodiscovery.find(response.body, url=response.url) if error.reason == "html" else ()
            if links and url == source.url != links[0].url:
                self._sleep(source.delay)
                return self._poll(source, polling.named(state, url, links[0].url, now=self._clock()), visit)
            notice = self._save(source, state, PollOutcome(kind="failed", reason=error.reason))
            return _outcome(source, "failed", reason=error.reason, detail=str(error), notice=notice)
        return self._enqueue(source, state, response, feed, body_hash)

    def _enqueue(self, source: Source, state: PollState, response: Response, feed: Feed, body_hash: str) -> Outcome:
        window = self._polls.window(source.id)
        now = self._clock()
        allowance = polling.allowance(state, source, now=now)
        picked = pick(feed, source, window, last_new=state.changed_at or 0.0, allowance=allowance)
        messages = {url: self._message(source, url, entry, url in picked.announce, now) for url, entry in picked.send}
        refused = {message.url for message in self._queue.send(list(messages.values()), now=now)}
        accepted = [key for url, _ in picked.send if url not in refused for key in picked.keys[url]]
        complete = picked.complete and not refused and not any(one.startswith(UNREAD) for one in feed.warnings)
        backlog_until = (
            None if complete else now - NEWS_TAKES if window is None or picked.moved else window.backlog_until
        )
        # Refused on a first poll, an entry isn't backlog: the next poll is then the first once more.
        first_again = window is None and refused
        if not first_again and (accepted or window is None or window.backlog_until != backlog_until):
            shown = [*picked.shown[::-1], *accepted[::-1]]
            self._polls.save_window(source.id, (window or Window()).with_shown(shown, backlog_until=backlog_until))
        notice = self._save(
            source,
            state,
            _answered(
                "changed",
                response,
                now=now,
                new=len(picked.send),
                # An index may stay as it is while its sitemaps change: it is always read in full.
                body_hash=body_hash if complete and not feed.children else "",
                ttl_minutes=max(feed.ttl_minutes or 0, feed.update_minutes or 0) or None,
            ),
        )
        return Outcome(
            status="incomplete" if refused else "found" if picked.send else "nothing-new",
            source=source.id,
            url=source.url,
            entries=len(feed.entries),
            new=len(picked.send),
            enqueued=len(picked.send) - len(refused),
            reason="send-refused" if refused else "; ".join(feed.warnings)[:200],
            skipped=picked.skipped,
            notice=notice,
            traces={message.id: message.trace for message in messages.values() if message.url not in refused},
        )

    def _trouble(self, visit: _Visit, error: FetchError | FeedError) -> None:
        """A host that answers 429 or 503 is left alone by the parser, too."""
        if isinstance(error, FetchTransient) and error.host_wide:
            rest = min(MAX_PAUSE, FIRST_PAUSE * 2.0 ** min(visit.failures, 9))
            visit.pause = max(error.retry_after or 0.0, rest)
            visit.failures += 1

    def _get(self, url: str, source: Source, visit: _Visit, headers: dict[str, str]) -> Response:
        if source.user_agent:
            headers = {**headers, "User-Agent": source.user_agent}
        turn_of = self._sources.turn
        with self._hosts.borrowed(self._clock, source.delay, held=visit.host, turn_of=turn_of) as borrow:
            borrow(url)  # a sitemap's part may lie on another host
            return self._client.get(url, headers=headers, before_host=borrow, deadline=self._deadline)

    def _read(self, source: Source, response: Response, visit: _Visit) -> Feed:
        """The entries behind a source, of a sitemap index those of its newest sitemaps that can be read."""
        feed = read(source, response)
        entries = list(feed.entries)
        failure: FetchError | FeedError | None = None
        unread: list[str] = []
        for child in feed.children[:MAX_CHILDREN]:
            if visit.pause or not self._time_for_a_poll(source.delay):
                unread.append("not-reached")
                break
            self._sleep(source.delay)
            try:
                answer = self._get(child, source, visit, {})
                entries += sitemap.parse(answer.body, url=answer.url, content_type=answer.content_type).entries
            except (FetchError, FeedError) as error:
                self._trouble(visit, error)
                failure = error
                unread.append(error.reason)
            except BusyError as error:
                unread.append(error.reason)
        if failure is not None and not entries:
            raise failure
        warnings = tuple(f"{UNREAD}-{reason}" for reason in unread)
        return msgspec.structs.replace(feed, entries=tuple(entries), warnings=feed.warnings + warnings)

    def _save(self, source: Source, state: PollState, outcome: PollOutcome) -> Notice | Literal[""]:
        """Remember how the poll ended; returns what its owner is to be told of it, which is logged before it counts
        as told."""
        after = polling.plan(state, outcome, source, now=self._clock())
        notice = polling.notice(state, after)
        if notice:
            log.warning(f"source-{notice}", extra={"source": source.id, "url": source.url, "reason": after.reason})
        self._polls.save(source.id, after)
        return notice or ""

    def _message(self, source: Source, url: str, entry: Entry, announce: bool, now: float) -> ArticleMessage:
        html = entry.html if entry.html and len(entry.html) <= MAX_ENTRY_HTML else None
        return ArticleMessage(
            id=urls.article_id(url),
            url=url,
            source=source.id,
            first_seen=datetime.fromtimestamp(now, UTC).replace(microsecond=0),
            trace=uuid.uuid4().hex[:16],
            announce=announce,
            entry=FeedEntry(
                title=entry.headline[:2000],
                published_at=entry.published_at,
                updated_at=entry.updated_at,
                summary=entry.summary[:5000],
                authors=entry.authors[:50],
                tags=entry.tags[:50],
                image=entry.image,
                html=queue.pack(html),
            ),
        )


def _answered(
    kind: Literal["changed", "same-body", "not-modified"],
    response: Response,
    *,
    now: float,
    new: int = 0,
    body_hash: str = "",
    ttl_minutes: float | None = None,
) -> PollOutcome:
    return PollOutcome(
        kind=kind,
        new=new,
        etag=response.validators.etag,
        last_modified=response.validators.last_modified,
        body_hash=body_hash,
        ttl_minutes=ttl_minutes,
        fresh_for=polling.freshness(response.headers, now=now),
        permanent_url=response.permanent_url,
    )


def _room(source: Source) -> int:
    """How many articles the source's host takes until the next poll; a feed is always taken whole."""
    if source.kind == "feed" or not source.delay:
        return source.max_new_per_poll
    return max(1, int(source.interval * 60 / source.delay))


def _address(entry: Entry, source: Source, feed: Feed) -> tuple[str, str]:
    """What is to be fetched for an entry, or why nothing is."""
    if not entry.url:
        return "", "no-link"
    try:
        url = urls.clean(entry.url)
    except urls.UrlError as error:
        return "", f"url-{error.reason}"
    return (url, "") if source.off_site or _on_site(url, source, feed) else ("", "off-site")


def _on_site(url: str, source: Source, feed: Feed) -> bool:
    return urls.same_site(url, source.url) or bool(feed.link and urls.same_site(url, feed.link))


def _is_newer(entry: Entry, than: float) -> bool:
    published = entry.published_at or entry.updated_at
    return published is not None and published.timestamp() > than


def _newest_first(pair: tuple[Entry, Sequence[str]]) -> float:
    published = pair[0].published_at or pair[0].updated_at
    # An undated entry is as good as new: it must not wait behind all that are dated.
    return -published.timestamp() if published else float("-inf")


def _outcome(
    source: Source, status: Status, *, reason: str = "", detail: str = "", notice: Notice | Literal[""] = ""
) -> Outcome:
    return Outcome(status=status, source=source.id, url=source.url, reason=reason, detail=detail[:500], notice=notice)
