"""Files that gzip or bzip2 packed whole: the same scan, unpacked once, and nothing left behind."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import tomarium as tm
from tomarium.errors import FormatError, StorageFull
from tomarium.formats.mrc.reader import write as write_mrc
from tomarium.formats.opening import unpacked
from tomarium.model import Axis, Image, Scan, Volume

PACKINGS = {"gz": gzip.compress, "bz2": bz2.compress}
RNG = np.random.default_rng(3)
FRAMES = RNG.integers(0, 4000, (6, 5, 7)).astype(np.uint16)
ALL = slice(None), slice(None)


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a folder of its own for temporary files, and nothing unpacked before."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    unpacked._begin_anew()
    return folder


@pytest.fixture
def unpacks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List the files that are unpacked whole, once for each time."""
    names: list[str] = []
    whole = unpacked._unpack

    def counted(path: Path, folder: Any, part: Any) -> memoryview:
        names.append(path.name)
        return whole(path, folder, part)

    monkeypatch.setattr(unpacked, "_unpack", counted)
    return names


def packed(path: Path, suffix: str) -> Path:
    """Pack a file, and remove it as it was."""
    result = path.with_name(f"{path.name}.{suffix}")
    result.write_bytes(PACKINGS[suffix](path.read_bytes()))
    path.unlink()
    return result


def series(folder: Path, suffix: str, **options: Any) -> Path:
    folder.mkdir()
    for number, frame in enumerate(FRAMES):
        tifffile.imwrite(folder / f"proj_{number:04d}.tif", frame, **options)
    tifffile.imwrite(folder / "flat_0001.tif", FRAMES[0] + 1)
    (folder / "angles.txt").write_text("\n".join(str(30.0 * number) for number in range(6)))
    for file in folder.glob("*.tif"):
        packed(file, suffix)
    return folder


@pytest.mark.parametrize("suffix", PACKINGS)
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"bigtiff": True}], ids=str)
def test_a_series_of_tiffs(tmp_path: Path, suffix: str, options: dict[str, Any], unpacks: list[str]) -> None:
    scan = tm.open(series(tmp_path / "scan", suffix, **options))
    assert isinstance(scan, Scan)
    assert len(set(unpacks)) < 6  # the others are unpacked when they are read
    np.testing.assert_array_equal(scan.projections.read(*ALL), FRAMES)
    for row in range(5):
        rows = slice(row, row + 1)
        np.testing.assert_array_equal(scan.projections.read(np.array([5, 0]), rows), FRAMES[[5, 0], rows])
    assert scan.flats is not None
    np.testing.assert_array_equal(scan.flats.frames.read(*ALL)[0], FRAMES[0] + 1)
    np.testing.assert_array_equal(scan.angles_deg.value, 30.0 * np.arange(6))
    assert sorted(unpacks) == sorted({*unpacks})
    assert len(unpacks) == 7


@pytest.mark.parametrize("suffix", PACKINGS)
def test_a_stack_a_volume_a_page_and_a_sinogram(tmp_path: Path, suffix: str, unpacks: list[str]) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", FRAMES)
    scale = {"spacing": 1.0, "unit": "um", "axes": "ZYX"}
    tifffile.imwrite(tmp_path / "vol.tif", FRAMES, imagej=True, resolution=(1e4, 1e4), metadata=scale)
    tifffile.imwrite(tmp_path / "page.tiff", FRAMES[2])
    stack, volume, page = (packed(tmp_path / name, suffix) for name in ("stack.tif", "vol.tif", "page.tiff"))
    scan, image = tm.open(stack, angles_deg="0:150:6"), tm.open(volume)
    assert isinstance(scan, Scan)
    assert scan.name == "stack"
    np.testing.assert_array_equal(scan.projections.read(*ALL), FRAMES)
    assert isinstance(image, Volume)
    np.testing.assert_array_equal(np.asarray(image[2:4]), FRAMES[2:4])
    np.testing.assert_array_equal(np.asarray(tm.open(page)[...]), FRAMES[2])  # type: ignore[index]
    sinogram = tm.open(page, angles_deg="0:144:5")
    assert isinstance(sinogram, Scan)
    np.testing.assert_array_equal(sinogram.projections.read(*ALL)[:, 0], FRAMES[2])
    assert sorted(unpacks) == sorted(file.name for file in (stack, volume, page))


