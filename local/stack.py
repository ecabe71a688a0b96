"""The stack: template.yaml translated as SAM does, created in a local AWS, and read back with every reference resolved.

What a local AWS's CloudFormation doesn't do, and how it is read all the same:

- moto drops a reference it cannot resolve, in silence: references are checked here first;
- it creates no schedules, invoke configurations, alarms or policies of queues and buckets: their properties are
  made outputs of the stack, so that they are resolved like everything else;
- it would run a mapped function itself, at every send and put: mappings are read, then detached.
"""

import io
import json
import logging
import os
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.sqs.models import sqs_backends
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from broadsheet.errors import BroadsheetError
from local.permissions import DeniedError, allowed

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_SESSION_TOKEN": "local",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # else moto doesn't answer for DynamoDB Streams
}
CODE_BUCKET = "packaged"
UNKNOWN_TO_MOTO = frozenset(  # by CloudFormation; named one by one, so that a mistyped type is still an error
    {
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::CompositeAlarm",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Url",
        "AWS::Logs::MetricFilter",
        "AWS::Logs::QueryDefinition",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::Scheduler::Schedule",
    }
)
QUEUE_SOURCE = frozenset(
    {"BatchSize", "Enabled", "EventSourceArn", "FunctionName", "FunctionResponseTypes"}
    | {"MaximumBatchingWindowInSeconds", "ScalingConfig"}
)
STREAM_SOURCE = (QUEUE_SOURCE - {"ScalingConfig"}) | {
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "FilterCriteria",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "StartingPosition",
}

logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)  # it warns of metrics of its own that nobody takes


class TemplateError(BroadsheetError):
    """The template is one that AWS would refuse, or asks for something the embedded AWS can't do."""


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function as deployed: `timeout` in seconds, `memory` in MB, `on_failure` a queue's ARN for async invokes.

    `statements` are those of its role's own policies.
    """

    id: str
    name: str
    arn: str
    code: Path
    handler: str
    environment: dict[str, str]
    statements: tuple[dict[str, Any], ...]
    timeout: int
    memory: int
    retries: int = 2
    on_failure: str | None = None


class QueueSource(msgspec.Struct, frozen=True, kw_only=True):
    """A queue that feeds a function; `visibility` is the queue's time-out in seconds."""

    id: str
    function: str
    queue_url: str
    queue_arn: str
    batch_size: int
    visibility: int
    partial: bool


