"""Ours and the extractors that the scorer has no adapter for, each as `peers:<name>`, imported when asked for."""

from collections.abc import Callable
from functools import partial
from typing import Any

Extractor = Callable[[bytes, str], Any]
LANGUAGES = {"de": "German", "en": "English", "fr": "French", "es": "Spanish", "it": "Italian"}


def _broadsheet() -> Extractor:
    from broadsheet.extract import extract, no_rule

    return partial(extract, rules=no_rule)


def _goose3() -> Extractor:
    from goose3 import Goose  # type: ignore[import-not-found]

    goose = Goose({"enable_image_fetching": False})

    def extract(html: bytes, _url: str) -> dict[str, Any]:
        article = goose.extract(raw_html=html.decode("utf-8", "replace"))
        return {
            "body": article.cleaned_text,
            "title": article.title,
            "authors": article.authors,
            "published": article.publish_date,
        }

    return extract


def _justext() -> Extractor:
    import justext  # type: ignore[import-not-found]
    from lxml import etree

    # It wants to be told the language; of those with a list, what the page itself declares.
    stoplists = {code: justext.get_stoplist(name) for code, name in LANGUAGES.items()}

    def extract(html: bytes, _url: str) -> dict[str, Any]:
        root = etree.fromstring(html, etree.HTMLParser())
        declared = (root.get("lang") or "en")[:2].lower() if root is not None else "en"
        paragraphs = justext.justext(html, stoplists.get(declared, stoplists["en"]))
        return {"body": "\n\n".join(paragraph.text for paragraph in paragraphs if not paragraph.is_boilerplate)}

    return extract


def _gne() -> Extractor:
    from gne import GeneralNewsExtractor  # type: ignore[import-not-found]

    extractor = GeneralNewsExtractor()

    def extract(html: bytes, _url: str) -> dict[str, Any]:
        found = extractor.extract(html.decode("utf-8", "replace"))
        return {
            "body": found["content"],
            "title": found["title"],
            "authors": found["author"],
            "published": found["publish_time"],
        }

    return extract


_MAKERS = {"broadsheet": _broadsheet, "goose3": _goose3, "justext": _justext, "gne": _gne}


def __getattr__(name: str) -> Extractor:
    if name not in _MAKERS:
        raise AttributeError(name)
    return _MAKERS[name]()
