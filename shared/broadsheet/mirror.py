"""The seed's document format: a mirrored article as one small text file, read and written without losing a byte.

    <!--1687182301000-->
    [title](https://example.org/a)
    ------

    <div>19/06/2023 - 15:17</div><img src="…"><p><strong>lead</strong></p><div><p>…

The comment holds the moment the feed gave, in milliseconds since 1970 (UTC). The body is the publisher's HTML without
its classes and with its share buttons; broadsheet.extract.from_fragment knows these.
"""

import re
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from broadsheet.article import Article, Witness
from broadsheet.errors import BroadsheetError
from broadsheet.extract import from_fragment

Reason = Literal["not-utf-8", "no-comment", "bad-epoch", "no-link", "no-title", "no-rule", "empty-body", "unwritable"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_COMMENT = re.compile(r"(\ufeff?\s*<!--\s*)([^\n]{0,80}?)(\s*-->\s*)(?=\S|$)")
_LINK_END = re.compile(r"\)[ \t]*\r?\n")
# Markdown's own rule is three dashes or more; the blank line below it belongs to the head.
_RULE = re.compile(r"-{3,}[ \t]*\r?\n(?:[ \t]*\r?\n)?|-{3,}[ \t]*$")
# Titles hold brackets and addresses hold parentheses: only what begins an address parts one from the other.
_ADDRESS = re.compile(r"\]\((?=https?://)")

# RFI's clock: the publisher prints Paris time whatever the reader's language.
ZONE = "Europe/Paris"
_DATE_LINE = re.compile(r">\s*((?:发表时间\s*[:：]\s*)?(\d{2})/(\d{2})/((?:19|20)\d{2}) - (\d{2}):(\d{2}))\s*<")


class MirrorError(BroadsheetError):
    """A document that can't be read or written; the subject is its file name (or URL), the reason one of `Reason`."""

    def __init__(self, name: str, reason: Reason, detail: str = "") -> None:
        super().__init__(name, reason, detail)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One mirrored article. `html` is the body as it stands in the file.

    `layout` is what surrounds the values: before the epoch, between it and the title, between the address and the
    body. It keeps byte order mark, line ends and spacing, so that an edited title changes nothing but the title.
    """

    timestamp: datetime
    title: str
    url: str
    html: str
    layout: tuple[str, str, str] = ("<!--", "-->\n[", ")\n------\n\n")


def read(data: bytes, *, name: str = "") -> Document:
    """The document in `data`; `name` is the file's, for errors. `write(read(data)) == data` for all that is accepted.

    Raises MirrorError for anything that isn't a whole document.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MirrorError(name, "not-utf-8", f"byte {error.start}") from None
    comment = _COMMENT.match(text)
    if comment is None:
        raise MirrorError(name, "no-comment", "expected <!--milliseconds since 1970-->")
    line_end = text.find("\n", comment.end()) + 1 or len(text)
    line = text[comment.end() : line_end]
    addresses = list(_ADDRESS.finditer(line))
    link_end = _LINK_END.search(line, line.rfind(")"))
    if not line.startswith("[") or not addresses or link_end is None:
        raise MirrorError(name, "no-link", "expected [title](address) and a line's end below the comment")
    title, url = line[1 : addresses[-1].start()], line[addresses[-1].end() : link_end.start()]
    if not title.strip():
        raise MirrorError(name, "no-title", url)
    rule = _RULE.match(text, line_end)
    if rule is None:
        raise MirrorError(name, "no-rule", "expected ------ below the link")
    body = text[rule.end() :]
    if not body.strip():
        raise MirrorError(name, "empty-body", url)
    layout = (comment[1], comment[3] + "[", link_end[0] + rule[0])
    return Document(timestamp=_instant(comment[2], name), title=title, url=url, html=body, layout=layout)


def write(document: Document) -> bytes:
    """The document's bytes; MirrorError "unwritable" where reading them back would not give the same document."""
    before, between, below = document.layout
    milliseconds = (document.timestamp - _EPOCH) // _MILLISECOND
    text = f"{before}{milliseconds}{between}{document.title}]({document.url}{below}{document.html}"
    try:
        data = text.encode("utf-8")
        same = read(data, name=document.url) == document
    except (UnicodeEncodeError, MirrorError) as error:
        raise MirrorError(document.url, "unwritable", str(error)) from error
    if not same:
        raise MirrorError(document.url, "unwritable", "a line end or address in the title, or a finer time than 1 ms")
    return data


def to_article(document: Document, zone: str = ZONE) -> Article:
    """The article a document holds, its date line read as `zone`'s local time; without one, the feed's moment counts.

    Raises ExtractionError for a body that holds no text.
    """
    published_at, body = _date_line(document.html, ZoneInfo(zone))
    when = Witness("seed", f"date line, {zone}") if published_at else Witness("seed", "comment")
    article = from_fragment(body, document.url)
    found = {name: Witness("seed", "body") for name in article.provenance}
    return msgspec.structs.replace(
        article,
        url=document.url,
        title=" ".join(document.title.split()),
        published_at=published_at or document.timestamp,
        provenance=found | {"title": Witness("seed", "link"), "published_at": when},
    )


def from_article(article: Article, timestamp: datetime, zone: str = ZONE) -> Document:
    """The document that mirrors an article; `timestamp` is the moment its feed gave (rounded down to milliseconds)."""
    head = []
    if article.published_at:
        head.append(f"<div>{article.published_at.astimezone(ZoneInfo(zone)):%d/%m/%Y - %H:%M}</div>")
    if article.images and "<img" not in article.html:
        head.append(f'<img src="{escape(article.images[0].url)}">')
    if article.standfirst and article.standfirst not in article.text:
        head.append(f"<p><strong>{escape(article.standfirst, quote=False)}</strong></p>")
    return Document(
        timestamp=timestamp.astimezone(UTC) - timestamp.microsecond % 1000 * timedelta(microseconds=1),
        title=" ".join(article.title.split()),
        url=article.url,
        html="".join(head) + f"<div>{article.html}</div>\n",
    )


def _date_line(html: str, zone: ZoneInfo) -> tuple[datetime | None, str]:
    """The first moment that stands alone in an element, and the body without it: it is no paragraph."""
    for line in _DATE_LINE.finditer(html):
        day, month, year, hour, minute = map(int, line.groups()[1:])
        try:
            moment = datetime(year, month, day, hour, minute, tzinfo=zone)
        except ValueError:
            continue
        return moment.astimezone(UTC), html[: line.start(1)] + html[line.end(1) :]
    return None, html


def _instant(milliseconds: str, name: str) -> datetime:
    # One spelling only: 007 or +7 could not be written back from a number.
    if re.fullmatch(r"0|-?[1-9][0-9]{0,15}", milliseconds) is None:
        raise MirrorError(name, "bad-epoch", milliseconds[:40])
    try:
        return _EPOCH + int(milliseconds) * _MILLISECOND
    except OverflowError:
        raise MirrorError(name, "bad-epoch", milliseconds) from None
