"""Rows and columns binned by different numbers: a sphere keeps its volume and its shape in all that is made of it."""

import json
import math
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage

import tomarium as tm
from tomarium import formats
from tomarium.catalogue.make_record import make_record, repeat_record
from tomarium.catalogue.record_folder import read_record
from tomarium.cli import execute
from tomarium.conversion.convert import convert
from tomarium.errors import InputError, MissingData, ParameterError
from tomarium.model import Scan, Volume
from tomarium.pipeline.mesh.body import Wish
from tomarium.pipeline.mesh.make_mesh import make_mesh
from tomarium.portal.record_facts import voxel_words
from tomarium.viewers import look, slices
from tomarium.viewers.viewer import View

ROWS, COLUMNS, VIEWS = 96, 192, 96
PIXEL_M = 1e-6
RADIUS_M = 40e-6
CENTRE_M = (6e-6, -9e-6, 12e-6)  # z, y, x from the middle row and the axis
MU = 100.0  # 1/cm
VOXEL_M = (2e-6, 4e-6, 4e-6)
PROTOCOL = "steps: [{bin: {rows: 2, columns: 4}}, fbp]"
VOLUME_M3 = 4 / 3 * math.pi * RADIUS_M**3


def a_scan(pixel_m: float | None = PIXEL_M) -> Scan:
    """Line integrals through a sphere, from its equation."""
    theta = np.pi * np.arange(VIEWS) / VIEWS
    z = (np.arange(ROWS) - (ROWS - 1) / 2) * PIXEL_M - CENTRE_M[0]
    s = (np.arange(COLUMNS) - (COLUMNS - 1) / 2) * PIXEL_M
    middle = CENTRE_M[2] * np.cos(theta) - CENTRE_M[1] * np.sin(theta)
    across = s[None, None] - middle[:, None, None]
    chord = 2 * np.sqrt(np.clip(RADIUS_M**2 - z[None, :, None] ** 2 - across**2, 0, None))
    values = (100 * MU * chord).astype(np.float32)
    return tm.scan_of_arrays(
        values, np.degrees(theta), domain="attenuation", pixel_m=pixel_m, axis_column=(COLUMNS - 1) / 2
    )


@pytest.fixture(scope="module")
def scan() -> Scan:
    return a_scan()


