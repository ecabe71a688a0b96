"""Loggers and metrics: what the domain logs comes out as the function's JSON, and ends are counted."""

import json
import logging
import sys

import pytest

from broadsheet import observability


def test_the_domains_log_lines_are_the_functions_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the logger puts its own there
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "parse")
    domain = logging.getLogger("broadsheet")
    before = (domain.handlers[:], domain.propagate, domain.level)
    try:
        observability.logger()
        logging.getLogger("broadsheet.parse").info("stored", extra={"url": "https://news.example/a", "source": "news"})
    finally:
        domain.handlers[:], domain.propagate = before[0], before[1]
        domain.setLevel(before[2])
    out = capsys.readouterr()
    line = json.loads((out.out + out.err).strip().splitlines()[-1])
    assert (line["message"], line["url"], line["source"], line["service"]) == (
        "stored",
        "https://news.example/a",
        "news",
        "parse",
    )
    assert "location" not in line, "a third of the line, which Lambda's own lines say"


def test_ends_are_tallied() -> None:
    assert observability.tally(["stored", "known", "stored"]) == {"stored": 2, "known": 1}
    assert observability.tally([]) == {}
