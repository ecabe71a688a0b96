"""Shares hold whole hosts, in the order given, and as many sources as one run has time for."""

import pytest

from broadsheet import shares
from broadsheet.shares import Share, ShareError, dealt, decode


def sizes(*hosts: int) -> list[list[int]]:
    return [[len(host) for host in share] for share in dealt([[None] * size for size in hosts])]


def test_few_sources_are_one_share() -> None:
    assert sizes() == []
    assert sizes(1, 1, 3) == [[1, 1, 3]]


def test_a_host_is_never_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "SHARE", 4)
    assert sizes(1, 3, 1) == [[1, 3], [1]]
    assert sizes(3, 2, 2) == [[3], [2, 2]]
    assert sizes(1, 9, 1, 1) == [[1], [9], [1, 1]]


def test_five_thousand_sources_are_ten_shares() -> None:
    assert list(map(len, dealt([[n] for n in range(5000)]))) == [500] * 10


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"sources": "a"}', '{"sources": [1]}'])
def test_what_is_no_share_is_named(body: str) -> None:
    with pytest.raises(ShareError, match=r"^m7: not a share"):
        decode(body, message_id="m7")


def test_a_share_is_read_as_it_was_sent() -> None:
    assert decode('{"sources":["a","b"]}', message_id="m") == Share(sources=("a", "b"))
    assert decode('{"sources":["a"],"force":true}', message_id="m").force
