"""What tests and commands need built before they can deploy or invoke: made by the same make targets a person uses."""

import subprocess

from broadsheet.errors import BroadsheetError
from local.ministack import ROOT


class BuildError(BroadsheetError):
    """The stack can't be built here, for want of Python 3.13, or make failed; the detail is what it said."""


def build() -> None:
    """Bring .aws-sam/build and the tools' virtual environments up to date; raises BuildError."""
    _build("build", ".venv-ministack/.ready")


def build_ministack() -> None:
    """Bring ministack's virtual environment up to date; raises BuildError."""
    _build(".venv-ministack/.ready")


def _build(*targets: str) -> None:
    if not _make("python313").stdout.strip():
        raise BuildError("make", "no-python3.13", "on PATH or under pyenv's versions")
    made = _make(*targets)
    if made.returncode:
        raise BuildError(f"make {targets[0]}", "failed", made.stdout[-1000:] + made.stderr[-3000:])


def _make(*targets: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own Makefile
        ["make", "--silent", *targets],  # noqa: S607 - the user's make
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
