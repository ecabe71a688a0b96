"""The real template comes up resolved; what AWS would refuse is refused here, by name."""

from pathlib import Path
from typing import Any

import pytest

from local.embedded import TEMPLATE, EmbeddedAws
from local.stack import TemplateError, translate

SMALL = Path(__file__).with_name("small.yaml").read_text()


def nothing(event: Any, context: Any) -> None:
    """Succeed."""


def test_the_real_template_resolves() -> None:
    functions = ("DiscoverFunction", "ParseFunction", "NotifyFunction", "PublishFunction")
    with EmbeddedAws(parameters={"Contact": "me@example.org"}, handlers=dict.fromkeys(functions, nothing)) as aws:
        stack = aws.stack
        parse = stack.functions["ParseFunction"].environment
        assert parse["BUCKET"] == aws.resource("Bucket")
        assert parse["ARTICLES_TABLE"] == aws.resource("ArticlesTable")
        assert parse["PARSE_QUEUE_URL"] == aws.resource("ParseQueue")
        assert parse["CONTACT"] == "me@example.org"
        assert "AWS_ENDPOINT_URL" not in parse
        polls, queue = sorted(stack.queues, key=lambda one: one.function)
        assert (polls.function, polls.batch_size) == ("DiscoverFunction", 1)
        assert (queue.function, queue.batch_size, queue.partial) == ("ParseFunction", 50, True)
        assert queue.queue_url == aws.resource("ParseQueue")
        assert queue.visibility >= 6 * stack.functions["ParseFunction"].timeout
        (stream,) = stack.streams
        assert (stream.function, stream.bisect, stream.partial) == ("NotifyFunction", True, True)
        assert stream.filters
        assert {s.id: s.event for s in stack.schedules} == {
            "DiscoverFunctionPoll": {"job": "poll"},
            "NotifyFunctionDue": {"job": "post-due"},
            "NotifyFunctionSweep": {"job": "sweep"},
            "PublishFunctionPublish": {"job": "publish"},
        }
        for failing in (stack.functions["DiscoverFunction"], stack.functions["NotifyFunction"], stream):
            assert failing.on_failure is not None
            assert failing.on_failure.rsplit(":", 1)[1] in aws.resource("FailuresQueue")
        assert aws.run_until_idle(timeout=5)


@pytest.mark.parametrize(
    ("correct", "wrong", "said"),
    [
        ("QUEUE_URL: !Ref Queue", "QUEUE_URL: !Ref Quue", r"undefined-reference.*Worker.*QUEUE_URL refers to Quue"),
        ("Queue: !GetAtt Queue.Arn", "Queue: !GetAtt Qeue.Arn", r"undefined-reference.*refers to Qeue"),
        ("TABLE: !Ref Table", "TABLE: !Sub '${Tabel}'", r"undefined-reference.*TABLE refers to Tabel"),
        ("TABLE: !Ref Table", "TABLE: !If [Never, a, b]", r"undefined-condition.*TABLE refers to Never"),
        ("TABLE: !Ref Table", "TABLE: !GetAtt Table.Anr", r"refused.*Table.*Anr"),
        ("CodeUri: worker/", "Timeout: 5", r"not-valid-sam.*Worker"),
        ("BatchSize: 25,", "BatchSize: 25, FilterCriteria: {Filters: []},", r"unknown-to-the-embedded-aws.*FilterC"),
        ("Failures: {Type: AWS::SQS::Queue}", "Failures: {Type: AWS::SQS::Quue}", r"unknown-to-moto.*AWS::SQS::Quue"),
    ],
)
def test_a_template_that_aws_would_refuse(correct: str, wrong: str, said: str, tmp_path: Path) -> None:
    assert correct in SMALL
    template = tmp_path / "template.yaml"
    template.write_text(SMALL.replace(correct, wrong))
    with pytest.raises(TemplateError, match=said):
        EmbeddedAws(template).__enter__()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"Contact": "me"}, r"parameter-not-allowed \(Contact='me'\)"),
        ({"LogLevel": "LOUD"}, r"parameter-not-allowed \(LogLevel='LOUD'\)"),
        ({"ParseConcurrency": "1"}, r"parameter-not-allowed \(ParseConcurrency='1'\)"),
        ({"Sources": "http://x"}, r"parameter-not-allowed \(Sources='http://x'\)"),
        ({"Source": "x"}, r"unknown-parameter \(Source\)"),
    ],
)
def test_a_parameter_that_aws_would_refuse(parameters: dict[str, str], said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        translate(TEMPLATE, parameters, "us-east-1")
