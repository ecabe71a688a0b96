"""Nothing but the public internet is connected to, whatever the link, the redirect or the resolver says."""

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from broadsheet import addresses
from broadsheet.fetch import Client, Endpoint, FetchError, FetchRefused, FetchTransient, sockets
from tests.hostile.loopback import Asked, Names, Server, answer, script, serving

PUBLIC = "93.184.216.34"
INSIDE = {
    "localhost": [["127.0.0.1", "::1"]],
    "metadata.google.internal": [["169.254.169.254"]],
    "sandbox.localdomain": [["169.254.79.129"]],
}
RUNTIME_API = "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next"
METADATA = "http://169.254.169.254/latest/meta-data/"


class Wire:
    """Stands where sockets are opened: notes who is dialled, and connects to our server in their stead."""

    def __init__(self) -> None:
        self.dialled: list[str] = []
        self.port = 0
        self._dial = sockets.dialled

    def __call__(self, endpoint: Endpoint, seconds: float) -> Any:
        self.dialled.append(endpoint[0])
        return self._dial(("127.0.0.1", self.port), seconds)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire = Wire()
    monkeypatch.setattr(sockets, "dialled", wire)
    yield wire
    assert all(addresses.is_public(address) for address in wire.dialled), wire.dialled


def _client(server: Server, wire: Wire, names: Names) -> Client:
    """A client in a world where every public address is our server."""
    wire.port = server.port
    return Client(user_agent="t", allowed_networks=[server.endpoint], resolve=names)


def test_redirects_inside(wire: Wire) -> None:
    for target in (RUNTIME_API, METADATA, "http://localhost:9001/", "//0x7f.1:9001/", "http://lo.example/"):
        said = script({"/a": answer(status="302 Found", headers={"Location": target})})
        with serving(said) as server, pytest.raises(FetchRefused) as caught:
            names = Names({"news.example": [[PUBLIC]], "lo.example": [["127.0.0.1"]], **INSIDE})
            _client(server, wire, names).get("http://news.example/a")
        assert caught.value.reason == "address-refused"
        assert "redirect" in [step.what for step in caught.value.trace]
    assert wire.dialled == [PUBLIC] * 5


def test_a_second_answer_changes_nothing(wire: Wire) -> None:
    """DNS rebinding: the address judged is the address dialled, with no second question in between."""
    with serving(script({"/": answer(b"hello")}, keep=False)) as server:
        names = Names({"rebind.example": [[PUBLIC], ["127.0.0.1"]]})
        client = _client(server, wire, names)
        assert client.get("http://rebind.example/").body == b"hello"
        assert names.asked == ["rebind.example"]
        with pytest.raises(FetchRefused, match="address-refused"):
            client.get("http://rebind.example/")
    assert wire.dialled == [PUBLIC]


def test_one_bad_address_among_good_ones(wire: Wire) -> None:
    names = Names({"mixed.example": [[PUBLIC, "169.254.169.254"]]})
    with serving(script({})) as server, pytest.raises(FetchRefused, match="address-refused"):
        _client(server, wire, names).get("http://mixed.example/")
    assert not wire.dialled


def test_the_peer_is_judged_again(wire: Wire) -> None:
    """Should a connection end up elsewhere than it was dialled to, nothing is said on it."""
    with serving(script({"/": answer(b"secret")})) as server:
        wire.port = server.port
        client = Client(user_agent="t", resolve=Names({"news.example": [[PUBLIC]]}))
        with pytest.raises(FetchRefused) as caught:
            client.get("http://news.example/")
    assert "127.0.0.1" in caught.value.detail
    assert not server.asked


def test_a_literal_is_judged_itself(wire: Wire) -> None:
    """Whatever a resolver, such as one that leads every name to a test server, makes of it."""
    with serving(script({"/": answer(b"hello")})) as server:
        client = Client(
            user_agent="t", allowed_networks=[server.endpoint], resolve=lambda *_: [("127.0.0.1", server.port)]
        )
        with pytest.raises(FetchRefused, match="address-refused"):
            client.get("http://169.254.169.254/")
    assert not wire.dialled


def test_an_exemption_opens_no_port_elsewhere(wire: Wire) -> None:
    with serving(script({"/": answer(b"SSH")})) as server, pytest.raises(FetchRefused, match="port-refused"):
        _client(server, wire, Names({"news.example": [[PUBLIC]]})).get("http://news.example:22/")
    assert not wire.dialled


def test_exempting_a_server_exempts_no_other_port(wire: Wire) -> None:
    with serving(script({})) as server, pytest.raises(FetchRefused, match="address-refused"):
        _client(server, wire, Names(INSIDE)).get("http://localhost:9001/")
    assert not wire.dialled


def test_ssrf_cases(corpus: Callable[[str], list[dict[str, Any]]], wire: Wire, say: Callable[[str], None]) -> None:
    counted: Counter[str] = Counter()
    for case in corpus("ssrf.jsonl"):
        _try(case, wire)
        counted[case["sub"]] += 1
    assert counted.total() == 121
    say(f"hostile/ssrf: {counted.total()} of {counted.total()} safe: {dict(counted)}")


def _try(case: dict[str, Any], wire: Wire) -> None:
    """One case; fails the test if it isn't safe."""
    wire.dialled.clear()
    pages = {url: page for url, page in case.get("http", {}).items() if "location" in page}

    def world(asked: Asked, sock: socket.socket) -> bool:
        page = pages.get(f"http://{asked.headers['host']}{asked.path}")
        said = answer(status=f"{page['status']} M", headers={"Location": page["location"]}) if page else answer(body)
        sock.sendall(said)
        return False

    body = case["input"].encode() if case["sub"] == "in-page-url" else b"a page"
    with serving(world) as server:
        literals = {host: turns for host, turns in case.get("dns", {}).items() if host[0].isalpha()}
        names = Names({**INSIDE, "news.example": [[PUBLIC]], **literals})
        client = _client(server, wire, names)
        if case["sub"] == "in-page-url":
            assert client.get("http://news.example/").body == body
            assert len(server.asked) == 1, case["id"]
        elif case.get("control"):
            _assert_allowed(client, case["input"])
            assert wire.dialled, case["id"]
        elif case["sub"] == "dns-rebinding":
            turns = len(case["dns"][next(iter(case["dns"]))])
            for _ in range(turns - 1):
                assert client.get(case["input"]).body == b"a page"
            _assert_refused(client, case)
            assert len(names.asked) == turns, case["id"]
            assert len(wire.dialled) == turns - 1, case["id"]
        else:
            _assert_refused(client, case)
            assert len(wire.dialled) == len(server.asked) == (case["sub"] == "redirect"), case["id"]


def _assert_refused(client: Client, case: dict[str, Any]) -> None:
    with pytest.raises(FetchError) as caught:
        client.get(case["input"])
    assert type(caught.value) is FetchRefused, f"{case['id']}: {caught.value!r}"


def _assert_allowed(client: Client, url: str) -> None:
    """Our server speaks no TLS, so https gets as far as the handshake."""
    if url.startswith("https:"):
        with pytest.raises(FetchTransient, match=r"tls|connection"):
            client.get(url)
    else:
        assert client.get(url).status == 200
