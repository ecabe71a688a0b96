"""The pages people read: an index, a page for each source, and how the sources are.

One file each, without script, image or anything else to load: a Content-Security-Policy says so, whatever a title
holds. They fit a phone, follow the reader's light or dark, and let right-to-left text run its own way.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from broadsheet.channels.wording import link, plain
from broadsheet.pages.chart import bars
from broadsheet.source import Source
from broadsheet.store import Record

Health = Literal["well", "quiet", "failing", "new"]

_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})

STYLE = """
:root{color-scheme:light dark;--ink:#1b1b1f;--paper:#fdfdfb;--faint:#5d5d66;--line:#dcdcd6;--mark:#0b57a4;--bad:#a8201a}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e4;--paper:#16171a;--faint:#a3a3ad;--line:#36373d;--mark:#8cbcf2;\
--bad:#ff9b8f}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 system-ui,sans-serif;overflow-wrap:anywhere}
header,main,footer{max-width:44rem;margin-inline:auto;padding-inline:1rem}
header{padding-block:1.5rem .5rem;border-block-end:3px double var(--line)}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem}
nav,.small,footer{color:var(--faint);font-size:.875rem}
nav a{margin-inline-end:1rem}
a{color:var(--mark);text-underline-offset:.15em}
ol,ul{list-style:none;margin:0;padding:0}
li{padding-block:1rem;border-block-end:1px solid var(--line)}
h2{font-size:1.125rem;line-height:1.35;margin:0}
h2 a{color:inherit;text-decoration-color:var(--line)}
p{margin:.35rem 0 0}
.bad{color:var(--bad);font-weight:600}
svg{display:block;width:100%;height:3rem;margin-block-start:.5rem;fill:var(--mark)}
svg .none{fill:var(--line)}
footer{padding-block:1.5rem}
"""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a source stands: its articles per day (oldest first), when its newest one came, and what ails it."""

    source: Source
    days: tuple[tuple[str, int], ...]
    state: Health
    newest: str | None = None  # a day
    reason: str = ""
    since: float | None = None  # epoch seconds

    @property
    def week(self) -> int:
        """Articles of the last seven days."""
        return sum(count for _, count in self.days[-7:])


def index(standings: Sequence[Standing]) -> str:
    """Every source, with a link to its page."""
    items = []
    for standing in standings:
        source = standing.source
        newest = f", newest of {standing.newest}" if standing.newest else ""
        items.append(
            f'<li><h2{_tongue(source.language)}><a href="{source.id}/index.html">{_text(source.name)}</a></h2>'
            f'<p class="small">{_articles(standing.week)} in seven days{newest}</p></li>'
        )
    return _page("Broadsheet", f"<ul>{''.join(items)}</ul>", nav=[("How the sources are", "health.html")])


def source_page(source: Source, records: Sequence[Record]) -> str:
    """A source's newest articles: title, moment, authors, summary."""
    items = "".join(_article(record, source) for record in records)
    nav = [
        ("All sources", "../index.html"),
        ("Atom", "feed.xml"),
        ("JSON Feed", "feed.json"),
        ("Markdown", "latest.md"),
    ]
    feeds = (
        f'<link rel="alternate" type="application/atom+xml" title="{_text(source.name)}" href="feed.xml">'
        f'<link rel="alternate" type="application/feed+json" title="{_text(source.name)}" href="feed.json">'
    )
    body = f"<ol{_tongue(source.language)}>{items}</ol>" if items else "<p>No articles yet.</p>"
    return _page(source.name, body, nav=nav, head=feeds, language=source.language)


def health(standings: Sequence[Standing]) -> str:
    """Every source with a chart of its articles per day, what ails it in words."""
    words = {"well": "well", "quiet": "quiet: nothing new for a week", "new": "not asked yet"}
    items = []
    for standing in standings:
        said = words.get(standing.state, "")
        if standing.state == "failing":
            since = f" since {datetime.fromtimestamp(standing.since, UTC):%Y-%m-%d %H:%M} UTC" if standing.since else ""
            said = f"failing{since}: {_text(standing.reason)}"
        bad = ' class="bad"' if standing.state == "failing" else ""
        label = f"{plain(standing.source.name)}: articles per day, the last {len(standing.days)} days"
        items.append(
            f'<li><h2{_tongue(standing.source.language)}><a href="{standing.source.id}/index.html">'
            f"{_text(standing.source.name)}</a></h2>"
            f'<p class="small"><span{bad}>{said}</span> · {_articles(standing.week)} in seven days</p>'
            f"{bars(standing.days, label)}</li>"
        )
    return _page("How the sources are", f"<ul>{''.join(items)}</ul>", nav=[("All sources", "index.html")])


def _article(record: Record, source: Source) -> str:
    title, url = _text(record.title or record.url), link(record.url)
    at = datetime.fromisoformat(record.sort_at or record.first_seen)
    small = [f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M}</time>']
    small += [_text(", ".join(record.authors))] if record.authors else []
    small += [escape((urlsplit(url).hostname or "").removeprefix("www."))] if url else []
    heading = f'<a href="{escape(url)}" rel="noopener noreferrer">{title}</a>' if url else title
    summary = f'<p dir="auto">{_text(record.summary)}</p>' if record.summary else ""
    return (
        f'<li{_tongue(record.language or source.language)}><h2 dir="auto">{heading}</h2>'
        f'<p class="small">{" · ".join(f"<bdi>{part}</bdi>" for part in small)}</p>{summary}</li>'
    )


def _page(title: str, body: str, *, nav: Iterable[tuple[str, str]], head: str = "", language: str | None = None) -> str:
    links = "".join(f'<a href="{href}">{escape(words)}</a>' for words, href in nav)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'\">"
        f'<meta name="referrer" content="no-referrer"><title>{_text(title)}</title>{head}'
        f"<style>{STYLE}</style></head>\n"
        f"<body><header><h1{_tongue(language)}>{_text(title)}</h1><nav>{links}</nav></header>\n"
        f"<main>{body}</main>\n<footer>Times are UTC.</footer></body></html>\n"
    )


def _tongue(language: str | None) -> str:
    """Language and direction of what stands in an element."""
    if not language:
        return ' dir="auto"'
    way = "rtl" if language.lower().partition("-")[0] in _RIGHT_TO_LEFT else "ltr"
    return f' lang="{escape(language)}" dir="{way}"'


def _articles(count: int) -> str:
    return f"{count} article{'' if count == 1 else 's'}"


def _text(text: str) -> str:
    return escape(plain(text))