class StreamSource(msgspec.Struct, frozen=True, kw_only=True):
    """A table's stream that feeds a function; `retries` of -1 is for ever, as AWS has it."""

    id: str
    function: str
    stream_arn: str
    batch_size: int
    filters: tuple[dict[str, Any], ...]
    bisect: bool
    retries: int
    partial: bool
    on_failure: str | None


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule, its expression as written, and the event it sends."""

    id: str
    function: str
    expression: str
    event: Any


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """What was created: physical ids by logical id (a queue's is its URL), who calls whom, and alarms' properties."""

    region: str
    resources: dict[str, str]
    kinds: dict[str, str]
    outputs: dict[str, str]
    functions: dict[str, Function]
    queues: tuple[QueueSource, ...]
    streams: tuple[StreamSource, ...]
    schedules: tuple[Schedule, ...]
    alarms: dict[str, dict[str, Any]]

    def of_kind(self, kind: str) -> dict[str, str]:
        """Return the physical ids of the resources of a type such as `AWS::SQS::Queue`, by logical id."""
        return {key: value for key, value in self.resources.items() if self.kinds[key] == kind}


class LocalAws(Protocol):
    """An AWS on this machine into which a stack can be created."""

    region: str

    def client(self, service: str) -> Any:
        """Return a boto3 client for it."""

    def create(self, stack: str, body: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        """Create a stack, and wait until it is there; raises ClientError or UserWarning where it is refused."""

    def detach(self) -> None:
        """Make it forget what it would feed to functions by itself."""


class Moto:
    """moto, which must be active in this process."""

    def __init__(self, region: str) -> None:
        self.region = region

    def client(self, service: str) -> Any:
        """Return a boto3 client for it."""
        return client(service, self.region)

    def create(self, stack: str, body: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        """Create a stack; what moto doesn't know is no longer only a warning."""
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Tried to parse")
            self.client("cloudformation").create_stack(**creation(self, stack, body, parameters))

    def detach(self) -> None:
        """Make it forget what it would feed to functions, in Docker, by itself."""
        for queue in sqs_backends[DEFAULT_ACCOUNT_ID][self.region].queues.values():
            queue.lambda_event_source_mappings.clear()
        for table in dynamodb_backends[DEFAULT_ACCOUNT_ID][self.region].tables.values():
            table.lambda_event_source_mappings.clear()


def creation(aws: LocalAws, stack: str, body: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of CreateStack. The template goes through S3, as with `sam deploy`: it may be over 51,200 bytes."""
    aws.client("s3").put_object(Bucket=CODE_BUCKET, Key="template.json", Body=json.dumps(body).encode())
    return {
        "StackName": stack,
        "TemplateURL": f"https://s3.amazonaws.com/{CODE_BUCKET}/template.json",
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }


def client(service: str, region: str) -> Any:
    """Return a boto3 client for the embedded AWS, whatever the caller's own environment says."""
    return _session().client(
        service,  # type: ignore[call-overload]  # the stubs want a literal
        region_name=region,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(account_id_endpoint_mode="disabled"),
    )


def translate(template: Path, parameters: Mapping[str, str], region: str) -> dict[str, Any]:
    """Return `template` as plain CloudFormation, checked for parameters and references that AWS would refuse."""
    document = yaml_parse(template.read_text(encoding="utf-8"))
    _check_parameters(template, document.get("Parameters", {}), parameters)
    for resource in document["Resources"].values():
        for key in ("CodeUri", "ContentUri"):
            if key in resource.get("Properties", {}):
                resource["Properties"][key] = f"s3://{CODE_BUCKET}/{resource['Properties'][key]}"
    try:
        with patch.dict(os.environ, {"AWS_DEFAULT_REGION": region}):
            translated: dict[str, Any] = transform(document, dict(parameters), _NoManagedPolicies())
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(str(template), "not-valid-sam", causes) from error
    _check_references(template, translated)
    return translated


def deploy(template: Path, parameters: Mapping[str, str], *, name: str, aws: LocalAws) -> Stack:
    """Create the stack in a local AWS, and return it resolved."""
    translated = translate(template, parameters, aws.region)
    skipped = {key: r for key, r in translated["Resources"].items() if r["Type"] in UNKNOWN_TO_MOTO}
    created = _named(
        {key: r for key, r in translated["Resources"].items() if key not in skipped}, skipped, name, aws.region
    )
    written = _named(translated.get("Outputs", {}), skipped, name, aws.region)
    outputs = {
        key: {
            "Value": {"Fn::ToJsonString": r["Properties"]},
            **({"Condition": r["Condition"]} if "Condition" in r else {}),
        }
        for key, r in translated["Resources"].items()
        if key in skipped or r["Type"] == "AWS::IAM::Role"
    }
    _upload_code(created, aws)
    _create(
        template,
        {**translated, "Resources": created, "Outputs": {**written, **outputs}},
        parameters,
        name=name,
        aws=aws,
    )
    cloudformation = aws.client("cloudformation")
    values = {
        o["OutputKey"]: o["OutputValue"]
        for o in cloudformation.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    }
    resources = {
        r["LogicalResourceId"]: r["PhysicalResourceId"]
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        for r in page["StackResourceSummaries"]
        if r.get("LogicalResourceId") in created and r.get("PhysicalResourceId")
    }
    resolved = {
        key: (r["Type"], json.loads(values.pop(key))) for key, r in translated["Resources"].items() if key in values
    }
    created = {key: r for key, r in created.items() if key in resources}  # without those whose condition is false
    functions = _functions(template, created, resources, resolved, aws)
    queues, streams = _sources(template, created, resources, functions, aws)
    aws.detach()
    stack = Stack(
        region=aws.region,
        resources=resources,
        kinds={key: created[key]["Type"] for key in resources},
        outputs=values,
        functions=functions,
        queues=queues,
        streams=streams,
        schedules=_schedules(functions, resolved),
        alarms={key: properties for key, (kind, properties) in resolved.items() if kind == "AWS::CloudWatch::Alarm"},
    )
    _check_permissions(stack)
    return stack


def alarm_name(stack: str, key: str) -> str:
    """What CloudFormation would call an alarm, but for the chance part."""
    return f"{stack}-{key}-LOCAL"


def function_url(key: str, region: str) -> str:
    """The address of a function URL, which leads nowhere."""
    return f"https://{key.lower()}.lambda-url.{region}.on.aws/"


def _named(created: Mapping[str, Any], skipped: Mapping[str, Any], stack: str, region: str) -> dict[str, Any]:
    """The resources with the ARNs of alarms, which the dashboard shows, and function URLs written out.

    moto has neither to ask.
    """
    text = json.dumps(created)
    for key in (key for key, resource in skipped.items() if resource["Type"] == "AWS::Lambda::Url"):
        address = json.dumps({"Fn::GetAtt": [key, "FunctionUrl"]})
        text = text.replace(address, json.dumps(function_url(key, region)))
    for key in (key for key, resource in skipped.items() if resource["Type"] == "AWS::CloudWatch::Alarm"):
        arn = f"arn:aws:cloudwatch:{region}:{DEFAULT_ACCOUNT_ID}:alarm:{alarm_name(stack, key)}"
        text = text.replace(f"${{{key}.Arn}}", arn)
    named: dict[str, Any] = json.loads(text)
    return named


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session()  # it keeps the services' models, which take longer to read than the stack to create


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}  # every role is spelt out in the template: no policy is looked up by name


def _check_parameters(template: Path, declared: Mapping[str, Any], given: Mapping[str, str]) -> None:
    for key in given.keys() - declared.keys():
        raise TemplateError(str(template), "unknown-parameter", key)
    for key, rule in declared.items():
        if key not in given and "Default" not in rule:
            raise TemplateError(str(template), "missing-parameter", key)
        value = str(given.get(key, rule.get("Default")))
        allowed = [str(choice) for choice in rule.get("AllowedValues", [value])]
        if (
            value not in allowed
            or not re.fullmatch(rule.get("AllowedPattern", r"[\s\S]*"), value)
            or len(value) < int(rule.get("MinLength", 0))
            or (rule["Type"] == "Number" and float(value) < float(rule.get("MinValue", "-inf")))
            or (rule["Type"] == "Number" and float(value) > float(rule.get("MaxValue", "inf")))
        ):
            raise TemplateError(str(template), "parameter-not-allowed", f"{key}={value!r}")


def _check_references(template: Path, translated: Mapping[str, Any]) -> None:
    known = translated["Resources"].keys() | translated.get("Parameters", {}).keys()
    conditions = translated.get("Conditions", {}).keys()
    for place, kind, name in _references(translated, ()):
        if not name.startswith("AWS::") and name not in (conditions if kind == "condition" else known):
            raise TemplateError(str(template), f"undefined-{kind}", f"{'.'.join(place)} refers to {name}")


def _references(node: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield where, what kind and which name for each reference in `node`."""
    if isinstance(node, list):
        for position, value in enumerate(node):
            yield from _references(value, (*place, str(position)))
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "Ref":
            yield place, "reference", value
        elif key == "Fn::GetAtt":
            yield place, "reference", value[0] if isinstance(value, list) else value.split(".")[0]
        elif key == "Fn::Sub":
            text, own = (value[0], value[1]) if isinstance(value, list) else (value, {})
            for name in re.findall(r"\$\{([^!}][^}]*)\}", text):
                if name not in own:
                    yield place, "reference", name.split(".")[0]
            yield from _references(own, (*place, key))
        elif key == "DependsOn":
            for name in [value] if isinstance(value, str) else value:
                yield (*place, key), "reference", name
        else:
            if key == "Fn::If":
                yield place, "condition", value[0]
            elif key == "Condition" and isinstance(value, str):
                yield (*place, key), "condition", value
            yield from _references(value, place if key.startswith("Fn::") else (*place, key))


def _upload_code(created: Mapping[str, Any], aws: LocalAws) -> None:
    """Put something where the packaged code would be: moto looks for it, but never runs it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as empty:
        empty.writestr("empty", "")
    s3 = aws.client("s3")
    s3.create_bucket(
        Bucket=CODE_BUCKET,
        **({} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}),
    )
    for resource in created.values():
        for part in ("Code", "Content"):
            location = resource.get("Properties", {}).get(part)
            if location:
                s3.put_object(Bucket=CODE_BUCKET, Key=location["S3Key"], Body=archive.getvalue())


def _create(
    template: Path, translated: Mapping[str, Any], parameters: Mapping[str, str], *, name: str, aws: LocalAws
) -> None:
    try:
        aws.create(name, translated, parameters)
    except ClientError as error:
        raise TemplateError(str(template), "refused", error.response["Error"]["Message"]) from error
    except UserWarning as warning:
        raise TemplateError(str(template), "unknown-to-moto", str(warning)) from warning


def _functions(
    template: Path,
    created: Mapping[str, Any],
    resources: Mapping[str, str],
    resolved: Mapping[str, tuple[str, Any]],
    aws: LocalAws,
) -> dict[str, Function]:
    invoking = {p["FunctionName"]: p for kind, p in resolved.values() if kind == "AWS::Lambda::EventInvokeConfig"}
    functions = {}
    for key, resource in created.items():
        if resource["Type"] != "AWS::Lambda::Function":
            continue
        written = resource["Properties"]
        found = aws.client("lambda").get_function_configuration(FunctionName=resources[key])
        environment = {k: str(v) for k, v in found.get("Environment", {}).get("Variables", {}).items()}
        for variable, value in written.get("Environment", {}).get("Variables", {}).items():
            if variable not in environment and "Fn::If" not in value:
                raise TemplateError(str(template), "unresolved-variable", f"{key}: {variable}")
        asynchronous = invoking.get(found["FunctionName"], {})
        role = next(key for key, name in resources.items() if name == found["Role"].rsplit("/", 1)[1])
        functions[key] = Function(
            id=key,
            name=found["FunctionName"],
            arn=found["FunctionArn"],
            code=template.parent / written["Code"]["S3Key"],
            handler=found["Handler"],
            environment=environment,
            statements=_statements(resolved[role][1]),
            timeout=found["Timeout"],
            memory=found["MemorySize"],
            retries=int(asynchronous.get("MaximumRetryAttempts", 2)),
            on_failure=_on_failure(asynchronous),
        )
    return functions


def _sources(
    template: Path,
    created: Mapping[str, Any],
    resources: Mapping[str, str],
    functions: Mapping[str, Function],
    aws: LocalAws,
) -> tuple[tuple[QueueSource, ...], tuple[StreamSource, ...]]:
    queues, streams = [], []
    by_arn = {function.arn: key for key, function in functions.items()}
    for key, resource in created.items():
        if resource["Type"] != "AWS::Lambda::EventSourceMapping":
            continue
        found = aws.client("lambda").get_event_source_mapping(UUID=resources[key])
        arn = found["EventSourceArn"]
        unknown = resource["Properties"].keys() - (QUEUE_SOURCE if ":sqs:" in arn else STREAM_SOURCE)
        if unknown:
            raise TemplateError(str(template), "unknown-to-the-embedded-aws", f"{key}: {', '.join(sorted(unknown))}")
        function, partial = (
            by_arn[found["FunctionArn"]],
            "ReportBatchItemFailures" in found.get("FunctionResponseTypes", []),
        )
        if ":sqs:" in arn:
            sqs = aws.client("sqs")
            url = sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
            queues.append(
                QueueSource(
                    id=key,
                    function=function,
                    queue_url=url,
                    queue_arn=arn,
                    batch_size=found["BatchSize"],
                    visibility=int(attributes["VisibilityTimeout"]),
                    partial=partial,
                )
            )
        else:
            streams.append(
                StreamSource(
                    id=key,
                    function=function,
                    stream_arn=arn,
                    batch_size=found["BatchSize"],
                    filters=tuple(json.loads(f["Pattern"]) for f in found.get("FilterCriteria", {}).get("Filters", [])),
                    bisect=bool(found.get("BisectBatchOnFunctionError")),
                    retries=int(found.get("MaximumRetryAttempts", -1)),
                    partial=partial,
                    on_failure=_on_failure(found),
                )
            )
    return tuple(queues), tuple(streams)


def _statements(role: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    documents = [policy["PolicyDocument"] for policy in role.get("Policies", []) if policy]
    return tuple(statement for document in documents for statement in document["Statement"] if statement)


def _check_permissions(stack: Stack) -> None:
    """Check what Lambda does in a function's name: reading its sources, and reporting what failed."""
    needed = [
        (source.function, action, source.queue_arn)
        for source in stack.queues
        for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
    ]
    needed += [
        (source.function, f"dynamodb:{operation}", source.stream_arn)
        for source in stack.streams
        for operation in ("DescribeStream", "GetRecords", "GetShardIterator")
    ]
    reports = [(f.id, f.on_failure) for f in stack.functions.values()]
    reports += [(source.function, source.on_failure) for source in stack.streams]
    needed += [(function, "sqs:SendMessage", arn) for function, arn in reports if arn]
    for function, action, arn in needed:
        if not allowed(stack.functions[function].statements, action, arn):
            raise DeniedError(function, "its role lacks", f"{action} on {arn}")


def _schedules(functions: Mapping[str, Function], resolved: Mapping[str, tuple[str, Any]]) -> tuple[Schedule, ...]:
    by_arn = {function.arn: key for key, function in functions.items()}
    return tuple(
        Schedule(
            id=key,
            function=by_arn[properties["Target"]["Arn"]],
            expression=properties["ScheduleExpression"],
            event=json.loads(properties["Target"].get("Input", "{}")),
        )
        for key, (kind, properties) in resolved.items()
        if kind == "AWS::Scheduler::Schedule" and properties.get("State") != "DISABLED"
    )


def _on_failure(configuration: Mapping[str, Any]) -> str | None:
    destination = configuration.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return None if destination is None else str(destination)
