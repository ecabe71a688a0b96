"""Which AWS calls the functions' code makes, in any test at all, held against the roles of template.yaml.

A call is a function's if its job, or its handler, is on the stack. It is then reduced to an action and an ARN with the
template's own names, and the function's role must allow it, wherever the test has its tables and queues from.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

from local.embedded import TEMPLATE
from local.permissions import allowed, required
from local.stack import translate

REGION, ACCOUNT = "us-east-1", "123456789012"
BY_AWS = frozenset(  # in a function's name: its queue and stream, its failures, its log
    {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
    | {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}
    | {"logs:CreateLogStream", "logs:PutLogEvents"}
)
REPORTS = "ReportFailure"  # the statement's Sid
NAMES = {  # as tests/stack/cloud.py calls what it makes
    "table/articles": "table/ArticlesTable",
    "table/state": "table/StateTable",
    ":::bucket/": ":::Bucket/",
    ":parse": ":ParseQueue",
    ":polls": ":PollsQueue",
    ":dead": ":DeadLetterQueue",
}
OPERATORS = ("broadsheet.cli", "broadsheet.importer")  # a person's own credentials

Call = tuple[str, str, str]  # function, action, ARN


class Ledger:
    """The calls of a session; `unpermitted` those that a role doesn't allow."""

    def __init__(self) -> None:
        self.calls: Counter[Call] = Counter()
        self.unpermitted: list[Call] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep it while this lasts."""
        make = BaseClient._make_api_call  # type: ignore[attr-defined]  # not in the stubs

        def noted(client: Any, operation: str, params: Mapping[str, Any]) -> Any:
            if function := _caller():
                self._note(function, client.meta.service_model.service_name, operation, params)
            return make(client, operation, params)

        with patch.object(BaseClient, "_make_api_call", noted):
            yield

    def unused(self, function: str) -> list[tuple[str, str, str]]:
        """Sid, action and resource of all that a function's role allows and its code never asked for."""
        asked = [call[1:] for call in self.calls if call[0] == function]
        return [
            (sid, action, resource)
            for sid, action, resource in grants(function)
            if action not in BY_AWS and sid != REPORTS
            if not any(allowed([_allow(action, resource)], *call) for call in asked)
        ]

    def _note(self, function: str, service: str, operation: str, params: Mapping[str, Any]) -> None:
        for action, arn in required(service, operation, params, region=REGION, account=ACCOUNT):
            call = function, action, _in_the_templates_words(arn)
            if not _is_permitted(call):
                self.unpermitted.append(call)
            self.calls[call] += 1


LEDGER = Ledger()


@cache
def functions() -> tuple[str, ...]:
    """The functions' logical ids."""
    return tuple(key for key, made in _resources().items() if made["Type"] == "AWS::Lambda::Function")


@cache
def grants(function: str) -> list[tuple[str, str, str]]:
    """Sid, action and ARN of all that a function's role allows, under whatever condition."""
    role = _resources()[function]["Properties"]["Role"]["Fn::GetAtt"][0]
    return [
        (statement["Sid"], action, _resolved(resource))
        for policy in _resources()[role]["Properties"]["Policies"]
        for written in policy["PolicyDocument"]["Statement"]
        for statement in _unconditional(written)
        for action in _list(statement["Action"])
        for resource in _list(statement["Resource"])
    ]


@cache
def _is_permitted(call: Call) -> bool:
    function, action, arn = call
    return allowed([_allow(granted, resource) for _, granted, resource in grants(function)], action, arn)


def _caller() -> str | None:
    """The function in whose name the running code asks; None where it is a test's or a person's own call."""
    found = None
    frame = sys._getframe(2)
    while frame := frame.f_back:  # type: ignore[assignment]  # None ends it
        name = frame.f_globals.get("__name__", "")
        if name.startswith(OPERATORS):
            return None
        found = found or _of_module(name)
    # a thread of a pool has no job on its stack; within the embedded AWS the environment tells
    return found or _of_environment(os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""))


@cache
def _of_environment(name: str) -> str | None:
    found = _created().fullmatch(name)
    return _logical()[found[1].lower()] if found else None


@cache
def _of_module(name: str) -> str | None:
    if name.startswith("lambda_"):
        function = name.removeprefix("lambda_")
    elif name.startswith("broadsheet.channels."):
        function = "NotifyFunction"
    else:
        function = f"{name.removeprefix('broadsheet.').capitalize()}Function"
    return function if function in functions() else None


def _in_the_templates_words(arn: str) -> str:
    for ours, theirs in NAMES.items():
        if arn.endswith(ours) or f"{ours}/" in arn or (ours.endswith("/") and ours in arn):
            return arn.replace(ours, theirs)
    return _created().sub(lambda found: _logical()[found[1].lower()], arn)


@cache
def _created() -> re.Pattern[str]:
    """A physical name: the stack's, the logical id, and what CloudFormation adds."""
    return re.compile(rf"broadsheet-({'|'.join(_logical())})-[0-9a-z]+", re.IGNORECASE)


@cache
def _logical() -> dict[str, str]:
    return {key.lower(): key for key in _resources()}


@cache
def _resources() -> dict[str, Any]:
    found: dict[str, Any] = translate(TEMPLATE, {}, REGION)["Resources"]
    return found


def _resolved(resource: Any) -> str:
    """A resource of a statement as an ARN; a parameter is whatever its owner says."""
    if isinstance(resource, str):
        return resource
    (kind, value), *_ = resource.items()
    if kind == "Fn::GetAtt":
        return _arn(*value)
    if kind == "Fn::Sub":
        known = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::StackName": "*"}
        return re.sub(r"\$\{([^}.]+)(?:\.([^}]+))?\}", lambda m: _arn(m[1], m[2]) if m[2] else known[m[1]], str(value))
    return "*"


def _arn(key: str, attribute: str) -> str:
    service, _, kind = _resources()[key]["Type"].removeprefix("AWS::").lower().partition("::")
    where = ":" if service == "s3" else f"{REGION}:{ACCOUNT}"
    kind = "table/" if kind == "table" else ""
    return f"arn:aws:{service}:{where}:{kind}{key}" + ("/stream/*" if attribute == "StreamArn" else "")


def _unconditional(statement: Any) -> list[Mapping[str, Any]]:
    """Both of a condition's sides, but for the one that is no statement."""
    return [one for one in statement.get("Fn::If", [None, statement])[1:] if "Sid" in one]


def _allow(action: str, resource: str) -> Mapping[str, str]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
