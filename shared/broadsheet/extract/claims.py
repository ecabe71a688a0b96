"""What witnesses say about a field, and which of them is believed."""

from typing import Any

import msgspec

from broadsheet.article import Witness, WitnessKind


class Claim(msgspec.Struct, frozen=True):
    """One witness's value for one field; `value` is of the field's type in Article."""

    value: Any
    witness: Witness


class Verdict(msgspec.Struct, frozen=True):
    """A field's claims in the order they were heard, the one believed, and why."""

    claims: tuple[Claim, ...] = ()
    chosen: Claim | None = None
    why: str = "no witness"

    @property
    def value(self) -> Any:
        return self.chosen.value if self.chosen else None


def claim(value: Any, kind: WitnessKind, key: str) -> Claim:
    return Claim(value, Witness(kind, key))


def first(claims: list[Claim], why: str = "the first in order of trust") -> Verdict:
    """The verdict of a field whose witnesses are heard in order of trust; empty values are no testimony."""
    heard = [c for c in claims if c.value not in (None, "", (), [])]
    return Verdict(tuple(heard), heard[0], "the only witness" if len(heard) == 1 else why) if heard else Verdict()
