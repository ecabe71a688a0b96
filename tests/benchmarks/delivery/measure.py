"""A burst of articles to five channels: `python -m tests.benchmarks.delivery.measure [ARTICLES]`, 1000 unless said.

The records come by the stream in batches of 50, then the schedule's minutes go by on a clock of their own until every
channel was told of every article. Receivers refuse posts that come sooner than their service allows, answer each 20th
with 503 and each 33rd with 429, and count. AWS is moto in this process, most of the time that passes is its own.
"""

import re
import sys
import time
from collections import Counter, defaultdict
from typing import Any

from moto import mock_aws

from broadsheet import channels
from tests.stack.cloud import Cloud, before
from tests.stack.newsroom import Newsroom
from tests.unit.channels.loopback import Answer, Posted
from tests.unit.channels.services import TOKEN

SECRETS = {
    "slack": "http://slack/hook",
    "feishu": "http://feishu/hook",
    "discord": "http://discord/hook",
    "telegram": f'{{"token": "{TOKEN}", "chat_id": "@a", "api_url": "http://telegram"}}',
    "webhook": "http://webhook/hook",
}
LISTED = ", ".join(f"{{id: {kind}, kind: {kind}}}" for kind in SECRETS)
SOURCES = f"""
channels: [{LISTED}]
sources: [{{id: news, name: News, url: "https://news.example/", channels: [{", ".join(SECRETS)}]}}]
"""
YES = {"feishu": {"code": 0}, "telegram": {"ok": True, "result": {"message_id": 1}}, "discord": {"id": "1"}}


class Service:
    """One channel's receiver: what it took, and how often it was asked too soon."""

    def __init__(self, room: Newsroom, kind: str) -> None:
        self._room, self._kind = room, kind
        self.posts = self.too_soon = 0
        self.told: Counter[str] = Counter()
        self._last = 0.0

    def __call__(self, posted: Posted) -> Answer:
        self.posts += 1
        self.too_soon += self._room.now - self._last < channels.interval(self._kind) - 1e-6
        self._last = self._room.now
        if self.posts % 20 == 0:
            return Answer(503)
        if self.posts % 33 == 0:
            return Answer(429, b"{}", {"retry-after": "30"})
        self.told.update(set(re.findall(r"No-\d+", posted.body.decode().replace("\\", ""))))
        return Answer.of(YES[self._kind]) if self._kind in YES else Answer(200, b"ok")


def main(articles: int) -> None:
    """Run it, and print what came of it."""
    with mock_aws():
        room = Newsroom(Cloud(), SOURCES, SECRETS)
        services = {kind: Service(room, kind) for kind in SECRETS}
        room.judges.update(services)
        room.last_posts = {}
        records = [room.commit(n, title=f"No-{n:05d} of the day") for n in range(articles)]
        calls: dict[str, int] = defaultdict(int)
        began, then = time.perf_counter(), room.now
        with before(room.cloud.dynamodb, "*", lambda _: None) as asked:
            for start in range(0, articles, 50):
                run = room.notifier()
                for record in records[start : start + 50]:
                    run.announce(record)
            minutes = 0
            while any(len(service.told) < articles for service in services.values()) and minutes < 3000:
                room.now += 60
                minutes += 1
                room.run()
        for name in asked:
            calls[name] += 1
        took = time.perf_counter() - began
    tellings = articles * len(SECRETS)
    report(services, articles)
    made = ", ".join(f"{name} {count / tellings:.2f}" for name, count in sorted(calls.items()))
    print(
        f"{tellings} tellings in {took:.0f} s: {tellings / took:.0f} a second; {room.now - then:.0f} s on their clock"
    )
    print(f"AWS calls a telling: {sum(calls.values()) / tellings:.2f} ({made})")


def report(services: dict[str, Any], articles: int) -> None:
    """A line for each channel."""
    for kind, service in services.items():
        twice = sum(count > 1 for count in service.told.values())
        lost = articles - len(service.told)
        print(f"{kind:<9} posts {service.posts:5}  too soon {service.too_soon}  lost {lost}  told twice {twice}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
