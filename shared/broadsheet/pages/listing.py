"""A source's newest articles as Markdown: the list that the job which started Broadsheet kept for each source."""

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo

from broadsheet.channels.wording import link, plain
from broadsheet.source import Source
from broadsheet.store import Record

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def markdown(source: Source, records: Sequence[Record], zone: tzinfo) -> str:
    """Name, rule, and a line for each article, newest first: month-day in `zone`, then the title as its link."""
    lines = [f"{_text(source.name)}\n------"]
    for record in records:
        at = datetime.fromisoformat(record.sort_at or record.first_seen).astimezone(zone)
        title, url = _text(record.title or record.url), link(record.url)
        lines.append(f"{at.month}-{at.day} " + (f"[{title}](<{url}>)" if url else title))
    return "\n\n".join(lines) + "\n"


def _text(text: str) -> str:
    return _MARKUP.sub(r"\\\1", plain(text))
