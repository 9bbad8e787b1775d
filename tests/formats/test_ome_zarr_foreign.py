"""OME-Zarr volumes of other programs: chunks that are lost, scales told in several places, axes that disagree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.model import Image, Volume

VOXELS = np.random.default_rng(2).integers(1, 4000, (16, 24, 32)).astype(np.uint16)
BOTH = pytest.mark.parametrize("version", [2, 3])


def scale(*factors: float) -> dict[str, Any]:
    return {"type": "scale", "scale": list(factors)}


def translation(*lengths: float) -> dict[str, Any]:
    return {"type": "translation", "translation": list(lengths)}


def foreign(
    path: Path,
    version: int,
    voxels: np.ndarray = VOXELS,
    *,
    of_level: list[dict[str, Any]] | None = None,
    of_all: list[dict[str, Any]] | None = None,
    axis: dict[str, str] | None = None,
    levels: int = 2,
    names: list[str] | None = None,
) -> Path:
    """Write a volume as zarr-python does, chunks of the fill value left out."""
    group: Any = zarr.open_group(str(path), mode="w", zarr_format=version)  # type: ignore[arg-type]
    how: dict[str, Any] = (
        {"dimension_names": names}
        if version == 3
        else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    )
    for level in range(levels):
        held = voxels[:: 2**level, :: 2**level, :: 2**level]
        made = group.create_array(str(level), shape=held.shape, dtype=held.dtype, chunks=(8, 8, 8), **how)
        made[...] = held
    told = {"type": "space", "unit": "micrometer"} if axis is None else axis
    multiscale: dict[str, Any] = {
        "axes": [{"name": name, **told} for name in "zyx"],
        "datasets": [
            {"path": str(level), "coordinateTransformations": of_level or [scale(*[2.0 * 2**level] * 3)]}
            for level in range(levels)
        ],
    }
    if of_all:
        multiscale["coordinateTransformations"] = of_all
    if version == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    else:
        group.attrs["multiscales"] = [{**multiscale, "version": "0.4"}]
    return path


def chunk(path: Path, version: int, place: str, level: int = 0) -> Path:
    return path / str(level) / ("c" if version == 3 else ".") / place


def opened(path: Path) -> Volume:
    volume = tm.open(path)
    assert isinstance(volume, Volume)
    return volume


@BOTH
class TestAbsentChunks:
    def test_a_whole_volume_has_nothing_to_say(self, tmp_path: Path, version: int) -> None:
        volume = opened(foreign(tmp_path / "v.zarr", version))
        np.testing.assert_array_equal(volume[...], VOXELS)
        assert "notes" not in volume.metadata

    def test_a_lost_one_is_refused_where_the_next_level_tells(self, tmp_path: Path, version: int) -> None:
        path = foreign(tmp_path / "v.zarr", version)
        chunk(path, version, "1/2/3").unlink()
        with pytest.raises(
            FormatError, match=r"1 of the 24 files of level 0 .*1/2/3.*are absent, and level 1 shows"
        ):
            tm.open(path)

    def test_one_without_another_witness_is_said(self, tmp_path: Path, version: int) -> None:
        path = foreign(tmp_path / "v.zarr", version)
        chunk(path, version, "0/1/1", level=1).unlink()
        (note,) = opened(path).metadata["notes"]
        assert "1 of the 4 files of level 1" in note
        assert "0/1/1" in note
        assert "read as 0" in note

    def test_empty_chunks_are_read_and_said(self, tmp_path: Path, version: int) -> None:
        """zarr-python leaves them out; the next level is empty there too."""
        voxels = VOXELS.copy()
        voxels[:8, :16] = 0
        volume = opened(foreign(tmp_path / "v.zarr", version, voxels))
        np.testing.assert_array_equal(volume[...], voxels)
        assert any("8 of the 24 files of level 0" in note for note in volume.metadata["notes"])

    def test_any_one_that_is_lost_is_found(self, tmp_path: Path, version: int) -> None:
        path = foreign(tmp_path / "v.zarr", version)
        for place in np.ndindex(2, 3, 4):
            file = chunk(path, version, "/".join(map(str, place)))
            content = file.read_bytes()
            file.unlink()
            with pytest.raises(FormatError, match="are absent"):
                tm.open(path)
            file.write_bytes(content)
        assert "notes" not in opened(path).metadata

    def test_a_damaged_witness_is_an_error_of_ours(self, tmp_path: Path, version: int) -> None:
        path = foreign(tmp_path / "v.zarr", version)
        chunk(path, version, "0/0/0").unlink()
        chunk(path, version, "0/0/0", level=1).write_bytes(b"no chunk at all, and of no length that could be")
        with pytest.raises(FormatError, match="damaged"):
            tm.open(path)


@BOTH
class TestScales:
    def test_that_of_all_levels_comes_after_that_of_one(self, tmp_path: Path, version: int) -> None:
        """A point at i lies at (2 i + 1) * 10 + 3 µm."""
        path = foreign(
            tmp_path / "v.zarr",
            version,
            of_level=[scale(2, 2, 2), translation(1, 1, 1)],
            of_all=[scale(10, 10, 10), translation(3, 3, 3)],
        )
        for axis in opened(path).axes:
            assert axis.unit == "m"
            assert axis.scale == pytest.approx(20e-6, rel=1e-12)
            assert axis.offset == pytest.approx(13e-6, rel=1e-12)

    @pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
    def test_one_that_cannot_be_leaves_it_uncalibrated(
        self, tmp_path: Path, version: int, factor: float
    ) -> None:
        volume = opened(foreign(tmp_path / "v.zarr", version, of_level=[scale(factor, 1, 1)]))
        assert volume.voxel_m is None
        assert volume.metadata["uncalibrated"] is True
        assert "the axis z has a scale of" in volume.metadata["notes"][0]

    @pytest.mark.parametrize(
        "one", [{"type": "affine", "affine": [[1.0]]}, {"type": "scale", "path": "elsewhere"}]
    )
    def test_one_that_is_not_known_leaves_it_uncalibrated(
        self, tmp_path: Path, version: int, one: dict[str, Any]
    ) -> None:
        volume = opened(foreign(tmp_path / "v.zarr", version, of_level=[one]))
        assert volume.voxel_m is None
        assert "is not applied" in volume.metadata["notes"][0]

    def test_without_units_it_is_uncalibrated_and_says_so(self, tmp_path: Path, version: int) -> None:
        volume = opened(foreign(tmp_path / "v.zarr", version, axis={"type": "space"}))
        assert volume.metadata["uncalibrated"] is True

    def test_axes_without_a_type_are_known_by_name(self, tmp_path: Path, version: int) -> None:
        voxel = opened(foreign(tmp_path / "v.zarr", version, axis={"unit": "nanometer"})).voxel_m
        assert voxel == pytest.approx((2e-9,) * 3, rel=1e-12)


def test_arrays_that_call_their_axes_otherwise_are_refused(tmp_path: Path) -> None:
    assert opened(foreign(tmp_path / "good.zarr", 3, names=["z", "y", "x"])).shape == VOXELS.shape
    with pytest.raises(FormatError, match="calls its axes x, y, z, and its image z, y, x"):
        tm.open(foreign(tmp_path / "bad.zarr", 3, names=["x", "y", "z"]))


def test_a_second_image_of_a_group_is_said(tmp_path: Path) -> None:
    path = foreign(tmp_path / "v.zarr", 3)
    group: Any = zarr.open_group(str(path), mode="r+")
    ome = dict(group.attrs["ome"])
    group.attrs["ome"] = {**ome, "multiscales": ome["multiscales"] * 2}
    found = tm.open(path)
    assert isinstance(found, Image)
    assert found.metadata["notes"] == ["2 multiscale images lie in this group; the first was opened"]
