"""Slack's incoming webhook: what Slack would show, and what each of its answers means."""

from collections.abc import Iterator

import msgspec
import pytest

from broadsheet.channels import (
    Announcement,
    ChannelClosedError,
    DeliveryError,
    MessageRefusedError,
    TransientDeliveryError,
    post,
    render,
)
from broadsheet.fetch import Client
from tests.unit.channels.loopback import Answer, Posted, Receiver, listening

PATH = "/services/T00000001/B00000001/verysecretpartofit"


def judge(posted: Posted) -> Answer:
    """Slack's limits: 50 blocks, 3,000 characters in a section's text, some text or blocks."""
    if posted.path != PATH:
        return Answer(404, b"no_service")
    payload = posted.json
    if not payload.get("text"):
        return Answer(400, b"no_text")
    if len(payload["text"]) > 40_000 or len(payload["blocks"]) > 50:
        return Answer(400, b"msg_too_long")
    for block in payload["blocks"]:
        for text in [block["text"]] if "text" in block else block["elements"]:
            if not 1 <= len(text["text"]) <= 3000 or text["type"] not in ("mrkdwn", "plain_text"):
                return Answer(400, b"invalid_blocks")
    return Answer(200, b"ok")


@pytest.fixture
def slack() -> Iterator[Receiver]:
    with listening(judge) as receiver:
        yield receiver


def test_shows_a_linked_title_the_summary_and_who_said_it_when(announcement: Announcement) -> None:
    payload = render("slack", announcement).payload
    title, summary, context = payload["blocks"]
    link = "<https://news.example/2026/ferry?a=1&amp;b=2|Ferry resumes after the storm &amp; the strike>"
    assert title["text"] == {"type": "mrkdwn", "text": f"*{link}*", "verbatim": True}
    assert summary["text"]["text"] == announcement.summary
    assert context["elements"][0]["text"] == "Harbour Gazette · Ida Berg · Region · 2026-03-04 05:06 UTC"
    assert payload["text"] == f"{link}\n{announcement.summary}"


def test_says_update_and_possible_repeat_in_the_articles_language(announcement: Announcement) -> None:
    changed = msgspec.structs.replace(
        announcement, kind="updated", possible_repeat=True, language="zh-Hant", title="渡輪復航", changes="改了標題。"
    )
    title, summary, context = render("slack", changed).payload["blocks"]
    assert title["text"]["text"].endswith("|更新：渡輪復航>*")
    assert summary["text"]["text"].startswith("改了標題。The harbour")
    assert f"可能重复 {announcement.delivery_id}" in context["elements"][0]["text"]


def test_the_channel_takes_it(slack: Receiver, wire: Client, announcement: Announcement) -> None:
    receipt = post("room", "slack", slack.url + PATH, announcement, wire)
    assert (receipt.channel_id, receipt.delivery_id) == ("room", announcement.delivery_id)
    assert slack.posts[0].headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("size", [3000, 20_000])
@pytest.mark.parametrize("letter", ["x", "&", "汉", "🇫🇷", "a word. "])
def test_what_is_too_long_is_shortened_not_refused(
    slack: Receiver, wire: Client, announcement: Announcement, letter: str, size: int
) -> None:
    huge = letter * size
    big = msgspec.structs.replace(
        announcement, title=huge, summary=huge, source_name=huge, section=huge, authors=(huge,) * 50
    )
    post("room", "slack", slack.url + PATH, big, wire)


ANSWERS: list[tuple[Answer, type[DeliveryError], float | None]] = [
    (Answer(400, b"invalid_payload"), MessageRefusedError, None),
    (Answer(400, b"invalid_blocks"), MessageRefusedError, None),
    (Answer(400, b"no_team"), ChannelClosedError, None),
    (Answer(403, b"invalid_token"), ChannelClosedError, None),
    (Answer(403, b"action_prohibited"), ChannelClosedError, None),
    (Answer(404, b"channel_not_found"), ChannelClosedError, None),
    (Answer(410, b"channel_is_archived"), ChannelClosedError, None),
    (Answer(302, b"", {"location": "https://elsewhere.example/"}), ChannelClosedError, None),
    (Answer(429, b"rate_limited", {"retry-after": "30"}), TransientDeliveryError, 30.0),
    (Answer(429, b"rate_limited"), TransientDeliveryError, None),
    (Answer(500, b"rollup_error"), TransientDeliveryError, None),
    (Answer(503, b"", {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}), TransientDeliveryError, 0.0),
    (Answer(200, b"<html>log in</html>"), MessageRefusedError, None),
]


def test_an_answer_says_whether_to_come_back(slack: Receiver, wire: Client, announcement: Announcement) -> None:
    for answer, error, retry_after in ANSWERS:
        slack.next.append(answer)
        with pytest.raises(error, match=r"^room: ") as caught:
            post("room", "slack", slack.url + PATH, announcement, wire)
        assert caught.value.retry_after == retry_after
        assert caught.value.permanent == (error is not TransientDeliveryError)


def test_only_an_answer_that_says_no_rules_out_a_repeat(
    slack: Receiver, wire: Client, announcement: Announcement
) -> None:
    for answer, perhaps in [(Answer(429), False), (Answer(503), False), (Answer(502), True), (Answer(400), False)]:
        slack.next.append(answer)
        with pytest.raises(DeliveryError) as caught:
            post("room", "slack", slack.url + PATH, announcement, wire)
        assert caught.value.perhaps_delivered is perhaps
