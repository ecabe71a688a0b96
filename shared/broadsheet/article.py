"""What an article is: the record extraction returns, and the document consumers read from S3."""

from datetime import datetime
from typing import Literal

import msgspec

SCHEMA = "v1"

BlockKind = Literal["paragraph", "heading", "list", "quote", "table", "image", "embed", "code"]
WitnessKind = Literal[
    "json-ld", "microdata", "opengraph", "meta", "header", "html", "rule", "feed", "url", "seed", "heuristic"
]
Access = Literal["free", "metered", "paywalled"]
Reservation = Literal["noarchive", "tdm"]
Origin = Literal["page", "feed", "seed"]


class Witness(msgspec.Struct, frozen=True):
    """Where a field's value comes from: the kind of source, and the key, selector or rule within it."""

    kind: WitnessKind
    key: str


class Image(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A picture of the article; `width` and `height` in pixels, as the page declares them."""

    url: str
    caption: str | None = None
    credit: str | None = None
    alt: str | None = None
    width: int | None = None
    height: int | None = None


class Block(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of the body in reading order.

    `text` is set for paragraph, heading, quote and code; `level` (2 to 6) for heading; `items` and `ordered` for
    list; `rows` for table; `url` for image and embed, with the caption in `text`.
    """

    kind: BlockKind
    text: str = ""
    level: int | None = None
    ordered: bool = False
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    url: str | None = None


class Article(msgspec.Struct, frozen=True, kw_only=True):
    """An article as extraction found it, with a witness for every field that has a value.

    Instants are timezone-aware; a page that gives a local time without a zone and whose publisher's zone is unknown
    is read as UTC, and the witness's key says so. `text` is the blocks as plain text, paragraphs parted by a blank
    line, without the title. `length` counts words, or characters where the language writes no spaces. `rule_missed`
    names the publisher rule that found no body on the page, so that the generic finder took over. `noarchive`: the page
    asks not to be kept; `tdm_reserved`: its publisher reserves text and data mining, on the terms at `tdm_policy` if
    given (`reservations`).
    """

    url: str
    title: str = ""
    canonical_url: str | None = None
    standfirst: str | None = None
    authors: tuple[str, ...] = ()
    agency: str | None = None
    published_at: datetime | None = None
    modified_at: datetime | None = None
    section: str | None = None
    tags: tuple[str, ...] = ()
    language: str | None = None
    language_declared: str | None = None
    language_detected: str | None = None
    site_name: str | None = None
    access: Access | None = None
    images: tuple[Image, ...] = ()
    blocks: tuple[Block, ...] = ()
    text: str = ""
    html: str = ""
    links: tuple[str, ...] = ()
    length: int = 0
    length_unit: Literal["words", "characters"] = "words"
    reading_minutes: int = 0
    rule_missed: str | None = None
    noarchive: bool = False
    tdm_reserved: bool = False
    tdm_policy: str | None = None
    provenance: dict[str, Witness] = {}
