"""Which lines of a page are the body: what stands among and below them is left out, what only looks so is kept."""

import pytest

from broadsheet.extract import content, extract, titles

PROSE = "<p>The little ferry that carried commuters across the harbour will sail again, its owner said.</p>" * 4
TITLE = "Harbour ferry returns after a year"
OTHER = "<p>Nobody knows yet when the lighthouse keeper will come back to his rock, his sister said.</p>"


def text(body: str) -> str:
    page = f"<html lang=en><head><title>{TITLE}</title></head><body>{body}</body></html>"
    return extract(page.encode(), "https://quay.example/a").text


@pytest.mark.parametrize("name", ["article-body", "column"])
def test_the_next_article_to_read_is_not_part_of_this_one(name: str) -> None:
    following = "<p>Nobody knows yet when the lighthouse keeper will come back to his rock, his sister said.</p>" * 6
    first = f"<article><h1>{TITLE}</h1><div class={name}>{PROSE}</div></article>"
    found = text(f"{first}<article><h1>The lighthouse is dark</h1><div class={name}>{following}</div></article>")
    assert "little ferry" in found
    assert "lighthouse" not in found


def test_a_sentence_made_of_links_is_text_and_a_teaser_is_not() -> None:
    link = "<a href=/x>the harbour board which had held up the permit for most of a year</a>"
    sentence = f"<p>She has now received a letter from {link}.</p>"
    teaser = "<p><a href=/y>Lighthouse dark for the third night while its keeper is still away.</a></p>"
    found = text(f"<div>{PROSE}{sentence}{teaser}{PROSE}</div>")
    assert "a letter from the harbour board" in found
    assert "Lighthouse" not in found


def test_a_quotation_set_as_a_figure_is_text() -> None:
    quote = "<figure><blockquote>We never thought of selling her, not even in winter.</blockquote></figure>"
    assert "never thought of selling" in text(f"<div>{PROSE}{quote}{PROSE}</div>")


@pytest.mark.parametrize(
    "caption",
    [
        "<div class=lead-image><img src=/f.jpg><p>The ferry at her berth on a morning in spring.</p></div>",
        "<p>The ferry at her berth on a morning in spring, with a new coat (Image: Quay Pictures)</p>",
        "<p>Foto: Agency for pictures of the ferry at her berth</p>",
    ],
)
def test_what_a_picture_shows_is_a_caption_also_outside_a_figure(caption: str) -> None:
    assert "at her berth" not in text(f"<div>{PROSE}{caption}{PROSE}</div>")


def test_a_gallery_is_all_captions_and_keeps_them() -> None:
    told = "<p>Pier {} will be served again by the little ferry from Monday on, its owner said.</p>"
    pictures = "".join(f"<div class=image><img src=/{n}.jpg>{told.format(n)}</div>" for n in range(9))
    assert "Pier 5" in text(f"<div><h1>{TITLE}</h1>{pictures}</div>")


def test_a_box_of_facts_is_not_the_story() -> None:
    facts = "<li>She was built in the yard at the northern pier by three brothers.</li>" * 3
    box = f"<div><div><h3>Facts about the ferry</h3><ul>{facts}</ul></div></div>"
    assert "three brothers" not in text(f"<div>{PROSE}{box}{PROSE * 2}</div>")


def test_a_question_about_consent_is_not_the_story() -> None:
    asked = "<p>Ich bin damit einverstanden, dass mir Inhalte von einem Videodienst angezeigt werden.</p>"
    assert "Videodienst" not in text(f"<div>{PROSE}{asked}{PROSE}</div>")


@pytest.mark.parametrize("notice", ['<div id="onetrust-consent-sdk">{}</div>', "<div class=cookieNotice>{}</div>"])
@pytest.mark.parametrize("times", [30, 120])
def test_a_notice_on_cookies_longer_than_the_story_is_not_the_story(notice: str, times: int) -> None:
    terms = "<p>These cookies allow us and our partners to store information on your device, such as its name.</p>"
    found = text(f"<nav>{terms}</nav><div><h1>{TITLE}</h1>{PROSE}</div>" + notice.format(terms * times))
    assert "little ferry" in found
    assert "cookies" not in found


