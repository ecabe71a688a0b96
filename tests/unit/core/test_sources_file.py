"""The sources file: what it may say, and errors that name line and field."""

from pathlib import Path

import pytest

from broadsheet.source import SourcesError, load, parse

GOOD = """\
channels:
  - id: room
    kind: slack
  - id: hook
    kind: webhook
    interval: 5
sources:
  - id: news
    name: News
    url: https://news.example/feed
    channels: [hook, room]
  - id: rival
    name: 对手
    url: https://rival.example/sitemap.xml
    kind: sitemap
    timezone: Asia/Shanghai
    channels: [room]
"""
KINDS = frozenset({"slack", "webhook"})


def replaced(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_a_good_file_is_read_with_its_defaults() -> None:
    sources = parse(GOOD, kinds=KINDS)
    news = sources.source("news")
    assert news is not None
    assert (news.kind, news.interval, news.delay, news.fetch, news.announce_first) == ("feed", 5, 5, "page", 1)
    assert sources.source("gone") is None
    assert [channel.interval for channel in sources.channels] == [None, 5]


def test_an_articles_channels_are_those_of_all_its_sources_each_once_in_the_files_order() -> None:
    sources = parse(GOOD)
    assert [channel.id for channel in sources.channels_of(("rival", "news"))] == ["room", "hook"]
    assert [channel.id for channel in sources.channels_of(iter(["rival"]))] == ["room"]
    assert sources.channels_of(("gone",)) == ()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (replaced("kind: sitemap", "knid: sitemap"), "s.yaml:15: source rival: knid (no such field)"),
        (
            replaced("    name: News\n", "    name: News\n    user_agent: 晨报 (+https://zao.example)\n"),
            "s.yaml:10: source news: user_agent (Expected `str` matching regex",
        ),
        (
            replaced("    name: News\n", "    name: News\n    user_agent: |\n      Zao\n"),
            "s.yaml:10: source news: user_agent (Expected `str` matching regex",
        ),
        (replaced("    name: News\n", ""), "s.yaml:8: source news: name (is missing)"),
        (replaced("id: news", "id: News!"), "s.yaml:8: source News!: id (Expected `str` matching regex"),
        (replaced("id: news", 'id: "news\\n"'), "s.yaml:8: source news\n: id (Expected `str` matching regex"),
        (
            replaced("https://news.example/feed", "news.example/feed"),
            "source news: url (expected an http or https URL)",
        ),
        (replaced("https://news.example/feed", "http://[bad/feed"), "s.yaml:10: source news: url (malformed)"),
        (replaced("https://news.example/feed", "https://"), "s.yaml:10: source news: url"),
        (
            replaced("[hook, room]", "[hook, rom]"),
            "s.yaml:11: source news: channels[1] (no channel 'rom' in this file)",
        ),
        (
            replaced("kind: slack", "kind: slak"),
            "s.yaml:3: channel room: kind (no channel kind 'slak'; there are slack",
        ),
        (replaced("id: hook", "id: room"), "s.yaml:4: channel room: id ('room' is taken by an earlier entry)"),
        (replaced("id: rival", "id: news"), "s.yaml:12: source news: id ('news' is taken"),
        (
            replaced("interval: 5", "interval: soon"),
            "s.yaml:6: channel hook: interval (Expected `float | null`",
        ),
        (replaced("interval: 5", "interval: -1"), "s.yaml:6: channel hook: interval (Expected `float` >= 0.0)"),
        (replaced("kind: sitemap", "kind: listing"), "source rival (a listing needs `select`"),
        (replaced("Asia/Shanghai", "Asia/Peking"), "s.yaml:16: source rival: timezone (no time zone 'Asia/Peking')"),
        (replaced("Asia/Shanghai", "../../etc"), "s.yaml:16: source rival: timezone"),
        (replaced("Asia/Shanghai", "Asia"), "s.yaml:16: source rival: timezone"),
        (replaced("name: News", "name: News\n    name: Again"), "s.yaml:10: sources[0].name (given twice)"),
        (replaced("name: News", "name: 2024-99-99"), "s.yaml:9: sources[0].name (month must be in 1..12)"),
        (replaced("name: News", "name: !secret x"), "s.yaml:9: sources[0].name (could not determine a constructor"),
        (replaced("name: News", "? [a]\n    : b"), "s.yaml:9: sources[0].a field's name (must be plain text)"),
        (replaced("name: News", "name: no"), "s.yaml:9: source news: name (Expected `str`, got `bool`)"),
        (replaced("channels: [room]", "channels: &a [*a]"), "s.yaml:17: sources[1].channels[0] (holds itself)"),
        ("", "s.yaml:1: the file (Expected `object`, got `null`)"),
        ("[1]", "s.yaml:1: the file (Expected `object`, got `array`)"),
        ("sources:\n  - id: x\n   name: y\n", "s.yaml:3: not YAML"),
        ("sources: [1]\n", "s.yaml:1: source no. 1 (Expected `object`, got `int`)"),
        ("channels: []\n", "s.yaml:1: sources (is missing)"),
        ("a: \x07", "s.yaml:1: not YAML"),
    ],
)
def test_a_wrong_file_is_told_by_line_and_field(text: str, error: str) -> None:
    with pytest.raises(SourcesError) as raised:
        parse(text, name="s.yaml", kinds=KINDS)
    assert error in str(raised.value)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match=r"nowhere\.yaml: unreadable"):
        load(tmp_path / "nowhere.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: Zürich".encode("latin-1"))
    with pytest.raises(SourcesError, match=r"latin\.yaml: unreadable"):
        load(tmp_path / "latin.yaml")
    (tmp_path / "good.yaml").write_text(GOOD, encoding="utf-8")
    assert load(tmp_path / "good.yaml", kinds=KINDS).source("rival") is not None