@pytest.fixture(scope="module")
def folder(scan: Scan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder."""
    place = tmp_path_factory.mktemp("unequal") / "run"
    tm.reconstruct(scan, PROTOCOL, output=place)
    return place


@pytest.fixture(scope="module")
def volume(folder: Path) -> Volume:
    opened = formats.open(folder / "volume.ome.zarr")
    assert isinstance(opened, Volume)
    return opened


def is_the_sphere(volume: Volume) -> None:
    """Measure volume, extents and middle of what is above half of the sphere's value, in metres."""
    assert volume.voxel_m == pytest.approx(VOXEL_M, rel=1e-6)
    data = np.asarray(volume, np.float64)
    share = np.clip(data / MU, 0, 1)
    inside = share > 0.5
    assert np.median(data[inside]) == pytest.approx(MU, rel=0.02)
    assert share[np.abs(share) > 0.15].sum() * math.prod(VOXEL_M) == pytest.approx(VOLUME_M3, rel=0.03)
    for axis, size in enumerate(VOXEL_M):
        others = tuple(k for k in range(3) if k != axis)
        assert inside.any(axis=others).sum() * size == pytest.approx(2 * RADIUS_M, abs=1.5 * size)
        # A run counts y and x from the axis, z from the first row.
        places = volume.axes[axis].offset + size * np.arange(data.shape[axis])
        middle = (places * inside.sum(axis=others)).sum() / inside.sum()
        start = 0.0 if axis else (data.shape[0] - 1) / 2 * VOXEL_M[0]
        assert middle == pytest.approx(start + CENTRE_M[axis], abs=0.3 * size)


def test_the_volume_in_memory_and_on_disk_is_the_sphere(scan: Scan, volume: Volume, folder: Path) -> None:
    made = tm.reconstruct(scan, PROTOCOL)
    assert isinstance(made, Volume)
    is_the_sphere(made)
    is_the_sphere(volume)
    np.testing.assert_array_equal(made, volume)
    ome = json.loads((folder / "volume.ome.zarr" / "zarr.json").read_text())["attributes"]["ome"]
    [multiscale] = ome["multiscales"]
    for level, dataset in enumerate(multiscale["datasets"]):
        scale, moved = (one[one["type"]] for one in dataset["coordinateTransformations"])
        assert scale == pytest.approx([2.0 * 2**level, 4.0 * 2**level, 4.0 * 2**level])
        first = [axis.offset * 1e6 for axis in volume.axes]
        assert moved == pytest.approx(
            [a + (2**level - 1) / 2 * b for a, b in zip(first, (2, 4, 4), strict=True)]
        )
    told = json.loads((folder / "provenance.json").read_text())
    assert told["geometry"]["pixel_m"]["value"] == pytest.approx(4e-6)
    assert told["geometry"]["pixel_aspect"]["value"] == 0.5


@pytest.mark.parametrize("name", ["v.tif", "v.ome.tif", "v.nx", "v.mrc", "v.jp2", "v.ome.zarr"])
def test_every_file_of_a_volume_states_both_sizes(volume: Volume, tmp_path: Path, name: str) -> None:
    convert(volume, tmp_path / name, lossy=name == "v.jp2")
    again = formats.open(tmp_path / name)
    assert isinstance(again, Volume)
    assert again.voxel_m == pytest.approx(VOXEL_M, rel=1e-5)


def test_imagej_reads_both_sizes(volume: Volume, tmp_path: Path) -> None:
    convert(volume, tmp_path / "v.tif")
    with tifffile.TiffFile(tmp_path / "v.tif") as tif:
        assert tif.imagej_metadata is not None
        assert tif.imagej_metadata["spacing"] == pytest.approx(2.0)
        wide, high = (tif.pages[0].tags[f"{axis}Resolution"].value for axis in "XY")  # type: ignore[union-attr]
    assert wide[0] / wide[1] == pytest.approx(0.25)
    assert high[0] / high[1] == pytest.approx(0.25)


@pytest.mark.parametrize("ending", [".vol", ".raw"])
def test_what_holds_one_size_refuses_two(volume: Volume, tmp_path: Path, ending: str) -> None:
    with pytest.raises(InputError, match="one length for all"):
        convert(volume, tmp_path / f"v{ending}")


def test_a_mesh_is_as_high_as_wide(volume: Volume) -> None:
    pytest.importorskip("manifold3d")
    _, told = make_mesh(volume, Wish())
    assert told.length_unit == "mm"
    assert told.volume == pytest.approx(VOLUME_M3 * 1e9, rel=0.03)
    assert told.box == pytest.approx([2e3 * RADIUS_M] * 3, rel=0.03)


def test_a_print_is_as_high_as_wide(volume: Volume) -> None:
    pytest.importorskip("manifold3d")
    from tomarium.pipeline.mesh.print_body import PrintWish, print_body

    mesh = print_body(volume, Wish(), PrintWish(height_mm=8.0, wall_mm=1.2))[0]
    x, y, z = mesh.box_mm[1] - mesh.box_mm[0]
    assert z == pytest.approx(8.0, rel=0.02)
    assert (x, y) == pytest.approx((z, z), rel=0.04)


def sides_of(picture: bytes | NDArray[np.uint8]) -> tuple[float, float]:
    """Height and width of the largest bright thing in a picture."""
    grey = np.asarray(Pillow.open(BytesIO(picture)).convert("L")) if isinstance(picture, bytes) else picture
    parts, _ = ndimage.label(grey > 110)  # the scale bar and its words are others
    bright = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    return float(bright.sum(axis=0).max()), float(bright.sum(axis=1).max())


@pytest.mark.parametrize("along", ["y", "x"])
def test_a_slice_along_y_and_x_shows_a_circle(
    folder: Path, tmp_path: Path, along: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(folder / "volume.ome.zarr")
    at = str(round(23.5 + (CENTRE_M[1] if along == "y" else CENTRE_M[2]) / VOXEL_M[1]))
    assert execute(["slice", source, "--along", along, "--at", at, "-o", str(tmp_path / "a.png")]) == 0
    assert "pixel 4 µm × 2 µm" in capsys.readouterr().out
    high, wide = sides_of((tmp_path / "a.png").read_bytes())
    assert high / wide == pytest.approx(1, abs=0.08)
    assert execute(["slice", source, "--along", along, "-o", str(tmp_path / "a.tif")]) == 0
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        across, down = (tif.pages[0].tags[f"{axis}Resolution"].value for axis in "XY")  # type: ignore[union-attr]
    assert across[0] / across[1] == pytest.approx(0.25)
    assert down[0] / down[1] == pytest.approx(0.5)


@pytest.fixture(scope="module")
def record_folder(scan: Scan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a record of a file."""
    place = tmp_path_factory.mktemp("record")
    convert(scan, place / "s.h5", to="nxtomo")
    opened = tm.open(place / "s.h5", axis_column=(COLUMNS - 1) / 2)
    assert isinstance(opened, Scan)
    make_record(opened, tm.protocol(PROTOCOL), place / "record")
    return place / "record"


def test_a_record_states_both_sizes_and_its_run_is_repeated(record_folder: Path, tmp_path: Path) -> None:
    record = read_record(record_folder)
    assert record.volume["voxel_m"] == pytest.approx(VOXEL_M)
    assert record.parameters["pixel_m"].value == pytest.approx(4e-6)
    assert record.parameters["pixel_height_m"].value == pytest.approx(2e-6)
    assert voxel_words(record) == "4 µm × 4 µm × 2 µm"
    repeat_record(record_folder, None, tmp_path / "again")
    again = formats.open(tmp_path / "again" / "volume.ome.zarr")
    assert isinstance(again, Volume)
    is_the_sphere(again)


@pytest.mark.parametrize("plane", ["z", "y", "x"])
def test_a_page_shows_circles_and_measures_in_metres(record_folder: Path, plane: str) -> None:
    record = read_record(record_folder)
    at = round(23.5 + (CENTRE_M["zyx".index(plane)]) / VOXEL_M["zyx".index(plane)])
    high, wide = sides_of(
        slices.picture(record, record_folder, f"{plane}-{at}.png", {"low": "0", "high": "80"})
    )
    assert high / wide == pytest.approx(1, abs=0.08)
    cited = slices.picture(
        record, record_folder, f"{plane}-{at}.png", {"low": "0", "high": "80", "cite": "1"}
    )
    high, wide = sides_of(np.asarray(Pillow.open(BytesIO(cited)).convert("L"))[:-100])
    assert high / wide == pytest.approx(1, abs=0.08)
    line = slices.picture(record, record_folder, f"{plane}-{at}.json", {"line": "5,0,5,40"})
    down = 4e-6 if plane == "z" else 2e-6
    assert json.loads(line)["distance"][-1] == pytest.approx(40 * down)
    page = slices.render(record, View(record_folder, {}, lambda changes: "", str, lambda name, _: name))
    shape = record.volume["shape"]
    assert page.data["planes"]["z"]["position_m"] == pytest.approx(shape[0] // 2 * 2e-6)
    tall = shape[0] // 2 if plane != "z" else shape[1]
    assert (
        f'width="{shape[2]}" height="{tall}"' in re.split('data-plane="', page.html)[1 + "zyx".index(plane)]
    )


def test_the_look_in_three_dimensions_has_true_lengths(record_folder: Path) -> None:
    view = View(record_folder, {}, lambda changes: "", str, lambda name, _: name)
    extent = look.render(read_record(record_folder), view).data["extent"]
    shape = read_record(record_folder).volume["shape"]
    assert extent == pytest.approx([n * size for n, size in zip(shape, VOXEL_M, strict=True)])


def test_without_a_pixel_size_unequal_binning_is_refused() -> None:
    with pytest.raises(MissingData, match="give it with --pixel"):
        tm.reconstruct(a_scan(None), PROTOCOL)


def test_steps_that_take_pixels_for_squares_refuse_others(scan: Scan) -> None:
    protocol = "steps: [{bin: {rows: 2, columns: 4}}, correct_zernike_halo, fbp]"
    with pytest.raises(ParameterError, match=r"0\.5 times as high as wide"):
        tm.reconstruct(scan, protocol)


def test_skeletons_are_not_made_of_voxels_that_are_no_cubes(volume: Volume) -> None:
    from dataclasses import replace

    from tomarium.pipeline.measure.objects import measure_objects

    labels = replace(volume, data=(np.asarray(volume) > MU / 2).astype(np.uint8), levels=())
    with pytest.raises(InputError, match=r"as of cubes.*--cubes finest"):
        measure_objects(labels, skeletons=True)


@pytest.mark.parametrize("name", ["nxtomo", "data-exchange", "pyhst-par", "tiff"])
def test_files_of_scans_keep_the_height_of_a_pixel(scan: Scan, tmp_path: Path, name: str) -> None:
    view = tm.bin(scan, rows=2, columns=4)
    target = tmp_path / {"pyhst-par": "s.par", "tiff": "series"}.get(name, "s.h5")
    convert(view, target, to=name)
    again = tm.open(target)
    assert isinstance(again, Scan)
    assert again.geometry.voxel_m == pytest.approx(VOXEL_M)
