"""The one error extraction raises: the page holds no article, or may not be parsed."""

from typing import Literal

from broadsheet.errors import BroadsheetError

# The last three are those of a page read apart (apart.py): what it cost was only seen as it was read.
Reason = Literal[
    "no-article", "empty", "too-large", "too-many-tags", "too-many-attributes", "not-html",
    "too-slow", "too-much-memory", "crashed",
]  # fmt: skip


class ExtractionError(BroadsheetError):
    """A page that gives no article; the subject is its URL, the reason one of `Reason`."""

    def __init__(self, url: str, reason: Reason, detail: str = "") -> None:
        super().__init__(url, reason, detail)
