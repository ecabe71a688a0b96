"""notify: tells channels of committed articles, and posts what is due."""

import time
from functools import cache
from typing import Any, get_args

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from broadsheet import bedrock, observability, settings
from broadsheet.deliveries import Deliveries
from broadsheet.fetch import Client, Limits, user_agent
from broadsheet.notify import Notifier
from broadsheet.phrasings import Phrasings
from broadsheet.posting import TIME_FOR_A_POST, Status
from broadsheet.rewriting import Rewriter
from broadsheet.secrets import Secrets
from broadsheet.standings import Standings
from broadsheet.store import Articles, record_from_item

SETTINGS = settings.read(settings.NotifySettings)
LEASE = 90  # seconds: the function's timeout of 60 and some

logger = observability.logger()
metrics = observability.metrics()
dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
vault = boto3.client(SETTINGS.secrets_store)
client = Client(
    user_agent=user_agent(SETTINGS.contact),
    allowed_networks=SETTINGS.networks,
    limits=Limits(total_seconds=12.0),  # within posting.TIME_FOR_A_POST, which also pays for our record of the answer
)
secrets = Secrets(vault, SETTINGS.secrets_path)
last_posts: dict[str, float] = {}
model = cache(bedrock.client)  # 0.1 s, for those who have a channel that asks for one


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Event: a batch of the Articles table's stream, {"job": "post-due"} or {"job": "sweep"}."""
    articles = Articles(dynamodb, SETTINGS.articles_table, s3, SETTINGS.bucket)
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000
    notifier = Notifier(
        articles=articles,
        deliveries=Deliveries(dynamodb, SETTINGS.state_table, run=context.aws_request_id, lease=LEASE),
        standings=Standings(dynamodb, SETTINGS.state_table, run=context.aws_request_id),
        secrets=secrets,
        sources=settings.load_sources(SETTINGS.sources, s3),
        http=client,
        clock=time.time,
        sleep=time.sleep,
        deadline=deadline,
        last_posts=last_posts,
        rewriter=Rewriter(
            client=model,
            models=SETTINGS.models,
            monthly=SETTINGS.model_tokens,
            phrasings=Phrasings(dynamodb, SETTINGS.state_table),
            articles=articles,
            clock=time.time,
            deadline=deadline,
            reserve=TIME_FOR_A_POST,
        ),
    )
    answer: Any
    if "Records" in event:

        def announce(record: DynamoDBRecord) -> None:
            notifier.announce(record_from_item(record["dynamodb"]["NewImage"]))

        processor = BatchProcessor(event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
        answer = process_partial_response(event, announce, processor, context)
    elif event.get("job") == "sweep":
        answer = {"opened": notifier.sweep()}
    elif event.get("job") == "post-due":
        notifier.post_due()
        answer = observability.tally(outcome.status for outcome in notifier.outcomes)
    else:
        raise ValueError(f"notify knows no job {event.get('job')!r}; there are stream records, post-due and sweep")
    observability.count(metrics, get_args(Status), (outcome.status for outcome in notifier.outcomes))
    for outcome in notifier.outcomes:
        if outcome.seconds is not None:
            metrics.add_metric(name="SecondsToAnnounce", unit="Seconds", value=outcome.seconds)
    return answer
