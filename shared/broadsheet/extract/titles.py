"""Choosing the headline: what the page's witnesses agree on, without the site's name."""

import re
import unicodedata

_SEPARATOR = re.compile(r"\s+[|•·»›‹«~:]+\s+|\s+[-–—]+\s+|\s*[|｜_]\s*|\s::\s|[-–—](?=[^-–—]*$)")
_LONGEST = 500


def folded(text: str) -> str:
    """A title as it is compared: width, case, quotes, dashes and spaces don't count."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in text if c.isalnum())


def parts(title: str) -> list[str]:
    """A title and what remains of it when the pieces at its end or start are taken for the site's name, longest first."""
    title = title[:_LONGEST]
    found = [title]
    cuts = [(m.start(), m.end()) for m in _SEPARATOR.finditer(title)]
    found += [title[:start] for start, _ in reversed(cuts)]
    found += [title[end:] for _, end in cuts]
    return [part.strip() for part in found if part.strip()]


def without_site(title: str, site_names: list[str]) -> str:
    """The title without a leading or trailing part that is one of the site's names."""
    names = {folded(name) for name in site_names if name} - {""}
    for _ in range(3):
        for match in reversed(list(_SEPARATOR.finditer(title[:_LONGEST]))):
            tail, head = folded(title[match.end() :]), folded(title[: match.start()])
            if tail in names and head:
                title = title[: match.start()].strip()
                break
            if head in names and tail:
                title = title[match.end() :].strip()
                break
        else:
            return title
    return title
