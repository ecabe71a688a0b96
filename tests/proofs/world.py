"""The real handlers over moto, with AWS's schedules, queue and stream driven until the dust settles.

Time is the proof's own: SQS reads it, and so do the functions. Between two things that happen it jumps.
"""

import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import msgspec
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]  # it ignores itself

from broadsheet import apart, parse, shares
from broadsheet.article import Article
from broadsheet.originals import Originals
from broadsheet.secrets import Secrets
from local.drive import QueuePump, StreamPump
from local.embedded import EmbeddedAws
from local.permissions import allowed
from local.runtime import Invocation
from local.stack import CREDENTIALS, Function
from tests.privileges import LEDGER
from tests.proofs.backstage import REGION, Backstage
from tests.proofs.clock import START, Clock
from tests.proofs.faults import AtOnce, Faults, KilledError, Process
from tests.proofs.internet import LATER, Internet
from tests.proofs.partners import Request, called
from tests.proofs.people import People
from tests.proofs.plans import Plan
from tests.proofs.scenes import SCENES, Scene
from tests.proofs.verdict import Verdict, judge

FUNCTIONS = {
    "discover": "DiscoverFunction",
    "parse": "ParseFunction",
    "notify": "NotifyFunction",
    "publish": "PublishFunction",
    "callback": "CallbackFunction",
}
MODEL = "arn:aws:bedrock:us-east-1::foundation-model/some-model-v1:0"
PARAMETERS = {"LogLevel": "ERROR", "RawArchive": "on", "WebSub": "on", "ModelArns": MODEL}
EVERY = {"poll": 300, "post-due": 60, "sweep": 3600, "publish": 2500}  # seconds between a job's times
SETTLED = EVERY["sweep"] + 1000  # seconds after the last fault: a sweep that reaches past it has come
REFETCHED_AFTER = 3600  # seconds, in the scene that does
PATIENCE = 400  # events until a run counts as one that never settles
CALLBACK = "https://callback.example/"
JUST_AFTER = 0.01  # SQS shows a message only when its time is past


