"""A function in a process of its own answers, fails, overruns and dies as on Lambda, and starts again."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.runtime import Invocation
from local.sandbox import Sandbox
from local.stack import Function

CODE = """
import os, time
LEASE = 100
def handler(event, context):
    print("written by the function")
    if event == "fail":
        raise ValueError("no such day")
    if event == "die":
        os._exit(1)
    if event == "sleep":
        open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "asleep"), "w").close()
        time.sleep(20)
    return {"event": event, "lease": LEASE, "greeting": os.environ["GREETING"], "pid": os.getpid()}
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    (tmp_path / "app.py").write_text(CODE)
    function = Function(
        id="Worker",
        name="worker",
        arn="arn:aws:lambda:us-east-1:123456789012:function:worker",
        code=tmp_path,
        handler="app.handler",
        environment={"GREETING": "ahoy"},
        statements=(),
        timeout=30,
        memory=128,
    )
    made = Sandbox(function, tmp_path / "log", lease=5)
    yield made
    made.close()


def said(invocation: Invocation) -> str:
    return str(invocation.error)


def test_it_answers_with_its_own_environment_and_lease_and_keeps_its_process(sandbox: Sandbox) -> None:
    first, second = (sandbox.invoke(f"line\n{n}") for n in range(2))
    assert first.result == {**second.result, "event": "line\n0"}
    assert (first.result["greeting"], first.result["lease"]) == ("ahoy", 5)
    assert first.log == ("written by the function",)
    assert (sandbox.memory() or 0) > 1_000_000


@pytest.mark.parametrize(
    ("event", "error"), [("fail", "no such day"), ("die", "killed")], ids=["it fails", "it dies by itself"]
)
def test_a_failure_or_death_is_the_invocations_and_the_next_is_served(sandbox: Sandbox, event: str, error: str) -> None:
    assert error in said(sandbox.invoke(event))
    assert sandbox.invoke("x").error is None


def test_it_can_be_killed_in_the_middle_of_an_invocation(sandbox: Sandbox) -> None:
    before = sandbox.invoke("x")
    ended: list[Invocation] = []
    caller = threading.Thread(target=lambda: ended.append(sandbox.invoke("sleep")))
    caller.start()
    while not (sandbox.function.code / "asleep").exists():
        time.sleep(0.01)
    assert sandbox.kill()
    caller.join()
    assert "killed" in said(ended[0])
    assert sandbox.invoke("x").result["pid"] != before.result["pid"]


def test_what_overruns_its_time_is_killed(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.invoke("x")
    monkeypatch.setattr("local.sandbox.GRACE", -29.5)
    assert "timed-out" in said(sandbox.invoke("sleep"))
