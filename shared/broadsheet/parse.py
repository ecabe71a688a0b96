"""The parse job: article messages in; objects and committed records out.

The story of a batch: read what is known of its articles; group the rest by host; visit the hosts concurrently, each
under its turn, one request after another; turn every page into an article and commit it. Where pages are archived, all
of the batch's are put at once, before the first that came with them is committed. Each message ends in exactly one
Outcome. What must come back is sent again before it is acknowledged, so a death in between brings it twice, and
never loses it.
"""

import logging
import math
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from broadsheet import apart, changes, feedtext, reprints, urls
from broadsheet.apart import Apart, LateError, Task
from broadsheet.archive import Archive, Bundle
from broadsheet.article import Article, Origin, Reservation
from broadsheet.errors import BroadsheetError
from broadsheet.extract import ExtractionError
from broadsheet.fetch import Client, FetchError, FetchRefused, FetchTransient, Response
from broadsheet.hosts import MAX_WAIT, SLACK_OF_FETCH, BusyError, Hosts, Turn, spacing
from broadsheet.mirror import MirrorError
from broadsheet.originals import Originals
from broadsheet.queue import ArticleMessage, Failure, MessageError, Queue, decode, group
from broadsheet.reading import Reading, fragments, read_answer
from broadsheet.robots import MAX_BYTES, Robots, from_answer
from broadsheet.source import Source, Sources
from broadsheet.store import (
    MAX_SOURCES,
    NO_VALIDATORS,
    Articles,
    RawPage,
    Record,
    StoredArticle,
    StoreError,
    document,
    object_key,
)
from broadsheet.summary import summarize

Status = Literal["stored", "known", "revised", "unchanged", "unavailable", "postponed", "given-up", "unfinished"]

AGENT = "Broadsheet"  # the product token that robots.txt files may name
MAX_HOSTS = 16  # visited at once; a batch of 50 seldom has more, and threads wait rather than work
MAX_ATTEMPTS = 10  # with doubling from a minute, capped at two hours: about eight hours of trying
MAX_RETRY_DELAY = 7200.0
MAX_CRAWL_DELAY = 3600.0  # seconds; more than that is a mistake, and would hold messages past their retention
MAX_HOPS = 5  # redirects, as browsers' 20 are never met on news sites and our budget is time
TIME_FOR_A_PAGE = 25.0  # seconds a visit needs before the deadline to start another page: the fetch, then two writes
TIME_TO_COMMIT = 5.0  # of them, what no fetch may use up, however long its own limit
TIME_TO_WRITE = 2.0  # of these, what reading the page may not
MAX_PAUSE = 600.0  # seconds a host in trouble is left alone, unless it asks for more itself
ROBOTS_IN_MEMORY = 600.0  # seconds a warm function trusts its own copy before it reads the shared one

_UNCONNECTED = ("address-refused", "port-refused")  # why the client doesn't even connect

log = logging.getLogger("broadsheet.parse")

_O = TypeVar("_O")


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one message ended. All but `unfinished` are acknowledged."""

    status: Status
    message_id: str
    id: str = ""
    source: str = ""
    url: str = ""
    reason: str = ""
    detail: str = ""
    trace: str = ""
    attempt: int = 0
    origin: Origin | None = None
    title: str = ""
    retry_at: float | None = None
    rule_missed: str | None = None


class UnfinishedError(BroadsheetError):
    """A message could neither be handled nor sent again: the queue is to bring it back. `subject` is its SQS id."""

    def __init__(self, message_id: str) -> None:
        super().__init__(message_id, "unfinished")


class _MovedError(BroadsheetError):
    """A redirect: another request, maybe to an origin that has a robots.txt and a turn of its own."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "moved")
        self.url = url


class _Item(msgspec.Struct, frozen=True):
    """A message on its way through the batch, with what its SQS record was called."""

    message_id: str
    body: str
    message: ArticleMessage


class _Fetched(msgspec.Struct, frozen=True):
    """A page that came, and lies at `raw` once the batch's bundle is put; `finish` is what is to be done with it then,
    told where it lies, if anywhere."""

    item: _Item
    raw: RawPage
    finish: Callable[..., Outcome]


