"""Where the hostile cases of others lie, and a way to say how many were run."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "hostile"

Case = dict[str, Any]


@pytest.fixture
def corpus() -> Callable[[str], list[Case]]:
    """The cases of one file; skips the test where there is no corpus."""
    if not CORPUS.is_dir():
        pytest.skip("../shared/corpus is absent")

    def read(name: str) -> list[Case]:
        with (CORPUS / name).open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    return read


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[str], None]]:
    """Prints past pytest's capture."""

    def speak(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", end="")

    yield speak
