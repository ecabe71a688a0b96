"""A page becomes an article: every field, and the witness of each."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broadsheet.extract import ExtractionError, explain, extract

PAGE = (Path(__file__).parent / "pages" / "ferry.html").read_bytes()


def test_every_field_is_found() -> None:
    article = extract(PAGE, "https://quay.example/news/harbour-ferry?utm_source=x")
    assert article.title == "Harbour ferry returns after a year"
    assert article.authors == ("Ada Brook", "Sam Hill")
    assert article.published_at == datetime(2025, 3, 4, 7, 30, tzinfo=UTC)
    assert article.modified_at == datetime(2025, 3, 4, 11, 0, tzinfo=UTC)
    assert article.section == "Local"
    assert article.tags == ("ferry", "harbour")
    assert article.canonical_url == "https://quay.example/news/harbour-ferry"
    assert article.site_name == "The Quay Gazette"
    assert article.access == "free"
    assert (article.language, article.language_declared) == ("en", "en-GB")
    assert article.standfirst == "The boat sails again from Monday."
    assert article.images[0].url == "https://quay.example/img/ferry.jpg"
    assert article.images[1].caption == "Fresh paint on deck."
    assert article.images[1].credit == "Lea Moss"
    assert article.links == ("https://yard.example/log",)
    assert article.length_unit == "words"
    assert article.reading_minutes == 1


def test_the_body_is_blocks_in_reading_order_without_what_surrounds_it() -> None:
    article = extract(PAGE, "https://quay.example/news/harbour-ferry")
    assert [block.kind for block in article.blocks] == [
        "paragraph",
        "image",
        "heading",
        "paragraph",
        "list",
        "quote",
        "paragraph",
    ]
    assert article.blocks[2].level == 2
    assert len(article.blocks[4].items) == 2
    for absent in ("Sport", "Also read", "All rights", "By Ada", "Fresh paint", "Harbour ferry returns"):
        assert absent not in article.text


def test_each_field_names_its_witness() -> None:
    provenance = extract(PAGE, "https://quay.example/news/harbour-ferry").provenance
    assert provenance["published_at"].kind == "json-ld"
    assert provenance["published_at"].key == "datePublished"
    assert provenance["site_name"].kind == "opengraph"
    assert provenance["text"].key.startswith("container")


def test_explaining_lists_all_witnesses_and_the_reason() -> None:
    explanation = explain(PAGE, "https://quay.example/news/harbour-ferry")
    title = explanation.verdicts["title"]
    assert {claim.witness.key for claim in title.claims} >= {"h1", "og:title", "headline", "title"}
    assert title.why == "the headline readers see"


@pytest.mark.parametrize("nothing", [b"", b" \n ", b"<html><body><p>Hi</p></body></html>", b"\xef\xbb\xbf"])
def test_a_page_without_an_article_is_an_error_that_names_it(nothing: bytes) -> None:
    with pytest.raises(ExtractionError, match=r"https://quay\.example/empty"):
        extract(nothing, "https://quay.example/empty")


def test_a_page_may_leave_out_the_body_tag() -> None:
    words = "".join(
        f"<p>On day {n} the ferry sailed as it should, and nobody was left on the quay.</p>" for n in range(9)
    )
    page = f"<meta charset=utf-8><title>Ferry</title><article><h1>The ferry sails again</h1>{words}</article>"
    article = extract(page.encode(), "https://ferry.example/2026/sails")
    assert len([block for block in article.blocks if block.kind == "paragraph"]) == 9
