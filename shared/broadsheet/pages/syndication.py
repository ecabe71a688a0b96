"""A source's newest articles as Atom (RFC 4287) and JSON Feed 1.1.

Ids are made of the article's own and never change; `updated` is when the present revision was committed, so that the
same articles give the same bytes.
"""

from collections.abc import Iterator, Sequence
from html import escape

import msgspec

from broadsheet.channels.wording import link, plain
from broadsheet.source import Source
from broadsheet.store import Record

NEVER = "1970-01-01T00:00:00Z"  # a feed without entries has an `updated` all the same


def atom(source: Source, records: Sequence[Record], *, base: str = "") -> str:
    """An Atom feed; `base` is the address of the source's folder, if it has one, for the feed's link to itself."""
    head = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<feed xmlns="http://www.w3.org/2005/Atom"{_language(source.language)}>',
        f"<id>urn:broadsheet:source:{escape(source.id)}</id>",
        f"<title>{_text(source.name)}</title>",
        f"<updated>{max((_updated(record) for record in records), default=NEVER)}</updated>",
        f"<author><name>{_text(source.name)}</name></author>",
        f'<link rel="alternate" href="{escape(base or source.url)}"/>',
    ]
    if base:
        head.append(f'<link rel="self" type="application/atom+xml" href="{escape(base)}feed.xml"/>')
    return "\n".join([*head, *("".join(_entry(record)) for record in records), "</feed>\n"])


def _entry(record: Record) -> Iterator[str]:
    yield f"<entry{_language(record.language)}><id>urn:broadsheet:article:{escape(record.id)}</id>"
    yield f"<title>{_text(record.title)}</title><updated>{_updated(record)}</updated>"
    yield f"<published>{record.sort_at or record.first_seen}</published>"
    if url := link(record.url):
        yield f'<link rel="alternate" href="{escape(url)}"/>'
    yield from (f"<author><name>{_text(author)}</name></author>" for author in record.authors if plain(author))
    yield from (f'<category term="{_text(tag)}"/>' for tag in record.tags if plain(tag))
    if summary := _text(record.summary):
        yield f"<summary>{summary}</summary>"
    yield "</entry>"


def json_feed(source: Source, records: Sequence[Record], *, base: str = "") -> bytes:
    """A JSON Feed; `base` as for Atom."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": plain(source.name),
        "home_page_url": base or source.url,
        **({"feed_url": f"{base}feed.json"} if base else {}),
        **({"language": source.language} if source.language else {}),
        "items": [_item(record) for record in records],
    }
    return msgspec.json.format(msgspec.json.encode(feed), indent=1) + b"\n"


def _item(record: Record) -> dict[str, object]:
    item: dict[str, object] = {
        "id": f"urn:broadsheet:article:{record.id}",
        "url": link(record.url),
        "title": plain(record.title),
        "content_text": plain(record.summary),
        "date_published": record.sort_at or record.first_seen,
        "date_modified": _updated(record),
        "image": link(record.image) if record.image else None,
        "authors": [{"name": name} for author in record.authors if (name := plain(author))],
        "tags": [name for tag in record.tags if (name := plain(tag))],
        "language": record.language,
    }
    return {name: value for name, value in item.items() if value or name == "content_text"}


def _updated(record: Record) -> str:
    return record.changed_at or record.first_seen


def _language(language: str | None) -> str:
    return f' xml:lang="{escape(language)}"' if language else ""


def _text(text: str) -> str:
    return escape(plain(text))
