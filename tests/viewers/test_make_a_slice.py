"""The projections of a slice: what the pictures show, against the slice itself and tm.fbp."""

from __future__ import annotations

import io
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from PIL import Image

import tomarium as tm
from tomarium.catalogue import file_record, read_record
from tomarium.errors import ParameterError
from tomarium.model import Record
from tomarium.viewers.make_a_slice import MAKE_A_SLICE, VIEWS, for_script, one_slice, picture

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def tooth(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> tuple[Record, Path]:
    folder = tmp_path_factory.mktemp("records") / "tooth"
    make_volume(folder / "volume.ome.zarr", size=96)
    file_record(folder, title="Tooth", id="tooth")
    return read_record(folder), folder


def greys(content: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(io.BytesIO(content)), float)


def disc(size: int, part: float = 0.9) -> NDArray[np.bool_]:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.asarray(np.hypot(y, x) < part * size / 2)


def blocks(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values.reshape(24, 4, 24, 4).mean(axis=(1, 3)))


def test_the_slice_is_the_middle_one_of_the_volume(tooth: tuple[Record, Path]) -> None:
    record, folder = tooth
    one = one_slice(record, folder)
    stored = zarr.open_group(folder / "volume.ome.zarr", mode="r")["0"][36]
    assert one.index == 36 == record.volume["shape"][0] // 2
    inside = disc(96)
    np.testing.assert_array_equal(one.values[inside], stored[inside])
    assert not one.values[~disc(96, 1.0)].any()


def test_all_projections_give_the_slice_back_and_few_do_not(tooth: tuple[Record, Path]) -> None:
    one = one_slice(*tooth)
    inside, contrast = blocks(disc(96, 0.8).astype(float)) == 1, one.window[1] - one.window[0]
    smooth = tm.fbp(one.sinogram, one.angles_deg, 47.5, padding="zero")
    np.testing.assert_array_equal(one.back(VIEWS), smooth)
    errors = [
        float(np.sqrt(np.mean(blocks(one.back(count) - one.values)[inside] ** 2))) / contrast
        for count in (4, 16, 64, VIEWS)
    ]
    assert errors == sorted(errors, reverse=True)
    assert (
        errors[-1] < 0.01 < 0.1 < errors[0]
    )  # of means over 4 × 4 pixels: the filter's window takes finest noise


def test_the_mass_of_a_slice_stands_in_every_projection(tooth: tuple[Record, Path]) -> None:
    one = one_slice(*tooth)
    np.testing.assert_allclose(one.sinogram.sum(axis=1), one.values.sum(), rtol=2e-3)


def test_the_pictures_are_drawn_in_the_same_greys(tooth: tuple[Record, Path]) -> None:
    record, folder = tooth
    one = one_slice(record, folder)
    low, high = one.window
    for name, values in (("slice", one.values), ("of-16", one.back(16))):
        drawn = greys(picture(record, folder, f"{name}.png", {}))
        expected = np.clip((values - low) / (high - low), 0, 1) * 255
        assert np.abs(drawn - expected).max() <= 0.51
    assert greys(picture(record, folder, "sinogram.png", {})).shape == (VIEWS, 96)
    with pytest.raises(ParameterError, match=r"of-7\.png.*of-4\.png"):
        picture(record, folder, "of-7.png", {})


def test_the_script_is_given_the_numbers(tooth: tuple[Record, Path]) -> None:
    record, folder = tooth
    one, told = one_slice(record, folder), for_script(record, folder)
    steps = np.frombuffer(b64decode(told["sinogram"]), "<u2").reshape(VIEWS, told["columns"])
    values = told["low"] + steps * ((told["high"] - told["low"]) / 65535)
    np.testing.assert_allclose(values, one.sinogram, atol=(told["high"] - told["low"]) / 65535)
    assert told["axis_column"] == 47.5
    assert VIEWS * 256 * 2 * 4 / 3 < 300_000  # of the widest slice, as text in the page


@pytest.mark.parametrize(("shape", "size"), [((4, 40, 600), 200), ((2, 700, 500), 233), ((3, 9, 8), 9)])
def test_a_slice_of_any_shape_is_made_a_small_square(
    tmp_path: Path, shape: tuple[int, int, int], size: int
) -> None:
    record = record_of(tmp_path / "a", np.full(shape, 7, np.uint16), (1.0, 1.0, 1.0))
    one = one_slice(record, tmp_path / "a")
    assert MAKE_A_SLICE.shows(record)
    assert one.values.shape == (size, size)
    assert set(np.unique(one.values)) == {0, 7}


def test_what_cannot_be_projected_is_told(tmp_path: Path) -> None:
    assert not MAKE_A_SLICE.shows(record_of(tmp_path / "flat", np.ones((4, 9, 9), np.uint8), (1.0, 1.0, 2.0)))
    assert not MAKE_A_SLICE.shows(
        record_of(tmp_path / "small", np.ones((4, 9, 7), np.uint8), (1.0, 1.0, 1.0))
    )
    record = record_of(tmp_path / "empty", np.full((2, 9, 9), np.nan, np.float32), (1.0, 1.0, 1.0))
    told = for_script(record, tmp_path / "empty")
    assert not any(b64decode(told["sinogram"]))
    assert told["window"][0] < told["window"][1]


def record_of(folder: Path, values: NDArray[Any], voxel_um: tuple[float, float, float]) -> Record:
    root = zarr.open_group(folder / "volume.ome.zarr", mode="w", zarr_format=3)
    root.create_array("0", data=values)
    scale = [{"type": "scale", "scale": list(voxel_um)}]
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    file_record(folder, title="A", id="a")
    return read_record(folder)
