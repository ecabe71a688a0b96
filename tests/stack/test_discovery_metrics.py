"""A source's trouble as the function's metrics: counted in the run in which its owner is told, and in no other."""

import json
from pathlib import Path

from broadsheet.polling import PollState
from broadsheet.polls import Polls
from local.embedded import EmbeddedAws
from tests.hostile.loopback import script, serving


def test_a_source_that_breaks_is_counted_once(tmp_path: Path) -> None:
    sources = tmp_path / "sources.yaml"
    with serving(script({})) as server:
        sources.write_text(f"sources: [{{id: herald, name: Herald, url: '{server.url('/feed')}', delay: 0}}]")
        with EmbeddedAws(parameters={"Sources": str(sources), "AllowedNetworks": "127.0.0.0/8"}) as aws:
            polls = Polls(aws.client("dynamodb"), aws.resource("StateTable"))
            polls.save("herald", PollState(failures=5, failing_since=1_700_000_000.0, reason="http-404", first_at=1.0))
            counted = []
            for _ in range(2):
                log = aws.invoke("DiscoverFunction", {"job": "poll", "force": True}).log
                lines = [json.loads(line) for line in log if "_aws" in line and "Broken" in line]
                counted += [(line["Failed"], line["Broken"], line["Silent"], line["Recovered"]) for line in lines]
    assert counted == [([1.0], [1.0], [0.0], [0.0]), ([1.0], [0.0], [0.0], [0.0])]
