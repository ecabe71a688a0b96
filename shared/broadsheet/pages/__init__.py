"""What readers and feed readers take: a source's newest articles as Markdown, HTML, Atom and JSON Feed; pure.

Titles and summaries are what strangers wrote: they reach every format as text, never as markup.
"""

from broadsheet.pages.listing import markdown
from broadsheet.pages.syndication import atom, json_feed
from broadsheet.pages.web import Health, Standing, health, index, source_page

__all__ = ["Health", "Standing", "atom", "health", "index", "json_feed", "markdown", "source_page"]
