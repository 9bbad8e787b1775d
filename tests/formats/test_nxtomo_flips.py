"""Mirrored detectors of NXtomo: a dot lies where it lay, however the camera's order and its flags are spelt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tomarium as tm
from tomarium.conversion.compare import compare
from tomarium.conversion.convert import convert
from tomarium.formats.frames.mirrored import FlippedFrames, flipped, flips_of, stored
from tomarium.formats.nexus.nxtomo_writer import write
from tomarium.model import Scan

COLUMNS, ROWS, VIEWS = 64, 12, 90
AXIS = 29.5
# Where the dot lies: columns from the axis, and row.
X, Y, Z = 11.0, 5.0, 3
ANGLES = np.arange(VIEWS) * 180.0 / VIEWS
FLIPS = [(False, False), (True, False), (False, True), (True, True)]
# How a file says it: path version, left-right vector, up-down vector; None for x_flipped and y_flipped.
SPELLINGS: list[tuple[float | None, Any, Any, str | None]] = [
    (1.2, None, None, None),
    (1.4, (0, 0, 1), (0, 1, 0), None),
    (2.1, (0, 1, 0), (1, 0, 0), None),
    (None, (0, -1, 0), (1, 0, 0), None),
    (2.1, (0, 0, 1), (0, 1, 0), "ESRF"),
    (1.4, (0, 1, 0), (1, 0, 0), "McStas"),
]


def seen() -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Return what the source sees: a dark, a flat with a slope, and the views of a dot off the axis."""
    columns, rows = np.arange(COLUMNS), np.arange(ROWS)
    beam = 1000 + 4000 * columns / COLUMNS + 100 * rows[:, np.newaxis]
    turn = np.deg2rad(ANGLES)
    where = AXIS + X * np.cos(turn) + Y * np.sin(turn)
    across = np.exp(-(((columns - where[:, np.newaxis]) / 1.5) ** 2))
    thick = across[:, np.newaxis] * np.exp(-(((rows - Z) / 0.7) ** 2))[:, np.newaxis]
    dark = 10.0 + 20 * (columns > 20) + 0 * rows[:, np.newaxis]
    return np.concatenate([dark[np.newaxis], [beam + dark], beam * np.exp(-thick) + dark]).astype(np.uint16)


def written(path: Path, spelling: tuple[Any, ...], left_right: bool, up_down: bool) -> Path:
    version, across, upright, system = spelling
    kept = seen()[:, :: -1 if up_down else 1, :: -1 if left_right else 1]
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        if version:
            entry.attrs["version"] = version
        if system:
            entry.attrs["NeXus_Coordinate_System"] = system
        entry["definition"] = "NXtomo"
        detector = entry.create_group("instrument/detector")
        detector.attrs["NX_class"] = "NXdetector"
        detector["data"] = kept
        detector["image_key"] = [2, 1, *[0] * VIEWS]
        entry["sample/rotation_angle"] = np.concatenate([[0, 0], ANGLES])
        entry["sample/rotation_angle"].attrs["units"] = "degree"
        for name, flag, vector in (("x_flipped", left_right, across), ("y_flipped", up_down, upright)):
            if vector is None:
                detector[name] = flag
                continue
            turn = detector.create_dataset(f"transformations/{name[0]}", data=180.0 if flag else 0.0)
            turn.attrs.update({"units": "degree", "transformation_type": "rotation", "vector": vector})
        # Of the stored frames; the ESRF's files count from their middle.
        axis = COLUMNS - 1 - AXIS if left_right else AXIS
        detector["x_rotation_axis_pixel_position"] = axis - (COLUMNS - 1) / 2 if version else axis
    return path


def opened(path: Path) -> Scan:
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    return scan


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("left_right", "up_down"), FLIPS)
def test_the_dot_lies_where_it_lay(
    tmp_path: Path, spelling: tuple[Any, ...], left_right: bool, up_down: bool
) -> None:
    scan = opened(written(tmp_path / "a.nx", spelling, left_right, up_down))
    assert scan.flats is not None
    assert scan.darks is not None
    assert not any("not applied" in text for text in scan.warnings)
    np.testing.assert_array_equal(scan.darks.frames.read(slice(None), slice(None)), seen()[:1])
    np.testing.assert_array_equal(scan.flats.frames.read(slice(None), slice(None)), seen()[1:2])
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), seen()[2:])
    assert scan.axis_column is not None
    assert scan.axis_column.value == AXIS


@pytest.mark.parametrize(("left_right", "up_down"), FLIPS)
def test_the_volume_has_one_hand(tmp_path: Path, left_right: bool, up_down: bool) -> None:
    plain = tm.reconstruct(opened(written(tmp_path / "plain.nx", SPELLINGS[2], False, False)))
    scan = opened(written(tmp_path / "a.nx", SPELLINGS[2], left_right, up_down))
    volume = np.asarray(tm.reconstruct(scan).data)
    z, y, x = np.unravel_index(int(volume.argmax()), volume.shape)
    assert z == Z
    # As `tomarium.kernels.fbp` lays its slices: the axis in the middle, y towards row 0.
    middle = (volume.shape[2] - 1) / 2
    assert abs(x - (middle + X)) <= 0.5
    assert abs(y - (middle - Y)) <= 0.5
    np.testing.assert_array_equal(volume, np.asarray(plain.data))


