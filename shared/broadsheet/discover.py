"""The discover job: sources that are due in; messages for new articles out.

The story of a poll: under the host's turn, ask the feed with what we remember of it; if its body changed, pick the
entries it hasn't shown before; send a message for each; then remember them as shown; then, last, or in one write with
what few there were, how the source stands (validators, next time). Killed anywhere in between, the same entries are
found and sent again.

A run asks one share of the sources, many hosts at once, until its time is up; what is due beyond that it leaves to runs
that start meanwhile (`shares`).
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import feeds, polling, subscriptions, websub
from broadsheet.errors import BroadsheetError
from broadsheet.feeds import Feed, FeedError, autodiscovery, listing, sitemap
from broadsheet.fetch import Client, FetchError, FetchTransient, Response
from broadsheet.hosts import MAX_WAIT, BusyError, Hosts, Turn, spacing
from broadsheet.intake import UNREAD, Intake, Places
from broadsheet.polling import Notice, PollOutcome, PollState
from broadsheet.polls import Polls
from broadsheet.queue import Queue
from broadsheet.shares import Share, Shares, dealt
from broadsheet.source import Source, Sources
from broadsheet.subscriptions import HubError, Subscriptions
from broadsheet.websub import Named, Subscription

Status = Literal["found", "nothing-new", "not-modified", "failed", "busy", "incomplete", "unfinished"]

MAX_HOSTS = 32  # polled at once: polling is waiting
TIME_FOR_A_POLL = 40.0  # seconds before the deadline: a slow feed, its parsing, the sends
FIRST_PAUSE, MAX_PAUSE = 30.0, 600.0  # seconds a host in trouble is left alone, doubling, unless it asks for more
MAX_CHILDREN = 10  # sitemaps of an index read in one poll, newest first
LONGEST_DELAY = 200.0  # seconds, in which no run of four minutes gets from an index to its first sitemap
HUB_DELAY = 1.0  # seconds between two requests to a hub, which thousands of feeds may share

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


class _Visit(msgspec.Struct):
    """How a visit to a host stands: seconds between two requests, visits in a row that found it in trouble, the last
    place in its line, how many polls are still to come, seconds it is to be left alone."""

    turn: Turn
    delay: float
    failures: int
    tail: float
    to_come: int = 0
    part: int = 0  # of the source that is being polled: `PollState.part`
    pause: float = 0.0
    has_left_it: bool = False  # to the article that was found


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
        subscriptions: Subscriptions | None = None,
        callback_url: str = "",
    ) -> None:
        """Hubs are asked to push to what lies below `callback_url`; without `subscriptions` none is asked."""
        self._polls = polls
        self._hosts = hosts
        self._intake = Intake(polls, queue)
        self._subscriptions = subscriptions
        self._callback_url = callback_url
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
        request = self._client.limits.total_seconds if len(polls) == 1 and self._is_one_request(*polls[0]) else None
        try:
            turn = self._hosts.take(host, now=self._clock(), request=request)
        except BusyError:
            return [_outcome(source, "busy") for source, _ in polls]
        except (ClientError, BotoCoreError) as error:
            return [_outcome(source, "unfinished", reason=type(error).__name__) for source, _ in polls]
        delay = max(turn.delay, *(source.delay for source, _ in polls))  # of robots.txt's the parser has made a note
        visit = _Visit(turn, delay, turn.failures, turn.tail)
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
                visit.to_come = len(polls) - i - 1
                outcomes.append(self._guarded(source, state, visit))
        finally:
            self._give_back(visit)
        return outcomes

    def _is_one_request(self, source: Source, state: PollState) -> bool:
        """Whether a poll should need no other: it went well before, reads no further sitemaps and asks no hub; and
        whether its host is in no hurry, for it is left alone for longer then."""
        went_well = bool(state.body_hash) and not state.failures
        asks_others = source.kind == "sitemap" or (self._subscriptions and state.hub)
        return went_well and not asks_others and source.delay > MAX_WAIT

    def _time_for_a_poll(self, delay: float) -> bool:
        return self._clock() + delay + TIME_FOR_A_POLL <= self._deadline

    def _may_ask_again(self, delay: float, visit: _Visit) -> bool:
        return not visit.turn.is_brief and self._time_for_a_poll(delay)

    def _places(self, source: Source, visit: _Visit, now: float) -> Places | None:
        """The next places in the host's line, from when its sources will have been asked. A delay that a visit waits
        out needs no line: all come at once; nor does what is to be taken from the feed, and comes now."""
        if source.fetch == "feed":
            return None
        turn, apart = visit.turn, spacing(visit.delay) if visit.delay > MAX_WAIT else 0.0
        first = max(now + max(spacing(visit.delay) * (1 + visit.to_come), visit.pause), visit.tail + apart)
        may_leave_it = turn.may_run_out(next_at=now + visit.delay, failures=visit.failures, delay=turn.delay)

        def are_there(url: str) -> bool:
            return self._sources.turn(url) == turn.host

        return Places(first, apart, are_there, turn.owner if may_leave_it else "")

    def _give_back(self, visit: _Visit) -> None:
        turn = visit.turn
        next_at = self._clock() + max(visit.delay, visit.pause)
        if visit.has_left_it:
            return
        has_lined_up = visit.tail > turn.tail
        if not has_lined_up and turn.may_run_out(next_at=next_at, failures=visit.failures, delay=turn.delay):
            return
        tail = visit.tail if has_lined_up else None
        try:
            self._hosts.give_back(turn, next_at=next_at, failures=visit.failures, delay=turn.delay, tail=tail)
        except (ClientError, BotoCoreError) as error:
            # The lease ends by itself; the visit's outcomes stand.
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
        visit.part = state.part
        try:
            response = self._get(url, source, visit, polling.validators(state, now=self._clock()))
            visit.failures = 0
            body_hash = hashlib.sha256(response.body).hexdigest()
            if response.status == 304 or body_hash == state.body_hash:
                told = response.status == 304
                kind: Literal["not-modified", "same-body"] = "not-modified" if told else "same-body"
                answered = _answered(kind, response, now=self._clock(), body_hash=body_hash)
                notice = self._conclude(source, state, answered, visit)
                return _outcome(source, "not-modified", reason="" if told else kind, notice=notice)
            feed = self._read(source, response, visit)
        except FetchError as error:
            retry_after = error.retry_after if isinstance(error, FetchTransient) else None
            self._trouble(visit, error)
            failed = PollOutcome(kind="failed", reason=error.reason, status=error.status, retry_after=retry_after)
            notice = self._save(source, state, failed, visit)
            return _outcome(source, "failed", reason=error.reason, detail=str(error), notice=notice)
        except FeedError as error:
            links = autodiscovery.find(response.body, url=response.url) if error.reason == "html" else ()
            if links and url == source.url != links[0].url:
                state = polling.named(state, url, links[0].url, now=self._clock())
                if not self._may_ask_again(visit.delay, visit):  # the next run asks the feed at once
                    self._polls.save(source.id, state)
                    return _outcome(source, "unfinished", reason="deadline")
                self._sleep(visit.delay)
                return self._poll(source, state, visit)
            failed = PollOutcome(kind="failed", reason=error.reason)
            notice = self._save(source, state, failed, visit)
            return _outcome(source, "failed", reason=error.reason, detail=str(error), notice=notice)
        return self._enqueue(source, state, visit, response, feed, body_hash=body_hash)

    def _enqueue(
        self, source: Source, state: PollState, visit: _Visit, response: Response, feed: Feed, *, body_hash: str
    ) -> Outcome:
        now = self._clock()
        places = self._places(source, visit, now)
        taken = self._intake.polled(source, state, feed, now=now, places=places)
        if places and taken.placed:
            visit.tail = places.first + (taken.placed - 1) * places.apart
            visit.has_left_it = bool(places.turn) and taken.placed == 1
        picked, state = taken.picked, msgspec.structs.replace(state, lately=taken.lately)
        named = websub.named(feed, response.headers, url=response.url) if source.kind == "feed" else None
        answered = _answered(
            "changed",
            response,
            now=now,
            new=len(picked.send),
            # An index may stay as it is while its sitemaps change: it is always read in full.
            body_hash=body_hash if taken.complete and not feed.children else "",
            ttl_minutes=max(feed.ttl_minutes or 0, feed.update_minutes or 0) or None,
            hub=named.hub if named else None,
        )
        notice = self._conclude(source, state, answered, visit, named)
        return Outcome(
            status="incomplete" if taken.refused else "found" if picked.send else "nothing-new",
            source=source.id,
            url=source.url,
            entries=len(feed.entries),
            new=len(picked.send),
            enqueued=len(picked.send) - len(taken.refused),
            reason="send-refused" if taken.refused else "; ".join(feed.warnings)[:200],
            skipped=picked.skipped,
            notice=notice,
            traces=taken.traces,
        )

    def _conclude(
        self, source: Source, state: PollState, answered: PollOutcome, visit: _Visit, named: Named | None = None
    ) -> Notice | Literal[""]:
        """Remember how a poll ended that was answered; a hub that pushes what is new makes further ones rarer."""
        if self._subscriptions is None or not (named or (state.hub and answered.kind != "changed")):
            return self._save(source, state, answered, visit)
        now = self._clock()
        known = self._subscriptions.known(source.id)
        if named and (known is None or named != Named(known.hub, known.topic)):
            known = websub.begun(named)
        if known is None:
            return self._save(source, state, answered, visit)
        until = websub.pushes_until(known, now=now)
        if until and answered.new and known.pushed_at <= (state.polled_at or 0.0):
            self._subscriptions.note(source.id, known, now=now, missed_at=now)
            until = None
        notice = self._save(source, state, msgspec.structs.replace(answered, pushed_until=until), visit)
        if websub.is_due(known, now=now):
            self._subscribe(self._subscriptions, source, known, visit)
        return notice

    def _subscribe(self, subscribed: Subscriptions, source: Source, known: Subscription, visit: _Visit) -> None:
        """Ask a hub to push. The poll is over: whatever fails here is tried again after another."""
        callback = self._callback_url + websub.path(source.id, known.token)
        turn_of = self._sources.turn
        delay = visit.delay if turn_of(known.hub) == visit.turn.host else 0.0  # its feed has just been asked
        if not self._may_ask_again(delay, visit):
            return
        try:
            with self._hosts.borrowed(self._clock, HUB_DELAY, held=visit.turn.host, turn_of=turn_of) as borrow:

                def follow(url: str) -> None:
                    if not self._time_for_a_poll(HUB_DELAY):
                        raise HubError(known.hub, "deadline")
                    borrow(url)
                    self._sleep(HUB_DELAY)

                borrow(known.hub)
                self._sleep(delay)
                now = self._clock()
                if not known.asked_at:  # the hub may ask the callback while we are asking it
                    subscribed.begin(source.id, msgspec.structs.replace(known, asks=1, asked_at=now), now=now)
                else:
                    subscribed.note(source.id, known, now=now, asks=known.asks + 1, asked_at=now)
                subscriptions.ask(self._client, known, callback, before_redirect=follow)
        except (BroadsheetError, ClientError, BotoCoreError) as error:
            log.info("not subscribed", extra={"source": source.id, "hub": known.hub, "reason": str(error)[:500]})

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
        deadline = min(self._deadline, visit.turn.asks_until)
        with self._hosts.borrowed(self._clock, source.delay, held=visit.turn.host, turn_of=turn_of) as borrow:
            borrow(url)  # a sitemap's part may lie on another host
            return self._client.get(url, headers=headers, before_host=borrow, deadline=deadline)

    def _read(self, source: Source, response: Response, visit: _Visit) -> Feed:
        """The entries behind a source, of a sitemap index those of its newest sitemaps that can be read.

        Where the host's delay leaves no time for all of them, the newest is read by every poll and the others in turns,
        from `visit.part` on, which is moved on; where there is time for one alone, it and the others take turns.
        """
        feed = read(source, response)
        entries = list(feed.entries)
        failure: FetchError | FeedError | None = None
        unread: list[str] = []
        newest, others = feed.children[:1], feed.children[1:MAX_CHILDREN]
        whole = 2 * len(others) or 1  # a round
        visit.part %= whole
        first, other_first = divmod(visit.part, 2)
        turned = others[first:] + others[:first]
        reached = 0
        for child in (*turned[:other_first], *newest, *turned[other_first:]):
            if visit.pause or not self._may_ask_again(visit.delay, visit):
                unread.append("not-reached")
                break
            self._sleep(visit.delay)
            reached += 1
            try:
                answer = self._get(child, source, visit, {})
                entries += sitemap.parse(answer.body, url=answer.url, content_type=answer.content_type).entries
            except (FetchError, FeedError) as error:
                self._trouble(visit, error)
                failure = error
                unread.append(error.reason)
            except BusyError as error:
                unread.append(error.reason)
        visit.part = visit.part + 1 if reached == 1 else 2 * (first + reached - 1) if reached else visit.part
        if newest and not reached and visit.delay > LONGEST_DELAY:
            failure = FeedError(response.url, "not-reached", f"{visit.delay:g} s between two requests")
        if failure is not None and not entries:
            raise failure
        if visit.part >= whole:
            visit.part %= whole
            unread = [reason for reason in unread if reason != "not-reached"]  # by now all of them were read
        warnings = tuple(f"{UNREAD}-{reason}" for reason in unread)
        return msgspec.structs.replace(feed, entries=tuple(entries), warnings=feed.warnings + warnings)

    def _save(self, source: Source, state: PollState, outcome: PollOutcome, visit: _Visit) -> Notice | Literal[""]:
        """Remember how the poll ended; returns what its owner is to be told of it, which is logged before it counts
        as told."""
        state = msgspec.structs.replace(state, part=visit.part)
        after = polling.plan(state, outcome, source, now=self._clock())
        notice = polling.notice(state, after)
        if notice:
            log.warning(f"source-{notice}", extra={"source": source.id, "url": source.url, "reason": after.reason})
        self._polls.save(source.id, after)
        return notice or ""


def _answered(
    kind: Literal["changed", "same-body", "not-modified"],
    response: Response,
    *,
    now: float,
    new: int = 0,
    body_hash: str = "",
    ttl_minutes: float | None = None,
    hub: str | None = None,
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
        hub=hub,
    )


def _outcome(
    source: Source, status: Status, *, reason: str = "", detail: str = "", notice: Notice | Literal[""] = ""
) -> Outcome:
    return Outcome(status=status, source=source.id, url=source.url, reason=reason, detail=detail[:500], notice=notice)
