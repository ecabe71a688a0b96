"""`broadsheet failures`: scheduled runs and stream batches that failed for good, and what each died of."""

import json
from typing import Any

import click
import msgspec

from broadsheet.cli.answers import json_option, show_json
from broadsheet.cli.deployment import Deployment, on_deployment
from broadsheet.cli.dlq import Parked, delete, parked


class FailedRun(msgspec.Struct, frozen=True):
    """A message in the failures queue: what failed, `job` or how many stream records, and its last words."""

    at: str
    function: str
    what: str
    why: str


def failed_run(message: Parked) -> FailedRun:
    """What a message of Lambda's or the Scheduler's own making tells."""
    try:
        told: dict[str, Any] = json.loads(message.body)
    except ValueError:
        told = {}
    context, answer = told.get("requestContext", {}), told.get("responsePayload") or {}
    batch, asked = told.get("DDBStreamBatchInfo"), told.get("requestPayload") or told
    what = f"{batch['batchSize']} stream records" if batch else f"job {asked.get('job', 'unknown')}"
    why = f"{answer.get('errorType', '')}: {answer['errorMessage']}" if "errorMessage" in answer else ""
    return FailedRun(
        at=f"{message.sent_at:%Y-%m-%d %H:%M:%S}",
        function=str(context.get("functionArn", "")).rpartition(":function:")[2].partition(":")[0],
        what=what,
        why=why or str(context.get("condition", "not delivered")),
    )


@click.command("failures")
@click.option("--drop", is_flag=True, help="Delete them: the next run, or the hourly sweep, has made up for them.")
@json_option
@on_deployment
def failures_(drop: bool, as_json: bool, deployment: Deployment) -> None:
    """List the runs that failed for good, each with its error; dropping them ends InvocationsFailedAlarm."""
    sqs, url = deployment.client("sqs"), deployment.output("FailuresQueueUrl")
    with parked(sqs, url) as messages:
        runs = [failed_run(message) for message in messages]
        if as_json:
            show_json(runs)
        else:
            for run in runs:
                click.echo(f"{run.at}  {run.function}  {run.what}: {run.why}")
            click.echo(f"{len(runs)} failed runs", err=True)
        if drop:
            delete(sqs, url, messages)
