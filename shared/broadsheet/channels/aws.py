"""Calling AWS once as a channel: boto3's client for a region, and its refusals as delivery errors."""

from collections.abc import Callable
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet.channels.errors import DeliveryError
from broadsheet.channels.exchange import Channel

_CLOSED = {
    "AccessDenied",
    "AccessDeniedException",
    "AccountSuspendedException",
    "AuthorizationError",
    "EndpointDisabled",
    "InvalidClientTokenId",
    "MailFromDomainNotVerifiedException",
    "NotFound",
    "NotFoundException",
    "SendingPausedException",
    "UnrecognizedClientException",
}
_THROTTLED = {
    "LimitExceededException",
    "Throttled",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
}
_clients: dict[tuple[str, str | None], Any] = {}

T = TypeVar("T")


def client(service: str, region: str | None) -> Any:
    """The client of `service`, made once. It never retries by itself: SES and SNS can't tell a repeat."""
    if (service, region) not in _clients:
        once = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10)
        _clients[service, region] = boto3.client(service, region_name=region, config=once)  # type: ignore[call-overload]  # any service
    return _clients[service, region]


def call(channel: Channel, action: Callable[[], T]) -> T:
    """Runs `action`, with AWS's errors as DeliveryErrors that carry its code."""
    try:
        return action()
    except ClientError as error:
        failed = _meaning(channel, error)
    except BotoCoreError as error:
        failed = channel.transient(type(error).__name__, perhaps_delivered=True)
    raise failed


def _meaning(channel: Channel, error: ClientError) -> DeliveryError:
    said = error.response.get("Error", {})
    code, words = said.get("Code", "unknown"), said.get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or status == 429:
        return channel.transient(code, words)
    if status >= 500:
        return channel.transient(code, words, perhaps_delivered=True)
    if code in _CLOSED or "not verified" in words:
        return channel.closed(code, words)
    return channel.refused(code, words)