class World:
    """One stack for as many plans as there are; each finds it new."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._exit = ExitStack()
        self.clock = Clock()
        self.faults = Faults(self.clock)
        self.internet = Internet(self.clock, self.faults)
        self.invocations: list[Invocation] = []
        self.internet.turn_of = self._turn_of
        self.patience = PATIENCE

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self._aws = starting.enter_context(EmbeddedAws(parameters=PARAMETERS))
            self.modules: dict[str, Any] = {name: sys.modules[f"lambda_{key}"] for name, key in FUNCTIONS.items()}
            self.backstage = Backstage(self._aws.stack)
            self.people = People(self._aws.stack, self.backstage, self.faults, self.clock, self._folder)
            for module in self.modules.values():
                starting.enter_context(patch.object(module, "time", self.clock))
                for client in ("dynamodb", "s3", "sqs", "vault"):
                    if hasattr(module, client):
                        self.faults.attach(getattr(module, client))
            starting.enter_context(patch.object(self.modules["parse"], "apart", _Reading()))
            with patch.dict(os.environ, {**CREDENTIALS, "AWS_DEFAULT_REGION": REGION}):
                bedrock = self.modules["notify"].model()
            self.faults.attach(bedrock, serve=self.internet.model.serve)
            for target, stand_in in (
                ("broadsheet.queue.time", self.clock),
                ("broadsheet.parse.ThreadPoolExecutor", AtOnce),
                ("broadsheet.discover.ThreadPoolExecutor", AtOnce),
                ("broadsheet.store.ThreadPoolExecutor", AtOnce),
                ("moto.sqs.models.unix_time", self.clock.time),
                ("moto.sqs.models.unix_time_millis", lambda: self.clock.now * 1000),
                ("botocore.endpoint.time", _Unpatient),
                ("broadsheet.publish.FIRST_LOOK", 7200.0),  # of a month each hour would be asked for
                # Speed alone: thousands of runs have no use for a console of their own or for looking methods up.
                ("local.runtime._loggers", dict),
                ("local.runtime._replace_loggers", lambda _: None),
                ("moto.core.responses.method_names_from_class", cache(method_names_from_class)),
                ("moto.core.responses.camelcase_to_underscores", cache(camelcase_to_underscores)),
                ("moto.sqs.models.camelcase_to_underscores", cache(camelcase_to_underscores)),
                (
                    "moto.dynamodb.responses.UpdateExpressionParser.make",
                    cache(UpdateExpressionParser.make),
                ),
                ("botocore.useragent.UserAgentString.to_string", lambda _: "proofs"),
                ("local.runtime.allowed", _remembering(allowed)),
            ):
                starting.enter_context(patch(target, stand_in))
            for name, key in FUNCTIONS.items():  # by its name, so that a proof may take a guard out of it
                starting.enter_context(patch.dict(self._aws._runtime._handlers, {key: self._handler(name)}))
            self._aws.client("s3").put_bucket_versioning(  # which moto's CloudFormation leaves out
                Bucket=self._aws.resource("Bucket"), VersioningConfiguration={"Status": "Enabled"}
            )
            for channel in ("town", "desk", "cap"):
                self._put_secret(channel, f"https://chat.example/hooks/{channel}")
            self._put_secret(
                "bot", '{"token": "xoxb-some-token", "channel": "bot", "api_url": "https://slack.example/api"}'
            )
            self._exit = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._exit.close()

    def _handler(self, name: str) -> Any:
        module: Any = self.modules[name]

        def handle(event: Any, context: Any) -> Any:
            return module.lambda_handler(event, context)

        return handle

    def _put_secret(self, channel: str, value: str) -> None:
        name = f"/broadsheet/broadsheet/channels/{channel}"
        self._aws.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")

    # ---- one run -------------------------------------------------------------------------------------------------

    def run(self, plan: Plan) -> Verdict:
        """Let the plan's faults befall its scene, and judge what came of it."""
        self.begin(plan)
        while not self.people.import_documents(self.scene):
            pass
        self.fire({"job": "poll"}, "discover")
        return self.settled()

    def settled(self) -> Verdict:
        """Let the dust settle, and judge."""
        settled = self._settle()
        plan = self.faults.plan
        verdict = self.judged()
        if not settled:
            verdict.broken.append("it never settles")
        missed = {str(fault) for fault in plan.faults} - set(self.faults.fired)
        verdict.broken += [f"no such point: {fault}" for fault in missed]
        verdict.broken += [f"{i.function} failed: {i.trace}" for i in self.invocations if _is_defect(i, plan)]
        verdict.broken += [f"no statement in template.yaml allows {call}" for call in LEDGER.unpermitted]
        verdict.broken += ["the stream waited for a model"] if self.waited_for_words else []
        if self.came_back and all(fault.point.startswith("notify/post#") for fault in plan.faults):
            verdict.broken.append("the stream's batch failed for a channel's sake")
        verdict.broken += [f"a repeat without cause: {repeat}" for repeat in verdict.repeats if not _may_repeat(plan)]
        return verdict

    def judged(self) -> Verdict:
        """What the run has come to."""
        deaths = any(isinstance(i.error, KilledError) for i in self.invocations)
        written = not deaths and not any(fault.startswith("notify/UpdateItem") for fault in self.faults.fired)
        return judge(
            self.scene, self.backstage, self.internet, deaths=deaths, written=written, faults=len(self.faults.fired)
        )

    def begin(self, plan: Plan) -> None:
        """A new stack, new processes, and the scene's papers as they first came out."""
        self.scene: Scene = SCENES[plan.scene]
        self.clock.now = START
        self.backstage.clear()
        sources = self._folder / f"{self.scene.name}.yaml"
        if not sources.exists():  # several processes may run proofs from here
            written = sources.with_suffix(f".{os.getpid()}")
            written.write_text(self.scene.sources, encoding="utf-8")
            written.rename(sources)
        for module in self.modules.values():
            module.SETTINGS = msgspec.structs.replace(module.SETTINGS, sources=str(sources))
        parse_module = self.modules["parse"]
        archive = "on" if self.scene.archive else "off"
        parse_module.SETTINGS = msgspec.structs.replace(parse_module.SETTINGS, archive=archive)
        discover_module = self.modules["discover"]
        callback = CALLBACK if self.scene.pushed else ""
        discover_module.SETTINGS = msgspec.structs.replace(discover_module.SETTINGS, callback_url=callback)
        self.internet.begin(self.scene.pages, self.scene.later, self.scene.tired)
        self.faults.begin(plan)
        shares.SHARE, parse.MAX_ATTEMPTS = self.scene.share, self.scene.attempts
        self.invocations = []
        self.waited_for_words = self.came_back = False  # what the stream mustn't
        stack = self._aws.stack
        functions = stack.functions
        (stream,) = stack.streams
        pumps = {source.function: QueuePump(source, self.backstage, source.visibility) for source in stack.queues}
        self.queue, self.shares = pumps["ParseFunction"], pumps["DiscoverFunction"]
        self.stream = StreamPump(stream, self.backstage, self.backstage, functions[stream.function])
        self.processes = {name: self.start(name) for name in FUNCTIONS}
        self._last = dict.fromkeys(EVERY, START)
        self._acts = [(START + after, act, title) for after, act, title in self.scene.acts]
        swept = {"pk": {"S": "sweep"}, "sk": {"S": "cursor"}, "until": {"N": str(START - 1000)}}
        self._aws.client("dynamodb").put_item(TableName=stack.resources["StateTable"], Item=swept)

    def start(self, name: str) -> Process:
        """A new process of a function: nothing in its memory."""
        module: Any = self.modules[name]
        module.client = self.internet.client()
        for memory in ("robots", "recent"):
            getattr(module, memory, {}).clear()
        if name == "parse":
            module.originals = _PerProcess(self.faults, lambda: Originals(module.dynamodb, module.SETTINGS.state_table))
        if name == "notify":
            module.secrets = Secrets(module.vault, module.SETTINGS.secrets_path, clock=self.clock.time)
            module.last_posts.clear()
        return Process(name)

    def invoke(self, name: str, event: Any) -> Invocation:
        """Run a function once, in the process it has, or in a new one if that died."""
        process = self.processes[name]
        if process.dead:
            process = self.processes[name] = self.start(name)
        self.faults.run_as(process)
        self.faults.calm()
        invocation = self._aws.invoke(FUNCTIONS[name], event)
        self.invocations.append(invocation)
        return invocation

    @property
    def deployed(self) -> dict[str, Function]:
        """All functions, by logical id."""
        return self._aws.stack.functions

    def function(self, name: str) -> Function:
        """A function as deployed."""
        return self._aws.stack.functions[FUNCTIONS[name]]

    def next_messages(self) -> dict[str, Any]:
        """The next batch of the queue; time passes until there is one."""
        while (event := self.queue.take()) is None:
            self.clock.to(min(at for at, _ in self._coming()))
        return event

    def parse_next(self) -> None:
        """Let parse have the next batch of the queue."""
        self.queue.settle(self.invoke("parse", {**self.next_messages()}))

    def acknowledge(self, ends: list[tuple[BaseException | None, Any]], events: tuple[Any, Any]) -> None:
        """Delete from the queue what two workers were given and did not give back."""
        for (error, result), event in zip(ends, events, strict=True):
            self.queue.settle(
                Invocation(function="", trigger="", request_id="", event=event, error=error, result=result)
            )

    # ---- what AWS does -------------------------------------------------------------------------------------------

    def _settle(self) -> bool:
        """Deliver, and let time jump to what comes next, until nothing is left to come; False if that never is."""
        for _ in range(self.patience):
            self.deliver()
            at, event = min(self._coming(), key=lambda coming: coming[0])
            if self._is_settled(at):
                return True
            self.clock.to(at)
            if event is not None:
                self.fire(*event)
        return False

    def _is_settled(self, at: float) -> bool:
        if (
            self._acts
            or self.internet.hub.waiting
            or self.backstage.waiting("ParseQueue")
            or self.stream.backlog()
            or any(self._due())
        ):
            return False
        if self.scene.published and self._last["publish"] <= max(self._changed(), default=0.0):
            return False
        settled = max(self.faults.last_change, START + LATER if self.scene.later else 0.0)
        polled = [item["polled_at"] for item in self._state("poll") if not item["failures"]]
        if len(polled) < self.scene.sources.count("url:") or min(polled) <= max(settled + 60, *self._asked_again()):
            return False
        return at > settled + SETTLED

    def _changed(self) -> Iterator[float]:
        """When articles last changed, of which publish must have heard."""
        for record in self.backstage.items("ArticlesTable"):
            if "changed_at" in record:
                yield datetime.fromisoformat(record["changed_at"]).timestamp()

    def _asked_again(self) -> Iterator[float]:
        """When pages are due to be asked for again that change; at the poll after that they are."""
        yield 0.0
        for record in self.backstage.items("ArticlesTable", status="stored"):
            if record["title"] in self.scene.revised and record["revision"] == 1:
                yield datetime.fromisoformat(record["changed_at"]).timestamp() + REFETCHED_AFTER

    def _coming(self) -> Iterator[tuple[float, tuple[Any, str] | None]]:
        """What happens when, with the event and function it starts, if any."""
        now = self.clock.now
        for message in self.backstage.waiting("ParseQueue"):
            yield max(now, message.visible_at / 1000, message.delayed_until / 1000) + JUST_AFTER, None
        if due := list(self._due()):
            yield self._tick("post-due", min(due)), ({"job": "post-due"}, "notify")
        polls = {item["pk"]: item["next_at"] for item in self._state("poll")}
        unpolled = len(polls) < self.scene.sources.count("url:")
        yield self._tick("poll", now if unpolled else min(polls.values())), ({"job": "poll"}, "discover")
        yield self._tick("sweep", now), ({"job": "sweep"}, "notify")
        for request in self.internet.hub.waiting:
            yield max(now, request.at), None
        if self.scene.published:
            yield self._tick("publish", now), ({"job": "publish"}, "publish")
        for at, _, _ in self._acts[:1]:
            yield max(now, at), ({"job": "act"}, "people")

    def _tick(self, job: str, earliest: float) -> float:
        """When a schedule comes next, not before `earliest`."""
        every = EVERY[job]
        return max(self._last[job] + every, START + math.ceil((earliest - START) / every) * every)

    def _turn_of(self, host: str) -> bool:
        """Whether some worker has the host's turn."""
        return any(i.get("lease_until", 0) >= self.clock.now for i in self._state("turn") if i["pk"] == f"host#{host}")

    def _due(self) -> Iterator[float]:
        for status in ("pending", "claimed"):
            for item in self.backstage.items("StateTable", status=status):
                if "due_at" in item:
                    yield item["due_at"]

    def _state(self, sk: str) -> list[dict[str, Any]]:
        return list(self.backstage.items("StateTable", sk=sk))

    def fire(self, event: dict[str, Any], name: str) -> None:
        """Let the time of a schedule, or of what somebody is to do, come."""
        job = event["job"]
        if job == "act":
            self._act()
            return
        self._last[job] = START + (self.clock.now - START) // EVERY[job] * EVERY[job]
        kind = self.faults.point("schedule", job)
        if kind == "missed":
            return
        for _ in range(2 if kind == "twice" else 1):
            self.invoke(name, event)

    def _act(self) -> None:
        """Let somebody do what comes next; in five minutes again if that came to no good end."""
        _, act, title = self._acts.pop(0)
        if not {"revise": self.people.revise, "forget": self.people.forget}[act](title):
            self._acts.insert(0, (self.clock.now + 300, act, title))
        self.faults.last_change = self.clock.now

    def deliver(self) -> None:
        """Hand over whatever the stream and the queue hold now."""
        while True:
            if event := self.stream.take():
                self._deliver_stream(event)
            elif event := self.shares.take():
                self._deliver_share(event)
            elif event := self.queue.take():
                self._deliver_messages(event)
            elif request := self.internet.hub.take(self.clock.now):
                self._deliver_request(request)
            else:
                return

    def _deliver_stream(self, event: dict[str, Any]) -> None:
        kind = self.faults.point("stream", "deliver")
        if kind == "lost":
            self.stream.settle(_succeeded(event))
            return
        if kind == "apart":
            for one in event["Records"]:
                self.invoke("notify", {"Records": [one]})
            self.stream.settle(_succeeded(event))
            return
        asked = self.internet.model.asked.total()
        invocation = self.invoke("notify", event)
        self.stream.settle(invocation)
        self.waited_for_words |= self.internet.model.asked.total() > asked
        self.came_back |= bool((invocation.result or {}).get("batchItemFailures"))
        if kind == "twice":
            self.invoke("notify", event)

    def _deliver_share(self, event: dict[str, Any]) -> None:
        kind = self.faults.point("shares", "deliver")
        for _ in range({"lost": 0, "twice": 2}.get(kind or "", 1)):
            self.invoke("discover", event)
        self.shares.settle(_succeeded(event))  # what failed is forgotten before it would be seen again

    def _deliver_request(self, request: Request) -> None:
        kind = self.faults.point("hub", "deliver")
        body = self.internet.pages[request.topic].body
        if kind == "lost":
            return
        if kind == "forged" and not request.query:
            lie = f"{request.topic}-lie"
            self.invoke("callback", called(request, body.replace("<link>", f"<link>{lie}"), forged=True))
        for _ in range(2 if kind == "twice" else 1):
            invocation = self.invoke("callback", called(request, body))
            answer = invocation.result or {"statusCode": 500, "body": ""}
            self.internet.hub.hears_back(request, answer["statusCode"], answer["body"], self.clock.now)

    def _deliver_messages(self, event: dict[str, Any]) -> None:
        kind = self.faults.point("queue", "deliver")
        parts = [{"Records": [one]} for one in reversed(event["Records"])] if kind == "apart" else [event]
        for part in parts:
            invocation = self.invoke("parse", part)
            if kind == "twice":
                self.invoke("parse", part)
            if kind != "kept":  # the function succeeded, but its messages were not deleted
                self.queue.settle(invocation)


