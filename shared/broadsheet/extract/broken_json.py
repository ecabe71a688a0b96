"""JSON-LD that is no JSON: mended where templates often break it, or else searched for the fields that matter most."""

import html
import json
import re
from typing import Any

_JSON_NOISE = re.compile(r"^\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>)\s*+;?\s*+$")
_CONTROL = re.compile(r"[\x00-\x1f]+")
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_SALVAGE = re.compile(
    r'"(headline|datePublished|dateModified|dateCreated|articleSection|inLanguage|description)"\s*:\s*"((?:[^"\\]|\\.){0,2000})"'
)
_SALVAGE_TYPE = re.compile(r'"@type"\s*+:\s*+"(\w{0,40}(?:Article|Posting))"')
_SALVAGE_AUTHOR = re.compile(
    r'"author"\s*+:[\[{\s]*+(?:"@type"\s*:\s*"(\w+)"\s*,\s*)?"name"\s*:\s*"((?:[^"\\]|\\.){1,200})"'
)


def load(source: str) -> Any:
    """What the source says, mended; an article's few fields that can be found in it; or None."""
    mended = _JSON_NOISE.sub("", source)
    for attempt in (mended, _TRAILING_COMMA.sub(r"\1", _CONTROL.sub(" ", mended)), html.unescape(mended)):
        try:
            return json.loads(attempt, strict=False)
        except (ValueError, RecursionError):
            continue
    return _salvage(mended)


def _salvage(source: str) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for key, value in _SALVAGE.findall(source[:200_000]):
        found.setdefault(key, _unescape(value))
    if author := _SALVAGE_AUTHOR.search(source[:200_000]):
        found["author"] = {"@type": author[1] or "Person", "name": _unescape(author[2])}
    if not found:
        return None
    kind = _SALVAGE_TYPE.search(source[:200_000])
    return {"@type": kind[1] if kind else "Article", **found}


def _unescape(value: str) -> str:
    try:
        return str(json.loads(f'"{value}"', strict=False))
    except ValueError:
        return value
