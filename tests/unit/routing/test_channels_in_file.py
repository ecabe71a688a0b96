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
        ("[港口]", "[3]", "s.yaml:4: channel room: filters.any[0] (Expected `str`"),
        ("[港口]", '[""]', "s.yaml:4: channel room: filters.any[0] (Expected `str` of length >= 1"),
    ],
)
def test_a_wrong_filter_is_told_by_line_and_field(old: str, new: str, error: str) -> None:
    with pytest.raises(SourcesError) as raised:
        parse(FILE.replace(old, new, 1), name="s.yaml")
    assert error in str(raised.value)
