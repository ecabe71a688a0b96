"""When a source is asked again, and how: decisions over plain data.

**How soon**: as its rhythm makes it worthwhile (`rhythm`), but never sooner than its own `interval`, nor than the feed
wishes (`ttl`, `sy:`, Cache-Control; up to an hour, for templates wish nonsense), nor than Retry-After demands.
**Failures** count 1, or 0.5 or 0.25 where they are likely to pass, and stretch the interval in proportion, up to a day:
linear, because feeds come back, and never for good (Media Cloud's rss-fetcher, which watches 180,000, does the same).
**Moves**: a permanent redirect is followed at once but believed only after a week; a believed one is given up when the
new address fails for good or the sources file names another. A page that names its feed moves the source there.
**Pushes**: while a hub can be relied on to push what is new (`websub`), once a day is enough, and twice in its lease.
**Trouble** is told once, when it begins, and once when it ends: `notice`.
"""

import email.utils
import hashlib
import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from broadsheet import rhythm
from broadsheet.rhythm import PATIENCE, Rhythm
from broadsheet.source import Source

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
MAX_INTERVAL = DAY  # a source that fails or asks for patience is asked once a day at least
MAX_WISH = HOUR  # WordPress announces "hourly", many templates "daily", whatever the paper does
JITTER = 0.1  # of the interval: sources that were added together drift apart
HERD = HOUR  # after a 429 all a host's sources would come back at once: rss-fetcher adds up to an hour
MOVED_FOR = 7 * DAY
TRUSTED_FOR = DAY  # some servers answer 304 whatever has changed: once a day the whole body is asked for
BROKEN_AFTER = DAY  # of nothing but failures, and
BROKEN_FAILURES = 3  # at least so many
SILENT_GAPS, SILENT_AT_LEAST, SILENT_AT_MOST = 10, 7 * DAY, 31 * DAY  # 31 days: rss-fetcher's own limit

Trouble = Literal["", "broken", "silent"]
Notice = Literal["broken", "silent", "recovered"]

_HALF = frozenset((404, 408, 425, 429))
_PASSING = frozenset(("timeout", "deadline", "connection", "incomplete"))


class PollState(msgspec.Struct, frozen=True, kw_only=True):
    """How a source stood after its last poll. Instants in epoch seconds; a flat record that fits one write unit.

    `full_at` is when the whole body came last, `day_new` counts what was new on `day` (since 1970, UTC).
    `failures` is weighted. `rhythm` is a line of `rhythm.packed`; `gap` the usual seconds between two polls that found
    something, `wish` those that the feed's own words ask to be left alone. `moved_to` is where `moved_from` redirects
    for good, since `moved_since`. `trouble` is what the owner was told last. `hub` is the one that its feed names,
    relied on to push until `pushed_until`. `part` is twice which of a sitemap index's older sitemaps is the next to be
    read, and one more if it goes before the newest. `lately` are keys of the entries shown since the window of them was
    written (`polls`).
    """

    etag: str | None = None
    last_modified: str | None = None
    body_hash: str = ""
    full_at: float = 0
    day: int = 0
    day_new: int = 0
    next_at: float = 0
    failures: float = 0
    failing_since: float | None = None
    reason: str = ""
    first_at: float | None = None
    polled_at: float | None = None
    changed_at: float | None = None  # when it last had something new
    gap: float = 0
    wish: float = 0
    rhythm: str = ""
    trouble: Trouble = ""
    moved_from: str | None = None
    moved_to: str | None = None
    moved_since: float | None = None
    hub: str | None = None
    pushed_until: float | None = None
    part: int = 0
    lately: bytes = b""


class PollOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a poll. `body_hash` is empty where entries were left that the next poll must see again.

    `ttl_minutes` is the longer of the feed's own wishes, `fresh_for` that of its HTTP headers in seconds (`freshness`),
    `retry_after` in seconds. `permanent_url` is where a permanent redirect led. `hub` is the one that a changed feed
    names; until `pushed_until` a hub will push what is new.
    """

    kind: Literal["changed", "same-body", "not-modified", "failed"]
    new: int = 0
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str = ""
    reason: str = ""
    status: int | None = None
    retry_after: float | None = None
    ttl_minutes: float | None = None
    fresh_for: float | None = None
    permanent_url: str | None = None
    hub: str | None = None
    pushed_until: float | None = None


def is_due(state: PollState | None, *, now: float) -> bool:
    """Whether a source is to be asked now."""
    return state is None or state.next_at <= now


def address(state: PollState, url: str) -> str:
    """Where a source is asked: where it moved for good, if that has held for a week, or else where the file says."""
    held = state.moved_since is not None and (state.polled_at or 0) - state.moved_since >= MOVED_FOR
    return state.moved_to if state.moved_to and held and state.moved_from == url else url


def named(state: PollState, url: str, feed: str, *, now: float) -> PollState:
    """The state of a source whose address `url` is a page that names a `feed`: a move that needs no week.

    Like any other it is given up when the new address fails for good, and the page is asked again.
    """
    return msgspec.structs.replace(
        state,
        moved_from=url,
        moved_to=feed,
        moved_since=0.0,
        polled_at=now,
        etag=None,
        last_modified=None,
        body_hash="",
    )


def validators(state: PollState, *, now: float) -> dict[str, str]:
    """The headers of a conditional request; none once a day, lest a false 304 be believed for ever."""
    if now - state.full_at >= TRUSTED_FOR:
        return {}
    headers = {"If-None-Match": state.etag, "If-Modified-Since": state.last_modified}
    return {name: value for name, value in headers.items() if value}


def allowance(state: PollState, source: Source, *, now: float) -> int:
    """How many new articles the source may still bring today (UTC)."""
    return max(0, source.max_new_per_day - (state.day_new if state.day == now // DAY else 0))


def freshness(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds for which the answer's Cache-Control, or else Expires, says that it won't change; None if they don't.

    `headers` have lower-case names. `no-cache`, `no-store` and an Expires in the past wish for nothing.
    """
    control = headers.get("cache-control", "").lower()
    if "no-cache" in control or "no-store" in control:
        return None
    if age := re.search(r"\bmax-age\s*=\s*\"?(\d{1,9})", control):
        return float(age[1]) or None
    try:
        expires = email.utils.parsedate_to_datetime(headers.get("expires", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, expires.timestamp() - now) or None


def plan(
    state: PollState, outcome: PollOutcome, source: Source, *, now: float, patience: float = PATIENCE
) -> PollState:
    """The state after a poll of `source` at `now`. `patience` in article-minutes: see `rhythm`."""
    if outcome.kind == "failed":
        after = _failed(state, outcome, source, now)
    else:
        after = _answered(state, outcome, source, now, patience)
    after = msgspec.structs.replace(after, first_at=state.first_at or now, polled_at=now)
    return msgspec.structs.replace(after, trouble=_trouble(after, now))


def pushed(state: PollState, new: int, *, complete: bool, now: float) -> PollState:
    """The state after a hub pushed `new` entries; if that wasn't all, the source is due for the rest.

    How its own address stands, and any trouble with that, is for polls to find.
    """
    known = rhythm.unpacked(state.rhythm)
    learnt = rhythm.observed(known, new, now=now) if known else None
    state = msgspec.structs.replace(state, rhythm=rhythm.packed(learnt) if learnt else state.rhythm)
    return _found(state if complete else due(state, now=now), new, now)


def due(state: PollState, *, now: float, interval: float = 0) -> PollState:
    """The state of a source that is to be asked now, or once `interval` minutes have passed since it was."""
    soon = max(now, (state.polled_at or 0) + interval * MINUTE)
    return msgspec.structs.replace(state, next_at=min(state.next_at, soon))


def notice(before: PollState, after: PollState) -> Notice | None:
    """What the source's owner is to be told after a poll: each trouble once, and once that it is over."""
    if before.trouble == after.trouble:
        return None
    return after.trouble or "recovered"


def _failed(state: PollState, outcome: PollOutcome, source: Source, now: float) -> PollState:
    failures = state.failures + _weight(outcome)
    wait = min(MAX_INTERVAL, source.interval * MINUTE * max(1.0, failures))
    wait = _jittered(wait, source.id, now)
    if outcome.retry_after:
        herd = HERD * _fraction(source.id, now) if outcome.status == 429 else 0.0
        wait = max(wait, min(MAX_INTERVAL, outcome.retry_after) + herd)
    lost = address(state, source.url) != source.url and failures >= BROKEN_FAILURES
    return msgspec.structs.replace(
        state,
        failures=failures,
        failing_since=state.failing_since if state.failing_since is not None else now,
        reason=outcome.reason,
        next_at=now + wait,
        moved_to=None if lost else state.moved_to,
        moved_since=None if lost else state.moved_since,
    )


def _weight(outcome: PollOutcome) -> float:
    """rss-fetcher's weights: what is likely to pass counts less."""
    if "dns" in outcome.reason:
        return 0.25
    passing = outcome.reason in _PASSING or outcome.status in _HALF or (outcome.status or 0) >= 500
    return 0.5 if passing else 1.0


def _answered(state: PollState, outcome: PollOutcome, source: Source, now: float, patience: float) -> PollState:
    known = rhythm.unpacked(state.rhythm)
    # the first poll finds what was published in weeks: that says nothing of the hours since
    learnt = rhythm.observed(known, outcome.new, now=now) if known else Rhythm(since=now, until=now, found=now)
    wish = (outcome.ttl_minutes or 0) * MINUTE if outcome.kind == "changed" else state.wish  # no body, no words
    wished = min(MAX_WISH, max(wish, outcome.fresh_for or 0))
    wait = max(source.interval * MINUTE, wished, rhythm.worthwhile(learnt, patience=patience))
    if outcome.retry_after:
        wait = max(wait, min(MAX_INTERVAL, outcome.retry_after))
    if outcome.pushed_until:
        wait = max(wait, min(MAX_INTERVAL, (outcome.pushed_until - now) / 2))
    state = msgspec.structs.replace(
        _moved(state, outcome, source, now),
        failures=0,
        failing_since=None,
        reason="",
        next_at=now + _jittered(wait, source.id, now),
        wish=wish,
        pushed_until=outcome.pushed_until,
        rhythm=rhythm.packed(learnt),
    )
    if outcome.kind == "not-modified":
        return state
    complete = bool(outcome.body_hash)
    state = msgspec.structs.replace(
        state,
        etag=outcome.etag if complete else None,
        last_modified=outcome.last_modified if complete else None,
        body_hash=outcome.body_hash,
        full_at=now,
    )
    if outcome.kind == "changed":
        state = msgspec.structs.replace(state, hub=outcome.hub)
    return _found(state, outcome.new, now)


def _found(state: PollState, new: int, now: float) -> PollState:
    if not new:
        return state
    gap = now - state.changed_at if state.changed_at else 0.0
    today = int(now // DAY)
    return msgspec.structs.replace(
        state,
        changed_at=now,
        gap=0.8 * state.gap + 0.2 * gap if state.gap else gap,
        day=today,
        day_new=new + (state.day_new if state.day == today else 0),
    )


def _moved(state: PollState, outcome: PollOutcome, source: Source, now: float) -> PollState:
    settled = address(state, source.url) != source.url
    if settled and outcome.permanent_url in (None, state.moved_to):
        return state  # asked at its new address, it has no reason to redirect
    target = outcome.permanent_url
    same = target is not None and target == state.moved_to and state.moved_from == source.url
    return msgspec.structs.replace(
        state,
        moved_from=source.url if target else None,
        moved_to=target,
        moved_since=state.moved_since if same else now if target else None,
    )


def _trouble(state: PollState, now: float) -> Trouble:
    if state.failing_since is not None:
        broken = state.failures >= BROKEN_FAILURES and now - state.failing_since >= BROKEN_AFTER
        return "broken" if broken else state.trouble
    since = state.changed_at if state.changed_at is not None else state.first_at
    limit = min(SILENT_AT_MOST, max(SILENT_AT_LEAST, SILENT_GAPS * state.gap)) if state.gap else SILENT_AT_MOST
    return "silent" if since is not None and now - since > limit else ""


def _jittered(wait: float, source_id: str, now: float) -> float:
    return wait * (1 - JITTER * _fraction(source_id, now))


def _fraction(source_id: str, now: float) -> float:
    """Chance that isn't: the same source at the same instant draws the same number, 0 to 1."""
    return hashlib.sha256(f"{source_id}:{now:.0f}".encode()).digest()[0] / 255
