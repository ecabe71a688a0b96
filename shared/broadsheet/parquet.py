"""A Parquet file, written row group by row group: flat columns, values plain, pages compressed with Zstandard.

Just what an edition needs of https://github.com/apache/parquet-format, in pure Python: one build serves both
processors and no start imports 68 MB (duckdb) or 150 MB (pyarrow) of shared library. Readers do the rest; the tests
read it with duckdb.
"""

import struct
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import msgspec
import zstandard

Kind = Literal["text", "texts", "instant", "integer"]

MAGIC = b"PAR1"
ROWS = 5000  # in a row group: of news articles some 20 MB, which is what writing one holds in memory

_BYTES, _INT64 = 6, 2  # physical types
_PLAIN, _RLE, _ZSTD = 0, 3, 6
_REQUIRED, _OPTIONAL, _REPEATED = 0, 1, 2
_UTF8, _LIST, _TIMESTAMP_MILLIS = 0, 3, 9  # converted types
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Column(msgspec.Struct, frozen=True):
    """A column. `text`, `instant` (UTC, to the millisecond) and `integer` may be None; `texts` is a list of strings."""

    name: str
    kind: Kind


class Writer:
    """A Parquet file in the making, written to `file`; a context manager, whose end completes it."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._file = file
        self._columns = columns
        self._waiting: list[tuple[Any, ...]] = []
        self._groups: list[bytes] = []
        self._rows = 0
        self._at = file.write(MAGIC)
        self._compress = zstandard.ZstdCompressor(level=3).compress

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._end()

    def write(self, row: tuple[Any, ...]) -> None:
        """Add a row: a value for each column, in order."""
        self._waiting.append(row)
        if len(self._waiting) == ROWS:
            self._flush()

    def _flush(self) -> None:
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        chunks = [
            self._chunk(column, values) for column, values in zip(self._columns, zip(*rows, strict=True), strict=True)
        ]
        size = sum(uncompressed for _, uncompressed in chunks)
        group = _struct((1, _list([chunk for chunk, _ in chunks])), (2, _int(size, 6)), (3, _int(len(rows), 6)))
        self._groups.append(group)
        self._rows += len(rows)

    def _chunk(self, column: Column, values: tuple[Any, ...]) -> tuple[bytes, int]:
        """Write a column's page; returns its ColumnChunk and what it would measure uncompressed."""
        plain, count = _page(column, values)
        packed = self._compress(plain)
        data = _struct((1, _int(count)), (2, _int(_PLAIN)), (3, _int(_RLE)), (4, _int(_RLE)))
        header = _struct((1, _int(0)), (2, _int(len(plain))), (3, _int(len(packed))), (5, (12, data)))
        start = self._at
        self._at += self._file.write(header) + self._file.write(packed)
        meta = _struct(
            (1, _int(_INT64 if column.kind in ("instant", "integer") else _BYTES)),
            (2, _list([_zigzag(_PLAIN), _zigzag(_RLE)], 5)),
            (3, _list([_string(name) for name in _path(column)], 8)),
            (4, _int(_ZSTD)),
            (5, _int(count, 6)),
            (6, _int(len(header) + len(plain), 6)),
            (7, _int(len(header) + len(packed), 6)),
            (9, _int(start, 6)),
        )
        return _struct((2, _int(start, 6)), (3, (12, meta))), len(header) + len(plain)

    def _end(self) -> None:
        self._flush()
        schema = [_struct((4, (8, _string("article"))), (5, _int(len(self._columns))))]
        for column in self._columns:
            schema += _schema(column)
        footer = _struct(
            (1, _int(1)),
            (2, _list(schema)),
            (3, _int(self._rows, 6)),
            (4, _list(self._groups)),
            (6, (8, _string("broadsheet"))),
        )
        self._file.write(footer + struct.pack("<I", len(footer)) + MAGIC)


def _path(column: Column) -> tuple[str, ...]:
    return (column.name, "list", "element") if column.kind == "texts" else (column.name,)


def _schema(column: Column) -> list[bytes]:
    """The SchemaElements of a column: one, or the three levels of a list."""
    name = (4, (8, _string(column.name)))
    match column.kind:
        case "texts":
            element = ((1, _int(_BYTES)), (3, _int(_REQUIRED)), (4, (8, _string("element"))), (6, _int(_UTF8)))
            return [
                _struct((3, _int(_REQUIRED)), name, (5, _int(1)), (6, _int(_LIST))),
                _struct((3, _int(_REPEATED)), (4, (8, _string("list"))), (5, _int(1))),
                _struct(*element),
            ]
        case "text":
            return [_struct((1, _int(_BYTES)), (3, _int(_OPTIONAL)), name, (6, _int(_UTF8)))]
        case "instant":
            return [_struct((1, _int(_INT64)), (3, _int(_OPTIONAL)), name, (6, _int(_TIMESTAMP_MILLIS)))]
        case "integer":
            return [_struct((1, _int(_INT64)), (3, _int(_OPTIONAL)), name)]


def _page(column: Column, values: tuple[Any, ...]) -> tuple[bytes, int]:
    """A data page (version 1), and how many entries it has: levels first, then the values that are there."""
    if column.kind == "texts":
        repeated = [int(i > 0) for texts in values for i in range(max(1, len(texts)))]
        defined = [level for texts in values for level in ([1] * len(texts) or [0])]
        given = [text for texts in values for text in texts]
        return _levels(repeated) + _levels(defined) + _strings(given), len(repeated)
    levels = _levels([int(value is not None) for value in values])
    there = [value for value in values if value is not None]
    match column.kind:
        case "text":
            return levels + _strings(there), len(values)
        case "instant":
            numbers = [round((at - _EPOCH).total_seconds() * 1000) for at in there]
        case "integer":
            numbers = there
    return levels + struct.pack(f"<{len(numbers)}q", *numbers), len(values)


def _levels(levels: list[int]) -> bytes:
    """Levels of 0 and 1 as runs (the RLE half of the hybrid encoding), after their length in bytes."""
    runs = b"".join(_varint(len(list(run)) << 1) + bytes([level]) for level, run in groupby(levels))
    return struct.pack("<I", len(runs)) + runs


def _strings(texts: list[str]) -> bytes:
    parts = []
    for text in texts:
        data = text.encode("utf-8")
        parts += [struct.pack("<I", len(data)), data]
    return b"".join(parts)


# ---- Thrift's compact protocol, in which all that isn't data is written --------------------------------------------
# https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md

_Typed = tuple[int, bytes]  # of a field: 5 i32, 6 i64, 8 binary, 9 list, 12 struct


def _struct(*fields: tuple[int, _Typed]) -> bytes:
    out, last = b"", 0
    for number, (kind, value) in fields:
        out += bytes([(number - last) << 4 | kind]) + value
        last = number
    return out + b"\0"


def _int(number: int, kind: int = 5) -> _Typed:
    return kind, _zigzag(number)


def _list(items: list[bytes], kind: int = 12) -> _Typed:
    size = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + _varint(len(items))
    return 9, size + b"".join(items)


def _string(text: str) -> bytes:
    data = text.encode("utf-8")
    return _varint(len(data)) + data


def _zigzag(number: int) -> bytes:
    return _varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
