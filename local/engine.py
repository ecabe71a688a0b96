"""The Docker engine that `sam local invoke` needs: one that a tool beside the checkout brings, or the machine's own."""

import ipaddress
import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from broadsheet.errors import BroadsheetError

TOOL = Path(__file__).parents[2] / "shared" / "tools" / "lambda-engine"  # for machines that reach no image registry


class EngineError(BroadsheetError):
    """No Docker engine answers; sam local invoke can't run."""


class Engine(msgspec.Struct, frozen=True):
    """`environment` is what leads clients to it, `address` where containers on its bridge find this machine."""

    environment: Mapping[str, str]
    address: str
    has_image: bool  # no registry need be asked for the runtime's image


def start() -> Engine:
    """Find an engine, or let the tool start its own; raises EngineError."""
    given: dict[str, str] = {}
    if TOOL.is_file():
        started = subprocess.run(  # noqa: S603 - the tool beside the checkout
            [TOOL, "start"], capture_output=True, text=True, check=False
        )
        found = re.search(r"^export DOCKER_HOST=(\S+)$", started.stdout, re.MULTILINE)
        if started.returncode or not found:
            raise EngineError(str(TOOL), "did-not-start", started.stderr[-500:])
        given = {"DOCKER_HOST": found[1]}
    try:
        inspected = subprocess.run(
            ["docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"],  # noqa: S607 - the user's own
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **given},
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise EngineError("docker", "no-engine", said.strip()[-500:]) from error
    network = json.loads(inspected.stdout)[0]
    address = network.get("Gateway") or str(next(ipaddress.ip_network(network["Subnet"]).hosts()))
    return Engine(given, address, has_image=bool(given))
