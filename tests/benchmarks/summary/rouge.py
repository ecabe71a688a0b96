"""ROUGE-1, -2 and -L as F1 (Lin 2004), over words, or over characters where a script writes no spaces."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_TOKEN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0eff]|[^\\W_]+")


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(unicodedata.normalize("NFKC", text).lower())


def rouge(summary: str, reference: str) -> tuple[float, float, float]:
    """ROUGE-1, ROUGE-2 and ROUGE-L of `summary` against `reference`, each 0 to 1."""
    a, b = tokens(summary), tokens(reference)
    return _ngram(a, b, 1), _ngram(a, b, 2), _f1(_longest_common(a, b), len(a), len(b))


def _ngram(a: Sequence[str], b: Sequence[str], n: int) -> float:
    left, right = _grams(a, n), _grams(b, n)
    return _f1((left & right).total(), left.total(), right.total())


def _grams(found: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(found[k : k + n]) for k in range(len(found) - n + 1))


def _f1(common: int, a: int, b: int) -> float:
    return 2 * common / (a + b) if common else 0.0


def _longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    row = [0] * (len(b) + 1)
    for left in a:
        before = 0
        for k, right in enumerate(b, 1):
            before, row[k] = row[k], before + 1 if left == right else max(row[k], row[k - 1])
    return row[-1]
