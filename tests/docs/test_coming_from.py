"""What the pages for those who come from another program name on our side exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tomarium.cli import commands
from tomarium.steps.core.serialization import all_steps, find_step
from warm import Warm

PAGES = sorted((Path(__file__).parents[2] / "docs" / "how-to").glob("coming-from-*.md"))


def ours(page: Path) -> list[str]:
    """Give the right-hand cells of the tables of a page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [line.strip("| ").rpartition(" | ")[2] for line in lines if line.startswith("| ")]


def test_there_is_a_page_for_each_program() -> None:
    programs = {page.stem.removeprefix("coming-from-") for page in PAGES}
    assert programs == {"tomodata", "nabu", "tomopy", "httomo", "pyhst2"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_named_exists(page: Path) -> None:
    steps, known, checked = all_steps(), commands(), 0
    options = {name: {one for part in known[name].params for one in part.opts} for name in known}
    for cell in ours(page):
        for words in re.findall(r"`tomarium ([^`]+)`", cell):
            name, *rest = words.split()
            given = {word for word in rest if word.startswith("--")}
            told = set(options[name])
            if isinstance(known[name], click.Group):
                group = known[name].commands
                told |= {one for part in group[rest[0]].params for one in part.opts}
            assert given <= told, words
            checked += 1
        for option in re.findall(r"`(--[a-z-]+)", cell):
            assert any(option in options[name] for name in ("run", "slice")), option
        for names in re.findall(r"steps? ((?:`[a-z_]+`(?:, | and )?)+)", cell):
            for name in re.findall(r"`([a-z_]+)`", names):
                assert find_step(name).name in steps, name
                checked += 1
        for step, parameter in re.findall(
            r"(?<![\w.])([a-z_]+)\.([a-z_]+)(?![\w.])", " ".join(re.findall("`([^`]+)`", cell))
        ):
            if step in steps:
                assert parameter in {one.name for one in steps[step].parameters}, (step, parameter)
                checked += 1
    assert checked > 8


def test_half_a_pixel_is_put_on_for_pyhst2(warm: Warm, tmp_path: Path) -> None:
    """The page says so of the column 62.2."""
    for words in (
        "simulate dx.h5 --size 128 --rows 8 --views 8",
        "convert dx.h5 scan/bone.par --axis 62.2",
    ):
        answer = warm.tomarium(tmp_path, *words.split())
        assert answer.returncode == 0, answer.stderr
    told = (tmp_path / "scan" / "bone.par").read_text(encoding="utf-8")
    assert re.search(r"^ROTATION_AXIS_POSITION *= *62\.7\b", told, re.M), told
