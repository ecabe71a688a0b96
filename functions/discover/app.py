"""discover: asks the sources that are due for what is new, and enqueues it."""

import time
from collections import Counter
from typing import Any, get_args

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from broadsheet import observability, settings
from broadsheet.discover import Discoverer, Outcome, Status
from broadsheet.fetch import Client, user_agent
from broadsheet.hosts import Hosts
from broadsheet.polls import Polls
from broadsheet.queue import Queue
from broadsheet.refetch import Refetcher
from broadsheet.shares import ShareError, Shares, decode
from broadsheet.store import Articles
from broadsheet.subscriptions import Subscriptions

SETTINGS = settings.read(settings.DiscoverSettings)
# Seconds: the function's timeout of 240, and so many more that the next run finds those hosts busy at which a run died.
# Were it one of them that kills it, every other run would still get through to all the others.
LEASE = 330

logger = observability.logger()
metrics = observability.metrics()
dynamodb, s3, sqs = boto3.client("dynamodb"), boto3.client("s3"), boto3.client("sqs")
client = Client(user_agent=user_agent(SETTINGS.contact), allowed_networks=SETTINGS.networks)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Event: {"job": "poll"}, with "force": true to ask every source now; or SQS records, each body a share of them.

    Returns how many sources ended how, and how many pages are to be fetched again.
    """
    polls, queue = Polls(dynamodb, SETTINGS.state_table), Queue(sqs, SETTINGS.parse_queue_url)
    sources = settings.load_sources(SETTINGS.sources, s3)
    discoverer = Discoverer(
        polls=polls,
        hosts=Hosts(dynamodb, SETTINGS.state_table, run=context.aws_request_id, lease=LEASE),
        queue=queue,
        shares=Shares(sqs, SETTINGS.polls_queue_url),
        client=client,
        sources=sources,
        clock=time.time,
        sleep=time.sleep,
        deadline=time.time() + context.get_remaining_time_in_millis() / 1000,
        subscriptions=Subscriptions(dynamodb, SETTINGS.state_table) if SETTINGS.callback_url else None,
        callback_url=SETTINGS.callback_url,
    )
    refetched = 0
    if "Records" in event:
        outcomes = [outcome for record in event["Records"] for outcome in _poll_share(discoverer, record)]
    else:
        refetched = Refetcher(
            articles=Articles(dynamodb, SETTINGS.articles_table, s3, bucket=""),  # for its records alone
            polls=polls,
            queue=queue,
            sources=sources,
            clock=time.time,
        ).run()
        outcomes = discoverer.run(force=bool(event.get("force")))
    observability.count(metrics, get_args(Status), (outcome.status for outcome in outcomes))
    notices = Counter(outcome.notice for outcome in outcomes)
    metrics.add_metric(name="SourcesInTrouble", unit="Count", value=notices["broken"] + notices["silent"])
    metrics.add_metric(name="SourcesRecovered", unit="Count", value=notices["recovered"])
    metrics.add_metric(name="Enqueued", unit="Count", value=sum(outcome.enqueued for outcome in outcomes))
    return observability.tally(outcome.status for outcome in outcomes) | ({"refetched": refetched} if refetched else {})


def _poll_share(discoverer: Discoverer, record: dict[str, Any]) -> list[Outcome]:
    try:
        share = decode(record["body"], message_id=record["messageId"])
    except ShareError as error:
        logger.error("not a share", extra={"message_id": error.subject, "detail": error.detail})
        return []
    return discoverer.run_share(share)
