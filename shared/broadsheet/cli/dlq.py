"""`broadsheet dlq`: the messages that were given up, why, and sending them round once more."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from broadsheet.cli.answers import json_option, show_json
from broadsheet.cli.deployment import Deployment, on_deployment
from broadsheet.queue import ArticleMessage, MessageError, Queue, decode

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

HOLD = 300  # seconds for which nobody else sees what a command is looking at
CRASHED = "crashed"  # SQS moves a message here after so many crashes, and can't say why

F = TypeVar("F", bound=Callable[..., None])


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the dead-letter queue. `reason`, `error` and `place` are parse's own words, `receipt` deletes it."""

    id: str
    receipt: str
    body: str
    reason: str
    error: str
    place: str
    sent_at: datetime

    @property
    def message(self) -> ArticleMessage | None:
        """What it says; None if it isn't an article message."""
        try:
            return decode(self.body, message_id=self.id)
        except MessageError:
            return None


@contextmanager
def parked(sqs: "SQSClient", url: str) -> Iterator[list[Parked]]:
    """Everything in the queue, oldest first, held while this lasts; what is not deleted is seen again afterwards."""
    held: dict[str, Parked] = {}
    try:
        while found := sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=HOLD,
            WaitTimeSeconds=1,  # asks all of SQS's servers; a short poll misses messages
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
        ).get("Messages"):
            for raw in found:
                told = {name: value.get("StringValue", "") for name, value in raw.get("MessageAttributes", {}).items()}
                held[raw["MessageId"]] = Parked(
                    id=raw["MessageId"],
                    receipt=raw["ReceiptHandle"],
                    body=raw["Body"],
                    reason=told.get("reason", CRASHED),
                    error=told.get("error", ""),
                    place=told.get("place", ""),
                    sent_at=datetime.fromtimestamp(int(raw["Attributes"]["SentTimestamp"]) / 1000, UTC),
                )
        yield sorted(held.values(), key=lambda one: one.sent_at)
    finally:
        for ten in _tens(held.values()):
            # of messages deleted meanwhile SQS says that they are gone, which the answer may
            sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(i), "ReceiptHandle": one.receipt, "VisibilityTimeout": 0} for i, one in enumerate(ten)
                ],
            )


def delete(sqs: "SQSClient", url: str, messages: Sequence[Parked]) -> None:
    """Delete what is held, ten to a call."""
    for ten in _tens(messages):
        sqs.delete_message_batch(
            QueueUrl=url, Entries=[{"Id": str(i), "ReceiptHandle": one.receipt} for i, one in enumerate(ten)]
        )


def _tens(messages: Iterable[Parked]) -> Iterator[list[Parked]]:
    """As many as one call takes."""
    left = list(messages)
    while left:
        yield left[:10]
        del left[:10]


def redrive(sqs: "SQSClient", url: str, parse_url: str, messages: Sequence[Parked], *, now: float) -> list[Parked]:
    """Send messages to parse again, as new ones; returns those that stay: unreadable, or refused by the queue.

    Sent before it is deleted: whoever is interrupted in between sends it twice, and loses none.
    """
    again: dict[str, ArticleMessage] = {}
    for one in messages:
        if message := one.message:
            again[one.id] = msgspec.structs.replace(message, attempt=0, hops=0, not_before=0.0, reason="redriven")
    refused = Queue(sqs, parse_url).send(list(again.values()), now=now)
    sent = [one for one in messages if one.id in again and not any(again[one.id] is no for no in refused)]
    delete(sqs, url, sent)
    return [one for one in messages if one not in sent]


@click.group("dlq")
def dlq_() -> None:
    """Look at article messages that were given up, and send them round again."""


def _choice(command: F) -> F:
    """The arguments that choose messages."""
    command = click.argument("ids", nargs=-1, metavar="[ID]...")(command)
    command = click.option("--reason", help="All that were given up for this reason.")(command)
    command = click.option("--source", help="All of this source; with --reason, those of both.")(command)
    return click.option("--all", "every", is_flag=True, help="All of them.")(command)


@dlq_.command("list")
@json_option
@on_deployment
def list_(as_json: bool, deployment: Deployment) -> None:
    """List what waits there: id, since when, reason, address."""
    sqs, url = _queue(deployment)
    with parked(sqs, url) as messages:
        if as_json:
            show_json(messages)
            return
        for one in messages:
            message = one.message
            address = message.url if message else "not an article message"
            click.echo(f"{one.id[:8]}  {one.sent_at:%Y-%m-%d %H:%M}  {one.reason:<20}  {address}")
        click.echo(f"{len(messages)} given up", err=True)


@dlq_.command()
@_choice
@json_option
@on_deployment
def show(*, as_json: bool, deployment: Deployment, **choice: Any) -> None:
    """Show messages whole, with the exception that ended them and its place. IDs may be shortened."""
    sqs, url = _queue(deployment)
    with parked(sqs, url) as messages:
        chosen = _chosen(messages, **choice)
        if as_json:
            show_json(chosen)
            return
        for one in chosen:
            click.secho(f"{one.id}  {one.reason}", bold=True)
            for line in (f"{one.sent_at:%Y-%m-%d %H:%M:%S} UTC", one.error, one.place, one.body):
                if line:
                    click.echo(f"  {line}")


@dlq_.command("redrive")
@_choice
@json_option
@on_deployment
def redrive_(*, as_json: bool, deployment: Deployment, **choice: Any) -> None:
    """Send messages to parse again, with all their tries before them. Exit code 1 if any stays."""
    sqs, url = _queue(deployment)
    with parked(sqs, url) as messages:
        chosen = _chosen(messages, **choice)
        stay = redrive(sqs, url, deployment.output("ParseQueueUrl"), chosen, now=time.time())
        for one in stay:
            click.echo(
                f"{one.id[:8]} stays: {'refused by the queue' if one.message else 'no article message'}", err=True
            )
        _done("sent again", "sent", len(chosen) - len(stay), as_json)
    if stay:
        raise SystemExit(1)


@dlq_.command()
@_choice
@click.confirmation_option(prompt="They are gone for good then. Drop them?")
@json_option
@on_deployment
def drop(*, as_json: bool, deployment: Deployment, **choice: Any) -> None:
    """Delete messages."""
    sqs, url = _queue(deployment)
    with parked(sqs, url) as messages:
        chosen = _chosen(messages, **choice)
        delete(sqs, url, chosen)
        _done("dropped", "dropped", len(chosen), as_json)


def _done(words: str, key: str, number: int, as_json: bool) -> None:
    if as_json:
        show_json({key: number})
    else:
        click.echo(f"{number} {words}")


def _queue(deployment: Deployment) -> "tuple[SQSClient, str]":
    return deployment.client("sqs"), deployment.output("DeadLetterQueueUrl")


def _chosen(
    messages: list[Parked], *, ids: tuple[str, ...], reason: str | None, source: str | None, every: bool
) -> list[Parked]:
    """The messages meant; an id that means none, or several, is an error."""
    if not (ids or reason or source or every):
        raise click.UsageError("name ids, a --reason, a --source, or --all")
    for id in ids:
        if (found := sum(one.id.startswith(id) for one in messages)) != 1:
            raise click.BadParameter(f"{id} is the beginning of {found} messages", param_hint="ID")
    return [
        one
        for one in messages
        if every or one.id.startswith(ids or ("-",)) or ((reason or source) and _is_of(one, reason, source))
    ]


def _is_of(one: Parked, reason: str | None, source: str | None) -> bool:
    message = one.message
    return reason in (None, one.reason) and source in (None, message.source if message else "")
