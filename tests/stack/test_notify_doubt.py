"""Read-back instead of a repeat where a channel can be asked, and a closed channel told of once."""

import json
import logging

import pytest

from broadsheet.posting import Outcome
from tests.stack.cloud import Cloud, KilledError, before, die
from tests.stack.newsroom import LEASE, Newsroom
from tests.unit.channels.loopback import Answer, Posted
from tests.unit.channels.services import TOKEN, SlackWorkspace

ROOM = """
channels: [{id: room, kind: KIND, interval: 1}]
sources: [{id: news, name: News, url: "https://news.example/", channels: [room]}]
"""
BOT = json.dumps({"token": TOKEN, "channel": "C1", "api_url": "http://room/api"})


class Workspace(SlackWorkspace):
    """Slack, on the newsroom's clock."""

    def __init__(self, newsroom: Newsroom) -> None:
        super().__init__()
        self.newsroom = newsroom

    def __call__(self, posted: Posted) -> Answer:
        answer = super().__call__(posted)
        for n, message in enumerate(self.messages):
            message["ts"] = message.setdefault("at", f"{self.newsroom.now:.3f}{n:03d}")
        return answer


@pytest.fixture
def bot(cloud: Cloud) -> Newsroom:
    made = Newsroom(cloud, ROOM.replace("KIND", "slack-bot"), {"room": BOT})
    made.judges["room"] = Workspace(made)
    return made


def posted(newsroom: Newsroom) -> int:
    return sum(posted.path.endswith("postMessage") for _, posted in newsroom.posts)


def test_a_post_whose_sender_died_before_recording_it_is_found_and_not_made_again(bot: Newsroom) -> None:
    bot.pending(1)
    with before(bot.cloud.dynamodb, "UpdateItem", die, nth=3), pytest.raises(KilledError):
        bot.run()  # the claim, the channel's turn, and then
    assert posted(bot) == 1
    bot.now += LEASE
    bot.run()
    assert posted(bot) == 1
    assert bot.state(1).status == "sent"
    assert bot.state(1).message_id


def test_a_sender_that_died_before_it_posted_is_made_up_for_flagged(bot: Newsroom) -> None:
    bot.pending(1)
    bot.judges["room"] = lambda _: KilledError()
    with pytest.raises(KilledError):
        bot.run()
    bot.judges["room"] = Workspace(bot)
    bot.now += LEASE
    bot.run()
    assert posted(bot) == 2
    assert "possible repeat" in json.dumps(bot.told()[-1])


def test_an_answer_that_never_came_is_asked_after_and_however_late(bot: Newsroom) -> None:
    workspace = Workspace(bot)

    def wordless(request: Posted) -> Answer:
        workspace(request)
        return Answer(504)

    bot.pending(1)
    bot.judges["room"] = wordless
    bot.run()
    assert (bot.state(1).status, bot.state(1).possible_repeat) == ("pending", True)
    for _ in range(3):
        bot.judges["room"] = lambda _: Answer.of({"ok": False, "error": "ratelimited"}, 429)
        bot.now += 3700
        bot.run()
    bot.judges["room"] = workspace
    bot.now += 3700
    bot.run()
    assert bot.state(1).status == "sent"
    assert len(workspace.messages) == 1


def test_a_token_that_may_not_read_posts_a_flagged_repeat(bot: Newsroom) -> None:
    workspace = Workspace(bot)

    def blind(request: Posted) -> Answer:
        if "history" in request.path:
            return Answer.of({"ok": False, "error": "missing_scope", "needed": "channels:history"})
        workspace(request)
        return Answer(504) if len(workspace.messages) == 1 else Answer.of({"ok": True, "ts": "1.0"})

    bot.judges["room"] = blind
    bot.pending(1)
    bot.run()
    bot.now += 60
    bot.run()
    assert len(workspace.messages) == 2
    assert bot.state(1).status == "sent"


def test_a_first_attempt_asks_nothing(bot: Newsroom) -> None:
    bot.pending(1)
    bot.run()
    assert [posted.path for _, posted in bot.posts] == ["/api/chat.postMessage"]


def test_a_closed_channel_is_told_of_once_a_run_and_loses_nothing(
    cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    newsroom = Newsroom(cloud, ROOM.replace("KIND", "webhook"))
    newsroom.judges["room"] = lambda _: Answer(410)
    newsroom.pending(1, 2, 3)
    with caplog.at_level(logging.INFO, logger="broadsheet.notify"):
        run = newsroom.run()
        run.announce(newsroom.commit(4))
    assert len(newsroom.posts) == 1
    closed = [outcome for outcome in run.outcomes if outcome.status == "channel-closed"]
    assert closed == [Outcome(status="channel-closed", channel="room", reason="http-410")]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == ["channel-closed"]
    del newsroom.judges["room"]
    for _ in range(2):
        newsroom.now += 3600
        newsroom.run()
    assert {newsroom.state(n).status for n in (1, 2, 3, 4)} == {"sent"}


def test_a_message_refused_stops_itself_only(cloud: Cloud) -> None:
    newsroom = Newsroom(cloud, ROOM.replace("KIND", "webhook"))
    newsroom.judges["room"] = lambda posted: Answer(422 if b"No-01" in posted.body else 200)
    newsroom.pending(1, 2)
    newsroom.run()
    assert [newsroom.state(n).status for n in (1, 2)] == ["failed", "sent"]
