"""What tests of every kind may ask for, and what holds in all: no function asks AWS for what its role forbids."""

from collections.abc import Iterator

import pytest

from tests import browser as browsers
from tests.privileges import LEDGER, functions

LAST = "test_every_permission_is_used"


@pytest.fixture(scope="session")
def browser() -> Iterator[browsers.Browser]:
    """A real browser; tests that ask for it are skipped where there is none."""
    path = browsers.find()
    if path is None:
        pytest.skip("no Chromium here: `make browser` fetches Debian's, or BROWSER names one")
    with browsers.Browser(path) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def ledger() -> Iterator[None]:
    with LEDGER.kept():
        yield


@pytest.fixture(autouse=True)
def permitted() -> Iterator[None]:
    before = len(LEDGER.unpermitted)
    yield
    assert LEDGER.unpermitted[before:] == [], "no statement in template.yaml allows this"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What has been used is known in the end."""
    items.sort(key=lambda item: item.name.startswith(LAST))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LEDGER.calls:
        terminalreporter.write_line(
            f"least privilege: {LEDGER.calls.total()} calls of {len({call[0] for call in LEDGER.calls})} functions, "
            f"unpermitted {len(LEDGER.unpermitted)}; statements unused "
            f"{sum(len(LEDGER.unused(function)) for function in functions())}"
        )
