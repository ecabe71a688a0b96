"""The runbook: a page for each alarm, which its description leads to; every command on it exists, with its options."""

import json
import re
import shlex
from typing import Any, get_args

import boto3
import click
import pytest
import yaml
from botocore import xform_name

from broadsheet import discover, parse, posting
from broadsheet.cli import main
from local.embedded import TEMPLATE

ROOT = TEMPLATE.parent
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
PAGES = dict(re.findall(r"^##? (.+)\n([\s\S]*?)(?=^##? |\Z)", RUNBOOK, re.M))
COMMANDS = [
    line
    for path in sorted((ROOT / "docs").glob("*.md"))
    for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(encoding="utf-8").replace("\\\n", " "), re.S | re.M)
    for line in block.splitlines()
    if line.startswith(("broadsheet ", "aws "))
]
Resources = dict[str, dict[str, Any]]


def anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def alarms(resources: Resources) -> dict[str, Any]:
    return {key: r["Properties"] for key, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}


def test_each_alarm_leads_to_its_own_page_with_something_to_type(resources: Resources) -> None:
    for name, alarm in alarms(resources).items():
        text = alarm["AlarmDescription"]
        assert (text["Fn::Sub"] if isinstance(text, dict) else text).endswith(f"docs/runbook.md#{anchor(name)}")
        assert "```sh" in PAGES[name]
    assert len(alarms(resources)) == 10


def test_no_page_is_of_an_alarm_that_is_gone(resources: Resources) -> None:
    assert {page for page in PAGES if page.endswith("Alarm")} == set(alarms(resources))


def test_every_link_in_the_docs_leads_somewhere() -> None:
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for target, fragment in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)", text):
            there = (path.parent / target).resolve() if target else path
            assert there.exists(), (path.name, target)
            if fragment:
                titles = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.M)
                assert fragment in map(anchor, titles), (path.name, target, fragment)


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_exists_with_its_options(command: str) -> None:
    program, *words = shlex.split(command, comments=True)
    if program == "broadsheet":
        group: click.Command = main
        while isinstance(group, click.Group):
            group = group.commands[words.pop(0)]
        words = [re.sub(r"^(RULE\.yaml|archive/)$", str(ROOT / "README.md"), word) for word in words]
        group.make_context(command, [*words, "--yes"] if group.name == "drop" else words)
        return
    service, operation, *rest = words
    client: Any = boto3.client("s3" if service == "s3api" else service, region_name="us-east-1")  # type: ignore[call-overload]
    if (service, operation) == ("logs", "tail"):  # the AWS CLI's own
        return
    known = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    shape = client.meta.service_model.operation_model(known[operation]).input_shape
    members = {xform_name(name, "-"): name for name in (shape.members if shape else {})}
    flags = {word.removeprefix("--no-").removeprefix("--") for word in rest if word.startswith("--")}
    assert flags <= {*members, "output", "query", "overwrite", "cli-binary-format", "region"}, flags - {*members}


def body(resources: Resources) -> dict[str, Any]:
    text = resources["DashboardPage"]["Properties"]["DashboardBody"]["Fn::Sub"]
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_dashboard_shows_metrics_that_functions_write_and_all_alarms(resources: Resources) -> None:
    told = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "functions").glob("*/app.py"))
    statuses = {"discover": discover.Status, "parse": parse.Status, "notify": posting.Status}
    shown = 0
    for widget in body(resources)["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if metric[0] != "${AWS::StackName}":
                continue
            shown += 1
            _, name, dimension, service, *_ = metric
            written = {"".join(word.capitalize() for word in kind.split("-")) for kind in get_args(statuses[service])}
            assert dimension == "service"
            assert name in written or f'name="{name}"' in told, name
    assert shown > 10
    alarm_widget = next(widget for widget in body(resources)["widgets"] if widget["type"] == "alarm")
    assert {arn[2:-5] for arn in alarm_widget["properties"]["alarms"]} == set(alarms(resources))


def test_the_dashboards_prices_are_those_of_the_price_list(resources: Resources) -> None:
    prices = yaml.safe_load((ROOT / "shared" / "broadsheet" / "cli" / "prices.yaml").read_text(encoding="utf-8"))
    text = resources["DashboardPage"]["Properties"]["DashboardBody"]["Fn::Sub"]
    shown = {float(number) for number in re.findall(r"\* (0\.0\d+)", text)}
    assert shown == {prices[name] for name in ("lambda_gb_second", "dynamodb_write", "s3_put")}
