"""ministack, a second local AWS: it answers over HTTP and runs deployed functions, each in a process of its own."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import WaiterError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broadsheet.errors import BroadsheetError
from local.stack import CREDENTIALS, creation

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / ".venv-ministack" / "bin" / "ministack"
REGION = "us-east-1"


class MinistackError(BroadsheetError):
    """ministack is not installed or did not start; `subject` is the program."""


class Ministack:
    """A running ministack at `address`, on a free port; a context manager. Nothing of it is left afterwards.

    A `strict` one judges every call by the caller's role and the resource's policy, as IAM does, and speaks TLS, since
    those policies refuse anything else.
    """

    region = REGION

    def __init__(self, address: str = "127.0.0.1", *, strict: bool = False) -> None:
        self.address = address
        self.strict = strict
        with socket.create_server((address, 0)) as free:
            self.port: int = free.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(prefix="ministack-")
        self.log = Path(self._folder.name) / "log"
        self._certificate = Path(self._folder.name) / "certificate.pem"

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
        if self.strict:
            key = self._certificate.with_name("key.pem")
            write_certificate(self.address, self._certificate, key)
            own |= {
                "AUTH": "true",
                "USE_SSL": "1",
                "MINISTACK_SSL_CERT": str(self._certificate),
                "MINISTACK_SSL_KEY": str(key),
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
        # Functions run in processes of its group, which outlive a polite request; nothing is worth waiting for.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()

    @property
    def endpoint(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"{'https' if self.strict else 'http'}://{self.address}:{self.port}"

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
            **({"AWS_CA_BUNDLE": str(self._certificate)} if self.strict else {}),
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client for it."""
        return boto3.client(
            service,  # type: ignore[call-overload]  # the stubs want a literal
            region_name=REGION,
            endpoint_url=self.endpoint,
            verify=str(self._certificate) if self.strict else None,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(account_id_endpoint_mode="disabled", s3={"addressing_style": "path"}),
        )

    def create(self, stack: str, body: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        """Create a stack from plain CloudFormation, and wait until it is there."""
        cloudformation = self.client("cloudformation")
        # unlike moto, it resolves Fn::ToJsonString only where it is announced, as AWS does
        announced = {**body, "Transform": "AWS::LanguageExtensions"}
        cloudformation.create_stack(**creation(self, stack, announced, parameters))
        try:
            cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
        except WaiterError as error:
            said = self.log.read_text(errors="replace")[-2000:]
            raise MinistackError(stack, "not-created", f"{error}\n{said}") from error

    def detach(self) -> None:
        """Let it run no function by itself."""
        functions = self.client("lambda")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            functions.delete_event_source_mapping(UUID=mapping["UUID"])

    def _wait(self) -> None:
        http = urllib3.PoolManager(retries=False, timeout=2, ca_certs=self._certificate if self.strict else None)
        end = time.monotonic() + 60
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if http.request("GET", f"{self.endpoint}/_ministack/health").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
        raise MinistackError(str(PROGRAM), "did-not-start", self.log.read_text(errors="replace")[-2000:])


def write_certificate(address: str, certificate: Path, key: Path) -> None:
    """Write a certificate for an IP address, signed by its own new key, that is good for a day."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, address)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