def test_a_chinese_story_is_shorter_than_the_notice_beside_it() -> None:
    story = "<p>渡轮公司周三表示，停航一年的港口航线将在下周一恢复，首班船清晨六点开出，票价不变。</p>" * 4
    terms = "<p>我们和合作伙伴使用这些技术在您的设备上存储和读取信息，以便提供更好的服务和内容。</p>" * 12
    found = text(f"<div><h1>{TITLE}</h1>{story}</div><div class=cookie-consent>{terms}</div>")
    assert "渡轮公司" in found
    assert "合作伙伴" not in found


def test_a_box_named_for_cookies_that_holds_the_headline_is_the_recipe() -> None:
    recipe = "<p>Stir the butter with the sugar until it is pale, and put the flour in by the spoon, slowly.</p>" * 9
    found = text(f"<div class='post category-cookies'><h1>{TITLE}</h1>{recipe}</div><div>{PROSE}</div>")
    assert "the butter" in found


@pytest.mark.parametrize("tag", ["footer", "aside"])
def test_what_stands_beside_a_short_story_may_be_longer_than_it(tag: str) -> None:
    rights = "<p>Our office is open on weekdays, and whoever has a question about the ship may write there.</p>" * 6
    found = text(f"<div><h1>{TITLE}</h1>{PROSE}</div><{tag}>{rights}</{tag}>")
    assert "little ferry" in found
    assert "Our office" not in found
    assert "Our office" in text(f"<div><h1>{TITLE}</h1></div><{tag}>{rights}</{tag}>")


def test_a_paragraph_with_a_bodys_name_is_not_all_of_the_body() -> None:
    found = text(
        f"<div><p id=zoom>{'The little ferry will sail again on Monday, its owner said. ' * 5}</p>{PROSE}</div>"
    )
    assert "carried commuters" in found


@pytest.mark.parametrize(
    "stamp", ["<time>19:48</time><b>Ada Brook</b>", "<time>21 mins ago</time><b>11:48 Ada Brook</b>"]
)
def test_when_an_entry_of_a_live_ticker_was_written_is_not_its_text(stamp: str) -> None:
    found = text(f"<article><h1>{TITLE}</h1>{PROSE}<p>{stamp}</p>{PROSE}<p>12:30 the boat sails</p>{PROSE}</article>")
    assert "Ada Brook" not in found
    assert "12:30 the boat sails" in found


@pytest.mark.parametrize(
    "line",
    [
        "7:30pm, Town Hall. Tickets cost five pounds.",
        "20:15Uhr: Die Fähre legt am Nordufer an.",
        "19:30PM Doors open",
        "5 hours ago the ship left the port, its captain says.",
        "10 minutes agonising over the choice of a name",
        "3:16Denn so hat der Fährmann gesprochen",
        "14:30抵达香港，晚上入住酒店。",
    ],
)
def test_a_line_that_begins_with_an_hour_is_text(line: str) -> None:
    assert line in text(f"<article><h1>{TITLE}</h1>{PROSE}<p>{line}</p>{PROSE}</article>")


def test_a_paragraph_with_a_bodys_name_that_is_most_of_the_page_is_the_body() -> None:
    whole = "<br><br>".join(["The little ferry that carried commuters across the harbour will sail again."] * 9)
    found = text(f"<div><h1>{TITLE}</h1><p class=article-body>{whole}</p></div><div>{OTHER * 5}</div>")
    assert "lighthouse" not in found


def test_an_hour_in_a_table_or_heading_is_no_stamp() -> None:
    table = "<table><tr><td>19:30Opening</td><td>Town Hall, by the harbour</td></tr></table>"
    found = text(f"<article><h1>{TITLE}</h1>{PROSE}<h2>19:30Doors</h2>{PROSE}{table}{PROSE}</article>")
    assert "19:30Doors" in found
    assert "19:30Opening" in found


@pytest.mark.parametrize("heading", ["<span class=kicker>Transport</span> {}", "{} <small>4 March</small>"])
def test_the_headline_is_known_in_the_page_with_what_stands_beside_it(heading: str) -> None:
    first = f"<article><h1>{heading.format(TITLE)}</h1>{PROSE}</article>"
    found = text(f"{first}<article><h2>The lighthouse is dark</h2>{OTHER * 8}</article>")
    assert "little ferry" in found
    assert "lighthouse" not in found


