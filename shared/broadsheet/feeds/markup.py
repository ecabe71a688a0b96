"""What kind of document a text is, told by its root element, without parsing it."""

import re

ROOT = re.compile(r"<(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)")


def root_name(text: str) -> str:
    """The local name of the first element after prolog, comments and DOCTYPE, in lower case; "" if there is none."""
    position = 0
    while (position := text.find("<", position)) >= 0:
        for opening, closing in (("<!--", "-->"), ("<?", "?>"), ("<!", ">")):
            if text.startswith(opening, position):
                position = text.find(closing, position + len(opening))
                break
        else:
            root = ROOT.match(text, position)
            return root[2].lower() if root else ""
        if position < 0:
            break
    return ""
