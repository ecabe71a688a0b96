"""What goes wrong in a run, as one line that replays it: `plain parse/PutObject#2=kill-after notify/post#1=timeout`."""

import msgspec

# What may befall each sort of point. A kill is a death of the process, `after` with the effect done;
# `timeout` is an answer that never comes, `lost` one that comes when the SDK asks again; a `stale` read finds nothing
# yet of what was written within a minute, unless it is a consistent one; of what is asked for in pages a `partial` one
# is cut after the first thing; an `outage` of a service, and an entry that is `refused`, last for the rest of the
# invocation.
AWS_CALL = ("kill-before", "kill-after", "error", "timeout", "lost", "throttle", "outage")
READ = ("kill-before", "error", "timeout", "throttle", "outage")  # it has no effect to die after, or to have twice
READS = ("Get", "BatchGet", "Query", "Scan", "List", "Head")
SOME_CALLS = {
    "SendMessageBatch": ("partial", "refused"),
    "BatchGetItem": ("partial", "stale"),
    "GetItem": ("stale",),
    "Query": ("partial",),
    "Scan": ("partial",),
    "ListObjectVersions": ("partial",),
    "ListObjectsV2": ("partial",),
    "DeleteObjects": ("partial",),
}
FETCH = ("kill-before", "kill-after", "error", "timeout", "throttle")
DELIVERY = {
    "queue": ("twice", "apart", "kept"),
    "shares": ("twice", "lost"),  # kept for minutes only
    "stream": ("twice", "apart", "lost"),
    "schedule": ("twice", "missed"),
    "hub": ("twice", "lost", "forged"),
}
KILLS = ("kill-before", "kill-after")


class Fault(msgspec.Struct, frozen=True, order=True):
    """`kind` at `point`, the name of a step such as `parse/PutObject#2`: the second such call that parse makes."""

    point: str
    kind: str

    def __str__(self) -> str:
        return f"{self.point}={self.kind}"


class Plan(msgspec.Struct, frozen=True):
    """A scene, and the faults that befall it."""

    scene: str
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.scene, *map(str, self.faults)])

    def and_(self, fault: Fault) -> "Plan":
        return Plan(self.scene, (*self.faults, fault))


def read(line: str) -> Plan:
    """The plan of a line."""
    scene, *faults = line.split()
    pairs = [fault.rpartition("=") for fault in faults]
    return Plan(scene, tuple(Fault(point, kind) for point, _, kind in pairs))


def kinds(point: str) -> tuple[str, ...]:
    """What may happen at a point, by its name."""
    where, _, what = point.partition("#")[0].partition("/")
    if where in DELIVERY:
        return DELIVERY[where]
    if what in ("fetch", "post", "read-back"):
        return FETCH
    return (READ if what.startswith(READS) else AWS_CALL) + SOME_CALLS.get(what, ())
