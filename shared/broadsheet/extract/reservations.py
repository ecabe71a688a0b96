"""What a page reserves for its publisher: not to be archived, not to be mined. Pure.

Read are the robots directives `noarchive` and `noai` (meta robots, X-Robots-Tag; those for everybody, and those for us
by name) and the TDM Reservation Protocol (W3C community group, 2024) as headers or meta tags `tdm-reservation` and
`tdm-policy`. Not read is its third form, /.well-known/tdmrep.json: that would be one more request to every host.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urljoin

from msgspec.structs import replace

from broadsheet.article import Article, Reservation, Witness, WitnessKind
from broadsheet.extract.claims import Claim, Verdict, claim, first

_AGENT = "broadsheet"  # the product token, in lower case
_WITH_VALUE = frozenset(("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"))
_FOR = re.compile(r"\s*([\w-]+)\s*:(.*)", re.DOTALL)


def of_page(meta: Mapping[str, list[str]], url: str) -> dict[str, Verdict]:
    """The verdicts that a page's meta tags lead to, by the article's fields; `meta` has lower-case names."""
    claims: list[tuple[str, Claim]] = []
    for name in ("robots", _AGENT):
        for directive in (word.strip().lower() for text in meta.get(name, []) for word in text.split(",")):
            claims += _of_directive(directive, "meta", name)
    claims += _of_tdm({name: values[0] for name, values in meta.items()}, "meta", url)
    return {
        field: first([one for name, one in claims if name == field]) for field in dict.fromkeys(n for n, _ in claims)
    }


def with_headers(article: Article, headers: Mapping[str, str]) -> Article:
    """The article with what its answer's headers (lower-case names) reserve, too; the page's own words stand."""
    claims = [
        one
        for directive in _directives(headers.get("x-robots-tag", ""))
        for one in _of_directive(directive, "header", "x-robots-tag")
    ]
    claims += _of_tdm(headers, "header", article.url)
    new = {name: one for name, one in reversed(claims) if not getattr(article, name)}
    if not new:
        return article
    provenance: dict[str, Witness] = {name: one.witness for name, one in new.items()}
    return replace(
        article, **{name: one.value for name, one in new.items()}, provenance={**article.provenance, **provenance}
    )


def respected(article: Article, policy: tuple[Reservation, ...]) -> Reservation | None:
    """The first reservation of the article's that a source's policy respects."""
    made = {"noarchive": article.noarchive, "tdm": article.tdm_reserved}
    return next((one for one in policy if made[one]), None)


def without_text(article: Article) -> Article:
    """What may be kept of it all the same: address, title, standfirst, people and instants, as a list would show."""
    empty = {"text": "", "html": "", "blocks": (), "images": (), "links": ()}
    provenance = {name: witness for name, witness in article.provenance.items() if name not in empty}
    return replace(article, **empty, length=0, reading_minutes=0, provenance=provenance)


def _of_directive(directive: str, kind: WitnessKind, name: str) -> Iterator[tuple[str, Claim]]:
    field = {"noarchive": "noarchive", "noai": "tdm_reserved"}.get(directive)
    if field:
        yield field, claim(True, kind, f"{name}: {directive}")


def _of_tdm(values: Mapping[str, str], kind: WitnessKind, url: str) -> Iterator[tuple[str, Claim]]:
    """`tdm-policy` says something only beside a reservation."""
    if values.get("tdm-reservation", "").strip() != "1":
        return
    yield "tdm_reserved", claim(True, kind, "tdm-reservation")
    try:
        policy = urljoin(url, values.get("tdm-policy", "").strip())
    except ValueError:
        return
    if values.get("tdm-policy") and policy.startswith(("http://", "https://")):
        yield "tdm_policy", claim(policy, kind, "tdm-policy")


def _directives(header: str) -> Iterator[str]:
    """X-Robots-Tag's directives for everybody or for us; an agent's name governs what follows it in its line."""
    for line in header.splitlines():
        ours = True
        for part in line.split(","):
            directive = part
            if (match := _FOR.fullmatch(part)) and match[1].lower() not in _WITH_VALUE:
                ours = match[1].lower() == _AGENT
                directive = match[2]
            if ours:
                yield directive.strip().lower()
