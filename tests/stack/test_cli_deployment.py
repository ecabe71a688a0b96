"""Every command finds its deployment the same way, answers programs in JSON, and says what was probably meant."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import click
import pytest
from click.testing import CliRunner, Result

from broadsheet.cli import main
from local.__main__ import seed
from local.embedded import EmbeddedAws

DOCUMENT = "<!--1763884800000-->\n[The clock strikes](https://ferry.example/clock)\n------\n\n<p>{}</p>\n"


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands())
IN_OPML = ("sources", "export")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_answers_programs(path: tuple[str, ...]) -> None:
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}
    assert "--json" in options or path == IN_OPML
    assert not {"--stack", "--local"} & options or {"--stack", "--local"} <= options


@pytest.fixture
def deployed() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.DEFAULT_SESSION = None
        yield aws


def test_a_mistyped_stack_source_or_channel_is_answered_with_what_there_is(deployed: EmbeddedAws) -> None:
    assert "no stack brodsheet; did you mean broadsheet?" in run("dlq", "list", "--stack", "brodsheet").output
    wrong = run("import", __file__, "--source", "rfi_zh")
    assert "no source 'rfi_zh' in the sources file of stack broadsheet; did you mean rfi-zh" in wrong.output
    assert wrong.exit_code == 1
    assert "no channel 'town' in the sources file of stack broadsheet; there are none" in run("why", "x", "town").output


def test_a_mistyped_command_too() -> None:
    assert "dlq" in run("dql").output


def test_nobodys_credentials_end_in_a_line_that_helps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    refused = run("dlq", "list")
    assert refused.exit_code == 1
    assert "Unable to locate credentials: set AWS_PROFILE" in refused.output
    assert "--local" in refused.output


def test_the_same_words_work_on_what_make_run_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "holds no embedded AWS" in run("dlq", "list", "--local").output
    (tmp_path / "clock.md").write_text(DOCUMENT.format("It struck twelve. " * 30))
    assert seed(tmp_path / "clock.md", tmp_path / "out") == 0
    why = run("why", "https://ferry.example/clock", "town", "--local", "--json")
    assert why.exit_code == 0, why.output
    told = json.loads(why.output)
    assert (told["stopped_by"], told["delivery"]["status"]) == (None, "sent")
    preview = run("preview", "https://ferry.example/clock", "--channel", "town", "--local")
    assert "town (slack)" in preview.output
    assert "The clock strikes → https://ferry.example/clock" in preview.output
    assert "no stack" not in run("dlq", "list", "--local").output
