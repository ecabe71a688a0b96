"""The parse function, invoked twice: what it counts and logs, and what it keeps warm."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from broadsheet.apart import Apart, read
from broadsheet.extract import rules
from broadsheet.queue import ArticleMessage, encode
from broadsheet.urls import article_id
from local.embedded import EmbeddedAws
from tests.hostile.loopback import Server, answer, script, serving

PROSE = "".join(f"<p>On day {n} the ferry sailed as it should, and nobody was left on the quay.</p>" for n in range(9))
RULE = "name: Herald\nshape: paragraphs in div.story\nbody: div.story\n"


class Invoked(NamedTuple):
    """The papers' server, and the log of each invocation."""

    server: Server
    logs: list[list[dict[str, Any]]]


@pytest.fixture(scope="module")
def invoked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Invoked]:
    """The second time a page is fetched that comes from elsewhere; pages are read here, where the rule is known."""
    folder = tmp_path_factory.mktemp("herald")
    (folder / "0.1.yaml").write_text(RULE)
    pages = {
        f"/ferry-{name}": answer(f"<h1>The ferry sails</h1><div class={name}>{PROSE}</div>".encode())
        for name in ("story", "redesigned", "later")
    }
    with pytest.MonkeyPatch.context() as patched, serving(script(pages)) as server:
        patched.setattr(rules, "_directory", lambda: folder)
        patched.setattr(Apart, "start", lambda _: None)
        patched.setattr(Apart, "read", lambda _, task, __: read(task))
        rules._stored.cache_clear()
        sources = folder / "sources.yaml"
        sources.write_text(f"sources: [{{id: herald, name: Herald, url: '{server.url('/feed')}', delay: 0}}]")
        with EmbeddedAws(parameters={"Sources": str(sources), "AllowedNetworks": "127.0.0.0/8"}) as aws:
            events = [[record(server.url(path)) for path in paths] for paths in (list(pages)[:2], list(pages)[2:])]
            logs = [aws.invoke("ParseFunction", {"Records": records}).log for records in events]
        yield Invoked(server, [[json.loads(line) for line in log] for log in logs])
    rules._stored.cache_clear()


def test_a_missed_rule_is_counted_and_its_source_is_in_the_log(invoked: Invoked) -> None:
    log = invoked.logs[0]
    assert [(line["Stored"], line["RuleMissed"]) for line in log if "Stored" in line] == [([2.0], [1.0])]
    assert [(line["source"], line["url"][-10:], line["rule_missed"]) for line in log if "rule_missed" in line] == [
        ("herald", "redesigned", "Herald")
    ]


def test_a_warm_function_goes_on_over_the_connection_it_has_and_knows_robots_txt(invoked: Invoked) -> None:
    assert [line["Stored"] for log in invoked.logs for line in log if "Stored" in line] == [[2.0], [1.0]]
    asked = [(asked.path, asked.connection) for asked in invoked.server.asked]
    assert asked == [("/robots.txt", 1), ("/ferry-story", 1), ("/ferry-redesigned", 1), ("/ferry-later", 1)]


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
