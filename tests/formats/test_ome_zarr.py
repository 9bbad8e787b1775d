"""OME-Zarr: the pyramid, its metadata, interruption and resumption."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from ome_zarr_models.v04.image import Image as OldModelImage
from ome_zarr_models.v05.image import Image as ModelImage

import tomarium as tm
from tomarium.errors import FormatError, InputError, StorageFull
from tomarium.formats import recognise
from tomarium.formats.zarr.levels import halved
from tomarium.formats.zarr.reader import create, open_writer, write
from tomarium.formats.zarr.writer import VolumeWriter
from tomarium.model import Axis, Volume

DATA = np.random.default_rng(1).normal(size=(90, 300, 70)).astype(np.float32)


def begin(path: Path, data: np.ndarray = DATA, slab_rows: int = 16, **more: Any) -> VolumeWriter:
    given: dict[str, Any] = {"voxel_m": 0.65e-6, "unit": "1/cm", "name": "bone"} | more
    return create(path, data.shape, data.dtype, slab_rows=slab_rows, **given)


def fill(writer: VolumeWriter, data: np.ndarray = DATA) -> None:
    for z in range(0, data.shape[0], writer.slab_rows):
        writer.write(z, data[z : z + writer.slab_rows])


def opened(path: Path) -> Volume:
    volume = tm.open(path)
    assert isinstance(volume, Volume)
    return volume


def test_writes_what_others_call_valid_and_reads_it_back(tmp_path: Path) -> None:
    path = tmp_path / "v.zarr"
    writer = begin(path, origin_m=(1e-3, 2e-3, 3e-3), attributes={"source": "tooth.h5"})
    fill(writer)
    writer.finish()
    model = ModelImage.from_zarr(zarr.open_group(path, mode="r")).attributes.ome
    (multiscale,) = model.multiscales
    assert [axis.name for axis in multiscale.axes] == ["z", "y", "x"]
    assert {axis.unit for axis in multiscale.axes} == {"micrometer"}
    volume = opened(path)
    assert [level.shape for level in volume.levels] == [
        (90, 300, 70),
        (45, 150, 35),
        (23, 75, 18),
        (12, 38, 9),
    ]
    np.testing.assert_array_equal(volume[:], DATA)
    np.testing.assert_array_equal(volume[40], DATA[40])
    np.testing.assert_array_equal(np.asarray(volume)[:, 10, 5:9], DATA[:, 10, 5:9])
    assert volume.voxel_m == pytest.approx((0.65e-6,) * 3)
    assert [axis.offset for axis in volume.axes] == pytest.approx([1e-3, 2e-3, 3e-3])
    assert (volume.unit, volume.name, volume.metadata["source"]) == ("1/cm", "bone", "tooth.h5")
    assert not (path / ".partial").exists()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_a_killed_process_was_writing_is_not_in_the_finished_volume(
    tmp_path: Path, version: str
) -> None:
    writer = begin(tmp_path / "v.zarr", version=version)
    fill(writer)
    left = [
        file.with_name(f"{file.name}.4711-1.partial")
        for level in ("0", "1")
        for file in list((tmp_path / "v.zarr" / level).rglob("0"))
        if file.is_file()
    ]
    assert left
    for file in left:
        file.write_bytes(b"half of it")
    writer.finish()
    assert not list(tmp_path.rglob("*.partial"))


def test_version_0_4_is_the_same_volume_for_older_programs(tmp_path: Path) -> None:
    for version in ("0.4", "0.5"):
        writer = begin(tmp_path / version, origin_m=(1e-3, 2e-3, 3e-3), version=version)
        fill(writer)
        writer.finish()
    old, new = opened(tmp_path / "0.4"), opened(tmp_path / "0.5")
    model = OldModelImage.from_zarr(zarr.open_group(tmp_path / "0.4", mode="r")).attributes
    assert {axis.unit for axis in model.multiscales[0].axes} == {"micrometer"}
    assert not list((tmp_path / "0.4").rglob("zarr.json"))
    assert zarr.open_array(tmp_path / "0.4" / "0").metadata.zarr_format == 2
    assert (old.axes, old.unit, old.name) == (new.axes, new.unit, new.name)
    for one, other in zip(old.levels, new.levels, strict=True):
        np.testing.assert_array_equal(one[:], other[:])
        assert one.chunks == other.chunks


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_absent_file_of_voxels_is_told(tmp_path: Path, version: str) -> None:
    writer = begin(tmp_path / "v.zarr", version=version)
    fill(writer)
    writer.finish()
    assert recognise(tmp_path / "v.zarr")[0][1].dialect == version
    file = next(
        file for file in (tmp_path / "v.zarr" / "0").rglob("*") if file.name.isdigit() and file.is_file()
    )
    file.unlink()
    with pytest.raises(FormatError, match="copy the volume again"):
        opened(tmp_path / "v.zarr")[:]


@pytest.mark.parametrize("kind", ["u1", "i2", "f2", "f8"])
def test_zarr_python_reads_and_writes_the_same(tmp_path: Path, kind: str) -> None:
    """Odd sizes, empty chunks and negative zeros, in both versions."""
    random = np.random.default_rng(5)
    data = (random.integers(0, 9, (37, 130, 71)) * (random.random((37, 130, 71)) < 0.5)).astype(kind)
    data[:16, :64] = 0
    if data.dtype.kind == "f":
        data[20, 70, 30] = np.nan
    for version in ("0.4", "0.5"):
        writer = create(
            tmp_path / version,
            data.shape,
            kind,
            voxel_m=1e-6,
            slab_rows=16,
            unit="",
            name="",
            version=version,
        )
        for z0 in (16, 0, 32):
            writer.write(z0, data[z0 : z0 + 16])
        writer.write(16, data[16:32])
        writer.finish()
        array = zarr.open_array(tmp_path / version / "0", mode="r+")
        np.testing.assert_array_equal(array[:], data)
        array[:] = data[::-1]
        np.testing.assert_array_equal(opened(tmp_path / version)[:], data[::-1])


def test_levels_lie_over_each_other(tmp_path: Path) -> None:
    """The coordinate of a level's voxel is the mean of those it stands for."""
    writer = begin(tmp_path / "v.zarr", origin_m=(1e-3, 0.0, -1e-3))
    fill(writer)
    writer.finish()
    attributes = json.loads((tmp_path / "v.zarr" / "zarr.json").read_text())["attributes"]
    for k, dataset in enumerate(attributes["ome"]["multiscales"][0]["datasets"]):
        scale, translation = (one[one["type"]] for one in dataset["coordinateTransformations"])
        assert scale == pytest.approx([0.65 * 2**k] * 3)
        covered = 0.65 * np.arange(2**k)
        assert translation == pytest.approx(np.array([1e3, 0, -1e3]) + covered.mean())


