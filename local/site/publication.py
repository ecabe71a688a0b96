"""What the sample site publishes: one folder per publication, one file per story, read into records.

A story is a front matter in YAML between two `---` lines, then paragraphs parted by blank lines; `## ` begins a
subhead, `> ` a quotation, `- ` a list. To add one, add a file.
"""

import re
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import msgspec
import yaml

Shape = Literal["radio", "courier", "anzeiger", "daily"]
# How a story's page behaves when asked for; None is an ordinary page.
Answer = Literal[
    "forbidden",  # 403 always: its feed's text has to do
    "missing",  # 404 always
    "slow",  # the first request waits longer than a fetcher does
    "busy",  # the first request is answered 429 with Retry-After
    "moved",  # linked by an old address that redirects
    "duplicated",  # linked twice, with different tracking parameters
    "disallowed",  # served to whoever asks, but robots.txt says not to
]

STORIES = Path(__file__).parent / "stories"


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    caption: str
    credit: str


class Story(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One story; `body` is as it stands in the file, `published` and `modified` carry their publication's offset."""

    slug: str
    title: str
    lead: str
    body: str
    published: datetime
    authors: tuple[str, ...]
    section: str
    tags: tuple[str, ...]
    image: Picture
    modified: datetime | None = None
    answer: Answer | None = None

    @property
    def changed(self) -> datetime:
        return self.modified or self.published

    @property
    def picture_path(self) -> str:
        return f"/images/{self.slug}.png"


class Publication(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One newspaper: its id (the folder's name), how it looks, and its stories, newest first."""

    id: str
    name: str
    language: str
    zone: str
    shape: Shape
    about: str
    sections: tuple[str, ...]
    stories: tuple[Story, ...]

    @property
    def feed_path(self) -> str:
        return {"radio": "/cn/rss", "courier": "/feed.atom", "anzeiger": "/sitemap-news.xml", "daily": "/rss.xml"}[
            self.shape
        ]

    def path(self, story: Story) -> str:
        """Where a story's page is."""
        day = story.published
        if self.shape == "radio":
            words = re.sub(r"\W+", "-", story.title).strip("-")
            return f"/cn/{quote(story.section)}/{day:%Y%m%d}-{quote(words)}"
        if self.shape == "courier":
            return f"/{day:%Y/%m/%d}/{story.slug}"
        if self.shape == "anzeiger":
            return f"/{story.section.lower()}/{story.slug}.html"
        return f"/news/{day:%Y%m%d}/{story.slug}.htm"

    def links(self, story: Story) -> tuple[str, ...]:
        """The paths by which its feed links to a story: usually its own."""
        path = self.path(story)
        if story.answer == "moved":
            return (f"/go/{story.slug}",)
        if story.answer == "duplicated":
            morning = f"{path}?utm_source=newsletter&utm_medium=email&utm_campaign=morning"
            return (f"{path}?utm_source=atom&utm_medium=feed", morning)
        return (path,)


def publications(folder: Path = STORIES) -> tuple[Publication, ...]:
    """Every publication in `folder`, in the order of their ids."""
    return tuple(_publication(file.parent) for file in sorted(folder.glob("*/publication.yaml")))


def body_html(story: Story) -> str:
    """A story's body as plain HTML blocks, one a line."""
    return "\n".join(_block(block.strip()) for block in re.split(r"\n\s*\n", story.body))


def _publication(folder: Path) -> Publication:
    settings = yaml.safe_load((folder / "publication.yaml").read_text("utf-8"))
    stories = sorted((_story(file) for file in folder.glob("*.md")), key=lambda s: s.published, reverse=True)
    return msgspec.convert({**settings, "id": folder.name, "stories": stories}, Publication)


def _story(file: Path) -> Story:
    _, front, body = file.read_text("utf-8").split("---\n", 2)
    return msgspec.convert({**yaml.safe_load(front), "slug": file.stem, "body": body.strip()}, Story)


def _block(block: str) -> str:
    if block.startswith("## "):
        return f"<h2>{escape(block[3:], quote=False)}</h2>"
    if block.startswith("> "):
        return f"<blockquote><p>{escape(block[2:], quote=False)}</p></blockquote>"
    if block.startswith("- "):
        return "<ul>" + "".join(f"<li>{escape(item[2:], quote=False)}</li>" for item in block.split("\n")) + "</ul>"
    return f"<p>{escape(block, quote=False)}</p>"
