"""Whether two texts are one story reprinted: signatures that work in any script. Pure.

Agencies' copy comes out under many roofs: with another headline, a sentence put before it, its end cut off. So the
**beginning** of a text is what counts: reprints are cut from below, and the background that two reports of one affair
share stands at the end. It is cut into units (words, or single characters where a script writes no spaces), the units
into overlapping shingles, and the shingles' resemblance |A∩B| / |A∪B| is estimated by min-hashing (Broder, "On the
resemblance and containment of documents", 1997), with one hash whose range is cut into bins (Li, Owen and Zhang, "One
permutation hashing", NIPS 2012); a bin that stays empty borrows from the next (Shrivastava and Li, ICML 2014). Of each
four bits are kept, so that a text is known by 32 bytes; that one bin in 16 agrees by chance is reckoned with (Li and
König, "b-bit minwise hashing", WWW 2010).

`bands` of bins find candidates without comparing all with all (Leskovec, Rajaraman and Ullman, "Mining of massive
datasets", §3.4): of b bands of r bins, texts of resemblance s have one in common with probability 1 - (1 - sʳ)ᵇ, here
0.64 at a resemblance of 0.5, 0.89 at 0.6 and 1 at 0.8; of other texts one in 4,000 does. Rates are measured in
tests/unit/reprints.
"""

import hashlib
import re
import struct
import unicodedata
from typing import NamedTuple

VERSION = 2  # of all that follows: signatures of two versions can't be compared
BINS, BITS = 64, 4  # an estimate's standard deviation is 0.07 at most
BYTES = BINS * BITS // 8
THRESHOLD = 0.5  # of resemblance; reports from one template, the most alike that are none, reach 0.4


class _Cut(NamedTuple):
    """How text is cut, in units: texts with fewer than `least` are briefs, half of which is formula."""

    least: int
    beginning: int
    shingle: int


_WORDS = _Cut(80, 250, 3)
_CHARACTERS = _Cut(120, 400, 4)  # a word of Chinese has about 1.6 characters
_BANDS = struct.Struct("<16H")  # of four bins each
ALL_BANDS = 16 << 16
_LOWEST = sum(1 << at * BITS for at in range(BINS))  # the lowest bit of each bin
_BY_CHANCE = 1 / (1 << BITS)
_MOST_READ = 8000  # characters, to find the beginning in

# Letters that stand alone: Thai, Lao, Myanmar, Khmer; kana, Han and its extensions. Others come in runs.
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
)
_UNIT = re.compile(f"([{_ALONE}])|[^\\W_{_ALONE}]+")


def signature(text: str) -> int | None:
    """What a text is recognised by, `BINS` numbers of `BITS` bits in one; None for a brief.

    Case, width, punctuation and paragraphs make no difference.
    """
    found = list(_UNIT.finditer(unicodedata.normalize("NFKC", text[:_MOST_READ]).casefold()))
    alone = sum(match[1] is not None for match in found)
    cut = _CHARACTERS if 2 * alone > len(found) else _WORDS
    if len(found) < cut.least:
        return None
    units = [match[0] for match in found[: cut.beginning]]
    least: list[int | None] = [None] * BINS
    for i in range(len(units) - cut.shingle + 1):
        shingle = " ".join(units[i : i + cut.shingle])
        hashed = int.from_bytes(hashlib.blake2b(shingle.encode("utf-8", "replace"), digest_size=8).digest())
        value, at = divmod(hashed, BINS)
        held = least[at]
        if held is None or value < held:
            least[at] = value
    return sum(_borrowed(least, at) << at * BITS for at in range(BINS))


def resemblance(a: int, b: int) -> float:
    """The share of shingles that two texts have in common, estimated from their signatures: 1, or about 0 or more."""
    differ = a ^ b
    differ |= differ >> 2
    differ |= differ >> 1
    agree = BINS - (differ & _LOWEST).bit_count()
    return (agree / BINS - _BY_CHANCE) / (1 - _BY_CHANCE)


def bands(signature: int) -> tuple[int, ...]:
    """Numbers below `ALL_BANDS` to file a text under; texts that resemble each other probably have one in common."""
    return tuple(i << 16 | band for i, band in enumerate(_BANDS.unpack(signature.to_bytes(BYTES, "little"))))


def _borrowed(least: list[int | None], at: int) -> int:
    """A few bits of a bin's value, or of the next one's that has any, told apart by the distance."""
    distance, value = next((d, v) for d in range(BINS) if (v := least[(at + d) % BINS]) is not None)
    return (value + distance * 0x9E37) % (1 << BITS)
