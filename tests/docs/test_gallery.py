"""The gallery stays small, its meshes are closed, and its sections are made of commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tomarium.cli import commands

HOME = Path(__file__).parents[2] / "docs" / "gallery"


def test_it_stays_small() -> None:
    sizes = {file.name: file.stat().st_size for file in HOME.iterdir() if file.is_file()}
    assert sum(sizes.values()) < 5e6
    assert max(sizes.values()) < 1e6


@pytest.mark.parametrize("name", ["i13", "tooth", "sand"])
def test_a_mesh_is_closed(name: str) -> None:
    trimesh = pytest.importorskip("trimesh")
    # As it is written: that of the sand touches itself at points that some programs make one, as its section says.
    mesh = trimesh.load(HOME / f"{name}-mesh.3mf", force="mesh", process=False)
    assert mesh.is_watertight
    assert mesh.volume > 0


def test_its_commands_exist() -> None:
    page = (HOME / "index.md").read_text(encoding="utf-8")
    lines = "".join(re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)).splitlines()
    assert len(lines) >= 9
    for line in lines:
        program, name, *words = line.split()
        assert program == "tomarium"
        options = {one for part in commands()[name].params for one in part.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
