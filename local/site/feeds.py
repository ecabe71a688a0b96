"""How each publication announces its stories: full-text RSS, Atom, a news sitemap, and an RSS that breaks off."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape

from local.site.publication import Publication, Shape, Story, body_html

CONTENT_TYPE: dict[Shape, str] = {
    "radio": "application/rss+xml; charset=utf-8",
    "courier": "application/atom+xml",
    "anzeiger": "application/xml",
    "daily": "text/xml",
}


def feed(publication: Publication, base: str) -> bytes:
    """The bytes of a publication's feed or sitemap; `base` is its scheme and host."""
    return _WRITERS[publication.shape](publication, base).encode()


def full_text(story: Story, base: str) -> str:
    """A story as its feed carries it whole: date line, picture, bold lead, body, share buttons."""
    return (
        f"<div>{story.published:%d/%m/%Y - %H:%M}</div>"
        f'<img src="{base}{story.picture_path}"><p><strong>{escape(story.lead, quote=False)}</strong></p>'
        f"<div>{body_html(story)}<div data-selfpromo-newsletter></div></div>"
        '<div><div>分享 :</div><div><a href="https://www.facebook.com/dialog/share?app_id=0"><span></span></a>'
        '<a href="whatsapp://send?text="><span></span></a></div></div>'
    )


def _rss(publication: Publication, base: str) -> str:
    items = [
        f"""    <item>
      <title>{escape(story.title)}</title>
      <link>{escape(base + link)}</link>
      <guid isPermaLink="false">{publication.id}-{story.slug}</guid>
      <pubDate>{_rfc822(story.published)}</pubDate>
      <dc:creator>{escape("、".join(story.authors))}</dc:creator>
      <category>{escape(story.section)}</category>
      <description>{escape(story.lead)}</description>
      <content:encoded><![CDATA[{full_text(story, base)}]]></content:encoded>
      <media:thumbnail url="{base}{story.picture_path}" width="320" height="180"/>
    </item>"""
        for story in publication.stories
        for link in publication.links(story)
    ]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
     xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"
     xmlns:atom="http://www.w3.org/2005/Atom">
  <channel>
    <title>{escape(publication.name)}</title>
    <link>{base}/</link>
    <atom:link href="{base}{publication.feed_path}" rel="self" type="application/rss+xml"/>
    <description>{escape(publication.about)}</description>
    <language>{publication.language}</language>
    <lastBuildDate>{_rfc822(last_changed(publication))}</lastBuildDate>
{chr(10).join(items)}
  </channel>
</rss>
"""


def _atom(publication: Publication, base: str) -> str:
    entries = [
        f"""  <entry>
    <id>tag:tern-harbour.example,2026:{story.slug}{f"/{copy}" if copy else ""}</id>
    <title>{escape(story.title)}</title>
    <link rel="alternate" type="text/html" href="{escape(base + link)}"/>
    <published>{story.published.isoformat()}</published>
    <updated>{story.changed.isoformat()}</updated>
    {"".join(f"<author><name>{escape(name)}</name></author>" for name in story.authors)}
    <category term="{escape(story.section)}"/>
    <summary>{escape(story.lead)}</summary>
  </entry>"""
        for story in publication.stories
        for copy, link in enumerate(publication.links(story))
    ]
    return f"""<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{publication.language}">
  <id>tag:tern-harbour.example,2026:news</id>
  <title>{escape(publication.name)}</title>
  <subtitle>{escape(publication.about)}</subtitle>
  <link rel="alternate" href="{base}/"/>
  <link rel="self" href="{base}{publication.feed_path}"/>
  <updated>{last_changed(publication).isoformat()}</updated>
{chr(10).join(entries)}
</feed>
"""


def _news_sitemap(publication: Publication, base: str) -> str:
    urls = [
        f"""  <url>
    <loc>{escape(base + link)}</loc>
    <lastmod>{story.changed.isoformat()}</lastmod>
    <news:news>
      <news:publication>
        <news:name>{escape(publication.name)}</news:name>
        <news:language>{publication.language}</news:language>
      </news:publication>
      <news:publication_date>{story.published.isoformat()}</news:publication_date>
      <news:title>{escape(story.title)}</news:title>
    </news:news>
  </url>"""
        for story in publication.stories
        for link in publication.links(story)
    ]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
        xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">
{chr(10).join(urls)}
</urlset>
"""


def _broken_rss(publication: Publication, base: str) -> str:
    """RSS with a bare ampersand and an entity of HTML, cut off within the title of its last item."""
    items = [
        f"<item><title>{escape(story.title)}</title><link>{escape(base + link)}</link>"
        f"<guid>{escape(base + publication.path(story))}</guid><pubDate>{_rfc822(story.published)}</pubDate>"
        f"<description>{escape(story.lead)}&nbsp;&raquo;</description></item>"
        for story in publication.stories
        for link in publication.links(story)
    ]
    head = (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>'
        f"<title>{escape(publication.name)}</title><link>{base}/</link>"
        f"<description>{escape(publication.about)} 山上 & 山下</description><language>zh-tw</language>\n"
    )
    whole = head + "\n".join(items)
    return whole[: whole.rindex("<title>") + len("<title>") + 4]


def last_changed(publication: Publication) -> datetime:
    """When anything in the publication last changed: the Last-Modified of its feed."""
    return max(story.changed for story in publication.stories).astimezone(UTC)


def _rfc822(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


_WRITERS: dict[Shape, Callable[[Publication, str], str]] = {
    "radio": _rss,
    "courier": _atom,
    "anzeiger": _news_sitemap,
    "daily": _broken_rss,
}
