"""A function's environment, read once and validated, and the sources it names."""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec

from broadsheet import source
from broadsheet.channels import KINDS
from broadsheet.errors import BroadsheetError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HERE = Path(__file__).parent.parent  # what the layer unpacks: /opt/python on Lambda, shared/ in a checkout


Seconds = Annotated[float, msgspec.Meta(gt=0, le=86400)]


class SettingsError(BroadsheetError):
    """Variables of the environment are missing or wrong; names all of them at once."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every function needs. A field's variable is its name in capitals."""

    sources: str
    state_table: str
    contact: str
    allowed_networks: str = ""

    @property
    def networks(self) -> tuple[str, ...]:
        """The CIDRs outside the public internet that may be fetched all the same."""
        return tuple(part.strip() for part in self.allowed_networks.split(",") if part.strip())


class DiscoverSettings(Settings, frozen=True, kw_only=True):
    """The discover function's environment."""

    articles_table: str
    parse_queue_url: str
    polls_queue_url: str
    callback_url: str = ""


class CallbackSettings(Settings, frozen=True, kw_only=True):
    """The callback function's environment."""

    parse_queue_url: str


class ParseSettings(Settings, frozen=True, kw_only=True):
    """The parse function's environment."""

    parse_queue_url: str
    dead_letter_queue_url: str
    articles_table: str
    bucket: str
    fetch_seconds: Seconds
    retry_delay: Seconds
    reprints: Literal["on", "off"] = "on"
    archive: Literal["on", "off"] = "off"


class NotifySettings(Settings, frozen=True, kw_only=True):
    """The notify function's environment."""

    articles_table: str
    bucket: str
    secrets_path: str
    secrets_store: Literal["ssm", "secretsmanager"] = "ssm"
    model_arns: str = ""
    model_tokens: int = 0

    @property
    def models(self) -> tuple[str, ...]:
        """The language models that may be asked, the first tried first; none is the rule."""
        return tuple(part.strip() for part in self.model_arns.split(",") if part.strip())


class PublishSettings(Settings, frozen=True, kw_only=True):
    """The publish function's environment."""

    articles_table: str
    bucket: str
    pages_url: str = ""


S = TypeVar("S", bound=Settings)


def read(kind: type[S], environ: Mapping[str, str] = os.environ) -> S:
    """The settings of one function; raises SettingsError naming every variable that is missing or empty."""
    fields = msgspec.structs.fields(kind)
    missing = [f.encode_name.upper() for f in fields if f.required and not environ.get(f.encode_name.upper())]
    if missing:
        raise SettingsError("environment", "missing", ", ".join(missing))
    given = {f.name: environ[f.encode_name.upper()] for f in fields if f.encode_name.upper() in environ}
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).rpartition(" - at `$.")
        raise SettingsError(path.rstrip("`").upper(), "wrong", message) from error


def load_sources(location: str, s3: "S3Client") -> source.Sources:
    """The sources file, from the layer (a path relative to it) or from `s3://bucket/key`."""
    if not location.startswith("s3://"):
        return _parsed(source.read(HERE / location), str(HERE / location))
    bucket, _, key = location.removeprefix("s3://").partition("/")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise source.SourcesError(location, "unreadable", str(error)) from error
    return _parsed(text, location)


@lru_cache(1)
def _parsed(text: str, name: str) -> source.Sources:
    """A warm function parses the file again only when it has changed: 5,000 sources take half a second."""
    return source.parse(text, name=name, kinds=frozenset(KINDS))
