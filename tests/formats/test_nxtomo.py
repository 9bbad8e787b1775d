"""NXtomo: NIAC, ESRF and Diamond spellings, and what they leave out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.formats.nexus.nxtomo_writer import write
from tomarium.model import FrameKind, Scan, Value

Make = Callable[..., Path]
# dark, flat, three projections, a flat amid, three projections, alignment, flat, an invalid one
KEY = [2, 1, 0, 0, 0, 1, 0, 0, 0, -1, 1, 3]
ANGLES = [0, 0, 0, 30, 60, 60, 90, 120, 150, 0, 150, 150.0]
FRAMES = np.arange(12 * 4 * 5, dtype=np.uint16).reshape(12, 4, 5)
PROJECTIONS = [2, 3, 4, 6, 7, 8]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write entries, changed by {path below the entry: value, None to leave out, or (value, units)}."""

    def write_entries(
        changes: dict[str, Any] | None = None, entries: tuple[str, ...] = ("entry0000",)
    ) -> Path:
        path = tmp_path / "scan.nx"
        tree: dict[str, Any] = {
            "definition": "NXtomo",
            "title": "a scan",
            "instrument/detector/data": FRAMES,
            "instrument/detector/image_key_control": KEY,
            "instrument/detector/image_key": np.abs([0 if key == -1 else key for key in KEY]),
            "instrument/detector/x_pixel_size": (1.3, "um"),
            "instrument/detector/distance": (400.0, "mm"),
            "instrument/beam/incident_energy": (22000.0, "eV"),
            "sample/name": "bone",
            "sample/rotation_angle": (np.array(ANGLES), "degree"),
        } | (changes or {})
        with h5py.File(path, "w") as file:
            for entry in entries:
                file.create_group(entry).attrs["NX_class"] = "NXentry"
                file[entry].create_group("instrument/detector").attrs["NX_class"] = "NXdetector"
                for name, item in tree.items():
                    if item is None:
                        continue
                    value, unit = item if isinstance(item, tuple) else (item, None)
                    file[entry][name] = value
                    if unit is not None:
                        file[entry][name].attrs["units"] = unit
        return path

    return write_entries


def opened(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def test_frames_are_sorted_by_kind_and_keep_their_place(make: Make) -> None:
    scan = opened(make())
    assert dict(scan.counts) == {"projection": 6, "flat": 3, "dark": 1, "alignment": 1, "invalid": 1}
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(1, 3)), FRAMES[PROJECTIONS, 1:3])
    assert scan.angles_deg.value.tolist() == [0, 30, 60, 90, 120, 150]
    assert scan.flats is not None
    assert scan.darks is not None
    assert scan.flats.position.tolist() == [-1, 2.5, 6]
    assert scan.darks.position.tolist() == [-1]
    np.testing.assert_array_equal(scan.flats.frames.read(np.array([1]), slice(None)), FRAMES[[5]])
    assert scan.pixel_m is not None
    assert scan.energy_kev is not None
    assert scan.distance_m is not None
    assert (scan.pixel_m.value, scan.energy_kev.value, scan.distance_m.value) == pytest.approx(
        (1.3e-6, 22, 0.4)
    )
    assert scan.warnings == scan.repaired == ()


def test_keys_as_floats_and_without_control(make: Make) -> None:
    key = np.array([0 if key == -1 else key for key in KEY], float)
    scan = opened(make({"instrument/detector/image_key_control": None, "instrument/detector/image_key": key}))
    assert scan.counts[FrameKind.PROJECTION] == 7


def test_unknown_keys_are_left_out_aloud(make: Make) -> None:
    key = np.array(KEY, float)
    key[2:4] = [17, np.nan]
    scan = opened(make({"instrument/detector/image_key_control": key}))
    assert scan.counts[FrameKind.INVALID] == 3
    assert any("2 frames have an unknown image_key, such as 17" in text for text in scan.warnings)


def test_pixel_at_the_sample_comes_before_the_detectors(make: Make) -> None:
    scan = opened(make({"sample/x_pixel_size": (0.65, "µm")}))
    assert scan.pixel_m is not None
    assert scan.pixel_m.value == pytest.approx(0.65e-6)


