"""The services behind the channels, as documented: what each refuses, and how it says yes and no.

`SERVICES` has one judge a kind; `secret` makes the secret that points a channel at one listening on loopback.
"""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tests.unit.channels.loopback import Answer, Posted

TOKEN = "an-open-sesame-of-a-token"
SIGN_KEY = "SECa-key-both-sides-know"


def slack(posted: Posted) -> Answer:
    """50 blocks; 3,000 characters in a section's text; some text."""
    if posted.path != f"/services/T1/B1/{TOKEN}":
        return Answer(404, b"no_service")
    wrong = wrong_in_slack(posted.json)
    return Answer(400, wrong.encode()) if wrong else Answer(200, b"ok")


def wrong_in_slack(message: Any) -> str:
    if not message.get("text"):
        return "no_text"
    if len(message["text"]) > 40_000 or len(message["blocks"]) > 50:
        return "msg_too_long"
    for block in message["blocks"]:
        for text in [block["text"]] if "text" in block else block["elements"]:
            if not 1 <= len(text["text"]) <= 3000 or text["type"] not in ("mrkdwn", "plain_text"):
                return "invalid_blocks"
    return ""


class SlackWorkspace:
    """A workspace that keeps its messages: chat.postMessage, conversations.history and conversations.replies."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def __call__(self, posted: Posted) -> Answer:
        if posted.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer.of({"ok": False, "error": "invalid_auth"})
        if posted.path == "/api/chat.postMessage":
            return self._post(posted.json)
        return self._list(posted.path.rsplit(".", 1)[1], dict(parse_qsl(posted.body.decode())))

    def _post(self, message: dict[str, Any]) -> Answer:
        if message["channel"] != "C1":
            return Answer.of({"ok": False, "error": "channel_not_found"})
        if wrong := wrong_in_slack(message):
            return Answer.of({"ok": False, "error": wrong})
        if "thread_ts" in message and not any(kept["ts"] == message["thread_ts"] for kept in self.messages):
            return Answer.of({"ok": False, "error": "thread_not_found"})
        stamp = f"{time.time():.3f}{len(self.messages):03d}"
        self.messages.append({**message, "ts": stamp})
        return Answer.of({"ok": True, "ts": stamp, "channel": "C1"})

    def _list(self, method: str, asked: dict[str, str]) -> Answer:
        thread = asked.get("ts") if method == "replies" else None
        found = [m for m in self.messages if m.get("thread_ts") == thread and float(m["ts"]) > float(asked["oldest"])]
        found = found if method == "replies" else found[::-1]  # history comes newest first
        start, size = int(asked.get("cursor", 0)), min(int(asked["limit"]), 2)
        page = [m if "include_all_metadata" in asked else {"ts": m["ts"]} for m in found[start : start + size]]
        following = str(start + size) if start + size < len(found) else ""
        return Answer.of({"ok": True, "messages": page, "response_metadata": {"next_cursor": following}})


def webhook(posted: Posted) -> Answer:
    """The signature of Standard Webhooks holds, and the body is JSON."""
    stamp = posted.headers["webhook-timestamp"]
    signed = f"{posted.headers['webhook-id']}.{stamp}.".encode() + posted.body
    expected = "v1," + base64.b64encode(hmac.new(SIGN_KEY.encode(), signed, hashlib.sha256).digest()).decode()
    if posted.headers.get("webhook-signature") != expected or abs(time.time() - int(stamp)) > 300:
        return Answer(401, b"bad signature")
    json.loads(posted.body)
    return Answer(204)


def feishu(posted: Posted) -> Answer:
    """20 KB for the request; the signature of the last hour; a card whose texts are not empty."""
    message = posted.json
    key = f"{message.get('timestamp')}\n{SIGN_KEY}".encode()
    expected = base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
    if message.get("sign") != expected or abs(time.time() - int(message["timestamp"])) > 3600:
        return Answer.of(
            {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
        )
    if len(posted.body) > 20 * 1024:
        return Answer.of({"code": 9499, "msg": "Bad Request"}, 400)
    texts = [found["content"] for found in walk(message["card"]) if found.get("tag") == "plain_text"]
    if message["msg_type"] != "interactive" or not all(texts) or len(texts) < 1:
        return Answer.of({"code": 11246, "msg": "ErrCode: 200621; ErrMsg: parse card json err"})
    return Answer.of({"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"})


def discord(posted: Posted) -> Answer:
    """256 of title, 4,096 of description, 2,048 of footer, 6,000 in all; wait=true for an answer with an id."""
    url = urlsplit(posted.path)
    if url.path != f"/api/webhooks/1/{TOKEN}":
        return Answer.of({"message": "Unknown Webhook", "code": 10015}, 404)
    if parse_qs(url.query) != {"thread_id": ["7"], "wait": ["true"]}:
        return Answer(204)
    return wrong_in_discord(posted.json) or Answer.of({"id": "1001"})


def discord_bot(posted: Posted) -> Answer:
    if posted.headers.get("authorization") != f"Bot {TOKEN}":
        return Answer.of({"message": "401: Unauthorized", "code": 0}, 401)
    if len(posted.json["nonce"]) > 25 or posted.json["enforce_nonce"] is not True:
        return Answer.of({"message": "Invalid Form Body", "code": 50035}, 400)
    # The same nonce gives the same message.
    made = int(hashlib.sha256(posted.json["nonce"].encode()).hexdigest()[:12], 16)
    return wrong_in_discord(posted.json) or Answer.of({"id": str(made)})


def wrong_in_discord(message: Any) -> Answer | None:
    embed = message["embeds"][0]
    sizes = [
        (embed.get("title", ""), 256),
        (embed.get("description", ""), 4096),
        (embed.get("footer", {}).get("text", ""), 2048),
    ]
    total = sum(len(text) for text, _ in sizes)
    fits = all(len(text) <= limit for text, limit in sizes) and 0 < total <= 6000
    return None if fits else Answer.of({"message": "Invalid Form Body", "code": 50035}, 400)


class _Telegram(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.seen, self.open = "", list[str]()
        self.wrong = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.wrong |= tag not in ("a", "b", "i")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.wrong |= not self.open or self.open.pop() != tag

    def handle_data(self, data: str) -> None:
        self.seen += data


def telegram(posted: Posted) -> Answer:
    """4,096 UTF-16 units after entities; known tags only, properly nested; only four named entities."""
    if posted.path != f"/bot{TOKEN}/sendMessage":
        return Answer.of({"ok": False, "error_code": 404, "description": "Not Found"}, 404)
    text = posted.json["text"]
    read = _Telegram(text)
    unknown = re.search(r"&(?!lt;|gt;|amp;|quot;|#x?\w+;)", text)
    if read.wrong or read.open or unknown:
        return Answer.of({"ok": False, "error_code": 400, "description": "Bad Request: can't parse entities"}, 400)
    if not 1 <= len(read.seen.encode("utf-16-le")) // 2 <= 4096:
        return Answer.of({"ok": False, "error_code": 400, "description": "Bad Request: message is too long"}, 400)
    return Answer.of({"ok": True, "result": {"message_id": 42}})


def teams(posted: Posted) -> Answer:
    """28 KB."""
    if len(posted.body) > 28 * 1024:
        return Answer(413, b"RequestEntityTooLarge")
    return Answer(202)


def dingtalk(posted: Posted) -> Answer:
    """A signature of the last hour; 3,500 characters."""
    query = dict(parse_qsl(urlsplit(posted.path).query))
    signed = f"{query.get('timestamp')}\n{SIGN_KEY}".encode()
    expected = base64.b64encode(hmac.new(SIGN_KEY.encode(), signed, hashlib.sha256).digest()).decode()
    if query.get("sign") != expected or query.get("access_token") != TOKEN:
        return Answer.of({"errcode": 310000, "errmsg": "sign not match"})
    if len(posted.json["markdown"]["text"].encode()) > 3500 or not posted.json["markdown"]["title"]:
        return Answer.of({"errcode": 40035, "errmsg": "不合法的参数"})
    return Answer.of({"errcode": 0, "errmsg": "ok"})


def wecom(posted: Posted) -> Answer:
    """4,096 bytes."""
    if posted.path != f"/cgi-bin/webhook/send?key={TOKEN}":
        return Answer.of({"errcode": 93000, "errmsg": "invalid webhook url"})
    if not 1 <= len(posted.json["markdown"]["content"].encode()) <= 4096:
        return Answer.of({"errcode": 40058, "errmsg": "markdown.content exceed max length 4096"})
    return Answer.of({"errcode": 0, "errmsg": "ok"})


def ntfy(posted: Posted) -> Answer:
    """JSON at the root; 4,096 bytes of message."""
    if posted.path != "/" or posted.headers.get("authorization") != f"Bearer {TOKEN}":
        return Answer.of({"code": 40101, "http": 401, "error": "unauthorized"}, 401)
    if posted.json["topic"] != "news" or len(posted.json["message"].encode()) > 4096:
        return Answer.of({"code": 40000, "http": 400, "error": "invalid request"}, 400)
    return Answer.of({"id": "hwQ2YpKdmg", "event": "message"})


def walk(found: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a JSON value."""
    if isinstance(found, dict):
        yield found
    for inner in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from walk(inner)


