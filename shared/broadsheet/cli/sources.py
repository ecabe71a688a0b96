"""`broadsheet sources`: see what a source gives, and keep the file that lists them."""

from collections import Counter
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from click.core import ParameterSource
from msgspec.structs import replace

from broadsheet import source, urls
from broadsheet.cli import sources_text
from broadsheet.cli.answers import json_option, meant, show_json
from broadsheet.cli.deployment import Deployment, on_deployment_if_named
from broadsheet.cli.probe import Probe, probe, probe_source
from broadsheet.cli.reach import allow_option, client_for
from broadsheet.cli.sources_text import file_option
from broadsheet.feeds import opml
from broadsheet.polling import PollState
from broadsheet.source import Source, Sources

_WHY = {
    "announce": "stored and announced",
    "store": "stored, announced to nobody: past the first poll's announce_first, or older than the source",
    "seen": "shown by the source before",
    "later": "left for the next poll: more is new than one may send",
    "twice": "another entry is the same article",
    "no-link": "names no page",
    "off-site": "leaves the source's site; `off_site: true` takes it",
}

_channels = click.option("--channel", "channels", multiple=True, help="Id of a channel that is to hear of it.")


@click.group("sources")
def sources_() -> None:
    """Check, add, list, import and export sources."""


@sources_.command()
@click.argument("wanted", metavar="URL-OR-ID")
@file_option
@json_option
@on_deployment_if_named
@allow_option
def check(wanted: str, *, path: Path, as_json: bool, allow: tuple[str, ...], deployment: Deployment | None) -> None:
    """Ask one source, and show what it would enqueue and why not the rest.

    Of a URL that is a page, the feed that it names is taken. Without --stack or --local every poll is a first poll.
    """
    client = client_for(allow)
    listed = _listed(wanted, path)
    if listed is None:
        found = probe(wanted, client)
    elif deployment is None:
        found = probe_source(listed, client)
    else:
        polls = deployment.polls
        state = polls.states([listed.id]).get(listed.id)
        found = probe_source(
            listed, client, window=polls.window(listed.id, state.lately if state else b""), state=state
        )
    if as_json:
        show_json(found)
    else:
        _show(found)


@sources_.command()
@click.argument("url")
@click.option("--id", "source_id", help="Its id.  [default: made from its host]")
@click.option("--name", help="Its name.  [default: its title]")
@_channels
@file_option
@allow_option
@json_option
def add(
    url: str,
    *,
    source_id: str | None,
    name: str | None,
    channels: tuple[str, ...],
    path: Path,
    allow: tuple[str, ...],
    as_json: bool,
) -> None:
    """Find the feed of a URL, check it, and append it to the file, whose comments and order stay."""
    text, known = _read(path)
    found = probe(url, client_for(allow))
    if twin := _twin(found.source.url, known):
        raise click.ClickException(f"{found.source.url} is in {path} already, as {twin.id}")
    id = source_id or sources_text.free_id(_label(found.source.url), (one.id for one in known.sources))
    made = replace(found.source, id=id, name=name or found.source.name, channels=channels)
    path.write_text(sources_text.added(text, [made], name=str(path)), encoding="utf-8")
    if as_json:
        show_json(made)
        return
    _show(replace(found, source=made))
    click.echo(f"added to {path} as {made.id}")


@sources_.command("import")
@click.argument("file", type=click.File("rb"))
@_channels
@file_option
@json_option
def import_opml(file: BinaryIO, channels: tuple[str, ...], path: Path, as_json: bool) -> None:
    """Append the feeds of an OPML file. None is asked: `sources check` does that."""
    text, known = _read(path)
    made: list[Source] = []
    ends: Counter[str] = Counter()
    for one in opml.read(file.read(), name=file.name):
        together = Sources(sources=(*known.sources, *made))
        try:
            twin = _twin(one.feed_url, together)
        except urls.UrlError as error:
            click.echo(f"{one.feed_url}: {error.reason}", err=True)
            ends["skipped"] += 1
            continue
        if twin:
            ends["known"] += 1
            continue
        id = sources_text.free_id(_label(one.feed_url), (source.id for source in together.sources))
        made.append(Source(id=id, name=one.title or one.feed_url, url=one.feed_url, channels=channels))
        ends["added"] += 1
    path.write_text(sources_text.added(text, made, name=str(path)), encoding="utf-8")
    if as_json:
        show_json(dict(ends))
    else:
        click.echo(", ".join(f"{number} {end}" for end, number in sorted(ends.items())) or "no feeds in it")


