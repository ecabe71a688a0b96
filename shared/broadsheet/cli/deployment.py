"""The deployment a command works on: a stack, found by its name in CloudFormation, or what `make run` left here."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import click
from botocore.exceptions import ClientError

from broadsheet import settings, urls
from broadsheet.archive import Archive
from broadsheet.cli.answers import meant
from broadsheet.deliveries import Deliveries
from broadsheet.polls import Polls
from broadsheet.source import Channel, Source, Sources
from broadsheet.store import Articles, Record

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

STACK = "broadsheet"  # what samconfig.toml calls it
OUT = Path("out")  # where `make run` keeps the embedded AWS
CHECKOUT = Path(__file__).parents[3]


class Deployment:
    """What a stack's outputs and parameters name; looked up once, when first asked for. `name` is the stack's."""

    def __init__(self, name: str = STACK) -> None:
        self.name = name
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The boto3 client of a service, by the user's own credentials and region."""
        if service not in self._clients:
            self._clients[service] = boto3.client(service)  # type: ignore[call-overload]  # the stubs want a literal
        return self._clients[service]

    @cached_property
    def _described(self) -> Any:
        try:
            return self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            pages = self.client("cloudformation").get_paginator("list_stacks").paginate()
            there = [s["StackName"] for page in pages for s in page["StackSummaries"] if "DeletionTime" not in s]
            raise click.ClickException(f"there is no stack {self.name}{meant(self.name, there)}") from error

    def outputs(self) -> dict[str, str]:
        """The stack's outputs by their keys."""
        return {output["OutputKey"]: str(output["OutputValue"]) for output in self._described.get("Outputs", [])}

    def output(self, name: str) -> str:
        """The value of one of the stack's outputs."""
        try:
            return self.outputs()[name]
        except KeyError:
            message = f"stack {self.name} has no output {name}: deploy today's template, or is it another program's?"
            raise click.ClickException(message) from None

    @cached_property
    def sources(self) -> Sources:
        """The sources file the stack reads."""
        parameters = {p["ParameterKey"]: p["ParameterValue"] for p in self._described.get("Parameters", [])}
        return settings.load_sources(parameters.get("Sources", "sources.yaml"), self.client("s3"))

    @property
    def articles(self) -> Articles:
        """The stack's articles."""
        names = self.output("ArticlesTableName"), self.output("BucketName")
        return Articles(self.client("dynamodb"), names[0], self.client("s3"), names[1])

    @property
    def archive(self) -> Archive:
        """The stack's raw pages."""
        return Archive(self.client("s3"), self.output("BucketName"))

    @property
    def polls(self) -> Polls:
        """What the stack remembers of its sources."""
        return Polls(self.client("dynamodb"), self.output("StateTableName"))

    @property
    def deliveries(self) -> Deliveries:
        """What the stack's channels were told; for reading."""
        return Deliveries(self.client("dynamodb"), self.output("StateTableName"), run="cli", lease=1)

    def find(self, article: str) -> tuple[str, Record | None]:
        """The id that an article's id or address means, and the record that it leads to, be it by an alias."""
        ids = urls.article_ids(article) if article.startswith(("http://", "https://")) else (article,)
        record = self.articles.first_record(ids)
        if record and record.target:
            record = self.articles.record(record.target) or record
        return ids[0], record

    def record(self, article: str) -> Record:
        """The record of an article, by its id or by any of its addresses."""
        _, record = self.find(article)
        if record is None or record.target:
            raise click.ClickException(f"stack {self.name} has no article {article}")
        return record

    def source(self, source_id: str) -> Source:
        """A source of the sources file."""
        if (found := self.sources.source(source_id)) is None:
            there = meant(source_id, (one.id for one in self.sources.sources))
            raise click.ClickException(f"no source {source_id!r} in the sources file of stack {self.name}{there}")
        return found

    def channel(self, channel_id: str) -> Channel:
        """A channel of the sources file."""
        for channel in self.sources.channels:
            if channel.id == channel_id:
                return channel
        there = meant(channel_id, (one.id for one in self.sources.channels))
        raise click.ClickException(f"no channel {channel_id!r} in the sources file of stack {self.name}{there}")


def on_deployment(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its `deployment`, chosen by --stack or --local."""
    return _choosing(command, default=STACK)


def on_deployment_if_named(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that works without one the `deployment` that was named, or None."""
    return _choosing(command, default=None)


def _choosing(command: Callable[..., None], *, default: str | None) -> Callable[..., None]:
    @click.option(
        "--stack",
        default=default,
        envvar="BROADSHEET_STACK",
        show_default=default is not None,
        help="The deployed stack's name; also the variable BROADSHEET_STACK.",
    )
    @click.option("--local", is_flag=True, help="The embedded AWS that `make run` left in out/, in a stack's place.")
    @wraps(command)
    def chosen(*arguments: Any, stack: str | None, local: bool, **options: Any) -> None:
        found: AbstractContextManager[Deployment | None]
        found = embedded() if local else nullcontext(Deployment(stack) if stack else None)
        with found as deployment:
            command(*arguments, deployment=deployment, **options)

    return chosen


@contextmanager
def embedded(out: Path = OUT) -> Iterator[Deployment]:
    """The embedded AWS over what `make run` kept in a folder; what a command changes there is kept, too."""
    if not (out / "state").is_dir():
        raise click.ClickException(f"{out.absolute()} holds no embedded AWS: `make run` makes one")
    sys.path.insert(0, str(CHECKOUT))  # it is part of the checkout, not of what is installed
    aws = importlib.import_module("local.embedded").EmbeddedAws
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    boto3.DEFAULT_SESSION = None
    with aws(parameters={"Sources": str((out / "sources.yaml").absolute())}, state_dir=out) as up:
        watch = importlib.import_module("local.watch").Watch(up)
        if (log := out / "log.jsonl").exists():
            watch.replay(log.read_text(encoding="utf-8").splitlines())
        yield Deployment()
