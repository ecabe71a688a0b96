"""The polls queue: what one run of discover leaves to others when more sources are due than it has time for.

A share is a list of source ids, whole hosts at a time, so that no two runs wait for one host's turn. Nothing depends on
a share's arrival: its sources stay due until they are polled, and the next scheduled run sends what is left again. So
the queue keeps a share for minutes only, and one that comes twice finds its sources no longer due.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from broadsheet.errors import BroadsheetError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SHARE = 500  # sources: with 32 at once, half a minute where each takes two seconds, and six times the time if not

T = TypeVar("T")


class ShareError(BroadsheetError):
    """A message of the polls queue isn't a share; `subject` is its SQS message id."""


class Share(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sources to ask, by id, as far as they are due, or all of them."""

    sources: tuple[str, ...]
    force: bool = False


class Shares:
    """The polls queue."""

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, share: Share) -> bool:
        """Leave a share to another run; False if the queue didn't take it."""
        try:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=msgspec.json.encode(share).decode())
        except (ClientError, BotoCoreError):
            return False
        return True


def decode(body: str, *, message_id: str) -> Share:
    """The share of a message; raises ShareError for anything else."""
    try:
        return msgspec.json.decode(body, type=Share)
    except msgspec.DecodeError as error:
        raise ShareError(message_id, "not a share", str(error)) from error


def dealt(hosts: Iterable[Sequence[T]]) -> list[list[Sequence[T]]]:
    """The hosts' sources in shares of `SHARE` at most, in their order; a host with more is a share by itself."""
    shares: list[list[Sequence[T]]] = []
    room = 0
    for host in hosts:
        if not shares or len(host) > room:
            shares.append([])
            room = SHARE
        shares[-1].append(host)
        room -= len(host)
    return shares