@pytest.mark.parametrize("suffix", PACKINGS)
def test_mrc_volume_and_tilt_series(tmp_path: Path, suffix: str, unpacks: list[str]) -> None:
    volume = Volume(
        FRAMES.astype(np.float32), tuple(Axis(name, 2e-9, 0.0, "m") for name in "zyx"), "", "v", Path("v")
    )
    for name in ("v.mrc", "tilts.mrc"):
        write_mrc(tmp_path / name, volume)
        packed(tmp_path / name, suffix)
    (tmp_path / "tilts.rawtlt").write_text("\n".join(str(10.0 * number - 25) for number in range(6)))
    image = tm.open(tmp_path / f"v.mrc.{suffix}")
    assert isinstance(image, Image)
    assert image.name == "v"
    np.testing.assert_array_equal(np.asarray(image[1:3, :, 2]), FRAMES[1:3, :, 2])
    scan = tm.open(tmp_path / f"tilts.mrc.{suffix}")
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(scan.angles_deg.value, 10.0 * np.arange(6) - 25)
    np.testing.assert_array_equal(scan.projections.read(slice(4, 6), slice(1, 3)), FRAMES[4:, 1:3])
    assert sorted(unpacks) == [f"tilts.mrc.{suffix}", f"v.mrc.{suffix}"]


def test_what_memory_does_not_keep_lies_in_a_file_without_a_name(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, unpacks: list[str]
) -> None:
    monkeypatch.setattr(unpacked, "MOST_IN_MEMORY", 100)
    scan = tm.open(series(tmp_path / "scan", "gz"))
    assert isinstance(scan, Scan)
    for _ in range(3):
        np.testing.assert_array_equal(scan.projections.read(*ALL), FRAMES)
    assert len(unpacks) == 7
    assert unpacked._bytes_in_memory() == 0
    assert next(iter(unpacked._folders.values())).end > 7 * FRAMES[0].nbytes
    if os.name == "posix":
        assert not list(temporary.iterdir())


def test_memory_keeps_so_much_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "MOST_HELD", 1000)
    contents = [RNG.bytes(400) for _ in range(4)]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.gz").write_bytes(gzip.compress(content))
    assert [bytes(unpacked.unpacked(tmp_path / f"{number}.gz")) for number in range(4)] == contents
    assert unpacked._bytes_in_memory() == 800


def test_folders_are_let_go(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "x.gz").write_bytes(gzip.compress(bytes(10)))
        unpacked.unpacked(tmp_path / str(number) / "x.gz")
    assert len(unpacked._folders) == 4


