"""What we write as Parquet is what DuckDB reads, whatever the values."""

import string
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadsheet import parquet
from broadsheet.parquet import Column, Writer

COLUMNS = (
    Column("id", "text"),
    Column("tags", "texts"),
    Column("seen", "instant"),
    Column("length", "integer"),
)
AT = datetime(2026, 3, 4, 5, 6, 7, 123000, tzinfo=UTC)


def written(path: Path, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    with path.open("wb") as file, Writer(file, COLUMNS) as writer:
        for row in rows:
            writer.write(row)
    return duckdb.execute(f"SELECT id, tags, epoch_ms(seen), length FROM read_parquet('{path}')").fetchall()


def expected(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(id, list(tags), at and round(at.timestamp() * 1000), length) for id, tags, at, length in rows]


ROWS = st.tuples(
    st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.text(string.printable, max_size=9), max_size=20),
    st.none()
    | st.datetimes(datetime(1, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
        lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
    ),
    st.none() | st.integers(-(2**63), 2**63 - 1),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(ROWS, max_size=40))
def test_duckdb_reads_what_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]) -> None:
    assert written(tmp_path_factory.mktemp("p") / "x.parquet", rows) == expected(rows)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 29])
def test_rows_go_into_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(parquet, "ROWS", 7)
    path = tmp_path / "x.parquet"
    rows = [(str(i), ("新闻",) * (i % 3), AT, i) for i in range(count)]
    assert written(path, rows) == expected(rows)
    groups = duckdb.execute(f"SELECT count(DISTINCT row_group_id) FROM parquet_metadata('{path}')").fetchall()
    assert groups == [(-(-count // 7),)]


def test_types_are_what_analysts_expect(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    written(path, [("a", (), None, None)])
    described = duckdb.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
    assert [row[1] for row in described] == ["VARCHAR", "VARCHAR[]", "TIMESTAMP", "BIGINT"]


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    rows = [(str(i), ("a", "b"), AT, i) for i in range(100)]
    for name in ("one", "two"):
        written(tmp_path / name, rows)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
