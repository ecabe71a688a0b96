"""What a reader is told of an article: the publisher's standfirst, or else its own best sentences, cut to fit.

Pure: text in, text out, in the article's language. The sentences are chosen by LexRank (Erkan & Radev 2004) over
words, or over character bigrams where a script writes no spaces; a sentence near the title's words gains, and one
near the beginning, since news puts the point first. The next is the best that doesn't repeat a chosen one (after
maximal marginal relevance, Carbonell & Goldstein 1998), and all of them come in reading order.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

from broadsheet.article import Article

Unit = Literal["characters", "bytes", "utf16"]

ELLIPSIS = "…"

_AHEAD = 100  # characters after a cut that tell whether it parts a sentence, a word or a cluster
_SENTENCES = 60  # news says it early, and the similarity matrix grows with the square
_READ = 50_000  # characters of the text; sixty sentences have about 8,000, and a page of dots two million sentences
_DAMPING = 0.85  # PageRank's
# Weights of centrality (the best has 1), of the cosine to the title, and of the beginning, which fades over six
# sentences. Found on half of the pages of tests/benchmarks/summary, and as good on the other half; the optimum is flat.
_CENTRAL, _TITLE, _EARLY, _FADE = 0.5, 1.5, 0.4, 6
_REDUNDANT = 0.5  # cosine from which a sentence repeats another
_SHORTEST = 25  # in Latin letters: "He agreed." says nothing alone
_DENSITY = 2.5  # Latin letters that one ideograph is worth to a reader: 120 ideographs say what 300 letters do
_STANDFIRST_SHARE = 0.3  # of its terms that title and body must hold, or it's the site's slogan

_CLOSING = "\"'”’»›）)】］]」』》〉"
_OPENING = "\"'“‘«‹（(【［[「『《〈¿¡—–-"
_IDEOGRAPHIC = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED = _IDEOGRAPHIC + "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
# A run of marks is read from its first one only, and never given back: 100,000 dots cost one pass.
_SENTENCE_END = re.compile(
    rf"[。！？｡؟।]++[{re.escape(_CLOSING)}]*+"
    rf"|(?<![.!?…])(?:[.!?…]++[{re.escape(_CLOSING)}]*+(?=\s|$)|[!?]++(?=[{_IDEOGRAPHIC}]))"
)
_VISIBLE = re.compile(r"\S")
_ENDS_WIDE = re.compile(rf"[。！？｡][{re.escape(_CLOSING)}]*$")  # what comes next needs no space
_TERM = re.compile(rf"[{_UNSPACED}\uac00-\ud7af]+|[^\W_]+")
_DENSE = re.compile(rf"[{_UNSPACED}\uac00-\ud7af]")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|sr|jr|rev|gen|lt|col|sgt|capt|sen|rep|gov|pres|hon|no|nos|vs|inc|ltd|co|corp|etc|eg|ie"
    r"|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|mm|mme|mlle|av|art|bzw|ca|evtl|nr|str|mio|mrd|usw|vgl|tel|sra|srta|ud|pág)"
    r"|(?:\b[^\W\d_]\.)*\b[^\W\d_])\.$",
    re.IGNORECASE,
)
_TRUNCATED = re.compile(r"(?:…|\.\.\.|\[[….]+\]|\(more\)|>>|»)\s*$", re.IGNORECASE)


def summarize(article: Article, *, limit: int = 300) -> str:
    """Returns at most `limit` characters of plain text: the standfirst if it says something, else the best sentences.

    Falls back to the standfirst however poor, then to the title; empty only when the article is.
    """
    standfirst = _one_line(article.standfirst or "")
    if is_good_standfirst(standfirst, article):
        return shorten(standfirst, limit)
    chosen = best_sentences(_paragraphs(article), title=article.title, limit=limit)
    return chosen or shorten(standfirst or _one_line(article.title), limit)


def best_sentences(paragraphs: Sequence[str], *, title: str = "", limit: int = 300) -> str:
    """The best sentences of `paragraphs` within `limit` characters, in reading order; empty if none.

    An ideograph takes the room of two and a half letters, unless not even the best sentence fits then.
    """
    sentences = [found for paragraph in _beginning(paragraphs) for found in split_sentences(_one_line(paragraph))]
    named = terms(title)
    worth = (s for s in sentences if _weight(s) >= _SHORTEST and terms(s) != named)
    candidates = list(islice(worth, _SENTENCES))
    if not candidates:
        return shorten(join_sentences(sentences), limit)
    *vectors, wanted = _vectors([*candidates, title])
    similar = [[_cosine(a, b) for b in vectors] for a in vectors]
    ranks = _lexrank(similar)
    highest = max(ranks)
    standing = [
        _CENTRAL * rank / highest + _TITLE * _cosine(vector, wanted) + _EARLY * math.exp(-k / _FADE)
        for k, (rank, vector) in enumerate(zip(ranks, vectors, strict=True))
    ]
    by_standing = sorted(range(len(candidates)), key=lambda k: -standing[k])
    chosen: list[int] = []
    room = float(limit)
    for k in by_standing:
        cost = _weight(candidates[k]) + (1 if chosen else 0)
        if cost <= room and all(similar[k][other] < _REDUNDANT for other in chosen):
            chosen.append(k)
            room -= cost
    if not chosen:
        return shorten(candidates[by_standing[0]], limit)
    return join_sentences([candidates[k] for k in sorted(chosen)])


def shorten(text: str, limit: int, unit: Unit = "characters") -> str:
    """Returns `text` within `limit` of `unit` (code points, UTF-8 bytes, or UTF-16 code units).

    Cuts after a sentence when that keeps at least half of what fits, else after a word, with an ellipsis; never inside
    what a reader sees as one character.
    """
    if measure(text, unit) <= limit:
        return text
    text = text[: limit + _AHEAD]  # a character is at least one of any unit
    fits = _prefix(text, limit, unit)
    ends = [m.end() for m in _ends(text) if m.end() <= len(fits)]
    if ends and ends[-1] * 2 >= len(fits):
        return fits[: ends[-1]]
    fits = _prefix(text, limit - measure(ELLIPSIS, unit), unit)
    at = next((k for k in range(len(fits), 0, -1) if _between_words(text, k)), 0)
    if at * 2 < len(fits):  # one endless word: better cut it than lose half of the room
        at = len(fits)
    while at and not _between_graphemes(text, at):
        at -= 1
    kept = fits[:at].rstrip().rstrip("，、,;；:：—–-(（[“‘「『《").rstrip()
    return kept + ELLIPSIS if kept else ""


def measure(text: str, unit: Unit) -> int:
    """The length of `text` in `unit`."""
    if unit == "characters":
        return len(text)
    if unit == "bytes":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(character > "\uffff" for character in text)


def is_good_standfirst(standfirst: str, article: Article) -> bool:
    """Whether it says something of this article: whole, more than the title, and no slogan of the site."""
    if (
        _weight(standfirst) < 2 * _SHORTEST
        or _TRUNCATED.search(standfirst)
        or terms(standfirst) == terms(article.title)
    ):
        return False
    told = set(terms(f"{article.title} {article.text}"))
    claimed = [term for term in terms(standfirst) if len(term) > 3 or _DENSE.match(term)]
    return not article.text or sum(term in told for term in claimed) >= _STANDFIRST_SHARE * len(claimed)


def join_sentences(sentences: Sequence[str]) -> str:
    """Joins sentences with a space where the script writes one."""
    parts: list[str] = []
    for sentence in sentences:
        if parts and not _ENDS_WIDE.search(parts[-1], max(0, len(parts[-1]) - 10)):
            parts.append(" ")
        parts.append(sentence)
    return "".join(parts)


def split_sentences(text: str) -> list[str]:
    """Splits one paragraph into sentences, closing quotes kept with theirs; an abbreviation or initial ends none."""
    sentences: list[str] = []
    start = 0
    for end in _ends(text):
        sentences.append(text[start : end.end()].strip())
        start = end.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def terms(text: str) -> list[str]:
    """The units two texts are compared by: lower-case words, and bigrams of characters where no spaces part words."""
    found: list[str] = []
    for run in _TERM.findall(unicodedata.normalize("NFKC", text).lower()):
        if _DENSE.match(run):
            found.extend(run[k : k + 2] for k in range(max(1, len(run) - 1)))
        else:
            found.append(run)
    return found


def is_dense(text: str) -> bool:
    """Whether it is mostly in a script that says much in a character: ideographs, kana, hangul, Thai and its kin."""
    letters = sum(map(str.isalpha, text))
    return 3 * len(_DENSE.findall(text)) > letters > 0


def _ends(text: str) -> list[re.Match[str]]:
    return [end for end in _SENTENCE_END.finditer(text) if _ends_sentence(text, end)]


def _ends_sentence(text: str, end: re.Match[str]) -> bool:
    if end.end() < len(text) and not _between_graphemes(text, end.end()):
        return False
    following = _VISIBLE.search(text, end.end())
    if not following or end.group()[0] not in ".…!?":
        return True
    if following.group().islower():
        return False
    return end.group() != "." or not _ABBREVIATION.search(text, max(0, end.start() - 20), end.end())


def _paragraphs(article: Article) -> list[str]:
    told = [block.text for block in article.blocks if block.kind in ("paragraph", "quote") and block.text]
    return told or article.text.split("\n\n")


def _beginning(paragraphs: Sequence[str]) -> Iterator[str]:
    room = _READ
    for paragraph in paragraphs:
        if room <= 0:
            return
        yield paragraph[:room]
        room -= len(paragraph)


def _vectors(sentences: Sequence[str]) -> list[dict[str, float]]:
    counts = [Counter(terms(sentence)) for sentence in sentences]
    frequency = Counter(term for count in counts for term in count)
    vectors = []
    for count in counts:
        vector = {term: n * math.log(1 + len(sentences) / frequency[term]) for term, n in count.items()}
        length = math.sqrt(sum(weight * weight for weight in vector.values())) or 1.0
        vectors.append({term: weight / length for term, weight in vector.items()})
    return vectors


def _cosine(a: dict[str, float], b: dict[str, float]) -> float:
    if len(b) < len(a):
        a, b = b, a
    return sum(weight * b[term] for term, weight in a.items() if term in b)


def _lexrank(similar: Sequence[Sequence[float]]) -> list[float]:
    n = len(similar)
    totals = [sum(row) or 1.0 for row in similar]
    ranks = [1.0 / n] * n
    for _ in range(30):  # 0.85^30 < 0.01: enough to order by
        shares = [rank / total for rank, total in zip(ranks, totals, strict=True)]
        ranks = [
            (1 - _DAMPING) / n + _DAMPING * sum(share * row for share, row in zip(shares, similar[k], strict=True))
            for k in range(n)
        ]
    return ranks


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _weight(text: str) -> float:
    return len(text) + (_DENSITY - 1) * len(_DENSE.findall(text))


def _prefix(text: str, limit: int, unit: Unit) -> str:
    used = 0
    for k, character in enumerate(text):
        used += measure(character, unit)
        if used > limit:
            return text[:k]
    return text


def _between_words(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if before.isspace() or after.isspace() or _DENSE.match(before) or _DENSE.match(after):
        return _between_graphemes(text, at)
    return unicodedata.east_asian_width(before) in "WF" and _between_graphemes(text, at)


def _between_graphemes(text: str, at: int) -> bool:
    """Whether a cut before `text[at]` parts no extended grapheme cluster (the rules of UAX #29 that prose meets)."""
    before, after = text[at - 1], text[at]
    if before == "\r" and after == "\n":
        return False
    if unicodedata.category(after)[0] == "M" or after in "\u200c\u200d" or "\U0001f3fb" <= after <= "\U0001f3ff":
        return False
    if "\U000e0020" <= after <= "\U000e007f" or (before == "\u200d" and unicodedata.category(after) == "So"):
        return False
    if _is_flag_letter(before) and _is_flag_letter(after):
        run = next((k for k in range(1, at + 1) if not _is_flag_letter(text[at - k])), at + 1) - 1
        return run % 2 == 0
    return not ("\u1100" <= before <= "\u11ff" and "\u1100" <= after <= "\u11ff")  # Hangul in pieces


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
