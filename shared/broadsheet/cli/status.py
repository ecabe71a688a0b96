"""`broadsheet status`: whether all is well, and if not, what isn't and why, with few calls."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import msgspec
from botocore.exceptions import ClientError

from broadsheet import polling
from broadsheet.cli.answers import json_option, show_json
from broadsheet.cli.deployment import Deployment, on_deployment
from broadsheet.errors import BroadsheetError
from broadsheet.polling import PollState
from broadsheet.source import Source, Sources

RUNBOOK = "docs/runbook.md"
QUEUES = {"waiting": "ParseQueueUrl", "given up": "DeadLetterQueueUrl", "failed runs": "FailuresQueueUrl"}
DEPTH = {
    "ApproximateNumberOfMessages": 0,
    "ApproximateNumberOfMessagesNotVisible": 1,
    "ApproximateNumberOfMessagesDelayed": 2,
}
FAILED = frozenset(("failed", "unfinished", "incomplete", "given-up", "unavailable", "retry", "channel-closed"))
PASSING = frozenset(("failed", "unfinished", "incomplete", "unavailable", "retry"))  # ends that the web brings about
LINES = 5000  # log lines looked at, of each function
TERMS = " ".join(f'?"{word}"' for word in (*sorted(FAILED), "aws-", "rule_missed", "ERROR", "WARNING"))
BARS = " ▁▂▃▄▅▆▇█"


class Alarm(msgspec.Struct, frozen=True):
    """An alarm that is up, by its name in the template."""

    name: str
    since: str
    means: str


class Standing(msgspec.Struct, frozen=True):
    """A source that is in trouble, or has moved."""

    source: str
    trouble: str
    reason: str
    since: float | None = None


class Failure(msgspec.Struct, frozen=True):
    """What went wrong alike: how often, when last, and an example."""

    service: str
    status: str
    whose: str
    reason: str
    count: int
    last: str
    example: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `queues` are messages visible, in flight and delayed; `articles` are by hour, oldest first."""

    stack: str
    alarms: list[Alarm]
    sources: dict[str, int]
    troubled: list[Standing]
    queues: dict[str, tuple[int, int, int]]
    deliveries: dict[str, int]
    articles: list[int]
    failures: list[Failure]

    @property
    def well(self) -> bool:
        """Whether nobody need do anything."""
        parked = self.queues["given up"][0] + self.queues["failed runs"][0]
        broken = any(one.trouble in ("broken", "silent") for one in self.troubled)
        return not (self.alarms or parked or broken or any(one.status not in PASSING for one in self.failures))


def look(deployment: Deployment, *, now: float, hours: float) -> Status:
    """How a deployment stands; `hours` is how far back its log is read. Asks for its parts at once."""
    deployment.outputs()
    for service in ("cloudwatch", "dynamodb", "logs", "s3", "sqs"):
        deployment.client(service)  # making one isn't safe among threads
    with ThreadPoolExecutor(8) as pool:
        alarms = pool.submit(_alarms, deployment)
        queues = {name: pool.submit(_depth, deployment, output) for name, output in QUEUES.items()}
        articles = pool.submit(_stored, deployment, now)
        failures = pool.submit(_failures, deployment, now - hours * 3600)
        sources, unread = _sources(deployment)
        states = deployment.polls.states([one.id for one in sources.sources])
        deliveries = {one.id: pool.submit(deployment.deliveries.waiting, one.id) for one in sources.channels}
    troubled = unread + [one for source in sources.sources for one in _standing(source, states.get(source.id))]
    counted = Counter(state.trouble or "well" for state in states.values())
    due = sum(polling.is_due(states.get(source.id), now=now) for source in sources.sources)
    return Status(
        stack=deployment.name,
        alarms=alarms.result(),
        sources={
            "listed": len(sources.sources),
            "due": due,
            **{name: counted[name] for name in ("well", "broken", "silent")},
            "pushed": sum((state.pushed_until or 0) > now for state in states.values()),
        },
        troubled=troubled,
        queues={name: depth.result() for name, depth in queues.items()},
        deliveries={id: waiting.result() for id, waiting in deliveries.items()},
        articles=articles.result(),
        failures=failures.result(),
    )


def lines(deployment: Deployment, terms: str, *, since: float) -> Iterator[dict[str, Any]]:
    """The functions' JSON log lines that hold any of some terms, written since an instant (epoch seconds)."""
    groups = [name for key, name in deployment.outputs().items() if key.endswith("LogGroupName")]
    for group in groups:
        pages = deployment.client("logs").get_paginator("filter_log_events")
        asked = pages.paginate(
            logGroupName=group, startTime=int(since * 1000), filterPattern=terms, PaginationConfig={"MaxItems": LINES}
        )
        for page in asked:
            for event in page["events"]:
                try:
                    line = json.loads(event["message"])
                except ValueError:  # Lambda's own, or a traceback
                    continue
                if isinstance(line, dict):
                    yield {"at": event["timestamp"] / 1000, **line}


def _sources(deployment: Deployment) -> tuple[Sources, list[Standing]]:
    """The sources file; one that can't be read is what is to be told, and keeps nothing else from being told."""
    try:
        return deployment.sources, []
    except (BroadsheetError, ClientError) as error:
        return Sources(sources=()), [Standing("sources file", "broken", str(error))]


def _alarms(deployment: Deployment) -> list[Alarm]:
    topic = deployment.output("AlarmTopicArn")
    pages = deployment.client("cloudwatch").get_paginator("describe_alarms").paginate(ActionPrefix=topic)
    return [
        Alarm(
            one["AlarmName"].removeprefix(f"{deployment.name}-").partition("-")[0],
            f"{one['StateUpdatedTimestamp']:%Y-%m-%d %H:%M}",
            one.get("AlarmDescription", ""),
        )
        for page in pages
        for one in page["MetricAlarms"]
        if one["StateValue"] == "ALARM"
    ]


