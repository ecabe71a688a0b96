"""The kind that posts through Apprise: over real HTTP, within a service's limits, and not there until it is used."""

import logging
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from broadsheet.channels import (
    Announcement,
    ChannelClosedError,
    DeliveryError,
    MessageRefusedError,
    TransientDeliveryError,
    apprise,
    compose,
    post,
)
from broadsheet.fetch import Client
from tests.unit.channels.loopback import Answer, Posted, listening

TOKEN = "an-open-sesame"


def address(url: str) -> str:
    return url.replace("http", "json") + f"/hook/{TOKEN}"


def test_it_posts_plain_text_and_the_address(announcement: Announcement, wire: Client) -> None:
    hostile = msgspec.structs.replace(
        announcement, title="*All* @everyone", summary="See [here](https://evil.example)."
    )
    with listening(lambda _: Answer(200)) as service:
        receipt = post("room", "apprise", address(service.url), hostile, wire)
    assert receipt.delivery_id == announcement.delivery_id
    (posted,) = service.posts
    assert posted.path == f"/hook/{TOKEN}"
    assert posted.json["title"] == "＊All＊ @\u2060everyone"
    assert posted.json["message"].startswith("See ［here］(https:\u2060//evil.\u2060example).\n")
    assert posted.json["message"].endswith("\n" + announcement.url)


ANSWERS: list[tuple[Answer, type[DeliveryError], bool]] = [
    (Answer(429), TransientDeliveryError, False),
    (Answer(500), TransientDeliveryError, True),
    (Answer(503), TransientDeliveryError, False),
    (Answer(400), MessageRefusedError, False),
    (Answer(404), ChannelClosedError, False),
    (Answer(410), ChannelClosedError, False),
]


def test_what_a_service_answers_decides(
    announcement: Announcement, wire: Client, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [logging.StreamHandler(sys.stdout)])  # as on Lambda
    with listening(lambda _: Answer(200)) as service:
        for answer, error, perhaps_delivered in ANSWERS:
            service.next.append(answer)
            with pytest.raises(error, match=f"http-{answer.status}") as caught:
                post("room", "apprise", address(service.url), announcement, wire)
            assert caught.value.perhaps_delivered == perhaps_delivered
            assert TOKEN not in f"{caught.value}{caught.value!r}"
        assert len(service.posts) == len(ANSWERS)
    with pytest.raises(TransientDeliveryError, match="not-taken") as caught:  # nobody listens any more
        post("room", "apprise", address(service.url), announcement, wire)
    assert caught.value.perhaps_delivered
    assert "".join(capfd.readouterr()) == ""


def test_a_redirect_leads_nowhere(announcement: Announcement, wire: Client) -> None:
    with listening(lambda _: Answer(200)) as inside:
        moved = Answer(302, b"", {"location": inside.url})
        with listening(lambda _: moved) as service, pytest.raises(ChannelClosedError, match="http-302"):
            post("room", "apprise", address(service.url) + "?redirect=yes", announcement, wire)
    assert not inside.posts


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("nowhere://x", "expected an address that Apprise knows"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#a/#b", "of one target, not of 2"),
    ],
)
def test_an_address_that_wont_do_closes_the_channel(
    secret: str, said: str, announcement: Announcement, wire: Client
) -> None:
    with pytest.raises(ChannelClosedError, match=said):
        post("room", "apprise", secret, announcement, wire)


@pytest.mark.parametrize(("title_room", "body_room"), [(250, 32768), (250, 4000), (0, 280), (0, 160), (100, 512)])
def test_it_keeps_within_a_services_limits(
    title_room: int, body_room: int, announcement: Announcement, wire: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apprise.plugins.custom_json import NotifyJSON

    monkeypatch.setattr(NotifyJSON, "title_maxlen", title_room)
    monkeypatch.setattr(NotifyJSON, "body_maxlen", body_room)

    def judge(posted: Posted) -> Answer:
        body: dict[str, Any] = posted.json
        return Answer(200 if len(body["title"]) <= title_room and 0 < len(body["message"]) <= body_room else 413)

    with listening(judge) as service:
        for piece in ("x", "word. ", "*", "汉", "👨‍👩‍👧‍👦", "https://a.example/ "):
            huge = (piece * 5000)[:5000]
            big = msgspec.structs.replace(
                announcement, title=huge, summary=huge, source_name=huge, url=f"https://news.example/{'p' * 1500}"
            )
            post("room", "apprise", address(service.url), big, wire)
        post("room", "apprise", address(service.url), announcement, wire)
    assert service.posts[-1].json["message"].endswith(announcement.url)


def test_a_digest_a_service_has_no_room_for_comes_in_parts(
    announcement: Announcement, wire: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apprise.plugins.custom_json import NotifyJSON

    monkeypatch.setattr(NotifyJSON, "body_maxlen", 280)
    monkeypatch.setattr(NotifyJSON, "request_rate_per_sec", 5.5)  # seconds, in spite of its name; most services' own
    slept: list[float] = []
    monkeypatch.setattr("apprise.url.time.sleep", slept.append)
    items = [msgspec.structs.replace(announcement, article_id=f"a{n}", url=f"https://n.example/{n}") for n in range(9)]
    with listening(lambda _: Answer(200)) as service:
        post("room", "apprise", address(service.url), compose(items, delivery_id="d"), wire)
    parts = [posted.json["message"] for posted in service.posts]
    assert len(parts) > 1
    assert len(slept) >= len(parts) - 1
    assert sum(slept) <= apprise._SECONDS / 2, "else Apprise gives up in the middle, and all parts come again"
    assert all(len(part) <= 280 for part in parts)
    assert all(f"https://n.example/{n}" in "".join(parts) for n in range(9))


def test_without_the_library_the_channel_says_what_it_needs(
    announcement: Announcement, wire: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ChannelClosedError, match=r"apprise-missing .*pip install 'broadsheet\[apprise\]'"):
        post("room", "apprise", "json://127.0.0.1/", announcement, wire)


def test_nothing_else_pays_for_it() -> None:
    program = """
import sys
from broadsheet import notify, posting
from broadsheet.channels import KINDS, Announcement, render, secret_shape
told = Announcement(article_id="a", delivery_id="d", title="t", url="https://news.example/")
print([(render(kind, told), secret_shape(kind)) for kind in KINDS] and "apprise" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n", ran.stderr
    assert apprise.__name__ == "broadsheet.channels.apprise"
