"""Each role: exact actions on exact resources, all of them needed. That they suffice is tests/stack's to show."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.embedded import TEMPLATE

ROOT = TEMPLATE.parent
Resources = dict[str, dict[str, Any]]

ROLES = {f"{name}Function": f"{name}Role" for name in ("Discover", "Callback", "Parse", "Notify", "Publish")}

# What Lambda itself does on behalf of a function; its code calls none of it.
PLATFORM = {
    "Log": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "TakeMessages": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
    "ReadCommits": {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"},
    "ListStreams": {"dynamodb:ListStreams"},
    "ReportFailure": {"sqs:SendMessage"},
}
# Where an action isn't the SDK method's own name.
ACTIONS = {"sqs:SendMessageBatch": "sqs:SendMessage", "bedrock:Converse": "bedrock:InvokeModel"}


def statements(resources: Resources, role: str) -> Iterator[dict[str, Any]]:
    for policy in resources[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            either = statement["Fn::If"][1:] if "Fn::If" in statement else [statement]
            yield from (one for one in either if "Sid" in one)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def roles(resources: Resources) -> list[str]:
    return [key for key, resource in resources.items() if resource["Type"] == "AWS::IAM::Role"]


def test_every_role_is_spelt_out_and_each_function_has_its_own(resources: Resources) -> None:
    assert set(roles(resources)) == {*ROLES.values(), "SchedulerRole"}
    for key in roles(resources):
        assert "ManagedPolicyArns" not in resources[key]["Properties"]
    for function, role in ROLES.items():
        assert resources[function]["Properties"]["Role"] == {"Fn::GetAtt": [role, "Arn"]}


def test_no_action_and_no_resource_is_a_wildcard(resources: Resources) -> None:
    for role in roles(resources):
        for statement in statements(resources, role):
            assert statement["Effect"] == "Allow"
            for action in listed(statement["Action"]):
                assert re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action), action
            if "*" in listed(statement["Resource"]):
                assert listed(statement["Action"]) == ["dynamodb:ListStreams"]  # it takes no narrower one


@pytest.mark.parametrize("function", ROLES)
def test_each_action_is_one_that_the_function_or_lambda_for_it_calls(resources: Resources, function: str) -> None:
    called = calls(function)
    for statement in statements(resources, ROLES[function]):
        expected = PLATFORM.get(statement["Sid"], called)
        assert set(listed(statement["Action"])) <= expected, statement["Sid"]


@pytest.mark.parametrize("function", ROLES)
def test_no_action_is_allowed_twice_on_one_resource(resources: Resources, function: str) -> None:
    pairs = [
        (action, str(resource))
        for statement in statements(resources, ROLES[function])
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]
    assert len(pairs) == len(set(pairs))


def calls(function: str) -> set[str]:
    """The IAM actions of all SDK calls in the modules that a function's handler imports, directly or not."""
    handler = ROOT / "functions" / function.removesuffix("Function").lower() / "app.py"
    waiting, seen, found = [handler], {handler}, set()
    while waiting:
        tree = ast.parse(waiting.pop().read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                found |= set(_action(node))
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("broadsheet"):
                names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
                new = {path for name in names for path in _files(name)} - seen
                seen |= new
                waiting += new
    return {ACTIONS.get(action, action) for action in found}


def _files(module: str) -> Iterator[Path]:
    path = ROOT / "shared" / module.replace(".", "/")
    if path.is_dir():
        yield from path.glob("*.py")  # channels are imported by their kind's name
    elif path.with_suffix(".py").is_file():
        yield path.with_suffix(".py")


def _action(call: ast.Call) -> Iterator[str]:
    assert isinstance(call.func, ast.Attribute)
    holder, method = call.func.value, call.func.attr
    name = holder.attr if isinstance(holder, ast.Attribute) else holder.id if isinstance(holder, ast.Name) else ""
    service = name.removeprefix("_")
    if service in ("dynamodb", "s3", "sqs", "ssm", "secretsmanager", "sns", "ses", "bedrock"):
        if method == "get_paginator" and isinstance(call.args[0], ast.Constant):
            method = str(call.args[0].value)
        yield f"{service}:{''.join(word.capitalize() for word in method.split('_'))}"
