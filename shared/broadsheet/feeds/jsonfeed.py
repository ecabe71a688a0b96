"""JSON Feed 1.0 and 1.1 (https://jsonfeed.org/version/1.1), read as leniently as feeds deserve."""

import html
from typing import Any

import msgspec

from broadsheet.feeds.dates import instant
from broadsheet.feeds.feed import Entry, Feed, FeedError
from broadsheet.feeds.plain import address, folded, plain, sanitised


def parse(text: str, *, url: str, encoding: str, warnings: tuple[str, ...]) -> Feed:
    """The feed in a JSON document. FeedError `malformed` if it isn't JSON, `not-a-feed` if it lists no items."""
    try:
        document = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError) as error:
        raise FeedError(url, "malformed", str(error)[:200]) from error
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise FeedError(url, "not-a-feed", "JSON without items")
    hubs = [hub for hub in _list(document, "hubs") if _text(hub, "type").lower() == "websub"]
    return Feed(
        kind="json",
        title=folded(_text(document, "title")),
        link=address(_text(document, "home_page_url"), url),
        language=_text(document, "language") or None,
        hub=address(_text(hubs[0], "url"), url) if hubs else None,
        self_url=address(_text(document, "feed_url"), url),
        next_url=address(_text(document, "next_url"), url),
        encoding=encoding,
        entries=tuple(_entry(item, document, url) for item in items if isinstance(item, dict)),
        warnings=warnings,
    )


def _entry(item: dict[str, Any], document: dict[str, Any], url: str) -> Entry:
    title = _text(item, "title")
    content_html, content_text = sanitised(_text(item, "content_html"), url), _text(item, "content_text")
    updated_at = instant(_text(item, "date_modified"))
    identity = item.get("id")
    authors = [*_list(item, "authors"), item.get("author")] if item.get("authors") or item.get("author") else None
    authors = authors or [*_list(document, "authors"), document.get("author")]
    return Entry(
        id=str(identity).strip() if identity not in (None, "") else None,
        url=(
            address(_text(item, "url"), url)
            or address(_text(item, "external_url"), url)
            or (address(str(identity), url) if str(identity).lower().startswith(("http://", "https://")) else None)
        ),
        title=title.strip(),
        headline=folded(title),
        published_at=instant(_text(item, "date_published")) or updated_at,
        updated_at=updated_at,
        summary=folded(_text(item, "summary")) or (plain(content_html) if content_html else folded(content_text)),
        html=content_html or _paragraphs(content_text),
        authors=tuple(dict.fromkeys(name for author in authors if (name := folded(_text(author, "name"))))),
        tags=tuple(dict.fromkeys(folded(tag) for tag in _list(item, "tags") if isinstance(tag, str) and tag.strip())),
        image=address(_text(item, "image"), url) or address(_text(item, "banner_image"), url),
        language=_text(item, "language") or _text(document, "language") or None,
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{html.escape(part.strip(), quote=False)}</p>" for part in text.split("\n\n") if part.strip())


def _text(record: object, key: str) -> str:
    value = record.get(key) if isinstance(record, dict) else None
    return value if isinstance(value, str) else ""


def _list(record: dict[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    return value if isinstance(value, list) else []
