"""What tests of every kind may ask for."""

from collections.abc import Iterator

import pytest

from tests import browser as browsers


@pytest.fixture(scope="session")
def browser() -> Iterator[browsers.Browser]:
    """A real browser; tests that ask for it are skipped where there is none."""
    path = browsers.find()
    if path is None:
        pytest.skip("no Chromium here: `make browser` fetches Debian's, or BROWSER names one")
    with browsers.Browser(path) as running:
        yield running
