"""`broadsheet search`: words in the editions, by DuckDB."""

from pathlib import Path
from typing import Any

import click

from broadsheet.cli.answers import json_option, show_json

COLUMNS = ("id", "source", "published_at", "title", "url", "summary")
# Every word must be found somewhere; a hit in the title counts for more than one in
# the lead, and that for more than one in the text.
_WEIGHTS = {"title": 8, "standfirst": 3, "text": 1}


@click.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--editions",
    default="editions",
    show_default=True,
    help="The folder the editions were synced to; `make run` leaves out/bucket/editions.",
)
@click.option("--source", help="Only this source's.")
@click.option("--since", metavar="DAY", help="First seen on this day (UTC) or later.")
@click.option("--limit", default=20, show_default=True)
@json_option
def search_(
    *, words: tuple[str, ...], editions: str, source: str | None, since: str | None, limit: int, as_json: bool
) -> None:
    """Articles that have all of WORDS, best first. What is written without spaces, like Chinese, needs none."""
    found = search(editions, " ".join(words).split(), source=source, since=since, limit=limit)
    if as_json:
        show_json(found)
        return
    for row in found:
        click.secho(row["title"] or row["url"], bold=True)
        click.echo(f"  {row['published_at'] or ''} {row['source']} {row['url']}".rstrip())


def search(
    editions: str, words: list[str], *, source: str | None = None, since: str | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """The columns of each article found, best first, then newest first.

    A word is found wherever its characters stand in a row, whatever their case: that is what serves scripts without
    spaces, where nothing else says what a word is.
    """
    try:
        import duckdb  # noqa: PLC0415 - an extra that only this command needs
    except ImportError as error:
        raise click.ClickException("needs DuckDB: pip install 'broadsheet[search]'") from error
    files = sorted(
        str(path) for path in Path(editions).glob("v1/parquet/*/*.parquet") if path.parent.name >= f"date={since or ''}"
    )
    if not files:
        raise click.ClickException(f"{editions}: no editions here; aws s3 sync s3://<bucket>/editions {editions}")
    given = [word.lower() for word in words]
    hits = [f"contains(lower({name}), $w{i})" for i in range(len(given)) for name in _WEIGHTS]
    everywhere = [" OR ".join(hits[i * len(_WEIGHTS) : (i + 1) * len(_WEIGHTS)]) for i in range(len(given))]
    weights = [
        f"{weight} * coalesce({hit}, false)::INT"
        for hit, weight in zip(hits, [*_WEIGHTS.values()] * len(given), strict=True)
    ]
    query = (
        f"SELECT {', '.join(COLUMNS)} FROM read_parquet($files) WHERE {' AND '.join(f'({one})' for one in everywhere)}"  # noqa: S608
        f"{' AND source = $source' if source else ''} "
        f"ORDER BY {' + '.join(weights)} DESC, first_seen DESC, id LIMIT $most"
    )
    values: dict[str, Any] = {"files": files, "most": limit, **{f"w{i}": word for i, word in enumerate(given)}}
    rows = duckdb.connect().execute(query, values | ({"source": source} if source else {})).fetchall()
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]
