"""From kept lines to what consumers read: blocks, plain text, sanitised HTML, images and links."""

import re
from collections.abc import Callable
from functools import cache
from html import escape
from itertools import groupby
from urllib.parse import urljoin

import msgspec
from lxml import etree

from broadsheet.article import Block, Image
from broadsheet.extract.lines import Box, Line
from broadsheet.extract.tree import Element, text_of

# What may stand inside a block; the blocks' own tags are written here, never copied.
_INLINE_TAGS = {"a", "strong", "b", "em", "i", "u", "s", "sub", "sup", "mark", "q", "cite", "code", "br"}
# The sanitiser's time grows with the square of a text's entities; no paragraph is that long.
_LONGEST_MARKUP = 50_000
_LAZY_SOURCES = ("data-src", "data-original", "data-lazy-src", "data-url", "src", "data-srcset", "srcset")
_NOT_PICTURES = re.compile(
    r"avatar|gravatar|logo|icon|spacer|pixel|blank\.|emoji|1x1|placeholder|badge|\.svg(?:\?|$)", re.IGNORECASE
)
# Most links are, and joining one takes ten times as long as seeing that.
_ABSOLUTE = re.compile(r"https?://[\w.-]+/(?!.*/\.)[^\[\]]*+")
_SMALLEST_PICTURE = 100
# For each, those before it are looked through.
_MOST_PICTURES = 500
_CREDIT = re.compile(r"credit|copyright|photographer|source|quelle|fotograf", re.IGNORECASE)
_CREDIT_TEXT = re.compile(
    r"\s*(?:\(?(?:photo(?:graph)?|image|credit|picture|foto|bild|quelle|图片来源|圖片來源|图源|摄影|"
    r"攝影)s?\s*(?:credit|by)?\s*[:：/]\s*(.{2,80}?)\)?|©\s*(.{2,80}))\s*$",
    re.IGNORECASE,
)
# A table whose cells are longer holds the page's layout, not data.
_LONGEST_CELL = 300


class Body(msgspec.Struct, frozen=True):
    """An article's body in all its forms."""

    blocks: tuple[Block, ...]
    text: str
    html: str
    images: tuple[Image, ...]
    links: tuple[str, ...]


def build(lines: list[Line], url: str) -> Body:
    """The body from its lines in order; `url` is what relative addresses are relative to."""
    blocks: list[Block] = []
    markup: list[str] = []
    images: list[Image] = []
    links: dict[str, None] = {}
    told = cache(_told)  # a figure of hundreds of pictures has one caption: looked for once, it costs its size
    pictures = {id(line) for line in [line for line in lines if line.kind == "image"][:_MOST_PICTURES]}
    lines = [line for line in lines if line.kind != "image" or id(line) in pictures]
    for line in lines:
        if line.element is None and line.whole:
            _absolute(line.box.element, url, links)
    for _, run in groupby(lines, key=_grouping):
        group = list(run)
        first = group[0]
        if first.kind == "list":
            blocks.append(Block(kind="list", ordered=_ordered(first.box), items=tuple(line.text for line in group)))
            tag = "ol" if blocks[-1].ordered else "ul"
            markup.append(f"<{tag}>" + "".join(f"<li>{_inner(line)}</li>" for line in group) + f"</{tag}>")
        elif first.kind == "cell" and (rows := _rows(group)):
            blocks.append(Block(kind="table", rows=rows))
            cells = ("".join(f"<td>{escape(cell, quote=False)}</td>" for cell in row) for row in rows)
            markup.append("<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>")
        else:
            for line in group:
                if line.kind == "image":
                    _picture(_image(line, url, told), blocks, markup, images)
                else:
                    _single(line, url, blocks, markup)
    return Body(tuple(blocks), plain(blocks), "\n".join(markup), tuple(images), tuple(links))


def plain(blocks: list[Block]) -> str:
    """Blocks as text: parted by a blank line, a list's items and a table's rows by a line break, its cells by ` | `."""
    texts = []
    for block in blocks:
        if block.kind == "list":
            texts.append("\n".join(block.items))
        elif block.kind == "table":
            texts.append("\n".join(" | ".join(row) for row in block.rows))
        elif block.kind not in ("image", "embed"):
            texts.append(block.text)
    return "\n\n".join(texts)


