"""The raw archive: pages are there before anything names them, are found again, read anew, and forgotten."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from warcio.archiveiterator import ArchiveIterator

from broadsheet import apart, archive, feedtext
from broadsheet.archive import Archive, ArchiveError
from broadsheet.article import Article
from broadsheet.cli import main
from broadsheet.store import Record, StoredArticle
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die
from tests.stack.newsstand import HERALD, herald, item, opened, rss
from tests.stack.test_forget import SOURCES, forget, long_page
from tests.stack.test_parse_faults import NOW, Scripted, entry, message, page, parse, statuses, walled
from tests.stack.test_store import articles

TODAY = datetime.fromtimestamp(NOW, UTC)


def documents(cloud: Cloud) -> list[StoredArticle]:
    return [articles(cloud).read(key) for key in cloud.keys() if key.startswith("articles/")]  # noqa: SIM118 - no dict


def bundles(cloud: Cloud) -> list[str]:
    return [key for key in cloud.keys() if key.startswith("raw/")]  # noqa: SIM118 - no dict


def records(cloud: Cloud, key: str) -> list[tuple[str, str, bytes]]:
    """Type, address and content of each record, as anybody's WARC reader gives them."""
    body = cloud.s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read()
    return [
        (one.rec_type, one.rec_headers.get_header("WARC-Target-URI"), one.content_stream().read())
        for one in ArchiveIterator(io.BytesIO(body), check_digests="raise")
    ]


def kept(cloud: Cloud) -> Archive:
    return Archive(cloud.s3, cloud.bucket)


def assert_whole(cloud: Cloud, count: int) -> None:
    """So many articles, each naming a page that is there and is its own."""
    found = documents(cloud)
    assert len(found) == count
    for one in found:
        assert one.raw
        assert kept(cloud).read(one.raw).response.url == one.url


def test_a_batchs_pages_are_one_object_as_they_were_fetched(cloud: Cloud) -> None:
    with opened(cloud) as stand:
        stand.archive = True
        stand.sources = (herald(user_agent="Broadsheet of the test"),)
        paths = ("/ferry", "/fog?page=2", "/tea")
        stand.publish(*paths)
        stand.pages[f"{HERALD}/feed"] = rss(*(item(path, pubDate="Tue, 03 Mar 2026 05:00:00 GMT") for path in paths))
        stand.poll()
        (key,) = bundles(cloud)
        assert key.startswith("raw/v1/date=2026-09-21/")
        there = records(cloud, key)
        assert [kind for kind, _, _ in there] == ["warcinfo", *["response", "request", "metadata"] * 3]
        for record in stand.stored:
            raw = articles(cloud).read(record.s3_key or "").raw
            assert raw
            assert raw.key == key
            found = kept(cloud).read(raw)
            assert found.response.body == stand.pages[record.url]
            assert found.response.headers["content-type"] == "text/html"
            assert (found.message.id, found.message.source) == (record.id, "herald")
            assert found.message.entry
            assert found.message.entry.title == record.title
        body = cloud.s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read()
        asked = [one.http_headers for one in ArchiveIterator(io.BytesIO(body)) if one.rec_type == "request"]
        assert {one.get_header("User-Agent") for one in asked} == {"Broadsheet of the test"}
        assert sorted(one.protocol + " " + one.statusline for one in asked)[1] == "GET /fog?page=2 HTTP/1.1"


def test_what_was_coded_is_kept_decoded_and_says_so(cloud: Cloud) -> None:
    bundle = archive.Bundle(now=NOW)
    response = msgspec.structs.replace(
        Scripted(page).get(message(1).url),
        headers={"content-encoding": "gzip", "content-length": "12", "x-robots-tag": "noai,\r\n noindex,\nother: noai"},
    )
    place = bundle.add(message(1), response, now=NOW)
    assert place
    assert kept(cloud).put(bundle)
    ((_, _, body),) = [one for one in records(cloud, bundle.key) if one[0] == "response"]
    assert body == response.body
    found = kept(cloud).read(place).response
    assert found.body == response.body
    # Folded is one line, and two lines are two: what an agent's name governs ends with its own.
    reserved = "noai, noindex,\nother: noai"
    assert found.headers == {"content-encoding": "gzip", "content-length": "12", "x-robots-tag": reserved}


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize("nth", [2, 3, 5])  # the first PutItem or PutObject is of robots.txt: here S3's own are counted
def test_a_death_at_any_write_loses_and_doubles_nothing(cloud: Cloud, nth: int, death: Callable[[Any], None]) -> None:
    batch = [message(n) for n in range(3)]
    with before(cloud.s3, "PutObject", death, nth=nth - 1), pytest.raises(KilledError):
        parse(cloud, Scripted(page), batch, archive=True)
    for one in documents(cloud):
        assert one.raw
        assert kept(cloud).read(one.raw)
    later = parse(cloud, Scripted(page), batch, archive=True, now=NOW + 200)
    assert set(statuses(later)) <= {"stored", "known"}
    assert_whole(cloud, 3)


