"""Test that what HDF5 makes up where a virtual dataset lacks something is never handed out."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError, MissingData
from tomarium.formats.hdf5.missing_data import Gap, gaps_of
from tomarium.formats.hdf5.source import reading
from tomarium.live.nodes import Dataset


def scan(path: Path, parts: int = 3, each: int = 4) -> Path:
    """Write a Data Exchange master whose frames lie in files of `each` frames."""
    count = parts * each
    layout = h5py.VirtualLayout((count, 3, 4), "u2")
    for number in range(parts):
        with h5py.File(path.with_name(f"part{number}.h5"), "w") as file:
            file["data"] = np.full((each, 3, 4), number + 1, "u2")
        source = h5py.VirtualSource(f"part{number}.h5", "data", (each, 3, 4), dtype="u2")
        layout[each * number : each * (number + 1)] = source
    with h5py.File(path, "w") as file:
        file["implements"] = "exchange"
        file.create_virtual_dataset("exchange/data", layout, fillvalue=0)
        file["exchange/data_white"], file["exchange/data_dark"] = np.full((2, 1, 3, 4), 9, "u2")
        file["exchange/theta"] = np.linspace(0, 180, count, endpoint=False)
        file["exchange/theta"].attrs["units"] = "deg"
    return path


def without_dataset(part: Path) -> None:
    with h5py.File(part, "r+") as file:
        file.move("data", "other")


def shorter(part: Path) -> None:
    with h5py.File(part, "w") as file:
        file["data"] = np.full((1, 3, 4), 2, "u2")


def truncated(part: Path) -> None:
    part.write_bytes(part.read_bytes()[:-20])


def text(part: Path) -> None:
    part.write_text("a note")


def virtual(part: Path) -> None:
    layout = h5py.VirtualLayout((4, 3, 4), "u2")
    layout[:] = h5py.VirtualSource("gone.h5", "data", (4, 3, 4), dtype="u2")
    with h5py.File(part, "w") as file:
        file.create_virtual_dataset("data", layout)


SPOILT = [
    (without_dataset, 4, "holds no dataset data"),
    (shorter, 5, "does not hold entries 1 to 3 of data"),
    (truncated, 4, "is truncated"),
    (text, 4, "cannot be read as HDF5"),
    (virtual, 4, "lacks gone.h5, which is absent"),
    (Path.unlink, 4, "is absent"),
]


@pytest.mark.parametrize(("spoil", "first", "why"), SPOILT)
def test_a_part_that_lacks_frames_is_named_and_the_others_are_read(
    tmp_path: Path, spoil: object, first: int, why: str
) -> None:
    path = scan(tmp_path / "scan.h5")
    spoil(tmp_path / "part1.h5")  # type: ignore[operator]
    with reading(path) as source:
        dataset = source.find("exchange/data")
        assert isinstance(dataset, h5py.Dataset)
        assert list(gaps_of(source, dataset)) == [Gap(first, 8, "part1.h5", why)]
    opened = tm.open(path)
    assert isinstance(opened, tm.Scan)
    rows = slice(0, 3)
    with pytest.raises(FormatError, match=rf"lie in part1\.h5, which {why}"):
        opened.projections.read(slice(0, 12), rows)
    assert np.all(opened.projections.read(slice(0, first), rows)[4:] == 2)
    assert np.all(opened.projections.read(slice(8, 12), rows) == 3)
    for mode in ("static", "live"):
        frames = tm.open_h5(path, mode, patience_s=1)["exchange/data"]
        assert isinstance(frames, Dataset)
        assert frames.valid_frames == first
        with pytest.raises(MissingData, match=rf"entries {first} to 7: they lie in part1\.h5, which {why}"):
            frames[:]
        assert np.all(frames[8:] == 3)


def test_frames_that_are_woven_from_files_count_up_to_the_first_that_lacks(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((12, 3, 4), "u2")
    for number, count in enumerate((4, 2, 4)):
        with h5py.File(tmp_path / f"part{number}.h5", "w") as file:
            file["data"] = np.full((count, 3, 4), number + 1, "u2")
        layout[number::3] = h5py.VirtualSource(f"part{number}.h5", "data", (4, 3, 4), dtype="u2")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    frames = tm.open_h5(tmp_path / "scan.h5", "static")["data"]
    assert frames.valid_frames == 7
    assert frames[:7, 0, 0].tolist() == [1, 2, 3, 1, 2, 3, 1]


def test_frames_of_a_growing_source_count_as_they_are_written(tmp_path: Path) -> None:
    path = scan(tmp_path / "scan.h5")
    with h5py.File(tmp_path / "part1.h5", "w") as file:
        data = file.create_dataset("data", (4, 3, 4), "u2", chunks=(1, 3, 4))
        data[:3] = 2
    assert tm.open_h5(path, "live")["exchange/data"].valid_frames == 7


def test_a_virtual_list_of_angles_with_a_gap_is_no_list(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("angles.h5", "theta", (3,))
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_virtual_dataset("theta", layout)
    with h5py.File(tmp_path / "angles.h5", "w") as file:
        file["other"] = [1.0, 2.0, 3.0]
    with reading(tmp_path / "scan.h5") as source:
        assert source.array("theta") is None


def test_an_external_link_into_a_damaged_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "raw.h5").write_text("a note")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = h5py.ExternalLink("raw.h5", "/data")
    with (
        reading(tmp_path / "scan.h5") as source,
        pytest.raises(FormatError, match=r"raw\.h5: cannot be read"),
    ):
        source.find("data")
