"""Content codings undone under a cap: gzip, deflate, br and zstd bytes in, plain bytes out.

Nothing here produces much more than `limit` bytes, whatever the input promises: a megabyte of gzip holds a gibibyte of
zeros, and of brotli a few hundred bytes do.
"""

import zlib
from collections.abc import Callable

import brotli
import zstandard

from broadsheet.errors import BroadsheetError

ACCEPTED = "gzip, deflate, br, zstd"

_MAX_LAYERS = 3  # codings declared on one answer; one is normal, two happen by mistake
_MAX_MEMBERS = 1024  # gzip members or zstd frames in one body; each gzip member costs a copy of what follows it
_ZSTD_WINDOW = 8 * 2**20  # bytes; RFC 9659: no larger window over HTTP
_ZSTD_SLICE = 256  # bytes; four of them can make a 128 KiB block, so one slice makes at most 8 MiB
_GZIP_MAGIC = b"\x1f\x8b\x08"


class CodingError(BroadsheetError):
    """A body can't be decoded. `subject` is the coding, `reason` is `too-large`, `incomplete` or `encoding`."""


def decode(body: bytes, codings: str, limit: int) -> bytes:
    """`body` without the codings that the Content-Encoding header `codings` lists, in at most `limit` bytes.

    A body that begins with gzip's magic number when all is undone is unpacked once more: sitemaps are served as .gz
    files, pages are packed twice, and no text begins so.
    """
    names = [name.strip().lower() for name in codings.split(",")]
    layers = [name for name in reversed(names) if name not in ("", "identity", "none", "utf-8")]
    if len(layers) > _MAX_LAYERS:
        raise CodingError(codings[:100], "encoding", f"{len(layers)} layers")
    for name in layers:
        if name not in _DECODERS:
            raise CodingError(name[:100], "encoding", "unknown")
        if body:  # an empty body is empty in any coding
            body = _undo(name, body, limit)
    return _undo("gzip", body, limit) if body.startswith(_GZIP_MAGIC) else body


def _undo(name: str, body: bytes, limit: int) -> bytes:
    try:
        return _DECODERS[name](body, limit)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise CodingError(name, "encoding", str(error)) from error


def _gunzip(body: bytes, limit: int) -> bytes:
    out = bytearray()
    for member in range(_MAX_MEMBERS):
        decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            out += decoder.decompress(body, limit + 1 - len(out))
        except zlib.error:
            if member:  # what follows a whole member and is none itself is padding or junk: gzip(1) ignores it too
                return bytes(out)
            raise
        _check("gzip", len(out), limit, decoder.eof)
        body = decoder.unused_data
        if not body:
            return bytes(out)
    raise CodingError("gzip", "encoding", f"more than {_MAX_MEMBERS} members")


def _inflate(body: bytes, limit: int) -> bytes:
    decoder = zlib.decompressobj()
    try:
        out = decoder.decompress(body, limit + 1)
    except zlib.error:  # RFC 9110 wants a zlib header; some servers send bare deflate, and browsers take it
        decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        out = decoder.decompress(body, limit + 1)
    _check("deflate", len(out), limit, decoder.eof)
    return out


def _unbrotli(body: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    out = bytearray(decoder.process(body, output_buffer_limit=limit + 1))
    while len(out) <= limit and not decoder.can_accept_more_data() and not decoder.is_finished():
        out += decoder.process(b"", output_buffer_limit=limit + 1 - len(out))
    _check("br", len(out), limit, decoder.is_finished())
    return bytes(out)


def _unzstd(body: bytes, limit: int) -> bytes:
    frames = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    out = bytearray()
    at = 0
    for _ in range(_MAX_MEMBERS):
        decoder = frames.decompressobj()
        while at < len(body) and not decoder.eof and len(out) <= limit:
            out += decoder.decompress(body[at : at + _ZSTD_SLICE])
            at = min(at + _ZSTD_SLICE, len(body))
        _check("zstd", len(out), limit, decoder.eof)
        at -= len(decoder.unused_data)
        if at == len(body):
            return bytes(out)
    raise CodingError("zstd", "encoding", f"more than {_MAX_MEMBERS} frames")


def _check(name: str, size: int, limit: int, ended: bool) -> None:
    if size > limit:
        raise CodingError(name, "too-large", f"more than {limit} bytes")
    if not ended:
        raise CodingError(name, "incomplete")


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
