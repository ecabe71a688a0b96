"""From a feed's bytes to text an XML parser accepts: charset, characters XML forbids, size."""

import re

from w3lib.encoding import http_content_type_encoding, read_bom, resolve_encoding

MAX_BYTES = 10_000_000  # real full-text feeds stay under 5 MB; Lambda's memory pays for several copies of it

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_THREE_BYTES = re.compile(rb"[\xe0-\xf4][\x80-\xbf]{2}")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_REFERENCE = re.compile(r"&#(?:(\d{1,10})|[xX]([0-9a-fA-F]{1,8}));")
_UNMARKED = (
    (b"\x00<\x00", "utf-16-be"),
    (b"<\x00?\x00", "utf-16-le"),
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00\x00\x00", "utf-32-le"),
)


def decode(body: bytes, content_type: str | None = None) -> tuple[str, str, tuple[str, ...]]:
    """The text of `body`, the encoding it was read in, and warnings (`charset`, `too-large`).

    In order: byte order mark; UTF-8 if it is valid and holds three-byte sequences, which no other charset's text does
    by chance, whatever is declared (headers saying latin-1 or gb2312 over UTF-8 are common); what HTTP and XML declare;
    UTF-8; windows-1252. As in browsers (WHATWG Encoding), gb2312 is read as gb18030 and latin-1 as windows-1252.
    """
    warnings = ["too-large"] if len(body) > MAX_BYTES else []
    body = body[:MAX_BYTES]
    marked, mark = read_bom(body)
    body = body[len(mark or b"") :]
    marked = marked or next((encoding for start, encoding in _UNMARKED if body.startswith(start)), None)
    declared = _declared(body, content_type)
    certain = [marked] if marked else ["utf-8"] if _THREE_BYTES.search(body) else []
    for encoding in (*certain, *declared, "utf-8"):
        try:
            text = body.decode(encoding, "ignore" if warnings else "strict")
        except UnicodeDecodeError:
            continue
        if declared and encoding not in declared and not marked:
            warnings.append("charset")
        return _acceptable(text), encoding, tuple(warnings)
    encoding = (declared or ["windows-1252"])[0]
    return _acceptable(body.decode(encoding, "replace")), encoding, (*warnings, "charset")


def _declared(body: bytes, content_type: str | None) -> list[str]:
    in_xml = _DECLARED.match(body[:400])
    names = [http_content_type_encoding(content_type) if content_type else None, in_xml and in_xml[1].decode("ascii")]
    return [encoding for name in names if name and (encoding := resolve_encoding(name)) and _known(encoding)]


def _known(encoding: str) -> bool:
    try:
        b"".decode(encoding)
    except LookupError:
        return False
    return True


def _acceptable(text: str) -> str:
    return _REFERENCE.sub(_allowed, _FORBIDDEN.sub("", text)).lstrip()


def _allowed(reference: re.Match[str]) -> str:
    code = int(reference[1]) if reference[1] else int(reference[2], 16)
    return reference[0] if code <= 0x10FFFF and not _FORBIDDEN.match(chr(code)) else ""
