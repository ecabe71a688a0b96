"""`broadsheet channels`: a channel set up from nothing, secret included; the embedded AWS, services on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner, Result

from broadsheet import source
from broadsheet.channels import KINDS, secret_shape
from broadsheet.cli import main
from broadsheet.timetable import DigestTimes
from local import snapshot
from local.embedded import EmbeddedAws
from tests.unit.channels.loopback import Answer, listening
from tests.unit.channels.services import SERVICES, SIGN_KEY, TOKEN, secret

FILE = """# What we read.
sources:
  - id: herald # the oldest
    name: Herald
    url: https://herald.example/feed
  - {id: gazette, name: Gazette, url: "https://gazette.example/feed", channels: [town]}
channels:
  - id: town
    kind: webhook # ours
# the end
"""
PATH = "/broadsheet/broadsheet/channels"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sources.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.fixture
def stack(file: Path) -> Iterator[EmbeddedAws]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.DEFAULT_SESSION = None
        with EmbeddedAws(parameters={"Sources": str(file)}) as aws:
            yield aws


def run(*words: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ["channels", *map(str, words)], input=typed)


def kept(aws: EmbeddedAws, channel: str) -> str:
    answer = aws.client("ssm").get_parameter(Name=f"{PATH}/{channel}", WithDecryption=True)["Parameter"]
    assert answer["Type"] == "SecureString"
    return str(answer["Value"])


def test_every_kind_is_set_up_by_a_secret_that_is_shown_nowhere(stack: EmbeddedAws, file: Path) -> None:
    for kind in SERVICES:
        with listening(SERVICES[kind]()) as service:
            typed = secret(kind, service.url)
            id = f"my-{kind}"
            words = ("--file", file, "--allow", "127.0.0.0/8", "--source", "herald", "--secret-file", "-")
            made = run("add", kind, id, *words, typed=typed)
            assert made.exit_code == 0, made.output
            assert "took the test post" in made.output
            assert len(service.posts) == 1
            assert b"test of the channel" in service.posts[0].body
            assert kept(stack, id) == typed
            again = run("test", id, "--allow", "127.0.0.0/8")
            assert again.exit_code == 0, again.output
            assert len(service.posts) == 2
            assert not [hidden for hidden in (TOKEN, SIGN_KEY, service.url) if hidden in made.output + again.output]
    text = file.read_text(encoding="utf-8")
    assert [line for line in FILE.splitlines() if line not in text.splitlines()] == []
    there = source.parse(text)
    assert [one.id for one in there.channels] == ["town", *(f"my-{kind}" for kind in SERVICES)]
    assert there.sources[0].channels == tuple(f"my-{kind}" for kind in SERVICES)
    listed = json.loads(run("list", "--json").output)
    assert {row["id"]: row["secret"] for row in listed} == {"town": "missing"} | {
        f"my-{kind}": "there" for kind in SERVICES
    }


def test_the_secrets_fields_are_asked_for_one_by_one(stack: EmbeddedAws, file: Path) -> None:
    with listening(SERVICES["feishu"]()) as service:
        url = f"{service.url}/open-apis/bot/v2/hook/{TOKEN}"
        words = ("feishu", "flock", "--all-sources", "--with", "digest: {every: 60}", "--with", "timezone: Asia/Tokyo")
        made = run("add", *words, "--file", file, "--allow", "127.0.0.0/8", typed=f"{url}\n{SIGN_KEY}\n")
    assert made.exit_code == 0, made.output
    assert TOKEN not in made.output
    assert json.loads(kept(stack, "flock")) == {"url": url, "sign_key": SIGN_KEY}
    there = source.parse(file.read_text(encoding="utf-8"))
    assert (there.channels[-1].digest, there.channels[-1].timezone) == (DigestTimes(every=60), "Asia/Tokyo")
    assert [one.channels for one in there.sources] == [("flock",), ("town", "flock")]


def test_a_list_of_recipients_is_typed_with_commas(stack: EmbeddedAws, file: Path) -> None:
    typed = "news@paper.example\na@b.example, c@d.example\n\n"
    made = run("add", "email", "readers", "--file", file, "--no-test", typed=typed)
    assert made.exit_code == 0, made.output
    assert json.loads(kept(stack, "readers"))["recipients"] == ["a@b.example", "c@d.example"]
    assert "SesIdentityArn" in made.output
    assert "no source names it yet" in made.output


def test_what_the_channel_refuses_leaves_nothing_behind(stack: EmbeddedAws, file: Path) -> None:
    with listening(lambda _: Answer(404, b"no_service")) as service:
        typed = f"{service.url}/services/T1/B1/{TOKEN}"
        words = ("slack", "room", "--file", file, "--allow", "127.0.0.0/8", "--secret-file", "-")
        refused = run("add", *words, typed=typed)
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: room: no_service")
    assert TOKEN not in refused.output
    assert file.read_text(encoding="utf-8") == FILE
    assert not stack.client("ssm").get_parameters_by_path(Path=PATH)["Parameters"]


IMPOSSIBLE: list[tuple[tuple[str, ...], str, str]] = [
    (("webhook", "town"), "https://a.example/", "has a channel town already; `broadsheet channels secret town`"),
    (("webhook", "No Id"), "https://a.example/", "id"),
    (("webhook", "x", "--source", "nobody"), "https://a.example/", "no source nobody"),
    (("webhook", "x", "--with", "digest: {every: 0}"), "https://a.example/", "digest.every"),
    (("webhook", "x", "--with", "colour: red"), "https://a.example/", "colour (no such field)"),
    (("webhook", "x", "--with", "nothing"), "https://a.example/", "names no field"),
    (("webhook", "x"), "ftp://a.example/", "expected a JSON object with url"),
    (("email", "x"), "{}", "expected a JSON object with sender, recipients"),
    (("carrier-pigeon", "x"), "", "'carrier-pigeon' is not one of"),
]


def test_what_cannot_be_is_said_before_anything_is_posted_or_kept(stack: EmbeddedAws, file: Path) -> None:
    for words, typed, said in IMPOSSIBLE:
        refused = run("add", *words, "--file", file, "--secret-file", "-", typed=typed)
        assert refused.exit_code in (1, 2)
        assert said in refused.output
    assert file.read_text(encoding="utf-8") == FILE
    assert not stack.client("ssm").get_parameters_by_path(Path=PATH)["Parameters"]


def test_a_channel_without_a_secret_is_given_one_and_it_may_change(stack: EmbeddedAws) -> None:
    assert "`broadsheet channels secret town` puts one there" in run("test", "town").output
    with listening(lambda _: Answer(200)) as service:
        for path in ("one", "two"):
            words = ("town", "--allow", "127.0.0.0/8", "--secret-file", "-")
            given = run("secret", *words, typed=f"{service.url}/{path}")
            assert given.exit_code == 0, given.output
            assert kept(stack, "town") == f"{service.url}/{path}"
        assert [posted.path for posted in service.posts] == ["/one", "/two"]


def test_a_secret_lasts_in_the_embedded_aws(stack: EmbeddedAws, tmp_path: Path) -> None:
    words = ("town", "--no-test", "--secret-file", "-")
    assert run("secret", *words, typed="https://hooks.example/1").exit_code == 0
    snapshot.save(stack.stack, tmp_path / "kept", {})
    run("secret", *words, typed="https://hooks.example/2")
    snapshot.restore(stack.stack, tmp_path / "kept")
    assert kept(stack, "town") == "https://hooks.example/1"


def test_secrets_manager_where_the_stack_looks_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with EmbeddedAws(parameters={"Sources": str(file), "SecretsStore": "secretsmanager"}) as aws:
        with listening(lambda _: Answer(200)) as service:
            for path in ("one", "two"):
                words = ("town", "--allow", "127.0.0.0/8", "--secret-file", "-")
                assert run("secret", *words, typed=f"{service.url}/{path}").exit_code == 0
            answer = aws.client("secretsmanager").get_secret_value(SecretId=f"{PATH}/town")
            assert answer["SecretString"] == f"{service.url}/two"
            assert run("test", "town", "--allow", "127.0.0.0/8").exit_code == 0
        # The function reads it by the one action its role then has, and no longer from SSM.
        invoked = aws.invoke("NotifyFunction", {"job": "post-due"})
        assert invoked.error is None, invoked.error
        statements = aws.stack.functions["NotifyFunction"].statements
        [granted] = [s for s in statements if s["Sid"] == "ChannelSecrets"]
        assert granted["Action"] == "secretsmanager:GetSecretValue"
        assert granted["Resource"].endswith(f":secret:{PATH}/*")


def test_every_kind_says_what_its_secret_is() -> None:
    for kind in KINDS:
        assert len(secret_shape(kind).__doc__ or "") > 15
