"""Dates are read as machines and newsrooms write them."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from broadsheet.extract.dates import Habits, day_comes_first, read_moment


def at(*parts: int, hours: float = 0) -> datetime:
    return datetime(*parts, tzinfo=timezone(timedelta(hours=hours)))  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2025-03-04T08:30:00+01:00", at(2025, 3, 4, 8, 30, hours=1)),
        ("2025-03-04T08:30:00.123Z", at(2025, 3, 4, 8, 30, 0, 123000)),
        ("2025-03-04 08:30:00 -0500", at(2025, 3, 4, 8, 30, hours=-5)),
        ("20250304T083000Z", at(2025, 3, 4, 8, 30)),
        ("1741077000", at(2025, 3, 4, 8, 30)),
        ("1741077000000", at(2025, 3, 4, 8, 30)),
        ("Tue, 04 Mar 2025 08:30:00 GMT", at(2025, 3, 4, 8, 30)),
        ("Tue Mar 04 2025 08:30:00 +0200", at(2025, 3, 4, 8, 30, hours=2)),
        ("March 4, 2025 at 8:30 p.m. EST", at(2025, 3, 4, 20, 30, hours=-5)),
        ("Published: 4th March 2025, 12:05 am", at(2025, 3, 4, 0, 5)),
        ("4. März 2025, 8:30 Uhr", at(2025, 3, 4, 8, 30)),
        ("04.03.2025 08:30", at(2025, 3, 4, 8, 30)),
        ("le 4 mars 2025 à 8h30", at(2025, 3, 4, 8, 30)),
        ("4 de marzo de 2025", at(2025, 3, 4)),
        ("4 марта 2025", at(2025, 3, 4)),
        ("2025年3月4日 下午3:05", at(2025, 3, 4, 15, 5)),
        ("2025年03月04日08:30 来源：本报", at(2025, 3, 4, 8, 30)),
        ("04/03/2025 - 08:30", at(2025, 3, 4, 8, 30)),
        ("2025년 3월 4일", at(2025, 3, 4)),
    ],
)
def test_an_instant_is_read(text: str, instant: datetime) -> None:
    moment = read_moment(text)
    assert moment is not None
    assert moment.at == instant


@pytest.mark.parametrize(
    "text", ["", "yesterday", "4 Elephants 2025", "31.02.2025", "1889-01-01", "2999-01-01", "12:30", "1" * 500]
)
def test_what_is_no_date_of_news_is_none(text: str) -> None:
    assert read_moment(text) is None


def test_a_local_time_takes_its_publishers_zone_and_says_it_had_none() -> None:
    moment = read_moment("2025-07-01 09:00", Habits(zone=ZoneInfo("Europe/Paris")))
    assert moment is not None
    assert (moment.at, moment.zoned, moment.timed) == (datetime(2025, 7, 1, 7, tzinfo=UTC), False, True)


def test_day_or_month_first_is_the_publishers_habit() -> None:
    assert read_moment("03/04/2025", Habits(day_first=True)).at == at(2025, 4, 3)  # type: ignore[union-attr]
    assert read_moment("03/04/2025", Habits(day_first=False)).at == at(2025, 3, 4)  # type: ignore[union-attr]
    assert read_moment("25/04/2025", Habits(day_first=False)).at == at(2025, 4, 25)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("language", "url", "first"),
    [
        ("en-US", "https://a.example/", False),
        ("en", "https://a.com/", False),
        ("en", "https://a.co.uk/", True),
        ("en-GB", "https://a.com/", True),
        ("de", "https://a.com/", True),
        (None, "https://a.com/", False),
        (None, "https://a.fr/", True),
    ],
)
def test_only_american_english_puts_the_month_first(language: str | None, url: str, first: bool) -> None:
    assert day_comes_first(language, url) is first
