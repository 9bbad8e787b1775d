"""The gallery stays small, its meshes are closed, and its sections are made of commands that exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from tomarium.cli import commands

HOME = Path(__file__).parents[2] / "docs" / "gallery"


def test_it_stays_small() -> None:
    sizes = {file.name: file.stat().st_size for file in HOME.iterdir() if file.is_file()}
    assert sum(sizes.values()) < 5e6
    assert max(sizes.values()) < 1e6


@pytest.mark.parametrize("name", ["i13-mesh", "tooth-mesh", "tooth-print", "sand-mesh"])
def test_a_mesh_is_closed(name: str) -> None:
    trimesh = pytest.importorskip("trimesh")
    # As it is written: that of the sand touches itself at points that some programs make one, as its section says.
    mesh = trimesh.load(HOME / f"{name}.3mf", force="mesh", process=False)
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


@pytest.mark.parametrize("name", ["i13", "tooth", "sand", "neutron"])
def test_a_section_whose_files_are_absent_is_skipped_by_name(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("gallery_make", HOME / "make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.main(name, tmp_path)
    assert f"{name}: skipped, for {tmp_path}" in capsys.readouterr().out
