"""Publisher rules: where one publisher's template keeps its fields, as data in `publishers/<host>.yaml`.

A rule's file is named after the host it speaks for, so that only that one file is read. Its selectors are CSS and run
over the page's main part with BeautifulSoup; what they find goes the way of a feed's fragment.
"""

import re
from collections.abc import Callable, Iterator
from datetime import tzinfo
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from lxml import etree

from broadsheet.errors import BroadsheetError
from broadsheet.extract.tree import Element

if TYPE_CHECKING:
    from pathlib import Path

    from bs4 import Tag

# What a rule may say besides the body; each is named as in Article.
FIELDS = ("title", "standfirst", "authors", "published_at", "modified_at", "section", "tags")


class RuleError(BroadsheetError):
    """A rule file that is no rule; the subject is `file:line`, the reason the field."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One publisher's template. Every selector is CSS; an empty one leaves its field to the other witnesses.

    `paths` limits the rule to addresses whose path begins so; `zone` is the publisher's, for local times; `scope` the
    tags tried in turn as the part of the page to look in; `body` selects boxes or single paragraphs, `drop` what to
    take out of them; `shape` says in words what a page looks like and when that was last seen.
    """

    name: str
    shape: str
    body: str
    paths: tuple[str, ...] = ()
    zone: str | None = None
    scope: tuple[str, ...] = ("main", "article", "body")
    title: str = ""
    standfirst: str = ""
    authors: str = ""
    published_at: str = ""
    modified_at: str = ""
    section: str = ""
    tags: str = ""
    drop: tuple[str, ...] = ()

    @property
    def timezone(self) -> tzinfo | None:
        # Imported here because only pages with a rule need it.
        from zoneinfo import ZoneInfo  # noqa: PLC0415

        return ZoneInfo(self.zone) if self.zone else None


class Ruled(msgspec.Struct, frozen=True):
    """What a rule found: texts by field, and the body as an HTML fragment, empty if the rule missed."""

    fields: dict[str, list[str]]
    body: str


RuleBook = Callable[[str], Rule | None]


def publisher_rule(url: str) -> Rule | None:
    """The rule for an address, from the file named after its host or the nearest parent domain."""
    parts = urlsplit(url)
    labels = (parts.hostname or "").split(".")
    for start in range(len(labels) - 1):
        rule = _stored(".".join(labels[start:]))
        if rule is not None:
            return rule if not rule.paths or parts.path.startswith(rule.paths) else None
    return None


def no_rule(_url: str) -> Rule | None:
    """The rule book of the generic path alone."""
    return None


def _directory() -> "Path":
    # Imported here because feeds' fragments have no rules.
    from pathlib import Path  # noqa: PLC0415

    return Path(__file__).parent.parent / "publishers"


@cache
def _stored(host: str) -> Rule | None:
    path = _directory() / f"{host}.yaml"
    return load(path) if path.is_file() else None


def load(path: "Path") -> Rule:
    """A rule from its file; raises RuleError, naming line and field, if it isn't one."""
    # Imported here because most hosts have no rule.
    from broadsheet import yamlfile  # noqa: PLC0415

    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(str(path), "unreadable", str(error)) from error
    return yamlfile.read(text, Rule, name=str(path), error=RuleError, contradictions=_contradictions)


def _contradictions(rule: Rule) -> Iterator[tuple[str, str]]:
    """What no type can say: selectors that aren't CSS, tags and zones that aren't."""
    import soupsieve  # noqa: PLC0415 - with BeautifulSoup, which only pages with a rule need

    from broadsheet.yamlfile import is_timezone  # noqa: PLC0415 - as in load

    if not rule.body:
        yield "$.body", "selects nothing"
    selectors = [(f"$.{field}", getattr(rule, field)) for field in (*FIELDS, "body")]
    selectors += [(f"$.drop[{i}]", selector) for i, selector in enumerate(rule.drop)]
    for path, selector in selectors:
        try:
            soupsieve.compile(selector or "*")
        except soupsieve.SelectorSyntaxError as error:
            yield path, f"{selector!r} is no CSS selector: {str(error).splitlines()[0]}"
    for i, tag in enumerate(rule.scope):
        if not re.fullmatch(r"[a-z][a-z0-9-]*", tag):
            yield f"$.scope[{i}]", f"{tag!r} is no tag's name"
    for i, start in enumerate(rule.paths):
        if not start.startswith("/"):
            yield f"$.paths[{i}]", "a path begins with /"
    if rule.zone and not is_timezone(rule.zone):
        yield "$.zone", f"no time zone {rule.zone!r}"


def apply(rule: Rule, root: Element) -> Ruled:
    """What a rule finds on a page."""
    # Imported here because only pages with a rule need it: 60 ms of a cold start.
    from bs4 import BeautifulSoup  # noqa: PLC0415

    scope = next((part for tag in rule.scope if (part := root.find(f".//{tag}")) is not None), root)
    soup = BeautifulSoup(etree.tostring(scope, encoding="unicode", method="html", with_tail=False), "lxml")
    fields: dict[str, list[str]] = {}
    for field in FIELDS:
        selector = getattr(rule, field)
        texts = [_text(tag) for tag in soup.select(selector)] if selector else []
        if any(texts):
            fields[field] = [text for text in texts if text]
    for selector in rule.drop:
        for tag in soup.select(selector):
            tag.decompose()
    chosen = soup.select(rule.body)
    outermost = [tag for tag in chosen if not any(parent in chosen for parent in tag.parents)]
    return Ruled(fields, "".join(map(str, outermost)) if any(tag.get_text(strip=True) for tag in outermost) else "")


def _text(tag: "Tag") -> str:
    stamp = tag.get("datetime") or tag.get("content")
    return stamp if isinstance(stamp, str) else " ".join(tag.get_text(" ").split())
