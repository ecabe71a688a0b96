"""`broadsheet import`: an archive of seed documents into a deployment."""

import sys
import time
from collections import Counter
from pathlib import Path

import click

from broadsheet.cli.answers import json_option, show_json
from broadsheet.cli.deployment import Deployment, on_deployment
from broadsheet.importer import documents, import_documents


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--source", "source_id", required=True, help="Id of the source the documents belong to.")
@click.option("--announce/--quiet", default=False, help="Whether channels hear of them.  [default: quiet]")
@json_option
@on_deployment
def import_(paths: tuple[Path, ...], *, source_id: str, announce: bool, as_json: bool, deployment: Deployment) -> None:
    """Store seed documents (files, or folders of .md and .txt) as articles.

    Malformed ones are named and skipped; what is stored already stays as it is, so an interrupted import goes on
    where it stopped when run again. Exit code 1 if any was skipped.
    """
    source = deployment.source(source_id)
    ends: Counter[str] = Counter()
    outcomes = import_documents(paths, deployment.articles, source, announce=announce, clock=time.time)
    length = sum(1 for _ in documents(paths))
    with click.progressbar(outcomes, length=length, label="importing", file=sys.stderr) as progress:
        for outcome in progress:
            ends[outcome.status] += 1
            if outcome.status == "skipped":
                click.echo(f"\n{outcome.path}: {outcome.reason}", err=True)
    if as_json:
        show_json(dict(ends))
    else:
        click.echo(", ".join(f"{number} {status}" for status, number in sorted(ends.items())))
    if ends["skipped"]:
        raise SystemExit(1)
