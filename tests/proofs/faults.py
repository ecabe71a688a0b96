"""The points at which a run can go wrong, and making it go wrong there.

Every AWS call, page fetch and channel post of a function is a point, and so is every delivery of an event to it.
A point's name counts its kind's occurrences, so that it means the same step whenever the same plan is run.
"""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

import msgspec
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from botocore.model import OperationModel
from moto.core.models import botocore_stubber

from tests.proofs import shortcut
from tests.proofs.clock import Clock
from tests.proofs.plans import Fault, Plan

STEP = 0.002  # seconds that a step takes: no two happen at one instant

ERRORS = {
    "error": ("InternalServerError", 500),
    "throttle": ("ThrottlingException", 400),
}


WITHHELD = {"BatchGetItem": "UnprocessedKeys", "SendMessageBatch": "Failed", "DeleteObjects": "Errors"}
PAGED = {"Query": "Limit", "Scan": "Limit", "ListObjectVersions": "MaxKeys", "ListObjectsV2": "MaxKeys"}


class KilledError(BaseException):
    """The process died here: no `except Exception` sees it."""


class Touch(msgspec.Struct, frozen=True):
    """What a step reads or writes: an item, an object, a host, a channel. A `*` at the end is anything of that kind."""

    thing: str
    writes: bool

    def conflicts(self, other: "Touch") -> bool:
        """Whether it matters which of the two steps comes first."""
        if not (self.writes or other.writes):
            return False
        one, two = sorted((self.thing, other.thing), key=lambda thing: thing.endswith("*"))
        return one == two or (two.endswith("*") and one.startswith(two[:-1]))


def _nobody_waits(_: str, __: tuple[Touch, ...]) -> None:
    return


SEEN_BY_ALL = 60.0  # seconds after a write: DynamoDB says "usually within one second"
WRITES = ("Put", "Update", "Delete", "BatchWrite")


def touched(operation: str, params: Mapping[str, Any]) -> Iterator[Touch]:
    """What an AWS call reads or writes of what another call may write or read: sends and parameters don't matter."""
    writes = operation.startswith(WRITES)
    if operation.endswith("Object"):
        yield Touch(params["Key"], writes)
    elif operation in ("Query", "Scan"):
        yield Touch(f"{params['TableName']}*", writes)
    elif "RequestItems" in params:
        for table, asked in params["RequestItems"].items():
            keys = asked["Keys"] if "Keys" in asked else [_key(one["PutRequest"]["Item"]) for one in asked]
            yield from (Touch(f"{table} {_key(key)}", writes) for key in keys)
    elif "TableName" in params:
        yield Touch(f"{params['TableName']} {_key(params.get('Key') or params['Item'])}", writes)


def _key(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: item[name] for name in ("id", "pk", "sk") if name in item}


class Process:
    """A function's life from its start to its death; once killed, none of its threads does anything any more."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.dead = False
        # where another worker may get its turn
        self.between: Callable[[str, tuple[Touch, ...]], None] = _nobody_waits


class AtOnce(Executor):
    """In place of a pool of threads: a plan must meet the same points in the same order, and a run may be forked."""

    def __init__(self, _workers: int) -> None:
        pass

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it here and now; what it raises, a death too, is raised where its result is asked for, as of a thread."""
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - told by the future
            done.set_exception(error)
        return done


def is_consistent(params: Mapping[str, Any]) -> bool:
    """Whether a read sees all that was written before it."""
    return all(asked.get("ConsistentRead") for asked in params.get("RequestItems", {"": params}).values())


