"""The HTML mail as a browser shows it: nothing sticks out on a phone, loads, or hides in the dark."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from broadsheet.channels import Announcement, compose, render
from tests.browser import Browser, Page

PHONE = 320  # CSS pixels: the narrowest phone still about, and what WCAG 1.4.10 asks reflow for
PLAIN = Announcement(
    article_id="a" * 26,
    delivery_id="d" * 26,
    title="Ferry resumes after the storm",
    url="https://news.example/2026/ferry",
    summary="The harbour opened at dawn. Two boats sail today.",
    source_name="Harbour Gazette",
    published_at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
    language="en",
    image="https://news.example/ferry.jpg",
    authors=("Ida Berg",),
)
CASES = {
    "plain": PLAIN,
    "chinese": msgspec.structs.replace(
        PLAIN, title="风暴过后渡轮恢复通航，首班船清晨离港" * 3, summary="港口于黎明时分重新开放。" * 40, language="zh"
    ),
    "arabic": msgspec.structs.replace(
        PLAIN, title="عودة العبّارة بعد العاصفة", summary="فُتح الميناء عند الفجر. تبحر سفينتان اليوم.", language="ar"
    ),
    "long words": msgspec.structs.replace(
        PLAIN, title="Donaudampfschifffahrt" * 30, summary="x" * 3000, source_name="S" * 90, authors=("A" * 90,)
    ),
    "a long address": msgspec.structs.replace(PLAIN, title="", url="https://news.example/" + "p" * 1900),
    "hostile": msgspec.structs.replace(
        PLAIN,
        title="</h1><script>document.title='gone'</script><img src=http://127.0.0.1:9/x>",
        summary="<style>*{display:none}</style><iframe src='http://127.0.0.1:9/y'></iframe> & &lt;b&gt;",
        source_name="<svg onload=document.title='gone'>",
        language='"><script>1</script>',
    ),
    "little": Announcement(article_id="a", delivery_id="d", title="", url="https://news.example/"),
}


def mails() -> dict[str, dict[str, Any]]:
    made = {name: render("email", one).payload for name, one in CASES.items()}
    made["digest"] = render("email", compose(list(CASES.values()) * 4, delivery_id="d")).payload
    return made


MAILS = mails()


def shown(page: Page) -> str:
    return str(page.evaluate("document.body.innerText"))


@pytest.mark.parametrize("name", MAILS)
def test_a_phone_needs_no_scrolling_sideways(browser: Browser, name: str) -> None:
    with browser.page(PHONE, mobile=True) as page:
        page.show(MAILS[name]["html"])
        assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [PHONE, PHONE]
        outside = """[...document.querySelectorAll('body *')].filter(one => {
            const box = one.getBoundingClientRect(); return box.left < 0 || box.right > innerWidth; }).length"""
        assert page.evaluate(outside) == 0


@pytest.mark.parametrize("name", MAILS)
def test_nothing_is_loaded_or_run_and_every_word_is_shown(browser: Browser, name: str) -> None:
    with browser.page() as page:
        page.show(MAILS[name]["html"])
        assert [url for url in page.requests if not url.startswith("data:text/html")] == []
        assert page.errors == []
        assert page.evaluate("document.querySelectorAll('script, img, iframe, style, svg, link').length") == 0
        seen = "".join(shown(page).split())
        for line in MAILS[name]["text"].splitlines():
            if not line.strip().startswith("https://"):
                assert "".join(line.split()) in seen


@pytest.mark.parametrize("name", ["plain", "digest"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_page_in_light_and_dark(browser: Browser, name: str, scheme: str) -> None:
    with browser.page() as page:
        page.scheme(scheme)
        page.show(MAILS[name]["html"])
        # The mail sets no colours: what counts is that the browser may choose both, and chooses them to fit.
        canvas = page.evaluate(
            "(() => { const one = document.createElement('p'); one.style.color = 'Canvas';"
            " document.body.append(one); const found = getComputedStyle(one).color; one.remove(); return found; })()"
        )
        inks = page.evaluate("[...document.querySelectorAll('h1, h1 a, p')].map(one => getComputedStyle(one).color)")
        paper = brightness(canvas)
        assert (paper < 0.5) == (scheme == "dark")
        assert all(abs(brightness(ink) - paper) > 0.7 for ink in inks)


def test_a_right_to_left_language_reads_from_the_right(browser: Browser) -> None:
    with browser.page() as page:
        page.show(MAILS["arabic"]["html"])
        starts = """[...document.querySelectorAll('h1, h1 + p')].map(one => {
            const range = document.createRange(); range.selectNodeContents(one);
            return one.getBoundingClientRect().right - range.getBoundingClientRect().right; })"""
        assert all(abs(gap) < 2 for gap in page.evaluate(starts))


def test_a_line_is_never_too_long_to_read(browser: Browser) -> None:
    with browser.page(1600) as page:
        page.show(MAILS["chinese"]["html"])
        assert page.evaluate("document.querySelector('p').getBoundingClientRect().width") <= 600


def brightness(colour: str) -> float:
    """Between 0, black, and 1, white."""
    red, green, blue = (int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
