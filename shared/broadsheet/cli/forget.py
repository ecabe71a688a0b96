"""`broadsheet forget`: an article, or all of a source's, leaves for good."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import click
from click import progressbar

from broadsheet.cli.answers import json_option, meant, show_json
from broadsheet.cli.deployment import Deployment, on_deployment
from broadsheet.forget import Forgetting
from broadsheet.source import Sources
from broadsheet.store import Record

_ID = re.compile(r"[a-z0-9]{26}")


@click.command("forget")
@click.argument("what", metavar="ID|URL|SOURCE", required=False)
@click.option("--expired", is_flag=True, help="All that their sources' keep_days are over for.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
@on_deployment
def forget_(what: str | None, *, expired: bool, yes: bool, as_json: bool, deployment: Deployment) -> None:
    """Remove an article, or all first found in SOURCE, everywhere and for good, and keep it from coming back.

    Objects with all their versions, older revisions, raw pages, what channels were told, what its text is recognised
    by; publish then takes it out of editions and pages. What is left is its id. Interrupted, the same again completes
    it. New articles of a source keep coming while the sources file has it.
    """
    if (what is None) != expired:
        raise click.UsageError("name an article's id or address, or a source; or --expired")
    now = datetime.now(UTC)
    forgetting = Forgetting(
        deployment.client("dynamodb"),
        deployment.client("s3"),
        articles_table=deployment.output("ArticlesTableName"),
        state_table=deployment.output("StateTableName"),
        bucket=deployment.output("BucketName"),
    )
    found = forgetting.find(_expired(deployment.sources, now) if what is None else _meant(deployment, what))
    if what and not found and not _is_forgotten(deployment, what):
        there = meant(what, (one.id for one in deployment.sources.sources))
        raise click.ClickException(f"stack {deployment.name} has no article and no source {what}{there}")
    if found and not yes:
        _ask([record for record, _ in found.values()])
    done = []
    with progressbar(found.values(), label="forgetting", file=sys.stderr) as progress:
        for record, aliases in progress:
            done.append(forgetting.forget(record, aliases, now=now))
    told = {"forgotten": len(done)} | {
        name: sum(getattr(one, name) for one in done) for name in ("aliases", "objects", "raw", "items")
    }
    if as_json:
        show_json(told)
    else:
        click.echo(", ".join(f"{number} {name}" for name, number in told.items()))


def _meant(deployment: Deployment, what: str) -> Callable[[Record], bool]:
    """Which records WHAT means: the article's own, or the source's."""
    id = _article_id(deployment, what)
    if id is None:
        return lambda record: record.source == what
    return lambda record: record.id == id


def _article_id(deployment: Deployment, what: str) -> str | None:
    """The id of the article that WHAT is, or is another address of; None for a source."""
    is_address = what.startswith(("http://", "https://"))
    if not is_address and not (_ID.fullmatch(what) and deployment.sources.source(what) is None):
        return None
    id, record = deployment.find(what)
    return record.target or record.id if record else id


def _is_forgotten(deployment: Deployment, what: str) -> bool:
    id = _article_id(deployment, what)
    record = deployment.articles.record(id) if id else None
    return record is not None and record.status == "forgotten"


def _expired(sources: Sources, now: datetime) -> Callable[[Record], bool]:
    """Which records are of a source that keeps articles for less long than they have been here."""
    ends = {
        source.id: now - timedelta(days=source.keep_days) for source in sources.sources if source.keep_days is not None
    }
    return lambda record: record.source in ends and datetime.fromisoformat(record.first_seen) < ends[record.source]


def _ask(records: list[Record]) -> None:
    for record in records[:5]:
        click.echo(f"{record.id}  {record.first_seen[:10]}  {record.source}  {record.title or record.url}", err=True)
    if len(records) > 5:
        click.echo(f"and {len(records) - 5} more", err=True)
    click.confirm(f"{len(records)} gone for good then. Forget them?", abort=True, err=True)
