"""sumy's LexRank and TextRank over JSON lines; runs in an environment of its own that has sumy, not in the project's.

In: {"language", "sentences", "limit"}. Out: an object of summaries by name, each three sentences long and again as
many of the best as fit, in reading order. Sentences come split already, so that all summarizers see the same ones.
"""

import json
import re
import sys
import unicodedata
from typing import Any

from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence  # type: ignore[import-not-found]
from sumy.nlp.stemmers import Stemmer, null_stemmer  # type: ignore[import-not-found]
from sumy.summarizers.lex_rank import LexRankSummarizer  # type: ignore[import-not-found]
from sumy.summarizers.text_rank import TextRankSummarizer  # type: ignore[import-not-found]
from sumy.utils import get_stop_words  # type: ignore[import-not-found]

NAMES = {"en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "pt": "portuguese"}
NAMES |= {"zh": "chinese", "ja": "japanese", "cs": "czech"}  # others go without stemmer and stop words


class Words:
    """sumy's tokenizer without NLTK's downloads: jieba for Chinese, as sumy itself uses, else words."""

    def __init__(self, language: str) -> None:
        self._chinese = language == "chinese"

    def to_words(self, sentence: str) -> tuple[str, ...]:
        if self._chinese:
            import jieba  # type: ignore[import-not-found]

            return tuple(word for word in jieba.cut(sentence) if word.strip())
        return tuple(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", sentence)))


def summarize(kind: Any, language: str, sentences: list[str], limit: int) -> tuple[str, str]:
    words = Words(language)
    document = ObjectDocumentModel([Paragraph([Sentence(text, words) for text in sentences])])
    try:
        stemmer = Stemmer(language)
    except LookupError:
        stemmer = null_stemmer
    summarizer = kind(stemmer)
    try:
        summarizer.stop_words = get_stop_words(language)
    except LookupError:
        summarizer.stop_words = frozenset()
    ranked: list[str] = []

    def keep(infos: list[Any]) -> list[Any]:
        """What sumy takes as `count`: it gets the sentences, best first."""
        ranked.extend(str(info.sentence) for info in infos)
        return infos

    summarizer(document, keep)
    order = {sentence: k for k, sentence in enumerate(sentences)}
    within: list[str] = []
    for sentence in ranked:
        longer = sorted([*within, sentence], key=order.__getitem__)
        if within and len(joined(longer, language)) > limit:
            break
        within = longer
    return joined(sorted(ranked[:3], key=order.__getitem__), language), joined(within, language)


def joined(sentences: list[str], language: str) -> str:
    return ("" if language in ("chinese", "japanese") else " ").join(sentences)


def main() -> None:
    for line in sys.stdin:
        case = json.loads(line)
        language = NAMES.get(case["language"], "")
        found = {}
        for name, kind in (("sumy LexRank", LexRankSummarizer), ("sumy TextRank", TextRankSummarizer)):
            found[f"{name}, 3 sentences"], found[f"{name}, our limit"] = summarize(
                kind, language, case["sentences"], case["limit"]
            )
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
