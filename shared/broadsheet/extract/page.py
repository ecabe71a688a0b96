"""The story of one page: bytes in, Article out, with the reason for every choice."""

from datetime import tzinfo
from typing import Literal

import msgspec

from broadsheet import language
from broadsheet.article import Article, Image, Witness
from broadsheet.extract import blocks, bylines, content, dates, decode, fields, headline, moments, structured, tree
from broadsheet.extract.claims import Verdict
from broadsheet.extract.errors import ExtractionError
from broadsheet.extract.lines import Page

# Adults read 238 words a minute in English (Brysbaert 2019), 260 characters in Chinese (Wang 2019).
_PER_MINUTE = {"words": 238, "characters": 260}


class Explanation(msgspec.Struct, frozen=True):
# Adults read 238 words a minute in English (Brysbaert 2019) and 260 characters in Chinese (Wang 2019).

    article: Article
    verdicts: dict[str, Verdict]
    codec: str
    body: str


def extract(html: bytes, url: str, *, charset: str | None = None, zone: tzinfo | None = None) -> Article:
    """The article on a page; `charset` is the HTTP header's, `zone` the publisher's for local times without one.

    Raises ExtractionError if there is no article on the page or it would cost too much to look.
    """
    return explain(html, url, charset=charset, zone=zone).article


def explain(html: bytes, url: str, *, charset: str | None = None, zone: tzinfo | None = None) -> Explanation:
    """What extract returns, with every witness it heard."""
    if len(html) > tree.MAX_BYTES:
        raise ExtractionError(url, "too-large", f"{len(html)} bytes, at most {tree.MAX_BYTES}")
    text, codec = decode.decode(html, charset)
    root = tree.parse(text, url)
    data = structured.read(root)
    tree.strip_non_text(root)
    names = fields.site_names(data, url)
    declared = fields.declared_language(data)
    habits = dates.Habits(zone, dates.day_comes_first(declared.value, url))
    authors, agency = bylines.people(data, root, names)
    page = Page(root)
    verdicts = {
        "title": headline.title(data, root, names),
        "standfirst": fields.standfirst(data),
        "authors": authors,
        "agency": agency,
        "published_at": moments.published(data, page, text, url, habits),
        "modified_at": moments.modified(data, habits),
        "section": fields.section(data),
        "tags": fields.tags(data),
        "language_declared": declared,
        "canonical_url": fields.canonical(data, url),
        "site_name": fields.site_name(data),
        "access": fields.access(data),
        "images": fields.lead_image(data, url),
    }
    finding = content.find(page, verdicts["title"].value or "", tuple(c.value for c in verdicts["standfirst"].claims))
    body = blocks.build(finding.lines, url)
    if not body.text:
        raise ExtractionError(url, "no-article", "no prose found")
    return Explanation(article(url, body, verdicts, Witness("heuristic", finding.how)), verdicts, codec, finding.how)


def article(url: str, body: blocks.Body, verdicts: dict[str, Verdict], found: Witness) -> Article:
    """The record from a body and the verdicts on the other fields."""
    values = {name: verdict.value for name, verdict in verdicts.items() if verdict.chosen}
    provenance = {name: verdict.chosen.witness for name, verdict in verdicts.items() if verdict.chosen}
    lead: Image | None = values.pop("images", None)
    images = body.images
    if lead is not None:
        images = (lead, *(image for image in images if image.url != lead.url))
    if images and "images" not in provenance:
        provenance["images"] = found
    provenance["body"] = found
    detected = language.detect(body.text)
    dense = language.writes_without_spaces(body.text)
    length = len("".join(body.text.split())) if dense else len(body.text.split())
    unit: Literal["words", "characters"] = "characters" if dense else "words"
    declared = values.get("language_declared")
    return Article(
        url=url,
        **values,
        language=detected or (declared.split("-")[0].lower() if declared else None),
        language_detected=detected,
        images=images,
        blocks=body.blocks,
        text=body.text,
        html=body.html,
        links=body.links,
        length=length,
        length_unit=unit,
        reading_minutes=max(1, round(length / _PER_MINUTE[unit])) if length else 0,
        provenance=provenance,
    )
