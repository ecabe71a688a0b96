"""Markdown that knows no escapes, as DingTalk's and WeCom's bots read it: what means something is written full-width.

All lengths are in bytes.
"""

from broadsheet.channels.announcement import Announcement
from broadsheet.channels.digest import Digest, fitting, remainder
from broadsheet.channels.wording import context, fit, headline, inert, link

_GROUP, _ITEM = 300, 300


def linked(title: str, url: str, longest: int) -> str:
    """A title that is inert already, linked to an address of such a length at most."""
    address = link(url)
    return f"[{title}]({address})" if address and len(address) <= longest else title


def digest_text(digest: Digest, room: int, *, longest_link: int, parting: str) -> tuple[str, int]:
    """A digest's lines, parted as the service wishes, and how many items they show."""

    def line(item: Announcement) -> str:
        return f"• {linked(fit(headline(item), _ITEM, inert, 'bytes'), item.url, longest_link)}"

    lines, shown = fitting(
        digest,
        room,
        heading=lambda name: f"**{fit(name, _GROUP, inert, 'bytes')}**",
        line=line,
        size=lambda text: len(text.encode()) + 2,
    )
    said = " · ".join(part for part in (remainder(digest, shown), context(digest)) if part)
    return parting.join([f"**{headline(digest)}**", *lines, *([said] if said else [])]), shown