def sanitise(markup: str) -> str:
    """Markup reduced to text, links and emphasis: nothing in it runs, loads a style or opens a frame."""
    # Imported here so that importing extraction for its records alone stays cheap.
    import nh3  # noqa: PLC0415

    return nh3.clean(
        markup,
        tags=_INLINE_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def _grouping(line: Line) -> tuple[str, int]:
    if line.kind == "list":
        return "list", id(_ancestor(line.box, ("ul", "ol", "dl")))
    if line.kind == "cell":
        return "cell", id(_ancestor(line.box, ("table",)))
    return "single", 0


def _ancestor(box: Box | None, tags: tuple[str, ...]) -> Box | None:
    while box is not None and box.tag not in tags:
        box = box.parent
    return box


def _ordered(box: Box) -> bool:
    found = _ancestor(box, ("ul", "ol", "dl"))
    return found is not None and found.tag == "ol"


def _rows(lines: list[Line]) -> tuple[tuple[str, ...], ...]:
    """The table's rows, or nothing if it only lays out text."""
    if max(len(line.text) for line in lines) > _LONGEST_CELL:
        return ()
    rows: list[tuple[str, ...]] = []
    for _, row in groupby(lines, key=lambda line: id(_ancestor(line.box, ("tr",)))):
        rows.append(
            tuple(
                " ".join(line.text for line in cell)
                for _, cell in groupby(row, key=lambda line: id(_ancestor(line.box, ("td", "th"))))
            )
        )
    return tuple(rows) if max(map(len, rows)) > 1 else ()


def _picture(image: Image | None, blocks: list[Block], markup: list[str], images: list[Image]) -> None:
    if image is not None and image.url not in {known.url for known in images}:
        images.append(image)
        blocks.append(Block(kind="image", url=image.url, text=image.caption or ""))
        caption = f"<figcaption>{escape(image.caption, quote=False)}</figcaption>" if image.caption else ""
        markup.append(f'<figure><img src="{escape(image.url)}" alt="{escape(image.alt or "")}">{caption}</figure>')


def _single(line: Line, url: str, blocks: list[Block], markup: list[str]) -> None:
    if line.kind == "embed" and line.element is not None:
        source = _embedded(line.element, url)
        if source:
            blocks.append(Block(kind="embed", url=source))
            markup.append(f'<p><a href="{escape(source)}">{escape(source)}</a></p>')
    elif line.kind == "heading":
        level = max(2, min(6, int(line.box.tag[1]) if line.box.tag[0] == "h" and line.box.tag[1:].isdigit() else 2))
        blocks.append(Block(kind="heading", text=line.text, level=level))
        markup.append(f"<h{level}>{_inner(line)}</h{level}>")
    elif line.kind == "quote":
        blocks.append(Block(kind="quote", text=line.text))
        markup.append(f"<blockquote><p>{_inner(line)}</p></blockquote>")
    elif line.kind == "code":
        blocks.append(Block(kind="code", text=line.text))
        markup.append(f"<pre>{_inner(line)}</pre>")
    else:
        blocks.append(Block(kind="paragraph", text=line.text))
        markup.append(f"<p>{_inner(line)}</p>")


def _embedded(element: Element, url: str) -> str:
    """The address of what an element embeds: a frame's source, or of a social network's post the link at its end."""
    names = ("src", "data-src", "data-instgrm-permalink", "data-href", "cite")
    found = next((value for name in names if (value := element.get(name))), None)
    if found is None:
        found = next((href for link in reversed(list(element.iter("a"))) if (href := link.get("href"))), "")
    address = _resolved(found.strip(), url)
    return address if address.startswith(("http://", "https://")) else ""


def _inner(line: Line) -> str:
    """A line's markup: its box's, sanitised, if it fills it, else its text."""
    element = line.box.element
    if not line.whole or not len(element) or len(line.text) > _LONGEST_MARKUP:
        return escape(line.text, quote=False)
    children = "".join(etree.tostring(child, encoding="unicode", method="html") for child in element)
    if len(children) > 4 * _LONGEST_MARKUP:
        return escape(line.text, quote=False)
    return " ".join(sanitise(escape(element.text or "", quote=False) + children).split())


def _absolute(element: Element, url: str, links: dict[str, None]) -> None:
    for anchor in element.iter("a"):
        # Browsers drop white space within an address before they look at its scheme.
        href = "".join((anchor.get("href") or "").split())
        target = _resolved(href, url)
        if target.startswith(("http://", "https://", "mailto:")):
            anchor.set("href", target)
            if not target.startswith("mailto:"):
                links[target] = None
        else:
            anchor.attrib.pop("href", "")


def _resolved(address: str, url: str) -> str:
    """An address made absolute; empty if it is none."""
    if _ABSOLUTE.fullmatch(address):
        return address
    try:
        return urljoin(url, address) if address else ""
    except ValueError:
        return ""


def _image(line: Line, url: str, told: "_Told") -> Image | None:
    """The picture an `img` shows, with its figure's caption and credit; None for icons, pixels and placeholders."""
    element = line.element
    if element is None:
        return None
    width, height = _pixels(element.get("width")), _pixels(element.get("height"))
    if (width and width < _SMALLEST_PICTURE) or (height and height < _SMALLEST_PICTURE):
        return None
    source = next(
        (s for name in _LAZY_SOURCES if (s := (element.get(name) or "").strip()) and not s.startswith("data:")), ""
    )
    source = source.split()[0].rstrip(",") if source else ""
    address = _resolved(source, url)
    if not address.startswith("http") or _NOT_PICTURES.search(address):
        return None
    figure = _ancestor(line.box, ("figure",))
    caption, credit = told(figure) if figure else (None, None)
    return Image(
        url=address,
        caption=caption,
        credit=credit,
        alt=" ".join((element.get("alt") or "").split()) or None,
        width=width,
        height=height,
    )


_Told = Callable[[Box], tuple[str | None, str | None]]


def _told(figure: Box) -> tuple[str | None, str | None]:
    """What a figure says of its pictures: the caption and the credit."""
    caption = next(figure.element.iter("figcaption"), None)
    credit = next(
        (
            text_of(found)
            for found in figure.element.iter("span", "small", "cite", "p", "div")
            if _CREDIT.search(found.get("class") or "")
        ),
        None,
    )
    text = "" if caption is None else text_of(caption)
    if credit:
        text = text.replace(credit, "").strip()
    elif match := _CREDIT_TEXT.search(text):
        credit = match[1] or match[2]
        text = text[: match.start()].strip()
    return text[:1000] or None, credit[:200] if credit else None


def _pixels(value: str | None) -> int | None:
    digits = (value or "").strip().removesuffix("px")
    return int(digits) if digits.isdecimal() and len(digits) < 6 else None
