"""`make invoke-parse` and the like: `sam local invoke` of the built functions, over the sample site and a local AWS."""

import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from broadsheet.errors import BroadsheetError
from broadsheet.subscriptions import Subscriptions
from broadsheet.websub import Subscription
from local import engine
from local.ministack import REGION, ROOT, Ministack
from local.receiver import Receiver
from local.site import SampleSite
from local.stack import translate

SAM = ROOT / ".venv-sam" / "bin" / "sam"
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"
SITE_PORT = 8801  # and the next three: events name them
SITE_HOST = "host.docker.internal"  # what containers call the machine that runs them
DAY = "2026-11-20"  # of the events; it becomes today, since old news is announced to nobody
SUBSCRIPTION = Subscription(  # that events of hubs name
    hub=f"https://{SITE_HOST}/hub",
    topic=f"http://{SITE_HOST}:{SITE_PORT}/feed.atom",
    token="a-token-of-the-sample-events-and-of-no-hub-",  # noqa: S106 - it opens nothing
    secret="a secret of the sample events",  # noqa: S106 - nor does this
)
STORAGE = frozenset({"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::SQS::Queue"})
STACK = "invoked"
SHOWN = ("status", "source", "channel", "url", "title", "reason")


class InvokeError(BroadsheetError):
    """sam local invoke brought no answer; `subject` is the event's file, the detail what was said meanwhile."""


class Answer(msgspec.Struct, frozen=True):
    """What a function returned, and the JSON lines it logged."""

    result: Any
    log: list[dict[str, Any]]
    seconds: float

    def statuses(self) -> list[str]:
        """The outcomes of the run, as its log says them, sorted."""
        return sorted(line["status"] for line in self.log if "status" in line and "url" in line)


class Invoker:
    """The world that an invoked function reads and writes: site, receiver, and a local AWS; a context manager."""

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self.engine = engine.start()
            address = self.engine.address
            self.site = starting.enter_context(SampleSite(port=SITE_PORT, stall=5, address=address))
            self.receiver = starting.enter_context(Receiver(address=address))
            self.aws = starting.enter_context(Ministack(address))
            self._folder = Path(starting.enter_context(tempfile.TemporaryDirectory(prefix="invoke-")))
            self.resources = self._create()
            self._exit = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def invoke(self, event: Path) -> Answer:
        """Run the function that the file's name begins with; raises InvokeError if it failed or ran out of time."""
        dated = self._folder / event.name
        dated.write_text(event.read_text(encoding="utf-8").replace(DAY, f"{datetime.now(UTC):%Y-%m-%d}"))
        started = time.monotonic()
        ran = subprocess.run(  # noqa: S603 - our own virtual environment's
            [
                *(str(SAM), "local", "invoke", function_of(event), "--event", str(dated), "--template", str(BUILT)),
                *(["--skip-pull-image"] if self.engine.has_image else []),
                *("--add-host", f"{SITE_HOST}:{self.engine.address}"),
                *("--env-vars", str(self._folder / "variables.json")),
                *("--parameter-overrides", " ".join(f"{k}={v}" for k, v in self._parameters().items())),
            ],
            env={k: v for k, v in self.aws.environment.items() if k != "AWS_ENDPOINT_URL"}
            | {**self.engine.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        if ran.returncode:
            raise InvokeError(str(event), "sam-failed", f"{ran.stdout[-1000:]}\n{ran.stderr[-3000:]}")
        return read_answer(str(event), ran.stdout, ran.stderr, seconds)

    def _parameters(self) -> dict[str, str]:
        return {
            "Architecture": "x86_64",  # of the engine's image
            "AllowedNetworks": f"{self.engine.address}/32",
            "Sources": f"s3://{self.resources['Bucket']}/sources.yaml",
            "FetchSeconds": "2",
            "RetryDelay": "2",
        }

    def _create(self) -> dict[str, str]:
        """Create what the functions write to, and nothing that would call them; returns physical ids by logical id."""
        translated = translate(ROOT / "template.yaml", {}, REGION)
        functions = {k: r for k, r in translated["Resources"].items() if r["Type"] == "AWS::Lambda::Function"}
        stored = {k: r for k, r in translated["Resources"].items() if r["Type"] in STORAGE}
        cloudformation = self.aws.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK, TemplateBody=json.dumps({**translated, "Resources": stored, "Outputs": {}})
        )
        cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
        found = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        resources = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found}
        variables = {
            function: {
                name: resources[value["Ref"]]
                for name, value in resource["Properties"]["Environment"]["Variables"].items()
                if isinstance(value, dict) and value.get("Ref") in resources
            }
            for function, resource in functions.items()
        }
        for own in variables.values():
            own["AWS_ENDPOINT_URL"] = self.aws.endpoint  # SAM CLI reads no conditions
        variables["DiscoverFunction"]["CALLBACK_URL"] = ""
        variables["NotifyFunction"]["SECRETS_PATH"] = f"/broadsheet/{STACK}/channels"
        (self._folder / "variables.json").write_text(json.dumps(variables))
        sources = self.site.sources_yaml({"town": "slack"}, delay=0.05, announce_first=100)
        self.aws.client("s3").put_object(Bucket=resources["Bucket"], Key="sources.yaml", Body=sources.encode())
        self.aws.client("ssm").put_parameter(
            Name=f"/broadsheet/{STACK}/channels/town",
            Type="SecureString",
            Value=json.dumps({"url": self.receiver.url("slack/town")}),
        )
        subscriptions = Subscriptions(self.aws.client("dynamodb"), resources["StateTable"])
        subscriptions.begin("courier", SUBSCRIPTION, now=time.time())
        return resources


def function_of(event: Path) -> str:
    """The logical id of the function an event file is for: parse-article.json is for ParseFunction."""
    return f"{event.name.partition('-')[0].capitalize()}Function"


def read_answer(event: str, stdout: str, stderr: str, seconds: float) -> Answer:
    """The answer in what SAM CLI printed. It ends with 0 whatever the function did, so its words decide.

    Raises InvokeError for a time-out, an exception, or no answer at all.
    """
    said = re.sub(r"\x1b\[[0-9;]*m", "", stderr)
    result = _json(stdout.strip().rpartition("\n")[2])
    if re.search(r"Function '.*' timed out after \d+ seconds", said):
        raise InvokeError(event, "timed-out", said[-3000:])
    if result is None or (isinstance(result, dict) and "errorType" in result):
        raise InvokeError(event, "failed", f"{stdout[-1000:]}\n{said[-3000:]}")
    log = [line for line in map(_json, said.splitlines()) if isinstance(line, dict)]
    return Answer(result, log, seconds)


def main(files: list[str]) -> int:
    """Invoke with each file in turn, and show what came of it."""
    with Invoker() as invoker:
        for file in map(Path, files):
            answer = invoker.invoke(file)
            print(f"\n{file.name} → {function_of(file)}, {answer.seconds:.1f} s\n  {json.dumps(answer.result)}")
            for line in answer.log:
                if "status" in line:
                    shown = {name: line[name] for name in SHOWN if line.get(name)}
                    print("  " + json.dumps(shown, ensure_ascii=False))
        for post in invoker.receiver.accepted:
            print(f"\nposted to {post.path}: {json.dumps(post.payload, ensure_ascii=False)[:300]}")
    return 0


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
