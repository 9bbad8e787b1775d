"""NeXus images: signal, axes and defaults by the manual's rules; units in SI; what does not fit is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tomarium as tm
from formats.beamline_makers import example_map, write_map
from tomarium.errors import FormatError, ParameterError
from tomarium.formats import recognise
from tomarium.formats.hdf5.axes import in_si, spaced
from tomarium.formats.opening.summary import describe
from tomarium.model import Axis, Image, Volume

Find = Callable[[str], Path]


def opened(path: Path, **given: Any) -> Image:
    image = tm.open(path, **given)
    assert isinstance(image, Image)
    return image


def units_of(image: Image) -> dict[str, str]:
    return {axis.name: axis.unit for axis in image.axes}


def test_a_map_has_axes_in_si(tmp_path: Path) -> None:
    image = opened(write_map(tmp_path / "x.nxs"))
    np.testing.assert_array_equal(image[:], example_map()[:])
    y, x, energy = image.axes
    assert (y.name, y.unit, y.scale, y.offset) == ("y", "m", pytest.approx(5e-6), pytest.approx(0.0136))
    assert (x.name, x.unit, x.scale, x.offset) == ("x", "m", pytest.approx(2e-6), pytest.approx(-0.00085))
    assert y.coordinates == x.coordinates == ()
    assert (energy.name, energy.unit) == ("energy", "keV")
    np.testing.assert_allclose(energy.coordinates, (np.arange(14.0) ** 2 + 7000) / 1000)
    assert image.unit == "counts"
    assert image.metadata["title"] == "a map"
    assert image.metadata["sample_name"] == "a leaf"
    assert "uncalibrated" not in image.metadata
    assert image.metadata["warnings"] == []


def test_described(tmp_path: Path) -> None:
    path = write_map(tmp_path / "x.nxs")
    told = describe(opened(path), recognise(path)[0])
    assert (told["kind"], told["format"], told["dialect"]) == ("image", "nexus-maps", "NXdata")
    assert told["entries"] == ["/entry/fluorescence"]
    assert told["axes"][2] == {
        "name": "energy", "length": 14, "unit": "keV", "scale": pytest.approx(0.013), "offset": 7.0,
        "first": 7.0, "last": pytest.approx(7.169), "even": False,
    }  # fmt: skip
    assert told["uncalibrated"] is False


def make(
    path: Path, axes: Any, more: dict[str, Any], shape: tuple[int, ...] = (5, 6), **attributes: Any
) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/plot")
        file["entry"].attrs["NX_class"] = "NXentry"
        group.attrs.update({"NX_class": "NXdata", "signal": "values"} | attributes)
        group["values"] = np.arange(np.prod(shape), dtype=float).reshape(shape)
        if axes is not None:
            group.attrs["axes"] = axes
        for name, values in more.items():
            group[name] = values
    return path


def test_edges_of_bins_become_their_middles(tmp_path: Path) -> None:
    image = opened(make(tmp_path / "x.h5", ["a", "b"], {"a": np.arange(6.0), "b": np.arange(7.0) * 2}))
    assert [(axis.offset, axis.scale) for axis in image.axes] == [(0.5, 1.0), (1.0, 2.0)]


def test_a_dot_and_a_missing_axis_are_counted(tmp_path: Path) -> None:
    image = opened(make(tmp_path / "x.h5", [".", "b"], {}))
    assert image.axes == (Axis("axis_0"), Axis("b"))
    assert image.metadata["uncalibrated"] is True
    assert any(
        "/entry/plot/b, an axis of /entry/plot, is not there" in text for text in image.metadata["warnings"]
    )


@pytest.mark.parametrize("spelling", ["a:b", "a,b", "[a, b]", "a b"])
def test_axes_in_one_text_and_the_marks_of_old(tmp_path: Path, spelling: str) -> None:
    values = {"a": np.arange(5.0), "b": np.arange(6.0)}
    old = make(tmp_path / "old.h5", None, values)
    with h5py.File(old, "a") as file:
        group = file["entry/plot"]
        del group.attrs["signal"]
        group["values"].attrs.update({"signal": 1, "axes": spelling})
    assert [axis.name for axis in opened(old).axes] == ["a", "b"]
    with h5py.File(old, "a") as file:
        group = file["entry/plot"]
        del group["values"].attrs["axes"]
        group["a"].attrs["axis"], group["b"].attrs["axis"] = 1, 2
    assert [axis.name for axis in opened(old).axes] == ["a", "b"]


@pytest.mark.parametrize("told", [True, False])
def test_positions_of_every_point_of_a_raster(tmp_path: Path, told: bool) -> None:
    y, x = np.meshgrid(np.arange(5) * 0.5, np.arange(6) * 0.25 + 3, indexing="ij")
    indices = {"x_indices": np.array([0, 1]), "y_indices": np.array([b"0", b"1"])} if told else {}
    path = make(tmp_path / "x.h5", ["y", "x"], {"y": y, "x": x}, **indices)
    assert [(axis.offset, axis.scale) for axis in opened(path).axes] == [(0.0, 0.5), (3.0, 0.25)]
    with h5py.File(path, "a") as file:
        file["entry/plot/x"][...] = x + 0.1 * np.arange(5)[:, None]  # a slanted raster is no axis
    image = opened(path)
    assert image.axes[1] == Axis("x")
    assert any("they do not fit" in text for text in image.metadata["warnings"])


def test_default_comes_first_and_every_entry_can_be_had(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        for number, name in enumerate(("one", "two", "three")):
            group = file.create_group(f"entry/{name}")
            group.attrs.update({"NX_class": "NXdata", "signal": "d", "axes": ["a"]})
            group["d"], group["a"] = np.full(4, number), np.arange(4.0)
        file.attrs["default"] = "entry"
        file["entry"].attrs["default"] = "two"
    assert opened(path)[0] == 1
    entries = recognise(path)[0][1].entries
    assert entries == ("/entry/two", "/entry/one", "/entry/three")
    assert [int(opened(path, entry=entry)[0]) for entry in entries] == [1, 0, 2]
    with pytest.raises(ParameterError, match="holds no scan called 'four'; it holds /entry/two, /entry/one"):
        tm.open(path, entry="four")


def test_z_y_x_is_a_volume(tmp_path: Path) -> None:
    values = {name: np.arange(n) * 0.5 for name, n in zip("zyx", (3, 4, 5), strict=True)}
    path = make(tmp_path / "x.h5", ["z", "y", "x"], values, shape=(3, 4, 5))
    with h5py.File(path, "a") as file:
        for name in "zyx":
            file[f"entry/plot/{name}"].attrs["units"] = "micron"
    volume = opened(path)
    assert isinstance(volume, Volume)
    assert volume.voxel_m == pytest.approx((5e-7, 5e-7, 5e-7))


def test_tomographies_are_left_to_their_readers(tmp_path: Path) -> None:
    path = make(tmp_path / "x.h5", ["a", "b"], {"a": np.arange(5.0), "b": np.arange(6.0)})
    with h5py.File(path, "a") as file:
        file["entry/definition"] = "NXtomoproc"
    with pytest.raises(FormatError, match=r"/entry/plot belongs to a tomography \(NXtomoproc\)"):
        tm.open(path)


@pytest.mark.parametrize(
    ("spelling", "factor", "unit"),
    [
        ("mm", 1e-3, "m"), ("Angstrom", 1e-10, "m"), ("eV", 1e-3, "keV"), ("degrees", 1.0, "deg"),
        ("mrad", 180e-3 / np.pi, "deg"), ("microseconds", 1e-6, "s"), ("counts", 1.0, "counts"), ("", 1.0, ""),
        ("pixel", 1.0, "px"), ("1/cm", 1.0, "1/cm"), ("K", 1.0, "K"), ("furlongs of cloth", 1.0, "furlongs of cloth"),
    ],
)  # fmt: skip
def test_units(spelling: str, factor: float, unit: str) -> None:
    assert in_si(spelling) == (pytest.approx(factor), unit)


@settings(max_examples=100, deadline=None)
@given(
    first=st.floats(-1e3, 1e3), step=st.floats(1e-3, 10) | st.floats(-10, -1e-3), count=st.integers(2, 40),
    off=st.integers(0, 39), by=st.floats(0.01, 3),
)  # fmt: skip
def test_even_positions_need_no_coordinates(
    first: float, step: float, count: int, off: int, by: float
) -> None:
    positions = first + step * np.arange(count)
    axis = spaced("a", positions, "m")
    assert axis.coordinates == ()
    np.testing.assert_allclose(axis.offset + axis.scale * np.arange(count), positions, rtol=1e-9, atol=1e-9)
    if count > 2:
        positions[off % count] += by * step
        uneven = spaced("a", positions, "m")
        assert uneven.coordinates == tuple(positions)


# What real files hold.


def test_multimodal(shared: Find) -> None:
    path = shared("nexus/savu_multimodal.nxs")
    form, match = recognise(path)[0]
    assert form.name == "nexus-maps"
    assert match.entries == tuple(f"/entry1/{name}_entry/data" for name in ("fluo", "stxm", "xrd"))
    stxm = opened(path, entry="/entry1/stxm_entry/data")
    assert stxm.shape == (52, 7, 101)
    theta, y, x = stxm.axes
    assert (theta.name, theta.unit, len(theta.coordinates)) == ("theta", "deg", 52)
    assert theta.coordinates[:3] == (-42.0, 63.0, -140.0)  # not sorted
    assert (y.unit, y.offset, y.scale) == ("m", pytest.approx(13.6e-3), pytest.approx(5e-6))
    assert (x.unit, x.offset, x.scale) == ("m", pytest.approx(-0.85e-3), pytest.approx(1.980198e-6))
    assert stxm.metadata["definition"] == "NXstxm"
    fluo = opened(path)
    assert fluo.shape == (2, 2, 2, 4096)
    assert units_of(fluo) == {"theta": "deg", "y": "px", "x": "px", "energy": ""}
    assert fluo.axes[3].scale == pytest.approx(0.01)
    assert sum("7 × 101 positions for 2 elements" in text for text in fluo.metadata["warnings"]) == 2
    xrd = opened(path, entry="entry1/xrd_entry/data")
    assert xrd.shape == (2, 2, 2, 100, 1000)
    assert units_of(xrd) == {"theta": "deg", "y": "m", "x": "m", "detector_y": "px", "detector_x": "px"}
    assert xrd.metadata["/entry1/xrd_entry/instrument/detector/distance"] == 0.165
    with h5py.File(path, "r", locking=False) as file:
        truth = file["entry1/xrd_entry/data/data"][1, 0, 1]
    np.testing.assert_array_equal(xrd[1, 0, 1], truth)


def test_a_single_sinogram_equals_its_row(shared: Find) -> None:
    image = opened(shared("nexus/stxm_single_sino.nxs"))
    assert units_of(image) == {"theta": "deg", "x": ""}
    stxm = opened(shared("nexus/savu_multimodal.nxs"), entry="/entry1/stxm_entry/data")
    np.testing.assert_array_equal(image[:], stxm[:, 6])
    assert image.axes[0].coordinates == stxm.axes[0].coordinates


def test_fluorescence(shared: Find) -> None:
    image = opened(shared("nexus/savu_fluo.nxs"))
    assert image.shape == (2, 2, 2, 4096)
    energy = image.axes[3]
    assert (energy.name, energy.unit, energy.scale, energy.offset) == (
        "energy",
        "keV",
        pytest.approx(0.02),
        0.0,
    )
    assert image.metadata["definition"] == "NXfluo"
    assert image.metadata["uncalibrated"] is True


def test_a_raster_that_lost_its_classes(shared: Find) -> None:
    path = shared("nexus/savu_i18.nxs")
    image = opened(path)
    assert image.shape == (2, 2, 10, 4096)
    assert [axis.name for axis in image.axes[:2]] == ["sc_sample_thetafine", "traj1ContiniousX"]
    assert [(axis.offset, axis.scale) for axis in image.axes[:2]] == [
        (-250.0, 2.0),
        (-1.18, pytest.approx(0.00495868)),
    ]
    match = recognise(path)[0][1]
    assert match.dialect == "raster without NeXus classes"
    for name in ("xspress3/AllElementSum", "xspress3/Ti_K", "raster_counterTimer01/I0"):
        assert f"/entry1/{name}" in match.entries
    assert opened(path, entry="/entry1/raster_counterTimer01/I0")[1, 1] == 56285.0


def test_neutrons_by_angle_and_time_of_flight(shared: Find) -> None:
    path = shared("nexus/chopper.nxs")
    image = opened(path)
    assert (image.shape, image.unit) == ((148, 750), "counts")
    assert units_of(image) == {"polar_angle": "deg", "time_of_flight": "s"}
    assert image.axes[1].offset == pytest.approx(1901e-6)  # the middle of the bin 1900 … 1902 µs
    assert len(image.axes[0].coordinates) == 148
    for name in ("nxtomo", "data-exchange"):
        with pytest.raises(FormatError, match="tomarium can read"):
            tm.open(path, as_format=name)
