"""The tutorials, and the pages for those who come from another program, do what they say: all of it is run."""

import re
import shlex
from pathlib import Path

import pytest

from warm import Warm

DOCS = Path(__file__).parents[2] / "docs"
TUTORIALS = [*sorted((DOCS / "tutorials").glob("*.md")), *sorted((DOCS / "how-to").glob("coming-from-*.md"))]
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.M | re.S)
IN_FOLDER = "import os, sys; os.chdir(sys.argv[1])\n"


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs(page: Path, warm: Warm, tmp_path: Path) -> None:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert blocks
    for language, text in blocks:
        for command in [text] if language == "python" else text.splitlines():
            if language == "python":
                done = warm.run(IN_FOLDER + text, tmp_path)
                code, told, errors = done.returncode, done.output, done.output
            else:
                answer = warm.tomarium(tmp_path, *_words(command))
                code, told, errors = answer.returncode, answer.stdout, answer.stderr
            assert code == 0, f"{command}: {errors}"
            assert told.strip(), f"{command} says nothing"


def _words(line: str) -> list[str]:
    prompt, tomarium, *words = shlex.split(line)
    assert (prompt, tomarium) == ("$", "tomarium"), f"not a command of the program: {line}"
    return words
