"""ministack, a second local AWS: it answers over HTTP and runs deployed functions, each in a process of its own."""

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import urllib3
from botocore.config import Config

from broadsheet.errors import BroadsheetError
from local.stack import CREDENTIALS

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / ".venv-ministack" / "bin" / "ministack"
REGION = "us-east-1"


class MinistackError(BroadsheetError):
    """ministack is not installed or did not start; `subject` is the program."""


class Ministack:
    """A running ministack at `address`, on a free port; a context manager. Nothing of it is left afterwards."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address
        with socket.create_server((address, 0)) as free:
            self.port: int = free.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(prefix="ministack-")
        self.log = Path(self._folder.name) / "log"

    def __enter__(self) -> Self:
        if not PROGRAM.is_file():
            raise MinistackError(str(PROGRAM), "not-installed", "make .venv-ministack/.ready")
        own = {
            "BIND_HOST": self.address,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": self.address,
            "MINISTACK_REGION": REGION,
            "TMPDIR": self._folder.name,
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own virtual environment's
                [PROGRAM],
                env={**self.environment, **own},
                cwd=self._folder.name,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    @property
    def endpoint(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://{self.address}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead boto3 and SAM CLI to it, in place of this process's own."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and k != "PYTHONPATH"}
        return {
            **inherited,
            **CREDENTIALS,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "SAM_CLI_TELEMETRY": "0",
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client for it."""
        return boto3.client(
            service,  # type: ignore[call-overload]  # the stubs want a literal
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(account_id_endpoint_mode="disabled", s3={"addressing_style": "path"}),
        )

    def _wait(self) -> None:
        http = urllib3.PoolManager(retries=False, timeout=2)
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if http.request("GET", f"{self.endpoint}/_ministack/health").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
        raise MinistackError(str(PROGRAM), "did-not-start", self.log.read_text(errors="replace")[-2000:])
