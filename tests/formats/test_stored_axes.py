"""Projections whose file does not say which axis is the angle: one sinogram, or a stack in any order."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

import tomarium as tm
from tomarium.errors import FormatError, ParameterError
from tomarium.formats import formats
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.opening.stored_axes import NAMES, ReorderedFrames, stored_axes
from tomarium.kernels.phantom import Ellipsoid, line_integrals
from tomarium.model import Axis, Image, Scan
from tomarium.pipeline.run.provenance import given_by_user

RNG = np.random.default_rng(11)
STACK = RNG.normal(size=(12, 5, 8)).astype(np.float32)
SINOGRAM = STACK[:, 2]
ANGLES = np.linspace(0, 165, 12)


def scan_of(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def pixels(scan: Scan) -> np.ndarray:
    return scan.projections.read(slice(None), slice(None))


def write_2d(path: Path, array: np.ndarray) -> dict[str, Any]:
    """Write an array in whichever way the name says, and return what opens it besides the angles."""
    kind = path.name
    if kind == "page.tif":
        tifffile.imwrite(path, array)
    elif kind == "array.mat":
        scipy.io.savemat(path, {"sinogram": array})
    elif kind == "image.mrc":
        axes = (Axis("y", 1e-9, 0.0, "m"), Axis("x", 1e-9, 0.0, "m"))
        formats()["mrc"].write(path, Image(array, axes))  # type: ignore[misc]
    else:
        chunks = (3, 4) if "chunks" in kind else None
        with h5py.File(path, "w") as file:
            file.create_dataset("sinogram", data=array, chunks=chunks, compression="gzip" if chunks else None)
        return {"data": "/sinogram"}
    return {}


KINDS = ["page.tif", "array.mat", "image.mrc", "plain.h5", "chunks.h5"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("how", ["seen", "said"])
def test_a_sinogram_either_way_round(tmp_path: Path, kind: str, turned: bool, how: str) -> None:
    opening = write_2d(tmp_path / kind, np.ascontiguousarray(SINOGRAM.T if turned else SINOGRAM))
    if how == "said":
        opening["axes"] = "column,angle" if turned else "angle, column"
    scan = scan_of(tmp_path / kind, angles_deg=ANGLES, **opening)
    assert scan.shape == (12, 1, 8)
    assert scan.counts["projection"] == 12
    np.testing.assert_array_equal(pixels(scan)[:, 0], SINOGRAM)
    for some in (slice(1, 9, 3), np.array([7, 0, 7]), np.array([], int)):
        for rows in (slice(None), slice(0, 0)):
            np.testing.assert_array_equal(scan.projections.read(some, rows), SINOGRAM[some][:, None][:, rows])
    np.testing.assert_array_equal(scan.projections[3, 0, 2:5], SINOGRAM[3, 2:5])
    assert any("columns of 12 angles" in said for said in scan.repaired) == (turned and how == "seen")
    read, unpacked = scan.projections.cost(12, slice(None))
    assert read > 0
    assert unpacked >= 0


def square_sinogram(views: int, seed: int) -> np.ndarray:
    """A body with inclusions in a field of as many columns as there are views."""
    draw = np.random.default_rng(seed)
    things = [Ellipsoid((0, *draw.uniform(-4, 4, 2)), (1e6, 24, 18), 0.02, (draw.uniform(0, 180), 0, 0))]
    things += [Ellipsoid((0, *draw.uniform(-9, 9, 2)), (1e6, 4, 3), 0.03) for _ in range(4)]
    angles = np.arange(views) * 180 / views
    made = line_integrals(things, angles, np.zeros(1), np.arange(views) - (views - 1) / 2)[:, 0]
    return np.asarray(made + draw.normal(0, 0.05, made.shape), np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("counts", [False, True])
def test_a_square_sinogram_is_known_by_its_values(tmp_path: Path, kind: str, counts: bool) -> None:
    for seed in range(3):
        square = square_sinogram(64, seed)
        if counts:
            square = (1000 * np.exp(-square)).astype(np.uint16)
        for name, array in (("usual", square), ("turned", np.ascontiguousarray(square.T))):
            folder = tmp_path / f"{name}{seed}"
            folder.mkdir()
            opening = write_2d(folder / kind, array)
            scan = scan_of(folder / kind, angles_deg=np.arange(64) * 180 / 64, **opening)
            np.testing.assert_array_equal(pixels(scan)[:, 0], square)
            assert any("taken as (column, angle)" in one for one in scan.repaired) == (name == "turned")


@pytest.mark.parametrize("kind", KINDS)
def test_a_square_whose_values_do_not_tell_is_asked_about(tmp_path: Path, kind: str) -> None:
    square = RNG.normal(size=(12, 12)).astype(np.float32)
    opening = write_2d(tmp_path / kind, square)
    with pytest.raises(ParameterError, match=r"12 × 12, so either axis .*say --axes angle,column where"):
        tm.open(tmp_path / kind, angles_deg=ANGLES, **opening)
    for axes, expected in (("angle,column", square), ("column,angle", square.T)):
        scan = scan_of(tmp_path / kind, angles_deg=ANGLES, axes=axes, **opening)
        np.testing.assert_array_equal(pixels(scan)[:, 0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_angles_that_fit_no_axis(tmp_path: Path, kind: str) -> None:
    opening = write_2d(tmp_path / kind, SINOGRAM)
    with pytest.raises(FormatError, match=r"is 12 × 8, but 11 angles were given; .* give 12 or 8"):
        tm.open(tmp_path / kind, angles_deg=np.arange(11.0), **opening)
    with pytest.raises(FormatError, match="12 angles for 8 projections"):
        tm.open(tmp_path / kind, angles_deg=ANGLES, axes="column,angle", **opening)


@pytest.mark.parametrize(
    "axes", ["angle", "angle,row", "angle,angle", "row,angle,column", "", "x,y", "column;angle"]
)
def test_axes_that_cannot_be_are_refused(tmp_path: Path, axes: str) -> None:
    for kind in KINDS:
        opening = write_2d(tmp_path / kind, SINOGRAM)
        with pytest.raises(ParameterError, match=r"name each of angle, column once, .* such as column,angle"):
            tm.open(tmp_path / kind, angles_deg=ANGLES, axes=axes, **opening)


@pytest.mark.parametrize("name", ["x_angles.txt", "x.angles.txt", "x.txt", "angles.txt"])
@pytest.mark.parametrize("turned", [False, True])
def test_angles_beside_a_sinogram(tmp_path: Path, name: str, turned: bool) -> None:
    tifffile.imwrite(tmp_path / "x.tif", SINOGRAM.T if turned else SINOGRAM)
    (tmp_path / name).write_text("# degrees\n" + "\n".join(map(str, ANGLES)))
    scan = scan_of(tmp_path / "x.tif")
    assert (scan.angles_deg.origin, scan.angles_deg.source) == ("read", name)
    np.testing.assert_array_equal(scan.angles_deg.value, ANGLES)
    np.testing.assert_array_equal(pixels(scan)[:, 0], SINOGRAM)
    assert scan_of(tmp_path / "x.tif", angles="0:10:12").angles_deg.origin == "user"


def test_the_angles_named_for_a_file_go_first(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", SINOGRAM)
    for number, name in enumerate(("x.angles.txt", "x_angles.txt", "x.txt", "angles.txt")):
        (tmp_path / name).write_text("\n".join(map(str, ANGLES + number)))
    for number, name in enumerate(("x.angles.txt", "x_angles.txt", "x.txt", "angles.txt")):
        assert scan_of(tmp_path / "x.tif").angles_deg.value[0] == number
        (tmp_path / name).unlink()


@pytest.mark.parametrize("text", ["taken on Monday\n", "1 2 3\n", ""])
def test_a_note_beside_it_is_no_list_of_angles(tmp_path: Path, text: str) -> None:
    tifffile.imwrite(tmp_path / "x.tif", SINOGRAM)
    for name in ("x.txt", "angles.txt"):
        (tmp_path / name).write_text(text)
    assert isinstance(tm.open(tmp_path / "x.tif"), Image), "without angles it is a picture"
    (tmp_path / "x_angles.txt").write_text("ninety\n")
    with pytest.raises(FormatError, match=r"x_angles\.txt: line 1 is 'ninety'"):
        tm.open(tmp_path / "x.tif")


def test_without_angles_the_axes_tell_how_many_are_wanted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", SINOGRAM)
    with pytest.raises(FormatError, match="give 8 angles as angles_deg"):
        tm.open(tmp_path / "x.tif", axes="column,angle")


def test_an_image_of_another_format_has_its_angles_beside_it(tmp_path: Path) -> None:
    write_2d(tmp_path / "image.mrc", SINOGRAM)
    assert isinstance(tm.open(tmp_path / "image.mrc"), Image)
    (tmp_path / "angles.txt").write_text("\n".join(map(str, ANGLES)))
    assert isinstance(tm.open(tmp_path / "image.mrc"), Image), "it may be a picture"
    (tmp_path / "image_angles.txt").write_text("\n".join(map(str, ANGLES)))
    scan = scan_of(tmp_path / "image.mrc")
    assert scan.angles_deg.source == "image_angles.txt"
    np.testing.assert_array_equal(pixels(scan)[:, 0], SINOGRAM)


ORDERS = list(permutations(NAMES))


@pytest.mark.parametrize("order", ORDERS, ids=",".join)
@pytest.mark.parametrize("kind", ["stack.tif", "stack.h5", "volume.mrc"])
def test_a_stack_in_any_order(tmp_path: Path, order: tuple[str, ...], kind: str) -> None:
    array = np.ascontiguousarray(STACK.transpose([NAMES.index(name) for name in order]))
    opening: dict[str, Any] = {}
    if kind == "stack.tif":
        tifffile.imwrite(tmp_path / kind, array, photometric="minisblack")
    elif kind == "stack.h5":
        with h5py.File(tmp_path / kind, "w") as file:
            file["a"] = array
        opening["data"] = "/a"
    else:
        axes = tuple(Axis(name, 1e-9, 0.0, "m") for name in "zyx")
        formats()["mrc"].write(tmp_path / kind, tm.Volume(array, axes))  # type: ignore[misc]
    scan = scan_of(tmp_path / kind, angles_deg=ANGLES, axes=",".join(order), **opening)
    assert scan.shape == STACK.shape
    np.testing.assert_array_equal(pixels(scan), STACK)
    for some in (slice(2, 7), slice(None, None, 5), np.array([9, 0, 4, 4]), np.array([], int)):
        for rows in (slice(1, 3), slice(0, 5, 2), slice(2, 2), slice(None)):
            np.testing.assert_array_equal(scan.projections.read(some, rows), STACK[some][:, rows])
    assert scan.metadata["opened_axes"].value == ",".join(order)


def test_a_stack_of_sinograms_is_asked_for(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", STACK.transpose(1, 0, 2), photometric="minisblack")
    with pytest.raises(FormatError, match=r"12 angles for 5 projections; .* say --axes row,angle,column"):
        tm.open(tmp_path / "s.tif", angles="0:165:12")
    scan = scan_of(tmp_path / "s.tif", angles="0:165:12", axes="row,angle,column")
    np.testing.assert_array_equal(pixels(scan), STACK)
    assert not any("assumed" in said for said in scan.warnings)
    assumed = scan_of(tmp_path / "s.tif", axes="row,angle,column")
    np.testing.assert_array_equal(assumed.angles_deg.value, np.arange(12) * 15.0)


def test_only_what_is_asked_for_is_read_of_a_stack_in_another_order() -> None:
    class Watched(ArrayFrames):
        def read(self, frames: Any, rows: slice) -> Any:
            part = super().read(frames, rows)
            sizes.append(part.shape)
            return part

    sizes: list[tuple[int, ...]] = []
    stored = Watched(np.ascontiguousarray(STACK.transpose(1, 0, 2)))
    frames = ReorderedFrames(stored, ("row", "angle", "column"))
    frames.read(slice(None), slice(1, 3))
    frames.read(slice(4, 6), slice(0, 1))
    assert sizes == [(2, 12, 8), (1, 2, 8)]


def test_formats_that_say_their_axes_take_no_others(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["exchange/data"], file["exchange/theta"] = STACK, ANGLES
    with pytest.raises(ParameterError, match="data-exchange says itself which axis is which"):
        tm.open(tmp_path / "x.h5", axes="row,angle,column")
    axes = tuple(Axis(name, 1e-9, 0.0, "m") for name in "zyx")
    formats()["mrc"].write(tmp_path / "v.mrc", tm.Volume(STACK, axes))  # type: ignore[misc]
    with pytest.raises(ParameterError, match=r"is an image, .* give its angles too"):
        tm.open(tmp_path / "v.mrc", axes="row,angle,column")


def test_frames_with_flats_are_in_order(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for number, frame in enumerate(STACK):
        tifffile.imwrite(tmp_path / "s" / f"raw_{number:03d}.tif", frame)
    tifffile.imwrite(tmp_path / "s" / "flat_000.tif", STACK[0])
    with pytest.raises(ParameterError, match="flats or darks are stored as frames of 5 rows"):
        tm.open(tmp_path / "s", angles_deg=np.arange(5.0), axes="row,angle,column")
    with pytest.raises(FormatError, match="5 angles for 12 projections"):
        tm.open(tmp_path / "s", angles_deg=np.arange(5.0))


def test_a_truncated_scan_is_not_taken_for_sinograms(tmp_path: Path) -> None:
    """Its own angles are as many as its rows, and more than its frames: that is said, and nothing is turned."""
    (tmp_path / "s").mkdir()
    for number, frame in enumerate(STACK[:4]):
        tifffile.imwrite(tmp_path / "s" / f"p_{number:03d}.tif", frame)
    np.savetxt(tmp_path / "s" / "angles.txt", np.arange(5.0))
    with pytest.raises(FormatError, match="5 angles for 4 projections"):
        tm.open(tmp_path / "s")


def test_named_data_take_angles_of_every_frame_or_of_the_projections(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "any.h5", "w") as file:
        file["frames"], file["key"] = STACK, np.r_[[1, 2], np.zeros(10, int)]
    for count in (12, 10):
        scan = scan_of(
            tmp_path / "any.h5", data="/frames", image_key="/key", angles_deg=np.arange(float(count))
        )
        assert scan.angles_deg.value.tolist() == list(range(count - 10, count))
        assert scan.angles_deg.origin == "user"


def test_an_image_takes_angles_and_flats_from_elsewhere(tmp_path: Path) -> None:
    axes = tuple(Axis(name, 1e-9, 0.0, "m") for name in "zyx")
    formats()["mrc"].write(tmp_path / "v.mrc", tm.Volume(STACK, axes))  # type: ignore[misc]
    with h5py.File(tmp_path / "more.h5", "w") as file:
        file["theta"], file["white"] = np.deg2rad(ANGLES), STACK[:2]
        file["theta"].attrs["units"] = "rad"
    scan = scan_of(tmp_path / "v.mrc", angles="more.h5:/theta", flats="more.h5:/white")
    np.testing.assert_allclose(scan.angles_deg.value, ANGLES)
    assert scan.flats is not None
    np.testing.assert_array_equal(scan.flats.frames[:], STACK[:2])
    again = scan_of(tmp_path / "v.mrc", **{**given_by_user(scan), "flats": "more.h5:/white"})
    np.testing.assert_array_equal(again.angles_deg.value, scan.angles_deg.value)


def unread() -> np.ndarray:
    raise AssertionError("the values are read where the lengths tell the axes")


def test_what_is_said_of_axes_is_kept_apart_from_what_is_seen() -> None:
    assert stored_axes((12, 8), None, None, "x", values=unread).axes == ("angle", "column")
    assert stored_axes((12, 8), 8, None, "x", values=unread).order == (1, -1, 0)
    assert stored_axes((5, 12, 8), 12, None, "x", values=unread, sinograms=True).order == (1, 0, 2)
    assert stored_axes((12, 12, 8), 12, None, "x", values=unread) == stored_axes(
        (12, 5, 8), 12, None, "x", values=unread
    )


def test_the_angles_of_a_series_are_not_those_of_one_file(tmp_path: Path) -> None:
    for name in range(12):
        tifffile.imwrite(tmp_path / f"x{name}.tif", SINOGRAM)
    (tmp_path / "angles.txt").write_text("\n".join(map(str, ANGLES)))
    assert isinstance(tm.open(tmp_path / "x3.tif"), Image)
