"""The pages of each publication: four templates as unlike as real publishers' are, with the noise around the story."""

import json
from collections.abc import Callable, Iterable
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from local.site.publication import Publication, Shape, Story, body_html

TEMPLATES = Path(__file__).parent / "templates"

# The Anzeiger says iso-8859-1 and means windows-1252, as everyone does; the daily's encoding stands in the page alone.
CODEC: dict[Shape, str] = {"radio": "utf-8", "courier": "utf-8", "anzeiger": "cp1252", "daily": "big5"}
CONTENT_TYPE: dict[Shape, str] = {
    "radio": "text/html; charset=utf-8",
    "courier": "text/html; charset=UTF-8",
    "anzeiger": "text/html; charset=iso-8859-1",
    "daily": "text/html",
}


def page(publication: Publication, story: Story, base: str) -> bytes:
    """The bytes of a story's page in its publication's encoding; `base` is its scheme and host."""
    shape = publication.shape
    blocks = body_html(story).split("\n")
    values = {
        "title": escape(story.title),
        "lead": escape(story.lead),
        "url": base + publication.path(story),
        "name": publication.name,
        "about": publication.about,
        "feed": base + publication.feed_path,
        "section": story.section,
        "tags": escape(",".join(story.tags)),
        "picture": base + story.picture_path,
        "picture_path": story.picture_path,
        "caption": escape(story.image.caption),
        "credit": escape(story.image.credit),
        "published": story.published.isoformat(),
        "json_ld": _json_ld(publication, story, base),
        "opening": "\n".join(blocks[:2]),
        "rest": "\n".join(blocks[2:]),
        "others": _others(publication, story, base),
        "modified_line": "",
        "tag_links": "",
        **_OWN[shape](publication, story),
    }
    return _template(shape).substitute(values).encode(CODEC[shape])


def front(publication: Publication, base: str) -> bytes:
    """The publication's front page: its stories, newest first."""
    codec = CODEC[publication.shape]
    stories = "\n".join(
        f'<li><h2><a href="{base}{publication.path(s)}">{escape(s.title)}</a></h2><p>{escape(s.lead)}</p></li>'
        for s in publication.stories
        if s.answer != "disallowed"
    )
    return f"""<!doctype html>
<html lang="{publication.language}">
<head><meta charset="{codec.replace("cp1252", "iso-8859-1")}"><title>{publication.name}</title></head>
<body><h1>{publication.name}</h1><p>{publication.about}</p>
<ul class="front">
{stories}
</ul></body></html>
""".encode(codec)


def _radio(publication: Publication, story: Story) -> dict[str, str]:
    stamp = "%d/%m/%Y - %H:%M"
    modified = f'<time datetime="{story.changed.isoformat()}">{story.changed:{stamp}}</time>'
    return {
        "authors": "、".join(f'<a class="m-from-author__name" href="/cn/author">{name}</a>' for name in story.authors),
        "published_local": f"{story.published:{stamp}}",
        "modified_line": f'<span class="m-pub-dates__date">更改时间： {modified}</span>' if story.modified else "",
        "sections": _items(f'<a href="/cn/{section}">{section}</a>' for section in publication.sections),
        "tag_links": _items(f'<a href="/cn/tag/{tag}">{tag}</a>' for tag in story.tags),
    }


def _courier(publication: Publication, story: Story) -> dict[str, str]:
    changed = story.changed
    return {
        "authors": " and ".join(f'<a rel="author" href="/staff/{_slug(name)}">{name}</a>' for name in story.authors),
        "published_local": f"{story.published.day} {story.published:%B %Y, %H:%M}",
        "modified_line": (
            f'<span class="updated">Updated {changed.day} {changed:%B %Y at %H:%M}</span>' if story.modified else ""
        ),
        "sections": _items(f'<a href="/{_slug(section)}">{section}</a>' for section in publication.sections),
    }


def _anzeiger(publication: Publication, story: Story) -> dict[str, str]:
    person = '<span itemprop="author" itemscope itemtype="https://schema.org/Person"><span itemprop="name">'
    modified = f'<meta property="article:modified_time" content="{story.changed.isoformat()}">'
    return {
        "authors": " und ".join(f"{person}{name}</span></span>" for name in story.authors),
        "published_local": f"{story.published:%d.%m.%Y, %H.%M}",
        "modified_line": modified if story.modified else "",
        "sections": _items(f'<a href="/{section.lower()}/">{section}</a>' for section in publication.sections),
        "tag_links": "\n".join(f'<meta property="article:tag" content="{tag}">' for tag in story.tags),
    }


def _daily(publication: Publication, story: Story) -> dict[str, str]:
    at = story.published
    return {
        "authors": "、".join(story.authors),
        "published_local": f"{at.year}年{at:%m}月{at:%d}日 {at:%H:%M}",
        "sections": "".join(f'<TD><A HREF="/{section}">{section}</A></TD>' for section in publication.sections),
    }


def _json_ld(publication: Publication, story: Story, base: str) -> str:
    url = base + publication.path(story)
    article = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "mainEntityOfPage": {"@type": "WebPage", "@id": url},
        "url": url,
        "headline": story.title,
        "description": story.lead,
        "datePublished": story.published.isoformat(),
        "dateModified": story.changed.isoformat(),
        "author": [{"@type": "Person", "name": name} for name in story.authors],
        "publisher": {"@type": "NewsMediaOrganization", "name": publication.name, "url": base + "/"},
        "image": [{"@type": "ImageObject", "url": base + story.picture_path, "width": 320, "height": 180}],
        "articleSection": story.section,
        "keywords": list(story.tags),
        "inLanguage": publication.language,
        "isAccessibleForFree": True,
    }
    # "</script>" in a title must not end the element.
    return json.dumps(article, ensure_ascii=False).replace("<", "\\u003c")


def _others(publication: Publication, story: Story, base: str) -> str:
    """Three other stories, as links."""
    others = [other for other in publication.stories if other is not story and other.answer != "disallowed"][:3]
    links = _items(f'<a href="{base}{publication.path(other)}">{escape(other.title)}</a>' for other in others)
    return f"<ul>{links}</ul>"


def _items(contents: Iterable[str]) -> str:
    return "".join(f"<li>{content}</li>" for content in contents)


def _slug(name: str) -> str:
    return name.lower().replace(" ", "-")


@cache
def _template(shape: Shape) -> Template:
    return Template((TEMPLATES / f"{shape}.html").read_text("utf-8"))


_OWN: dict[Shape, Callable[[Publication, Story], dict[str, str]]] = {
    "radio": _radio,
    "courier": _courier,
    "anzeiger": _anzeiger,
    "daily": _daily,
}
