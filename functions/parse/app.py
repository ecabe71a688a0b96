"""parse: turns queued article URLs into objects and committed records."""

import time
from typing import Any, get_args

import boto3
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from broadsheet import observability, settings
from broadsheet.apart import Apart
from broadsheet.archive import Archive
from broadsheet.extract.tree import MAX_BYTES
from broadsheet.fetch import Client, Limits, user_agent
from broadsheet.hosts import Hosts
from broadsheet.originals import Originals
from broadsheet.parse import Parser, Status, UnfinishedError
from broadsheet.queue import Queue
from broadsheet.robots import Robots
from broadsheet.store import Articles

SETTINGS = settings.read(settings.ParseSettings)
LEASE = 150  # seconds: the function's timeout of 120 and some

logger = observability.logger()
metrics = observability.metrics()
dynamodb, s3, sqs = boto3.client("dynamodb"), boto3.client("s3"), boto3.client("sqs")
client = Client(
    user_agent=user_agent(SETTINGS.contact),
    allowed_networks=SETTINGS.networks,
    limits=Limits(total_seconds=SETTINGS.fetch_seconds, decoded_bytes=MAX_BYTES),
)
robots: dict[str, tuple[Robots, float]] = {}
apart = Apart()  # its process begins with the first batch
originals = Originals(dynamodb, SETTINGS.state_table) if SETTINGS.reprints == "on" else None


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Event: a batch of SQS records, each body an article message. Answers with those that are to come again."""
    parser = Parser(
        articles=Articles(dynamodb, SETTINGS.articles_table, s3, SETTINGS.bucket),
        originals=originals,
        hosts=Hosts(dynamodb, SETTINGS.state_table, run=context.aws_request_id, lease=LEASE),
        queue=Queue(sqs, SETTINGS.parse_queue_url, SETTINGS.dead_letter_queue_url),
        client=client,
        sources=settings.load_sources(SETTINGS.sources, s3),
        clock=time.time,
        sleep=time.sleep,
        deadline=time.time() + context.get_remaining_time_in_millis() / 1000,
        retry_delay=SETTINGS.retry_delay,
        robots=robots,
        apart=apart,
        archive=Archive(s3, SETTINGS.bucket) if SETTINGS.archive == "on" else None,
    )
    outcomes = parser.run([(record["messageId"], record["body"]) for record in event["Records"]])
    observability.count(metrics, get_args(Status), (outcome.status for outcome in outcomes))
    missed = sum(outcome.rule_missed is not None for outcome in outcomes)
    metrics.add_metric(name="RuleMissed", unit="Count", value=missed)
    unfinished = {outcome.message_id for outcome in outcomes if outcome.status == "unfinished"}

    def acknowledge(record: SQSRecord) -> None:
        if record.message_id in unfinished:
            raise UnfinishedError(record.message_id)

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event, acknowledge, processor, context)