def _remembering(allowed: Callable[..., bool]) -> Callable[..., bool]:
    """The same few calls are asked about again and again, of roles that stay."""
    known: dict[tuple[int, str, str, str], bool] = {}

    def ask(statements: Any, action: str, arn: str, keys: Sequence[str] = ()) -> bool:
        kinds = " ".join(sorted({key.partition("#")[0] for key in keys}))  # statements tell no two of a kind apart
        asked = id(statements), action, arn, kinds
        if asked not in known:
            known[asked] = allowed(statements, action, arn, keys)
        return known[asked]

    return ask


class _PerProcess:
    """What a function remembers: each process has its own, though two that race share their module here."""

    def __init__(self, faults: Faults, make: Callable[[], Any]) -> None:
        self._faults = faults
        self._make = make
        self._made: dict[Process, Any] = {}

    def __getattr__(self, name: str) -> Any:
        process = self._faults.process
        if process not in self._made:
            self._made[process] = self._make()
        return getattr(self._made[process], name)


class _Reading:
    """In place of the process that reads pages, which tests/hostile kills: a run that is forked can't share it.

    The papers have few pages, which the same run reads again and again: each is read once.
    """

    def __init__(self) -> None:
        self._read = cache(apart.read)

    def start(self) -> None:
        """There is nothing to start."""

    def read(self, task: apart.Task, _seconds: float) -> Article:
        """As the real one."""
        return self._read(task)


class _Unpatient:
    """The SDK's pauses between its own tries, left out."""

    @staticmethod
    def sleep(_: float) -> None:
        return


def _succeeded(event: dict[str, Any]) -> Invocation:
    return Invocation(function="", trigger="", request_id="", event=event)


def _is_defect(invocation: Invocation, plan: Plan) -> bool:
    """Whether an invocation failed that mustn't: a batch never fails as a whole; polls, of a share too, may for AWS's
    sake, since the schedule sends them again.
    """
    if invocation.error is None or isinstance(invocation.error, KilledError):
        return False
    is_batch = "Records" in invocation.event and invocation.function != FUNCTIONS["discover"]
    return is_batch or not plan.faults


def _may_repeat(plan: Plan) -> bool:
    """Whether the plan has a death or a silence between a channel's acceptance and our record of it."""
    return any(
        fault.point.startswith(("notify/post#", "notify/UpdateItem#"))
        or (fault.point.startswith("notify/") and fault.kind == "outage")
        for fault in plan.faults
    )