SERVICES: dict[str, Callable[[], Callable[[Posted], Answer]]] = {
    "slack": lambda: slack,
    "slack-bot": SlackWorkspace,
    "webhook": lambda: webhook,
    "feishu": lambda: feishu,
    "discord": lambda: discord,
    "discord-bot": lambda: discord_bot,
    "telegram": lambda: telegram,
    "teams": lambda: teams,
    "dingtalk": lambda: dingtalk,
    "wecom": lambda: wecom,
    "ntfy": lambda: ntfy,
}


def secret(kind: str, url: str) -> str:
    """The secret of a channel of `kind` whose service listens at `url`."""
    signed = {"sign_key": SIGN_KEY}
    secrets: dict[str, str | dict[str, str]] = {
        "slack": f"{url}/services/T1/B1/{TOKEN}",
        "slack-bot": {"token": TOKEN, "channel": "C1", "api_url": f"{url}/api"},
        "webhook": {"url": url, "hmac_key": SIGN_KEY},
        "feishu": {"url": f"{url}/open-apis/bot/v2/hook/{TOKEN}", **signed},
        "discord": f"{url}/api/webhooks/1/{TOKEN}?thread_id=7",
        "discord-bot": {"token": TOKEN, "channel": "7", "api_url": url},
        "telegram": {"token": TOKEN, "chat_id": "@harbour", "api_url": url},
        "teams": f"{url}/workflows/{TOKEN}",
        "dingtalk": {"url": f"{url}/robot/send?access_token={TOKEN}", **signed},
        "wecom": f"{url}/cgi-bin/webhook/send?key={TOKEN}",
        "ntfy": {"url": f"{url}/news", "token": TOKEN},
    }
    made = secrets[kind]
    return made if isinstance(made, str) else json.dumps(made)
