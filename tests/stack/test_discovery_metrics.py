"""A source's trouble as metrics: counted once when it begins, which raises the alarm, and once when it ends."""

import json
from pathlib import Path

from broadsheet.polling import PollState
from broadsheet.polls import Polls
from local.embedded import EmbeddedAws
from tests.hostile.loopback import answer, script, serving
from tests.stack.newsstand import item, rss


def test_a_source_that_breaks_is_counted_once(tmp_path: Path) -> None:
    sources = tmp_path / "sources.yaml"
    pages: dict[str, bytes] = {}
    with serving(script(pages)) as server:
        sources.write_text(f"sources: [{{id: herald, name: Herald, url: '{server.url('/feed')}', delay: 0}}]")
        with EmbeddedAws(parameters={"Sources": str(sources), "AllowedNetworks": "127.0.0.0/8"}) as aws:
            polls = Polls(aws.client("dynamodb"), aws.resource("StateTable"))
            polls.save("herald", PollState(failures=5, failing_since=1_700_000_000.0, reason="http-404", first_at=1.0))
            counted = []
            for body in (None, None, rss(item("/2026/11/ferry-runs-late-again"))):
                if body:
                    pages["/feed"] = answer(body)
                log = aws.invoke("DiscoverFunction", {"job": "poll", "force": True}).log
                lines = [json.loads(line) for line in log if "_aws" in line and "SourcesInTrouble" in line]
                counted += [(line["Failed"], line["SourcesInTrouble"], line["SourcesRecovered"]) for line in lines]
    assert counted == [([1.0], [1.0], [0.0]), ([1.0], [0.0], [0.0]), ([0.0], [0.0], [1.0])]
