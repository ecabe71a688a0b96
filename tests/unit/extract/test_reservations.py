"""What a page reserves is recorded with who said so; whose policy respects it, keeps no text."""

import pytest

from broadsheet.article import Article
from broadsheet.extract import extract
from broadsheet.extract.reservations import respected, with_headers, without_text

URL = "https://quay.example/2026/ferry"
WORDS = "".join(f"<p>On day {n} the ferry sailed as it should, and nobody was left on the quay.</p>" for n in range(9))


def page(head: str) -> Article:
    html = f'<html lang="en"><head><title>Ferry</title>{head}</head><body><article><h1>Ferry</h1>{WORDS}</article>'
    return extract(html.encode(), URL)


def reserved(article: Article) -> dict[str, tuple[object, str, str]]:
    fields = ("noarchive", "tdm_reserved", "tdm_policy")
    witnessed = {name: article.provenance[name] for name in fields if name in article.provenance}
    return {name: (getattr(article, name), witness.kind, witness.key) for name, witness in witnessed.items()}


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("", {}),
        ('<meta name="robots" content="index, follow">', {}),
        ('<meta name="ROBOTS" content="index,NoArchive">', {"noarchive": (True, "meta", "robots: noarchive")}),
        ('<meta name="broadsheet" content="noarchive">', {"noarchive": (True, "meta", "broadsheet: noarchive")}),
        ('<meta name="googlebot" content="noarchive">', {}),
        ('<meta name="robots" content="noai, noimageai">', {"tdm_reserved": (True, "meta", "robots: noai")}),
        ('<meta name="tdm-reservation" content="0"><meta name="tdm-policy" content="/p">', {}),
        (
            '<meta name="tdm-reservation" content="1"><meta name="tdm-policy" content="/p.json">',
            {
                "tdm_reserved": (True, "meta", "tdm-reservation"),
                "tdm_policy": ("https://quay.example/p.json", "meta", "tdm-policy"),
            },
        ),
        (
            '<meta name="tdm-reservation" content="1"><meta name="tdm-policy" content="http://[">',
            {"tdm_reserved": (True, "meta", "tdm-reservation")},
        ),
    ],
)
def test_a_pages_own_words(head: str, found: dict[str, object]) -> None:
    assert reserved(page(head)) == found


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-robots-tag": "noarchive, nofollow"}, {"noarchive": (True, "header", "x-robots-tag: noarchive")}),
        ({"x-robots-tag": "otherbot: noarchive"}, {}),
        (
            {"x-robots-tag": "otherbot: nofollow,\nnoarchive"},
            {"noarchive": (True, "header", "x-robots-tag: noarchive")},
        ),
        (
            {"x-robots-tag": "otherbot: noindex, broadsheet: noarchive"},
            {"noarchive": (True, "header", "x-robots-tag: noarchive")},
        ),
        ({"x-robots-tag": "max-snippet: 5, noai"}, {"tdm_reserved": (True, "header", "x-robots-tag: noai")}),
        ({"tdm-reservation": "1"}, {"tdm_reserved": (True, "header", "tdm-reservation")}),
        ({"tdm-policy": "https://quay.example/p"}, {}),
    ],
)
def test_an_answers_headers(headers: dict[str, str], found: dict[str, object]) -> None:
    assert reserved(with_headers(page(""), headers)) == found


def test_the_pages_own_word_stands_beside_the_headers() -> None:
    article = with_headers(page('<meta name="robots" content="noarchive">'), {"x-robots-tag": "noarchive, noai"})
    assert reserved(article) == {
        "noarchive": (True, "meta", "robots: noarchive"),
        "tdm_reserved": (True, "header", "x-robots-tag: noai"),
    }


def test_what_a_policy_respects_is_kept_without_its_text() -> None:
    article = page('<meta name="robots" content="noarchive">')
    assert respected(article, ()) is None
    assert respected(article, ("tdm",)) is None
    assert respected(article, ("tdm", "noarchive")) == "noarchive"
    bare = without_text(article)
    assert (bare.title, bare.text, bare.html, bare.blocks, bare.length) == ("Ferry", "", "", (), 0)
    assert "text" not in bare.provenance
    assert bare.provenance["title"] == article.provenance["title"]
