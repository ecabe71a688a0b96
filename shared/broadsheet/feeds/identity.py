"""Which entries are the same: keys that survive what publishers do to their feeds.

An entry has several names, and is known if it was seen under any of them. The first is its article's id
(`urls.article_id`), which trackers, fragments and a move to https don't change. The second is its GUID, but GUIDs lie
(FreshRSS tolerates 5 % bad ones, MonitoRSS none): some feeds repeat one, some make a new one at every fetch, some use
one again for another article. So a GUID counts only where it doesn't repeat, in a feed where few do, and only together
with the entry's date, or its title if it has none: an article that moved keeps both, another article under an old GUID
does not.

Entries without an address are known by GUID, else by title and date, else by their text.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence

from broadsheet import urls
from broadsheet.feeds.feed import Entry

# A feed is degraded when more of its GUIDs than this repeat: FreshRSS's 5 % forgives a doubled item in a long feed.
TOLERATED = 0.05


def entry_keys(entries: Sequence[Entry]) -> tuple[tuple[str, ...], ...]:
    """For each entry its keys, the strongest first: an article id (26 characters), others as a letter, a colon and 20.

    An entry that gives nothing to know it by (no address, id, title or text) has none.
    """
    counts = Counter(entry.id for entry in entries if entry.id)
    repeated = sum(count - 1 for count in counts.values())
    trusted = repeated <= TOLERATED * len(entries)
    return tuple(_keys(entry, guid=bool(trusted and entry.id and counts[entry.id] == 1)) for entry in entries)


def _keys(entry: Entry, *, guid: bool) -> tuple[str, ...]:
    keys = []
    if article := _article(entry):
        keys.append(article)
    when = entry.published_at.isoformat() if entry.published_at else ""
    if guid and (when or entry.headline):
        keys.append(_digest("g", entry.id or "", when or entry.headline))
    if article:
        return tuple(keys)
    if guid:
        return (*keys, _digest("i", entry.id or ""))
    text = entry.headline or entry.summary or entry.html
    return (*keys, _digest("t", text, when)) if text else tuple(keys)


def _article(entry: Entry) -> str | None:
    try:
        return urls.article_id(entry.url) if entry.url else None
    except urls.UrlError:
        return None


def _digest(kind: str, *parts: str) -> str:
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()
    return f"{kind}:{base64.b32encode(digest).decode('ascii').lower()[:20]}"
