"""A fresh embedded AWS for each test, made from the template."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.stack.cloud import Cloud, unpatient


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """The template's tables, queues and bucket, empty."""
    unpatient(monkeypatch)
    with mock_aws():
        yield Cloud()
