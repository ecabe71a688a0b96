"""The story of one page: bytes in, Article out, with the reason for every choice."""

from datetime import tzinfo
from typing import Any, Literal

import msgspec

from broadsheet import language
from broadsheet.article import Article, Image, Witness
from broadsheet.extract import (
    blocks,
    bylines,
    content,
    dates,
    decode,
    fields,
    headline,
    moments,
    reservations,
    structured,
    tree,
)
from broadsheet.extract.authors import split_byline
from broadsheet.extract.claims import Verdict, claim, first
from broadsheet.extract.errors import ExtractionError
from broadsheet.extract.lines import Page
from broadsheet.extract.rules import RuleBook, Ruled, apply, publisher_rule

# Adults read 238 words a minute in English (Brysbaert 2019) and 260 characters in Chinese (Wang 2019).
_PER_MINUTE = {"words": 238, "characters": 260}


class Explanation(msgspec.Struct, frozen=True):
    """An article, the verdict for each of its fields, the codec of its bytes, and how its body was found."""

    article: Article
    verdicts: dict[str, Verdict]
    codec: str
    body: str


def extract(
    html: bytes,
    url: str,
    *,
    charset: str | None = None,
    zone: tzinfo | None = None,
    rules: RuleBook = publisher_rule,
) -> Article:
    """The article on a page; `charset` is the HTTP header's, `zone` the publisher's for local times without one.

    `rules` finds the publisher rule for an address; `no_rule` leaves the page to the generic path.

    Raises ExtractionError if there is no article on the page or it would cost too much to look.
    """
    return explain(html, url, charset=charset, zone=zone, rules=rules).article


def explain(
    html: bytes,
    url: str,
    *,
    charset: str | None = None,
    zone: tzinfo | None = None,
    rules: RuleBook = publisher_rule,
) -> Explanation:
    """What extract returns, with every witness it heard."""
    if len(html) > tree.MAX_BYTES:
        raise ExtractionError(url, "too-large", f"{len(html)} bytes, at most {tree.MAX_BYTES}")
    text, codec = decode.decode(html, charset)
    root = tree.parse(text, url)
    data = structured.read(root)
    tree.strip_non_text(root)
    rule = rules(url)
    ruled = apply(rule, root) if rule else Ruled({}, "")
    zone = zone or (rule.timezone if rule else None)
    names = fields.site_names(data, url)
    declared = fields.declared_language(data)
    habits = dates.Habits(zone, dates.day_comes_first(declared.value, url))
    authors, agency = bylines.people(data, root, names)
    title = headline.title(data, root, names)
    page = Page(root)
    verdicts = {
        "title": title,
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
        **reservations.of_page(data.meta, url),
    }
    for name, verdict in testimony(ruled, habits).items():
        verdicts[name] = Verdict((*verdict.claims, *verdicts[name].claims), verdict.chosen, "the publisher's rule")
    shown, summaries = verdicts["title"].value or "", [c.value for c in verdicts["standfirst"].claims]
    if rule and ruled.body:
        body, found = (
            blocks.build(content.all_of(Page(tree.parse(ruled.body, url)), shown), url),
            Witness("rule", f"{rule.name}: {rule.body}"),
        )
    else:
        finding = content.find(page, shown, tuple(summaries))
        body, found = blocks.build(finding.lines, url), Witness("heuristic", finding.how)
    if not body.text:
        raise ExtractionError(url, "no-article", "no prose found")
    missed = rule.name if rule and not ruled.body else None
    return Explanation(article(url, body, verdicts, found, missed), verdicts, codec, found.key)


def testimony(ruled: Ruled, habits: dates.Habits) -> dict[str, Verdict]:
    """What a publisher's rule found, as claims of the fields' own types."""
    verdicts: dict[str, Verdict] = {}
    for field, texts in ruled.fields.items():
        value: Any = texts[0]
        if field.endswith("_at"):
            moment = next(filter(None, (dates.read_moment(text, habits) for text in texts)), None)
            value = moment.at if moment else None
        elif field == "authors":
            value = tuple(dict.fromkeys(name for text in texts for name in split_byline(text)[0]))
        elif field == "tags":
            value = tuple(dict.fromkeys(texts))
        if value:
            verdicts[field] = first([claim(value, "rule", field)])
    return verdicts


def article(
    url: str, body: blocks.Body, verdicts: dict[str, Verdict], found: Witness, missed: str | None = None
) -> Article:
    """The record from a body and the verdicts on the other fields."""
    values = {name: verdict.value for name, verdict in verdicts.items() if verdict.chosen}
    provenance = {name: verdict.chosen.witness for name, verdict in verdicts.items() if verdict.chosen}
    lead: Image | None = values.pop("images", None)
    images = body.images
    if lead is not None:
        images = (lead, *(image for image in images if image.url != lead.url))
    if images and "images" not in provenance:
        provenance["images"] = found
    provenance |= {name: found for name in ("blocks", "text", "html", "links") if getattr(body, name)}
    detected = language.detect(body.text)
    if detected:
        provenance["language"] = provenance["language_detected"] = Witness("heuristic", "letters of the text")
    elif "language_declared" in provenance:
        provenance["language"] = provenance["language_declared"]
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
        rule_missed=missed,
        provenance=provenance,
    )
