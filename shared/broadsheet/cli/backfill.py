"""`broadsheet import`: an archive of seed documents into a deployment."""

import time
from collections import Counter
from pathlib import Path

import click

from broadsheet.cli.deployment import Deployment, stack_option
from broadsheet.importer import documents, import_documents


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--source", "source_id", required=True, help="Id of the source the documents belong to.")
@click.option("--announce/--quiet", default=False, help="Whether channels hear of them.  [default: quiet]")
@stack_option
def import_(paths: tuple[Path, ...], source_id: str, announce: bool, stack: str) -> None:
    """Store seed documents (files, or folders of .md and .txt) as articles.

    Malformed ones are named and skipped; what is stored already stays as it is, so an interrupted import goes on
    where it stopped when run again. Exit code 1 if any was skipped.
    """
    deployment = Deployment(stack)
    source = deployment.sources.source(source_id)
    if source is None:
        raise click.BadParameter(f"no source {source_id!r} in the sources file", param_hint="--source")
    ends: Counter[str] = Counter()
    outcomes = import_documents(paths, deployment.articles, source, announce=announce, clock=time.time)
    with click.progressbar(outcomes, length=sum(1 for _ in documents(paths)), label="importing") as progress:
        for outcome in progress:
            ends[outcome.status] += 1
            if outcome.status == "skipped":
                click.echo(f"\n{outcome.path}: {outcome.reason}", err=True)
    click.echo(", ".join(f"{number} {status}" for status, number in sorted(ends.items())))
    if ends["skipped"]:
        raise SystemExit(1)
