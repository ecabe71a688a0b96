"""From a page's bytes to an Article: decode, parse once, hear every witness, find the body, choose per field.

    extract(html, url)         an Article, or ExtractionError
    from_fragment(html, url)   the body of a feed entry or seed document, without looking for a headline
    explain(html, url)         the same as extract, with every witness per field and why one was believed

Pure: nothing here opens a file of the page's choosing or a connection.
"""

from broadsheet.extract.errors import ExtractionError
from broadsheet.extract.fragment import from_fragment
from broadsheet.extract.page import Explanation, explain, extract
from broadsheet.extract.rules import FIELDS as RULE_FIELDS
from broadsheet.extract.rules import Rule, RuleError, no_rule, publisher_rule
from broadsheet.extract.rules import load as load_rule

__all__ = [
    "RULE_FIELDS",
    "Explanation",
    "ExtractionError",
    "Rule",
    "RuleError",
    "explain",
    "extract",
    "from_fragment",
    "load_rule",
    "no_rule",
    "publisher_rule",
]