@pytest.mark.parametrize("spelling", SPELLINGS[:3])
@pytest.mark.parametrize("between", ["b.h5", "b.nx"])
@pytest.mark.parametrize(("left_right", "up_down"), FLIPS[1:])
def test_there_and_back_keeps_stored_frames_and_flags(
    tmp_path: Path, spelling: tuple[Any, ...], between: str, left_right: bool, up_down: bool
) -> None:
    first = written(tmp_path / "a.nx", spelling, left_right, up_down)
    convert(opened(first), tmp_path / between)
    middle = opened(tmp_path / between)
    found = {one.what: one.same for one in compare(opened(first), middle).findings}
    assert found["projections"]
    assert found["flats"]
    assert found["darks"]
    assert found["axis_column"]
    assert found["flip_left_right" if left_right else "flip_up_down"]
    convert(middle, tmp_path / "again.nx")
    with h5py.File(first) as one, h5py.File(tmp_path / "again.nx") as other:
        names: list[str] = []
        one.visit(names.append)
        for name in names:
            assert sorted(one[name].attrs) == sorted(other[name].attrs)
            if isinstance(one[name], h5py.Dataset):
                assert (
                    one[name][()].tobytes() == other[name][()].tobytes()
                    if one[name].dtype.kind != "O"
                    else True
                )
                assert one[name].dtype == other[name].dtype


def test_a_new_nxtomo_stores_frames_as_they_were(tmp_path: Path) -> None:
    first = written(tmp_path / "a.nx", SPELLINGS[0], True, False)
    write(tmp_path / "b.nx", opened(first))
    with h5py.File(first) as one, h5py.File(tmp_path / "b.nx") as other:
        np.testing.assert_array_equal(
            one["entry/instrument/detector/data"], other["entry/instrument/detector/data"]
        )
        turn = other["entry/instrument/detector/transformations/ry"]
        assert turn[()] == 180
        assert turn.attrs["depends_on"] == "."
        assert other["entry/instrument/detector/depends_on"].asstr()[()] == turn.name
        assert (
            other["entry/instrument/detector/x_rotation_axis_pixel_position"][()] == (COLUMNS - 1) / 2 - AXIS
        )
        assert "rx" not in other["entry/instrument/detector/transformations"]


def test_references_given_are_mirrored_as_the_scan(tmp_path: Path) -> None:
    first = written(tmp_path / "a.nx", SPELLINGS[0], True, True)
    with h5py.File(tmp_path / "flats.h5", "w") as file:
        file["white"] = seen()[1:2, ::-1, ::-1]
    for given_flats in (tmp_path / "flats.h5", f"{tmp_path / 'flats.h5'}:/white"):
        scan = tm.open(first, flats=given_flats)
        assert isinstance(scan, Scan)
        assert scan.flats is not None
        np.testing.assert_array_equal(scan.flats.frames.read(slice(None), slice(None)), seen()[1:2])


def test_other_turns_are_warned_of(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nx", SPELLINGS[2], False, False)
    with h5py.File(path, "a") as file:
        file["entry/instrument/detector/transformations/x"][()] = 2.5
    scan = opened(path)
    assert any("2.5°" in text and "not applied" in text for text in scan.warnings)
    assert flips_of(scan.projections) == (False, False)


class Held:
    """Frames in memory."""

    def __init__(self, pixels: np.ndarray[Any, Any]) -> None:
        self.pixels = pixels
        self.shape = pixels.shape
        self.dtype = pixels.dtype

    def read(self, frames: Any, rows: slice) -> Any:
        found = self.pixels[frames, rows]
        found.flags.writeable = False
        return found

    def cost(self, frames: int, rows: slice) -> tuple[int, int]:
        return frames * sum(range(*rows.indices(self.shape[1]))), 0


@given(
    st.booleans(),
    st.booleans(),
    st.slices(7),
    st.lists(st.integers(0, 3), max_size=4),
)
def test_a_mirror_reads_what_the_whole_mirrored_would(
    left_right: bool, up_down: bool, rows: slice, frames: list[int]
) -> None:
    if rows.step is not None and rows.step < 0:
        rows = slice(rows.start, rows.stop, -rows.step)
    pixels = np.arange(4 * 7 * 5).reshape(4, 7, 5)
    whole = pixels[:, :: -1 if up_down else 1, :: -1 if left_right else 1]
    shown = flipped(Held(pixels), left_right, up_down)  # type: ignore[arg-type]
    index = np.array(frames, np.intp)
    np.testing.assert_array_equal(shown.read(index, rows), whole[index][:, rows])
    np.testing.assert_array_equal(pixels, np.arange(4 * 7 * 5).reshape(4, 7, 5))
    assert stored(flipped(shown, left_right, up_down)) is stored(shown)
    assert not isinstance(flipped(shown, left_right, up_down), FlippedFrames)
    assert flips_of(replace(shown) if isinstance(shown, FlippedFrames) else shown) == (left_right, up_down)
