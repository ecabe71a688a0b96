"""Which of a page's titles is the headline."""

import unicodedata
from collections.abc import Callable, Iterator
from itertools import islice

from broadsheet.extract import headings, titles
from broadsheet.extract.claims import Claim, Verdict, claim, first
from broadsheet.extract.headings import Heading
from broadsheet.extract.structured import Structured, is_news, strings
from broadsheet.extract.tree import Element

# Of the h1 elements of a page; of the characters of a title that is compared.
_MOST = 8
_LONGEST = 800


def title(data: Structured, root: Element, site_names: list[str]) -> Verdict:
    """The headline readers see, unless the page calls itself news and tells machines another.

    Measured on the pages of fundus, wcxb, news424 and trafilatura's file that have a title, 1,560 in all. Where h1 and
    og:title differ and JSON-LD has no say or sides with the h1, the h1 is right nine times in ten. Where JSON-LD sides
    with og:title, those two are right 9 times in 12 on pages of a type of news; on others, where a plugin for search
    engines mostly wrote both, the h1 is right 18 times in 32. Some sites keep the h1 for search engines too, in the
    breadcrumb, and print the headline as an h2: of 18 titles told machines that repeat an h2 against the h1, ten are
    right and the h1 six times, four of them one publisher's.
    """
    told = list(_told(data))
    machine = [Claim(titles.without_site(c.value, site_names), c.witness) for c in told]
    machine = [c for c in machine if titles.folded(c.value)]
    printed = {
        heading: claim(titles.without_site(text, site_names), "html", "h1")
        for heading, text in _printed(root, [c.value for c in machine])
    }
    heard = (*printed.values(), *told)
    names = {titles.folded(name) for name in site_names}
    printed = {heading: c for heading, c in printed.items() if titles.folded(c.value) not in names}
    if not machine:
        return first(list(printed.values()), "the first headline on the page")
    by_key = {c.witness.key: c for c in reversed(machine)}
    linked, shared = by_key.get("headline"), by_key.get("og:title")
    best = _most_alike(printed, machine)
    shown = printed[best] if best else None
    against = [c for c in (shared, linked) if c and _says_otherwise(c.value, shown.value if shown else "")]
    if repeated := _repeated(root, best, against):
        return Verdict(heard, repeated, "another heading of the page says the same, against its h1")
    if not shown or not _is_plausible(shown, machine):
        return Verdict(heard, linked or shared or machine[0], "no headline on the page resembles what its head says")
    if linked and shared and _calls_itself_news(data):
        told_alike = titles.folded(linked.value) == titles.folded(shared.value)
        if told_alike and titles.folded(shared.value) != titles.folded(shown.value):
            return Verdict(heard, shared, "JSON-LD and OpenGraph agree against the page's headline")
    if shared and _ends(shown.value, shared.value):
        return Verdict(heard, shared, "the page's headline without the kicker before it")
    for other in (linked, shared):
        if other and _differ_in_spaces(other.value, shown.value):
            return Verdict(heard, other, "the headline readers see; its parts may have no space between")
    return Verdict(heard, shown, "the headline readers see")


def _most_alike(printed: dict[Heading, Claim], machine: list[Claim]) -> Heading | None:
    """The main heading most like anything told machines; of several, none if even that is unlike all."""

    def most(measure: Callable[[str, str], float], heading: Heading) -> float:
        return max(measure(printed[heading].value, m.value) for m in machine)

    best = max(printed, key=lambda heading: most(titles.sameness, heading), default=None)
    if best and len(printed) > 1 and most(titles.likeness, best) < 0.5:
        return None
    return best


def _calls_itself_news(data: Structured) -> bool:
    return is_news(next(node for node in data.nodes if strings(node.get("headline"))))


def _printed(root: Element, told: list[str]) -> Iterator[tuple[Heading, str]]:
    """The page's first main headings and their headlines; what stands beside one stays if the page's head has it so, or
    begins so and goes on with what may be the site's name."""
    said = [_plain(text) for text in told]
    for heading in islice(headings.main(root), _MOST):
        whole = _plain(heading.text)
        yield heading, heading.text if any(text.startswith(whole) for text in said) else heading.headline


def _repeated(root: Element, best: Heading | None, others: list[Claim]) -> Claim | None:
    """The first of some titles that a minor heading says, perhaps after a kicker."""
    endings = [(titles.folded(c.value), c) for c in others]
    for heading in headings.minor(root, best.element if best else None) if endings else ():
        for text in (titles.folded(heading.text), titles.folded(heading.headline)):
            if said := next((c for ending, c in endings if text.endswith(ending)), None):
                return said
    return None


def _plain(text: str) -> str:
    """A title as it is compared with its punctuation: a kicker run into the headline is not what others part by a
    colon. Width, case and spaces don't count."""
    return "".join(unicodedata.normalize("NFKC", text[:_LONGEST]).casefold().split())


def _told(data: Structured) -> Iterator[Claim]:
    """What is written for machines, in order of trust."""
    for node in data.nodes[:2]:
        for text in strings(node.get("headline"))[:1]:
            yield claim(text, "json-ld", "headline")
    for text in data.meta.get("og:title", [])[:1]:
        yield claim(text, "opengraph", "og:title")
    for text in data.meta.get("twitter:title", [])[:1]:
        yield claim(text, "meta", "twitter:title")
    if data.title:
        yield claim(data.title, "html", "title")


def _says_otherwise(one: str, heading: str) -> bool:
    """Whether a title is neither part of a heading nor the same after a kicker."""
    text, said = titles.folded(one), titles.folded(heading)
    return titles.is_long(text) and text not in said and not (said and text.endswith(said))


def _ends(whole: str, part: str) -> bool:
    """Whether a headline goes on, after a few words of its own, with all of another."""
    one, other = titles.folded(whole), titles.folded(part)
    return titles.is_long(other) and len(one) > len(other) and one.endswith(other)


def _differ_in_spaces(one: str, other: str) -> bool:
    return one != other and "".join(one.split()) == "".join(other.split())


def _is_plausible(heading: Claim, machine: list[Claim]) -> bool:
    """A lone h1 may be the section's or the blog's name: short, and unlike all the longer that is said elsewhere."""
    length = len(titles.folded(heading.value))
    return (
        titles.is_long(heading.value)
        or all(len(titles.folded(m.value)) < length for m in machine)
        or max(titles.likeness(heading.value, m.value) for m in machine) >= 0.5
    )
