"""The seed's format: what is accepted survives byte for byte, what is malformed is refused with its reason."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadsheet.article import Article, Image
from broadsheet.mirror import MirrorError, from_article, read, to_article, write

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "seed"

ADDRESS = "https://www.example.org/cn/%E5%9C%B0%E6%96%B9/20261103-%E6%B8%A1%E8%BD%AE"
SHARE = (
    "<div><div>分享 :</div><div>"
    '<a href="https://www.facebook.com/dialog/share?app_id=1&amp;href=https%3A%2F%2Fexample.org"><span></span></a>'
    '<a href="whatsapp://send?text=x"><span></span></a>'
    '<a href="https://twitter.com/intent/tweet?url=x"><span></span></a>'
    "<span data-root-share><share-button v-on:open></share-button><share-modal v-if></share-modal></span></div></div>"
)
BODY = (
    '<div>03/11/2026 - 08:05</div><img src="https://img.example.org/w:1280/ferry.jpg">'
    "<p><strong>青禾湖上的末班渡轮本周起延后一小时，晚归的居民不必再绕行北岸的山路。   </strong></p><div>"
    "<p><span><span>渡轮公司说，新的班次先试行三个月，届时再决定是否写进固定的时刻表。</span></span></p>"
    "<p><span><span>船长梁伯在码头上告诉记者，</span></span><span><span>“灯亮着，就有人愿意等。”</span></span></p>"
    "<p>湖边的面馆也把打烊的时间推迟到十一点，好让下船的人还能喝上一碗热汤。</p>"
    f"<div data-selfpromo-newsletter></div><div data-selfpromo-app></div></div>{SHARE}"
)


def file(
    body: str = BODY, *, title: str = "末班渡轮延后一小时", url: str = ADDRESS, epoch: str = "1793689501250"
) -> bytes:
    return f"<!--{epoch}-->\n[{title}]({url})\n------\n\n{body}\n".encode()


def test_the_head_is_read() -> None:
    document = read(file())
    assert document.timestamp == datetime(2026, 11, 3, 7, 5, 1, 250_000, tzinfo=UTC)
    assert document.title == "末班渡轮延后一小时"
    assert document.url == ADDRESS
    assert document.html == BODY + "\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(file(), id="as the mirror writes it"),
        pytest.param(file().replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + file(), id="byte order mark"),
        pytest.param(file().replace(b"<!--", b" <!-- ").replace(b"-->", b" -->\n"), id="spaces"),
        pytest.param(file().replace(b"------\n\n", b"---  \n"), id="short rule, no blank line"),
        pytest.param(file("\n\n  <p>正文</p>\n\n\n"), id="white space around the body"),
        pytest.param(file(epoch="-62000"), id="before 1970"),
        pytest.param(file(epoch="0"), id="1970"),
    ],
)
def test_an_unedited_document_survives(data: bytes) -> None:
    assert write(read(data)) == data


@pytest.mark.parametrize(
    "title", ["[图集] 渡口[续]", "见](https://example.org/b)一文", "书名](与括号)", "a ](b", "(括号)", "]["]
)
@pytest.mark.parametrize("url", [ADDRESS, "https://example.org/wiki/Lake_(China)", "http://example.org/a[1](2)"])
def test_brackets_and_parentheses(title: str, url: str) -> None:
    data = file(title=title, url=url)
    document = read(data)
    assert (document.title, document.url) == (title, url)
    assert write(document) == data


def test_an_edit_changes_nothing_else() -> None:
    data = file().replace(b"\n", b"\r\n")
    edited = write(msgspec.structs.replace(read(data), title="另一个标题"))
    assert edited == data.replace("末班渡轮延后一小时".encode(), "另一个标题".encode())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no-comment"),
        (b"\n\n", "no-comment"),
        (file()[4:], "no-comment"),
        (file().replace(b"-->", b""), "no-comment"),
        (file(epoch=""), "bad-epoch"),
        (file(epoch="yesterday"), "bad-epoch"),
        (file(epoch="1793689501.25"), "bad-epoch"),
        (file(epoch="0042"), "bad-epoch"),
        (file(epoch="٣٤٥"), "bad-epoch"),
        (file(epoch="9" * 16), "bad-epoch"),
        (file(epoch="9" * 60), "bad-epoch"),
        (file().replace(b"[", b""), "no-link"),
        (file(url="ftp://example.org/a"), "no-link"),
        (file(url="/a"), "no-link"),
        (file(title="两\n行"), "no-link"),
        (file().split(b"\n")[0], "no-link"),
        (f"<!--1-->\n[a]({ADDRESS})".encode(), "no-link"),
        (f"<!--1-->\n[a]({ADDRESS}) b\n------\n\n<p>c</p>".encode(), "no-link"),
        (file(title=" "), "no-title"),
        (file().replace(b"------\n", b""), "no-rule"),
        (file().replace(b"------", b"--"), "no-rule"),
        (f"<!--1-->\n[a]({ADDRESS})\n".encode(), "no-rule"),
        (file(""), "empty-body"),
        (file(" \r\n\t"), "empty-body"),
        (f"<!--1-->\n[a]({ADDRESS})\n------".encode(), "empty-body"),
        (file().decode().encode("gb18030"), "not-utf-8"),
        (file()[:-4] + b"\xe9", "not-utf-8"),
    ],
)
def test_malformed_documents_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MirrorError) as refused:
        read(data, name="seed/007.txt")
    assert (refused.value.subject, refused.value.reason) == ("seed/007.txt", reason)
    assert "seed/007.txt" in str(refused.value)


def test_what_could_not_be_read_back_is_not_written() -> None:
    document = read(file())
    for change in (
        {"title": "两\n行"},
        {"title": ""},
        {"title": "\udc80"},
        {"url": "ftp://example.org/a"},
        {"url": "https://example.org/](https://example.org/b"},
        {"html": " "},
        {"timestamp": document.timestamp + timedelta(microseconds=1)},
    ):
        with pytest.raises(MirrorError, match="unwritable"):
            write(msgspec.structs.replace(document, **change))


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda s: file(s, title=s[:9])))
def test_any_bytes_are_refused_or_survive(data: bytes) -> None:
    try:
        document = read(data)
    except MirrorError:
        return
    assert write(document) == data


def test_the_article_in_a_document() -> None:
    article = to_article(read(file()))
    assert article.url == ADDRESS
    assert article.title == "末班渡轮延后一小时"
    assert article.published_at == datetime(2026, 11, 3, 7, 5, tzinfo=UTC)  # 08:05 in Paris
    assert [image.url for image in article.images] == ["https://img.example.org/w:1280/ferry.jpg"]
    assert article.standfirst == "青禾湖上的末班渡轮本周起延后一小时，晚归的居民不必再绕行北岸的山路。"
    body = [b.text for b in article.blocks if b.kind == "paragraph" and b.text != article.standfirst]
    assert [text[:6] for text in body] == ["渡轮公司说，", "船长梁伯在码", "湖边的面馆也"]
    assert body[1].endswith("告诉记者，“灯亮着，就有人愿意等。”")
    assert "分享" not in article.text
    assert "03/11/2026" not in article.text
    assert not article.links
    assert article.language == "zh"
    assert {witness.kind for witness in article.provenance.values()} == {"seed"}
    assert {"title", "published_at", "images", "standfirst", "text", "blocks", "html"} <= set(article.provenance)


@pytest.mark.parametrize(
    ("line", "zone", "expected"),
    [
        ("<div>19/07/2026 - 15:17</div>", "Europe/Paris", "2026-07-19T13:17+00:00"),
        ("<p><span>发表时间： 19/07/2026 - 15:17</span></p>", "Europe/Paris", "2026-07-19T13:17+00:00"),
        ("<div>19/07/2026 - 15:17</div>", "Asia/Shanghai", "2026-07-19T07:17+00:00"),
        ("<div>31/02/2026 - 15:17</div>", "Europe/Paris", "2026-11-03T07:05:01.250+00:00"),
        ("<div>01/01/0001 - 00:00</div>", "Europe/Paris", "2026-11-03T07:05:01.250+00:00"),
        ("", "Europe/Paris", "2026-11-03T07:05:01.250+00:00"),
    ],
)
def test_the_date_line_is_local_time_or_else_the_comment_counts(line: str, zone: str, expected: str) -> None:
    article = to_article(read(file(BODY.replace("<div>03/11/2026 - 08:05</div>", line))), zone)
    assert article.published_at == datetime.fromisoformat(expected)


def test_a_mention_of_a_share_site_is_no_share_block() -> None:
    sentence = (
        '<p>镇上的主页是 <a href="https://www.facebook.com/qinghe">脸书上的青禾</a>，更新很勤，读者不少。</p></div>'
    )
    article = to_article(read(file(BODY.replace("</div>", sentence, 1))))
    assert "脸书上的青禾" in article.text


def test_an_article_goes_there_and_back() -> None:
    original = to_article(read(file()))
    moment = datetime(2026, 11, 3, 15, 5, 1, 250_999, tzinfo=timezone(timedelta(hours=8)))
    document = read(write(from_article(original, moment)))
    again = to_article(document)
    assert document.timestamp == datetime(2026, 11, 3, 7, 5, 1, 250_000, tzinfo=UTC)
    for name in ("url", "title", "published_at", "standfirst", "text"):
        assert getattr(again, name) == getattr(original, name), name
    assert [image.url for image in again.images] == [image.url for image in original.images]


def test_an_article_from_a_page_is_mirrored_with_its_lead_and_picture() -> None:
    article = Article(
        url="https://example.org/a",
        title="A title\nin two lines",
        standfirst="Bread & butter, both sides.",
        published_at=datetime(2026, 11, 3, 7, 5, tzinfo=UTC),
        images=(Image(url="https://example.org/i.png?a=1&b=2"),),
        html="<p>The baker has been up since two.</p>",
        text="The baker has been up since two.",
    )
    document = from_article(article, datetime(2026, 11, 3, tzinfo=UTC))
    assert document.title == "A title in two lines"
    assert document.html == (
        '<div>03/11/2026 - 08:05</div><img src="https://example.org/i.png?a=1&amp;b=2">'
        "<p><strong>Bread &amp; butter, both sides.</strong></p><div><p>The baker has been up since two.</p></div>\n"
    )
    assert read(write(document)) == document


def corpus() -> list[Path]:
    return sorted(CORPUS.glob("*.txt"))


@pytest.mark.skipif(not corpus(), reason="the corpus of seed documents is not beside the checkout")
@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_the_seed(path: Path) -> None:
    data = path.read_bytes()
    document = read(data, name=path.name)
    assert write(document) == data
    article = to_article(document)
    assert article.title == document.title
    assert article.published_at == datetime(2023, 6, 19, 13, 17, tzinfo=UTC)
    assert len(article.images) == 1
    assert article.standfirst
    paragraphs = [b.text for b in article.blocks if b.kind == "paragraph" and b.text != article.standfirst]
    assert len(paragraphs) == 12
    assert [b.kind for b in article.blocks if b.kind not in ("paragraph", "image")] == []
    assert not article.links
    assert "分享" not in article.text
    assert "15:17" not in article.text
