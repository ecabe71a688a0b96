"""The one place that makes loggers and metrics: one JSON line per outcome, and counts as EMF in the same log."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging import utils
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import MetricUnit

# What a line need not repeat: Lambda's own START says it, once a run. A third of a line, at $0.50 a GB.
_SAID_ELSEWHERE = ("function_name", "function_memory_size", "function_arn", "cold_start", "location")


class _Formatter(LambdaPowertoolsFormatter):
    def serialize(self, log: Mapping[str, Any]) -> str:
        return super().serialize({key: value for key, value in log.items() if key not in _SAID_ELSEWHERE})


def logger() -> Logger:
    """The function's logger; what the domain logs under `broadsheet` comes out of it as JSON, too."""
    made = Logger(log_uncaught_exceptions=True, logger_formatter=_Formatter())
    logging.getLogger("broadsheet").propagate = False
    utils.copy_config_to_registered_loggers(source_logger=made, include={"broadsheet"}, log_level=_level())
    return made


def metrics() -> Metrics:
    """The function's metrics. No dimension but the service: CloudWatch takes $0.30 a month for each further value."""
    return Metrics()


def count(metrics: Metrics, kinds: Iterable[str], statuses: Iterable[str]) -> None:
    """Add up how things ended: one metric for each of `kinds`, `GivenUp` for `given-up`.

    What didn't happen counts as zero: "no article for hours" is then a low sum, not missing data.
    """
    counter = Counter(statuses)
    for kind in kinds:
        name = "".join(word.capitalize() for word in kind.split("-"))
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=counter[kind])


def tally(statuses: Iterable[str]) -> dict[str, int]:
    """How many ended how, as a handler's answer."""
    return dict(Counter(statuses))


def _level() -> str:
    return os.environ.get("POWERTOOLS_LOG_LEVEL", "INFO")
