"""What a channel of the sources file may say of its filters, and errors that name line and field."""

import pytest

from broadsheet.routing import Filters
from broadsheet.source import SourcesError, parse

FILE = """\
channels:
  - id: room
    kind: webhook
    filters: {sources: [news], languages: [zh, en], any: [港口], matches: "wind ?farm"}
sources:
  - id: news
    name: News
    url: https://news.example/
"""


def test_a_channels_filters_are_read() -> None:
    [channel] = parse(FILE).channels
    assert channel.filters == Filters(sources=("news",), languages=("zh", "en"), any=("港口",), matches="wind ?farm")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("wind ?farm", "(a+)+", "s.yaml:4: channel room: filters.matches (could take too long"),
        ("wind ?farm", "(", "s.yaml:4: channel room: filters.matches (is no regular expression"),
        ("[news]", "[gnus]", "s.yaml:4: channel room: filters.sources[0] (no source 'gnus' in this file)"),
        ("any:", "some:", "s.yaml:4: channel room: filters.some (no such field)"),
        ("kind: webhook", "timezone: Mars/Base\n    kind: webhook", "s.yaml:3: channel room: timezone (no time zone"),
        (
            "kind: webhook",
            "quiet_hours: {start: '7:00', end: '7:00'}\n    kind: webhook",
            "s.yaml:3: channel room: quiet_hours (start and end are the same)",
        ),
        (
            "kind: webhook",
            "quiet_hours: {start: 25:00, end: 7:00}\n    kind: webhook",
            "channel room: quiet_hours.start",
        ),
        ("kind: webhook", "digest: {}\n    kind: webhook", "s.yaml:3: channel room: digest (give either `every`"),
        (
            "kind: webhook",
            "digest: {every: 5, daily_at: '8:00'}\n    kind: webhook",
            "s.yaml:3: channel room: digest (give either `every`",
        ),
        ("kind: webhook", "daily_cap: 0\n    kind: webhook", "s.yaml:3: channel room: daily_cap (Expected `int` >= 1"),
        ("[港口]", "[3]", "s.yaml:4: channel room: filters.any[0] (Expected `str`"),
        ("[港口]", '[""]', "s.yaml:4: channel room: filters.any[0] (Expected `str` of length >= 1"),
    ],
)
def test_a_wrong_filter_is_told_by_line_and_field(old: str, new: str, error: str) -> None:
    with pytest.raises(SourcesError) as raised:
        parse(FILE.replace(old, new, 1), name="s.yaml")
    assert error in str(raised.value)
