"""`tomarium specimen import-landmarks` and `export`: landmarks go round, and what is wrong is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from placed_volumes import IN_BLOCK, POINTS_M, file_volumes
from tomarium.catalogue import open_catalogue
from tomarium.cli import execute


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        file_volumes(opened, tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    """Run `tomarium specimen …` and return what it printed and what it warned of."""
    assert execute(["specimen", *words]) == code, capsys.readouterr()
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_landmarks_go_round(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = told(capsys, "export", "rum-8", "--as", "bigwarp", "--unit", "nm", "-o", "out")
    assert "5 landmarks in nm" in out
    words = ("import-landmarks", "out/core-in-block.csv", "--from", "core", "--to", "block")
    again, _ = told(capsys, *words, "--unit", "nm", "--replaces", "core-in-block", "--json")
    link = json.loads(again)
    assert (link["id"], link["version"], link["kind"]) == ("core-in-block", 2, "landmark")
    np.testing.assert_allclose(link["matrix"], IN_BLOCK["core"], atol=1e-9)
    np.testing.assert_allclose([one["from_m"] for one in link["landmarks"]], POINTS_M, atol=1e-15)
    _, wrong = told(capsys, *words, "--unit", "mm", "--beside", code=2)
    assert "check the unit (mm)" in wrong
    exchanged = (
        "import-landmarks",
        "out/core-in-block.csv",
        "--from",
        "block",
        "--to",
        "core",
        "--unit",
        "nm",
    )
    assert "check the unit (nm), and which image" in told(capsys, *exchanged, "--beside", code=2)[1]


def test_landmarks_in_pixels(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = [(0, 0, 0), (3, 0, 0), (0, 4, 0), (0, 0, 4), (3, 4, 4)]
    lines = []
    for number, (x, y, z) in enumerate(pixels):
        # The cut begins at (1, 0, 2) µm with 1 µm a voxel; the block at 0 with 2, 2 and 3 µm.
        at_um = (1 + x + 3, y + 4, 2 + z + 5)
        block = (at_um[0] / 2, at_um[1] / 2, at_um[2] / 3)
        lines.append(",".join(f'"{one}"' for one in (f"Pt-{number}", "true", x, y, z, *block)))
    (home / "pixels.csv").write_text("\n".join(lines) + "\n")
    out, _ = told(
        capsys, "import-landmarks", "pixels.csv", "--from", "cut", "--to", "block", "--unit", "px",
        "--replaces", "cut-in-block", "--json",
    )  # fmt: skip
    np.testing.assert_allclose(json.loads(out)["matrix"], IN_BLOCK["cut"], atol=1e-9)


def test_what_does_not_fit_together_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ("export", "rum-8", "-o", "out", "--as")
    assert "--rfc5 belongs to --as ome-zarr" in told(capsys, *base, "crate", "--rfc5", code=2)[1]
    assert "--unit belongs to --as bigwarp" in told(capsys, *base, "mobie", "--unit", "mm", code=2)[1]
    assert "--address belongs to" in told(capsys, *base, "mobie", "--address", "https://a.b", code=2)[1]
    assert "rum-8" in told(capsys, *base, "crate", "--public", code=2)[1]
    state, _ = told(capsys, "export", "rum-8", "--as", "neuroglancer", "-o", "state.json")
    assert "3 layers" in state
    assert "does not begin at 0" in state
    assert (
        "exists already"
        in told(capsys, "export", "rum-8", "--as", "neuroglancer", "-o", "state.json", code=2)[1]
    )
    assert not (home / "out").exists()
