"""The words around an article, in its language, and text made harmless before a channel's markup sees it."""

import re
from collections.abc import Callable
from datetime import UTC
from urllib.parse import quote, urlsplit

from broadsheet.changes import Changes
from broadsheet.channels.announcement import Announcement
from broadsheet.summary import ELLIPSIS, Unit, join_sentences, measure, shorten

_PARAGRAPH = 400  # characters of what changed, each
LONGEST_URL = 2000  # what every channel takes; Discord's embeds stop at 2048

_WORDS = {
    "updated": {
        "en": "Updated: ",
        "zh": "更新：",
        "fr": "Mise à jour : ",
        "de": "Aktualisiert: ",
        "es": "Actualizado: ",
    },
    "repeat": {
        "en": "possible repeat",
        "zh": "可能重复",
        "fr": "répétition possible",
        "de": "möglicherweise doppelt",
        "es": "posible repetición",
    },
    "digest": {
        "en": "{n} new articles",
        "zh": "{n} 篇新文章",
        "fr": "{n} nouveaux articles",
        "de": "{n} neue Artikel",
        "es": "{n} artículos nuevos",
    },
    "former": {
        "en": "The title was “{text}”.",
        "zh": "原标题：“{text}”。",
        "fr": "Le titre était « {text} ».",
        "de": "Der Titel war „{text}“.",
        "es": "El título era «{text}».",
    },
    "begins": {
        "en": "It now begins: {text}",
        "zh": "现在的开头：{text}",
        "fr": "Il commence désormais ainsi : {text}",
        "de": "Es beginnt jetzt so: {text}",
        "es": "Ahora empieza así: {text}",
    },
    "revised": {
        "en": "The text has changed.",
        "zh": "正文有改动。",
        "fr": "Le texte a changé.",
        "de": "Der Text wurde geändert.",
        "es": "El texto ha cambiado.",
    },
    "also": {"en": "also: ", "zh": "另见：", "fr": "aussi : ", "de": "auch: ", "es": "también: "},
    "more": {"en": "+{n} more", "zh": "另有 {n} 篇", "fr": "+{n} autres", "de": "+{n} weitere", "es": "+{n} más"},
    "read": {"en": "Read the article", "zh": "阅读原文", "fr": "Lire l’article", "de": "Artikel lesen", "es": "Leer"},
}
# Controls, and the bidirectional overrides that let a title rearrange what stands around it.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_LIVE = re.compile(r"(?<=:)(?=//|[\w+-]+:)|(?<=[@#])(?=\w)|(?<=\w\.)(?=[^\W\d_])|(?<![^\s(（])/(?=\w)")
_SAFE_IN_URL = "%/:?#@!$&+,;=-._~"  # and neither brackets, quotes, backslash, `*` nor `|`, on which markups break


def word(name: str, language: str | None) -> str:
    words = _WORDS[name]
    return words.get((language or "en").lower().partition("-")[0], words["en"])


def plain(text: str) -> str:
    """Returns `text` on one line without control characters, bidi overrides or lone surrogates."""
    return " ".join(_UNSEEN.sub(" ", text).encode("utf-8", "replace").decode("utf-8").split())


def link(url: str) -> str | None:
    """Returns `url` in ASCII without any character a markup could break on; None if it's no web address or too long."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    safe = quote(url.strip(), safe=_SAFE_IN_URL, encoding="utf-8", errors="replace")
    return safe if len(safe) <= LONGEST_URL else None


def headline(announcement: Announcement) -> str:
    """The title, after a word that says so if this is an update, and before the names of those who reprint it."""
    title = plain(announcement.title) or urlsplit(link(announcement.url) or "").hostname or announcement.article_id
    if announcement.kind == "updated":
        title = word("updated", announcement.language) + title
    if not announcement.reprints:
        return title
    names = list(dict.fromkeys(shorten(plain(one.source_name), 40) for one in announcement.reprints))
    shown = ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")
    # The title makes room, since what comes last is what a channel cuts off.
    return f"{shorten(title, 150)} ({word('also', announcement.language)}{shown})"


def changed(changes: Changes, language: str | None) -> str:
    """What a revision changed, in sentences; a note of correction comes first, in its own words."""
    said = [shorten(plain(changes.correction), _PARAGRAPH)] if changes.correction else []
    for name, text in (("former", changes.title), ("begins", changes.lead)):
        if text:
            said.append(word(name, language).replace("{text}", shorten(plain(text), _PARAGRAPH)))
    return join_sentences(said) or word("revised", language)


def lead(announcement: Announcement) -> str:
    """The summary, after what changed if this is an update."""
    return join_sentences([part for part in (plain(announcement.changes), plain(announcement.summary)) if part])


def context(announcement: Announcement) -> str:
    """Who says it, who wrote it, and when, on one line."""
    parts = [announcement.source_name, ", ".join(announcement.authors[:3]), announcement.section or ""]
    shown = [shorten(plain(part), 100) for part in parts]
    if announcement.published_at:
        shown.append(f"{announcement.published_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    if announcement.possible_repeat:
        shown.append(f"{word('repeat', announcement.language)} {announcement.delivery_id}")
    return " · ".join(part for part in shown if part)


def fit(text: str, limit: int, escape: Callable[[str], str] = str, unit: Unit = "characters") -> str:
    """Escapes `text`, shortened first so that the escaped form is within `limit`: no escape is ever cut in two."""
    room = limit
    while room > 0:
        kept = shorten(text, room, unit)
        escaped = escape(kept)
        size = measure(escaped, unit)
        if size <= limit:
            return escaped
        room = measure(kept, unit) * limit // size  # less than before, since size is over the limit
    return ELLIPSIS if limit >= measure(ELLIPSIS, unit) and text else ""


def defang(text: str) -> str:
    """Keeps clients from making links, mentions, tags, commands or emoji of text: an unseen word joiner parts them."""
    return _LIVE.sub(lambda found: found.group() + "\u2060", text)


def inert(text: str) -> str:
    """For a markup without escapes: what Markdown and tags are made of becomes full-width, the rest is defanged."""
    return defang(text.translate(_FULLWIDTH))


_FULLWIDTH = {ord(c): chr(ord(c) + 0xFEE0) for c in "*_`~#>[]<|\\"}
