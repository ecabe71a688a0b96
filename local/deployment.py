"""`make deploy-local`: `sam deploy` of the build into ministack; articles in, posts out; an update; a deletion."""

import json
import platform
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from broadsheet.errors import BroadsheetError
from broadsheet.store import Record, record_from_item
from local.invoke import SAM
from local.ministack import REGION, ROOT, Ministack
from local.receiver import Receiver
from local.site import SampleSite

STACK = "broadsheet"
CHANNELS = {"town": "slack", "archive": "webhook"}
PROCESSORS = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
QUIET = 3.0  # seconds without a new record or post, after which nothing more is waited for


class DeploymentError(BroadsheetError):
    """sam deploy or sam delete failed; the detail is what it said."""


class Deployment:
    """The sample site, a webhook receiver and ministack, into which the stack can be deployed; a context manager."""

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self.site = starting.enter_context(SampleSite(stall=3))
            self.receiver = starting.enter_context(Receiver())
            self.aws = starting.enter_context(Ministack(strict=True))
            self.aws.client("s3").create_bucket(Bucket="settings")
            sources = self.site.sources_yaml(CHANNELS, delay=0.05, announce_first=100)
            self.aws.client("s3").put_object(Bucket="settings", Key="sources.yaml", Body=sources.encode())
            for channel, kind in CHANNELS.items():
                self.aws.client("ssm").put_parameter(
                    Name=f"/broadsheet/{STACK}/channels/{channel}",
                    Type="SecureString",
                    Value=json.dumps({"url": self.receiver.url(f"{kind}/{channel}")}),
                )
            self._exit = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def deploy(self, **parameters: str) -> str:
        """`sam deploy` what is built, with `parameters` in place of the template's defaults; returns what it said."""
        given = {
            "Architecture": PROCESSORS[platform.machine()],
            "EndpointUrl": self.aws.endpoint,
            "AllowedNetworks": "127.0.0.0/8",
            "Sources": "s3://settings/sources.yaml",
            "SourcesObjectArn": "arn:aws:s3:::settings/sources.yaml",
            "FetchSeconds": "2",
            "RetryDelay": "1",
            "ParseConcurrency": "2",  # each of ministack's workers unpacks the layer for itself
            **parameters,
        }
        said = self._sam(
            "deploy", "--no-confirm-changeset", "--parameter-overrides", *(f"{k}={v}" for k, v in given.items())
        )
        self._correct_numbers()
        self._allow_batches()
        return said

    def delete(self) -> str:
        """`sam delete` the stack; returns what it said."""
        return self._sam("delete", "--no-prompts")

    def invoke(self, output: str, event: Any) -> Any:
        """Invoke the function that an output of the stack names, and wait for its answer."""
        answer = self.aws.client("lambda").invoke(FunctionName=self.outputs()[output], Payload=json.dumps(event))
        payload = json.load(answer["Payload"])
        if "FunctionError" in answer:
            raise DeploymentError(output, "invocation-failed", json.dumps(payload)[:2000])
        return payload

    def settle(self, timeout: float) -> None:
        """Wait until nothing moves any more; ministack runs no schedules, so what is due is posted from here."""
        end = time.monotonic() + timeout
        before, since = -1, time.monotonic()
        while time.monotonic() < end and time.monotonic() < since + QUIET:
            self.invoke("NotifyFunctionName", {"job": "post-due"})
            now = len(self.records()) + len(self.receiver.posts)
            if now != before or self.waiting():
                before, since = now, time.monotonic()
            time.sleep(0.2)

    def waiting(self) -> int:
        """How many messages the parse queue holds, visible, delayed or in flight."""
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        found = self.aws.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs()["ParseQueueUrl"], AttributeNames=names
        )
        return sum(int(found["Attributes"][name]) for name in names)

    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        (stack,) = self.aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def resources(self, kind: str) -> dict[str, str]:
        """Physical ids by logical id of the stack's resources of a type such as AWS::SQS::Queue."""
        found = self.aws.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found if r["ResourceType"] == kind}

    def records(self) -> dict[str, Record]:
        """The Articles table's records by id."""
        items = self.aws.client("dynamodb").scan(TableName=self.outputs()["ArticlesTableName"])["Items"]
        return {item["id"]["S"]: record_from_item(item) for item in items}

    def _correct_numbers(self) -> None:
        """A parameter's number comes to ministack's mappings as a string, at which its poller stumbles for ever."""
        aws_lambda = self.aws.client("lambda")
        for mapping in aws_lambda.list_event_source_mappings()["EventSourceMappings"]:
            if concurrency := mapping.get("ScalingConfig", {}).get("MaximumConcurrency"):
                aws_lambda.update_event_source_mapping(
                    UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": int(concurrency)}
                )

    def _allow_batches(self) -> None:
        """AWS lets who may SendMessage also SendMessageBatch, and knows no such action; ministack asks for it."""
        iam = self.aws.client("iam")
        for role in self.resources("AWS::IAM::Role").values():
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                statements = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
                sending = [s for s in statements if s["Action"] == "sqs:SendMessage"]
                if sending:
                    batches = [{**statement, "Action": "sqs:SendMessageBatch"} for statement in sending]
                    document = json.dumps({"Version": "2012-10-17", "Statement": batches})
                    iam.put_role_policy(RoleName=role, PolicyName="batches", PolicyDocument=document)

    def _sam(self, *arguments: str) -> str:
        ran = subprocess.run(  # noqa: S603 - our own virtual environment's
            [str(SAM), *arguments, "--stack-name", STACK, "--region", REGION],
            env=self.aws.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        said = re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout + ran.stderr)
        if ran.returncode:
            raise DeploymentError(f"sam {arguments[0]}", "failed", said[-3000:])
        return said


def main() -> int:
    """Show the whole of it to a person."""
    with Deployment() as deployment:
        print(deployment.deploy())
        print(f"discover: {deployment.invoke('DiscoverFunctionName', {'job': 'poll'})}")
        deployment.settle(120)
        for record in sorted(deployment.records().values(), key=lambda r: (r.status, r.source)):
            print(f"{record.status:12} {record.source:10} {record.title or record.reason or record.target}")
        print(f"{len(deployment.receiver.accepted)} posts to {', '.join(CHANNELS)}")
        print(deployment.deploy(LogRetentionDays="7"))
        print(deployment.delete())
    return 0


if __name__ == "__main__":
    sys.exit(main())
