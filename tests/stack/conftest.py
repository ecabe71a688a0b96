"""A fresh embedded AWS for each test, made from the template."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from broadsheet.apart import Apart, read
from tests.stack.cloud import Cloud, unpatient


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The template's tables, queues and bucket, empty."""
    unpatient(monkeypatch)
    with mock_aws():
        yield Cloud()


@pytest.fixture
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are read in this process, where what a test patches is known, and not in a worker."""
    monkeypatch.setattr(Apart, "start", lambda _: None)
    monkeypatch.setattr(Apart, "read", lambda _, task, __: read(task))