class _Visit(msgspec.Struct):
    """How a visit to a host stands: what it has cost the host, and what the host wants next."""

    turn: Turn
    delay: float  # seconds between two requests
    failures: int  # visits in a row that found the host in trouble
    pause: float = 0.0  # seconds the host is to be left alone
    requests: int = 0
    other_until: float = 0.0  # a host that robots.txt led to is busy until then
    why: str = "crawl-delay"  # what sends the rest of the visit's items round again


class Parser:
    """One run of the job. `clock` gives epoch seconds; `deadline` is on it; `sleep` is asked for a second at most."""

    def __init__(
        self,
        *,
        articles: Articles,
        originals: Originals | None,
        hosts: Hosts,
        queue: Queue,
        client: Client,
        sources: Sources,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        deadline: float,
        retry_delay: float = 60.0,
        robots: dict[str, tuple[Robots, float]] | None = None,
        apart: Apart | None = None,
        archive: Archive | None = None,
    ) -> None:
        """`apart` reads what was fetched, in bounds of time and memory; without it that is read here. `archive` keeps
        pages as they were fetched."""
        self._articles = articles
        self._originals = originals
        self._hosts = hosts
        self._queue = queue
        self._client = client
        self._sources = sources
        self._clock = clock
        self._sleep = sleep
        self._deadline = deadline
        self._retry_delay = retry_delay
        self._robots = robots if robots is not None else {}
        self._apart = apart
        self._archive = archive
        self._bundle = Bundle(now=clock()) if archive else None
        self._absent: set[str] = set()  # ids of messages for which this run found no record, nor has committed one

    def run(self, bodies: Sequence[tuple[str, str]]) -> list[Outcome]:
        """Handle a batch of (SQS message id, body); returns one Outcome each, in any order."""
        outcomes: list[Outcome] = []
        items: list[_Item] = []
        for message_id, body in bodies:
            try:
                items.append(_Item(message_id, body, decode(body, message_id=message_id)))
            except MessageError as error:
                outcomes.append(self._poison(message_id, body, error))
        now = self._clock()
        ready = [item for item in items if item.message.not_before <= now + 1]
        outcomes += self._send_again([(item, item.message) for item in items if item.message.not_before > now + 1])
        asked = {item.message.id: item.message.former for item in ready}
        try:
            found = self._articles.records(asked.keys() | set(chain(*asked.values())))
            known = {id: there for id, former in asked.items() if (there := _first(found, (id, *former)))}
            self._absent = asked.keys() - known.keys()
        except StoreError:
            known = {}  # one unreadable record is its own article's trouble: it meets it again at the commit
        except (ClientError, BotoCoreError) as error:
            outcomes += [self._after_aws_error(item, error) for item in ready]
            known, ready = {}, []
        visits: dict[str, list[_Item]] = {}
        for item in ready:
            record = known.get(item.message.id)
            revisited = item.message.revisit and record and record.status == "stored"
            if record is not None and record.status != "unavailable" and not revisited:
                outcomes.append(self._guarded(item, partial(self._known, item, record)))
            else:
                visits.setdefault(self._sources.turn(item.message.url), []).append(item)
        if visits and self._apart:
            self._apart.start()
        fetched: list[_Fetched] = []
        with ThreadPoolExecutor(MAX_HOSTS) as pool:
            for visited in pool.map(self._visit, visits, visits.values()):
                outcomes += [one for one in visited if isinstance(one, Outcome)]
                fetched += [one for one in visited if isinstance(one, _Fetched)]
            if self._archive and self._bundle and fetched:
                archived = self._archive.put(self._bundle)
                outcomes += pool.map(partial(self._finish, archived=archived), fetched)
        if self._originals:
            self._originals.save(now=self._clock())
        for outcome in outcomes:
            told = msgspec.to_builtins(outcome)
            if outcome.id:  # by which it is found; the record says where its object lies
                del told["message_id"]
            log.info(outcome.status, extra=told)
        return outcomes

    # ---- one host ------------------------------------------------------------------------------------------------

    def _visit(self, host: str, items: list[_Item]) -> list[Outcome | _Fetched]:
        """Fetch a host's pages one after another while its delay and our time allow; send the rest again."""
        outcomes: list[Outcome | _Fetched] = []
        # Whose place in line came first is first; who has none yet steps back.
        waiting = sorted(items, key=lambda item: item.message.place or math.inf)
        fetching = [item for item in items if self._needs_page(item.message)]
        for item in items:
            if item not in fetching:
                waiting.remove(item)
                outcomes.append(self._guarded(item, partial(self._from_feed, item, "feed-only")))
        if not waiting:
            return outcomes
        delay = max(self._source(item.message).delay for item in waiting)
        if not self._time_for_a_page():
            return outcomes + self._postpone(host, waiting, self._clock(), delay, "deadline")
        makes_one_request = len(waiting) == 1 and delay > MAX_WAIT
        request = self._client.limits.total_seconds if makes_one_request else None
        now = self._clock()
        heirs = [item.message for item in waiting if item.message.turn]
        # Its place is a delay and more after the poll: who comes a moment early comes late enough.
        left_by = next((heir.turn for heir in heirs if heir.place <= now + SLACK_OF_FETCH), "")
        try:
            turn = self._hosts.take(host, now=now, request=request, left_by=left_by)
        except BusyError as busy:
            return outcomes + self._postpone(host, waiting, busy.until, max(delay, busy.delay), "host-busy")
        except (ClientError, BotoCoreError) as error:
            return outcomes + [self._after_aws_error(item, error) for item in waiting]
        visit = _Visit(turn=turn, delay=delay, failures=turn.failures)
        try:
            while waiting and not visit.pause and self._may_ask(visit):
                outcome = self._guarded(waiting[0], partial(self._step, visit, waiting[0]))
                if isinstance(outcome, _Item):
                    waiting[0] = outcome
                elif outcome is not None:
                    waiting.pop(0)
                    outcomes.append(outcome)
        finally:
            next_at = self._clock() + (max(visit.pause, visit.delay) if visit.requests else 0.0)
            come_again = waiting or any(isinstance(one, Outcome) and one.status == "postponed" for one in outcomes)
            if come_again or not turn.may_run_out(next_at=next_at, failures=visit.failures, delay=visit.delay):
                self._give_back(visit, next_at)
        return outcomes + self._postpone(host, waiting, max(next_at, visit.other_until), visit.delay, visit.why)

    def _may_ask(self, visit: _Visit) -> bool:
        """Wait out a short crawl delay; False where it is long or our time runs out."""
        turn = visit.turn
        is_late = turn.is_brief and self._clock() + self._client.limits.total_seconds > turn.asks_until
        if is_late or not self._time_for_a_page():
            visit.why = "deadline"
            return False
        if visit.requests:
            if visit.delay > MAX_WAIT:
                return False
            self._sleep(visit.delay)
        return True

    def _step(self, visit: _Visit, item: _Item) -> Outcome | _Fetched | _Item | None:
        """One request to the host: its robots.txt (None: the item is still to come) or the item's page, which may have
        moved (the item as it is to come then)."""
        url = item.message.url
        try:
            robots, asked = self._robots_of(url, visit)
        except BusyError as busy:
            visit.pause, visit.other_until, visit.why = MAX_WAIT, busy.until, "host-busy"
            return None
        except FetchTransient as error:
            self._trouble(visit, error)
            return self._after_failure(item, error)
        except FetchRefused as error:
            return self._without_page(item, error.reason, error.detail)
        visit.delay = max(visit.delay, min(robots.crawl_delay(AGENT) or 0.0, MAX_CRAWL_DELAY))
        if asked:
            return None
        if not robots.allows(url, AGENT):
            return self._without_page(item, "robots-disallowed")
        return self._page(item, visit)

    def _trouble(self, visit: _Visit, error: FetchTransient) -> None:
        """Leave a troubled host alone: as long as it asks, or half the retry delay, doubling to 10 minutes
        (Media Cloud's story-indexer starts a 429 at 30 s and holds a dead host for 10 min)."""
        if error.host_wide:
            pause = self._retry_delay / 2 * 2.0 ** min(visit.failures, 20)
            visit.pause = max(error.retry_after or 0.0, min(MAX_PAUSE, pause))
            visit.failures += 1
            visit.why = "host-paused"

    def _give_back(self, visit: _Visit, next_at: float) -> None:
        try:
            self._hosts.give_back(visit.turn, next_at=next_at, failures=visit.failures, delay=visit.delay)
        except (ClientError, BotoCoreError) as error:
            # The lease ends by itself; the visit's outcomes stand.
            log.warning("turn not given back", extra={"host": visit.turn.host, "reason": type(error).__name__})

    def _robots_of(self, url: str, visit: _Visit) -> tuple[Robots, bool]:
        """The robots.txt that governs a URL, and whether the host was asked for it just now: then its page waits."""
        origin = _origin(url)
        now = self._clock()
        robots, until = self._robots.get(origin, (None, 0.0))
        if robots is not None and until > now:
            return robots, False
        robots = self._hosts.robots(origin, now=now)
        asked = robots is None
        if robots is None:
            status, body = self._ask_robots(origin, visit)
            robots = from_answer(status, body)
            self._hosts.keep_robots(origin, status=status, body=body, now=now)
        self._robots[origin] = robots, now + ROBOTS_IN_MEMORY
        return robots, asked

    def _ask_robots(self, origin: str, visit: _Visit) -> tuple[int, bytes]:
        """Fetch a robots.txt, following it to other hosts (RFC 9309 §2.3.1.2) under their turns."""
        visit.requests += 1
        try:
            with self._hosts.borrowed(
                self._clock, visit.delay, held=visit.turn.host, turn_of=self._sources.turn
            ) as borrow:
                response = self._client.get(
                    f"{origin}/robots.txt",
                    before_host=borrow,
                    deadline=self._asks_until(visit),
                    beginning=MAX_BYTES + 1,  # one more, so that a rule cut in two is seen to be
                )
        except FetchTransient:
            raise
        except FetchError as error:
            if error.reason in _UNCONNECTED and not any(step.what == "redirect" for step in error.trace):
                raise  # nor would any page of that host be asked for
            # What isn't there forbids nothing (RFC 9309 §2.3.1.3), nor do redirects without end; what we refuse to read
            # may forbid anything.
            return error.status or (404 if error.reason == "too-many-redirects" else 503), b""
        return response.status, response.body

    # ---- one page ------------------------------------------------------------------------------------------------

    def _page(self, item: _Item, visit: _Visit) -> Outcome | _Fetched | _Item:
        """Fetch a page and commit its article, at once or when it is archived.

        A redirect is another request, for which the host's delay holds.
        """
        message = item.message

        def follow(url: str) -> None:
            raise _MovedError(url)

        agent = self._source(message).user_agent
        visit.requests += 1
        try:
            response = self._client.get(
                message.url,
                headers=({"User-Agent": agent} if agent else {}) | (message.revisit.headers if message.revisit else {}),
                before_redirect=follow,
                deadline=self._asks_until(visit),
            )
        except FetchTransient as error:
            self._trouble(visit, error)
            return self._after_failure(item, error)
        except FetchError as error:
            return self._without_page(item, error.reason, error.detail)
        except _MovedError as moved:
            visit.failures = 0
            return self._elsewhere(item, moved.url)
        visit.failures = 0
        if response.status == 304:
            return self._outcome(item, "unchanged", "not-modified")
        return self._after_fetch(item, response)

    def _elsewhere(self, item: _Item, url: str) -> Outcome | _Item:
        """The page moved: go on there, next on this visit or, on another origin, when it is that host's turn."""
        message = item.message
        if urls.is_home_page(url) and not urls.is_home_page(message.url):
            return self._without_page(item, "moved-to-home-page", url)
        # What is asked for again may miss a revision, but a list of others mustn't become one.
        if message.revisit and urls.is_section_page(url) and _path(url) != _path(message.url):
            return self._without_page(item, "moved-to-section-page", url)
        if message.hops >= MAX_HOPS:
            return self._without_page(item, "too-many-redirects", url)
        here = _origin(url) == _origin(message.url)
        moved = msgspec.structs.replace(
            message,
            url=url,
            found_at=message.found_at or message.url,
            hops=message.hops + 1,
            not_before=0.0,
            place=message.place if here else 0.0,
            reason="moved",
        )
        if here:
            return msgspec.structs.replace(item, message=moved)
        return self._send_again([(item, moved)])[0]

    def _after_fetch(self, item: _Item, response: Response) -> Outcome | _Fetched:
        """Commit the article of a page, or what there is without one, once it is archived if it is to be."""
        message = item.message
        finish: Callable[..., Outcome]
        try:
            reading = read_answer(response, message, self._source(message), self._read)
        except (ExtractionError, MirrorError) as error:
            if message.revisit:  # not archived: no document tells when it came, by which `forget` would find it
                return self._without_page(item, error.reason, error.detail)
            finish = partial(self._without_page, item, error.reason, error.detail)
        else:
            withheld = reading.withheld
            validators = msgspec.structs.asdict(response.validators) if self._source(message).refetch else {}
            if message.revisit:
                following = self._next_revision(item, reading)
                if following is None:
                    return self._outcome(item, "unchanged", "same-text")
                finish = partial(self._revise, item, *following, validators)
            else:
                finish = partial(
                    self._commit,
                    item,
                    reading.article,
                    origin=reading.origin,
                    reason=reading.reason,
                    withheld=withheld,
                    validators=validators,
                )
            if withheld:
                return finish()
        raw = self._bundle.add(message, response, now=self._clock()) if self._bundle else None
        return _Fetched(item, raw, finish) if raw else finish()

    def _next_revision(self, item: _Item, reading: Reading) -> tuple[Record, StoredArticle] | None:
        """The record of an article whose page was asked for again, and what the page has made of it; None if that is
        nothing new. A revision that a death left half done is to be done."""
        record = self._articles.record(item.message.id)
        if record is None or record.status != "stored":
            return None
        before = self._articles.read(record.s3_key or "")
        if item.message.found_at and feedtext.share_of(before.text, reading.article.text) < feedtext.NOTHING:
            return None  # moved to a list, or a wall
        article = feedtext.carried_over(reading.article, before)
        if before.revision == record.revision and not changes.is_revision(before, article, revisions=before.revision):
            return None
        doc = document(
            article,
            id=record.id,
            source=before.source,
            first_seen=before.first_seen,
            fetched_at=datetime.fromtimestamp(self._clock(), UTC),
            summary=summarize(article),
            origin=reading.origin,
            withheld=reading.withheld,
        )
        return record, doc

    def _revise(
        self,
        item: _Item,
        record: Record,
        doc: StoredArticle,
        validators: Mapping[str, str | None],
        *,
        raw: RawPage | None = None,
    ) -> Outcome:
        doc = msgspec.structs.replace(doc, raw=raw)
        now = datetime.fromtimestamp(self._clock(), UTC)
        made = self._articles.revise(record, doc, now=now, validators=validators)
        if made is None:
            return self._outcome(item, "unchanged", "overtaken", record=record)
        return self._outcome(item, "revised", title=made.title, origin=doc.origin, record=made)

    def _finish(self, fetched: _Fetched, *, archived: bool) -> Outcome:
        return self._guarded(fetched.item, partial(fetched.finish, raw=fetched.raw if archived else None))

    def _commit(
        self,
        item: _Item,
        article: Article,
        *,
        origin: Origin,
        reason: str | None = None,
        withheld: Reservation | None = None,
        raw: RawPage | None = None,
        validators: Mapping[str, str | None] = NO_VALIDATORS,
    ) -> Outcome:
        """Commit under the article's own id; the message's id becomes an alias where the two differ."""
        message = item.message
        id, record = self._identity(article)
        article = msgspec.structs.replace(article, url=urls.clean(article.url))
        if article.canonical_url and id in _ids(article.canonical_url):
            article = msgspec.structs.replace(article, url=urls.clean(article.canonical_url))
        new = False
        if record is None:
            doc = document(
                article,
                id=id,
                source=message.source,
                first_seen=message.first_seen,
                fetched_at=datetime.fromtimestamp(self._clock(), UTC),
                summary=summarize(article),
                origin=origin,
                origin_reason=reason,
                withheld=withheld,
                raw=raw,
            )
            record, new = self._commit_new(doc, message, validators)
            self._absent.discard(id)
        if message.id != record.id:
            found_at = message.found_at or message.url
            self._articles.put_alias(
                message.id, record, url=found_at, source=message.source, first_seen=message.first_seen
            )
        if not new:
            return self._known(item, record)
        stored = self._outcome(item, "stored", reason or "", title=article.title, origin=origin, record=record)
        return msgspec.structs.replace(stored, rule_missed=article.rule_missed)

    def _commit_new(
        self, doc: StoredArticle, message: ArticleMessage, validators: Mapping[str, str | None]
    ) -> tuple[Record, bool]:
        """Commit a document, linked to the article that has its text already; returns as `Articles.commit` does."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        commit = partial(
            self._articles.commit,
            now=now,
            announce=self._is_news(message),
            trace=message.trace,
            validators=validators,
        )
        text = reprints.signature(doc.text) if self._originals else None
        if self._originals is None or text is None:
            return commit(doc)
        with self._originals.in_turn(text):
            original = self._originals.find(text, id=doc.id, now=now.timestamp())
            linked = original if original and self._is_stored(original) else None
            record, new = commit(msgspec.structs.replace(doc, reprint_of=linked))
            # Only now, when it is there to be linked to: nothing may name an article that is never stored.
            if new and not record.reprint_of:
                self._originals.file(text, id=record.id, now=now.timestamp())
        return record, new

    def _identity(self, article: Article) -> tuple[str, Record | None]:
        """The id the article belongs under, and the record that is there already.

        Its canonical link is a claim, and another article may live at the address it names: titles decide. Where no
        other address is in question, what the run found when it began is as good as another look: the commit decides.
        """
        own, *own_former = urls.article_ids(article.url)
        claimed = article.canonical_url
        claimed_ids = _ids(claimed) if claimed else ()
        if own in self._absent and (not claimed_ids or claimed_ids[0] == own):
            return own, None
        known = self._articles.records([own, *own_former, *claimed_ids])
        stored = {id: record for id, record in known.items() if record.status != "unavailable"}
        there = _first(stored, (own, *own_former))
        if claimed and claimed_ids and claimed_ids[0] != own and not there:
            other = _first(stored, claimed_ids)
            if urls.believable_canonical(article.url, claimed, article.title, other.title if other else None):
                return (other.id if other else claimed_ids[0]), other
        return (there.id if there else own), there

    def _is_stored(self, id: str) -> bool:
        """Whether an article is there to be linked to, as an original: memory outlives what is forgotten."""
        try:
            record = self._articles.record(id)
        except (StoreError, ClientError, BotoCoreError):
            return False
        return record is not None and record.status == "stored" and not record.reprint_of

    # ---- how messages end ----------------------------------------------------------------------------------------

    def _known(self, item: _Item, record: Record) -> Outcome:
        """The article is committed already: take back what a lost try left, and note the source."""
        message = item.message
        if record.status == "alias" and record.target:
            record = self._articles.record(record.target) or record
        self._articles.withdraw(record, object_key(record.id, message.source, message.first_seen))
        if record.status == "stored" and message.source not in record.sources and len(record.sources) < MAX_SOURCES:
            now = datetime.fromtimestamp(self._clock(), UTC)
            self._articles.add_source(record.id, message.source, announce=self._is_news(message), now=now)
        return self._outcome(item, "known", title=record.title, record=record)

    def _without_page(self, item: _Item, reason: str, detail: str = "", *, raw: RawPage | None = None) -> Outcome:
        """The page can't be had, for good: the feed's own text is the article, or the loss is recorded.

        An article that is there already stays as it is.
        """
        message = item.message
        if message.revisit:
            return self._outcome(item, "unchanged", reason, detail=detail)
        if self._has_full_text(message):
            return self._from_feed(item, reason, raw=raw)
        self._articles.put_unavailable(
            message.id,
            url=message.found_at or message.url,
            source=message.source,
            first_seen=message.first_seen,
            reason=reason,
            trace=message.trace,
        )
        return self._outcome(item, "unavailable", reason, detail=detail)

    def _from_feed(self, item: _Item, reason: str, *, raw: RawPage | None = None) -> Outcome:
        """Commit what the feed said under the address it gave: where that led, all articles may meet at one wall."""
        message = item.message
        assert message.entry is not None  # noqa: S101 - both callers have looked
        url, language = message.found_at or message.url, self._source(message).language
        article = feedtext.to_article(message.entry, url, language=language, read=fragments(self._read))
        return self._commit(item, article, origin="feed", reason=reason, raw=raw)

    def _after_failure(self, item: _Item, error: FetchTransient) -> Outcome:
        """The fetch failed, but may succeed later: come back, until it has been tried often enough."""
        message = item.message
        if message.attempt + 1 >= MAX_ATTEMPTS:
            if message.revisit:
                return self._outcome(item, "unchanged", error.reason)
            if self._has_full_text(message):
                return self._from_feed(item, error.reason)
            return self._give_up(item, error, error.reason)
        delay = max(error.retry_after or 0.0, min(MAX_RETRY_DELAY, self._retry_delay * 2.0**message.attempt))
        again = message.again(at=self._clock() + delay, reason=error.reason, failed=True)
        return self._send_again([(item, again)])[0]

    def _after_aws_error(self, item: _Item, error: Exception) -> Outcome:
        """Our own house is in trouble: come back; if even that fails, the queue's visibility brings it back."""
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        return self._send_again([(item, item.message.again(at=self._clock() + 30, reason=f"aws-{code}"))])[0]

    def _postpone(self, host: str, items: list[_Item], at: float, delay: float, reason: str) -> list[Outcome]:
        """Send the items again, each for a time of its own at which it should find the host free, `at` or later.

        Whoever came at its time and missed the turn by a moment is next; the others take a place in the host's line.
        """
        if not items:
            return []
        apart = spacing(delay)
        has_missed = bool(items[0].message.place) and at <= self._clock() + 2 * apart
        again = [(items[0], items[0].message.again(at=at, reason=reason))] if has_missed else []
        others = items[len(again) :]
        place = at + len(again) * apart
        try:
            place = self._hosts.line_up(host, len(others), spacing=apart, start=place) if others else place
        except (ClientError, BotoCoreError) as error:  # then they may come in others' way, and be sent once more
            log.warning("no place in line", extra={"host": host, "reason": type(error).__name__})
        for item in others:
            message = msgspec.structs.replace(item.message, place=place)
            again.append((item, message.again(at=place, reason=reason)))
            place += apart
        return self._send_again(again)

    def _send_again(self, items: list[tuple[_Item, ArticleMessage]]) -> list[Outcome]:
        refused = self._queue.send([again for _, again in items], now=self._clock())
        return [
            self._outcome(item, "unfinished", "send-refused")
            if any(again is one for one in refused)
            else self._outcome(item, "postponed", again.reason, retry_at=again.not_before, attempt=again.attempt)
            for item, again in items
        ]

    def _give_up(self, item: _Item, error: Exception, reason: str) -> Outcome:
        failure = Failure(reason=reason, error=f"{type(error).__name__}: {error}", place=_place(error))
        self._queue.give_up(item.body, failure, group_id=group(item.message.url))
        return self._outcome(item, "given-up", reason, detail=failure.error)

    def _poison(self, message_id: str, body: str, error: MessageError) -> Outcome:
        outcome = Outcome(status="given-up", message_id=message_id, reason=error.reason, detail=error.detail)
        try:
            self._queue.give_up(body, Failure(reason=error.reason, error=str(error), place=_place(error)))
        except (ClientError, BotoCoreError):
            return msgspec.structs.replace(outcome, status="unfinished")
        return outcome

    def _guarded(self, item: _Item, work: Callable[[], _O]) -> Outcome | _O:
        """Nothing that befalls one article reaches another: what `work` didn't expect parks the message with why."""
        try:
            return work()
        except (ClientError, BotoCoreError) as error:
            if not _is_our_mistake(error):
                return self._after_aws_error(item, error)
            return self._unexpected(item, error)
        except LateError as error:
            return self._too_late(item, error)
        except Exception as error:
            log.exception("unexpected", extra={"url": item.message.url, "trace": item.message.trace})
            return self._unexpected(item, error)

    def _unexpected(self, item: _Item, error: Exception) -> Outcome:
        try:
            return self._give_up(item, error, "unexpected")
        except (ClientError, BotoCoreError):
            return self._outcome(item, "unfinished", "unexpected", detail=repr(error))

    def _too_late(self, item: _Item, error: LateError) -> Outcome:
        """What was fetched wasn't read in time: come back, as often as after a failed fetch."""
        message = item.message
        if message.attempt + 1 >= MAX_ATTEMPTS:
            return self._unexpected(item, error)
        again = message.again(at=self._clock() + self._retry_delay, reason=error.reason, failed=True)
        return self._send_again([(item, again)])[0]

    # ---- small questions -----------------------------------------------------------------------------------------

    def _read(self, task: Task) -> Article:
        if self._apart is None:
            return apart.read(task)
        return self._apart.read(task, self._deadline - self._clock() - TIME_TO_WRITE)

    def _time_for_a_page(self) -> bool:
        return self._clock() + TIME_FOR_A_PAGE <= self._deadline

    def _asks_until(self, visit: _Visit) -> float:
        return min(visit.turn.asks_until, self._deadline - TIME_TO_COMMIT)

    def _outcome(
        self,
        item: _Item,
        status: Status,
        reason: str = "",
        *,
        detail: str = "",
        title: str = "",
        origin: Origin | None = None,
        record: Record | None = None,
        retry_at: float | None = None,
        attempt: int | None = None,
    ) -> Outcome:
        message = item.message
        return Outcome(
            status=status,
            message_id=item.message_id,
            id=record.id if record else message.id,
            source=message.source,
            url=message.url,
            reason=reason,
            detail=detail[:500],
            trace=message.trace,
            attempt=message.attempt if attempt is None else attempt,
            origin=origin,
            title=title,
            retry_at=retry_at,
        )

    def _source(self, message: ArticleMessage) -> Source:
        """The message's source; one that left the file meanwhile still gets its articles, with the defaults."""
        found = self._sources.source(message.source)
        return found or Source(id=message.source, name=message.source, url=message.url)

    def _is_news(self, message: ArticleMessage) -> bool:
        """Whether a channel is to hear of it; for what none is to, neither the outbox nor notify need cost anything."""
        return message.announce and bool(self._sources.channels_of((message.source,)))

    def _has_full_text(self, message: ArticleMessage) -> bool:
        return feedtext.is_full_text(message.entry, fragments(self._read))

    def _needs_page(self, message: ArticleMessage) -> bool:
        try:
            return self._source(message).fetch != "feed" or not self._has_full_text(message)
        except LateError:
            return True


def _is_our_mistake(error: ClientError | BotoCoreError) -> bool:
    """Whether AWS will refuse the same again: sent round, such a message would never leave the queue."""
    if isinstance(error, ClientError):
        return bool(error.response["Error"]["Code"] in ("ValidationException", "SerializationException"))
    return isinstance(error, ParamValidationError)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _ids(url: str) -> tuple[str, ...]:
    try:
        return urls.article_ids(url)
    except urls.UrlError:
        return ()


def _first(found: Mapping[str, Record], ids: Iterable[str]) -> Record | None:
    return next((found[id] for id in ids if id in found), None)


def _path(url: str) -> str:
    return urlsplit(url).path.strip("/")


def _place(error: BaseException) -> str:
    """`file:line in function` of where an exception came from."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
