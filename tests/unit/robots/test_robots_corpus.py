"""The robots.txt cases of Google, protego and crawler-commons, and real files."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broadsheet.robots import pack, parse, unpack

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "robots"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is absent")

# Where we differ from a suite, and why. Nothing else may.
DECIDED = {
    "google/ID_LineSyntax_Groups_OtherRules#3": (
        "an unknown directive between two User-agent lines: Google reads on and merges the groups, protego ends the "
        "first; RFC 9309 leaves it open, and protego's own suite (test_grouping_unknown_keys) demands the end"
    ),
}


def _lines(name: str) -> Iterator[dict[str, Any]]:
    with (CORPUS / name).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _body(case: dict[str, Any], key: str) -> bytes:
    text = case.get(key)
    return base64.b64decode(case[f"{key}_b64"]) if text is None else str(text).encode()


def test_cases_agree_or_are_decided(capsys: pytest.CaptureFixture[str]) -> None:
    cases = list(_lines("cases.jsonl"))
    wrong = {
        case["id"]
        for case in cases
        if parse(_body(case, "robots")).allows(case["url"], case["agent"]) is not case["allowed"]
    }
    with capsys.disabled():
        print(f"\nrobots/cases: {len(cases) - len(wrong)} of {len(cases)} agree, {len(DECIDED)} decided otherwise")
    assert wrong == DECIDED.keys()
    assert not any(case["protego_agrees"] for case in cases if case["id"] in wrong)


def test_real_files_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    files = list(_lines("real.jsonl"))
    for file in files:
        robots = parse(_body(file, "body"))
        assert isinstance(robots.allows(f"https://{file['host']}/news/1.html", "Broadsheet/0.1"), bool)
        delay = robots.crawl_delay("Broadsheet/0.1")
        assert delay is None or delay >= 0
        assert all(robots.sitemaps())
        assert unpack(pack(robots)) == robots
    with capsys.disabled():
        print(f"\nrobots/real: {len(files)} of {len(files)} read")
