"""YAML that people write: read into a record, with the line and the field of whatever is wrong in it."""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from broadsheet.errors import BroadsheetError

T = TypeVar("T")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where the wheel has it: ten times as fast


def read(
    text: str,
    kind: type[T],
    *,
    name: str,
    error: type[BroadsheetError],
    contradictions: Callable[[T], Iterable[tuple[str, str]]],
    say: Callable[[str, Any], str] | None = None,
) -> T:
    """The record of type `kind` that a file holds.

    `contradictions` yields what no type can say is wrong, each as a path (`$.sources[0].url`) and a reason; `say` is
    how a path of the plain data is told to people. Raises `error`, its subject `name:line`.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as wrong:
        mark = getattr(wrong, "problem_mark", None)
        raise error(f"{name}:{mark.line + 1 if mark else 1}", "not YAML", str(wrong).split("\n")[0]) from wrong
    say = say or _say
    lines: dict[str, int] = {}
    data: Any = None
    try:
        data = _plain(node, "$", lines)
        record = msgspec.convert(data, kind)
    except _UnfitError as wrong:
        raise error(f"{name}:{_line(lines, wrong.path)}", _say(wrong.path, data), wrong.problem) from wrong
    except msgspec.ValidationError as wrong:
        path, message = _where(str(wrong))
        raise error(f"{name}:{_line(lines, path)}", say(path, data), message) from wrong
    for path, reason in contradictions(record):
        raise error(f"{name}:{_line(lines, path)}", say(path, data), reason)
    return record


def is_timezone(name: str) -> bool:
    """Whether there is a time zone of that name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Asia" is a folder
        return False
    return True


def _say(path: str, _data: Any) -> str:
    return path.removeprefix("$.") if path != "$" else "the file"


class _UnfitError(Exception):
    """YAML that has no plain value; never leaves this module."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem


def _where(error: str) -> tuple[str, str]:
    """The path and the words of a msgspec error; of an unknown or missing field the path is that field's own."""
    message, _, path = error.rpartition(" - at `")
    message, path = (message, path.rstrip("`")) if message else (error, "$")
    if field := re.fullmatch(r"Object (contains unknown|missing required) field `(.+)`", message):
        return f"{path}.{field[2]}", "no such field" if "unknown" in field[1] else "is missing"
    if "regex '^https?:" in message:
        message = "expected an http or https URL"
    return path, message


def _plain(node: Any, path: str, lines: dict[str, int], inside: tuple[Any, ...] = ()) -> Any:
    """The plain value of a YAML node; notes the line of every path, which msgspec's errors then name."""
    if node is None:
        return None
    lines[path] = node.start_mark.line + 1
    if any(node is outer for outer in inside):
        raise _UnfitError(path, "holds itself")
    inside = (*inside, node)
    if isinstance(node, yaml.MappingNode):
        plain: dict[str, Any] = {}
        for key, value in node.value:
            field = f"{path}.{key.value}" if isinstance(key, yaml.ScalarNode) else f"{path}.a field's name"
            lines[field] = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _UnfitError(field, "must be plain text")
            if key.value in plain:
                raise _UnfitError(field, "given twice")
            plain[key.value] = _plain(value, field, lines, inside)
        return plain
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, f"{path}[{i}]", lines, inside) for i, item in enumerate(node.value)]
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError) as wrong:
        raise _UnfitError(path, str(wrong).split("\n")[0]) from wrong


def _line(lines: dict[str, int], path: str) -> int:
    """The line of a path, or of the nearest thing around it: a missing field has no line of its own."""
    while path not in lines and path not in ("", "$"):
        path = re.sub(r"(\.[^.\[]*|\[[^\]]*\])$", "", path)
    return lines.get(path, 1)
