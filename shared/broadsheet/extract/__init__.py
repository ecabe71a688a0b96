"""From a page's bytes to an Article: decode, parse once, hear every witness, find the body, choose per field.

    extract(html, url)         an Article, or ExtractionError
    from_fragment(html, url)   the body of a feed entry or seed document, without looking for a headline
    explain(html, url)         the same as extract, with every witness per field and why one was believed

Pure: nothing here opens a file of the page's choosing or a connection.
"""

from broadsheet.extract.errors import ExtractionError
from broadsheet.extract.fragment import from_fragment
from broadsheet.extract.page import Explanation, explain, extract

__all__ = ["Explanation", "ExtractionError", "explain", "extract", "from_fragment"]
