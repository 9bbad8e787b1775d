"""MRC: an independent writer's files, tilt angles from each place, pixels, sizes, damage."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tomarium as tm
from tomarium.errors import FormatError, InputError, ParameterError
from tomarium.formats import formats, recognise
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Axis, Geometry, Image, Scan, Value, Volume
from tomarium.model.scan import Reference

RNG = np.random.default_rng(3)
STACK = RNG.integers(0, 120, (5, 4, 6)).astype(np.int16)
write = formats()["mrc"].write
ANGLES = np.array([-60.0, -30.5, 0.0, 30.25, 60.0])


def independent(path: Path, data: np.ndarray, voxel: float = 0.0, stack: bool = False) -> Path:
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(data)
        file.voxel_size = voxel
        if stack:
            file.set_image_stack()
    return path


def patched(path: Path, offset: int, form: str, *values: Any) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, offset, *values)
    path.write_bytes(content)
    return path


def with_extended(path: Path, kind: bytes, extended: bytes, per_section: tuple[int, int] = (0, 0)) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into("<i", content, 92, len(extended))
    content[104:108] = kind
    struct.pack_into("<2h", content, 128, *per_section)
    path.write_bytes(bytes(content[:1024]) + extended + bytes(content[1024:]))
    return path


@pytest.mark.parametrize("dtype", ["i1", "i2", "u2", "f4", "f2", ">i2", ">f4"])
def test_what_mrcfile_writes_is_read(tmp_path: Path, dtype: str) -> None:
    path = independent(tmp_path / "v.mrc", STACK.astype(dtype), voxel=6.5)
    volume = tm.open(path)
    assert isinstance(volume, Volume)
    assert volume.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(volume[:], STACK)
    np.testing.assert_array_equal(volume[1:3, ::2, 5], STACK[1:3, ::2, 5])
    assert volume.voxel_m == (6.5e-10, 6.5e-10, 6.5e-10)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "f4", "f2"])
def test_what_is_written_is_valid_for_mrcfile(tmp_path: Path, dtype: str) -> None:
    data = STACK.astype(dtype)
    axes = tuple(Axis(name, 0.65e-6, start, "m") for name, start in zip("zyx", (1e-6, 0, 2e-6), strict=True))
    write(tmp_path / "v.mrc", Volume(data, axes, "1/cm"))
    if dtype != "f2":  # mrcfile takes the spread of float16 in float16, where its squares overflow
        assert mrcfile.validate(tmp_path / "v.mrc")
    with mrcfile.open(tmp_path / "v.mrc") as file:
        np.testing.assert_array_equal(file.data, data)
        assert file.voxel_size.x == pytest.approx(6500)
        assert file.is_volume()
        assert float(file.header.dmean) == pytest.approx(data.mean(), rel=1e-6)
    again = tm.open(tmp_path / "v.mrc")
    assert again.axes == axes
    assert again.unit == "1/cm"


def test_a_stack_of_images_and_one_image(tmp_path: Path) -> None:
    many = tm.open(independent(tmp_path / "s.mrcs", STACK, voxel=2.0, stack=True))
    assert isinstance(many, Image)
    assert not isinstance(many, Volume)
    assert [(axis.name, axis.unit) for axis in many.axes] == [("image", ""), ("y", "m"), ("x", "m")]
    one = tm.open(independent(tmp_path / "one.mrc", STACK[0], voxel=2.0))
    assert one.shape == (4, 6)
    np.testing.assert_array_equal(one[1:3], STACK[0, 1:3])
    write(tmp_path / "again.mrc", one)
    np.testing.assert_array_equal(tm.open(tmp_path / "again.mrc")[:], STACK[0])
    write(tmp_path / "many.mrc", many)
    assert mrcfile.validate(tmp_path / "many.mrc")
    assert tm.open(tmp_path / "many.mrc").axes == many.axes


def test_without_a_cell_it_is_uncalibrated_until_the_user_tells(tmp_path: Path) -> None:
    path = independent(tmp_path / "v.mrc", STACK)
    assert tm.open(path).metadata["uncalibrated"] is True
    assert tm.open(path).voxel_m is None
    told = tm.open(path, pixel_m=2e-9)
    assert isinstance(told, Volume)
    assert told.voxel_m == (2e-9, 2e-9, 2e-9)
    assert "uncalibrated" not in told.metadata
    assert told.metadata["calibration"]["origin"] == "user"
    with pytest.raises(ParameterError, match="above 0"):
        tm.open(path, pixel_m=0.0)
    with pytest.raises(ParameterError, match="energy_kev was given, but this is an image"):
        tm.open(path, energy_kev=20.0)


def test_angles_from_the_user_make_a_scan(tmp_path: Path) -> None:
    path = independent(tmp_path / "v.mrc", STACK, voxel=6.5)
    scan = tm.open(path, angles_deg=ANGLES)
    assert isinstance(scan, Scan)
    np.testing.assert_array_equal(scan.projections.read(np.array([3, 0]), slice(1, 3)), STACK[[3, 0], 1:3])
    assert scan.projections.cost(5, slice(0, 1)) == (5 * 6 * 2, 0)
    assert scan.angles_deg.origin == "user"
    assert scan.pixel_m.value == 6.5e-10
    with pytest.raises(FormatError, match="4 angles for 5 projections"):
        tm.open(path, angles_deg=ANGLES[:4])


def test_an_image_of_two_axes_with_angles_is_a_sinogram(tmp_path: Path) -> None:
    scan = tm.open(independent(tmp_path / "v.mrc", STACK[0], voxel=6.5), angles_deg=ANGLES[:4])
    assert isinstance(scan, Scan)
    assert scan.shape == (4, 1, 6)
    assert scan.dialect == "sinogram"
    np.testing.assert_array_equal(
        scan.projections.read(np.array([3, 1]), slice(None)), STACK[0, [3, 1], None]
    )
    assert scan.projections.read(slice(None), slice(1, 1)).shape == (4, 0, 6)


@pytest.mark.parametrize("name", ["s.rawtlt", "s.tlt", "s.mrc.mdoc"])
def test_angles_from_a_text_beside(tmp_path: Path, name: str) -> None:
    path = independent(tmp_path / "s.mrc", STACK, stack=True)
    lines = [f"[ZValue = {i}]\nTiltAngle = {a}" if "mdoc" in name else str(a) for i, a in enumerate(ANGLES)]
    (tmp_path / name).write_text("\n".join(lines))
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    assert scan.dialect == "tilt series"
    assert scan.angles_deg.value.tolist() == ANGLES.tolist()
    assert scan.angles_deg.source == name


def test_a_reconstruction_does_not_take_the_angles_of_its_series(tmp_path: Path) -> None:
    independent(tmp_path / "s.mrc", STACK).rename(tmp_path / "s.rec")
    (tmp_path / "s.rawtlt").write_text("\n".join(map(str, ANGLES)))
    assert isinstance(tm.open(tmp_path / "s.rec"), Volume)


def records(size: int, offset: int, dtype: str, values: np.ndarray, first: bytes = b"") -> bytes:
    table = np.zeros((len(values), size), np.uint8)
    table[:, : len(first)] = np.frombuffer(first, np.uint8)
    table[:, offset : offset + np.dtype(dtype).itemsize] = values.astype(dtype)[:, None].view(np.uint8)
    return table.tobytes()


@pytest.mark.parametrize(
    ("kind", "extended", "per_section"),
    [
        (b"FEI1", records(768, 100, "<f8", ANGLES, struct.pack("<i", 768)), (0, 0)),
        (b"FEI2", records(888, 100, "<f8", ANGLES, struct.pack("<i", 888)), (0, 0)),
        (b"SERI", records(8, 0, "<i2", ANGLES * 100), (8, 1)),
        (b"AGAR", records(24, 8, "<f4", ANGLES), (2, 4)),
        (b"\0\0\0\0", records(128, 0, "<f4", ANGLES).ljust(131072, b"\0"), (0, 32)),
    ],
)
def test_angles_from_the_extended_header(
    tmp_path: Path, kind: bytes, extended: bytes, per_section: tuple[int, int]
) -> None:
    path = with_extended(independent(tmp_path / "s.mrc", STACK, stack=True), kind, extended, per_section)
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    np.testing.assert_allclose(scan.angles_deg.value, ANGLES, atol=1e-12)
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), STACK)
    cut = with_extended(
        independent(tmp_path / "cut.mrc", STACK, stack=True),
        kind,
        extended[: min(len(extended), 4000) // 5 * 4],
        per_section,
    )
    assert isinstance(tm.open(cut), Image)  # too few records for the sections: no angles, and no guess


def test_unsigned_bytes_of_imod(tmp_path: Path) -> None:
    path = independent(tmp_path / "v.mrc", np.array([[[-1, 2]]], np.int8))
    assert tm.open(path)[:].tolist() == [[-1, 2]]
    patched(path, 152, "<2i", 1146047817, 0)
    assert tm.open(path)[:].tolist() == [[255, 2]]
    patched(path, 156, "<i", 1)
    assert tm.open(path)[:].tolist() == [[-1, 2]]


@pytest.mark.parametrize(
    ("offset", "form", "value", "said"),
    [
        (12, "<i", 4, "mode is 4, complex numbers"),
        (12, "<i", 77, "not of the standard"),
        (0, "<i", -3, "says -3 x 4 x 5 pixels"),
        (8, "<i", 2**30, "is truncated"),
        (92, "<i", -1, "cannot be"),
        (92, "<i", 2**31 - 1, "cannot be"),
        (64, "<i", 3, "turn it round first"),
    ],
)
def test_headers_that_cannot_be(tmp_path: Path, offset: int, form: str, value: int, said: str) -> None:
    path = patched(independent(tmp_path / "v.mrc", STACK), offset, form, value)
    with pytest.raises(FormatError, match=said):
        tm.open(path)


def test_an_unknown_machine_stamp_is_mended(tmp_path: Path) -> None:
    path = patched(independent(tmp_path / "v.mrc", STACK.astype(">i2")), 212, "<i", 0)
    volume = tm.open(path)
    np.testing.assert_array_equal(volume[:], STACK)
    assert "big-endian" in volume.metadata["repaired"][0]


def test_the_extended_header_is_kept_whole(tmp_path: Path) -> None:
    import base64

    path = with_extended(independent(tmp_path / "v.mrc", STACK), b"CCP4", b"X,Y,Z" * 7)
    assert base64.b64decode(tm.open(path).metadata["/extended_header_base64"]) == b"X,Y,Z" * 7


def test_a_scan_is_written_with_its_angles_beside(tmp_path: Path) -> None:
    scan = tm.open(independent(tmp_path / "v.mrc", STACK, voxel=6.5), angles_deg=ANGLES / 3)
    write(tmp_path / "out.mrc", scan)
    again = tm.open(tmp_path / "out.mrc")
    assert isinstance(again, Scan)
    assert again.angles_deg.value.tolist() == (ANGLES / 3).tolist()
    assert again.pixel_m.value == 6.5e-10
    np.testing.assert_array_equal(again.projections.read(slice(None), slice(None)), STACK)


def test_what_mrc_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="float64 have no mode"):
        write(tmp_path / "v.mrc", Volume(STACK.astype(float), tuple(map(Axis, "zyx"))))
    with pytest.raises(InputError, match="4 axes"):
        write(tmp_path / "v.mrc", Image(STACK[None], tuple(map(Axis, "czyx"))))
    with pytest.raises(InputError, match="runs backwards"):
        write(tmp_path / "v.mrc", Volume(STACK, tuple(Axis(name, -1.0, 0.0, "m") for name in "zyx")))
    scan = Scan(
        Path("x"), "x", "memory", "", "", ArrayFrames(STACK), Geometry(Value(ANGLES, "read", "")),
        flats=Reference(ArrayFrames(STACK[:1]), np.array([-1.0])),
    )  # fmt: skip
    with pytest.raises(InputError, match="no place for the scan's flats"):
        write(tmp_path / "v.mrc", scan)
    assert not list(tmp_path.iterdir())


@given(
    st.tuples(*[st.integers(1, 5)] * 3),
    st.sampled_from(["i1", "i2", "u2", "f4", "f2"]),
    st.floats(1e-10, 1e-3),
)
def test_any_volume_comes_back(
    tmp_path_factory: Any, shape: tuple[int, ...], dtype: str, voxel: float
) -> None:
    path = tmp_path_factory.mktemp("mrc") / "v.mrc"
    data = RNG.integers(0, 100, shape).astype(dtype)
    write(path, Volume(data, tuple(Axis(name, voxel, 0.0, "m") for name in "zyx")))
    again = tm.open(path)
    np.testing.assert_array_equal(again[:], data if shape[0] > 1 else data[0])
    assert [axis.scale for axis in again.axes] == pytest.approx([voxel] * again.ndim, rel=2e-7)


def test_the_real_flat_corrected_scan(shared: Callable[[str], Path]) -> None:
    """Its header calls it a volume, and its angles are not beside it: so a volume, and a scan when they are told."""
    path = shared("lab/projections.mrc")
    volume = tm.open(path)
    assert isinstance(volume, Volume)
    assert volume.shape == (91, 135, 160)
    assert volume.dtype == np.float16
    assert volume.metadata["uncalibrated"] is True
    form, match = recognise(path)[0]
    assert (form.name, match.dialect) == ("mrc", "volume")
    angles = np.loadtxt(shared("tiff/savu_image_test/angles.txt"))[10:101]
    scan = tm.open(path, angles_deg=angles, pixel_m=1e-6)
    assert isinstance(scan, Scan)
    assert scan.shape == (91, 135, 160)
    frames = scan.projections.read(slice(0, 91), slice(60, 61))
    assert 0.05 < float(frames.min()) < float(frames.max()) < 0.76
    with mrcfile.open(path, permissive=True) as file:
        np.testing.assert_array_equal(frames, file.data[:, 60:61])


def test_sections_of_an_mdoc_are_put_in_their_order(tmp_path: Path) -> None:
    path = independent(tmp_path / "s.mrc", STACK, stack=True)
    text = [f"[ZValue = {i}]\nTiltAngle = {a}" for i, a in enumerate(ANGLES)]
    mdoc = tmp_path / "s.mrc.mdoc"
    mdoc.write_text("PixelSpacing = 2\n" + "\n\n".join(text[number] for number in (3, 0, 4, 2, 1)))
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    assert scan.angles_deg.value.tolist() == ANGLES.tolist()
    for wrong in (text[:2] + text[3:], [*text, text[1]]):
        mdoc.write_text("\n".join(wrong))
        with pytest.raises(FormatError, match="each once"):
            tm.open(path)


def test_a_stack_of_volumes_is_no_tall_volume(tmp_path: Path) -> None:
    """MRC2014: space group 401, MZ sections each; mrcfile writes it from an array of four axes."""
    data = RNG.integers(0, 99, (3, 2, 4, 6)).astype(np.int16)
    with mrcfile.new(tmp_path / "v.mrc") as file:
        file.set_data(data)
        file.voxel_size = 2.0
        assert int(file.header.ispg) == 401
    found = tm.open(tmp_path / "v.mrc")
    assert not isinstance(found, Volume)
    assert [axis.name for axis in found.axes] == ["volume", "z", "y", "x"]
    np.testing.assert_array_equal(found[...], data)
    assert found.axes[1].scale == pytest.approx(2e-10)
    patched(tmp_path / "v.mrc", 36, "<i", 4)
    with pytest.raises(FormatError, match="no whole number"):
        tm.open(tmp_path / "v.mrc")


def test_bytes_behind_the_last_pixel_are_said(tmp_path: Path) -> None:
    """An extended header that is longer than told moves every pixel."""
    path = independent(tmp_path / "v.mrc", STACK, voxel=2.0)
    assert "notes" not in tm.open(path).metadata
    path.write_bytes(path.read_bytes() + b"\1" * 7)
    assert tm.open(path).metadata["notes"][0].startswith("7 bytes lie behind")
