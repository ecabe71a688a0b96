"""`broadsheet channels`: set one up with its secret, see which there are, and post to one to try it."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec
import yaml
from msgspec.inspect import ListType, type_info

from broadsheet import channels, secrets, source
from broadsheet.channels import Announcement, Receipt
from broadsheet.cli import sources_text
from broadsheet.cli.answers import json_option, show_json
from broadsheet.cli.deployment import Deployment, on_deployment
from broadsheet.cli.reach import CONTACT, allow_option, client_for
from broadsheet.cli.sources_text import file_option
from broadsheet.secrets import Secrets
from broadsheet.source import Channel, Sources

_GRANTS = {"email": "SesIdentityArn", "sns": "SnsChannelArn"}  # kinds that post by the function's own role

_secret_file = click.option(
    "--secret-file",
    type=click.File("r"),
    metavar="FILE",
    help="Holds the secret, as JSON or bare; - is the standard input.  [default: it is asked for]",
)
_no_test = click.option("--no-test", is_flag=True, help="Don't post to it.")


@click.group("channels")
def channels_() -> None:
    """Add, list and test channels, and change their secrets."""


@channels_.command()
@click.argument("kind", type=click.Choice(channels.KINDS), metavar="KIND")
@click.argument("channel_id", metavar="ID")
@click.option("--source", "sources", multiple=True, metavar="ID", help="A source whose articles it is to hear of.")
@click.option("--all-sources", is_flag=True, help="It is to hear of all of them.")
@click.option(
    "--with",
    "fields",
    multiple=True,
    metavar="YAML",
    help="""Further fields of its entry, such as 'digest: {daily_at: "08:00"}'.""",
)
@_secret_file
@_no_test
@file_option
@allow_option
@json_option
@on_deployment
def add(
    kind: str,
    channel_id: str,
    *,
    sources: tuple[str, ...],
    all_sources: bool,
    fields: tuple[str, ...],
    secret_file: TextIO | None,
    no_test: bool,
    path: Path,
    allow: tuple[str, ...],
    as_json: bool,
    deployment: Deployment,
) -> None:
    """Set up a channel: ask for its secret, post to it, keep the secret where the stack looks, append it to the file.

    Kinds: slack, slack-bot, webhook, feishu, email, discord, discord-bot, telegram, teams, dingtalk, wecom, sns, ntfy;
    apprise (`pip install 'broadsheet[apprise]'`) for whatever else that library posts to.

    When the post is refused, nothing is kept.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else "sources: []\n"
    known = source.parse(text, name=str(path))
    if any(one.id == channel_id for one in known.channels):
        hint = f"`broadsheet channels secret {channel_id}` gives it another secret"
        raise click.ClickException(f"{path} has a channel {channel_id} already; {hint}")
    entry: dict[str, Any] = {"id": channel_id, "kind": kind}
    for given in fields:
        entry |= _mapping(given) | entry
    wanted = tuple(one.id for one in known.sources) if all_sources else sources
    changed = sources_text.channel_added(text, entry, wanted, name=str(path))
    secret = _asked(channel_id, kind, secret_file)
    receipt = None if no_test else _post(channel_id, kind, secret, allow)
    _keep(deployment, channel_id, secret)
    path.write_text(changed, encoding="utf-8")
    if as_json:
        show_json({"channel": channel_id, "file": path, "secret": _place(deployment, channel_id), "test": receipt})
        return
    _told(receipt)
    click.echo(f"its secret is in {_place(deployment, channel_id)}")
    click.echo(f"added to {path}" + ("" if wanted else "; no source names it yet: add it to their `channels`"))
    if kind in _GRANTS:
        click.echo(f"posted by your own credentials; the stack may once it is deployed with {_GRANTS[kind]}")
    click.echo("deploy, or put the file where the stack reads it, and articles come")


@channels_.command("secret")
@click.argument("channel_id", metavar="ID")
@_secret_file
@_no_test
@allow_option
@json_option
@on_deployment
def secret_(
    channel_id: str,
    *,
    secret_file: TextIO | None,
    no_test: bool,
    allow: tuple[str, ...],
    as_json: bool,
    deployment: Deployment,
) -> None:
    """Give a channel of the stack another secret. It is in use within five minutes, without a deploy."""
    kind = deployment.channel(channel_id).kind
    secret = _asked(channel_id, kind, secret_file)
    receipt = None if no_test else _post(channel_id, kind, secret, allow)
    _keep(deployment, channel_id, secret)
    if as_json:
        show_json({"channel": channel_id, "secret": _place(deployment, channel_id), "test": receipt})
        return
    _told(receipt)
    click.echo(f"its secret is in {_place(deployment, channel_id)}")


