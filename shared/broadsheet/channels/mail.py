"""What an announcement looks like as a mail: a subject, a plain-text part, and an HTML part that loads nothing."""

import html
from typing import Any

from broadsheet.channels.announcement import Announcement
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
<h1 style="font-size:24px;line-height:1.25;margin:0 0 12px;overflow-wrap:anywhere">{heading}</h1>
<p style="font-size:17px;margin:0 0 16px;overflow-wrap:anywhere">{summary}</p>
<p style="font-size:13px;opacity:.7;margin:0;overflow-wrap:anywhere">{context}</p>
</div></body></html>
"""


def render(announcement: Announcement) -> dict[str, Any]:
    """Returns {"subject", "text", "html"}; the subject is one line of Unicode, which the sender encodes (RFC 2047)."""
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
