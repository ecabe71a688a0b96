"""An announcement to post, and the wire to post it over."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from broadsheet.channels import Announcement, delivery_id
from broadsheet.fetch import Client


@pytest.fixture
def announcement() -> Announcement:
    return Announcement(
        article_id="a" * 26,
        delivery_id=delivery_id("a" * 26, "room"),
        title="Ferry resumes after the storm & the strike",
        url="https://news.example/2026/ferry?a=1&b=2",
        summary="The harbour opened at dawn. Two boats sail today.",
        source_name="Harbour Gazette",
        published_at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        language="en",
        image="https://news.example/ferry.jpg",
        authors=("Ida Berg",),
        section="Region",
        tags=("ferry", "storm"),
    )


@pytest.fixture
def wire() -> Iterator[Client]:
    wire = Client(user_agent="broadsheet-tests", allowed_networks=("127.0.0.0/8",))
    yield wire
    wire.close()
