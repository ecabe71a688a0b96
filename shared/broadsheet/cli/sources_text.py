"""Entries added to a sources file's text, all else in it left as its owner wrote it: order, comments, blank lines."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
import yaml

from broadsheet import source
from broadsheet.source import Source, Sources, SourcesError


def added(text: str, sources: Iterable[Source], *, name: str = "sources.yaml") -> str:
    """The text with these sources at the end of its list. SourcesError if it can't hold them, or was wrong before.

    The result is read again: it holds what was there and what was added, or nothing is returned.
    """
    new = tuple(sources)
    before = source.parse(text, name=name) if text.strip() else Sources(sources=())
    changed = _inserted(text, new, name) if new else text
    after = source.parse(changed, name=name)
    if after.sources != (*before.sources, *new) or after.channels != before.channels:
        raise SourcesError(name, "can't be added to", "write the entry by hand: the file is laid out unusually")
    return changed


def free_id(wanted: str, taken: Iterable[str]) -> str:
    """`wanted` as an id (lower-case letters, digits and hyphens), with a number if it is taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[:55] or "source"
    known, number, id = set(taken), 2, plain
    while id in known:
        id, number = f"{plain}-{number}", number + 1
    return id


def _inserted(text: str, new: tuple[Source, ...], name: str) -> str:
    if not text.strip():
        return "sources:\n" + _entries(new, "  ")
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)  # not libyaml's: its marks count bytes
    listed = next(value for key, value in root.value if key.value == "sources")
    if listed.value and not listed.flow_style:
        end = _end(listed)
        if text[end - 1] != "\n":
            line_end = text.find("\n", end)
            text, end = (text, line_end + 1) if line_end >= 0 else (text + "\n", len(text) + 1)
        indent = " " * (listed.value[0].start_mark.column - 2)
        return text[:end] + _entries(new, indent) + text[end:]
    if listed.value:
        raise SourcesError(name, "can't be added to", "its sources are written in brackets, on one line")
    rest = text[listed.end_mark.index :]
    return text[: listed.start_mark.index].rstrip(" ") + "\n" + _entries(new, "  ").rstrip("\n") + rest


def _end(node: Any) -> int:
    """Where a node's own text ends; a block collection's mark stands after the comments that follow it."""
    while not isinstance(node, yaml.ScalarNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _entries(new: tuple[Source, ...], indent: str) -> str:
    """Sources as block entries, with what differs from the defaults."""
    text = ""
    for one in new:
        given = {
            field.name: value
            for field in msgspec.structs.fields(Source)
            if (value := getattr(one, field.name)) != field.default or field.required
        }
        lines = yaml.safe_dump(msgspec.to_builtins(given), allow_unicode=True, sort_keys=False, width=10**6).splitlines(
            keepends=True
        )
        text += "".join(indent + ("  " if i else "- ") + line for i, line in enumerate(lines))
    return text
