"""`broadsheet article` and `broadsheet enqueue`: what became of one article, and having a page read by hand."""

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from broadsheet import urls
from broadsheet.cli.answers import json_option, show_json
from broadsheet.cli.deployment import Deployment, on_deployment
from broadsheet.cli.dlq import Parked, parked
from broadsheet.cli.status import lines
from broadsheet.deliveries import Delivery
from broadsheet.polling import PollState
from broadsheet.queue import ArticleMessage, Queue
from broadsheet.store import Record

BEFORE = 3600.0  # seconds before its first sighting from which an article's log lines are looked for
UNKNOWN_FOR = 3 * 86400.0  # seconds of log looked through for an article that has no record
SHOWN = ("service", "status", "channel", "source", "reason", "detail", "attempt", "retry_at")


class Version(msgspec.Struct, frozen=True):
    """One of the article's objects: S3 keeps the older ones for a month."""

    at: str
    version: str
    bytes: int
    current: bool


class History(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of an article, or of an address that brought none."""

    id: str
    asked: str
    record: Record | None
    versions: list[Version]
    deliveries: dict[str, Delivery]
    given_up: list[Parked]
    log: list[dict[str, Any]]
    sources: dict[str, PollState | None]


def history(deployment: Deployment, asked: str, *, log: bool) -> History:
    """What became of an article, asked for by its id or any of its addresses."""
    id, record = deployment.find(asked)
    of = record.id if record else id
    since = datetime.fromisoformat(record.first_seen).timestamp() - BEFORE if record else time.time() - UNKNOWN_FOR
    with parked(deployment.client("sqs"), deployment.output("DeadLetterQueueUrl")) as messages:
        given_up = [one for one in messages if one.message and one.message.id in (id, of)]
    wanted = {id, of, *([record.trace] if record and record.trace else [])}
    found = [line for term in sorted(wanted) for line in lines(deployment, f'"{term}"', since=since)] if log else []
    mine = {str(sorted(line.items(), key=str)): line for line in found if wanted & _names(line)}
    listed = [one for one in deployment.sources.sources if asked.startswith("http") and urls.same_site(one.url, asked)]
    near = [record.source] if record else [one.id for one in listed]
    states = deployment.polls.states(near) if near else {}
    return History(
        id=of,
        asked=asked,
        record=record,
        versions=_versions(deployment, record),
        deliveries=deployment.deliveries.of_article(of) if record else {},
        given_up=given_up,
        log=sorted(mine.values(), key=lambda line: float(line["at"])),
        sources={source: states.get(source) for source in near},
    )


def _names(line: dict[str, Any]) -> set[str]:
    """The ids and traces a line is about; discover's tells of all it enqueued."""
    traces = line.get("traces") or {}
    return {str(line.get("id")), str(line.get("trace")), *traces, *traces.values()}


def _versions(deployment: Deployment, record: Record | None) -> list[Version]:
    if record is None or record.s3_key is None:
        return []
    answer = deployment.client("s3").list_object_versions(Bucket=deployment.output("BucketName"), Prefix=record.s3_key)
    return [
        Version(f"{one['LastModified']:%Y-%m-%d %H:%M:%S}", one["VersionId"], one["Size"], one["IsLatest"])
        for one in reversed(answer.get("Versions", []))
    ]


@click.command("article")
@click.argument("wanted", metavar="ID|URL")
@click.option("--log/--no-log", default=True, help="Look through the functions' logs, too.  [default: look]")
@json_option
@on_deployment
def article_(wanted: str, log: bool, as_json: bool, deployment: Deployment) -> None:
    """Tell an article's whole history: how it was discovered, fetched, revised, and told to whom.

    Of an address that brought no article, what is known of why. Exit code 1 if there is no article.
    """
    found = history(deployment, wanted, log=log)
    if as_json:
        show_json(found)
    else:
        _tell(found)
    if found.record is None or found.record.status != "stored":
        raise SystemExit(1)


def _tell(found: History) -> None:
    record = found.record
    if record is None:
        click.secho(f"no record of {found.asked}", bold=True)
    else:
        click.secho(record.title or record.url, bold=True)
        if found.asked not in (record.id, record.url):
            click.echo(f"  asked for    {found.asked}")
        for name in ("id", "url", "status", "reason", "first_seen", "published_at", "origin", "s3_key", "trace"):
            if value := getattr(record, name):
                click.echo(f"  {name:<12} {value}")
        click.echo(f"  {'sources':<12} {', '.join(sorted(record.sources or {record.source}))}")
        click.echo(f"  {'revision':<12} {record.revision}")
    for version in found.versions:
        click.echo(f"  object       {version.at}  {version.bytes} bytes{'' if version.current else ', replaced since'}")
    for channel, told in sorted(found.deliveries.items()):
        at = told.sent_at or told.due_at
        when = f" {datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}" if at else ""
        click.echo(f"  {channel:<12} {told.status}{when}{f', {told.reason}' if told.reason else ''}")
    for line in found.log:
        moment = f"{datetime.fromtimestamp(float(line['at']), UTC):%Y-%m-%d %H:%M:%S}"
        told_of = "  ".join(str(line[name]) for name in SHOWN if line.get(name))
        click.echo(f"  {moment}  {told_of or line.get('message')}")
    for one in found.given_up:
        click.echo(f"  given up     {one.sent_at:%Y-%m-%d %H:%M:%S}  {one.reason}: {one.error}")
        click.echo(f"  again        broadsheet dlq redrive {one.id[:8]}")
    if record is None:
        _guess(found)


def _guess(found: History) -> None:
    """What may keep an address from being an article, as far as its source tells."""
    for source, state in found.sources.items():
        standing = "never polled" if state is None else f"{state.trouble or 'well'} {state.reason}".strip()
        at = (
            f", polled {datetime.fromtimestamp(state.polled_at, UTC):%Y-%m-%d %H:%M}"
            if state and state.polled_at
            else ""
        )
        click.echo(
            f"  its site's source {source}: {standing}{at}; `broadsheet sources check {source}` shows what it lists"
        )
    if not found.sources and found.asked.startswith("http"):
        click.echo("  no source of the sources file is of its site")
    if not found.log and not found.given_up and found.asked.startswith("http"):
        source = next(iter(found.sources), "SOURCE")
        click.echo(f"  to have it read: broadsheet enqueue {found.asked} --source {source}")


@click.command("enqueue")
@click.argument("url")
@click.option("--source", "source_id", required=True, help="Id of the source it counts as found in.")
@click.option("--announce/--quiet", default=True, help="Whether channels hear of it.  [default: announce]")
@json_option
@on_deployment
def enqueue(url: str, *, source_id: str, announce: bool, as_json: bool, deployment: Deployment) -> None:
    """Have one page read, as if its source had listed it."""
    source = deployment.source(source_id)
    id, known = deployment.find(url)
    if known and known.status != "unavailable":
        raise click.ClickException(f"{url} is stored already, as {known.id}: `broadsheet article {known.id}`")
    now = time.time()
    message = ArticleMessage(
        id=id,
        url=urls.clean(url),
        source=source.id,
        first_seen=datetime.fromtimestamp(now, UTC).replace(microsecond=0),
        trace=uuid.uuid4().hex[:16],
        announce=announce,
        reason="enqueued by hand",
    )
    if Queue(deployment.client("sqs"), deployment.output("ParseQueueUrl")).send([message], now=now):
        raise click.ClickException(f"the queue of stack {deployment.name} did not take {url}: try again")
    if as_json:
        show_json({"id": id, "trace": message.trace})
    else:
        click.echo(f"enqueued as {id}; `broadsheet article {id}` tells what becomes of it")
