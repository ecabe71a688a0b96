"""A feed entry's HTML or a seed document's body becomes blocks, without what its publisher hung onto it."""

import pytest

from broadsheet.extract import ExtractionError, from_fragment

NESTED = "<span>" * 6
DENSE = "</span>" * 6
SEED_SHAPE = (
    "<div>05/02/2024 - 09:41</div>"
    '<img src="https://media.example/w:1280/bridge.jpg">'
    "<p><strong>市政府周一宣布，跨海大桥将于三月重新开放，工程比原计划晚了近两个月。        </strong></p>"
    "<div>"
    + "".join(f"<p>{NESTED}第{n}段：工程师表示，桥墩的检查已经完成，车辆可以分批通行。{DENSE}</p>" for n in range(1, 4))
    + f"<p>{NESTED}最后，市长感谢市民的耐心，{DENSE}{NESTED}并承诺公布全部账目。{DENSE}</p>"
    "<div data-selfpromo-newsletter>订阅我们的通讯</div><div data-selfpromo-app></div></div>"
    "<div><div>分享 :</div><div>"
    '<a href="https://www.facebook.com/dialog/share?app_id=1"><span></span></a>'
    '<a href="whatsapp://send?text=x"><span></span></a>'
    "<span data-root-share><share-button></share-button></span></div></div>"
)


def test_a_seed_shaped_body_gives_lead_image_and_its_paragraphs_alone() -> None:
    article = from_fragment(SEED_SHAPE, "https://news.example/cn/bridge")
    assert article.standfirst == "市政府周一宣布，跨海大桥将于三月重新开放，工程比原计划晚了近两个月。"
    assert article.images[0].url == "https://media.example/w:1280/bridge.jpg"
    assert [block.kind for block in article.blocks] == ["image"] + ["paragraph"] * 4
    assert article.blocks[-1].text == "最后，市长感谢市民的耐心，并承诺公布全部账目。"
    assert "分享" not in article.text
    assert "订阅" not in article.text
    assert "span" not in article.html
    assert (article.language, article.length_unit) == ("zh", "characters")
    assert article.title == ""


def test_a_fragment_keeps_links_and_loses_what_could_run() -> None:
    article = from_fragment(
        '<p onclick="x()">See <a href="/more" onmouseover="x()">the <b>report</b></a>.<script>x()</script></p>'
        '<p><a href="javascript:x()">odd</a> words follow</p><iframe src="//video.example/1"></iframe>',
        "https://news.example/a/b",
    )
    assert article.html.splitlines()[0] == '<p>See <a href="https://news.example/more">the <b>report</b></a>.</p>'
    assert "script" not in article.html
    assert article.links == ("https://news.example/more",)
    assert article.blocks[-1].kind == "embed"


def test_plain_text_is_one_paragraph() -> None:
    article = from_fragment("Just a sentence.", "https://news.example/a")
    assert [block.text for block in article.blocks] == ["Just a sentence."]


@pytest.mark.parametrize("empty", ["", "  ", "<div></div>", "<script>x()</script>"])
def test_an_empty_fragment_is_an_error(empty: str) -> None:
    with pytest.raises(ExtractionError, match=r"news\.example"):
        from_fragment(empty, "https://news.example/a")
