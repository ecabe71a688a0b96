"""The template, translated as SAM translates it."""

from typing import Any

import pytest

from local.embedded import TEMPLATE
from local.stack import translate


@pytest.fixture(scope="session")
def resources() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = translate(TEMPLATE, {}, "us-east-1")["Resources"]
    return found
