"""Several articles in one post: how they are grouped and worded, and how many of them a channel has room for."""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal, TypeVar

import msgspec

from broadsheet.channels.announcement import Announcement
from broadsheet.channels.wording import fit, headline, link, plain, word

T = TypeVar("T")

_PLAIN = 1000  # bytes of the plain form: within the summary of every kind
_PLAIN_TITLE = 200


class Digest(Announcement, frozen=True, kw_only=True):
    """An announcement of `items`, those of a group side by side; `more` further ones wait for the next digest.

    An item is a story: its `reprints` are told on its line.

    `title` and `summary` are the digest's plain form, for kinds that have no other.
    """

    items: tuple[Announcement, ...]
    by: Literal["source", "section"] = "source"
    more: int = 0


def compose(
    items: Sequence[Announcement],
    *,
    delivery_id: str,
    by: Literal["source", "section"] = "source",
    more: int = 0,
    possible_repeat: bool = False,
) -> Digest:
    """The digest of at least one item, in the language of most; groups come in the order of their first items.

    An article that repeats another's text joins it, if that one is there too; else the first that repeats it.
    """
    language = Counter(item.language for item in items).most_common(1)[0][0]
    items = _stories(items)
    first = {name: n for n, name in reversed(list(enumerate(_group(item, by) for item in items)))}
    ordered = sorted(items, key=lambda item: first[_group(item, by)])
    told = Digest(
        article_id=delivery_id,
        delivery_id=delivery_id,
        title=word("digest", language).format(n=len(items)),
        url=ordered[0].url,
        language=language,
        possible_repeat=possible_repeat,
        items=tuple(ordered),
        by=by,
        more=more,
    )
    lines, shown = plain_lines(told)
    return msgspec.structs.replace(told, summary=" ".join(part for part in (*lines, remainder(told, shown)) if part))


def _stories(items: Sequence[Announcement]) -> list[Announcement]:
    together: dict[str, list[Announcement]] = {}
    for item in items:
        together.setdefault(item.reprint_of or item.article_id, []).append(item)
    made = []
    for original, alike in together.items():
        first = next((item for item in alike if item.article_id == original), alike[0])
        others = tuple(item for item in alike if item is not first)
        made.append(msgspec.structs.replace(first, reprints=others) if others else first)
    return made


def digest_id(delivery_ids: Iterable[str]) -> str:
    """The stable id of telling these deliveries in one post, shaped as theirs, whatever order they come in."""
    digest = hashlib.sha256("\n".join(["digest", *sorted(delivery_ids)]).encode()).digest()
    return base64.b32encode(digest).decode("ascii").lower()[:26]


def groups(digest: Digest) -> Iterator[tuple[str, list[Announcement]]]:
    """The items by the name of their group, which may be empty."""
    for name, items in groupby(digest.items, key=lambda item: _group(item, digest.by)):
        yield plain(name), list(items)


def fitting(
    digest: Digest,
    room: int,
    *,
    heading: Callable[[str], T],
    line: Callable[[Announcement], T],
    size: Callable[[T], int],
) -> tuple[list[T], int]:
    """Headings and lines, as many as have room in all, and how many items they show: at least one."""
    made: list[T] = []
    shown = used = 0
    for name, items in groups(digest):
        pieces = [heading(name)] if name else []
        for item in items:
            pieces.append(line(item))
            used += sum(size(piece) for piece in pieces)
            if shown and used > room:
                return made, shown
            made += pieces
            shown, pieces = shown + 1, []
    return made, shown


def remainder(digest: Digest, shown: int) -> str:
    """What says how many were left out; empty if none were."""
    left = digest.more + len(digest.items) - shown
    return word("more", digest.language).format(n=left) if left else ""


def plain_lines(digest: Digest) -> tuple[list[str], int]:
    """Titles with their addresses, and how many of the items they are."""

    def line(item: Announcement) -> str:
        return f"• {fit(headline(item), _PLAIN_TITLE, unit='bytes')} {link(item.url) or ''}".strip()

    return fitting(digest, _PLAIN, heading=lambda name: f"{fit(name, 100, unit='bytes')}:", line=line, size=_bytes)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace")) + 1


def _group(item: Announcement, by: str) -> str:
    return (item.section or "") if by == "section" else item.source_name
