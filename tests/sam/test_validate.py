"""The template, as SAM, cfn-lint and checkov judge it."""

import re
import subprocess

import pytest

from local.embedded import TEMPLATE

pytestmark = pytest.mark.timeout(600)  # the linters' own virtual environments may have to be made


def test_the_template_is_clean() -> None:
    ran = subprocess.run(
        ["make", "--silent", "validate"], cwd=TEMPLATE.parent, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "is a valid SAM Template" in ran.stdout
    assert re.search(r"Passed checks: \d\d+, Failed checks: 0, ", ran.stdout)


def test_every_skipped_check_has_its_reason() -> None:
    skipped = re.findall(r"- \{id: (CKV_\w+)(.*)\}$", TEMPLATE.read_text(encoding="utf-8"), re.MULTILINE)
    assert skipped
    assert all(re.fullmatch(r', comment: ".{20,}"', reason) for _, reason in skipped)
