"""The deployed stack a command works on, found by its name through CloudFormation's outputs."""

from functools import cached_property
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import settings, urls
from broadsheet.source import Channel, Sources
from broadsheet.store import Articles, Record

stack_option = click.option(
    "--stack", default="broadsheet", envvar="BROADSHEET_STACK", show_default=True, help="Name of the deployed stack."
)


class Deployment:
    """What a stack's outputs and parameters name; looked up once, when first asked for."""

    def __init__(self, stack: str) -> None:
        self._stack = stack

    @cached_property
    def _described(self) -> Any:
        try:
            return boto3.client("cloudformation").describe_stacks(StackName=self._stack)["Stacks"][0]
        except (ClientError, BotoCoreError) as error:
            raise click.ClickException(f"stack {self._stack}: {error}") from error

    def output(self, name: str) -> str:
        """The value of one of the stack's outputs."""
        for output in self._described.get("Outputs", []):
            if output["OutputKey"] == name:
                return str(output["OutputValue"])
        raise click.ClickException(f"stack {self._stack} has no output {name}: was it deployed from this template?")

    @cached_property
    def sources(self) -> Sources:
        """The sources file the stack reads."""
        parameters = {p["ParameterKey"]: p["ParameterValue"] for p in self._described.get("Parameters", [])}
        return settings.load_sources(parameters.get("Sources", "sources.yaml"), boto3.client("s3"))

    @property
    def articles(self) -> Articles:
        """The stack's articles."""
        return Articles(
            boto3.client("dynamodb"), self.output("ArticlesTableName"), boto3.client("s3"), self.output("BucketName")
        )

    def record(self, article: str) -> Record:
        """The record of an article, by its id or by any of its addresses."""
        id = urls.article_id(article) if article.startswith(("http://", "https://")) else article
        record = self.articles.record(id)
        if record and record.target:
            record = self.articles.record(record.target)
        if record is None:
            raise click.ClickException(f"stack {self._stack} has no article {article}")
        return record

    def channel(self, channel_id: str) -> Channel:
        """A channel of the sources file."""
        for channel in self.sources.channels:
            if channel.id == channel_id:
                return channel
        raise click.ClickException(f"no channel {channel_id!r} in the sources file of stack {self._stack}")
