"""CloudWatch: the functions' log lines and metrics put where a person looks for them, and the template's alarms judged.

moto keeps logs, metrics and alarms, but its CloudFormation creates no alarms and nothing in it writes or judges any.
What is missing of a metric counts as the alarm's `TreatMissingData` says; `DatapointsToAlarm` isn't read.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from local.embedded import EmbeddedAws
from local.runtime import Invocation
from local.stack import alarm_name

Dimensions = frozenset[tuple[str, str]]
STATISTICS: dict[str, Callable[[list[float]], float]] = {"Sum": sum, "Maximum": max}
COMPARED: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}


class Watch:
    """Watches an embedded AWS from now on. `clock` gives the time (epoch seconds) that lines and numbers are of."""

    def __init__(self, aws: EmbeddedAws, *, name: str = "broadsheet", clock: Callable[[], float] = time.time) -> None:
        self._aws = aws
        self._clock = clock
        self._numbers: list[tuple[str, str, Dimensions, float, float]] = []
        outputs = aws.stack.outputs
        functions = {outputs[key]: key.removesuffix("FunctionName") for key in outputs if key.endswith("FunctionName")}
        self._groups = {name: outputs[f"{key}LogGroupName"] for name, key in functions.items()}
        self._services = {key.lower(): outputs[f"{key}LogGroupName"] for key in functions.values()}
        for group in self._groups.values():
            aws.client("logs").create_log_stream(logGroupName=group, logStreamName="local")
        self._alarms = {alarm_name(name, key): properties for key, properties in aws.stack.alarms.items()}
        for alarm, properties in self._alarms.items():
            given = {key: value for key, value in properties.items() if key != "TreatMissingData"}
            numbers = {key: int(given[key]) for key in ("Period", "EvaluationPeriods")}
            threshold = float(given["Threshold"])
            aws.client("cloudwatch").put_metric_alarm(AlarmName=alarm, **given | numbers | {"Threshold": threshold})
        aws.observers.append(self.see)

    def see(self, invocation: Invocation) -> None:
        """Take an invocation's log lines, the metrics among them, and whether it failed."""
        function = self._aws.stack.functions[invocation.function].name
        lines = list(invocation.log)
        if invocation.error is not None:
            words = f"{type(invocation.error).__name__}: {invocation.error}"
            service = self._aws.stack.functions[invocation.function].environment["POWERTOOLS_SERVICE_NAME"]
            told = {"level": "ERROR", "message": "invocation failed", "service": service, "errorMessage": words}
            lines.append(json.dumps(told))
        self.put(self._groups[function], lines)
        failed = float(invocation.error is not None or invocation.timed_out)
        self._count("AWS/Lambda", "Errors", frozenset({("FunctionName", function)}), failed)

    def replay(self, lines: Iterable[str]) -> None:
        """Take the log lines of an earlier run, each of the service and the time it names."""
        for line in lines:
            said = json.loads(line)
            if (service := said.get("service")) in self._services:
                self.put(self._services[service], [line], at=_moment(said.get("timestamp")))

    def put(self, group: str, lines: Iterable[str], *, at: float | None = None) -> None:
        """Write lines of now, or of another time, into a log group, and the numbers of those that are metrics (EMF)
        among the metrics."""
        moment = int((self._clock() if at is None else at) * 1000)
        events = [{"timestamp": moment, "message": line} for line in lines]
        if events:
            self._aws.client("logs").put_log_events(logGroupName=group, logStreamName="local", logEvents=events)
        for line in lines:
            parsed = _json(line)
            for directive in parsed.get("_aws", {}).get("CloudWatchMetrics", ()):
                for names in directive["Dimensions"]:
                    dimensions = frozenset((name, str(parsed[name])) for name in names)
                    for metric in directive["Metrics"]:
                        found = parsed[metric["Name"]]
                        for value in found if isinstance(found, list) else [found]:
                            self._count(directive["Namespace"], metric["Name"], dimensions, float(value))

    def judge(self) -> list[str]:
        """Judge every alarm as of now; returns the logical ids of those that are up. `describe_alarms` tells, too."""
        self._measure_queues()
        up = []
        for alarm, properties in self._alarms.items():
            breaching = self._breaches(properties)
            state = "ALARM" if breaching else "OK"
            self._aws.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="judged")
            if breaching:
                up.append(alarm.split("-")[-2])
        return up

    def _measure_queues(self) -> None:
        for url in self._aws.stack.of_kind("AWS::SQS::Queue").values():
            name = "ApproximateNumberOfMessages"
            found = self._aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
            queue = frozenset({("QueueName", url.rsplit("/", 1)[1])})
            self._count("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, float(found[name]))

    def _breaches(self, alarm: Mapping[str, Any]) -> bool:
        period, periods = int(alarm["Period"]), int(alarm["EvaluationPeriods"])
        wanted = (
            alarm["Namespace"],
            alarm["MetricName"],
            frozenset((d["Name"], d["Value"]) for d in alarm["Dimensions"]),
        )
        now = self._clock()
        for back in range(periods):
            end = now - back * period
            values = [
                value for *metric, at, value in self._numbers if tuple(metric) == wanted and end - period < at <= end
            ]
            if not values:
                if alarm["TreatMissingData"] != "breaching":
                    return False
            elif not COMPARED[alarm["ComparisonOperator"]](
                STATISTICS[alarm["Statistic"]](values), float(alarm["Threshold"])
            ):
                return False
        return True

    def _count(self, namespace: str, metric: str, dimensions: Dimensions, value: float) -> None:
        at = self._clock()
        self._numbers.append((namespace, metric, dimensions, at, value))
        if not namespace.startswith("AWS/"):
            named = [{"Name": name, "Value": held} for name, held in sorted(dimensions)]
            datum = {
                "MetricName": metric,
                "Dimensions": named,
                "Value": value,
                "Timestamp": datetime.fromtimestamp(at, UTC),
            }
            self._aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])


def _moment(timestamp: Any) -> float | None:
    """Epoch seconds of a log line's `timestamp`, if it has one."""
    with suppress(TypeError, ValueError):
        return datetime.strptime(timestamp, "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
    return None


def _json(line: str) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
