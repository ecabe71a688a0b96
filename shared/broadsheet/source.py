"""What a source and a channel are, and the one file that lists them."""

import re
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from broadsheet import urls, yamlfile
from broadsheet.article import Reservation
from broadsheet.errors import BroadsheetError
from broadsheet.routing import Filters, pattern_problem
from broadsheet.timetable import DigestTimes, QuietHours

Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
Language = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")]
HttpUrl = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+(/\S*)?$")]

# What a header carries as it stands: with anything else the client would refuse to ask, page after page.
HeaderText = Annotated[str, msgspec.Meta(pattern=r"^[!-~]([ -~]*[!-~])?\Z", max_length=500)]


class SourcesError(BroadsheetError):
    """The sources file is wrong; `subject` is `file:line`, `reason` the field's path and what is wrong with it."""


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where articles come from. `interval` in minutes, `delay` (between two requests to its host) in seconds."""

    id: Id
    name: str
    url: HttpUrl
    kind: Literal["feed", "sitemap", "listing"] = "feed"
    language: str | None = None
    timezone: str | None = None  # for pages that print a local time without saying so
    interval: Annotated[float, msgspec.Meta(ge=1, le=10080)] = 5  # at least; polling adapts to the source's rhythm
    # 5 s: what Media Cloud's fetcher keeps at least between two requests to one host; news-crawl keeps 9 s
    delay: Annotated[float, msgspec.Meta(ge=0, le=900)] = 5
    # feed: the feed's own text is the article, no page is asked for; document: each page is a seed document (`mirror`),
    # and stands for the article whose address it names
    fetch: Literal["page", "feed", "document"] = "page"
    announce_first: Annotated[int, msgspec.Meta(ge=0)] = 1
    channels: tuple[Id, ...] = ()
    rules: str | None = None  # name of a publisher rule, where the article's host doesn't tell it
    select: str | None = None  # of a listing: the CSS selector of its article links
    off_site: bool = False  # follow links that leave the source's own site
    host_key: str | None = None  # name of one turn for all hosts of its site, and of other sites that share the server
    user_agent: HeaderText | None = None
    max_new_per_poll: Annotated[int, msgspec.Meta(ge=1)] = 500
    max_new_per_day: Annotated[int, msgspec.Meta(ge=1)] = 5000  # an archive's worth; the rest comes on other days
    keep_days: Annotated[int, msgspec.Meta(ge=1)] | None = None  # `broadsheet forget --expired` removes what is older
    # hours after an article's last change at which its page is asked for again, to see whether it has changed once more
    refetch: tuple[Annotated[float, msgspec.Meta(ge=0.25, le=720)], ...] = ()
    respect: tuple[Reservation, ...] = ()  # what, reserved by a page, has it stored without its text


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where summaries go. Its secret (a webhook's URL, a token) lies in SSM under its id, never in this file."""

    id: Id
    kind: str
    # seconds between two posts; by default what the kind's documentation allows
    interval: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None
    filters: Filters | None = None  # which of its sources' articles it wants; all, unless given
    timezone: str = "UTC"  # of its hours and days
    quiet_hours: QuietHours | None = None
    daily_cap: Annotated[int, msgspec.Meta(ge=1)] | None = None  # posts in a local day; a digest is one
    digest: DigestTimes | None = None
    burst: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10  # more than so many due at once become one digest
    updates: bool = False  # whether it also hears of revisions of what it was told
    # where the stack has a language model: whether it writes the summaries, and into what language it translates
    summaries: Literal["extractive", "model"] = "extractive"
    language: Language | None = None


class Sources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The file: the channels, and the sources that name them."""

    sources: tuple[Source, ...]
    channels: tuple[Channel, ...] = ()

    @cached_property
    def _by_id(self) -> dict[str, Source]:
        return {source.id: source for source in self.sources}

    def source(self, source_id: str) -> Source | None:
        """The source with this id, or None once it has been taken out of the file."""
        return self._by_id.get(source_id)

    @cached_property
    def _shared_turns(self) -> dict[str, str]:
        """By site, and by host where two sources of one site name different turns."""
        named = [(source.url, source.host_key) for source in reversed(self.sources) if source.host_key]
        return {urls.registrable_domain(url): key for url, key in named} | {
            urls.host_key(url): key for url, key in named
        }

    def turn(self, url: str) -> str:
        """Whose turn it must be for a URL to be asked: its host's, or the one that the host shares with others.

        It goes by the URL alone, so that a feed, a page and a redirect on one host never come under different turns.
        """
        host = urls.host_key(url)
        if not self._shared_turns or host in self._shared_turns:
            return self._shared_turns.get(host, host)
        return self._shared_turns.get(urls.registrable_domain(url), host)

    def channels_of(self, source_ids: Iterator[str] | tuple[str, ...]) -> tuple[Channel, ...]:
        """The channels that hear of an article found in any of these sources, each once, in the file's order."""
        wanted = {channel for id in source_ids if (source := self.source(id)) for channel in source.channels}
        return tuple(channel for channel in self.channels if channel.id in wanted)


