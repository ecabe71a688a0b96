"""What a source shows goes to the queue: pick what is new, send it, and only then remember it as shown.

Both who asks a source (`discover`) and who is told by its hub (`callback`) take entries in here. Killed between the
send and the remembering, the same entries are picked and sent again: parse knows them.
"""

import sys
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from broadsheet import polling, queue, urls
from broadsheet.feeds import Entry, Feed
from broadsheet.feeds.identity import entry_keys
from broadsheet.polling import PollState
from broadsheet.polls import Polls, Window
from broadsheet.queue import ArticleMessage, FeedEntry, Queue
from broadsheet.source import Source

NEWS_TAKES = 3600.0  # seconds until an article stands in its sitemap, at most: so much of a backlog counts as news
FLOOD = 10  # entries, all of them unknown, of a source that isn't: fewer are an hour's news, or a short feed's
UNREAD = "unread"  # a warning's beginning: a sitemap of an index could not be read
MAX_ENTRY_HTML = 500_000  # characters of an entry's text; packed, with the rest, below SQS's 1 MiB even in Chinese


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


class Places(msgspec.Struct, frozen=True):
    """Where a poll's articles stand in the line of the host that was asked, those of them that `are_there`: the first
    at `first` (epoch seconds), each next one `apart` seconds later. If it is but one, it is left the host's turn, if
    `turn` names its owner. Articles of other hosts come at once."""

    first: float
    apart: float
    are_there: Callable[[str], bool]  # of a URL
    turn: str = ""

    def given(self, messages: Sequence[ArticleMessage]) -> list[ArticleMessage]:
        """The messages, each with its place."""
        there = [message for message in messages if self.are_there(message.url)]
        turn = self.turn if len(there) == 1 else ""
        places = {message.id: self.first + n * self.apart for n, message in enumerate(there)}
        return [
            msgspec.structs.replace(message, not_before=places[message.id], place=places[message.id], turn=turn)
            if message.id in places
            else message
            for message in messages
        ]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a feed's entries. `refused` are URLs that the queue didn't take, `traces` by id those it did.

    `complete` says that nothing is left for another poll; `lately` is what the source's state is to remember. `placed`
    is how many were given a place in their host's line; none if the queue took none of these.
    """

    picked: Pick
    refused: frozenset[str]
    complete: bool
    traces: dict[str, str]
    lately: bytes
    placed: int


class Intake:
    """The way from a feed's entries to the parse queue."""

    def __init__(self, polls: Polls, queue: Queue) -> None:
        self._polls = polls
        self._queue = queue

    def polled(self, source: Source, state: PollState, feed: Feed, *, now: float, places: Places | None) -> Taken:
        """Take in all that a source shows; what is left of it, `feed.warnings` or the queue's refusals say."""
        window = self._polls.window(source.id, state.lately)
        taken = self._sent(source, state, feed, window, now=now, places=places)
        picked = taken.picked
        backlog_until = (
            None if taken.complete else now - NEWS_TAKES if window is None or picked.moved else window.backlog_until
        )
        # Refused on a first poll, an entry isn't backlog: the next poll is then the first once more.
        first_again = window is None and taken.refused
        accepted = _accepted(taken)
        shown = [*picked.shown[::-1], *accepted]
        if window and window.backlog_until == backlog_until:
            lately = window.lately_with(shown) if accepted else window.lately
        else:
            lately = None
        if lately is None and not first_again:
            self._polls.save_window(source.id, (window or Window()).with_shown(shown, backlog_until=backlog_until))
        return msgspec.structs.replace(taken, lately=lately or b"")

    def pushed(self, source: Source, state: PollState, feed: Feed, *, now: float) -> Taken | None:
        """Take in what a hub pushed: it may be a part of what the source shows, so nothing else is forgotten for it.

        None if the source's first poll is still to come, which decides what is told of.
        """
        window = self._polls.window(source.id, state.lately)
        if window is None:
            return None
        taken = self._sent(source, state, feed, window, now=now, places=None)
        if accepted := _accepted(taken):
            self._polls.save_window(source.id, window.with_more(accepted))
        return taken

    def _sent(
        self,
        source: Source,
        state: PollState,
        feed: Feed,
        window: Window | None,
        *,
        now: float,
        places: Places | None,
    ) -> Taken:
        allowance = polling.allowance(state, source, now=now)
        picked = pick(feed, source, window, last_new=state.changed_at or 0.0, allowance=allowance)
        messages = [_message(source, url, entry, url in picked.announce, now) for url, entry in picked.send]
        messages = places.given(messages) if places else messages
        refused = frozenset(message.url for message in self._queue.send(messages, now=now))
        placed = {message.url for message in messages if message.place}
        unread = any(one.startswith(UNREAD) for one in feed.warnings)
        return Taken(
            picked=picked,
            refused=refused,
            complete=picked.complete and not refused and not unread,
            traces={message.id: message.trace for message in messages if message.url not in refused},
            lately=state.lately,
            placed=0 if placed <= refused else len(placed),
        )


def _accepted(taken: Taken) -> list[str]:
    """The keys of what the queue took, oldest first."""
    picked = taken.picked
    return [key for url, _ in picked.send if url not in taken.refused for key in picked.keys[url]][::-1]


def _message(source: Source, url: str, entry: Entry, announce: bool, now: float) -> ArticleMessage:
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
        former=urls.article_ids(entry.url or url)[1:],
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