def test_a_length_without_a_unit_is_left_out_aloud(make: Make) -> None:
    scan = opened(make({"instrument/detector/x_pixel_size": 1.3}))
    assert scan.pixel_m is None
    assert "x_pixel_size was left out: 1.3 has no unit" in scan.warnings[0]


@pytest.mark.parametrize(
    ("angles", "unit", "expected", "said"),
    [
        (np.deg2rad(ANGLES), "rad", ANGLES, None),
        (np.deg2rad(ANGLES), None, ANGLES, "radians"),
        (np.deg2rad(ANGLES) + 292.18, None, np.array(ANGLES) + np.rad2deg(292.18), "radians"),
        (
            np.deg2rad(ANGLES) / 3,
            None,
            np.array(ANGLES) / 3,
            "since no number is above 2π: where it is degrees, open",
        ),
        (np.array(ANGLES), None, ANGLES, "degrees were taken"),
        (np.array(ANGLES) - 89.1, None, np.array(ANGLES) - 89.1, "degrees were taken"),
        (np.array(ANGLES), "bananas", ANGLES, "none of an angle"),
    ],
)
def test_angles_without_units(make: Make, angles: Any, unit: Any, expected: Any, said: str | None) -> None:
    scan = opened(make({"sample/rotation_angle": (angles, unit)}))
    np.testing.assert_allclose(scan.angles_deg.value, np.asarray(expected)[PROJECTIONS], rtol=1e-9, atol=1e-9)
    assert any(said in text for text in scan.repaired + scan.warnings) if said else not scan.warnings


def test_angles_of_projections_only_and_in_other_places(make: Make) -> None:
    angles = {"sample/rotation_angle": None, "data/rotation_angle": (np.arange(6.0) * 10, "degree")}
    assert opened(make(angles)).angles_deg.value.tolist() == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize(
    ("angles", "why"),
    [
        (None, "there is no rotation_angle in sample, data or detector; give 6 angles"),
        ((np.arange(5.0), "degree"), "5 angles for 6 projections"),
        ((np.zeros(12), "degree"), "all 6 angles are 0°"),
        ((np.full(12, np.nan), "degree"), "6 of 6 angles are no finite numbers"),
    ],
)
def test_angles_that_cannot_be_are_refused_unless_given(make: Make, angles: Any, why: str) -> None:
    path = make({"sample/rotation_angle": angles})
    with pytest.raises(FormatError, match=why):
        tm.open(path)
    assert opened(path, angles_deg=np.arange(6)).angles_deg.origin == "user"


def test_several_entries(make: Make) -> None:
    path = make(entries=("entry0000", "entry0001"))
    scan = opened(path)
    assert "/entry0000 was opened; the file holds 2 scans: /entry0000, /entry0001" in scan.warnings
    assert opened(path, entry="entry0001").angles_deg.source.startswith("scan.nx:/entry0001/")


def test_more_keys_than_frames_is_said(make: Make) -> None:
    scan = opened(make({"instrument/detector/data": FRAMES[:8]}))
    assert scan.counts[FrameKind.PROJECTION] == 5
    assert scan.angles_deg.value.tolist() == [0, 30, 60, 90, 120]
    assert any(
        "holds 8 frames, its image_key 12: only the first 8 are used" in text for text in scan.warnings
    )


def test_without_keys_it_is_no_scan(make: Make) -> None:
    path = make({"instrument/detector/image_key_control": None, "instrument/detector/image_key": None})
    with pytest.raises(
        FormatError, match="it has the definition NXtomo, but no detector with frames and an image_key"
    ):
        tm.open(path)


def test_axis_positions_new_and_old(make: Make) -> None:
    def axis(**change: float) -> float:
        scan = opened(make({f"instrument/detector/{name}": value for name, value in change.items()}))
        assert scan.axis_column is not None
        return scan.axis_column.value

    assert axis(x_rotation_axis_pixel_position=2.2) == 2.2
    assert axis(x_rotation_axis_pixel_position=0.0) == 0.0
    assert axis(estimated_cor_from_motor=3.1) == 3.1  # by its size a column of five
    assert axis(estimated_cor_from_motor=-0.4) == pytest.approx(1.6)  # by its sign an offset from the middle


