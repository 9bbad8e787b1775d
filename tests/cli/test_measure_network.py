"""`tomarium measure --network`: figures, tables, and what it refuses."""

from __future__ import annotations

import csv
import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from kernels.test_skeleton_network import lattice
from tomarium.cli import execute
from tomarium.formats import formats
from tomarium.kernels.skeleton_network import Network
from tomarium.model import Axis, Volume
from tomarium.pipeline.measure.network import BYTES, as_data, measure_network
from tomarium.viewers.network_picture import draw_network

VOXEL_M = 2e-6


def volume(mask: np.ndarray, voxel_m: float | None = VOXEL_M, labels: bool = True) -> Volume:
    axes = tuple(Axis(name) if voxel_m is None else Axis(name, voxel_m, 0.0, "m") for name in "zyx")
    return Volume(mask.astype(np.uint8), axes, "", "bars", None, {"labels": True} if labels else {})


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    path = tmp_path / "bars.nrrd"
    formats()["nrrd"].write(path, volume(lattice(2, 20, 3)))  # type: ignore[misc]
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_tables_tell_each_branch_and_node_in_micrometres(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "t.csv"
    assert execute(["measure", str(bars), "--network", "--whole", "-o", str(target)]) == 0
    told = capsys.readouterr().out
    assert "54 between junctions, 0 to an end, 0 alone, 0 back to their node" in told
    assert "1          connected; 28 independent loops" in told
    branches, nodes = rows_of(target), rows_of(tmp_path / "t_nodes.csv")
    assert (len(branches), len(nodes)) == (54, 27)
    lengths = np.array([float(row["length_um"]) for row in branches])
    assert lengths.mean() == pytest.approx(40, rel=0.025)
    assert float(branches[0]["mean_radius_um"]) == pytest.approx(6, abs=1.0)
    assert {row["kind"] for row in nodes} == {"junction"}
    assert sorted(int(row["branches"]) for row in nodes) == [3] * 8 + [4] * 12 + [5] * 6 + [6]
    places = np.array([[float(row[f"{axis}_px"]) for axis in "zyx"] for row in nodes]) - 4
    np.testing.assert_allclose(places, 20 * np.round(places / 20), atol=1.5)
    joined = {frozenset((row["first_node"], row["last_node"])) for row in branches}
    assert len(joined) == 54
    ends = places[[[int(row["first_node"]) - 1, int(row["last_node"]) - 1] for row in branches]]
    np.testing.assert_allclose(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1), 20, atol=2)
    assert (tmp_path / "t.png").is_file()
    assert execute(["measure", str(bars), "--network", "-o", str(target)]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("voxel_m", [VOXEL_M, None])
def test_the_picture_shows_bars_where_they_are(voxel_m: float | None) -> None:
    measured = measure_network(volume(lattice(2, 20, 3), voxel_m), whole=True)
    png = draw_network(measured.network, measured.shape, voxel_m)
    picture = np.asarray(Pillow.open(BytesIO(png)).convert("L")).astype(int)
    assert picture.shape == (1100 + 48 + 24, 1100 + 48 + 150)
    scale = 1100 / measured.shape[1]

    def at(y: float, x: float) -> int:
        """The brightest pixel within two voxels of a place in the volume."""
        row, column = (round(24 + (place + 4.5) * scale) for place in (y, x))
        reach = round(2 * scale)
        return int(picture[row - reach : row + reach, column - reach : column + reach].max())

    for middle_of_bar in ((0, 10), (20, 10), (40, 30), (10, 0), (30, 20), (10, 40)):
        assert at(*middle_of_bar) > 60
    for hole in ((10, 10), (10, 30), (30, 10), (30, 30)):
        assert at(*hole) < 20
    assert picture[58:208, 1150:1160].std() > 20  # the colours, from dark to light
    assert draw_network(Network((), (), 0, 0), (5, 6, 7), voxel_m)[:4] == b"\x89PNG"


def test_json_sums_up(bars: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["measure", str(bars), "--network", "--whole", "--prune", "0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["unit"], told["prune"], told["pruned"]) == ("um", 0, 0)
    assert (told["nodes"], told["junctions"], told["branches"], told["loops"]) == (27, 27, 54, 28)
    assert told["branches_at_a_junction"] == {"3": 8, "4": 12, "5": 6, "6": 1}
    mask = lattice(2, 20, 3)
    assert told["share"] == pytest.approx(mask.mean())
    assert told["length_density"] == pytest.approx(told["length"] / (mask.size * 8))
    assert told["mean_tortuosity"] == pytest.approx(1, abs=0.02)
    assert told["threshold_source"] == "of labels, 0 is background"


def test_pores_are_what_is_not_solid(tmp_path: Path) -> None:
    """A slab with a straight hole through it."""
    z, y, _ = np.mgrid[:40, :40, :60]
    hole = (z - 20) ** 2 + (y - 20) ** 2 <= 25
    measured = measure_network(volume(~hole, labels=False), "pores", 0.5, whole=True)
    told = as_data(measured)
    assert (told["of"], told["branches"], told["ends"], told["ends_at_edge"]) == ("pores", 1, 2, 2)
    assert told["mean_radius"] == pytest.approx(10, abs=0.6)
    assert told["length"] <= 120


def test_without_a_voxel_size_lengths_are_in_voxels() -> None:
    told = as_data(measure_network(volume(lattice(2, 20, 3), None), whole=True))
    assert told["unit"] == "px"
    assert told["length"] / told["branches"] == pytest.approx(20, rel=0.025)


def test_what_cannot_be_measured_is_refused(
    bars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, expected in (
        (["--network", "--objects"], "--thickness and --network go without --objects"),
        (["--network", "--thickness"], "give one of them"),
        (["--prune", "2"], "--prune goes with --network"),
        (["--network", "--prune", "-1"], "-1"),
        (["--network", "--threshold", "7"], "nothing of it is solid"),
        (["--network", "--threshold", "-1"], "all of it is solid"),
    ):
        assert execute(["measure", str(bars), *words]) == 2
        assert expected in capsys.readouterr().err
    mask = lattice(1, 10, 2)
    with pytest.raises(Exception, match="free; measure a part"):
        measure_network(volume(mask), memory_bytes=BYTES * mask.size - 1)
    flat = volume(mask)
    axes = (Axis("z", 5e-6, 0.0, "m"), *flat.axes[1:])
    with pytest.raises(Exception, match="cubes"):
        measure_network(Volume(flat.data, axes))
