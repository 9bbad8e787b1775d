"""The commands that the pages and the helps show are spelled as the program takes them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tomarium.cli import commands
from tomarium.steps.core.serialization import find_step

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *(
        page
        for folder in ("how-to", "tutorials", "explanation", "gallery", "notebooks")
        for page in (ROOT / "docs" / folder).glob("*.md")
    ),
]
LINE = re.compile(r"^[ \t]*(?:\$ )?(tomarium [a-z].*)$", re.M)
BLOCK = re.compile(r"^```[a-z]*\n[\s\S]*?^```|^ {4}.*$", re.M)
MADE_THERE = {"adjust_gamma", "average_slices"}  # the steps that the page on adding one makes


def lines(text: str) -> list[str]:
    """Give the lines of a text that are commands, without the comments behind them."""
    whole = re.sub(r"\s*\\\n\s*", " ", text)
    return [re.split(r"\s#\s|\s{3,}|\s\|\s|\s\|\|\s|\s&&\s|\s>", found)[0] for found in LINE.findall(whole)]


def check(line: str) -> None:
    """Hold one command to the options and steps that there are."""
    words = shlex.split(line)[1:]
    command: click.Command = commands(words[0])[words[0]]
    rest = words[1:]
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    options = {one for part in command.params for one in (*part.opts, *part.secondary_opts)} | {
        "--help",
        "-h",
    }
    for word, value in zip(rest, [*rest, ""][1:], strict=True):
        if re.match(r"--?[a-z]", word):
            assert word.partition("=")[0] in options, f"{line}: {word}"
        if word == "--step" and value.islower() and value not in MADE_THERE:
            find_step(value)
        if word == "--set" and "=" in value:
            name, _, parameter = value.partition("=")[0].partition(".")
            assert name in MADE_THERE or parameter in {one.name for one in find_step(name).parameters}, (
                f"{line}: {value}"
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_a_page_have_their_options(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in lines("\n".join(block for found in BLOCK.findall(text) for block in found.splitlines())):
        check(line)


def test_commands_of_the_helps_have_their_options() -> None:
    checked = 0
    for command in commands().values():
        for line in lines(command.help or ""):
            check(line)
            checked += 1
    assert checked > 100
