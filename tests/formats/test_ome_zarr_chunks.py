"""Chunks of OME-Zarr packed by the compiled kernel: numcodecs unpacks them, and its own are hardly smaller."""

from pathlib import Path

import numpy as np
import pytest
import zarr
from numcodecs import blosc
from numpy.typing import NDArray

from tomarium.compiled import VARIABLE, extension
from tomarium.errors import EngineUnavailable
from tomarium.formats.zarr.chunk_writer import BLOCK_BYTES, COMPRESSOR, LEVEL, SHUFFLE, _packed
from tomarium.formats.zarr.writer import create

SHAPE = (32, 64, 64)


def levels() -> list[str]:
    try:
        return list(extension().levels())
    except EngineUnavailable:
        return []


def volumes() -> dict[str, NDArray[np.float32]]:
    draw = np.random.default_rng(0)
    z, y, x = np.ogrid[-1:1:40j, -1:1:150j, -1:1:130j]
    smooth = (np.exp(-3 * (x**2 + y**2)) + 0.1 * z).astype(np.float32)
    noisy = smooth + 0.05 * draw.standard_normal(smooth.shape, np.float32)
    return {
        "smooth": smooth,
        "noisy": noisy,
        "few values": np.round(3 * smooth),
        "random bits": draw.integers(0, 2**32, smooth.shape, np.uint32).view(np.float32),
        "runs": np.where(draw.random(smooth.shape) < 0.001, 1, 0).cumsum(-1).astype(np.float32),
        "ramp": np.arange(smooth.size, dtype=np.float32).reshape(smooth.shape),
        "no numbers": np.where(noisy > 0.5, np.nan, np.float32(-0.0)),
    }


VOLUMES = volumes()


@pytest.mark.parametrize("level", levels())
@pytest.mark.parametrize("name", VOLUMES)
@pytest.mark.parametrize("dtype", ["float32", "uint16", "uint8"])
def test_numcodecs_unpacks_what_is_packed(
    name: str, dtype: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, level)
    values = VOLUMES[name]
    volume = values if dtype == "float32" else (100 * np.clip(np.nan_to_num(values), 0, 2)).astype(dtype)
    for z, y, x in ((0, 0, 0), (5, 64, 3), (8, 100, 66)):  # the last one reaches beyond the end
        part = volume[z : z + SHAPE[0], y : y + SHAPE[1], x : x + SHAPE[2]]
        whole = np.zeros(SHAPE, dtype)
        whole[: part.shape[0], : part.shape[1], : part.shape[2]] = part
        packed = _packed(part, SHAPE)
        if not packed:
            assert not whole.any()
            continue
        assert blosc.decompress(packed) == whole.tobytes()
        theirs = blosc.compress(whole, COMPRESSOR.encode(), LEVEL, SHUFFLE, BLOCK_BYTES)
        assert len(packed) <= 1.05 * len(theirs) + 1000


@pytest.mark.parametrize("shape", [(5, 7, 9), (64, 64, 64), (1, 256, 256)])
def test_chunks_of_any_shape_are_packed(shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(1).integers(0, 9, shape).astype(np.float64)
    for dtype in ("float64", "float32", "int16"):
        assert blosc.decompress(_packed(values.astype(dtype), shape)) == values.astype(dtype).tobytes()


@pytest.mark.parametrize("rows", [129, 257, 300])
def test_a_shard_may_have_chunks_beyond_the_last_slice(rows: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(rows).normal(size=(rows, 24, 40)).astype(np.float32)
    volume = create(tmp_path / "v", draw.shape, "float32", voxel_m=1e-6, slab_rows=128, unit="1/cm", name="v")
    for first in range(0, rows, 128):
        volume.write(first, draw[first : first + 128])
    volume.finish()
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "v", mode="r")["0"][...], draw)  # type: ignore[index]