def _depth(deployment: Deployment, output: str) -> tuple[int, int, int]:
    answer = deployment.client("sqs").get_queue_attributes(
        QueueUrl=deployment.output(output), AttributeNames=list(DEPTH)
    )
    visible, in_flight, delayed = (int(answer["Attributes"][name]) for name in DEPTH)
    return visible, in_flight, delayed


def _stored(deployment: Deployment, now: float) -> list[int]:
    """Articles stored in each of the last 24 hours, the current one last."""
    end = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    metric = {
        "Namespace": deployment.name,
        "MetricName": "Stored",
        "Dimensions": [{"Name": "service", "Value": "parse"}],
    }
    answer = deployment.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "stored", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}],
        StartTime=end - timedelta(hours=24),
        EndTime=end,
    )
    (found,) = answer["MetricDataResults"]
    values = dict(zip(found["Timestamps"], found["Values"], strict=True))
    return [int(values.get(end - timedelta(hours=back), 0)) for back in range(24, 0, -1)]


def _standing(source: Source, state: PollState | None) -> Iterator[Standing]:
    if state is None:
        return
    if state.trouble:
        since = state.failing_since if state.trouble == "broken" else state.changed_at or state.first_at
        yield Standing(source.id, state.trouble, state.reason, since)
    elif state.failing_since is not None:
        yield Standing(source.id, "failing", state.reason, state.failing_since)
    if state.moved_to:
        yield Standing(source.id, "moved", state.moved_to, state.moved_since)


def _failures(deployment: Deployment, since: float) -> list[Failure]:
    alike: dict[tuple[str, str, str, str], list[Mapping[str, Any]]] = {}
    for line in lines(deployment, TERMS, since=since):
        if key := _trouble(line):
            alike.setdefault(key, []).append(line)
    found = [
        Failure(
            *key,
            count=len(them),
            last=_clock(them[-1]["at"]),
            example=str(them[-1].get("id") or them[-1].get("url") or ""),
        )
        for key, them in alike.items()
    ]
    return sorted(found, key=lambda one: one.last, reverse=True)


def _trouble(line: Mapping[str, Any]) -> tuple[str, str, str, str] | None:
    """What a log line says went wrong: service, status, whose, reason; None if it tells of nothing amiss."""
    service, status, reason = str(line.get("service", "")), str(line.get("status", "")), str(line.get("reason", ""))
    whose = str(line.get("channel") or line.get("source") or "")
    if status in FAILED or reason.startswith("aws-"):
        return service, status, whose, reason[:80]
    if line.get("rule_missed"):
        return service, "rule-missed", whose, str(line["rule_missed"])
    level = line.get("level", line.get("log_level"))
    if level in ("ERROR", "CRITICAL", "WARNING"):
        told = (
            line.get("errorMessage")
            or str(line.get("exception", "")).strip().rpartition("\n")[2]
            or line.get("reason", "")
        )
        return service, str(line.get("message", level)), whose, str(told)[:80]
    return None


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"


@click.command("status")
@click.option("--hours", default=1.0, show_default=True, help="How far back failures are looked for in the log.")
@json_option
@on_deployment
def status_(hours: float, as_json: bool, deployment: Deployment) -> None:
    """Say how it stands: alarms, sources, queues, articles an hour, the last failures.

    Exit code 1 if anything is amiss that somebody should look at.
    """
    found = look(deployment, now=time.time(), hours=hours)
    if as_json:
        show_json({"well": found.well, **msgspec.to_builtins(found)})
    else:
        for line in _told(found, hours):
            click.echo(line)
    if not found.well:
        raise SystemExit(1)


def _told(found: Status, hours: float) -> Iterable[str]:
    yield click.style(
        f"{found.stack}: {len(found.alarms) or 'no'} alarm{'s' if len(found.alarms) != 1 else ''} up", bold=True
    )
    for alarm in found.alarms:
        yield f"  {alarm.name} since {alarm.since}: {alarm.means}"
    counts = ", ".join(f"{number} {name}" for name, number in found.sources.items() if name != "listed")
    yield f"sources     {found.sources['listed']}: {counts}"
    for one in found.troubled:
        since = f" since {_clock(one.since)}" if one.since else ""
        yield f"  {one.source}: {one.trouble}{since}{f', {one.reason}' if one.reason else ''}"
    for name, (visible, in_flight, delayed) in found.queues.items():
        more = f" ({in_flight} in flight, {delayed} later)" if in_flight or delayed else ""
        yield f"{name:<12}{visible}{more}"
    for channel, waiting in found.deliveries.items():
        yield f"channel     {channel}: {f'{waiting} to be told' if waiting else 'told of everything'}"
    most = max(found.articles) or 1
    bars = "".join(BARS[-(-number * 8 // most)] for number in found.articles)
    yield f"articles    {sum(found.articles)} in 24 hours  {bars}  {found.articles[-1]} in this one"
    yield f"failures    {'none' if not found.failures else ''}".rstrip() + f" in {hours:g} h"
    for failure in found.failures[:20]:
        whose = f" {failure.whose}" if failure.whose else ""
        head = f"{failure.last}  {failure.count}× {failure.service} {failure.status}{whose}"
        yield f"  {head}: {failure.reason}  {failure.example}"
    if not found.well:
        yield f"what to do: {RUNBOOK}"
