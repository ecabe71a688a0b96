"""Content codings undone, and how much of a bomb comes out."""

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from broadsheet.codings import CodingError, decode

TEXT = b"<p>One sentence after another.</p>" * 1000


def _bare_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("coding", CODERS)
def test_each_coding(coding: str) -> None:
    packed = CODERS[coding](TEXT)
    assert decode(packed, coding, len(TEXT)) == TEXT
    assert decode(packed, f" {coding.upper()} ", len(TEXT)) == TEXT
    assert decode(b"", coding, 10) == b""


@pytest.mark.parametrize("coding", CODERS)
def test_one_byte_over_the_limit(coding: str) -> None:
    with pytest.raises(CodingError) as caught:
        decode(CODERS[coding](TEXT), coding, len(TEXT) - 1)
    assert caught.value.reason == "too-large"


@pytest.mark.parametrize("coding", CODERS)
def test_a_body_cut_off(coding: str) -> None:
    with pytest.raises(CodingError) as caught:
        decode(CODERS[coding](TEXT)[:-5], coding, 10**6)
    assert caught.value.reason == "incomplete"
    assert coding in str(caught.value)


@pytest.mark.parametrize("coding", CODERS)
def test_a_body_that_is_something_else(coding: str) -> None:
    with pytest.raises(CodingError) as caught:
        decode(TEXT, coding, 10**6)
    assert caught.value.reason == "encoding"


@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        (_bare_deflate(TEXT), "deflate"),
        (gzip.compress(TEXT) + b"left over", "gzip"),
        (gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]), "gzip"),
        (zstandard.compress(TEXT[:100]) + zstandard.compress(TEXT[100:]), "zstd"),
        (zstandard.ZstdCompressor(write_content_size=False).compress(TEXT), "zstd"),
        (gzip.compress(TEXT), "x-gzip"),
        (gzip.compress(TEXT), ""),  # a .gz file
        (gzip.compress(gzip.compress(TEXT)), "gzip"),  # packed twice, declared once
        (brotli.compress(gzip.compress(TEXT)), "gzip, br"),  # in the order of application
        (TEXT, ""),
        (TEXT, "identity"),
        (TEXT, " , "),
    ],
)
def test_what_servers_send(packed: bytes, coding: str) -> None:
    assert decode(packed, coding, len(TEXT)) == TEXT


@pytest.mark.parametrize("coding", ["x-foo", "compress", "gzip, x-foo", "gzip;q=1", "gzip, gzip, gzip, gzip"])
def test_codings_we_do_not_undo(coding: str) -> None:
    with pytest.raises(CodingError) as caught:
        decode(TEXT, coding, 10**6)
    assert caught.value.reason == "encoding"


def test_more_layers_than_anyone_needs() -> None:
    packed = TEXT
    for _ in range(4):
        packed = zlib.compress(packed)
    assert decode(packed, "deflate, deflate, deflate", 10**6) == zlib.compress(TEXT)
    with pytest.raises(CodingError, match="4 layers"):
        decode(packed, "deflate, deflate, deflate, deflate", 10**6)


@pytest.mark.parametrize(
    ("packed", "coding"), [(gzip.compress(b"") * 100_000, "gzip"), (zstandard.compress(b"") * 100_000, "zstd")]
)
def test_empty_members_without_end(packed: bytes, coding: str) -> None:
    with pytest.raises(CodingError) as caught:
        decode(packed, coding, 10**6)
    assert caught.value.reason == "encoding"
