"""How many reprints are found, and how many other texts are taken for one, on real articles (`pytest -s` shows it)."""

import itertools
import json
import lzma
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadsheet.reprints import THRESHOLD, bands, resemblance, signature

CORPUS = Path(__file__).parents[4] / "shared/corpus/extraction"
pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="../shared/corpus isn't there")

SETS = ("fundus", "news424", "daniel_zh", "magic", "wcxb")
SAMPLE = 60  # texts of a set to dress up as reprints
FOUND = {  # at least this share, in Chinese and in the other languages: measured 2026-11, less a few in a hundred
    "as it is": (1.0, 1.0),
    "cut to 60 %": (0.92, 0.97),
    "after a sentence of its own": (0.95, 0.92),
    "with other things after it": (0.85, 0.95),
    "first paragraphs swapped": (0.95, 0.95),
    "second paragraph left out": (0.85, 0.85),
    "one word in 20 another": (0.90, 0.97),
}


def texts(name: str) -> list[str]:
    with lzma.open(CORPUS / f"{name}.jsonl.xz", "rt") as lines:
        return sorted({body for line in lines if (body := json.loads(line).get("body"))})


def is_linked(a: int, b: int) -> bool:
    return bool({*bands(a)} & {*bands(b)}) and resemblance(a, b) >= THRESHOLD


def is_chinese(text: str) -> bool:
    return bool(re.search("[\u4e00-\u9fff]", text[:200]))


def dressed(text: str, other: str, draw: random.Random) -> Iterator[tuple[str, str]]:
    """The text as others print it."""
    paragraphs = [part for part in text.split("\n") if part.strip()]
    gap = "" if is_chinese(text) else " "
    words = list(text) if is_chinese(text) else text.split(" ")
    yield "as it is", text
    yield "cut to 60 %", text[: int(len(text) * 0.6)]
    yield "after a sentence of its own", other[: 50 if is_chinese(text) else 120] + "\n" + text
    yield "with other things after it", text + "\n" + other
    if len(paragraphs) > 3:
        yield "first paragraphs swapped", "\n".join([paragraphs[1], paragraphs[0], *paragraphs[2:]])
        yield "second paragraph left out", "\n".join([paragraphs[0], *paragraphs[2:]])
    yield "one word in 20 another", gap.join(draw.choice(words) if draw.random() < 0.05 else word for word in words)


def test_reprints_are_found() -> None:
    draw = random.Random(11)
    tried: Counter[tuple[str, bool]] = Counter()
    found: Counter[tuple[str, bool]] = Counter()
    for name in SETS:
        whole = [text for text in texts(name) if signature(text) is not None]
        for text in draw.sample(whole, SAMPLE):
            own = signature(text)
            assert own is not None
            for how, reprint in dressed(text, draw.choice(whole), draw):
                if (theirs := signature(reprint)) is not None:
                    tried[how, is_chinese(text)] += 1
                    found[how, is_chinese(text)] += is_linked(own, theirs)
    for how, least in FOUND.items():
        shares = [found[how, chinese] / tried[how, chinese] for chinese in (True, False)]
        numbers = [tried[how, chinese] for chinese in (True, False)]
        print(f"{how:30} Chinese {shares[0]:.3f} of {numbers[0]:3}   others {shares[1]:.3f} of {numbers[1]:3}")
        assert all(share >= bound for share, bound in zip(shares, least, strict=True)), how


def test_other_articles_are_not_taken_for_reprints() -> None:
    """Of all pairs of two different pages' texts; the few that are linked do tell one story in the same words."""
    pairs = candidates = 0
    linked: list[tuple[str, str]] = []
    for name in SETS:
        signed = [(text, own) for text in texts(name) if (own := signature(text)) is not None]
        pairs += len(signed) * (len(signed) - 1) // 2
        filed: defaultdict[int, list[int]] = defaultdict(list)
        for i, (_, own) in enumerate(signed):
            for band in bands(own):
                filed[band].append(i)
        together = {pair for held in filed.values() for pair in itertools.combinations(held, 2)}
        candidates += len(together)
        linked += [(signed[a][0], signed[b][0]) for a, b in together if is_linked(signed[a][1], signed[b][1])]
    false = [(a[:60], b[:60]) for a, b in linked if len(_sentences(a) & _sentences(b)) < 3]
    print(f"{pairs} pairs, {candidates} share a band, {len(linked)} linked, {len(false)} of them wrongly")
    assert pairs > 300_000
    assert candidates < 1e-3 * pairs, "each is compared"
    assert not false


def _sentences(text: str) -> set[str]:
    return {s for part in re.split(r"[.!?。！？；，,\n]", text) if len(s := "".join(part.split())) >= 8}