@pytest.mark.parametrize(("said", "column"), [(0.0, 2.0), (-0.75, 1.25), (1.5, 3.5), (2.2, 2.2)])
def test_the_esrf_counts_the_axis_from_the_middle(make: Make, said: float, column: float) -> None:
    path = make({"instrument/detector/x_rotation_axis_pixel_position": said})
    with h5py.File(path, "a") as file:
        file["entry0000"].attrs["version"] = 2.1
    found = opened(path).axis_column
    assert found is not None
    assert found.value == column
    assert found.origin == ("read" if said == column else "derived")  # beyond the middle it can be no offset


def test_a_temperature_in_celsius_has_another_zero(make: Make) -> None:
    scan = opened(make({"sample/temperature": (25.0, "degC")}))
    assert scan.metadata["sample_temperature_k"].value == 298.15


def test_flips_are_told(make: Make) -> None:
    scan = opened(make({"instrument/detector/x_flipped": True, "instrument/detector/y_flipped": False}))
    assert scan.metadata["flip_left_right"].value is True
    assert "flip_up_down" not in scan.metadata
    assert any("left-right: they are shown mirrored back" in text for text in scan.repaired)


def test_flips_as_transformations(make: Make) -> None:
    path = make({"instrument/detector/transformations/rx": (180.0, "degree")})
    with h5py.File(path, "a") as file:
        turn = file["entry0000/instrument/detector/transformations/rx"]
        turn.attrs["transformation_type"] = "rotation"
        turn.attrs["vector"] = [1, 0, 0]
    scan = opened(path)
    assert scan.metadata["flip_up_down"].value is True
    assert "flip_left_right" not in scan.metadata


@pytest.mark.parametrize(
    ("axis", "turn", "said", "half"),
    [
        (0.6, 360.0, None, True),
        (0.6, 180.0, None, False),  # half a turn is never joined
        (2.0, 360.0, "Half", False),  # where the axis lies is known, and it is the middle
        (None, 360.0, "Half", True),
        (None, 360.0, "Full", False),
        (None, 360.0, None, False),
    ],
)
def test_a_half_acquisition_is_told_to_other_programs(
    make: Make, tmp_path: Path, axis: float | None, turn: float, said: str | None, half: bool
) -> None:
    scan = opened(make())
    count, _, columns = scan.shape
    scan = scan.with_geometry(
        angles_deg=Value(np.arange(count) * turn / count, "user", ""),
        axis_column=None if axis is None else Value(axis, "user", ""),
    )
    assert columns == 5
    if said is not None:
        scan = replace(scan, metadata={**scan.metadata, "field_of_view": Value(said, "read", "")})
    write(tmp_path / "x.nx", scan)
    with h5py.File(tmp_path / "x.nx") as file:
        detector = file["entry/instrument/detector"]
        assert ("field_of_view" in detector) == ("half_acquisition" in detector) == half
    again = opened(tmp_path / "x.nx")
    assert ("field_of_view" in again.metadata) == half
    if half:
        assert again.metadata["field_of_view"].value == "Half"
        assert again.metadata["half_acquisition"].value is True


def test_written_file_is_nexus(make: Make, tmp_path: Path) -> None:
    write(tmp_path / "x.nx", opened(make()), extra={"truth": {"axis_column": 3.0}})
    with h5py.File(tmp_path / "x.nx") as file:
        entry = file["entry"]
        assert entry.attrs["NX_class"] == "NXentry"
        assert entry["definition"][()] == b"NXtomo"
        assert entry["instrument/detector/image_key"][:].tolist() == [2, 1, 0, 0, 0, 1, 0, 0, 0, 1]
        assert entry["instrument/detector/image_key"].dtype.kind == "i"
        for name, place in (
            ("data", "instrument/detector/data"),
            ("image_key", "instrument/detector/image_key"),
            ("rotation_angle", "sample/rotation_angle"),
        ):
            assert entry["data"][name] == entry[place]
        assert entry["sample/rotation_angle"].attrs["units"] == "degree"
        assert entry["sample/rotation_angle"][:].tolist() == [0, 0, 0, 30, 60, 75, 90, 120, 150, 150]
        np.testing.assert_array_equal(entry["instrument/detector/data"][5], FRAMES[5])
        assert file["truth/axis_column"][()] == 3.0
