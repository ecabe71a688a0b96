"""Reading instants as machines and newsrooms write them, in some twenty languages, without a date library."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache

import msgspec


class Moment(msgspec.Struct, frozen=True):
    """A date read from text: `at` is aware; `timed` if the text gave a time of day, `zoned` if it gave its zone."""

    at: datetime
    timed: bool
    zoned: bool


class Habits(msgspec.Struct, frozen=True):
    """How a publisher writes dates: the zone of its local times, if known, and whether 03/04/2025 is in April."""

    zone: tzinfo | None = None
    day_first: bool = True


_UNKNOWN_HABITS = Habits()

# January to December; full names, then what newspapers shorten them to. Genitives where dates use them.
_MONTHS = """
january february march april may june july august september october november december
jan feb mar apr may jun jul aug sept oct nov dec
jan febr mrch apr may june july aug sep oct nov dec
januar februar märz april mai juni juli august september oktober november dezember
jän feber mär apr mai jun jul aug sep okt nov dez
jänner februar mrz april mai juni juli august september oktober november desember
janvier février mars avril mai juin juillet août septembre octobre novembre décembre
janv févr mars avr mai juin juil aoû sept oct nov déc
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
ene feb mar abr may jun jul ago set oct nov dic
janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro
jan fev mar abr mai jun jul ago set out nov dez
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
gen feb mar apr mag giu lug ago set ott nov dic
januari februari maart april mei juni juli augustus september oktober november december
jan feb mrt apr mei jun jul aug sep okt nov dec
januari februari mars april maj juni juli augusti september oktober november december
janúar febrúar mars apríl maí júní júlí ágúst september október nóvember desember
tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta \
heinäkuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta
stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
sty lut mar kwi maj cze lip sie wrz paź lis gru
ledna února března dubna května června července srpna září října listopadu prosince
ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık
januari februari maret april mei juni juli agustus september oktober november desember
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
янв фев мар апр май июн июл авг сен окт ноя дек
січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня
január február március április május június július augusztus szeptember október november december
ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie
जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर
يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر
"""

_HOURS_OF_ZONE = {
    "z": 0, "utc": 0, "gmt": 0, "wet": 0, "bst": 1, "cet": 1, "mez": 1, "west": 1, "cest": 2, "mesz": 2, "eet": 2,
    "sast": 2, "eest": 3, "msk": 3, "trt": 3, "gst": 4, "pkt": 5, "ist": 5.5, "wib": 7, "ict": 7, "sgt": 8, "hkt": 8,
    "myt": 8, "awst": 8, "jst": 9, "kst": 9, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "est": -5, "edt": -4,
    "et": -5, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "pt": -8, "brt": -3, "art": -3,
}  # fmt: skip

_ISO = re.compile(
    r"(?<!\d)(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)"
    r"(?:\s*[T,\s|]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,:](\d{1,9}))?)?)?"
)
_COMPACT = re.compile(r"(?<!\d)(20\d{2})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})?)?(?!\d)")
_EAST = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日號号일]")
_EAST_TIME = re.compile(r"(上午|下午|晚上|凌晨|早上|中午|午前|午後|오전|오후)?\s*(\d{1,2})\s*[:：时時点點시]\s*(\d{2})")
_DAY_MONTH = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|er|\.|º|ª)?[\s,.\-]*(?:de|of|d')?[\s\-]*([^\W\d_]{3,12})\.?,?[\s\-]*(?:de|"
    r"del)?[\s\-]*(\d{4})(?!\d)"
)
_MONTH_DAY = re.compile(r"([^\W\d_]{3,12})\.?[\s\-]*(\d{1,2})(?:st|nd|rd|th)?,?[\s\-]+(\d{4})(?!\d)")
_NUMERIC = re.compile(r"(?<![\d.])(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_TIME = re.compile(r"(?<![\d.])(\d{1,2})[:.h](\d{2})(?::(\d{2}))?(?![.\d]*\d{3})\s*([ap]\.?\s?m\b\.?)?", re.IGNORECASE)
_BARE_HOUR = re.compile(r"(?<![\d:.])(\d{1,2})\s*([ap]\.?m\b\.?)", re.IGNORECASE)
_ZONE = re.compile(r"\s*\(?\s*(?:(?:UTC|GMT)\s*)?([+-])(\d{1,2}):?(\d{2})?|\s*\(?([A-Za-z]{1,4})\b")
_EPOCH = re.compile(r"\d{10}|\d{13}")
_AMERICAN_HOST = re.compile(r"^https?://[^/]+\.(?:com|us|gov|edu)(?:[:/]|$)")
_COMMONWEALTH_HOST = re.compile(r"https?://[^/]+\.(?:uk|au|nz|ie|in|za|ng|ke|gh|sg|my|pk|lk|bd|mt|eu)(?:[:/]|$)")
_LONGEST = 300
_AFTERNOON = {"下午", "晚上", "午後", "오후"}


def day_comes_first(language: str | None, url: str) -> bool:
    """Whether 03/04/2025 is in April: everywhere but in English that isn't of another English-speaking country."""
    language = (language or "").lower().replace("_", "-")
    if not language.startswith("en"):
        return bool(language) or not _AMERICAN_HOST.search(url)
    return language[3:5] not in ("", "us", "ph") or bool(_COMMONWEALTH_HOST.match(url))


