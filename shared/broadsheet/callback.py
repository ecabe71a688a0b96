"""The callback job: hubs ask whether we meant it, and push what a source has published.

Anybody can call it. Who doesn't know a subscription's token gets 404 for one read; what isn't signed with its secret is
acknowledged, lest anybody learn by trying, and ignored. What is pushed goes the way of what is polled (`intake`); what
can't be read as a feed, or be trusted as one, only makes its source due.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from broadsheet import feeds, polling, websub
from broadsheet.feeds import FeedError
from broadsheet.intake import Intake
from broadsheet.polls import Polls
from broadsheet.source import Source, Sources
from broadsheet.subscriptions import Subscriptions
from broadsheet.websub import Subscription

Status = Literal["agreed", "denied", "pushed", "pinged", "forged", "gone", "unknown"]

MAX_BODY = 4 * 2**20  # bytes; a hub pushes what is new, and Lambda takes 6 MB

log = logging.getLogger("broadsheet.callback")


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a request, and what it is answered: an HTTP status, and a hub's own challenge."""

    status: Status
    answer: int
    source: str = ""
    reason: str = ""
    new: int = 0
    enqueued: int = 0
    challenge: str = ""
    traces: dict[str, str] = {}


UNKNOWN = Outcome(status="unknown", answer=404)


class Callback:
    """What a hub's requests do. `clock` gives epoch seconds."""

    def __init__(
        self,
        *,
        polls: Polls,
        subscriptions: Subscriptions,
        intake: Intake,
        sources: Sources,
        clock: Callable[[], float],
    ) -> None:
        self._polls = polls
        self._subscriptions = subscriptions
        self._intake = intake
        self._sources = sources
        self._clock = clock

    def asked(self, path: str, query: Mapping[str, str]) -> Outcome:
        """A hub asks whether a subscription is meant, or says that there will be none."""
        return _told(self._asked(path, query))

    def pushed(self, path: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """A hub pushes what is new; `headers` have lower-case names."""
        return _told(self._pushed(path, headers, body))

    def _asked(self, path: str, query: Mapping[str, str]) -> Outcome:
        found = self._found(path)
        if found is None or query.get("hub.topic") != found[1].topic:
            return UNKNOWN
        source, known = found
        now = self._clock()
        match query.get("hub.mode"), query.get("hub.challenge"):
            case "subscribe", str(challenge) if challenge:
                lease = websub.lease(query.get("hub.lease_seconds", ""))
                self._subscriptions.note(source.id, known, now=now, asks=0, lease=lease, lease_until=now + lease)
                return Outcome(status="agreed", answer=200, source=source.id, challenge=challenge)
            case "denied", _:
                self._subscriptions.note(source.id, known, now=now, denied_at=now, lease_until=0)
                reason = query.get("hub.reason", "")[:200]
                return Outcome(status="denied", answer=200, source=source.id, reason=reason)
        return UNKNOWN  # nobody here ever asked to unsubscribe

    def _pushed(self, path: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        place = websub.read_path(path)
        if place and self._sources.source(place[0]) is None:
            return Outcome(status="gone", answer=410)  # which ends the subscription
        found = self._found(path)
        if found is None:
            return UNKNOWN
        source, known = found
        if known.secret and not websub.is_signed(known, headers.get("x-hub-signature", ""), body):
            return Outcome(status="forged", answer=202, source=source.id)
        if not known.secret or len(body) > MAX_BODY:
            return self._pinged(source, known, "unsigned" if not known.secret else "too-large")
        try:
            feed = feeds.parse(body, url=known.topic, content_type=headers.get("content-type"))
        except FeedError as error:
            return self._pinged(source, known, error.reason)
        now = self._clock()
        state = self._polls.states([source.id]).get(source.id)
        taken = self._intake.pushed(source, state, feed, now=now) if state else None
        if state is None or taken is None:
            return self._pinged(source, known, "never-polled")
        new = len(taken.picked.send)
        self._polls.change(source.id, state, polling.pushed(state, new, complete=taken.complete, now=now))
        if known.pushed_at <= known.missed_at:
            self._subscriptions.note(source.id, known, now=now, pushed_at=now)
        enqueued = new - len(taken.refused)
        return Outcome(status="pushed", answer=202, source=source.id, new=new, enqueued=enqueued, traces=taken.traces)

    def _found(self, path: str) -> tuple[Source, Subscription] | None:
        """The source and its subscription that a path names, token and all."""
        place = websub.read_path(path)
        source = self._sources.source(place[0]) if place else None
        known = self._subscriptions.known(source.id) if source else None
        if place is None or source is None or known is None or not websub.is_token(known, place[1]):
            return None
        return source, known

    def _pinged(self, source: Source, known: Subscription, reason: str) -> Outcome:
        """Have the source asked, as soon as its interval allows."""
        now = self._clock()
        state = self._polls.states([source.id]).get(source.id)
        if state:
            self._polls.change(source.id, state, polling.due(state, now=now, interval=source.interval))
        self._subscriptions.note(source.id, known, now=now, pushed_at=now)
        return Outcome(status="pinged", answer=202, source=source.id, reason=reason)


def _told(outcome: Outcome) -> Outcome:
    if outcome.source:
        log.info(outcome.status, extra=msgspec.to_builtins(msgspec.structs.replace(outcome, challenge="")))
    return outcome
