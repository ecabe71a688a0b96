"""The Lambda service: a function's code loaded and invoked in this process, with its own environment and nothing else.

One invocation runs at a time: the environment and the standard streams are the process's.
"""

import importlib.util
import io
import json
import logging
import os
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
import botocore.session
import msgspec
from botocore.exceptions import ClientError
from botocore.loaders import Loader, create_loader
from botocore.model import OperationModel

from broadsheet.errors import BroadsheetError
from local.permissions import allowed, partition_keys, required
from local.stack import CREDENTIALS, Function

Handler = Callable[[Any, Any], Any]


class StartError(BroadsheetError):
    """A function's module does not load: Lambda would fail every invocation at init."""


class Context:
    """What a handler gets as `context`."""

    function_version = "$LATEST"
    client_context = None
    identity = None

    def __init__(self, function: Function) -> None:
        self.function_name = function.name
        self.invoked_function_arn = function.arn
        self.memory_limit_in_mb = function.memory
        self.aws_request_id = str(uuid.uuid4())
        self.log_group_name = f"/aws/lambda/{function.name}"
        self.log_stream_name = "local"
        self._deadline = time.monotonic() + function.timeout

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the invocation may still run; it isn't stopped then, only reported."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """One invocation and what came of it: a result, or the error that Lambda would report.

    `function` is the logical id, `trigger` what invoked it (a schedule's, queue's or stream's logical id, or "direct"),
    `log` the lines the function wrote.
    """

    function: str
    trigger: str
    request_id: str
    event: Any
    result: Any = None
    error: BaseException | None = None
    log: tuple[str, ...] = ()
    seconds: float = 0.0
    timed_out: bool = False

    @property
    def trace(self) -> str:
        """The error with its place, as a log shows it; empty without one."""
        return "" if self.error is None else "".join(traceback.format_exception(self.error))


class Runtime:
    """The functions of a stack. `handlers`, by logical id, stand in for the code that the template names."""

    def __init__(self, functions: Mapping[str, Function], handlers: Mapping[str, Handler]) -> None:
        self._functions = functions
        self._processes = {key: _Process(function) for key, function in functions.items()}
        self._handlers = dict(handlers)
        for key, function in functions.items():
            if key not in self._handlers:
                self._handlers[key] = _load(function, self._processes[key])

    def invoke(self, key: str, event: Any, trigger: str = "direct") -> Invocation:
        """Run one function to its end; whatever it raises is the invocation's `error`, as Lambda has it."""
        function = self._functions[key]
        event = json.loads(json.dumps(event))
        context = Context(function)
        result, failure = None, None
        started = time.monotonic()
        with self._processes[key].entered():
            try:
                result = json.loads(json.dumps(self._handlers[key](event, context)))
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001  # a function may fail in any way, even by sys.exit
                failure = error
            seconds = time.monotonic() - started
            log = _CONSOLE.take()
        return Invocation(
            function=key,
            trigger=trigger,
            request_id=context.aws_request_id,
            event=event,
            result=result,
            error=failure,
            log=log,
            seconds=seconds,
            timed_out=seconds > function.timeout,
        )


class _Console(io.TextIOBase):
    """Where functions write. One for the process: a logger keeps the stream it was made with."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._lock = threading.Lock()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            self._text.append(text)
        return len(text)

    def take(self) -> tuple[str, ...]:
        """Return the lines written since the last time."""
        with self._lock:
            text, self._text = "".join(self._text), []
        return tuple(line for line in text.splitlines() if line)


_CONSOLE = _Console()


class _Process:
    """What a function has to itself on Lambda, and shares here by turns: environment, time zone, console, loggers."""

    def __init__(self, function: Function) -> None:
        region = function.arn.split(":")[3]
        self._loggers: _Loggers = {}
        self._session = _session(function)
        self._environment = {
            **function.environment,
            **CREDENTIALS,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": Context.function_version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "LAMBDA_TASK_ROOT": str(function.code),
            "LANG": "en_US.UTF-8",
            "PATH": os.defpath,
            "TZ": "UTC",
            "_HANDLER": function.handler,
        }

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Make this process look like the function's own."""
        outside, loggers = dict(os.environ), _loggers()
        _replace_environment(self._environment)
        _replace_loggers(self._loggers)
        try:
            with (
                redirect_stdout(_CONSOLE),
                redirect_stderr(_CONSOLE),
                patch.object(boto3, "DEFAULT_SESSION", self._session),
            ):
                yield
        finally:
            self._loggers = _loggers()
            _replace_loggers(loggers)
            _replace_environment(outside)


def _session(function: Function) -> boto3.session.Session:
    """Return a session whose clients ask the function's role before each call."""
    core = botocore.session.Session()
    core.register_component("data_loader", _models())

    def ask(params: Mapping[str, Any], model: OperationModel, **_: Any) -> None:
        service = model.service_model.service_name
        region, account = function.arn.split(":")[3:5]
        keys = partition_keys(params, "pk") if service == "dynamodb" else []  # of the state table
        for action, arn in required(service, model.name, params, region=region, account=account):
            if not allowed(function.statements, action, arn, keys):
                message = f"{function.id}'s role is not authorized to perform {action} on {arn}"
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, model.name)

    core.get_component("event_emitter").register_first("provide-client-params", ask)
    return boto3.session.Session(botocore_session=core)


@cache
def _models() -> Loader:
    return create_loader()  # shared: reading the services' models takes longer than all the rest


_Loggers = dict[logging.Logger, tuple[list[logging.Handler], int, bool]]


def _loggers() -> _Loggers:
    found = [logger for logger in logging.Logger.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    return {logger: (list(logger.handlers), logger.level, logger.propagate) for logger in found}


def _replace_loggers(loggers: _Loggers) -> None:
    for logger in {**_loggers(), **loggers}:
        handlers, level, propagate = loggers.get(logger, ([], logging.NOTSET, True))
        logger.handlers = list(handlers)
        logger.setLevel(level)
        logger.propagate = propagate


def _forget_powertools_loggers() -> None:
    """A new process has no loggers yet; Powertools would go on with those that an earlier function was told to make."""
    known = logging.Logger.manager.loggerDict
    for name in [name for name, logger in known.items() if hasattr(logger, "powertools_handler")]:
        del known[name]


def _replace_environment(variables: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()


def _load(function: Function, process: _Process) -> Handler:
    module_name, _, handler_name = function.handler.rpartition(".")
    path = function.code / f"{module_name}.py"
    spec = importlib.util.spec_from_file_location(f"lambda_{function.id}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise StartError(function.id, "no-such-file", str(path))
    module = importlib.util.module_from_spec(spec)
    with process.entered():
        _forget_powertools_loggers()
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
            handler: Handler = getattr(module, handler_name)
        except Exception as error:
            said = "\n".join(_CONSOLE.take())
            raise StartError(function.id, "init-failed", f"{type(error).__name__}: {error}\n{said}".strip()) from error
    return handler