def read_moment(text: str, habits: Habits = _UNKNOWN_HABITS) -> Moment | None:
    """The first date in a short text, with its time and zone if they stand beside it.

    A local time of a publisher whose zone is unknown is read as UTC. Years before 1990 and those to come are not dates
    of news and give None.
    """
    zone = habits.zone or UTC
    text = " ".join(text[:_LONGEST].split())
    if _EPOCH.fullmatch(text):
        seconds = int(text) / (1000 if len(text) == 13 else 1)
        return _moment(datetime.fromtimestamp(seconds, UTC), timed=True, zoned=True)
    if iso := _ISO.search(text):
        year, _, month, day, hour, minute, second, fraction = iso.groups()
        time = (hour, minute, second, fraction) if hour else None
        if time is None:
            return _with_time(text, iso.end(), (year, month, day), zone)
        return _build((year, month, day), time, text[iso.end() :], zone)
    if east := _EAST.search(text):
        time_match = _EAST_TIME.search(text, east.end(), east.end() + 30)
        if time_match is None:
            return _build(east.groups(), None, "", zone)
        half, hour, minute = time_match.groups()
        late = half in _AFTERNOON and int(hour) < 12
        return _build(east.groups(), (str(int(hour) + 12 * late), minute, None, None), text[time_match.end() :], zone)
    for pattern, order in ((_DAY_MONTH, (2, 1, 0)), (_MONTH_DAY, (2, 0, 1))):
        for match in pattern.finditer(text):
            groups = match.groups()
            if month := _month(groups[order[1]]):
                return _with_time(text, match.end(), (groups[order[0]], str(month), groups[order[2]]), zone)
    if compact := _COMPACT.search(text):
        year, month, day, hour, minute, second = compact.groups()
        time = (hour, minute, second, None) if hour else None
        if moment := _build((year, month, day), time, text[compact.end() :], zone):
            return moment
    if numeric := _NUMERIC.search(text):
        first, separator, second, year = numeric.groups()
        day, month = (first, second) if habits.day_first or separator == "." else (second, first)
        if int(month) > 12:
            day, month = month, day
        return _with_time(text, numeric.end(), (year if len(year) == 4 else f"20{year}", month, day), zone)
    return None


def _with_time(text: str, end: int, day: tuple[str, str, str], zone: tzinfo) -> Moment | None:
    """The date with the time found within forty characters after it, or anywhere before it."""
    for match in (_TIME.search(text, end, end + 40), _TIME.search(text, 0, max(0, end - 6))):
        if match and int(match[1]) < 24 and int(match[2]) < 60:
            hour = _hour(int(match[1]), match[4])
            return _build(day, (str(hour), match[2], match[3], None), text[match.end() :], zone)
    if match := _BARE_HOUR.search(text, end, end + 30):
        return _build(day, (str(_hour(int(match[1]), match[2])), "00", None, None), text[match.end() :], zone)
    return _build(day, None, "", zone)


def _hour(hour: int, half: str | None) -> int:
    if not half:
        return hour
    return hour % 12 + 12 * half.lower().startswith("p")


def _build(day: tuple[str | None, ...], time: tuple[str | None, ...] | None, after: str, zone: tzinfo) -> Moment | None:
    offset = _zone(after) if time else None
    try:
        year, month, date = (int(part or 0) for part in day)
        hour, minute, second, micro = (
            (int(time[0] or 0), int(time[1] or 0), int(time[2] or 0), int((time[3] or "0")[:6].ljust(6, "0")))
            if time
            else (0, 0, 0, 0)
        )
        at = datetime(year, month, date, hour, minute, second, micro, tzinfo=offset or zone)
    except ValueError:
        return None
    return _moment(at, timed=time is not None, zoned=offset is not None)


def _moment(at: datetime, *, timed: bool, zoned: bool) -> Moment | None:
    return Moment(at, timed, zoned) if 1990 <= at.year <= _latest_year() else None


def _latest_year() -> int:
    # The only clock in this room: a page of next year's January may be read on New Year's Eve in another zone.
    return (datetime.now(UTC) + timedelta(days=30)).year


def _zone(after: str) -> tzinfo | None:
    match = _ZONE.match(after)
    if match is None:
        return None
    sign, hours, minutes, name = match.groups()
    if name:
        offset = _HOURS_OF_ZONE.get(name.lower())
        return None if offset is None else timezone(timedelta(hours=offset))
    delta = timedelta(hours=int(hours), minutes=int(minutes or 0))
    if delta > timedelta(hours=15):
        return None
    return timezone(-delta if sign == "-" else delta)


@cache
def _month_names() -> dict[str, int]:
    names: dict[str, int] = {}
    for line in _MONTHS.strip().splitlines():
        for number, name in enumerate(line.split(), 1):
            names.setdefault(name, number)
    return names


def _month(name: str) -> int | None:
    return _month_names().get(name.lower())
