"""The webhook receiver takes posts in order, answers as Slack would, and fails when told to."""

from collections.abc import Iterator

import pytest
import urllib3

from local.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as http:
        yield http


def test_posts_are_kept_in_order(receiver: Receiver, http: urllib3.PoolManager) -> None:
    first = http.request("POST", receiver.url("slack/town"), json={"text": "末班渡轮"}, headers={"X-Id": "1"})
    http.request("POST", receiver.url("json/archive"), json={"article": {"title": "A"}})
    assert (first.status, first.data) == (200, b"ok")
    assert [(post.path, post.payload) for post in receiver.posts] == [
        ("/slack/town", {"text": "末班渡轮"}),
        ("/json/archive", {"article": {"title": "A"}}),
    ]
    assert receiver.posts[0].headers["x-id"] == "1"
    assert receiver.accepted == receiver.posts


def test_it_fails_as_often_as_told(receiver: Receiver, http: urllib3.PoolManager) -> None:
    receiver.fail(500)
    receiver.fail(429, retry_after=2)
    replies = [http.request("POST", receiver.url("slack/town"), json={"text": "x"}) for _ in range(3)]
    assert [reply.status for reply in replies] == [500, 429, 200]
    assert [reply.headers.get("Retry-After") for reply in replies] == [None, "2", None]
    assert [post.status for post in receiver.posts] == [500, 429, 200]
    assert len(receiver.accepted) == 1


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("slack/town", b"{", (400, b"invalid_payload")),
        ("slack/town", b'"text"', (400, b"invalid_payload")),
        ("slack/town", b"\xff", (400, b"invalid_payload")),
        ("slack/town", b'{"text": ""}', (400, b"no_text")),
        ("slack/town", b'{"blocks": [{"type": "divider"}]}', (200, b"ok")),
        ("json/archive", b"", (400, b"invalid_payload")),
        ("json/archive", b"{}", (200, b"ok")),
    ],
)
def test_what_is_refused(
    receiver: Receiver, http: urllib3.PoolManager, path: str, body: bytes, expected: tuple[int, bytes]
) -> None:
    reply = http.request("POST", receiver.url(path), body=body)
    assert (reply.status, reply.data) == expected
    assert receiver.posts[0].body == body
    assert len(receiver.accepted) == (expected[0] == 200)
