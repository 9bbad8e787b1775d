"""NXtomoproc volumes: stored either way round, with and without a scale; NXtomophase steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.formats.nexus.nxtomoproc import write
from tomarium.model import Axis, Scan, Volume

DATA = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
LENGTHS = {"z": 3, "y": 4, "x": 5}


def make(
    path: Path, *, stored: str = "zyx", axes: Any = None, unit: str | None = "um", counts: bool = True
) -> Path:
    """Write what another program might: DATA is z, y, x."""
    with h5py.File(path, "w") as file:
        file["entry/definition"] = "NXtomoproc"
        file["entry/data/data"] = DATA.transpose(["zyx".index(name) for name in stored])
        if axes is not None:
            file["entry/data"].attrs["axes"] = axes
        for name, count in LENGTHS.items():
            if counts:
                file[f"entry/data/{name}"] = 10.0 + 0.65 * np.arange(count)
                if unit:
                    file[f"entry/data/{name}"].attrs["units"] = unit
    return path


def opened(path: Path) -> Volume:
    volume = tm.open(path)
    assert isinstance(volume, Volume)
    return volume


@pytest.mark.parametrize(
    ("stored", "axes"),
    [
        ("zyx", ["z", "y", "x"]), ("xyz", ["x", "y", "z"]), ("yzx", ["y", "z", "x"]), ("zyx", None), ("xyz", None),
        ("xyz", "x:y:z"),
    ],
)  # fmt: skip
def test_either_way_round_it_is_z_y_x(tmp_path: Path, stored: str, axes: Any) -> None:
    volume = opened(make(tmp_path / "v.nxs", stored=stored, axes=axes))
    assert volume.shape == (3, 4, 5)
    for key in (
        np.s_[:],
        np.s_[1],
        np.s_[..., 2],
        np.s_[:, 1:3, 4],
        np.s_[2, 3, 1],
        np.s_[1:, ::2, 0:2],
        np.s_[-1],
    ):
        np.testing.assert_array_equal(volume[key], DATA[key], err_msg=str(key))
    assert volume.voxel_m == pytest.approx((0.65e-6,) * 3)
    assert volume.axes[2].offset == pytest.approx(1e-5)
    assert "axes_assumed" not in volume.metadata


def test_what_is_not_told_is_assumed_aloud(tmp_path: Path) -> None:
    volume = opened(make(tmp_path / "v.nxs", counts=False))
    assert volume.voxel_m is None
    assert volume.metadata["uncalibrated"] is True
    assert volume.metadata["axes_assumed"] == "z, y, x: nothing in the file tells"
    assert opened(make(tmp_path / "w.nxs", unit=None)).metadata["uncalibrated"] is True


def test_written_file_has_all_the_definition_demands(tmp_path: Path) -> None:
    axes = tuple(
        Axis(name, scale, 1e-6, "m")
        for name, scale in zip("zyx", (1.3e-6, 0.65e-6, 0.123456789012), strict=True)
    )
    write(tmp_path / "v.nxs", Volume(DATA, axes, "1/cm", "tooth", None, {"program": "nabu", "version": "1"}))
    with h5py.File(tmp_path / "v.nxs") as file:
        entry = file["entry"]
        for name in ("title", "definition", "instrument/source/type", "instrument/source/name", "sample/name",
                     "instrument/source/probe", "reconstruction/program", "reconstruction/version",
                     "reconstruction/date", "reconstruction/parameters/raw_file"):  # fmt: skip
            assert entry[name][()], name
        assert entry["reconstruction"].attrs["NX_class"] == "NXprocess"
        assert entry["reconstruction/program"][()] == b"nabu"
        assert list(entry["data"].attrs["axes"]) == ["z", "y", "x"]
    again = opened(tmp_path / "v.nxs")
    assert again.axes == axes
    assert (again.name, again.unit) == ("tooth", "1/cm")


def test_phase_steps_are_scans(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = rng.integers(0, 9999, (5, 3, 4, 6), np.uint16)
    with h5py.File(tmp_path / "p.nxs", "w") as file:
        file["entry/definition"] = "NXtomophase"
        file["entry/instrument/sample/data"] = data
        # flat, five angles of three steps each with a flat after the third step of angle 2, dark
        file["entry/instrument/sample/sequence_number"] = np.array(
            [[1, 2, 3], [4, 5, 6], [7, 8, 9], [11, 12, 13], [14, 15, 16]]
        )
        file["entry/instrument/sample/x_pixel_size"] = 1.3
        file["entry/instrument/sample/x_pixel_size"].attrs["units"] = "um"
        file["entry/instrument/bright_field/data"] = rng.integers(0, 9999, (2, 4, 6), np.uint16)
        file["entry/instrument/bright_field/sequence_number"] = [0, 10]
        file["entry/instrument/dark_field/data"] = rng.integers(0, 9, (1, 4, 6), np.uint16)
        file["entry/instrument/dark_field/sequence_number"] = [17]
        file["entry/sample/rotation_angle"] = np.linspace(0, 144, 5)
        file["entry/sample/rotation_angle"].attrs["units"] = "degree"
    for step in range(3):
        scan = tm.open(tmp_path / "p.nxs", entry=f"/entry/phase_{step}")
        assert isinstance(scan, Scan)
        np.testing.assert_array_equal(
            scan.projections.read(np.array([4, 1]), slice(1, 3)), data[[4, 1], step, 1:3]
        )
        assert scan.flats is not None
        assert scan.darks is not None
        assert scan.flats.position.tolist() == [-1, 2.5]
        assert scan.darks.position.tolist() == [5]
        assert scan.pixel_m is not None
    assert "phase step 0 of 3 was opened" in tm.open(tmp_path / "p.nxs").warnings[0]  # type: ignore[union-attr]
    with h5py.File(tmp_path / "p.nxs", "a") as file:
        del file["entry/instrument/sample/data"]
    with pytest.raises(FormatError, match="NXtomophase without instrument/sample/data of four axes"):
        tm.open(tmp_path / "p.nxs")


def test_a_run_does_not_go_on_with_another_volume_of_the_shape(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    path, (first, second) = tmp_path / "v.nx", (
        Volume(np.full((3, 4, 5), value, np.float32), (Axis("z"), Axis("y"), Axis("x"))) for value in (1, 2)
    )  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        write(path, first, resume=True, on_progress=stop)
    write(path, second, resume=True)
    with h5py.File(path) as file:
        assert (file["entry/data/data"][()] == 2).all()
