"""callback: answers hubs at a function URL, and takes in what they push."""

import base64
import time
from typing import Any
from urllib.parse import parse_qsl

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from broadsheet import observability, settings, websub
from broadsheet.callback import UNKNOWN, Callback, Outcome
from broadsheet.intake import Intake
from broadsheet.polls import Polls
from broadsheet.queue import Queue
from broadsheet.subscriptions import Subscriptions

SETTINGS = settings.read(settings.CallbackSettings)
COUNTED = ("pushed", "pinged", "forged")

logger = observability.logger()
metrics = observability.metrics()
dynamodb, s3, sqs = boto3.client("dynamodb"), boto3.client("s3"), boto3.client("sqs")


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Event: a function URL's request, payload version 2.0. Returns what it is answered.

    A request that concerns nobody leaves neither a log line nor a metric: strangers may send as many as they like.
    """
    outcome = _outcome(event)
    if outcome.source:
        observability.count(metrics, COUNTED, [outcome.status])
        metrics.add_metric(name="Enqueued", unit="Count", value=outcome.enqueued)
        metrics.flush_metrics()
    return {
        "statusCode": outcome.answer,
        "headers": {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"},
        "body": outcome.challenge,
    }


def _outcome(event: dict[str, Any]) -> Outcome:
    path = event["rawPath"]
    if websub.read_path(path) is None:
        return UNKNOWN
    polls = Polls(dynamodb, SETTINGS.state_table)
    callback = Callback(
        polls=polls,
        subscriptions=Subscriptions(dynamodb, SETTINGS.state_table),
        intake=Intake(polls, Queue(sqs, SETTINGS.parse_queue_url)),
        sources=settings.load_sources(SETTINGS.sources, s3),
        clock=time.time,
    )
    match event["requestContext"]["http"]["method"]:
        case "GET":
            return callback.asked(path, dict(parse_qsl(event.get("rawQueryString", ""))))
        case "POST":
            body = event.get("body", "")
            decoded = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
            return callback.pushed(path, event["headers"], decoded)
    return UNKNOWN
