"""Texts that make backtracking patterns take for ever, as everything a host or a feed may hand to the fetcher."""

from collections.abc import Callable
from typing import Any

import pytest

from broadsheet import addresses, codings, robots
from broadsheet.fetch import Client, FetchError, FetchRefused, Response, retry_after
from tests.hostile.loopback import answer, script, serving

# Ours, in the shapes of the corpus, so that there is something to run without it.
TEXTS = ["a" * 50_000 + "!", "." * 200_000, "http://" + "a." * 50_000, "?" + "&a=b" * 50_000, ";charset=" * 20_000]


def _feed_to_everything(text: str) -> None:
    raw = text.encode()
    assert not addresses.is_public(text)
    for body in (raw, b"User-agent: " + raw + b"\nDisallow: /", b"User-agent: *\nDisallow: /" + raw):
        rules = robots.parse(body)
        rules.allows("https://example.org/" + text[:8000], "Broadsheet/0.1 (+https://example.org/)")
        rules.crawl_delay(text)
    assert retry_after(text, 0.0) is None
    response = Response(url="u", status=200, headers={"content-type": f"text/html; {text}"}, body=b"")
    assert response.charset is None or response.content_type == "text/html"
    with pytest.raises(codings.CodingError):
        codings.decode(b"x", "x" + text, 10)
    client = Client(user_agent="t", allowed_networks=["127.0.0.0/8"])
    for url in (text, "http://" + text, "http://example.org/" + text, "https://" + text + "/"):
        with pytest.raises(FetchRefused, match="bad-url"):
            client.get(url)
    for name in ("Location", "Content-Type", "Retry-After", "Content-Encoding"):
        said = answer(b"page", "200 OK", {name: text[:60_000].encode("ascii", "ignore").decode()})
        with serving(script({"/": said, "/to": said.replace(b"200 OK", b"302 Found")})) as server:
            for path in ("/", "/to"):
                try:
                    client.get(server.url(path))
                except FetchError as error:
                    assert error.url  # refused or not, but at once
    client.close()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_our_texts(text: str) -> None:
    _feed_to_everything(text)


@pytest.mark.timeout(60)
def test_redos_cases(corpus: Callable[[str], list[dict[str, Any]]], say: Callable[[str], None]) -> None:
    cases = corpus("redos.jsonl")
    for case in cases:
        _feed_to_everything(eval(case["gen"]))
    say(f"hostile/redos: {len(cases)} of {len(cases)} end in the fetcher's rooms")
