"""Neither a false "same" nor a false "differs"."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from conversion.scan_makers import open_scan
from tomarium.conversion.compare import compare
from tomarium.conversion.convert import convert
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Axis, Geometry, Image, Scan, Value, Volume

FRAMES = np.random.default_rng(6).integers(0, 60000, (5, 6, 7), np.uint16)


def scan(frames: NDArray[Any] = FRAMES, **metadata: Any) -> Scan:
    return Scan(
        path=Path("a.h5"),
        name="a",
        format="",
        dialect="",
        why="",
        projections=ArrayFrames(frames),
        geometry=Geometry(angles_deg=Value(np.arange(float(len(frames))), "read", "")),
        metadata={name: Value(value, "read", "") for name, value in metadata.items()},
    )


def image(*coordinates: float) -> Image:
    return Image(np.zeros(3), (Axis("energy", 1.0, 1.0, "keV", coordinates),), "", "v", None, {})


def differing(one: Scan | Image, other: Scan | Image) -> list[str]:
    return [finding.what for finding in compare(one, other).findings if not finding.same]


@pytest.mark.parametrize("whole", [2**53 + 1, 2**63 - 1, -(2**63), 0])
def test_integers_beyond_a_float_are_not_taken_for_it(whole: int) -> None:
    counts, real = np.full((1, 2, 2), whole, np.int64), np.full((1, 2, 2), float(whole))
    same = int(float(whole)) == whole
    for one, other in ((counts, real), (real, counts)):
        assert differing(scan(one), scan(other)) == ([] if same else ["projections"])


@pytest.mark.parametrize("real", [np.nan, np.inf, -np.inf, 0.5, 2.0**64, -1.0])
def test_reals_that_are_no_integer_differ_from_all(real: float) -> None:
    counts, other = np.full((1, 2, 2), 2**64 - 1, np.uint64), np.full((1, 2, 2), real)
    assert differing(scan(counts), scan(other)) == ["projections"]


def test_no_number_and_infinity_equal_themselves() -> None:
    frames = FRAMES.astype(np.float32)
    frames[0, 0, :3] = np.nan, np.inf, -np.inf
    one = scan(frames, temperature=np.array([np.nan, np.inf]), current=np.nan)
    assert differing(one, one) == []
    other = frames.copy()
    other[0, 0, 1] = -np.inf
    assert differing(one, replace(one, projections=ArrayFrames(other))) == ["projections"]


def test_numbers_in_lists_agree_as_numbers_do() -> None:
    one, other = np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2, 0.1 + 0.2])
    assert not np.array_equal(one, other)
    assert differing(scan(place=one), scan(place=other)) == []
    assert differing(scan(place=one), scan(place=one * (1 + 1e-6))) == ["place"]
    assert differing(scan(place=one), scan(place=one[:2])) == ["place"]


def test_coordinates_that_are_not_equally_spaced_are_compared() -> None:
    assert differing(image(1.0, 2.0, 4.0), image(1.0, 2.0, 4.0)) == []
    assert differing(image(1.0, 2.0, 4.0), image(1.0, 3.0, 4.0)) == ["axis.0"]
    assert differing(image(1.0, 2.0, 4.0), image()) == ["axis.0"]


def test_complex_values_are_compared(recwarn: pytest.WarningsRecorder) -> None:
    one = replace(image(), data=np.array([1, 1j, 2]))
    assert differing(one, replace(one, data=np.array([1, 1j, 2]))) == []
    assert differing(one, replace(one, data=np.array([1, -1j, 2]))) == ["values"]
    assert not recwarn.list


def volume(**changed: Any) -> Volume:
    axes = tuple(Axis(name, 2e-6, 0.0, "m") for name in "zyx")
    made = Volume(np.arange(24.0).reshape(2, 3, 4), axes, "1/cm", "v", None, {"run": {"by": "X", "at": 1}})
    return replace(made, **changed)


def test_volumes_are_the_same_whatever_else_is_told_of_them() -> None:
    moved = (volume().axes[0], Axis("y", 2e-6, -3e-6, "m"), volume().axes[2])
    other = volume(name="w", metadata={"run": {"by": "X", "at": 2}, "notes": ["b"]}, axes=moved)
    found = compare(volume(), other)
    assert found.same
    assert [one.what for one in found.notes] == ["axis.1", "run", "notes"]
    assert [one.detail for one in found.notes] == ["begins -3 µm apart", "in at", ""]
    assert compare(volume(), volume()).notes == ()
    for nothing in ([], {}, "", None):
        assert compare(volume(metadata={"notes": nothing}), volume(metadata={})).notes == ()


@pytest.mark.parametrize(
    ("what", "changed"),
    [
        ("values", {"data": np.arange(24.0).reshape(2, 3, 4) + 1e-12}),
        ("unit", {"unit": "1/px"}),
        ("axis.0", {"axes": (Axis("z", 2.1e-6, 0.0, "m"), *volume().axes[1:])}),
        ("axis.2", {"axes": (*volume().axes[:2], Axis("x", 2e-6, 0.0, "px"))}),
        ("shape", {"data": np.zeros((2, 3, 5))}),
    ],
)
def test_volumes_differ_in_voxels_axes_and_unit(what: str, changed: dict[str, Any]) -> None:
    assert differing(volume(), volume(**changed)) == [what]
    assert not compare(volume(), volume(**changed)).same


def test_a_shifted_energy_is_another_one() -> None:
    shifted = replace(image(), axes=(Axis("energy", 1.0, 1.5, "keV"),))
    assert not compare(image(), shifted).same


@pytest.mark.parametrize("to", ["nxtomo", "tiff", "edf", "pyhst-par"])
def test_what_a_format_demands_and_nobody_knew_is_no_difference(tmp_path: Path, to: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["exchange/data"], file["exchange/theta"] = FRAMES, np.arange(5.0)
    convert(open_scan(tmp_path / "a.h5"), tmp_path / "b", to=to)
    convert(open_scan(tmp_path / "b"), tmp_path / "c", to="nxtomo" if to != "nxtomo" else "tiff")
    for one, other in (("a.h5", "b"), ("b", "a.h5"), ("b", "c")):
        assert differing(open_scan(tmp_path / one), open_scan(tmp_path / other)) == []
