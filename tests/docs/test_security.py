"""The page of security: every row that is no gap names a test, and every test that is named exists."""

import re
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
TEXT = (HOME / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (?!What|-)([^|\n]+?) \| ([^|\n]+?) \|$", TEXT, re.M)


@pytest.mark.parametrize(("what", "tests"), ROWS, ids=[what[:40] for what, _ in ROWS])
def test_a_row_names_tests_that_exist(what: str, tests: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", tests)
    assert named or what.startswith("gap: "), f"{what}: names no test and is told as no gap"
    for file, name in named:
        assert f"\ndef {name}(" in (HOME / file).read_text(encoding="utf-8"), f"{file} has no {name}"


def test_the_chapters_that_concern_us_are_there() -> None:
    assert len(ROWS) > 35
    assert re.findall(r"\bV(\d+)\b", TEXT)[0] == "1"
    assert {int(number) for number in re.findall(r"\bV(\d+)\b", TEXT)} >= {*range(1, 12), 14, 15, 16, 17}
