"""What the sample site publishes: believable, unique, the same on every run, and readable by our own extraction."""

import re
import struct
import zlib
from collections import Counter
from html import unescape

import pytest

from broadsheet import feeds as reader
from broadsheet.extract import extract, from_fragment
from broadsheet.feeds import sitemap
from broadsheet.urls import article_id
from local.site import feeds, pages, pictures
from local.site.publication import Publication, Story, body_html, publications

BASE = "http://127.0.0.1:4711"
PUBLICATIONS = {publication.id: publication for publication in publications()}
STORIES = [(publication, story) for publication in PUBLICATIONS.values() for story in publication.stories]

every_story = pytest.mark.parametrize(
    ("publication", "story"), [pytest.param(p, s, id=f"{p.id}/{s.slug}") for p, s in STORIES]
)


def spoken(story: Story) -> list[str]:
    """The plain texts that a story's body consists of."""
    pieces = re.findall(r"<(?:p|h2|li)>(.*?)</(?:p|h2|li)>", body_html(story))
    return [unescape(piece) for piece in pieces]


def test_there_is_enough_to_read() -> None:
    assert len(STORIES) >= 26
    assert {p.shape for p in PUBLICATIONS.values()} == {"radio", "courier", "anzeiger", "daily"}
    behaviours = Counter(story.answer for _, story in STORIES)
    assert set(behaviours) == {None, "forbidden", "missing", "slow", "busy", "moved", "duplicated", "disallowed"}


def test_nothing_is_there_twice() -> None:
    for values in (
        [story.title for _, story in STORIES],
        [story.lead for _, story in STORIES],
        [story.published for _, story in STORIES],
        [story.slug for _, story in STORIES],
        [article_id(BASE + publication.path(story)) for publication, story in STORIES],
    ):
        assert len(set(values)) == len(values)


@every_story
def test_a_story_is_whole(publication: Publication, story: Story) -> None:
    assert (story.published.year, story.published.month) == (2026, 11)
    assert story.published.tzinfo is not None
    assert story.changed >= story.published
    assert len(spoken(story)) >= 3
    assert story.answer == "disallowed" or story.section in publication.sections
    assert story.authors
    assert story.tags


@every_story
def test_its_page_is_extracted(publication: Publication, story: Story) -> None:
    page = pages.page(publication, story, BASE)
    article = extract(page, BASE + publication.path(story))
    assert article.title == story.title
    assert article.published_at == story.published
    assert article.standfirst == story.lead
    assert article.authors == story.authors
    assert article.language == publication.language.partition("-")[0]
    assert [image.url for image in article.images] == [BASE + story.picture_path]
    lines = spoken(story)
    # Very short stories may lose their last line to the noise around them; these two are served to nobody.
    whole = lines if story.answer not in ("missing", "disallowed") else lines[:1]
    assert [line for line in whole if line not in article.text] == []
    others = [other.title for other in publication.stories if other is not story]
    assert [title for title in others if title in article.text] == []


@every_story
def test_its_page_is_the_same_on_every_run(publication: Publication, story: Story) -> None:
    page = pages.page(publication, story, BASE)
    assert page == pages.page(publication, story, BASE)
    assert b"$" not in page
    page.decode(pages.CODEC[publication.shape])


def test_feeds_are_the_same_on_every_run() -> None:
    for publication, again in zip(publications(), publications(), strict=True):
        assert feeds.feed(publication, BASE) == feeds.feed(again, BASE)


@pytest.mark.parametrize("id", sorted(PUBLICATIONS))
def test_our_own_reader_finds_the_stories(id: str) -> None:
    publication = PUBLICATIONS[id]
    content_type = feeds.CONTENT_TYPE[publication.shape]
    parse = sitemap.parse if publication.shape == "anzeiger" else reader.parse
    found = parse(feeds.feed(publication, BASE), url=BASE + publication.feed_path, content_type=content_type)
    expected = [(BASE + link, story) for story in publication.stories for link in publication.links(story)]
    if publication.shape == "daily":
        expected.pop()  # the one within which the feed breaks off
        assert found.warnings
    assert [entry.url for entry in found.entries] == [url for url, _ in expected]
    assert [entry.published_at for entry in found.entries] == [story.published for _, story in expected]
    assert [entry.headline for entry in found.entries] == [story.title for _, story in expected]


def test_a_forbidden_story_is_whole_in_its_feed() -> None:
    publication, story = next((p, s) for p, s in STORIES if s.answer == "forbidden")
    article = from_fragment(feeds.full_text(story, BASE), BASE + publication.path(story))
    assert article.standfirst == story.lead
    assert [block.text for block in article.blocks if block.kind == "paragraph"] == spoken(story)


def test_pictures_are_png() -> None:
    picture = pictures.png("last-ferry")
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", picture[16:24]) == (pictures.WIDTH, pictures.HEIGHT)
    size = struct.unpack(">I", picture[33:37])[0]
    assert len(zlib.decompress(picture[41 : 41 + size])) == pictures.HEIGHT * (1 + 3 * pictures.WIDTH)
    assert picture != pictures.png("tide-clock")
