"""`broadsheet preview` shows a page as every kind of channel would, in words and as what would be posted."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from broadsheet.channels import KINDS
from broadsheet.cli import main

PAGE = """<html lang=en><meta property="og:site_name" content="Harbour Gazette"><article>
<h1>Ferry *resumes* &lt;b&gt; :tada: [x](y)</h1>
<p>The harbour opened at dawn, and two boats left on time with all their passengers on board.</p>
<p>More of them sail tomorrow, says the master, if the wind stays in the west as it has all week.</p></article>"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "ferry.html"
    path.write_text(PAGE)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["preview", *map(str, words)])


def test_every_kind_is_shown_as_a_person_would_read_it(page: Path) -> None:
    shown = run(page)
    assert shown.exit_code == 0, shown.output
    parts = dict(part.split(", ", 1) for part in shown.output.split("── ")[1:])
    assert tuple(parts) == KINDS
    for kind, text in parts.items():
        literal = (
            "Ferry ＊resumes＊" if kind in ("dingtalk", "wecom", "apprise") else "Ferry *resumes* <b> :tada: [x](y)"
        )
        assert literal in text, kind
        assert "https://file.invalid/ferry.html" in text
        assert "The harbour opened at dawn" in text
        assert "Harbour Gazette" in text
        assert "\u200b" not in text


def test_programs_get_what_would_be_posted(page: Path) -> None:
    shown = json.loads(run(page, "--channel", "discord", "--channel", "ntfy", "--json").output)
    assert [one["channel"] for one in shown] == ["discord", "ntfy"]
    assert shown[0]["payload"]["embeds"][0]["title"].startswith(r"Ferry \*resumes\*")


def test_what_is_not_there_is_said(page: Path) -> None:
    assert "no channel and no kind 'slak'; did you mean slack" in run(page, "--channel", "slak").output
    assert "of a stored article say --stack or --local" in run("x" * 26).output
