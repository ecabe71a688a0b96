"""Every command of the README does what it says: run for real, in a copy of the tracked tree."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args

import boto3
import click
import pytest
from click.testing import CliRunner

from broadsheet import discover, parse, posting, publish, source
from broadsheet.cli import main
from local.embedded import EmbeddedAws
from local.watch import Watch
from tests.unit.channels.loopback import Answer, listening

ROOT = Path(__file__).parents[2]
COMMANDS = [
    line.strip()
    for block in re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S | re.M)
    for line in block.splitlines()
    if line.strip()
]
BODY = "".join(
    f"<p>第{number}段：渡口的老钟每逢整点仍会敲响，摆渡的人说，它比手机上的时间更让人安心。</p>"
    for number in range(1, 9)
)
DOCUMENT = f"<!--1763884800000-->\n[渡口的老钟又响了](https://ferry.example/cn/old-clock)\n------\n\n{BODY}\n"
FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Ferry</title><link>{base}/</link>
<item><title>渡口的老钟又响了</title><link>{base}/clock.html</link><guid>1</guid>
<pubDate>Sun, 22 Nov 2026 08:00:00 GMT</pubDate></item></channel></rss>"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files elsewhere, so that nobody's out/ is touched; the virtual environment is this one."""
    copy = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv", target_is_directory=True)
    return copy


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    base = f"http://127.0.0.1:{server.server_address[1]}"
    (folder / "feed.xml").write_text(FEED.format(base=base), encoding="utf-8")
    page = f'<meta charset="utf-8"><title>渡口的老钟又响了</title><body><h1>渡口的老钟又响了</h1>{BODY}</body>'
    (folder / "clock.html").write_text(page, encoding="utf-8")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"{base}/feed.xml"
    server.shutdown()
    server.server_close()
    thread.join()


def shell(command: str, cwd: Path) -> str:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        command.split(), cwd=cwd, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command: str, copy: Path, request: pytest.FixtureRequest) -> None:
    match command.split()[:2]:
        case ["make", "run"] if "FEED=" in command:
            printed = shell(f"make run FEED={request.getfixturevalue('feed')}", copy)
            assert "渡口的老钟又响了" in printed
        case ["make", "run"] if "SEED=" in command:
            (copy / "seed.md").write_text(DOCUMENT, encoding="utf-8")
            printed = shell("make run SEED=seed.md", copy)
            assert "渡口的老钟又响了" in printed
        case ["make", "run"]:
            assert "26 articles, 26 of them new" in shell(command, copy)  # twice: test_local_make_run.py
        case ["make", target]:
            shell(f"make --dry-run {target}", copy)
        case ["sam", "validate" | "build" | "deploy"]:  # run for real by tests/sam and tests/deploy
            assert command in (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8").splitlines()
        case ["broadsheet", "channels"]:
            keeps_a_channel(command.split()[2:], copy)
        case ["broadsheet", "import"]:
            imports(command, copy)
        case ["broadsheet", "status" | "article" | "enqueue" | "export" | "reparse" | "cost"]:
            runs(command, copy)
        case _:
            pytest.fail(f"no check for {command!r}")


def keeps_a_channel(words: list[str], copy: Path) -> None:
    """To a slack on loopback, asked for its address as a person is."""
    file = copy / "shared" / "sources.yaml"
    added = file.read_text(encoding="utf-8").replace("channels: []", "channels: [{id: newsroom, kind: slack}]")
    deployed = copy / "deployed.yaml"
    deployed.write_text(added, encoding="utf-8")
    with EmbeddedAws(parameters={"Sources": str(deployed)}) as aws, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.chdir(copy)
        boto3.DEFAULT_SESSION = None
        with listening(lambda _: Answer(200, b"ok")) as slack:
            for command in (words, ["test", "newsroom"]) if words[0] != "test" else (["secret", "newsroom"], words):
                arguments = ["channels", *command, "--allow", "127.0.0.0/8"]
                result = CliRunner().invoke(main, arguments, input=f"{slack.url}/hook\n")
                assert result.exit_code == 0, result.output
            assert len(slack.posts) == 2
        where = {"Name": "/broadsheet/broadsheet/channels/newsroom", "WithDecryption": True}
        assert "/hook" in aws.client("ssm").get_parameter(**where)["Parameter"]["Value"]
    if words[0] == "add":
        rfi = next(one for one in source.load(file).sources if one.id == "rfi-zh")
        assert rfi.channels == ("newsroom",)


def imports(command: str, copy: Path) -> None:
    (copy / "archive").mkdir()
    (copy / "archive" / "clock.md").write_text(DOCUMENT, encoding="utf-8")
    (copy / "archive" / "torn.md").write_text(DOCUMENT[:40], encoding="utf-8")
    arguments = command.replace("archive/", str(copy / "archive")).split()[1:]
    with EmbeddedAws() as aws, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.DEFAULT_SESSION = None
        result = CliRunner().invoke(main, arguments)
        assert "torn.md: no-link" in result.output
        assert "1 skipped, 1 stored" in result.output
        assert result.exit_code == 1
        assert "1 known, 1 skipped" in CliRunner().invoke(main, arguments).output
        listed = aws.client("s3").list_objects_v2(Bucket=aws.resource("Bucket"))["Contents"]
        assert [found["Key"].split("/")[2:4] for found in listed] == [["source=rfi-zh", "date=2025-11-23"]]


def runs(command: str, copy: Path) -> None:
    """A command about a stack, on an empty one: it comes to its end and says so."""
    arguments = command.replace("articles.jsonl", str(copy / "articles.jsonl")).split()[1:]
    with EmbeddedAws() as aws, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.DEFAULT_SESSION = None
        Watch(aws).judge()
        result = CliRunner().invoke(main, arguments)
    said = {
        "status": "broadsheet: 1 alarm up",  # a new stack has stored nothing yet
        "article": "no record of https://example.org/a",
        "enqueue": "enqueued as ",
        "export": "0 articles in",
        "reparse": "no articles",
        "cost": "per million articles stored",
    }
    assert said[arguments[0]] in result.output


def _commands(group: click.Group, *words: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, *words, name)
        else:
            yield " ".join((*words, name)), command


def test_every_command_says_what_it_is_for_and_takes_json() -> None:
    for words, command in _commands(main):
        assert command.help, words
        assert any("--json" in option.opts for option in command.params), words


def test_the_command_line_completes_its_words() -> None:
    program = [str(ROOT / ".venv" / "bin" / "broadsheet")]
    environment = {"PATH": os.environ["PATH"], "_BROADSHEET_COMPLETE": "zsh_source"}
    sourced = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert "#compdef broadsheet" in sourced.stdout
    asked = {"_BROADSHEET_COMPLETE": "bash_complete", "COMP_WORDS": "broadsheet st", "COMP_CWORD": "1"}
    completed = subprocess.run(program, env=environment | asked, capture_output=True, text=True, check=False)
    assert completed.stdout.split() == ["plain,status"]
    assert "_BROADSHEET_COMPLETE=bash_source broadsheet" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_metric_table_names_every_end_there_is() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| metric, by")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([A-Z]\w+)`", table))
    kinds = {*get_args(discover.Status), *get_args(parse.Status), *get_args(posting.Status), *get_args(publish.Status)}
    assert {"".join(word.capitalize() for word in kind.split("-")) for kind in kinds} <= named
