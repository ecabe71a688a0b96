"""From bytes to text: the byte order mark, the HTTP header, the page's own declaration, or a guess."""

import codecs
import re
from functools import lru_cache

# Labels whose meaning on the web is a larger set than the one they name (WHATWG Encoding Standard, § 4.2).
_WEB_MEANING = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-16-le",
    "utf-7": "cp1252",
}
_EXTRA_LABELS = {"ks_c_5601-1987": "cp949", "x-sjis": "cp932", "x-gbk": "gb18030", "windows-874": "cp874"}
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The standard prescans 1024 bytes; pages with a preload list above their declaration need more.
_PRESCAN_BYTES = 8192
_SNIFF_BYTES = 32_768
# What undeclared pages are written in; a wider choice makes guesses of exotic sets for short Latin texts.
_GUESSES = ["gb18030", "big5hkscs", "cp932", "euc_jp", "iso2022_jp", "cp949", "cp1250", "cp1251", "cp1252", "koi8_r"]
_GUESSES += ["cp1253", "cp1254", "cp1255", "cp1256", "cp874"]
# Below this share of undecodable bytes a declaration is believed: the page has a few broken characters.
_TOLERATED_DAMAGE = 0.01

_COMMENT = re.compile(rb"<!--.*?(?:-->|$)", re.DOTALL)
_META = re.compile(rb"<meta[\s/]((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"([^\s=/\"'>]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
_CONTENT_CHARSET = re.compile(rb"charset\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s;\"']+))", re.IGNORECASE)


@lru_cache(maxsize=64)
def codec_of(label: str) -> str | None:
    """Python's codec for an encoding label as browsers read it, or None for a label nobody knows."""
    label = label.strip().strip("\"'").lower()
    if label in _EXTRA_LABELS:
        return _EXTRA_LABELS[label]
    try:
        found = codecs.lookup(label)
        if not found._is_text_encoding:
            return None
    except (LookupError, ValueError):
        return None
    return _WEB_MEANING.get(found.name, found.name)


def declared_codec(html: bytes) -> str | None:
    """The codec a page's `meta` elements declare, found without parsing (WHATWG HTML § 13.2.3.2)."""
    head = _COMMENT.sub(b"", html[:_PRESCAN_BYTES])
    for meta in _META.finditer(head):
        attributes: dict[bytes, bytes] = {}
        for name, *values in _ATTRIBUTE.findall(meta[1]):
            attributes.setdefault(name.lower(), b"".join(values))
        label = attributes.get(b"charset")
        if label is None and attributes.get(b"http-equiv", b"").lower() == b"content-type":
            content = _CONTENT_CHARSET.search(attributes.get(b"content", b""))
            label = b"".join(group or b"" for group in content.groups()) if content else None
        codec = codec_of(label.decode("ascii", "replace")) if label else None
        if codec:
            # A declaration that could be read byte by byte can't be UTF-16.
            return "utf-8" if codec.startswith("utf-16") else codec
    return None


def decode(html: bytes, charset: str | None = None) -> tuple[str, str]:
    """The page as text and the codec used; `charset` is the HTTP header's. What can't be read becomes U+FFFD."""
    for mark, codec in _BYTE_ORDER_MARKS:
        if html.startswith(mark):
            return html[len(mark) :].decode(codec, "replace"), codec
    if wide := _wide_without_mark(html):
        return html.decode(wide, "replace"), wide
    if not html.isascii():
        try:
            # Text of another encoding is never valid UTF-8 by chance, whatever is declared.
            return html.decode(), "utf-8"
        except UnicodeDecodeError:
            pass
    candidates = [codec_of(charset) if charset else None, declared_codec(html), "utf-8"]
    for codec in dict.fromkeys(filter(None, candidates)):
        try:
            return html.decode(codec), codec
        except UnicodeDecodeError:
            text = html.decode(codec, "replace")
            if text.count("\ufffd") < _TOLERATED_DAMAGE * len(text):
                return text, codec
    guess = _guess(html) or "cp1252"
    return html.decode(guess, "replace"), guess


def _wide_without_mark(html: bytes) -> str | None:
    """UTF-16 betrays itself by the zero byte beside each ASCII character of the markup."""
    head = html[:512]
    if len(head) < 4 or head.count(0) * 3 < len(head):
        return None
    return "utf-16-le" if head[1::2].count(0) >= head[0::2].count(0) else "utf-16-be"


def _guess(html: bytes) -> str | None:
    # Imported here because few pages need it and it costs a cold start 40 ms.
    from charset_normalizer import from_bytes  # noqa: PLC0415

    text = re.sub(rb"(?s)<(script|style)\b.*?(?:</\1>|\Z)|<[^<>]*+>|\s+", b" ", html[: 4 * _SNIFF_BYTES])
    best = from_bytes(re.sub(rb"[\x00-\x7f]{40,}", b" ", text)[:_SNIFF_BYTES], cp_isolation=_GUESSES).best()
    return codec_of(best.encoding) if best else None
