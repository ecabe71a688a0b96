"""Our summaries stay nearer to the publishers' standfirsts than lead-3 and than as much of the beginning."""

import pytest

from tests.benchmarks.summary.rouge import rouge
from tests.benchmarks.summary.score import CORPUS, cases, lead, lead_3, mean, ours


@pytest.mark.parametrize("file", ["fundus", "daniel_zh"])
def test_nearer_to_the_standfirst_than_the_beginning(file: str) -> None:
    if not CORPUS.exists():
        pytest.skip("no ../shared/corpus beside the checkout")
    found = list(cases(file, 120))
    scores = mean(rouge(ours(case), case.standfirst) for case in found)
    for peer in (lead_3, lead):
        assert sum(scores) > sum(mean(rouge(peer(case), case.standfirst) for case in found)), peer.__name__


@pytest.mark.parametrize(
    ("summary", "reference", "scores"),
    [
        ("the cat sat", "the cat sat", (1, 1, 1)),
        ("the cat sat", "the dog sat", (2 / 3, 0, 2 / 3)),
        ("b a", "a b", (1, 0, 0.5)),
        ("猫坐着", "猫坐下", (2 / 3, 0.5, 2 / 3)),
        ("", "a", (0, 0, 0)),
    ],
)
def test_rouge_is_the_papers(summary: str, reference: str, scores: tuple[float, float, float]) -> None:
    assert rouge(summary, reference) == pytest.approx(scores)