def test_a_changed_file_is_unpacked_again(tmp_path: Path, unpacks: list[str]) -> None:
    path = tmp_path / "x.gz"
    for content in (b"one", b"two!"):
        path.write_bytes(gzip.compress(content))
        os.utime(path, ns=(len(unpacks), len(unpacks)))
        assert bytes(unpacked.unpacked(path)) == content
        assert bytes(unpacked.unpacked(path)) == content
    assert len(unpacks) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_process_unpacks_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "MOST_IN_MEMORY", 100)
    contents = [bytes([number]) * 5000 for number in range(3)]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.gz").write_bytes(gzip.compress(content))
    assert bytes(unpacked.unpacked(tmp_path / "0.gz")) == contents[0]
    child = os.fork()
    if not child:
        os._exit(0 if bytes(unpacked.unpacked(tmp_path / "1.gz")) == contents[1] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert bytes(unpacked.unpacked(tmp_path / "2.gz")) == contents[2]
    assert bytes(unpacked.unpacked(tmp_path / "0.gz")) == contents[0]


@pytest.mark.parametrize("suffix", PACKINGS)
@pytest.mark.parametrize("name", ["x.tif", "x.mrc", "x.edf"])
def test_truncated_files_are_refused(tmp_path: Path, name: str, suffix: str) -> None:
    content = {
        "x.tif": tiff_bytes(RNG.integers(0, 9999, (60, 40, 40)).astype(np.uint16)),
        "x.mrc": mrc_bytes(tmp_path),
        "x.edf": edf_bytes(),
    }[name]
    path, whole = tmp_path / f"{name}.{suffix}", PACKINGS[suffix](content)
    for end in (len(whole) - 3, len(whole) // 2):
        path.write_bytes(whole[:end])
        with pytest.raises(FormatError, match=r"is truncated: its packed bytes end|is not a scan") as caught:
            tm.open(path)
        assert str(path) in str(caught.value)
    path.write_bytes(whole[: len(whole) - 3])
    with pytest.raises(FormatError, match="is truncated: its packed bytes end"):
        tm.open(path)


def tiff_bytes(frames: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, frames, photometric="minisblack")
    return stream.getvalue()


def mrc_bytes(folder: Path) -> bytes:
    numbers = RNG.random((20, 30, 30)).astype(np.float32)
    write_mrc(folder / "whole", Volume(numbers, tuple(Axis(name) for name in "zyx"), "", "v", Path("v")))
    return (folder / "whole").read_bytes()


def edf_bytes() -> bytes:
    from tomarium.formats.edf.header import edf_bytes as one

    return one({}, RNG.random((100, 100)).astype(np.float32))


@pytest.mark.parametrize("name", ["x.tif.gz", "x.mrc.gz"])
def test_bombs_are_refused(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacked, "LARGE_BLOCK", 1 << 20)
    path = tmp_path / name
    content = tiff_bytes(np.zeros((1, 3000, 3000), np.uint8)) if "tif" in name else None
    if content is None:
        zeros = Volume(
            np.zeros((9, 1000, 1000), np.int8), tuple(Axis(one) for one in "zyx"), "", "v", Path("v")
        )
        write_mrc(tmp_path / "whole", zeros)
        content = (tmp_path / "whole").read_bytes()
    path.write_bytes(gzip.compress(content))
    with pytest.raises(FormatError, match="a bomb; take it from its origin"):
        tm.open(path)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setattr(unpacked, "MOST_IN_MEMORY", 100)
    path = packed_stack(tmp_path)
    write_at = unpacked.write_at

    def full(descriptor: int, piece: bytes, place: int) -> None:
        write_at(descriptor, piece[:10], place)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(unpacked, "write_at", full)
    with pytest.raises(StorageFull, match=f"{temporary} is full.*set TMPDIR"):
        tm.open(path)
    monkeypatch.setattr(unpacked, "write_at", write_at)  # space was freed
    scan = tm.open(path, angles_deg="0:150:6")
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(scan.projections.read(*ALL), FRAMES)


def packed_stack(folder: Path) -> Path:
    tifffile.imwrite(folder / "stack.tif", FRAMES)
    return packed(folder / "stack.tif", "gz")


def test_twins_packed_and_plain_are_refused(tmp_path: Path) -> None:
    folder = series(tmp_path / "scan", "gz")
    tifffile.imwrite(folder / "proj_0002.tif", FRAMES[2])
    with pytest.raises(FormatError, match="have the same number"):
        tm.open(folder)


def test_a_packed_file_of_more_pages_is_refused_when_it_is_read(tmp_path: Path) -> None:
    folder = series(tmp_path / "scan", "gz")
    (folder / "proj_0003.tif.gz").write_bytes(gzip.compress(tiff_bytes(FRAMES[:2])))
    scan = tm.open(folder)
    assert isinstance(scan, Scan)
    with pytest.raises(FormatError, match=r"proj_0003\.tif\.gz: holds 2 pages"):
        scan.projections.read(*ALL)
