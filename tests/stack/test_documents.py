"""A source whose pages are documents in the seed's format: each stands for the article whose address it names."""

from collections.abc import Iterator

import pytest

from tests.stack.cloud import Cloud
from tests.stack.newsstand import HERALD, Newsstand, herald, item, opened, rss

MIRROR = "http://mirror.example"
ARTICLE = "/2026/11/ferry-runs-late-again"
DOCUMENT = f"""<!--1790000000000-->
[The ferry runs late (again)]({HERALD}{ARTICLE})
------

<div>21/09/2026 - 16:13</div><p><strong>Nobody on the pier was surprised.</strong></p><div><p>The ferry left the harbour
forty minutes behind its time, for the third evening in a row, and its captain blamed the fog.</p><p>The council means
to ask for a second boat before the winter, said its speaker, who had walked home.</p></div>
""".encode()


@pytest.fixture
def stand(cloud: Cloud) -> Iterator[Newsstand]:
    """A list of links to documents on one host, which mirror a paper on another."""
    with opened(cloud) as stand:
        stand.sources = (
            herald(id="mirror", url=f"{MIRROR}/list", kind="listing", select="a", fetch="document", channels=("town",)),
        )
        stand.pages |= {
            f"{MIRROR}/list": b"<html><body><a href='/2026/ferry-1790000000.md'>Ferry</a></body></html>",
            f"{MIRROR}/2026/ferry-1790000000.md": DOCUMENT,
        }
        yield stand


def test_a_document_is_the_article_it_mirrors(stand: Newsstand) -> None:
    stand.poll()
    (stored,) = stand.stored
    assert (stored.url, stored.title, stored.origin) == (HERALD + ARTICLE, "The ferry runs late (again)", "seed")
    assert stored.published_at == "2026-09-21T14:13:00Z"
    (alias,) = stand.aliases
    assert (alias.url, alias.target) == (f"{MIRROR}/2026/ferry-1790000000.md", stored.id)
    assert stand.posts.total() == 1
    assert HERALD + ARTICLE not in stand.fetched


def test_the_paper_itself_brings_no_second_article(stand: Newsstand) -> None:
    stand.poll()
    stand.publish(ARTICLE)
    stand.pages[f"{HERALD}/feed"] = rss(item(ARTICLE))
    stand.sources = (*stand.sources, herald())
    stand.later()
    stand.poll()
    (stored,) = stand.stored
    assert stored.sources == {"mirror", "herald"}


def test_what_is_no_document_is_recorded_with_the_reason(stand: Newsstand) -> None:
    stand.pages[f"{MIRROR}/2026/ferry-1790000000.md"] = DOCUMENT.partition(b"\n")[2]
    stand.poll()
    assert [(one.status, one.reason) for one in stand.records] == [("unavailable", "no-comment")]


def test_a_page_in_that_format_is_believed_only_where_the_source_says_so(stand: Newsstand) -> None:
    stand.sources = (herald(id="mirror", url=f"{MIRROR}/list", kind="listing", select="a"),)
    stand.poll()
    assert all(HERALD not in one.url for one in stand.records)