def test_the_pyramid_is_the_mean_of_two_by_two_by_two(tmp_path: Path) -> None:
    data = np.random.default_rng(2).integers(0, 65535, (32, 520, 16), np.uint16)
    writer = begin(tmp_path / "v.zarr", data, slab_rows=8)
    assert writer.levels == 4
    fill(writer, data)
    writer.finish()
    levels = opened(tmp_path / "v.zarr").levels
    mean = data.reshape(16, 2, 260, 2, 8, 2).mean(axis=(1, 3, 5))
    np.testing.assert_array_equal(levels[1][:], np.rint(mean).astype(np.uint16))
    expected = halved(np.asarray(levels[1][:]))
    np.testing.assert_array_equal(levels[2][:], expected)


@given(arrays(np.float64, array_shapes(min_dims=3, max_dims=3, max_side=7), elements=st.floats(-1e6, 1e6)))
@settings(deadline=None)
def test_halving_keeps_bounds_and_handles_odd_lengths(block: np.ndarray) -> None:
    small = halved(block)
    assert small.shape == tuple(-(-length // 2) for length in block.shape)
    assert small.min() >= block.min() - 1e-6
    assert small.max() <= block.max() + 1e-6
    if all(length % 2 == 0 for length in block.shape):
        assert small.mean() == pytest.approx(block.mean(), abs=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "u4", "f2", "f4", "f8"])
def test_halving_a_constant_changes_nothing(dtype: str) -> None:
    most = np.finfo(dtype).max / 4 if dtype[0] == "f" else np.iinfo(dtype).max
    block = np.full((4, 5, 6), most, dtype)
    small = halved(block)
    assert small.dtype == block.dtype
    np.testing.assert_array_equal(small, np.full((2, 3, 3), most, dtype))


def test_nan_stays_nan(tmp_path: Path) -> None:
    data = np.ones((4, 300, 8), np.float32)
    data[1, 1, 1] = np.nan
    writer = begin(tmp_path / "v.zarr", data, slab_rows=4)
    fill(writer, data)
    writer.finish()
    levels = opened(tmp_path / "v.zarr").levels
    np.testing.assert_array_equal(levels[0][:], data)
    assert np.isnan(levels[1][0, 0, 0])
    assert np.isnan(levels[1][:]).sum() == 1


def test_without_a_voxel_size_there_is_no_unit(tmp_path: Path) -> None:
    writer = begin(tmp_path / "v.zarr", voxel_m=None)
    fill(writer)
    writer.finish()
    volume = opened(tmp_path / "v.zarr")
    assert volume.voxel_m is None
    assert [(axis.scale, axis.unit) for axis in volume.axes] == [(1.0, "px")] * 3
    ModelImage.from_zarr(zarr.open_group(tmp_path / "v.zarr", mode="r"))


def test_an_unfinished_volume_says_so_and_can_be_resumed(tmp_path: Path) -> None:
    path = tmp_path / "v.zarr"
    writer = begin(path)
    for z in (32, 0):
        writer.write(z, DATA[z : z + 16])
    with pytest.raises(InputError, match="4 of 6 slabs are not written, the first at slice 16"):
        writer.finish()
    with pytest.raises(FormatError, match="is unfinished, 2 of 6 slabs are written; resume the run"):
        tm.open(path)
    with pytest.raises(FormatError, match="exists already; resume it"):
        begin(path)
    kept = {file: file.stat().st_mtime_ns for file in path.glob("0/c/*/*/*")}
    again = open_writer(path)
    assert again.done() == (0, 32)
    assert (again.shape, again.dtype, again.slab_rows) == (DATA.shape, DATA.dtype, 16)
    for z in range(0, 90, 16):
        if z not in again.done():
            again.write(z, DATA[z : z + 16])
    again.finish()
    np.testing.assert_array_equal(opened(path)[:], DATA)
    assert all(file.stat().st_mtime_ns == when for file, when in kept.items())
    with pytest.raises(FormatError, match="is finished already; there is nothing to resume"):
        open_writer(path)
    with pytest.raises(FormatError, match="holds no volume"):
        open_writer(tmp_path)


def test_no_shard_belongs_to_two_slabs(tmp_path: Path) -> None:
    data = np.random.default_rng(2).normal(size=(64, 600, 20)).astype(np.float32)
    writer = begin(tmp_path / "v.zarr", data, slab_rows=16)
    assert writer.levels == 5
    seen: set[Path] = set()
    for z in (48, 0, 16, 32):
        writer.write(z, data[z : z + 16])
        new = set((tmp_path / "v.zarr").glob("*/c/*/*/*")) - seen
        assert {file.relative_to(tmp_path / "v.zarr").parts[2] for file in new} == {str(z // 16)}
        seen |= new


def test_slabs_may_be_written_by_threads_in_any_order(tmp_path: Path) -> None:
    writer = begin(tmp_path / "v.zarr")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda z: writer.write(z, DATA[z : z + 16]), [80, 0, 48, 16, 64, 32]))
    writer.finish()
    volume = opened(tmp_path / "v.zarr")
    np.testing.assert_array_equal(volume[:], DATA)
    np.testing.assert_array_equal(volume.levels[1][0:8], halved(DATA[:16]))


def test_zeros_are_zeros_and_absent_shards_are_not(tmp_path: Path) -> None:
    data = np.zeros((8, 9, 10), np.float32)
    data[4] = 1
    writer = begin(tmp_path / "v.zarr", data, slab_rows=4)
    fill(writer, data)
    writer.finish()
    np.testing.assert_array_equal(opened(tmp_path / "v.zarr")[:], data)
    (shard,) = list((tmp_path / "v.zarr").glob("0/c/1/*/*"))
    shard.unlink()
    with pytest.raises(FormatError, match="holds 0 of 1 shards"):
        opened(tmp_path / "v.zarr")[:]


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    writer = begin(tmp_path / "v.zarr", slab_rows=90)
    fill(writer)
    writer.finish()
    (shard,) = list((tmp_path / "v.zarr").glob("0/c/*/*/*"))
    content = bytearray(shard.read_bytes())
    for place in range(1000, len(content), len(content) // 5):
        content[place] ^= 1
        shard.write_bytes(content)
        with pytest.raises(FormatError, match="chunks are damaged"):
            opened(tmp_path / "v.zarr")[:]
        content[place] ^= 1


def test_a_volume_lower_than_its_slabs(tmp_path: Path) -> None:
    data = DATA[:3]
    writer = begin(tmp_path / "v.zarr", data, slab_rows=64)
    writer.write(0, data)
    writer.finish()
    assert [level.shape for level in opened(tmp_path / "v.zarr").levels] == [
        (3, 300, 70),
        (2, 150, 35),
        (1, 75, 18),
    ]


@pytest.mark.parametrize(
    ("z0", "shape"),
    [(8, (16, 300, 70)), (0, (8, 300, 70)), (0, (16, 300, 71)), (96, (16, 300, 70)), (-16, (16, 300, 70))],
)
def test_what_is_no_slab_is_refused(tmp_path: Path, z0: int, shape: tuple[int, int, int]) -> None:
    writer = begin(tmp_path / "v.zarr")
    with pytest.raises(InputError, match="is no slab of this volume"):
        writer.write(z0, np.zeros(shape, np.float32))
    assert writer.done() == ()


def test_a_full_disk_is_said_and_the_slab_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = begin(tmp_path / "v.zarr")
    writer.write(0, DATA[:16])

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tomarium.formats.zarr.chunk_writer._write_file", full)
        with pytest.raises(StorageFull, match="1 of 6 slabs are kept; free some space and resume"):
            writer.write(16, DATA[16:32])
    assert writer.done() == (0,)
    writer.write(16, DATA[16:32])
    assert writer.done() == (0, 16)


@pytest.mark.parametrize(("shape", "dtype"), [((0, 2, 2), "f4"), ((2, 2, 2), "c8"), ((2, 2, 2), "S3")])
def test_what_is_no_volume_is_refused(tmp_path: Path, shape: tuple[int, int, int], dtype: str) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        create(tmp_path / "v.zarr", shape, dtype, voxel_m=None, slab_rows=4, unit="", name="")


def test_voxels_that_are_no_cubes_keep_their_three_lengths(tmp_path: Path) -> None:
    axes = (Axis("z", 2.0, 0, "m"), Axis("y", 1.0, 0, "m"), Axis("x", 1.0, 0, "m"))
    write(tmp_path / "v.zarr", Volume(DATA, axes))
    again = tm.open(tmp_path / "v.zarr")
    assert isinstance(again, Volume)
    assert again.voxel_m == (2.0, 1.0, 1.0)


def test_a_version_04_group_of_others_is_read(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "v.zarr", mode="w", zarr_format=2)
    group.create_array("a", shape=(4, 5, 6), dtype="u2", chunks=(2, 5, 6))[:] = 7
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"],
            "datasets": [{"path": "a", "coordinateTransformations": [{"type": "scale", "scale": [5, 4, 4]}]}],
        }
    ]
    volume = opened(tmp_path / "v.zarr")
    assert volume.voxel_m == pytest.approx((5e-9, 4e-9, 4e-9))
    assert (volume[:] == 7).all()


@pytest.mark.parametrize(
    "change",
    [
        {"datasets": []},
        {"datasets": [{"path": "../../elsewhere"}]},
        {"datasets": [{"path": "nothing"}]},
        {"axes": [{"name": "z"}]},
        {"axes": 3},
    ],
)
def test_broken_metadata_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "v.zarr"
    writer = begin(path)
    fill(writer)
    writer.finish()
    file = path / "zarr.json"
    content = json.loads(file.read_text())
    content["attributes"]["ome"]["multiscales"][0] |= change
    file.write_text(json.dumps(content))
    with pytest.raises(FormatError, match=r"v\.zarr"):
        opened(path)[:]
