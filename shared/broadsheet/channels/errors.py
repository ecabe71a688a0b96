"""Why a channel did not take a post, and whether to come back.

    DeliveryError
    ├── TransientDeliveryError   come back, after `retry_after` seconds if the channel said so
    ├── MessageRefusedError      this message never; the channel itself works
    └── ChannelClosedError       the channel never, until somebody mends it: gone, revoked, misconfigured

`subject` is the channel's id. Neither text nor cause ever holds the channel's secret or its URL.
"""

from typing import ClassVar

from broadsheet.errors import BroadsheetError


class DeliveryError(BroadsheetError):
    """A post failed. `perhaps_delivered`: the channel may have taken it, so posting again may repeat it."""

    permanent: ClassVar[bool]

    def __init__(
        self,
        channel_id: str,
        reason: str,
        detail: str = "",
        *,
        retry_after: float | None = None,
        perhaps_delivered: bool = False,
    ) -> None:
        super().__init__(channel_id, reason, detail)
        self.channel_id = channel_id
        self.retry_after = retry_after
        self.perhaps_delivered = perhaps_delivered


class TransientDeliveryError(DeliveryError):
    """Rate limit, outage or network trouble. `retry_after` is in seconds, None when the channel named no time."""

    permanent = False


class MessageRefusedError(DeliveryError):
    """The channel refuses this message for what it is; the next one may pass."""

    permanent = True


class ChannelClosedError(DeliveryError):
    """The channel takes nothing more: a revoked token, a deleted webhook, an archived room, a malformed secret."""

    permanent = True
