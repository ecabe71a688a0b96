"""What the embedded AWS keeps from one run to the next: objects as files, and tables, queues and streams as JSON.

    bucket/<key>              an object's bytes
    tables/<logical id>.json  a table's items, in DynamoDB's own JSON
    state/objects.json        what S3 knows of an object besides its bytes
    state/secrets.json        the parameters under the stack's SecretsPath, in the clear: they are for this machine
    state/queues.json         messages, each with the instant (epoch seconds) at which it may be received
    state/streams.json        records that no function has handled yet

A snapshot is written beside the old one and then named `.saved`: from then on it counts, and whoever finds it first
moves its parts to their places. So it is always one whole run's state, wherever the writer was interrupted.
"""

import base64
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sqs.models import sqs_backends

from local.stack import Stack, client

PARTS = ("bucket", "tables", "state")
HEADERS = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Metadata")


def save(stack: Stack, folder: Path, streams: Mapping[str, list[dict[str, Any]]]) -> None:
    """Keep what `stack` holds, and the stream records not yet handled, by their mapping's logical id."""
    _finish(folder)
    new = folder / ".new"
    shutil.rmtree(new, ignore_errors=True)
    for part in PARTS:
        (new / part).mkdir(parents=True)
    queues, tables = stack.of_kind("AWS::SQS::Queue"), stack.of_kind("AWS::DynamoDB::Table")
    _write(new / "state" / "objects.json", dict(_save_objects(stack, new / "bucket")))
    _write(new / "state" / "secrets.json", dict(_secrets(stack)))
    _write(new / "state" / "queues.json", {key: _messages(stack, url) for key, url in queues.items()})
    _write(new / "state" / "streams.json", streams)
    for key, name in tables.items():
        _write(new / "tables" / f"{key}.json", _items(stack, name))
    new.rename(folder / ".saved")
    _finish(folder)


def restore(stack: Stack, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Put what `folder` keeps into a new `stack`; return the stream records not yet handled."""
    _finish(folder)
    if not (folder / "state").exists():
        return {}
    for bucket in stack.of_kind("AWS::S3::Bucket").values():
        for key, headers in _read(folder / "state" / "objects.json").items():
            body = (folder / "bucket" / key).read_bytes()
            client("s3", stack.region).put_object(Bucket=bucket, Key=key, Body=body, **headers)
    for key, name in stack.of_kind("AWS::DynamoDB::Table").items():
        for item in _read(folder / "tables" / f"{key}.json"):
            client("dynamodb", stack.region).put_item(TableName=name, Item=_with_bytes(item))
    # an earlier release kept no secrets, and had a queue less
    secrets = folder / "state" / "secrets.json"
    for name, value in (_read(secrets) if secrets.exists() else {}).items():
        client("ssm", stack.region).put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    queued = _read(folder / "state" / "queues.json")
    for key, url in stack.of_kind("AWS::SQS::Queue").items():
        for message in _with_bytes(queued.get(key, [])):
            delay = max(0, math.ceil(message.pop("receivable_at") - time.time()))
            client("sqs", stack.region).send_message(QueueUrl=url, DelaySeconds=delay, **message)
    streams: dict[str, list[dict[str, Any]]] = _read(folder / "state" / "streams.json")
    return streams


def _finish(folder: Path) -> None:
    saved = folder / ".saved"
    for part in PARTS if saved.exists() else ():
        if (saved / part).exists():
            shutil.rmtree(folder / part, ignore_errors=True)
            (saved / part).rename(folder / part)
    if saved.exists():
        saved.rmdir()


def _save_objects(stack: Stack, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    s3 = client("s3", stack.region)
    for bucket in stack.of_kind("AWS::S3::Bucket").values():
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", []):
                answer = s3.get_object(Bucket=bucket, Key=found["Key"])
                path = folder / found["Key"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(answer["Body"].read())
                yield found["Key"], {header: answer[header] for header in HEADERS if answer.get(header)}


def _secrets(stack: Stack) -> Iterator[tuple[str, str]]:
    if path := stack.outputs.get("SecretsPath"):
        pages = client("ssm", stack.region).get_paginator("get_parameters_by_path")
        for page in pages.paginate(Path=path, WithDecryption=True):
            yield from ((parameter["Name"], parameter["Value"]) for parameter in page["Parameters"])


def _items(stack: Stack, table: str) -> list[dict[str, Any]]:
    pages = client("dynamodb", stack.region).get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = [item for page in pages for item in page["Items"]]
    return sorted(items, key=msgspec.json.encode)


def _messages(stack: Stack, url: str) -> list[dict[str, Any]]:
    """Return a queue's messages as they were sent: from moto's own records, since SQS shows no delayed ones."""
    queue = sqs_backends[DEFAULT_ACCOUNT_ID][stack.region].queues[url.rsplit("/", 1)[1]]
    return [
        {
            "MessageBody": message.body,
            "MessageAttributes": message.message_attributes,
            **({"MessageGroupId": message.group_id} if message.group_id else {}),
            "receivable_at": message.delayed_until / 1000,
        }
        for message in queue._messages
    ]


def _with_bytes(value: Any) -> Any:
    """Undo what JSON does to DynamoDB's and SQS's binary values."""
    if isinstance(value, list):
        return [_with_bytes(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _decoded(each) if key in {"B", "BS", "BinaryValue"} else _with_bytes(each) for key, each in value.items()
    }


def _decoded(value: Any) -> Any:
    if isinstance(value, str):
        return base64.b64decode(value)
    return [base64.b64decode(each) for each in value] if isinstance(value, list) else _with_bytes(value)


def _write(path: Path, value: Any) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def _read(path: Path) -> Any:
    return msgspec.json.decode(path.read_bytes())