def load(path: str | Path, *, kinds: frozenset[str] | None = None) -> Sources:
    """Read the sources file at `path`; raises SourcesError, naming line and field."""
    return parse(read(path), name=str(path), kinds=kinds)


def read(path: str | Path) -> str:
    """The text of the sources file at `path`; raises SourcesError."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourcesError(str(path), "unreadable", str(error)) from error


def parse(text: str, *, name: str = "sources.yaml", kinds: frozenset[str] | None = None) -> Sources:
    """Read a sources file's text. `kinds` are the channel kinds there are; None accepts any."""
    contradictions = partial(_contradictions, kinds=kinds)
    return yamlfile.read(text, Sources, name=name, error=SourcesError, contradictions=contradictions, say=_field)


def _contradictions(sources: Sources, kinds: frozenset[str] | None) -> Iterator[tuple[str, str]]:
    """What no type can say: ids that repeat, names that lead nowhere."""
    for section, ids in (("channels", [c.id for c in sources.channels]), ("sources", [s.id for s in sources.sources])):
        first = {id: i for i, id in reversed(list(enumerate(ids)))}
        for i, id in enumerate(ids):
            if first[id] != i:
                yield f"$.{section}[{i}].id", f"{id!r} is taken by an earlier entry"
    for i, channel in enumerate(sources.channels):
        if kinds is not None and channel.kind not in kinds:
            yield f"$.channels[{i}].kind", f"no channel kind {channel.kind!r}; there are {', '.join(sorted(kinds))}"
        for field, reason in _contradictions_of(channel, sources):
            yield f"$.channels[{i}].{field}", reason
    known = {channel.id for channel in sources.channels}
    for i, source in enumerate(sources.sources):
        for j, channel_id in enumerate(source.channels):
            if channel_id not in known:
                yield f"$.sources[{i}].channels[{j}]", f"no channel {channel_id!r} in this file"
        if source.kind == "listing" and not source.select:
            yield f"$.sources[{i}]", "a listing needs `select`, the CSS selector of its article links"
        try:
            urls.host_key(source.url)
        except urls.UrlError as error:
            yield f"$.sources[{i}].url", error.reason
        if source.timezone and not yamlfile.is_timezone(source.timezone):
            yield f"$.sources[{i}].timezone", f"no time zone {source.timezone!r}"


def _contradictions_of(channel: Channel, sources: Sources) -> Iterator[tuple[str, str]]:
    filters = channel.filters or Filters()
    if filters.matches is not None and (problem := pattern_problem(filters.matches)):
        yield "filters.matches", problem
    for j, source_id in enumerate(filters.sources):
        if sources.source(source_id) is None:
            yield f"filters.sources[{j}]", f"no source {source_id!r} in this file"

    if not yamlfile.is_timezone(channel.timezone):
        yield "timezone", f"no time zone {channel.timezone!r}"
    if channel.quiet_hours and channel.quiet_hours.start == channel.quiet_hours.end:
        yield "quiet_hours", "start and end are the same"
    if channel.digest and (channel.digest.every is None) == (channel.digest.daily_at is None):
        yield "digest", "give either `every`, in minutes, or `daily_at`, a local time"


def _field(path: str, data: Any) -> str:
    """A path as a person says it: `source rfi-zh: interval` rather than `$.sources[0].interval`."""
    match = re.match(r"^\$\.(source|channel)s\[(\d+)\]\.?(.*)$", path)
    if not match:
        return path.removeprefix("$.") if path != "$" else "the file"
    section, index, field = match[1], int(match[2]), match[3]
    entry = data[f"{section}s"][index]
    id = entry.get("id") if isinstance(entry, dict) else None
    return f"{section} {id or f'no. {index + 1}'}" + (f": {field}" if field else "")
