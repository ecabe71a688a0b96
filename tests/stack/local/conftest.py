"""A small stack with handlers of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.embedded import EmbeddedAws

SMALL = Path(__file__).with_name("small.yaml")


def ignore(event: Any, context: Any) -> None:
    """Succeed."""


@pytest.fixture
def up() -> Iterator[Callable[..., EmbeddedAws]]:
    """Return a function that brings the small stack up until the test's end, its functions given by keyword."""
    with ExitStack() as stacks:

        def start(
            worker: Any = ignore, watcher: Any = ignore, *, state_dir: Path | None = None, redelivery: int = 0
        ) -> EmbeddedAws:
            handlers = {"Worker": worker, "Watcher": watcher}
            return stacks.enter_context(
                EmbeddedAws(SMALL, handlers=handlers, state_dir=state_dir, redelivery=redelivery, minute=0.05)
            )

        yield start
