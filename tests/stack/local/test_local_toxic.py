"""The bad network is bad in each of its ways, and good until it is told to be bad."""

from collections.abc import Iterator
from typing import get_args

import pytest
import urllib3

from local import toxic
from local.receiver import Receiver
from local.toxic import BadNetwork, Toxin

HARMLESS = ("latency", "drip", "slow-close")


@pytest.fixture
def server() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def exchange(network: BadNetwork, server: Receiver) -> str:
    """The answer of a server behind the network, or how the exchange failed."""
    host, _, port = urllib3.util.parse_url(server.url("")).netloc.partition(":")  # type: ignore[union-attr]  # it has one
    front = network.front(host, int(port))
    try:
        return urllib3.request("POST", f"http://{front}/json/a", body=b"{}", retries=False, timeout=3).data.decode()
    except urllib3.exceptions.HTTPError as error:
        return type(error).__name__


def test_until_it_is_bad_it_is_good(server: Receiver) -> None:
    with BadNetwork(seed=1) as network:
        assert [exchange(network, server) for _ in range(5)] == ["ok"] * 5
        assert not network.seen


@pytest.mark.parametrize("toxin", get_args(Toxin))
def test_each_toxin_works(server: Receiver, toxin: Toxin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toxic, "MIDWAY", 60)
    with BadNetwork(seed=1) as network:
        network.bad = True
        monkeypatch.setattr(network, "_next", lambda: toxin)
        assert (exchange(network, server) == "ok") is (toxin in HARMLESS)


def test_every_other_request_gets_a_toxin_and_none_is_left_out(server: Receiver) -> None:
    with BadNetwork(seed=1) as network:
        network.bad = True
        answers = [exchange(network, server) for _ in range(12)]
        assert dict(network.seen) == dict.fromkeys(get_args(Toxin), 1)
        assert answers.count("ok") >= 6
