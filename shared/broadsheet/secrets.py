"""Channels' secrets, from SSM's Parameter Store under the stack's own path."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

TTL = 300  # seconds a warm function trusts its copy: a rotated secret is in use five minutes later, without a deploy
MISSING_TTL = 60  # seconds until a secret that isn't there is looked for again: somebody may be putting it


class Secrets:
    """The secrets of one stack's channels; keep one per warm function. Values never appear in its repr."""

    def __init__(self, ssm: "SSMClient", path: str, *, clock: Callable[[], float] = time.time) -> None:
        self._ssm = ssm
        self._path = path
        self._clock = clock
        self._kept: dict[str, tuple[str | None, float]] = {}

    def get(self, channel: str) -> str | None:
        """The channel's secret; None if none was ever put there."""
        secret, until = self._kept.get(channel, (None, 0.0))
        if until > self._clock():
            return secret
        try:
            answer = self._ssm.get_parameter(Name=f"{self._path}/{channel}", WithDecryption=True)
        except self._ssm.exceptions.ParameterNotFound:
            self._kept[channel] = None, self._clock() + MISSING_TTL
            return None
        secret = answer["Parameter"]["Value"]
        self._kept[channel] = secret, self._clock() + TTL
        return secret
