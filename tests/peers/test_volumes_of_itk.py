"""NRRD and MetaImage between tomarium, SimpleITK and pynrrd: values, voxel size, place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from tomarium.formats import formats
from tomarium.model import Axis, Volume

VALUES = np.random.default_rng(5).integers(-3000, 3000, (7, 9, 11)).astype(np.int16)
ENDINGS = [".nrrd", ".nhdr", ".mha", ".mhd"]


def form(ending: str) -> str:
    return "nrrd" if ending.startswith(".n") else "metaimage"


@pytest.mark.parametrize("ending", ENDINGS)
def test_simpleitk_reads_ours(tmp_path: Path, ending: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    axes = (Axis("z", 2e-6, 1e-5, "m"), Axis("y", 0.65e-6, 0.0, "m"), Axis("x", 0.65e-6, -3e-6, "m"))
    path = tmp_path / f"v{ending}"
    formats()[form(ending)].write(path, Volume(VALUES, axes, "1/cm", "tooth"))  # type: ignore[misc]
    image = sitk.ReadImage(path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), VALUES)
    assert image.GetSpacing() == pytest.approx((0.65e-3, 0.65e-3, 2e-3), rel=1e-12)
    assert image.GetOrigin() == pytest.approx((-3e-3, 0, 1e-2), rel=1e-12)
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ending", ENDINGS)
def test_we_read_what_simpleitk_writes(tmp_path: Path, ending: str, packed: bool) -> None:
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(VALUES)
    image.SetSpacing((0.1, 0.2, 0.3))
    image.SetOrigin((1, 2, 3))
    sitk.WriteImage(image, tmp_path / f"v{ending}", useCompression=packed)
    volume = tm.open(tmp_path / f"v{ending}")
    assert isinstance(volume, Volume)
    np.testing.assert_array_equal(volume[:], VALUES)
    assert [axis.scale for axis in volume.axes] == pytest.approx([3e-4, 2e-4, 1e-4], rel=1e-12)
    assert [axis.offset for axis in volume.axes] == pytest.approx([3e-3, 2e-3, 1e-3], rel=1e-12)
    assert "mm was assumed" in volume.metadata["warnings"][0]


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
@pytest.mark.parametrize("ending", [".nrrd", ".nhdr"])
def test_we_read_what_pynrrd_writes(tmp_path: Path, ending: str, encoding: str) -> None:
    nrrd = pytest.importorskip("nrrd")
    said = {"encoding": encoding, "spacings": [1.0, 2.0, 3.0], "units": ["um"] * 3}
    nrrd.write(str(tmp_path / f"v{ending}"), VALUES, said, index_order="C")
    volume = tm.open(tmp_path / f"v{ending}")
    assert isinstance(volume, Volume)
    np.testing.assert_array_equal(volume[:], VALUES)
    assert [axis.scale for axis in volume.axes] == [3e-6, 2e-6, 1e-6]


def test_pynrrd_reads_ours(tmp_path: Path) -> None:
    nrrd = pytest.importorskip("nrrd")
    axes = tuple(Axis(name, 0.65e-6, 0.0, "m") for name in "zyx")
    formats()["nrrd"].write(tmp_path / "v.nrrd", Volume(VALUES, axes, "1/cm", "tooth"))  # type: ignore[misc]
    values, header = nrrd.read(str(tmp_path / "v.nrrd"), index_order="C")
    np.testing.assert_array_equal(values, VALUES)
    np.testing.assert_allclose(header["space directions"], np.eye(3) * 0.65e-3, rtol=1e-12)
    assert header["space units"] == ["mm", "mm", "mm"]
