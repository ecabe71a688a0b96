"""How commands answer: for people or, with --json, for programs; and what somebody who mistyped an id meant."""

import difflib
from collections.abc import Iterable
from typing import Any

import click
import msgspec

json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


def show_json(value: Any) -> None:
    """Print a value, records and instants among it, as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def meant(wanted: str, known: Iterable[str]) -> str:
    """What to add to "there is no such …": the closest known names, or all of them where they are few."""
    names = sorted(set(known))
    if near := difflib.get_close_matches(wanted, names, n=3, cutoff=0.6):
        return f"; did you mean {' or '.join(near)}?"
    if not names:
        return "; there are none"
    return f"; there are {', '.join(names[:12])}{' and others' if len(names) > 12 else ''}"
