"""Entries added to a sources file's text, all else in it left as its owner wrote it: order, comments, blank lines."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from broadsheet import source
from broadsheet.source import Channel, Source, Sources, SourcesError

file_option = click.option(
    "--file",
    "path",
    default="shared/sources.yaml",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The sources file.",
)


def added(text: str, sources: Iterable[Source], *, name: str = "sources.yaml") -> str:
    """The text with these sources at the end of its list. SourcesError if it can't hold them, or was wrong before.

    The result is read again: it holds what was there and what was added, or nothing is returned.
    """
    new = tuple(sources)
    before = source.parse(text, name=name) if text.strip() else Sources(sources=())
    changed = _inserted(text, "sources", [_given(one) for one in new], name) if new else text
    after = source.parse(changed, name=name)
    if after.sources != (*before.sources, *new) or after.channels != before.channels:
        raise _unusual(name)
    return changed


def channel_added(
    text: str, entry: Mapping[str, Any], subscribers: Iterable[str] = (), *, name: str = "sources.yaml"
) -> str:
    """The text with a channel, given as its entry's fields, at the end of its list, and named by the subscribers.

    SourcesError if the fields mean no channel, no source is called as a subscriber is, or the text can't hold them.
    """
    wanted = set(subscribers)
    before = source.parse(text, name=name)
    if unknown := wanted - {one.id for one in before.sources}:
        raise SourcesError(name, f"no source {', '.join(sorted(unknown))}", "so nothing could subscribe to the channel")
    changed = _inserted(text, "channels", [entry], name)
    source.parse(changed, name=name)  # says which of the fields is wrong
    changed = _subscribed(changed, str(entry["id"]), wanted)
    after = source.parse(changed, name=name)
    sources = tuple(
        msgspec.structs.replace(one, channels=(*one.channels, entry["id"])) if one.id in wanted else one
        for one in before.sources
    )
    channel = msgspec.convert(entry, Channel)
    if (after.channels, after.sources) != ((*before.channels, channel), sources):
        raise _unusual(name)
    return changed


def free_id(wanted: str, taken: Iterable[str]) -> str:
    """`wanted` as an id (lower-case letters, digits and hyphens), with a number if it is taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")[:55] or "source"
    known, number, id = set(taken), 2, plain
    while id in known:
        id, number = f"{plain}-{number}", number + 1
    return id


def _unusual(name: str) -> SourcesError:
    return SourcesError(name, "can't be added to", "write the entry by hand: the file is laid out unusually")


def _composed(text: str) -> Any:
    return yaml.compose(text, Loader=yaml.SafeLoader)  # not libyaml's: its marks count bytes


def _inserted(text: str, section: str, entries: list[Mapping[str, Any]], name: str) -> str:
    if not text.strip():
        return f"{section}:\n" + _block(entries, "  ")
    listed = _value(_composed(text), section)
    if listed is None:
        return text.rstrip("\n") + f"\n\n{section}:\n" + _block(entries, "  ")
    if listed.value and not listed.flow_style:
        text, end = _line_after(text, listed)
        indent = " " * (listed.value[0].start_mark.column - 2)
        return text[:end] + _block(entries, indent) + text[end:]
    if listed.value:
        raise SourcesError(name, "can't be added to", f"its {section} are written in brackets, on one line")
    rest = text[listed.end_mark.index :]
    return text[: listed.start_mark.index].rstrip(" ") + "\n" + _block(entries, "  ").rstrip("\n") + rest


def _subscribed(text: str, channel: str, sources: set[str]) -> str:
    """The text with the channel named by these sources, each in the way its entry is written."""
    listed = _value(_composed(text), "sources")
    for node in reversed(listed.value if listed is not None else []):  # from the end: marks before it stay right
        if _value(node, "id").value not in sources:
            continue
        named = _value(node, "channels")
        if named is None and node.flow_style:
            end = node.end_mark.index - 1
            text = f"{text[:end].rstrip()}, channels: [{channel}]{text[end:]}"
        elif named is None:
            indent = " " * node.start_mark.column
            text, end = _line_after(text, node)
            text = f"{text[:end]}{indent}channels: [{channel}]\n{text[end:]}"
        elif named.flow_style:
            end = named.end_mark.index - 1
            text = f"{text[:end].rstrip()}{', ' if named.value else ''}{channel}{text[end:]}"
        else:
            indent = " " * (named.value[0].start_mark.column - 2)
            text, end = _line_after(text, named)
            text = f"{text[:end]}{indent}- {channel}\n{text[end:]}"
    return text


def _value(mapping: Any, key: str) -> Any:
    return next((value for found, value in mapping.value if found.value == key), None)


def _line_after(text: str, node: Any) -> tuple[str, int]:
    """Where the line after a node begins; the text with a line's end, should it lack the last one."""
    end = _end(node)
    if text[end - 1] == "\n":
        return text, end
    line_end = text.find("\n", end)
    return (text, line_end + 1) if line_end >= 0 else (text + "\n", len(text) + 1)


def _end(node: Any) -> int:
    """Where a node's own text ends; a block collection's mark stands after the comments that follow it."""
    while not isinstance(node, yaml.ScalarNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _given(one: Source) -> dict[str, Any]:
    """A source as its entry's fields: what differs from the defaults."""
    given = {
        field.name: value
        for field in msgspec.structs.fields(Source)
        if (value := getattr(one, field.name)) != field.default or field.required
    }
    built: dict[str, Any] = msgspec.to_builtins(given)
    return built


def _block(entries: Iterable[Mapping[str, Any]], indent: str) -> str:
    text = ""
    for entry in entries:
        lines = yaml.safe_dump(dict(entry), allow_unicode=True, sort_keys=False, width=10**6).splitlines(keepends=True)
        text += "".join(indent + ("  " if i else "- ") + line for i, line in enumerate(lines))
    return text
