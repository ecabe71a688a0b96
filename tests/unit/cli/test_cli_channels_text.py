"""A channel goes into any sources file, and its subscribers name it in whatever way they are written."""

import pytest

from broadsheet import source
from broadsheet.cli.sources_text import channel_added
from broadsheet.source import SourcesError

ENTRY = {"id": "new", "kind": "slack", "quiet_hours": {"start": "22:00", "end": "7:00"}, "filters": {"any": ["a", "b"]}}
A, B = "{id: a, name: A, url: 'https://a.example/'}", "{id: b, name: B, url: 'https://b.example/', channels: [old]}"
OLD = "channels:\n- {id: old, kind: webhook} # c\n"
BLOCK = "- id: a\n  name: A # c\n  channels:\n    - old # c\n\n    # d\n  url: https://a.example/"


@pytest.mark.parametrize(
    "text",
    [
        f"sources: [{A}]\n",
        f"sources: [{A}, {B}]\n{OLD}# end",
        f"channels: [] # c\nsources:\n  - {A} # c\n# end\n",
        f"{OLD}# d\n\nsources:\n{BLOCK}",
        f"{OLD}sources:\n{BLOCK}\n\n# end\n",
        f"sources:\n{BLOCK}\n{OLD.rstrip()}",
        "sources:\n- id: a\n  name: >\n    A\n    B\n\n  url: https://a.example/ # c\n\n# d\nchannels: []",
        f"sources:\r\n  - {A}\r\nchannels:\r\n  - id: old\r\n    kind: ntfy\r\n",
    ],
)
def test_a_channel_goes_into_any_file(text: str) -> None:
    subscribers = [one.id for one in source.parse(text).sources]
    changed = channel_added(text, ENTRY, subscribers)
    after = source.parse(changed)
    assert after.channels[-1].id == "new"
    assert all(one.channels[-1] == "new" for one in after.sources)
    assert all(comment in changed for comment in ("# end", "# c", "# d") if comment in text)
    assert len(channel_added(text, ENTRY)) < len(changed)


def test_channels_in_brackets_are_left_to_their_owner() -> None:
    with pytest.raises(SourcesError, match="brackets"):
        channel_added(f"channels: [{{id: old, kind: ntfy}}]\nsources: [{A}]\n", ENTRY)
