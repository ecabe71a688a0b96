"""A publisher rule that stopped matching, as the parse function's metric and log line."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broadsheet.extract import rules
from broadsheet.queue import ArticleMessage, encode
from broadsheet.urls import article_id
from local.embedded import EmbeddedAws
from tests.hostile.loopback import answer, script, serving

PROSE = "".join(f"<p>On day {n} the ferry sailed as it should, and nobody was left on the quay.</p>" for n in range(9))
RULE = "name: Herald\nshape: paragraphs in div.story\nbody: div.story\n"


@pytest.mark.usefixtures("read_here")
def test_a_missed_rule_is_counted_and_its_source_is_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "0.1.yaml").write_text(RULE)
    monkeypatch.setattr(rules, "_DIRECTORY", tmp_path)
    rules._stored.cache_clear()
    sources = tmp_path / "sources.yaml"
    pages = {
        f"/ferry-{name}": answer(f"<h1>The ferry sails</h1><div class={name}>{PROSE}</div>".encode())
        for name in ("story", "redesigned")
    }
    with serving(script(pages)) as server:
        sources.write_text(f"sources: [{{id: herald, name: Herald, url: '{server.url('/feed')}', delay: 0}}]")
        with EmbeddedAws(parameters={"Sources": str(sources), "AllowedNetworks": "127.0.0.0/8"}) as aws:
            event = {"Records": [record(server.url(path)) for path in pages]}
            log = [json.loads(line) for line in aws.invoke("ParseFunction", event).log]
    rules._stored.cache_clear()
    assert [(line["Stored"], line["RuleMissed"]) for line in log if "Stored" in line] == [([2.0], [1.0])]
    assert [(line["source"], line["url"][-10:], line["rule_missed"]) for line in log if "rule_missed" in line] == [
        ("herald", "redesigned", "Herald")
    ]


def record(url: str) -> dict[str, object]:
    """An article message as SQS hands it to a function."""
    seen = datetime(2026, 3, 1, 8, tzinfo=UTC)
    message = ArticleMessage(id=article_id(url), url=url, source="herald", first_seen=seen, trace="t")
    return {
        "messageId": message.id,
        "receiptHandle": "r",
        "body": encode(message),
        "attributes": {},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:parse",
        "awsRegion": "us-east-1",
    }
