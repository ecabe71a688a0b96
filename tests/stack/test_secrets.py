"""Channels' secrets: from SSM or Secrets Manager, kept for a while, shown to nobody."""

import boto3
import pytest
from botocore.exceptions import ClientError

from broadsheet.secrets import MISSING_TTL, TTL, Secrets
from broadsheet.secrets import put as put_secret
from tests.stack.cloud import Cloud, before

PATH = "/broadsheet/news/channels"


def put(cloud: Cloud, value: str) -> None:
    cloud.ssm.put_parameter(Name=f"{PATH}/room", Value=value, Type="SecureString", Overwrite=True)


def test_a_secret_is_decrypted_kept_and_looked_up_again_in_time(cloud: Cloud) -> None:
    now = 0.0
    secrets = Secrets(cloud.ssm, PATH, clock=lambda: now)
    put(cloud, "https://hooks.example/1")
    with before(cloud.ssm, "*", lambda _: None) as asked:
        assert secrets.get("room") == "https://hooks.example/1"
        put(cloud, "https://hooks.example/2")
        now = TTL - 1
        assert secrets.get("room") == "https://hooks.example/1"
        now = TTL
        assert secrets.get("room") == "https://hooks.example/2"
    assert asked.count("GetParameter") == 2
    assert "hooks.example" not in repr(secrets)


def test_a_secret_nobody_put_is_none_until_somebody_does(cloud: Cloud) -> None:
    now = 0.0
    secrets = Secrets(cloud.ssm, PATH, clock=lambda: now)
    assert secrets.get("room") is None
    put(cloud, "s")
    now += MISSING_TTL + 1
    assert secrets.get("room") == "s"
    assert secrets.get("other") is None


def test_trouble_with_ssm_is_raised_and_an_old_copy_not_passed_off_as_new(cloud: Cloud) -> None:
    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParameter")

    secrets = Secrets(cloud.ssm, PATH)
    put(cloud, "s")
    with before(cloud.ssm, "GetParameter", refuse), pytest.raises(ClientError):
        secrets.get("room")
    assert secrets.get("room") == "s"


def test_secrets_manager_is_asked_in_its_own_words(cloud: Cloud) -> None:
    manager = boto3.client("secretsmanager", "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    secrets = Secrets(manager, PATH)
    assert secrets.get("other") is None
    for value in ("first", "second"):
        put_secret(manager, PATH, "room", value)
        assert Secrets(manager, PATH).get("room") == value
