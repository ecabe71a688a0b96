"""Asking again for pages that may have changed: which articles are due, as messages to the parse queue.

A source's `refetch` says how many hours after an article's last change its page is asked for again. Nothing is kept for
that: the table's index `changes` has every article under the instant of its last change, so what is due now is what
changed so many hours ago. How far the last run came is saved when all of its sends were accepted: killed in between, a
page is asked for twice.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice

from botocore.exceptions import BotoCoreError, ClientError

from broadsheet.fetch import Validators
from broadsheet.polls import Polls
from broadsheet.queue import ArticleMessage, Queue
from broadsheet.source import Sources
from broadsheet.store import MAX_URL, Articles, Record, StoreError

REACH = 6 * 3600.0  # seconds: after a longer pause, the pages that were due before aren't asked for any more

log = logging.getLogger("broadsheet.refetch")


class Refetcher:
    """What sources wish to have fetched again; `clock` gives epoch seconds."""

    def __init__(
        self, *, articles: Articles, polls: Polls, queue: Queue, sources: Sources, clock: Callable[[], float]
    ) -> None:
        self._articles = articles
        self._polls = polls
        self._queue = queue
        self._sources = sources
        self._clock = clock

    def run(self) -> int:
        """Send a message for each page that is due since the last run; returns how many were accepted.

        Where no source asks for that, nothing is even looked at. Trouble with AWS leaves all for the next run.
        """
        hours = sorted({after for source in self._sources.sources for after in source.refetch})
        if not hours:
            return 0
        now = int(self._clock())
        try:
            since = max(self._polls.refetched_until() or now, now - REACH)
            due = dict.fromkeys(id for after in hours for id in self._changed(since, now, after))
            messages = [_message(record) for record in self._records(iter(due)) if _is_ours_to_ask(record)]
            refused = self._queue.send(messages, now=now)
            if not refused:
                self._polls.save_refetched_until(now)
        except (ClientError, BotoCoreError) as error:
            log.warning("pages not asked for again", extra={"reason": str(error)})
            return 0
        if messages:
            log.info("refetch", extra={"due": len(messages), "refused": len(refused)})
        return len(messages) - len(refused)

    def _changed(self, since: float, now: float, after: float) -> Iterator[str]:
        """The ids of what changed `after` hours before the time since the last run."""
        ago = after * 3600
        for change in self._articles.changes(since + 1 - ago, now - ago) if since < now else ():
            source = self._sources.source(change.source)
            if source and after in source.refetch and not change.gone:
                yield change.id

    def _records(self, ids: Iterator[str]) -> Iterator[Record]:
        while part := list(islice(ids, 100)):
            try:
                yield from self._articles.records(part, consistent=True).values()  # what isn't seen is never asked for
            except StoreError:
                if len(part) > 1:
                    for id in part:
                        yield from self._records(iter([id]))
                else:
                    log.exception("unreadable record", extra={"id": part[0]})


def _is_ours_to_ask(record: Record) -> bool:
    """Not what a document or the feed's text brought, nor what we changed ourselves by reading its page anew."""
    return record.status == "stored" and record.origin == "page" and not record.reread and len(record.url) < MAX_URL


def _message(record: Record) -> ArticleMessage:
    return ArticleMessage(
        id=record.id,
        url=record.url,
        source=record.source,
        first_seen=datetime.fromisoformat(record.first_seen),
        trace=record.trace,
        announce=record.announce,
        revisit=Validators(record.etag, record.last_modified),
    )
