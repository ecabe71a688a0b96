"""`broadsheet preview`: what each kind of channel would show of an article."""

import html
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import click
import msgspec

from broadsheet import channels, extract, tellings
from broadsheet.channels import Message
from broadsheet.cli.answers import json_option, meant, show_json
from broadsheet.cli.deployment import Deployment, on_deployment_if_named
from broadsheet.cli.reach import allow_option, page_at
from broadsheet.source import Channel, Sources
from broadsheet.store import Record, document, record_of
from broadsheet.summary import summarize

_UNSEEN = re.compile("[\u200b\u2060]")  # what keeps markup and links from coming alive
_VISIBLE = ("title", "text", "content", "body", "description", "name", "message", "subject", "Subject")


@click.command("preview")
@click.argument("article", metavar="ARTICLE")
@click.option(
    "--channel", "wanted", multiple=True, metavar="KIND-OR-ID", help="Show only these.  [default: every kind]"
)
@allow_option
@json_option
@on_deployment_if_named
def preview(
    article: str, *, wanted: tuple[str, ...], allow: tuple[str, ...], as_json: bool, deployment: Deployment | None
) -> None:
    """Show what channels would show of ARTICLE: a page's address or file; with --stack or --local a stored article.

    A stored article is named by its id or address, and its channels by theirs. --json shows what would be posted.
    """
    if deployment:
        record, sources = deployment.record(article), deployment.sources
        targets = [channel for channel in sources.channels if not wanted or channel.id in wanted]
    else:
        record, sources, targets = _read(article, allow), Sources(sources=()), []
    known = {channel.id for channel in targets}
    kinds = [kind for kind in channels.KINDS if kind in wanted or not (wanted or targets)]
    targets += [Channel(id=kind, kind=kind) for kind in kinds]
    for name in wanted:
        if name not in known and name not in kinds:
            raise click.ClickException(f"no channel and no kind {name!r}{meant(name, (*known, *channels.KINDS))}")
    shown = [(one, channels.render(one.kind, tellings.announcement(record, one, sources))) for one in targets]
    if as_json:
        show_json([{"channel": one.id, **msgspec.to_builtins(message)} for one, message in shown])
        return
    for one, message in shown:
        size = len(json.dumps(message.payload, ensure_ascii=False).encode("utf-8", "replace"))
        label = one.id if one.id == one.kind else f"{one.id} ({one.kind})"
        click.secho(f"── {label}, {size:,} bytes ".ljust(72, "─"), bold=True)
        click.echo("\n".join(readable(message)) + "\n")


def readable(message: Message) -> list[str]:
    """What a person would read of a message, and where its links lead, a line each."""
    payload = message.payload
    match message.kind:
        case "webhook" | "sns":
            return json.dumps(payload, ensure_ascii=False, indent=1).splitlines()
        case "email":
            return [f"Subject: {payload['subject']}", *_Text(payload["html"].partition("<body")[2]).lines()]
        case "telegram":
            return _Text(payload["text"]).lines()
        case "slack" | "slack-bot":
            return _lines(_texts(payload["blocks"]), _slack)
        case "wecom":
            return _lines(_texts(payload), lambda text: re.sub("</?font[^>]*>", "", text))
        case "discord" | "discord-bot":
            return _lines(_texts(payload["embeds"]), lambda text: re.sub(r"\\([^\w\s])", r"\1", text))
        case _:
            return _lines(_texts(payload), str)


def _texts(part: Any) -> list[str]:
    """The texts and addresses of a card, in its order; a title that is shown beside its own text is taken once."""
    found: list[str] = []
    if isinstance(part, dict):
        for name, value in part.items():
            if name in _VISIBLE and isinstance(value, str):
                found.append(value)
            elif name in ("url", "click") and isinstance(value, str):
                found.append(f"→ {value}")
            elif name != "fallbackText":
                found += _texts(value)
    elif isinstance(part, list):
        for value in part:
            found += _texts(value)
    return list(dict.fromkeys(found))


def _slack(text: str) -> str:
    return html.unescape(re.sub(r"<([^|>]+)\|([^>]*)>", r"\2 → \1", text))


def _lines(texts: list[str], plain: Any) -> list[str]:
    return [_UNSEEN.sub("", line) for text in texts for line in plain(text).splitlines()]


class _Text(HTMLParser):
    """The words of HTML, with the address of each link behind it."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self._said: list[str] = []
        self._href = ""
        self.feed(markup.partition(">")[2] if markup.startswith(" ") else markup)
        self.close()

    def lines(self) -> list[str]:
        return [_UNSEEN.sub("", line) for line in "".join(self._said).splitlines() if line.strip()]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._href = dict(attrs).get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._said.append(f" → {self._href}")
        elif tag in ("h1", "h2", "h3", "p", "div"):
            self._said.append("\n")

    def handle_data(self, data: str) -> None:
        self._said.append(data)


def _read(page: str, allow: tuple[str, ...]) -> Record:
    """The record a page would get."""
    body, url, charset = page_at(page, allow, advice="; of a stored article say --stack or --local")
    found = extract.explain(body, url, charset=charset).article
    now = datetime.now(UTC)
    source = found.site_name or url.split("/")[2]
    made = document(found, id="p" * 26, source=source, first_seen=now, fetched_at=now, summary=summarize(found))
    return record_of(made, key="", committed_at=now, announce=True, trace="")
