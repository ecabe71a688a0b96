"""The date spellings met in feeds: one string in, one instant in UTC out.

Feeds should write RFC 3339 or RFC 822; what they do write comes in many languages, orders and half-remembered
standards. ISO is tried first, then one tolerant reading of numbers, month names, clock and zone. Anything left
unexplained makes the whole unreadable: no date is better than a wrong one. (feedparser reads `2013-xx-27` as
1 November 2013.)
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# Stems of month names, a line per month: English, French, Spanish, Italian, German, Portuguese, Dutch, Turkish, Polish,
# Greek, Russian, Hungarian. Accents are folded away before they are compared.
_MONTH_STEMS = """
jan ene gen oca sty ιαν янв
feb fev fevr sub lut φεβ фев
mar mrt mart μαρ мар
apr avr abr nis kwi απρ апр
may mai mag mei maj μαι маи мая
jun juin giu haz cze ιουν июн
jul juil lug tem lip ιουλ июл
aug aou ago agu sie αυγ авг
sep set eyl wrz sze σεπ сен
oct ott okt out eki paz οκτ окт
nov kas lis νοε ноя
dec dic dez ara gru δεκ дек
"""
_ZONES = {
    **dict.fromkeys(("z", "ut", "utc", "gmt", "wet"), 0),
    **dict.fromkeys(("west", "bst", "met", "mez", "cet"), 1),
    **dict.fromkeys(("mest", "mesz", "cest", "eet"), 2),
    **dict.fromkeys(("eest", "msk"), 3),
    **dict.fromkeys(("hkt", "sgt", "awst"), 8),
    **dict.fromkeys(("jst", "kst"), 9),
    "ist": 5.5,
    "acst": 9.5,
    "aest": 10,
    "aedt": 11,
    "nzst": 12,
    "nzdt": 13,
    "adt": -3,
    "ast": -4,
    "edt": -4,
    "est": -5,
    "et": -5,
    "cdt": -5,
    "cst": -6,
    "ct": -6,
    "mdt": -6,
    "mst": -7,
    "mt": -7,
    "pdt": -7,
    "pst": -8,
    "pt": -8,
    "akdt": -8,
    "akst": -9,
    "hst": -10,
}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FILLERS = {"t", "at", "de", "um", "uhr", "h", "the"}

_SHORT_ISO = re.compile(r"-?(\d\d)-?(\d\d)(?:-?(\d\d))?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(?:([ap])\.?m\b\.?)?", re.IGNORECASE)
_OFFSET = re.compile(r"(?:\b(?:GMT|UTC|UT))?\s?([+-])(\d{2}):?(\d{2})\b")
_REGION = re.compile(r"\b[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_+-]*\d*)+")
_KOREAN = timezone(timedelta(hours=9))


def instant(text: str) -> datetime | None:
    """The instant `text` names, aware and in UTC, or None. A time without a zone is UTC, except in Korean, whose
    writers share one. A date alone is its midnight, a month its first day."""
    text = unicodedata.normalize("NFKC", text).strip()
    if not text or len(text) > 120:
        return None
    try:
        return _iso(text) or _tolerant(text)
    except (ValueError, OverflowError):
        return None


def _iso(text: str) -> datetime | None:
    if re.fullmatch(r"\d{10}|\d{13}", text):
        return datetime.fromtimestamp(int(text[:10]), UTC)
    if re.fullmatch(r"[12]\d{3}", text):
        return datetime(int(text), 1, 1, tzinfo=UTC)
    if short := _SHORT_ISO.fullmatch(text):
        return datetime(_year(short[1]), int(short[2]), int(short[3] or 1), tzinfo=UTC)
    if not re.match(r"\d{4}-?\d{2}-?\d{2}(?:[Tt ]|$)", text):  # fromisoformat would take any separator
        return None
    try:
        return _utc(datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d)", "", text)))
    except ValueError:
        return None


def _tolerant(text: str) -> datetime | None:
    korean = bool(re.search(r"[년월일]|오[전후]", text))
    afternoon = bool(re.search(r"오후|下午|午後", text))
    text = re.sub(r"오[전후]|[上下]午|午[前後]|[年月日년월일]", " ", text)
    text = re.sub(r"^[^\d,]*,", " ", text) if "," in text else text  # a weekday, in whatever language
    zone: tzinfo | None = _KOREAN if korean else None
    hour = minute = second = 0
    if region := _REGION.search(text):
        zone = _region(region[0])
        text = text.replace(region[0], " ")
    if clock := _CLOCK.search(text):
        hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
        half = (clock[4] or ("p" if afternoon else "")).lower()
        hour = hour % 12 + (12 if half == "p" else 0) if half else hour
        rest = text[clock.end() :]
        if offset := _OFFSET.match(rest.lstrip()):
            sign = -1 if offset[1] == "-" else 1
            zone = timezone(sign * timedelta(hours=int(offset[2]), minutes=int(offset[3])))
            rest = rest.lstrip()[offset.end() :]
        text = f"{text[: clock.start()]} {rest}"
    numbers, month = [], None
    for token in re.findall(r"\d+|[^\W\d_]+|[+]", text):
        word = _folded(token)
        if token.isdigit():
            numbers.append(token)
        elif word in _ZONES:
            zone = zone or timezone(timedelta(hours=_ZONES[word]))
        elif named := _month(word):
            month = named
        elif not word.startswith(_WEEKDAYS) and word not in _FILLERS:
            return None
    year, month, day = _ordered(numbers, month)
    return _utc(datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone))


def _ordered(numbers: list[str], month: int | None) -> tuple[int, int, int]:
    """Year, month, day; ValueError unless the numbers are just those. 12/11/2020 is read day first, as most write."""
    if month is not None:
        if len(numbers) == 1 and len(numbers[0]) == 4:
            return int(numbers[0]), month, 1
        first, second = numbers
        return (int(first), month, int(second)) if len(first) == 4 else (_year(second), month, int(first))
    first, second, third = numbers
    if len(first) == 4:
        return int(first), int(second), int(third)
    if int(second) > 12:
        return _year(third), int(first), int(second)
    return _year(third), int(second), int(first)


def _year(digits: str) -> int:
    year = int(digits)
    return year if len(digits) > 2 else year + (1900 if year >= 69 else 2000)  # POSIX's pivot


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _region(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _folded(word: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", word.casefold()) if not unicodedata.combining(char))


def _month(word: str) -> int | None:
    return next((number for stem, number in _stems() if word.startswith(stem)), None)


@cache
def _stems() -> list[tuple[str, int]]:
    lines = _MONTH_STEMS.strip().splitlines()
    stems = [(_folded(stem), number) for number, line in enumerate(lines, 1) for stem in line.split()]
    return sorted(stems, key=lambda stem: -len(stem[0]))  # longest first: juin and juil before jui-anything
