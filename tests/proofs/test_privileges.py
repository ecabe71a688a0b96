"""Each function may do just what it does: what no run ever asked for, its role must not grant.

The other half holds everywhere: the embedded AWS asks the role before every call, so that one without a
statement fails.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from local.permissions import allowed
from tests.proofs.conftest import DEATHBED, Measures
from tests.proofs.plans import read
from tests.proofs.scenes import SCENES
from tests.proofs.world import FUNCTIONS, World

pytestmark = DEATHBED
RUNS = (
    *SCENES,
    "text stream/deliver#1=lost",  # the sweep
    "text notify/post#1=error",  # what is due
    "text parse/PutObject#1=kill-after",  # an object that is there already
    "text parse/BatchGetItem#4=stale",  # a lost commit
    " ".join(["knots", *(f"queue/deliver#{n}=twice" for n in range(1, 9))]),  # an alias, again
)
BY_AWS = (  # in the function's name: its queue and stream, its failures, its log
    *(f"sqs:{name}" for name in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")),
    *(f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")),
    *(f"logs:{name}" for name in ("CreateLogStream", "PutLogEvents")),
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_permission_is_used(world: World, measures: Measures, name: str) -> None:
    if not world.faults.asked:
        for line in RUNS:
            assert not world.run(read(line)).guilty
    asked = world.faults.asked[name]
    unused = [
        (statement["Sid"], action, resource)
        for statement in world.function(name).statements
        for action in _list(statement["Action"])
        for resource in _list(statement["Resource"])
        if action not in BY_AWS and not str(statement["Sid"]).startswith("ReportFailure")
        if not _is_used(statement, action, resource, asked)
    ]
    measures.counts["permissions unused"] += len(unused)
    assert not unused


def _is_used(statement: Mapping[str, Any], action: str, resource: str, asked: set[tuple[str, str]]) -> bool:
    exact = {**statement, "Action": action, "Resource": resource}
    return any(allowed([exact], *call) for call in asked)


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
