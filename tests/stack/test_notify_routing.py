"""Filters at work: what a channel doesn't want is recorded with the rule, and `broadsheet why` tells of it."""

import json

import boto3
import pytest
from click.testing import CliRunner

from broadsheet.cli import main
from broadsheet.notify import SWEEP_MARGIN
from tests.stack.cloud import Cloud
from tests.stack.newsroom import Newsroom, article_id

SOURCES = """
channels:
  - {id: room, kind: webhook, interval: 0, filters: {any: [ferry, harbour], none: [chess], min_length: 1}}
  - {id: all, kind: webhook, interval: 0}
sources:
  - {id: news, name: News, url: "https://news.example/", channels: [room, all]}
  - {id: quiet, name: Quiet, url: "https://quiet.example/"}
"""


@pytest.fixture
def newsroom(cloud: Cloud) -> Newsroom:
    return Newsroom(cloud, SOURCES)


def titles(newsroom: Newsroom, room: str) -> list[str]:
    return [body["article"]["title"] for body in newsroom.told(room)]


def test_a_channel_hears_of_what_it_wants_and_the_rest_is_recorded_with_the_rule(newsroom: Newsroom) -> None:
    run = newsroom.notifier()
    for n, title in enumerate(["The ferry sails", "Chess in the harbour", "A quiet day"]):
        for _ in range(2):  # a record changes, and comes by again
            run.announce(newsroom.commit(n, title=title))
    newsroom.run()
    assert titles(newsroom, "room") == ["The ferry sails"]
    assert len(titles(newsroom, "all")) == 3
    assert [newsroom.state(n).status for n in range(3)] == ["sent", "filtered", "filtered"]
    assert newsroom.state(1).reason == "none: chess (found: chess)"
    assert newsroom.state(2).reason == "any: ferry, harbour (found: none of them)"
    assert [outcome.id for outcome in run.outcomes if outcome.status == "filtered"] == [article_id(1), article_id(2)]


def test_a_sweep_filters_too_and_leaves_it_at_that(newsroom: Newsroom) -> None:
    newsroom.commit(1, title="Chess")
    newsroom.commit(2, title="Ferry")
    newsroom.now += SWEEP_MARGIN + 1
    assert newsroom.notifier().sweep() == 3
    assert newsroom.state(1).status == "filtered"
    newsroom.now += 3600
    assert newsroom.notifier().sweep() == 0
    newsroom.run()
    assert titles(newsroom, "room") == ["Ferry"]
    newsroom.now += 1e6
    newsroom.run()
    assert newsroom.state(1).status == "filtered"


def why(newsroom: Newsroom, *arguments: str) -> str:
    return CliRunner().invoke(main, ["why", *arguments]).output


@pytest.fixture
def stack(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> Newsroom:
    """The newsroom's tables, found as a stack's outputs."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    cloud = newsroom.cloud
    cloud.s3.put_object(Bucket=cloud.bucket, Key="sources.yaml", Body=SOURCES.encode())
    outputs = {"ArticlesTableName": cloud.articles_table, "StateTableName": cloud.state_table, "BucketName": "bucket"}
    template = {
        "Parameters": {"Sources": {"Type": "String", "Default": f"s3://{cloud.bucket}/sources.yaml"}},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName="broadsheet", TemplateBody=json.dumps(template))
    return newsroom


def test_why_names_the_rule_that_stopped_it_and_what_was_delivered(stack: Newsroom) -> None:
    stack.notifier().announce(stack.commit(1, title="Chess in the harbour"))
    said = why(stack, article_id(1), "room")
    assert "yes  channels of news  (found: listed by news)" in said
    assert "yes  any: ferry, harbour  (found: harbour)" in said
    assert "NO   none: chess  (found: chess)" in said
    assert "stopped by none: chess\n" in said
    assert said.endswith("delivery: filtered, none: chess (found: chess)\n")


def test_why_names_what_let_it_through(stack: Newsroom) -> None:
    stack.notifier().announce(stack.commit(1, title="The ferry sails"))
    said = why(stack, article_id(1), "room")
    assert "let through by channels of news; any: ferry, harbour; none: chess; min_length: 1\n" in said
    assert "delivery: sent 2026-03-04 12:00 UTC" in said


def test_why_tells_when_no_source_of_it_has_the_channel(stack: Newsroom) -> None:
    stack.commit(1, title="The ferry sails", source="quiet")
    assert "stopped by channels of quiet\ndelivery: none" in why(stack, article_id(1), "all")
    assert "no channel 'hall' in the sources file" in why(stack, article_id(1), "hall")
    assert "has no article nowhere" in why(stack, "nowhere", "all")
