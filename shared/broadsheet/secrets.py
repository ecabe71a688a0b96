"""Channels' secrets, from SSM's Parameter Store or from Secrets Manager, under the stack's own path."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

TTL = 300  # seconds a warm function trusts its copy: a rotated secret is in use five minutes later, without a deploy
MISSING_TTL = 60  # seconds until a secret that isn't there is looked for again: somebody may be putting it


class SecretsManager(Protocol):
    """What is used of boto3's client of Secrets Manager."""

    @property
    def exceptions(self) -> Any: ...
    def get_secret_value(self, *, SecretId: str) -> Any: ...  # noqa: N803 - boto3's name


class Secrets:
    """The secrets of one stack's channels; keep one per warm function. Values never appear in its repr."""

    def __init__(
        self, store: "SSMClient | SecretsManager", path: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store: Any = store
        self._path = path
        self._clock = clock
        self._kept: dict[str, tuple[str | None, float]] = {}

    def get(self, channel: str) -> str | None:
        """The channel's secret; None if none was ever put there."""
        secret, until = self._kept.get(channel, (None, 0.0))
        if until <= self._clock():
            secret = self._read(f"{self._path}/{channel}")
            self._kept[channel] = secret, self._clock() + (MISSING_TTL if secret is None else TTL)
        return secret

    def _read(self, name: str) -> str | None:
        ssm = secretsmanager = self._store
        if hasattr(ssm, "get_parameter"):
            try:
                return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
            except ssm.exceptions.ParameterNotFound:
                return None
        try:
            return str(secretsmanager.get_secret_value(SecretId=name)["SecretString"])
        except secretsmanager.exceptions.ResourceNotFoundException:
            return None


def put(store: Any, path: str, channel: str, secret: str) -> None:
    """Put a channel's secret, new or in place of an old one, where its stack looks: a SecureString or a secret.

    `store` is boto3's client of SSM or of Secrets Manager. The functions may only read: this is for a person's own
    credentials.
    """
    name = f"{path}/{channel}"
    if hasattr(store, "put_parameter"):
        store.put_parameter(Name=name, Value=secret, Type="SecureString", Overwrite=True)
        return
    try:
        store.create_secret(Name=name, SecretString=secret)
    except store.exceptions.ResourceExistsException:
        store.put_secret_value(SecretId=name, SecretString=secret)