@channels_.command("test")
@click.argument("channel_id", metavar="ID")
@allow_option
@json_option
@on_deployment
def test_(channel_id: str, *, allow: tuple[str, ...], as_json: bool, deployment: Deployment) -> None:
    """Post a line to a channel of the stack, with the secret that the stack has."""
    kind = deployment.channel(channel_id).kind
    secret = _secrets(deployment).get(channel_id)
    if secret is None:
        hint = f"`broadsheet channels secret {channel_id}` puts one there"
        raise click.ClickException(f"{channel_id} has no secret in {_place(deployment, channel_id)}; {hint}")
    receipt = _post(channel_id, kind, secret, allow)
    if as_json:
        show_json(receipt)
    else:
        _told(receipt)


@channels_.command("list")
@json_option
@on_deployment
def list_(*, as_json: bool, deployment: Deployment) -> None:
    """Show the channels of the stack, which sources they hear of, and whether their secrets will do."""
    rows = [_row(channel, deployment.sources, _secrets(deployment)) for channel in deployment.sources.channels]
    if as_json:
        show_json(rows)
        return
    for row in rows:
        click.echo(f"{row['id']:<20} {row['kind']:<12} secret {row['secret']}; {_heard(row['sources'])}")
    if not rows:
        click.echo("no channels")


def _row(channel: Channel, known: Sources, kept: Secrets) -> dict[str, Any]:
    there = kept.get(channel.id)
    state = "missing" if there is None else "there"
    if there is not None:
        try:
            channels.unlock(channel.id, channel.kind, there)
        except channels.ChannelClosedError as error:
            state = f"malformed: {error.detail}"
    heard = [one.id for one in known.sources if channel.id in one.channels]
    return {**msgspec.to_builtins(channel), "secret": state, "sources": heard}


def _heard(sources: list[str]) -> str:
    shown = ", ".join(sources[:5]) + (f" and {len(sources) - 5} more" if len(sources) > 5 else "")
    return f"hears of {shown}" if sources else "no source names it"


def _asked(channel_id: str, kind: str, file: TextIO | None) -> str:
    """The secret out of a file, or by its fields as somebody types them, which nobody sees."""
    if file is not None:
        given = file.read().strip()
    else:
        shape = channels.secret_shape(kind)
        click.echo(f"{kind}: {shape.__doc__}")
        fields = {name: value for name, value in _typed(shape) if value}
        given = msgspec.json.encode(fields).decode()
    channels.unlock(channel_id, kind, given)
    return given


def _typed(shape: type[msgspec.Struct]) -> Iterable[tuple[str, Any]]:
    for field in msgspec.structs.fields(shape):
        if field.name == "api_url":  # for tests and proxies; a file can name it
            continue
        many = isinstance(type_info(field.type), ListType)
        label = field.encode_name + (", separated by commas" if many else "") + ("" if field.required else ", if any")
        typed = click.prompt(f"  {label}", hide_input=True, default=None if field.required else "", show_default=False)
        yield field.encode_name, [part.strip() for part in typed.split(",")] if many else typed.strip()


def _mapping(text: str) -> dict[str, Any]:
    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise click.BadParameter(str(error).split("\n")[0], param_hint="--with") from error
    if not isinstance(read, dict):
        raise click.BadParameter(f"{text!r} names no field: write `field: value`", param_hint="--with")
    return read


def _post(channel_id: str, kind: str, secret: str, allow: tuple[str, ...]) -> Receipt:
    """A post that says what it is; DeliveryError with the channel's own words if it isn't taken."""
    number = uuid.uuid4().hex[:26]
    told = Announcement(
        article_id=number,
        delivery_id=number,
        title="Broadsheet can post here",
        url=CONTACT,
        summary=f"This is a test of the channel “{channel_id}”. Articles look like this.",
        source_name="Broadsheet",
        published_at=datetime.now(UTC),
        language="en",
    )
    return channels.post(channel_id, kind, secret, told, client_for(allow))


def _told(receipt: Receipt | None) -> None:
    if receipt is not None:
        named = f" as {receipt.message_id}" if receipt.message_id else ""
        click.echo(f"{receipt.channel_id} took the test post{named}")


def _secrets(deployment: Deployment) -> Secrets:
    return Secrets(deployment.client(_store(deployment)), deployment.output("SecretsPath"))


def _keep(deployment: Deployment, channel_id: str, secret: str) -> None:
    secrets.put(deployment.client(_store(deployment)), deployment.output("SecretsPath"), channel_id, secret)


def _place(deployment: Deployment, channel_id: str) -> str:
    return f"{_store(deployment)}:{deployment.output('SecretsPath')}/{channel_id}"


def _store(deployment: Deployment) -> str:
    return deployment.outputs().get("SecretsStore", "ssm")
