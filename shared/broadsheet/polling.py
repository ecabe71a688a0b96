"""When a source is asked again, and how: decisions over plain data."""

import hashlib
from typing import Literal

import msgspec

from broadsheet.source import Source

MINUTE, DAY = 60.0, 86400.0
MAX_INTERVAL = DAY  # a source that fails or asks for patience is asked once a day at least
JITTER = 0.1  # of the interval: sources that were added together drift apart
MOVED_FOR = 7 * DAY  # a permanent redirect is believed once it has held for a week


class PollState(msgspec.Struct, frozen=True, kw_only=True):
    """How a source stood after its last poll. Instants in epoch seconds.

    `failures` is weighted: a failure that is likely to pass counts less (Media Cloud's rss-fetcher: 1, 0.5 or 0.25).
    """

    etag: str | None = None
    last_modified: str | None = None
    body_hash: str = ""
    next_at: float = 0
    failures: float = 0
    failing_since: float | None = None
    reason: str = ""
    polled_at: float | None = None
    changed_at: float | None = None  # when it last had something new
    moved_to: str | None = None
    moved_since: float | None = None


class PollOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a poll. `body_hash` is empty where entries were left that the next poll must see again."""

    kind: Literal["changed", "unchanged", "failed"]
    new: int = 0
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str = ""
    reason: str = ""
    status: int | None = None
    retry_after: float | None = None
    ttl_minutes: float | None = None
    permanent_url: str | None = None


def is_due(state: PollState | None, *, now: float) -> bool:
    """Whether a source is to be asked now."""
    return state is None or state.next_at <= now


def address(state: PollState, url: str) -> str:
    """Where a source is asked: where it moved for good, if that has held for a week, or else where the file says."""
    if state.moved_to and state.moved_since and state.polled_at and state.polled_at - state.moved_since >= MOVED_FOR:
        return state.moved_to
    return url


def validators(state: PollState) -> dict[str, str]:
    """The headers of a conditional request."""
    headers = {"If-None-Match": state.etag, "If-Modified-Since": state.last_modified}
    return {name: value for name, value in headers.items() if value}


def plan(state: PollState, outcome: PollOutcome, source: Source, *, now: float) -> PollState:
    """The state after a poll: linear back-off while it fails, never disabled for good."""
    interval = max(source.interval, outcome.ttl_minutes or 0) * MINUTE
    if outcome.kind == "failed":
        failures = state.failures + (0.5 if outcome.status in (404, 429) or (outcome.status or 500) >= 500 else 1)
        wait = max(outcome.retry_after or 0, min(MAX_INTERVAL, interval * max(1.0, failures)))
        return msgspec.structs.replace(
            state,
            failures=failures,
            failing_since=state.failing_since or now,
            reason=outcome.reason,
            polled_at=now,
            next_at=now + _jittered(wait, source.id, now),
        )
    moved = outcome.permanent_url
    state = msgspec.structs.replace(
        state,
        failures=0,
        failing_since=None,
        reason="",
        polled_at=now,
        next_at=now + _jittered(min(interval, MAX_INTERVAL), source.id, now),
        moved_to=moved,
        moved_since=(state.moved_since if moved == state.moved_to else now) if moved else None,
    )
    if outcome.kind == "unchanged":
        return state
    complete = bool(outcome.body_hash)
    return msgspec.structs.replace(
        state,
        etag=outcome.etag if complete else None,
        last_modified=outcome.last_modified if complete else None,
        body_hash=outcome.body_hash,
        changed_at=now if outcome.new else state.changed_at,
    )


def _jittered(wait: float, source_id: str, now: float) -> float:
    digest = hashlib.sha256(f"{source_id}:{now:.0f}".encode()).digest()
    return wait * (1 - JITTER * digest[0] / 255)
