"""The command line `broadsheet`: one module per group of commands, none of them part of the layer."""

import click
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from broadsheet.cli.article import article_, enqueue
from broadsheet.cli.backfill import import_
from broadsheet.cli.channels import channels_
from broadsheet.cli.cost import cost_
from broadsheet.cli.dlq import dlq_
from broadsheet.cli.export import export_
from broadsheet.cli.failures import failures_
from broadsheet.cli.forget import forget_
from broadsheet.cli.look import extract_, fetch_
from broadsheet.cli.preview import preview
from broadsheet.cli.reparse import reparse_
from broadsheet.cli.search import search_
from broadsheet.cli.sources import sources_
from broadsheet.cli.status import status_
from broadsheet.cli.why import why
from broadsheet.errors import BroadsheetError


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        """Errors raised on purpose, and AWS's, become one line; anything else keeps its traceback: it is a defect."""
        try:
            return super().invoke(ctx)
        except BroadsheetError as error:
            raise click.ClickException(str(error)) from error
        except (NoCredentialsError, NoRegionError) as error:
            hint = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its kin, and AWS_REGION; or ask the embedded AWS: --local"
            raise click.ClickException(f"{str(error).rstrip('.')}: {hint}") from error
        except (ClientError, BotoCoreError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
@click.version_option(package_name="broadsheet")
def main() -> None:
    """Every article of your sources, once, as clean JSON."""


COMMANDS = (
    *(status_, article_, enqueue, import_, export_, reparse_, dlq_, failures_),
    *(search_, sources_, channels_, preview, extract_, fetch_, why, cost_, forget_),
)
for command in COMMANDS:
    main.add_command(command)
