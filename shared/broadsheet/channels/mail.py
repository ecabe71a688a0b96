"""What an announcement looks like as a mail: a subject, a plain-text part, and an HTML part that loads nothing."""

import html
from typing import Any

from broadsheet.channels.announcement import Announcement
from broadsheet.channels.digest import Digest, fitting, remainder
from broadsheet.channels.wording import context, fit, headline, lead, link

_SUBJECT = 200  # of RFC 5322's 998 bytes a line; what mail programs show
_SUMMARY = 5000

_FONT = "font-family:Georgia,'Songti SC','Noto Serif CJK SC',serif"
_PAGE = """\
<!doctype html>
<html lang="{lang}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body style="margin:0;padding:24px 16px">
<div style="max-width:600px;margin:0 auto;{font};line-height:1.5">
<h1 dir="auto" style="font-size:24px;line-height:1.25;margin:0 0 12px;overflow-wrap:anywhere">{heading}</h1>
<p dir="auto" style="font-size:17px;margin:0 0 16px;overflow-wrap:anywhere">{summary}</p>
<p dir="auto" style="font-size:13px;opacity:.7;margin:0;overflow-wrap:anywhere">{context}</p>
</div></body></html>
"""
_DIGEST = 85_000  # bytes: Gmail cuts a mail at 102 KB
_ITEM = 400  # characters of an item's summary
_DIGEST_PAGE = """\
<!doctype html>
<html lang="{lang}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{title}</title></head>
<body style="margin:0;padding:24px 16px">
<div style="max-width:600px;margin:0 auto;{font};line-height:1.5">
<h1 dir="auto" style="font-size:24px;line-height:1.25;margin:0 0 12px">{title}</h1>
{items}
<p dir="auto" style="font-size:13px;opacity:.7;margin:24px 0 0;overflow-wrap:anywhere">{context}</p>
</div></body></html>
"""
_GROUP = '<h2 dir="auto" style="font-size:14px;opacity:.7;margin:24px 0 0;overflow-wrap:anywhere">{name}</h2>'
_LINE = """\
<h3 dir="auto" style="font-size:18px;line-height:1.3;margin:12px 0 2px;overflow-wrap:anywhere">{title}</h3>
<p dir="auto" style="font-size:15px;margin:0 0 12px;overflow-wrap:anywhere">{summary}</p>"""


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns {"subject", "text", "html"}; the subject is one line of Unicode, which the sender encodes (RFC 2047)."""
    if isinstance(announcement, Digest):
        return digest(announcement)[0]
    title, summary, said = headline(announcement), fit(lead(announcement), _SUMMARY), context(announcement)
    address = link(announcement.url)
    shown = html.escape(title)
    page = _PAGE.format(
        lang=html.escape(announcement.language or ""),
        title=shown,
        font=_FONT,
        heading=f'<a href="{html.escape(address)}" style="color:inherit">{shown}</a>' if address else shown,
        summary=html.escape(summary),
        context=html.escape(said),
    )
    text = "\n\n".join(part for part in (title, summary, address, said) if part)
    return {"subject": fit(title, _SUBJECT), "text": text + "\n", "html": page}


def digest(digest: Digest) -> tuple[dict[str, Any], int]:
    """The mail of a digest, and how many items it shows: each a linked title with its summary, under its group."""

    def heading(name: str) -> tuple[str, str]:
        return _GROUP.format(name=html.escape(name)), f"\n{name}\n"

    def line(item: Announcement) -> tuple[str, str]:
        title, summary, address = fit(headline(item), _SUBJECT), fit(lead(item), _ITEM), link(item.url)
        shown = html.escape(title)
        linked = f'<a href="{html.escape(address)}" style="color:inherit">{shown}</a>' if address else shown
        text = "\n".join(f"  {part}" for part in (title, summary, address) if part)
        return _LINE.format(title=linked, summary=html.escape(summary)), f"\n{text}\n"

    lines, shown = fitting(
        digest, _DIGEST, heading=heading, line=line, size=lambda piece: len(piece[0].encode("utf-8", "replace"))
    )
    title = headline(digest)
    said = " · ".join(part for part in (remainder(digest, shown), context(digest)) if part)
    page = _DIGEST_PAGE.format(
        lang=html.escape(digest.language or ""),
        title=html.escape(title),
        font=_FONT,
        items="\n".join(piece for piece, _ in lines),
        context=html.escape(said),
    )
    text = title + "\n" + "".join(piece for _, piece in lines) + (f"\n{said}\n" if said else "")
    first = headline(digest.items[0])
    return {"subject": fit(f"{title}: {first}", _SUBJECT), "text": text, "html": page}, shown