@sources_.command()
@click.argument("file", type=click.File("wb"), default="-")
@file_option
@json_option
def export(file: BinaryIO, path: Path, as_json: bool) -> None:
    """Write the file's feeds as OPML, for other readers. Sitemaps and listings have no place there."""
    if as_json and getattr(file, "name", "-") in ("-", "<stdout>"):
        raise click.UsageError("--json tells what went into FILE: name one")
    sources = source.load(path).sources
    listed = [one for one in sources if one.kind == "feed"]
    file.write(opml.write(opml.Subscription(one.url, one.name) for one in listed))
    left = [one.id for one in sources if one.kind != "feed"]
    if as_json:
        show_json({"written": [one.id for one in listed], "left_out": left})
    elif left:
        click.echo(f"left out, being no feeds: {', '.join(left)}", err=True)


@sources_.command("list")
@file_option
@json_option
@on_deployment_if_named
def list_(path: Path, as_json: bool, deployment: Deployment | None) -> None:
    """Show the file's sources; with --stack or --local also which are broken or silent, and why.

    Without --file a deployment's own file is read.
    """
    named = click.get_current_context().get_parameter_source("path") != ParameterSource.DEFAULT
    sources = (source.load(path) if named or deployment is None else deployment.sources).sources
    states = deployment.polls.states([one.id for one in sources]) if deployment else {}
    if as_json:
        rows = [msgspec.to_builtins(one) | ({"state": states.get(one.id)} if deployment else {}) for one in sources]
        show_json(rows)
        return
    width = max((len(one.id) for one in sources), default=0)
    for one in sources:
        standing = f"  {_standing(states.get(one.id))}" if deployment else ""
        click.echo(f"{one.id:<{width}}  {one.kind:<7}  {one.interval:4g} min{standing}  {one.url}")


def _show(found: Probe) -> None:
    for link in found.links:
        click.echo(f"the page names {link.url} ({link.title})")
    click.secho(f"{found.source.url}", bold=True)
    facts = {
        "kind": f"{found.feed}, {found.encoding}",
        "title": found.title,
        "language": found.language,
        "moved to": found.moved_to,
        "warnings": ", ".join(found.warnings),
        "ttl": found.ttl_minutes and f"{found.ttl_minutes} min",
        "updates": found.update_minutes and f"every {found.update_minutes} min",
        "hub": found.hub,
        "goes on at": found.next_url,
        "sitemaps": found.children and f"{len(found.children)}, of which the newest was read",
        "off-site": "all its articles lie elsewhere" if found.source.off_site else None,
        "asked again": f"in {found.minutes:g} min",
    }
    for name, value in facts.items():
        if value:
            click.echo(f"  {name:<12}{value}")
    for one in found.verdicts:
        date = f"{one.published_at:%Y-%m-%d %H:%M}" if one.published_at else "undated"
        text = "  with its text" if one.full_text else ""
        click.echo(f"  {one.verdict:<9} {date:<16}  {one.title[:60]}{text}\n{'':12}{one.url or 'no address'}")
    ends = Counter(one.verdict for one in found.verdicts)
    for end, number in ends.most_common():
        click.echo(f"{number} {end}: {_WHY.get(end, 'its address is no article’s')}")
    if not ends:
        click.echo("no entries")


def _standing(state: PollState | None) -> str:
    if state is None:
        return "never asked"
    return f"{state.trouble or 'well'}{f': {state.reason}' if state.reason else ''}"


def _listed(wanted: str, path: Path) -> Source | None:
    """The source of the file that is meant, by id or by URL; None for a URL that isn't there."""
    if not wanted.startswith(("http://", "https://")):
        listed = source.load(path)
        if (found := listed.source(wanted)) is None:
            there = meant(wanted, (one.id for one in listed.sources))
            raise click.BadParameter(f"no source {wanted!r} in {path}{there}", param_hint="URL-OR-ID")
        return found
    return _twin(wanted, source.load(path)) if path.exists() else None


def _twin(url: str, known: Sources) -> Source | None:
    wanted = urls.canonicalize(url)
    return next((one for one in known.sources if urls.canonicalize(one.url) == wanted), None)


def _label(url: str) -> str:
    """What a site is called for short: `rfi` of www.rfi.fr."""
    return urls.registrable_domain(url).partition(".")[0]


def _read(path: Path) -> tuple[str, Sources]:
    if not path.exists():
        return "", Sources(sources=())
    return path.read_text(encoding="utf-8"), source.load(path)