def test_without_the_archive_articles_are_stored_all_the_same(cloud: Cloud) -> None:
    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "later"}}, "PutObject")

    with before(cloud.s3, "PutObject", refuse):
        assert statuses(parse(cloud, Scripted(page), [message(n) for n in range(3)], archive=True)) == ["stored"] * 3
    assert [one.raw for one in documents(cloud)] == [None] * 3
    assert bundles(cloud) == []


def test_what_is_too_large_for_the_archive_is_stored_without(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_OBJECT", 2000)
    assert statuses(parse(cloud, Scripted(page), [message(n) for n in range(3)], archive=True)) == ["stored"] * 3
    assert sum(one.raw is None for one in documents(cloud)) == 2
    assert len(bundles(cloud)) == 1


def test_what_asks_not_to_be_kept_is_in_no_archive_where_the_policy_says_so(cloud: Cloud) -> None:
    def reserved(url: str) -> bytes | Exception:
        answer = page(url)
        head = b'<head><meta name="robots" content="noarchive">'
        return answer if isinstance(answer, Exception) else answer.replace(b"<head>", head)

    assert statuses(parse(cloud, Scripted(reserved), [message(0)], archive=True, respect=("noarchive",))) == ["stored"]
    assert (bundles(cloud), documents(cloud)[0].raw) == ([], None)


def test_a_page_without_an_article_is_kept_for_a_better_extractor(cloud: Cloud) -> None:
    blank = Scripted(lambda url: page(url) if url.endswith("/robots.txt") else b"<html><body><p>.</p></body></html>")
    assert statuses(parse(cloud, blank, [message(0)], archive=True)) == ["unavailable"]
    (key,) = bundles(cloud)
    assert [kind for kind, _, _ in records(cloud, key)] == ["warcinfo", "response", "request", "metadata"]


def test_a_place_that_leads_nowhere_is_named(cloud: Cloud) -> None:
    parse(cloud, Scripted(page), [message(0)], archive=True)
    raw = documents(cloud)[0].raw
    assert raw
    for place, reason in (
        (msgspec.structs.replace(raw, key="raw/v1/x"), "missing"),
        (msgspec.structs.replace(raw, offset=10**6), "missing"),
        (msgspec.structs.replace(raw, offset=raw.offset + 9), "unreadable"),
    ):
        with pytest.raises(ArchiveError, match=f"{place.key}.*{reason}"):
            kept(cloud).read(place)


# ---- leaving ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def stocked(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Three articles and their pages; one page of the first besides, left by a run that died before its commit."""
    cloud.stands_for_a_deployment(monkeypatch, SOURCES)
    with before(cloud.s3, "PutObject", die, nth=2), pytest.raises(KilledError):
        parse(cloud, Scripted(long_page), [message(0)], archive=True)
    parse(cloud, Scripted(long_page), [message(n) for n in range(3)], archive=True, now=NOW + 200)
    assert len(bundles(cloud)) == 2
    yield cloud


def versions(cloud: Cloud, prefix: str) -> list[bytes]:
    """All that is kept under a prefix, in whatever version."""
    found = cloud.s3.list_object_versions(Bucket=cloud.bucket, Prefix=prefix).get("Versions", [])
    return [
        cloud.s3.get_object(Bucket=cloud.bucket, Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
        for one in found
    ]


def urls_in(body: bytes) -> set[str]:
    return {one.rec_headers.get_header("WARC-Target-URI") for one in ArchiveIterator(io.BytesIO(body))} - {None}


@pytest.mark.parametrize("death", [None, die, done_then_die])
@pytest.mark.parametrize("nth", [1, 2])
def test_forgotten_pages_are_gone_and_the_others_where_they_were(
    stocked: Cloud, death: Callable[[Any], None] | None, nth: int
) -> None:
    if death:
        with before(stocked.s3, "PutObject", death, nth=nth), pytest.raises(KilledError):
            forget(message(0).id, "--yes")
    done = forget(message(0).id, "--yes", "--json")
    assert done.exit_code == 0, done.output
    if death is None:
        assert json.loads(done.output[done.output.index("{") :])["raw"] == 2
    left = sorted(sorted(urls_in(body)) for body in versions(stocked, "raw/"))
    assert left == [[], [message(1).url, message(2).url]]
    assert_whole(stocked, 2)


def test_a_source_leaves_with_all_its_pages(stocked: Cloud) -> None:
    assert forget("news", "--yes").exit_code == 0
    assert {url for body in versions(stocked, "raw/") for url in urls_in(body)} == set()


# ---- reading anew ----------------------------------------------------------------------------------------------------


@pytest.fixture
def misread(stocked: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Another article, stored by an extractor that took every title for its half, and overlooked the language."""
    today = apart.read

    def yesterday(task: apart.Task) -> Article:
        article = today(task)
        return msgspec.structs.replace(article, title=article.title[:5], language=None)

    with monkeypatch.context() as patch:
        patch.setattr(apart, "read", yesterday)
        parse(stocked, Scripted(long_page), [message(3)], archive=True, now=NOW + 400)
    parse(stocked, Scripted(long_page), [message(4)], now=NOW + 600)
    return stocked


def reparse(*words: str) -> Any:
    done = CliRunner().invoke(main, ["reparse", *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def record(cloud: Cloud, n: int) -> Record:
    found = articles(cloud).record(message(n).id)
    assert found
    return found


@pytest.mark.usefixtures("read_here")
def test_what_is_read_otherwise_today_is_shown_and_written_when_told_to(misread: Cloud) -> None:
    shown = reparse("--source", "news", "--since", "2026-03-04")
    assert shown["articles"] == {"same": 3, "changed": 1, "no-page": 1}
    assert shown["fields"] == {"title": 1, "language": 1, "content_hash": 1, "summary": 1}
    (change,) = [one for one in shown["changes"] if one["status"] == "changed"]
    assert change["id"] == message(3).id
    title = next(one for one in change["changes"] if one["field"] == "title")
    assert (title["before"], title["after"]) == ("Ferry", "Ferry report 3")
    assert record(misread, 3).revision == 1, "nothing is written unasked"

    assert reparse("--write")["articles"] == {"same": 3, "written": 1, "no-page": 1}
    now = record(misread, 3)
    assert (now.title, now.revision, now.reread) == ("Ferry report 3", 2, True)
    made = articles(misread).read(now.s3_key or "")
    (older,) = made.revisions
    assert (older.reread, "title" in older.changed) == (True, True)
    assert articles(misread).read(older.s3_key).title == "Ferry"
    assert made.raw

    assert reparse("--write")["articles"] == {"same": 4, "no-page": 1}, "done twice is as done once"
    assert record(misread, 3).revision == 2
    assert reparse("--source", "nobody")["articles"] == {}
    assert reparse("--since", "2026-03-05")["articles"] == {}


@pytest.mark.usefixtures("read_here")
@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize(
    ("service", "operation", "nth"), [("s3", "PutObject", 1), ("s3", "PutObject", 2), ("dynamodb", "UpdateItem", 1)]
)
def test_a_death_while_writing_is_made_up_for(
    misread: Cloud, service: str, operation: str, nth: int, death: Callable[[Any], None]
) -> None:
    with before(getattr(misread, service), operation, death, nth=nth), pytest.raises(KilledError):
        reparse("--write")
    reparse("--write")
    now = record(misread, 3)
    assert (now.title, now.revision, now.reread) == ("Ferry report 3", 2, True)
    assert len(articles(misread).read(now.s3_key or "").revisions) == 1


@pytest.mark.usefixtures("read_here")
def test_what_came_from_the_feed_for_its_pages_want_is_read_so_again(
    stocked: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    walls = [message(n, entry=entry(n)) for n in (5, 6)]
    parse(stocked, Scripted(walled("")), [walls[0]], archive=True, now=NOW + 400)
    with monkeypatch.context() as patch:  # as by the reader of a time when feeds' texts were no better than walls
        patch.setattr(feedtext, "instead", lambda *_, **__: None)
        parse(stocked, Scripted(walled("")), [walls[1]], archive=True, now=NOW + 600)
    assert [record(stocked, n).origin for n in (5, 6)] == ["feed", "page"]
    assert reparse("--write")["articles"] == {"same": 4, "written": 1}
    for n in (5, 6):
        now = articles(stocked).read(record(stocked, n).s3_key or "")
        assert (now.origin, now.origin_reason, now.text[:14]) == ("feed", "page-lacks-text", f"Ferry {n} sailed")


def test_people_see_the_difference(misread: Cloud) -> None:
    done = CliRunner().invoke(main, ["reparse"])  # by workers of its own, as it comes
    assert done.exit_code == 0, done.output
    for part in ("    - Ferry\n    + Ferry report 3\n", "1 changed, 1 no-page, 3 same", "--write makes these"):
        assert part in done.output
