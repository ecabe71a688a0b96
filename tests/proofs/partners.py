"""Who else takes part: a hub that pushes what a paper publishes, and a model that writes summaries."""

import hashlib
import hmac
import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import MockRawResponse

HUB = "https://hub.example/"
LEASE = 4 * 3600  # seconds that the hub grants
TRIES, BETWEEN_TRIES = 3, 60.0  # of a push that isn't acknowledged
TOKENS = (400, 50)  # that a question takes, and its answer


def links(topic: str) -> str:
    """The words of a feed that names the hub."""
    return "".join(
        f'<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="{rel}" href="{url}"/>'
        for rel, url in (("hub", HUB), ("self", topic))
    )


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub asks the callback, at which instant, for the how many-th time."""

    at: float
    path: str
    query: str = ""  # of a GET
    topic: str = ""  # pushed as it is then
    secret: str = ""
    tries: int = 0


class Hub:
    """One that means well: it asks the callback back, and pushes until it is acknowledged or tired of it."""

    def begin(self, news_at: float) -> None:
        """Nobody has subscribed yet. `news_at`: when what it pushes will have something new."""
        self.waiting: list[Request] = []
        self._news_at = news_at
        self._subscribed: set[str] = set()  # paths

    def hears(self, form: bytes, now: float) -> None:
        """Somebody wants to be pushed to: is it meant?"""
        asked = {name: values[0] for name, values in parse_qs(form.decode()).items()}
        path = urlsplit(asked["hub.callback"]).path
        query = {"hub.mode": "subscribe", "hub.topic": asked["hub.topic"], "hub.challenge": f"{now:.3f}"}
        self.waiting.append(
            Request(
                at=now,
                path=path,
                query=urlencode({**query, "hub.lease_seconds": str(LEASE)}),
                topic=asked["hub.topic"],
                secret=asked.get("hub.secret", ""),
            )
        )

    def take(self, now: float) -> Request | None:
        """What it asks next, if it is time."""
        due = next((one for one in self.waiting if one.at <= now), None)
        if due:
            self.waiting.remove(due)
        return due

    def hears_back(self, request: Request, status: int, body: str, now: float) -> None:
        """The callback's answer; 500 where it gave none."""
        if 200 <= status < 300:
            if request.path not in self._subscribed and body == parse_qs(request.query)["hub.challenge"][0]:
                self._subscribed.add(request.path)
                times = {now, max(now, self._news_at)}  # what there is, and what is new
                self.waiting += [msgspec.structs.replace(request, at=at + 1, query="", tries=0) for at in times]
        elif request.tries + 1 < TRIES and status != 410:
            self.waiting.append(msgspec.structs.replace(request, at=now + BETWEEN_TRIES, tries=request.tries + 1))


def called(request: Request, body: str, *, forged: bool = False) -> dict[str, Any]:
    """A request as a function URL hands it on. A forger knows the address, which isn't enough."""
    event: dict[str, Any] = {"rawPath": request.path, "headers": {}}
    if request.query:
        return {**event, "rawQueryString": request.query, "requestContext": {"http": {"method": "GET"}}}
    secret = "" if forged else request.secret
    signature = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    headers = {"content-type": "application/rss+xml", "x-hub-signature": f"sha256={signature}"}
    return {**event, "headers": headers, "body": body, "requestContext": {"http": {"method": "POST"}}}


class Model:
    """One that does as it is told: the first sentence of an article is its summary."""

    def begin(self) -> None:
        """Nobody has asked anything yet."""
        self.asked: Counter[str] = Counter()  # by the article's title
        self.spent = 0  # tokens
        self.summaries: set[str] = set()

    def serve(self, *, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Answer a call of Bedrock's Converse."""
        body: Any = request.body
        lines = json.loads(body)["messages"][0]["content"][0]["text"].splitlines()
        title, text = lines[1], lines[3]
        self.asked[title] += 1
        self.spent += sum(TOKENS)
        summary = f"In short: {text.partition('. ')[0]}."
        self.summaries.add(summary)
        said = json.dumps({"title": title, "summary": summary})
        answer = {
            "output": {"message": {"role": "assistant", "content": [{"text": said}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": TOKENS[0], "outputTokens": TOKENS[1], "totalTokens": sum(TOKENS)},
            "metrics": {"latencyMs": 1},
        }
        raw: Any = MockRawResponse(json.dumps(answer))
        return AWSResponse(request.url, 200, HTTPHeaders(), raw)
