"""Digests: every kind takes them whatever they hold, shows what it says it shows, and names how many wait."""

import json
import re

import msgspec
import pytest

from broadsheet.channels import KINDS, Announcement, Digest, compose, digest_id, post, render, room
from broadsheet.channels.webhook import WebhookDigest
from tests.unit.channels.services import SERVICES, secret, walk
from tests.unit.channels.test_every_kind import HTTP_KINDS, OVERSIZE, InProcess
from tests.unit.channels.test_injection import OURS, Html, strings


def articles(announcement: Announcement, number: int, **fields: object) -> list[Announcement]:
    return [
        msgspec.structs.replace(
            announcement,
            article_id=f"{n:026d}",
            delivery_id=f"d{n}",
            title=f"No{n:03d} of the day",
            url=f"https://news.example/{n}",
            source_name=("Gazette", "Mill")[n % 2],
            section=("Region", None)[n % 2],
            **fields,
        )
        for n in range(number)
    ]


def shown(kind: str, digest: Digest) -> list[str]:
    return list(dict.fromkeys(re.findall(r"No\d{3}", json.dumps(render(kind, digest).payload))))


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_articles_all_stand_there_by_source_with_their_addresses(kind: str, announcement: Announcement) -> None:
    digest = compose(articles(announcement, 4), delivery_id="d")
    payload = json.dumps(render(kind, digest).payload, ensure_ascii=False)
    assert room(kind, digest) == 4
    order = ["No000", "No002", "No001", "No003"]
    found = shown(kind, digest)
    if kind == "email":
        found = found[:4]  # the subject names the first
    assert found == order
    assert all(f"https://news.example/{n}" in payload for n in range(4))
    assert "more" not in payload.replace('"more": 0', "").replace('\\"more\\": 0', "")
    assert "4 new articles" in payload or kind in ("webhook", "sns")


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_is_counted_and_what_is_counted_as_shown_is_there(
    kind: str, announcement: Announcement
) -> None:
    long = articles(announcement, 300, summary="A long story. " * 60)
    digest = compose(long, delivery_id="d", more=7)
    fits = room(kind, digest)
    assert 1 <= fits < 300
    assert len(shown(kind, digest)) == fits
    payload = json.dumps(render(kind, digest).payload, ensure_ascii=False)
    left = 300 - fits + 7
    assert f"+{left} more" in payload or f'"more": {left}' in payload.replace("\\", "")
    some = compose(list(digest.items[:fits]), delivery_id="d", more=left)
    assert room(kind, some) == fits, "what fits among many fits alone"


@pytest.mark.parametrize("kind", HTTP_KINDS)
@pytest.mark.parametrize("number", [1, 40])
def test_no_digest_is_too_large_or_malformed(kind: str, number: int, announcement: Announcement) -> None:
    for piece in OVERSIZE:
        for size in (100, 3000):
            huge = (piece * size)[:size]
            items = [
                msgspec.structs.replace(item, title=huge, summary=huge, source_name=f"{n % 7}{huge}", section=huge)
                for n, item in enumerate(articles(announcement, number))
            ]
            items[0] = msgspec.structs.replace(items[0], url=f"https://news.example/?{'&' * 1900}")
            digest = compose(items, delivery_id="d", possible_repeat=True, more=100)
            http = InProcess(SERVICES[kind]())
            assert post("room", kind, secret(kind, "http://127.0.0.1"), digest, http).delivery_id == "d"


def test_groups_are_sections_where_the_channel_says_so(announcement: Announcement) -> None:
    digest = compose(articles(announcement, 3), delivery_id="d", by="section")
    text = render("email", digest).payload["text"]
    assert [line for line in text.splitlines() if line == "Region" or "No0" in line] == [
        "Region",
        "  No000 of the day",
        "  No002 of the day",
        "  No001 of the day",
    ]


def test_a_digest_speaks_the_language_of_most_and_says_when_it_may_be_a_repeat(announcement: Announcement) -> None:
    items = [msgspec.structs.replace(item, language="zh") for item in articles(announcement, 2)]
    digest = compose([*items, announcement], delivery_id="d", more=3, possible_repeat=True)
    text = render("email", digest).payload["text"]
    assert "3 篇新文章" in text
    assert "另有 3 篇 · 可能重复 d" in text


def test_the_id_is_the_members_own_whatever_their_order() -> None:
    assert digest_id(["a", "b"]) == digest_id(["b", "a"])
    assert re.fullmatch("[a-z2-7]{26}", digest_id(["a"]))
    assert len({digest_id(members) for members in (["a"], ["b"], ["a", "b"], ["ab"])}) == 4


def test_a_webhooks_digest_is_as_its_schema_says(announcement: Announcement) -> None:
    body = render("webhook", compose(articles(announcement, 3), delivery_id="d", more=2)).payload
    read = msgspec.convert(body, WebhookDigest)
    assert (read.schema, read.id, read.more) == ("broadsheet.digest.v1", "d", 2)
    assert [article.id for article in read.articles] == [f"{n:026d}" for n in (0, 2, 1)]


def test_no_title_or_source_becomes_markup(announcement: Announcement) -> None:
    for text in OURS:
        items = articles(announcement, 2, authors=(text,), summary=text)
        items = [msgspec.structs.replace(item, title=text, source_name=text) for item in items]
        digest = compose(items, delivery_id="d", more=3)
        said = {kind: render(kind, digest).payload for kind in KINDS}
        for payload in said.values():
            for value in strings(payload):
                assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x09\x0b-\x1f]", value), text
        for value in [part["text"] for part in walk(said["slack"]["blocks"]) if part.get("type") == "mrkdwn"]:
            rest = re.sub(r"<https://news\.example/\d\|([^<>]*)>", r"\1", value)
            assert not re.search(r"[<>`]|:[\w+-]+:", rest), text
            for line in rest.splitlines():
                assert not re.search(r"[*_~](?!\u200b)", re.sub(r"^\*(.*)\*$", r"\1", line)), text
        telegram, page = Html(said["telegram"]["text"]), Html(said["email"]["html"])
        assert set(telegram.tags) == {"b", "a", "i"}
        assert telegram.links == [f"https://news.example/{n}" for n in (0, 1)]
        assert set(page.tags) == {"html", "head", "meta", "title", "body", "div", "h1", "h2", "h3", "a", "p"}, text
        assert page.links == [f"https://news.example/{n}" for n in (0, 1)]
        described = said["discord"]["embeds"][0]["description"]
        left = re.sub(r"\\[\\*_~`|>#\[\]()<:@/!+.-]", "", described)
        left = re.sub(r"\[([^\[\]]*)\]\(https://news\.example/\d\)|^\*\*(.*)\*\*$", r"\1\2", left, flags=re.MULTILINE)
        assert not re.search(r"[\\*_~`|>#\[\]()<:@/]", left), text
        for kind in ("dingtalk", "wecom"):
            marked = said[kind]["markdown"].get("content") or said[kind]["markdown"]["text"]
            left = re.sub(
                r"\[([^\[\]]*)\]\(https://news\.example/\d\)|^\*\*(.*)\*\*$", r"\1\2", marked, flags=re.MULTILINE
            )
            assert not re.search(r"[*_`~#>\[\]<|\\]", left), (kind, text)
