"""Event patterns as event source mappings filter by: which records a function is to see.

The rules are those of EventBridge that Lambda documents for event filtering: a pattern's fields must all match, a
field's list holds alternatives, and a number is equal to a number only, never to its text.
"""

import operator
from collections.abc import Mapping
from typing import Any

from broadsheet.errors import BroadsheetError

_COMPARE = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_ABSENT = object()


class PatternError(BroadsheetError):
    """A filter holds what Lambda would refuse, or an operator that the embedded AWS doesn't know."""


def matches(pattern: Mapping[str, Any], record: Any) -> bool:
    """Tell whether `record` has every field of `pattern`."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matches(alternative, record) for alternative in wanted):
                return False
            continue
        value = record.get(key, _ABSENT) if isinstance(record, Mapping) else _ABSENT
        if isinstance(wanted, Mapping):
            if not matches(wanted, value):
                return False
        elif isinstance(wanted, list):
            values = value if isinstance(value, list) and value else [value]
            if not any(_accepts(rule, each) for rule in wanted for each in values):
                return False
        else:
            raise PatternError(key, "not-a-list", repr(wanted))
    return True


def _accepts(rule: Any, value: Any) -> bool:
    if not isinstance(rule, Mapping):
        return _same(rule, value)
    ((name, operand),) = rule.items()
    match name:
        case "exists":
            return bool(operand) is (value is not _ABSENT and not isinstance(value, Mapping))
        case "prefix":
            return isinstance(value, str) and value.startswith(operand)
        case "suffix":
            return isinstance(value, str) and value.endswith(operand)
        case "equals-ignore-case":
            return isinstance(value, str) and value.casefold() == operand.casefold()
        case "anything-but":
            refused = operand if isinstance(operand, list) else [operand]
            return value is not _ABSENT and not any(_accepts(each, value) for each in refused)
        case "numeric":
            return _is_number(value) and all(
                _COMPARE[sign](value, bound) for sign, bound in zip(operand[::2], operand[1::2], strict=True)
            )
    raise PatternError(name, "unknown-operator")


def _same(wanted: Any, value: Any) -> bool:
    if _is_number(wanted) and _is_number(value):
        return bool(wanted == value)
    return type(wanted) is type(value) and bool(wanted == value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
