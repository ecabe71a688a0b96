"""What feeds are made of that harm and pages of that mislead, fetched from a server on loopback, then read."""

import base64
import codecs
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from broadsheet import feeds
from broadsheet.extract.decode import codec_of, declared_codec, decode
from broadsheet.feeds import Feed, FeedError, sitemap
from broadsheet.fetch import Client, FetchRefused, Response
from tests.hostile.conftest import Case
from tests.hostile.loopback import Server, answer, script, serving

# What the corpus's entities and files would bring in.
LEAKS = ("root:x:0:0", "lollol", "BBBBBBBB", "1234567890", "PATH=", "ami-id")
# Declarations that we read in another way than the suite they come from, and why.
OTHERWISE = {
    "html5lib/tests1.dat#26": "a quote that opens nothing: its label is believed all the same",
    "html5lib/tests2.dat#10": "a meta within the open quotes of another: the inner one names a set",
    "html5lib/tests1.dat#34": "a meta inside another element's unclosed attribute: we look for meta elements alone",
    "html5lib/tests1.dat#35": "the same",
    "html5lib/tests1.dat#36": "the same",
}


@pytest.mark.timeout(60)
def test_xml_cases(
    corpus: Callable[[str], list[Case]], say: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the feed is asked for, and nothing of an entity gets out; harmless entries are kept."""
    connected: list[Any] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        connected.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    cases, counted = corpus("xml.jsonl"), Counter[str]()
    for case in cases:
        made = eval(case["gen"]) if case.get("gen") else case["input"]
        body = made if isinstance(made, bytes) else made.encode()
        with serving(script({"/feed": answer(body, headers={"Content-Type": "application/rss+xml"})})) as server:
            outcome = _read(server)
            assert [asked.path for asked in server.asked] == ["/feed"], case["id"]
            assert connected == [("127.0.0.1", server.port)], case["id"]
        connected.clear()
        assert not any(leak in repr(outcome) for leak in LEAKS), case["id"]
        counted[outcome if isinstance(outcome, str) else "with entries" if outcome.entries else "without"] += 1
        if case.get("control"):
            assert isinstance(outcome, Feed), case["id"]
            assert outcome.entries, case["id"]
    assert counted.total() == 29
    say(f"hostile/xml: {counted.total()} of {counted.total()} safe: {dict(counted)}")


def _read(server: Server) -> Feed | str:
    """The feed, as discover fetches and reads it, or why there is none; a sitemap's reader has had it, too."""
    client = Client(user_agent="t", allowed_networks=[server.endpoint])
    try:
        response = client.get(server.url("/feed"))
        found = [_given(parse, response) for parse in (feeds.parse, sitemap.parse)]
    except FetchRefused as refused:
        return refused.reason
    finally:
        client.close()
    return next((one for one in found if isinstance(one, Feed) and one.entries), found[0])


def _given(parse: Callable[..., Feed], response: Response) -> Feed | str:
    try:
        return parse(response.body, url=response.url, content_type=response.headers["content-type"])
    except FeedError as error:
        return error.reason


@pytest.mark.timeout(60)
def test_encoding_cases(corpus: Callable[[str], list[Case]], say: Callable[[str], None]) -> None:
    """Each page is read in the set its author wrote it in, from the header, the mark, the meta or the text itself."""
    cases, counted, wrong = corpus("encoding.jsonl"), Counter[str](), set()
    pages = {f"/{n}": answer(_page(case), headers=_headers(case)) for n, case in enumerate(cases)}
    with serving(script(pages)) as server:
        client = Client(user_agent="t", allowed_networks=[server.endpoint])
        for path, case in zip(pages, cases, strict=True):
            is_right = _is_right(case["expect"], client.get(server.url(path)))
            counted["right" if is_right else "wrong"] += 1
            if not is_right and case["expect"].get("mandatory", True):
                wrong.add(case["id"].removeprefix("hostile/encoding/"))
        client.close()
    assert counted.total() == 101
    assert wrong == OTHERWISE.keys()
    say(
        f"hostile/encoding: {counted['right']} of {counted.total()} right, {len(OTHERWISE)} decided otherwise, "
        f"{counted['wrong'] - len(OTHERWISE)} that nobody need know wrong"
    )


def _page(case: Case) -> bytes:
    return base64.b64decode(case["body_b64"]) if case.get("body_b64") else str(case["body"]).encode()


def _headers(case: Case) -> dict[str, str]:
    return {name.title(): value for name, value in (case.get("headers") or {}).items()}


def _is_right(expected: Case, response: Response) -> bool:
    if "title" in expected:
        return expected["title"] in decode(response.body, response.charset)[0]
    marked = decode(response.body)[1] if response.body.startswith(codecs.BOM_UTF8) else None
    return (marked or declared_codec(response.body) or "cp1252") == codec_of(expected["encoding"])
