"""A function sees what Lambda would show it, and nothing of this machine."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.embedded import EmbeddedAws
from local.runtime import StartError

SMALL = Path(__file__).with_name("small.yaml")
APP = """
import logging, os, sys
from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
at_start = dict(os.environ)
shared = logging.getLogger("shared-by-all")
logger = Logger(service=__name__)
copy_config_to_registered_loggers(logger, include={"shared-by-all"})

def lambda_handler(event, context):
    logger.info("outcome", status="ok", said=event["say"])
    shared.info("by the domain")
    print("plain")
    print("trouble", file=sys.stderr)
    return {
        "at_start": at_start,
        "now": dict(os.environ),
        "name": context.function_name,
        "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(),
    }
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(SMALL, tmp_path / "template.yaml")
    for name in ("worker", "watcher"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(APP)
    return tmp_path


def test_the_environment_is_exactly_the_functions(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREETING", "from this machine")
    monkeypatch.setenv("LEAKED", "yes")
    before = dict(os.environ)
    with EmbeddedAws(project / "template.yaml", {"Greeting": "moin"}) as aws:
        answer = aws.invoke("Worker", {"say": "x"}).result
        assert dict(os.environ) | before == dict(os.environ)
        assert answer["now"] == answer["at_start"]
        assert answer["now"]["GREETING"] == "moin"
        assert answer["now"]["TABLE"] == aws.resource("Table")
        assert answer["now"]["QUEUE_URL"] == aws.resource("Queue")
        assert answer["now"]["AWS_LAMBDA_FUNCTION_NAME"] == answer["name"] == aws.resource("Worker")
        assert answer["now"]["TZ"] == "UTC"
        assert "LEAKED" not in answer["now"]
        assert "HOME" not in answer["now"]
        assert "GREETING" not in aws.invoke("Watcher", {"say": "x"}).result["now"]
        assert 0 < answer["left"] <= 5000


def test_each_stack_starts_cold_and_collects_what_its_functions_write(project: Path) -> None:
    for word in ("first", "second"):
        with EmbeddedAws(project / "template.yaml", {"Greeting": word}) as aws:
            invocation = aws.invoke("Worker", {"say": word})
        assert invocation.result["now"]["GREETING"] == word
        structured, domain, *plain = invocation.log
        assert json.loads(structured)["said"] == word
        assert json.loads(domain)["service"] == "lambda_Worker"
        assert plain == ["plain", "trouble"]


def test_functions_keep_their_own_modules(project: Path) -> None:
    with EmbeddedAws(project / "template.yaml"):
        assert sys.modules["lambda_Worker"] is not sys.modules["lambda_Watcher"]


def test_a_function_that_does_not_start_is_named_with_its_error(project: Path) -> None:
    (project / "worker" / "app.py").write_text("import os\nos.environ['NOT_IN_THE_TEMPLATE']\n")
    with pytest.raises(StartError, match=r"Worker: init-failed.*NOT_IN_THE_TEMPLATE"):
        EmbeddedAws(project / "template.yaml").__enter__()
    (project / "worker" / "app.py").unlink()
    with pytest.raises(StartError, match=r"Worker: no-such-file"):
        EmbeddedAws(project / "template.yaml").__enter__()


def test_events_and_results_cross_as_json(up: Callable[..., EmbeddedAws]) -> None:
    kept: list[Any] = []

    def answer_with_a_set(event: Any, context: Any) -> Any:
        kept.append(event)
        return {1, 2}

    aws = up(answer_with_a_set)
    event = {"deep": [{"n": 1}]}
    assert isinstance(aws.invoke("Worker", event).error, TypeError)
    kept[0]["deep"].clear()
    assert event == {"deep": [{"n": 1}]}


def test_an_invocation_over_its_time_is_reported(
    up: Callable[..., EmbeddedAws], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    aws = up(worker=lambda *_: now.__setitem__(0, now[0] + 6))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert aws.invoke("Worker", {}).timed_out
    assert not aws.invoke("Watcher", {}).timed_out


def test_an_interrupt_is_not_taken_for_the_functions_failure(up: Callable[..., EmbeddedAws]) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    aws = up(worker=interrupted)
    with pytest.raises(KeyboardInterrupt):
        aws.invoke("Worker", {})
    assert "GREETING" not in os.environ