class Faults:
    """One run's points, in order, and the plan's faults among them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._local = threading.local()
        self.befalls: Callable[[str], str | None] = lambda _: None  # what happens where nothing was planned
        self.begin(Plan(""))

    def begin(self, plan: Plan) -> None:
        """Start over with another plan."""
        self.plan = plan
        self._planned = {fault.point: fault.kind for fault in plan.faults}
        self._count: Counter[str] = Counter()
        self.calm()
        self.points: list[str] = []
        self._written: dict[str, float] = {}  # what was written when
        self.fired: list[str] = []
        self.last_change = self._clock.now

    def calm(self) -> None:
        """What lasted for one invocation is over."""
        self._refused: set[str] = set()
        self._down: set[str] = set()

    def run_as(self, process: Process) -> None:
        """What this thread does from now on, it does for `process`."""
        self._local.process = process

    @property
    def process(self) -> Process:
        found: Process = self._local.process
        return found

    def point(self, where: str, what: str) -> str | None:
        """Come to a point; returns what happens there, None if all goes well. Kills before the step are done here."""
        name = f"{where}/{what}"
        self._count[name] += 1
        name = f"{name}#{self._count[name]}"
        self.points.append(name)
        self._clock.now += STEP
        kind = self._planned.get(name)
        if kind is None and (kind := self.befalls(name)):
            self.plan = self.plan.and_(Fault(name, kind))
        if kind is not None:
            self.fired.append(f"{name}={kind}")
            self.last_change = self._clock.now
        return kind

    def step(self, what: str, *touches: Touch) -> str | None:
        """A step of the running process, which dies here if it is to."""
        process = self.process
        if process.dead:
            raise KilledError
        process.between(what, touches)
        self._written |= {touch.thing: self._clock.now for touch in touches if touch.writes}
        kind = self.point(process.function, what)
        if kind == "kill-before":
            self.kill()
        return kind

    def kill(self) -> None:
        self.process.dead = True
        raise KilledError

    # ---- AWS calls -----------------------------------------------------------------------------------------------

    def attach(self, client: Any, serve: Callable[..., AWSResponse | None] | None = None) -> None:
        """Make every call of a client a point; moto answers it, or else whatever is to `serve` it."""
        events = client.meta.events
        events.register_first("before-parameter-build", self._asked)
        events.register_first("before-call", self._answer_instead)
        if serve:
            events.unregister("before-send", botocore_stubber)
        events.register_first("before-send", partial(self._sent, serve=serve))
        events.register_last("after-call", self._answered)

    def _asked(self, params: dict[str, Any], model: OperationModel, context: dict[str, Any], **_: Any) -> None:
        kind = self.step(model.name, *touched(model.name, params))
        service = model.service_model.service_name
        if kind == "outage":
            self._down.add(service)
        if service in self._down:
            kind = "error"
        self._local.fault, self._local.attempts = kind, 0
        context["withheld"] = context["instead"] = None
        context["params"] = params if service == "dynamodb" and kind not in shortcut.ON_THE_WIRE else None
        if kind in ERRORS:
            code, status = ERRORS[kind]
            context["instead"] = status, {"Error": {"Code": code, "Message": "by plan"}, "ResponseMetadata": {}}
        elif model.name == "BatchGetItem" and kind == "partial":
            ((table, asked),) = params["RequestItems"].items()
            self._withhold(context, {table: {"Keys": asked["Keys"][:1]}}, left=bool(asked["Keys"][1:]))
            if asked["Keys"][1:]:
                params["RequestItems"] = {table: {**asked, "Keys": asked["Keys"][1:]}}
        elif model.name in PAGED and kind == "partial":
            params.setdefault(PAGED[model.name], 1)  # who asks for a few expects no more pages
        elif model.name == "DeleteObjects" and kind == "partial":
            first, *rest = params["Delete"]["Objects"]
            self._withhold(context, [{**first, "Code": "InternalError", "Message": "by plan"}], left=bool(rest))
            params["Delete"] = {**params["Delete"], "Objects": rest or [first]}
        elif kind == "stale" and not is_consistent(params) and self._are_fresh(model.name, params):
            context["instead"] = 200, {"Responses": {}, "Items": [], "ResponseMetadata": {}}
        elif model.name == "SendMessageBatch":
            entries = params["Entries"]
            if kind == "refused":
                self._refused.add(entries[0]["MessageBody"])
            no = entries[:1] if kind == "partial" else [e for e in entries if e["MessageBody"] in self._refused]
            left = [entry for entry in entries if entry not in no]
            failed = [{"Id": e["Id"], "SenderFault": False, "Code": "InternalError"} for e in no]
            self._withhold(context, failed, left=bool(left))
            params["Entries"] = left or entries

    def _are_fresh(self, operation: str, params: Mapping[str, Any]) -> bool:
        """Whether a read may still miss all that it asks for: later than seconds after a write, none does."""
        asked = [touch.thing for touch in touched(operation, params)]
        return all(self._clock.now - self._written.get(thing, -math.inf) <= SEEN_BY_ALL for thing in asked)

    @staticmethod
    def _withhold(context: dict[str, Any], withheld: Any, *, left: bool) -> None:
        """Note what of a batch AWS will not take this time; without anything `left`, it isn't asked at all."""
        context["withheld"] = withheld
        if not left:
            context["instead"] = 200, {"Responses": {}, "ResponseMetadata": {}}

    def _answer_instead(
        self, context: dict[str, Any], model: OperationModel, **_: Any
    ) -> tuple[Any, dict[str, Any]] | None:
        if context["instead"] is None:
            return shortcut.ask(model, context["params"]) if context["params"] else None
        status, parsed = context["instead"]
        return AWSResponse("https://aws.invalid/", status, HTTPHeaders(), None), parsed

    def _sent(
        self, request: AWSPreparedRequest, serve: Callable[..., AWSResponse | None] | None, **_: Any
    ) -> AWSResponse | None:
        kind, attempt = self._local.fault, self._local.attempts
        self._local.attempts += 1
        if kind == "kill-after":
            (serve or botocore_stubber)(event_name="before-send", request=request)
            self.kill()
        if kind == "timeout" or (kind == "lost" and attempt == 0):
            if attempt == 0:
                (serve or botocore_stubber)(event_name="before-send", request=request)
            raise ReadTimeoutError(endpoint_url=request.url)
        return serve(event_name="before-send", request=request) if serve else None

    def _answered(self, parsed: dict[str, Any], model: OperationModel, context: dict[str, Any], **_: Any) -> None:
        if withheld := context.get("withheld"):
            parsed[WITHHELD[model.name]] = withheld
