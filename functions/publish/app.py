"""publish: renders editions, lists, feeds and pages of what was committed since it last looked."""

import time
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from broadsheet import observability, settings
from broadsheet.editions import Editions
from broadsheet.hosts import Hosts
from broadsheet.polls import Polls
from broadsheet.publish import Publisher
from broadsheet.store import Articles

SETTINGS = settings.read(settings.PublishSettings)
LEASE = 870  # seconds: the function's timeout of 840 and some

logger = observability.logger()
dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Event: {"job": "publish"}, with "everything": true to render every page anew. Returns how much ended how."""
    publisher = Publisher(
        articles=Articles(dynamodb, SETTINGS.articles_table, s3, SETTINGS.bucket),
        editions=Editions(s3, SETTINGS.bucket),
        polls=Polls(dynamodb, SETTINGS.state_table),
        hosts=Hosts(dynamodb, SETTINGS.state_table, run=context.aws_request_id, lease=LEASE),
        sources=settings.load_sources(SETTINGS.sources, s3),
        clock=time.time,
        deadline=time.time() + context.get_remaining_time_in_millis() / 1000,
        base=SETTINGS.pages_url.rstrip("/"),
    )
    return observability.tally(outcome.status for outcome in publisher.run(everything=bool(event.get("everything"))))