@pytest.mark.parametrize(
    "page",
    [
        "<h1>{title}</h1><div class='post tag-gdpr'><div class=entry-content>{story}</div></div><div>{other}</div>",
        "<h1>{title}</h1><aside><article>{story}</article></aside><div>{other}</div>",
        "<h1>{title}</h1><form><div itemprop=articleBody>{story}</div></form><div>{other}</div>",
        "<aside><h1>{title}</h1><div>{story}</div></aside><div>{other}</div>",
        "<article><h1>{title}</h1><section id=what-cookies-do>{story}</section><section>{other}</section></article>",
        "<div class=entry-content><h1>{title}</h1>{other}<form>{story}</form></div>",
    ],
)
def test_a_box_that_holds_headline_or_body_does_not_stand_apart(page: str) -> None:
    assert "little ferry" in text(page.format(title=TITLE, story=PROSE * 2, other=OTHER * 6))


@pytest.mark.parametrize(
    "page",
    [
        "<article><aside>{other}</aside><h1>{title}</h1>{story}</article>",
        "<h1>{title}</h1><div class=entry-content><nav>{other}</nav>{story}</div>",
        "<div><h1>{title}</h1>{story}</div><aside>{teasers}</aside>",
        "<div><h1>{title}</h1>{story}</div><footer>{teasers}</footer>",
        "<div><h1>{title}</h1>{story}</div><div class=cookie-notice><div class=rich-text>{other}</div></div>",
    ],
)
def test_what_lies_in_an_articles_box_or_holds_other_articles_stands_apart_all_the_same(page: str) -> None:
    teasers = "".join(f"<article><h3>Lighthouse {n}</h3>{OTHER}</article>" for n in range(9))
    found = text(page.format(title=TITLE, story=PROSE * 2, other=OTHER * 9, teasers=teasers))
    assert "little ferry" in found
    assert "lighthouse" not in found


@pytest.mark.parametrize(("mark", "kept"), [("id", True), ("class", False)])
def test_a_subheads_id_is_its_text_and_no_name(mark: str, kept: bool) -> None:
    found = text(f"<article><h1>{TITLE}</h1>{PROSE}<h2 {mark}=share-the-news>Share the news</h2>{PROSE}</article>")
    assert ("Share the news" in found) is kept


@pytest.mark.parametrize("registered", ["ICP备", "icp备"])
def test_a_disclaimer_is_told_in_either_case(registered: str) -> None:
    line = f"沪{registered}10012345号，渡轮公司保留在本页面上发表的全部内容的权利，谢谢您的理解和支持。"
    assert "10012345" not in text(f"<article><h1>{TITLE}</h1>{PROSE}<p>{line}</p>{PROSE}</article>")


def test_a_post_of_one_line_is_told_by_its_boxs_name_from_the_pages_terms() -> None:
    menu = "".join(f"<li><a href=/{n}>Ferries and boats, part {n}</a></li>" for n in range(60))
    terms = "<div><p>Whoever books a passage may return the ticket within a day of having bought it.</p></div>"
    found = text(f"<ul>{menu}</ul><h1>{TITLE}</h1><div class=post-content><p>See you on Monday</p></div>{terms}")
    assert found == "See you on Monday"


def test_a_named_box_of_links_alone_does_not_hide_what_prose_there_is() -> None:
    shown = "".join(f"<a href=/{n}>Ferries and boats, part {n}</a><br>" for n in range(60))
    assert "little ferry" in text(f"<div class=entry-content>{shown}</div><div>{PROSE[:103]}</div>")


def test_articles_within_one_another_cost_no_more_than_their_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    monkeypatch.setattr(content, "folded", lambda title: compared.append(title) or titles.folded(title))  # type: ignore[func-returns-value]
    headings = "".join(f"<h2>Pier {n}</h2>" for n in range(100))
    assert "little ferry" in text("<article>" * 50 + PROSE + headings)
    assert len(compared) < 500
