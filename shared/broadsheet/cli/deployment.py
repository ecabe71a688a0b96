"""The deployed stack a command works on, found by its name through CloudFormation's outputs."""

from functools import cached_property
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet import settings
from broadsheet.source import Sources
from broadsheet.store import Articles

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

    @property
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
