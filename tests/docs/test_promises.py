"""The page of promises: every promise names a test, and every test that is named exists."""

import ast
import re
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
PAGE = HOME / "docs" / "explanation" / "promises.md"
ROW = re.compile(r"^\| (?!Promise|-)(.+?) \| (.+?) \|$", re.M)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ROWS = ROW.findall(PAGE.read_text(encoding="utf-8"))


def test_the_page_has_its_three_parts() -> None:
    heads = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert heads[:3] == ["Nothing lost", "Nothing leaked", "Nobody let in"]
    assert len(ROWS) > 20


@pytest.mark.parametrize(("promise", "tests"), ROWS, ids=[row[0][:40] for row in ROWS])
def test_a_promise_is_kept_by_tests_that_exist(promise: str, tests: str) -> None:
    named = NAMED.findall(tests)
    assert named, f"{promise}: names no test"
    for file, name in named:
        tree = ast.parse((HOME / file).read_text(encoding="utf-8"))
        functions = {
            one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in functions, f"{file} has no {name}, which keeps: {promise}"
