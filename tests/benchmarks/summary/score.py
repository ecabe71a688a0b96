"""ROUGE of our extractive summary against the publisher's standfirst, beside lead-3 and sumy's, in one run.

    python -m tests.benchmarks.summary.score [--sumy PYTHON] [--pages N]

PYTHON is an interpreter with sumy and jieba installed, outside the project's environment. The pages are those of
../shared/corpus/extraction that have a standfirst worth the name; sentences that repeat it are taken out of the input.
Every summarizer gets the same sentences, and its result twice: three sentences long, as lead-3 and sumy are commonly
run, and cut to whole sentences within the limit that ours has.
"""

import argparse
import json
import lzma
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from broadsheet.extract import ExtractionError, extract
from broadsheet.summary import best_sentences, is_good_standfirst, join_sentences, split_sentences, terms
from tests.benchmarks.summary.rouge import rouge

CORPUS = Path(__file__).parents[3].parent / "shared/corpus/extraction"
FILES = ("fundus", "magic", "daniel_zh", "news424", "wcxb", "trafilatura")
LIMIT = 300
_REPEATS = 0.8  # share of a sentence's terms that the standfirst has too
_ENOUGH = 5  # sentences; of fewer there is nothing to choose

Scores = tuple[float, float, float]


class Case(NamedTuple):
    file: str
    language: str
    title: str
    paragraphs: list[list[str]]
    standfirst: str

    @property
    def sentences(self) -> list[str]:
        return [sentence for paragraph in self.paragraphs for sentence in paragraph]

    @property
    def limit(self) -> int:
        """Characters; Chinese and Japanese say in 120 what takes 300 letters."""
        return LIMIT * 2 // 5 if self.script == "zh, ja" else LIMIT

    @property
    def script(self) -> str:
        return "zh, ja" if self.language[:2] in ("zh", "ja") else "other"


def cases(file: str, pages: int | None = None) -> Iterator[Case]:
    with lzma.open(CORPUS / f"{file}.jsonl.xz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number == pages:
                return
            page = json.loads(line)
            try:
                article = extract(page["html"].encode("latin-1"), page.get("url", "https://page.invalid/"))
            except ExtractionError:
                continue
            standfirst = " ".join((article.standfirst or "").split())
            if not is_good_standfirst(standfirst, article):
                continue
            told = [block.text for block in article.blocks if block.kind in ("paragraph", "quote")]
            paragraphs = [[s for s in split_sentences(text) if not _repeats(s, standfirst)] for text in told]
            if sum(map(len, paragraphs)) >= _ENOUGH:
                yield Case(file, article.language or "", article.title, paragraphs, standfirst)


def ours(case: Case) -> str:
    texts = [join_sentences(paragraph) for paragraph in case.paragraphs]
    return best_sentences(texts, title=case.title, limit=LIMIT)


def lead_3(case: Case) -> str:
    return join_sentences(case.sentences[:3])


def lead(case: Case) -> str:
    """The first sentences within the limit."""
    chosen: list[str] = []
    for sentence in case.sentences:
        if chosen and len(join_sentences([*chosen, sentence])) > case.limit:
            break
        chosen.append(sentence)
    return join_sentences(chosen)


def sumy(python: str, found: Sequence[Case]) -> dict[str, list[str]]:
    """The summaries of sumy's LexRank and TextRank, from its own interpreter."""
    asked = "".join(
        json.dumps({"language": case.language[:2], "sentences": case.sentences, "limit": case.limit}) + "\n"
        for case in found
    )
    peers = Path(__file__).with_name("sumy_peers.py")
    done = subprocess.run([python, str(peers)], input=asked, stdout=subprocess.PIPE, text=True, check=True)
    answers = defaultdict(list)
    for line in done.stdout.splitlines():
        for name, summary in json.loads(line).items():
            answers[name].append(summary)
    return answers


def mean(scores: Iterable[Scores]) -> Scores:
    columns = list(zip(*scores, strict=True))
    one, two, longest = (sum(column) / len(column) for column in columns)
    return one, two, longest


def _repeats(sentence: str, standfirst: str) -> bool:
    have = Counter(terms(sentence))
    return (have & Counter(terms(standfirst))).total() >= _REPEATS * max(1, have.total())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sumy", metavar="PYTHON", help="an interpreter that has sumy")
    parser.add_argument("--pages", type=int, help="of each file, at most")
    given = parser.parse_args()
    found = [case for file in FILES for case in cases(file, given.pages)]
    began = time.process_time()
    summaries = {"ours": [ours(case) for case in found]}
    spent = (time.process_time() - began) / len(found)
    summaries["lead-3"] = [lead_3(case) for case in found]
    summaries["lead, our limit"] = [lead(case) for case in found]
    if given.sumy:
        summaries |= sumy(given.sumy, found)
    groups = {script: [k for k, case in enumerate(found) if case.script == script] for script in ("other", "zh, ja")}
    out = sys.stdout
    out.write(f"{len(found)} pages; ours takes {spent * 1000:.1f} ms of CPU a page\n")
    for script, members in groups.items():
        out.write(f"\n{script} ({len(members)} pages)                    ROUGE-1  ROUGE-2  ROUGE-L   characters\n")
        for name, texts in summaries.items():
            scores = mean(rouge(texts[k], found[k].standfirst) for k in members)
            length = sum(len(texts[k]) for k in members) / len(members)
            shown = "    ".join(f"{score:.3f}" for score in scores)
            out.write(f"  {name:32} {shown}    {length:6.0f}\n")


if __name__ == "__main__":
    main()
