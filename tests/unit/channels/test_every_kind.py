"""Every HTTP channel against a service that enforces its documented limits: all is taken, nothing breaks, no answer is
misread, and no kind slips through untested."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from broadsheet.channels import (
    KINDS,
    Announcement,
    ChannelClosedError,
    DeliveryError,
    MessageRefusedError,
    TransientDeliveryError,
    find,
    post,
)
from broadsheet.fetch import Client, Limits
from tests.unit.channels.loopback import Answer, Posted, listening
from tests.unit.channels.services import SERVICES, SIGN_KEY, TOKEN, secret

HTTP_KINDS = sorted(SERVICES)
NAMES_ITS_MESSAGES = {"slack-bot", "discord", "discord-bot", "telegram", "ntfy"}
OVERSIZE = ["x", "word. ", "&", "*", "<", '"', "\\", "汉", "。", "🇫🇷", "👨‍👩‍👧‍👦", "é", "https://a.example/ ", "@a "]


class InProcess:
    """An `Http` that asks the judge directly: the same code but for the sockets, for thousands of posts."""

    def __init__(self, judge: Callable[[Posted], Answer]) -> None:
        self._judge = judge

    def post(self, url: str, body: bytes, *, headers: object) -> Answer:
        assert isinstance(headers, dict)
        return self._judge(Posted(url.removeprefix("http://127.0.0.1"), headers, body))


def test_no_kind_is_untested() -> None:
    assert set(KINDS) == {*SERVICES, "email", "sns", "apprise"}


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_a_post_is_taken_over_real_http(kind: str, announcement: Announcement, wire: Client) -> None:
    with listening(SERVICES[kind]()) as service:
        receipt = post("room", kind, secret(kind, service.url), announcement, wire)
    assert (receipt.channel_id, receipt.delivery_id) == ("room", announcement.delivery_id)
    assert (receipt.message_id is not None) == (kind in NAMES_ITS_MESSAGES)


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_with_little_to_say(kind: str) -> None:
    bare = Announcement(article_id="a", delivery_id="d", title="", url="https://news.example/")
    post("room", kind, secret(kind, "http://127.0.0.1"), bare, InProcess(SERVICES[kind]()))


@pytest.mark.parametrize("size", [300, 5000, 40_000])
@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_oversize_is_shortened_never_refused(kind: str, size: int, announcement: Announcement) -> None:
    for piece in OVERSIZE:
        huge = (piece * size)[:size]
        big = msgspec.structs.replace(
            announcement,
            title=huge,
            summary=huge,
            changes=huge,
            source_name=huge,
            section=huge,
            authors=(huge,) * 9,
            tags=(huge,),
            url=f"https://news.example/{'p' * size}",
            image=f"https://news.example/{'p' * size}",
        )
        post("room", kind, secret(kind, "http://127.0.0.1"), big, InProcess(SERVICES[kind]()))


COMMON: list[tuple[Answer, type[DeliveryError], float | None]] = [
    (Answer(429, b"", {"retry-after": "7"}), TransientDeliveryError, 7.0),
    (Answer(500), TransientDeliveryError, None),
    (Answer(502, b"<html>bad gateway</html>"), TransientDeliveryError, None),
    (Answer(503, b"", {"retry-after": "120"}), TransientDeliveryError, 120.0),
    (Answer(401), ChannelClosedError, None),
    (Answer(403), ChannelClosedError, None),
    (Answer(404), ChannelClosedError, None),
    (Answer(410), ChannelClosedError, None),
    (Answer(400), MessageRefusedError, None),
    (Answer(413), MessageRefusedError, None),
]
OWN: list[tuple[str, Answer, type[DeliveryError], float | None]] = [
    ("slack-bot", Answer.of({"ok": False, "error": "ratelimited"}, 429, retry_after="3"), TransientDeliveryError, 3.0),
    ("slack-bot", Answer.of({"ok": False, "error": "internal_error"}), TransientDeliveryError, None),
    ("slack-bot", Answer.of({"ok": False, "error": "token_revoked"}), ChannelClosedError, None),
    ("slack-bot", Answer.of({"ok": False, "error": "missing_scope", "needed": "x"}), ChannelClosedError, None),
    ("slack-bot", Answer.of({"ok": False, "error": "invalid_blocks", "errors": ["y"]}), MessageRefusedError, None),
    ("slack-bot", Answer(200, b"<html>log in</html>"), MessageRefusedError, None),
    ("feishu", Answer.of({"code": 9499, "msg": "too many request"}), TransientDeliveryError, 60.0),
    ("feishu", Answer.of({"code": 11232, "msg": "frequency limited"}, 400), TransientDeliveryError, 60.0),
    ("feishu", Answer.of({"code": 9499, "msg": "too many request"}, 400), TransientDeliveryError, 60.0),
    (
        "feishu",
        Answer.of({"code": 99991400, "msg": "request trigger frequency limit"}, 429, x_ogw_ratelimit_reset="52"),
        TransientDeliveryError,
        52.0,
    ),
    ("feishu", Answer.of({"code": 19022, "msg": "Ip Not Allowed"}), ChannelClosedError, None),
    ("feishu", Answer.of({"code": 19001, "msg": "param invalid"}), ChannelClosedError, None),
    ("feishu", Answer.of({"code": 19021, "msg": "sign match fail"}), ChannelClosedError, None),
    ("feishu", Answer.of({"code": 19024, "msg": "Key Words Not Found"}), MessageRefusedError, None),
    ("feishu", Answer.of({"code": 9499, "msg": "Bad Request"}), MessageRefusedError, None),
    ("feishu", Answer(200, b"<html>"), MessageRefusedError, None),
    ("discord", Answer.of({"message": "slow down", "retry_after": 0.65}, 429), TransientDeliveryError, 0.65),
    ("discord", Answer.of({"message": "Unknown Webhook", "code": 10015}, 404), ChannelClosedError, None),
    ("discord-bot", Answer.of({"message": "slow down", "retry_after": 2}, 429), TransientDeliveryError, 2.0),
    (
        "telegram",
        Answer.of({"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 9}}, 429),
        TransientDeliveryError,
        9.0,
    ),
    ("telegram", Answer.of({"ok": False, "description": "Bad Request: chat not found"}, 400), ChannelClosedError, None),
    ("telegram", Answer.of({"ok": False, "description": "Forbidden: kicked"}, 403), ChannelClosedError, None),
    ("telegram", Answer.of({"ok": False, "description": "can't parse"}, 400), MessageRefusedError, None),
    ("teams", Answer(200, b"Webhook message delivery failed with error: HTTP error 429"), TransientDeliveryError, None),
    ("teams", Answer(200, b"Webhook message delivery failed with error: HTTP 413"), MessageRefusedError, None),
    ("teams", Answer.of({"error": {"code": "WorkflowTriggerIsNotEnabled"}}, 400), ChannelClosedError, None),
    ("dingtalk", Answer.of({"errcode": 130101, "errmsg": "send too fast"}), TransientDeliveryError, 600.0),
    ("dingtalk", Answer.of({"errcode": 410100, "errmsg": "发送速度太快而限流"}), TransientDeliveryError, 600.0),
    ("dingtalk", Answer.of({"errcode": 88, "errmsg": "access_token is blank"}), ChannelClosedError, None),
    ("dingtalk", Answer.of({"errcode": 400102, "errmsg": "bot is stopped"}), ChannelClosedError, None),
    ("dingtalk", Answer.of({"errcode": 400105, "errmsg": "unsupported"}), MessageRefusedError, None),
    ("dingtalk", Answer.of({"errcode": 430102, "errmsg": "含有不合适的文本"}), MessageRefusedError, None),
    ("dingtalk", Answer.of({"errcode": 460101, "errmsg": "message too long"}), MessageRefusedError, None),
    ("dingtalk", Answer.of({"errcode": -1, "errmsg": "系统繁忙"}), TransientDeliveryError, None),
    ("dingtalk", Answer.of({"errcode": 310000, "errmsg": "keywords not in content"}), MessageRefusedError, None),
    ("dingtalk", Answer.of({"errcode": 310000, "errmsg": "sign not match"}), ChannelClosedError, None),
    ("dingtalk", Answer.of({"errcode": 300001, "errmsg": "token is not exist"}), ChannelClosedError, None),
    ("dingtalk", Answer.of({"errcode": 40035, "errmsg": "missing"}), MessageRefusedError, None),
    ("dingtalk", Answer(200, b"<html>"), MessageRefusedError, None),
    ("wecom", Answer.of({"errcode": 45009, "errmsg": "api freq out of limit"}), TransientDeliveryError, 60.0),
    ("wecom", Answer.of({"errcode": 45033, "errmsg": "接口并发调用超过限制"}), TransientDeliveryError, 60.0),
    ("wecom", Answer.of({"errcode": 93004, "errmsg": "机器人被停用"}), ChannelClosedError, None),
    ("wecom", Answer.of({"errcode": 45002, "errmsg": "too long"}), MessageRefusedError, None),
    ("wecom", Answer.of({"errcode": 93000, "errmsg": "invalid webhook url"}), ChannelClosedError, None),
    ("wecom", Answer.of({"errcode": 40058, "errmsg": "too long"}), MessageRefusedError, None),
    ("wecom", Answer(200, b"<html>"), MessageRefusedError, None),
]
ANSWERS = [(kind, *case) for kind in HTTP_KINDS for case in COMMON] + OWN


def test_an_answer_says_whether_to_come_back(announcement: Announcement) -> None:
    for kind, answer, error, wait in ANSWERS:
        http = InProcess(lambda _, answer=answer: answer)  # type: ignore[misc]  # mypy can't infer a default's type
        with pytest.raises(error, match=r"^room: ") as caught:
            post("room", kind, secret(kind, "http://127.0.0.1"), announcement, http)
        assert caught.value.retry_after == wait, (kind, answer)


@pytest.mark.parametrize("kind", HTTP_KINDS)
def test_a_slow_channel_is_transient_and_perhaps_delivered(kind: str, announcement: Announcement) -> None:
    done = threading.Event()

    def silent(_: Posted) -> Answer:
        done.wait(10)
        return Answer()

    impatient = Client(
        user_agent="broadsheet-tests", allowed_networks=("127.0.0.0/8",), limits=Limits(first_byte_seconds=0.1)
    )
    with listening(silent) as service:
        with pytest.raises(TransientDeliveryError) as caught:
            post("room", kind, secret(kind, service.url), announcement, impatient)
        done.set()
    impatient.close()
    assert caught.value.perhaps_delivered
    for hidden in (TOKEN, SIGN_KEY, service.url):
        assert hidden not in f"{caught.value}{caught.value!r}{caught.value.__context__!r}"


def test_slack_can_be_asked_whether_a_post_arrived(announcement: Announcement, wire: Client) -> None:
    since = datetime.now(UTC) - timedelta(minutes=5)
    others = [msgspec.structs.replace(announcement, delivery_id=f"other-{n}") for n in range(5)]
    with listening(SERVICES["slack-bot"]()) as service:
        key = secret("slack-bot", service.url)
        assert find("room", "slack-bot", key, announcement, wire, since=since) is None
        sent = post("room", "slack-bot", key, announcement, wire)
        for other in others:
            post("room", "slack-bot", key, other, wire)
        assert find("room", "slack-bot", key, announcement, wire, since=since) == sent
        assert find("room", "slack-bot", key, announcement, wire, since=datetime.now(UTC) + timedelta(1)) is None


def test_slacks_update_goes_into_the_thread_or_beside_it_when_the_thread_is_gone(
    announcement: Announcement, wire: Client
) -> None:
    with listening(SERVICES["slack-bot"]()) as service:
        key = secret("slack-bot", service.url)
        first = post("room", "slack-bot", key, announcement, wire)
        update = msgspec.structs.replace(
            announcement, kind="updated", delivery_id="second", in_reply_to=first.message_id, changes="New title."
        )
        sent = post("room", "slack-bot", key, update, wire)
        assert service.posts[-1].json["thread_ts"] == first.message_id
        since = datetime.now(UTC) - timedelta(minutes=5)
        assert find("room", "slack-bot", key, update, wire, since=since) == sent
        orphan = msgspec.structs.replace(update, in_reply_to="1.0")
        post("room", "slack-bot", key, orphan, wire)
        assert "thread_ts" not in service.posts[-1].json


def test_discord_gives_one_message_for_one_delivery(announcement: Announcement, wire: Client) -> None:
    with listening(SERVICES["discord-bot"]()) as service:
        key = secret("discord-bot", service.url)
        ids = {post("room", "discord-bot", key, announcement, wire).message_id for _ in range(2)}
    assert len(ids) == 1
