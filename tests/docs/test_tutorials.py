"""The tutorials do what they say: their commands and their Python are run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = sorted((Path(__file__).parents[2] / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.M | re.S)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs(page: Path, tmp_path: Path) -> None:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert blocks
    environment = os.environ | {"TOMARIUM_HOME": str(tmp_path / "home")}
    for language, text in blocks:
        commands = [["-c", text]] if language == "python" else [_words(line) for line in text.splitlines()]
        for command in commands:
            told = subprocess.run(
                [sys.executable, *command],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert told.returncode == 0, f"{command}: {told.stderr}"
            assert told.stdout.strip(), f"{command} says nothing"


def _words(line: str) -> list[str]:
    prompt, tomarium, *words = shlex.split(line)
    assert (prompt, tomarium) == ("$", "tomarium"), f"not a command of the program: {line}"
    return ["-m", "tomarium", *words]
