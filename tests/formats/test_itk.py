"""NRRD and MetaImage, written by hand as their descriptions have them, and by the writers of tomarium."""

from __future__ import annotations

import bz2
import gzip
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError, InputError
from tomarium.formats import formats
from tomarium.formats.opening.trusted_folders import trusting
from tomarium.model import Axis, Image, Volume

FORMATS = formats()
VALUES = np.random.default_rng(11).integers(-3000, 3000, (4, 5, 6)).astype(np.int16)
NRRD = "NRRD0004\n# a comment\ntype: short\ndimension: 3\nsizes: 6 5 4\nendian: little\n"
TAGS = "ObjectType = Image\nNDims = 3\nDimSize = 6 5 4\nElementType = MET_SHORT\n"


def nrrd(path: Path, lines: str = "", packed: bytes | None = None, encoding: str = "raw") -> Path:
    """Write a header of 4 x 5 x 6 voxels with some more lines, and the voxels or what they are packed into."""
    voxels = VALUES.tobytes() if packed is None else packed
    path.write_bytes(f"{NRRD}encoding: {encoding}\n{lines}\n".encode() + voxels)
    return path


def metaimage(path: Path, tags: str = "", voxels: bytes | None = None, data: str = "LOCAL") -> Path:
    text = f"{TAGS}{tags}ElementDataFile = {data}\n".encode()
    path.write_bytes(text + (VALUES.tobytes() if voxels is None else voxels))
    return path


def axes_of(path: Path) -> list[tuple[str, float, float, str]]:
    image = tm.open(path)
    assert isinstance(image, Image)
    return [(axis.name, axis.scale, axis.offset, axis.unit) for axis in image.axes]


def warnings_of(path: Path) -> str:
    image = tm.open(path)
    assert isinstance(image, Image)
    return " ".join(image.metadata.get("warnings", []))


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("raw", bytes), ("gzip", gzip.compress), ("gz", gzip.compress), ("bzip2", bz2.compress)],
)
def test_nrrd_is_read_as_it_is_packed(tmp_path: Path, encoding: str, pack: object) -> None:
    path = nrrd(tmp_path / "a.nrrd", packed=pack(VALUES.tobytes()), encoding=encoding)  # type: ignore[operator]
    volume = tm.open(path)
    assert isinstance(volume, Volume)
    assert volume.dtype == np.int16
    np.testing.assert_array_equal(volume[:], VALUES)
    np.testing.assert_array_equal(volume[1:3, ::2, 4], VALUES[1:3, ::2, 4])


@pytest.mark.parametrize(
    ("spelled", "dtype"),
    [("unsigned char", "u1"), ("int8", "i1"), ("unsigned short int", "u2"), ("uint32", "u4"), ("long long", "i8"),
     ("ulonglong", "u8"), ("float", "f4"), ("double", "f8")],
)  # fmt: skip
@pytest.mark.parametrize("endian", ["little", "big"])
def test_nrrd_types_and_byte_orders(tmp_path: Path, spelled: str, dtype: str, endian: str) -> None:
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    stored = values.astype(np.dtype(dtype).newbyteorder("<" if endian == "little" else ">"))
    head = f"NRRD0001\ntype: {spelled}\ndimension: 3\nsizes: 4 3 2\nencoding: raw\nendian: {endian}\n\n"
    (tmp_path / "a.nrrd").write_bytes(head.encode() + stored.tobytes())
    opened = tm.open(tmp_path / "a.nrrd")
    assert isinstance(opened, Volume)
    assert opened.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(opened[:], values)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("UCHAR", "u1"), ("CHAR", "i1"), ("USHORT", "u2"), ("INT", "i4"), ("LONG_LONG", "i8"), ("FLOAT", "f4"),
     ("DOUBLE", "f8")],
)  # fmt: skip
@pytest.mark.parametrize("msb", ["True", "False"])
def test_metaimage_types_and_byte_orders(tmp_path: Path, name: str, dtype: str, msb: str) -> None:
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    stored = values.astype(np.dtype(dtype).newbyteorder(">" if msb == "True" else "<"))
    head = (
        f"NDims = 3\nDimSize = 4 3 2\nElementType = MET_{name}\nElementByteOrderMSB = {msb}\n"
        f"ElementDataFile = LOCAL\n"
    )
    (tmp_path / "a.mha").write_bytes(head.encode() + stored.tobytes())
    opened = tm.open(tmp_path / "a.mha")
    assert isinstance(opened, Volume)
    np.testing.assert_array_equal(opened[:], values)


def test_a_header_of_its_own_has_its_voxels_beside_it(tmp_path: Path) -> None:
    (tmp_path / "v.raw").write_bytes(b"12345" + VALUES.tobytes())
    (tmp_path / "v.raw.gz").write_bytes(gzip.compress(VALUES.tobytes()))
    (tmp_path / "v.zraw").write_bytes(zlib.compress(VALUES.tobytes()))
    (tmp_path / "lines.raw").write_bytes(b"a line\nanother\n" + VALUES.tobytes())
    found = [
        nrrd(tmp_path / "a.nhdr", "data file: ./v.raw\nbyte skip: 5\n", b""),
        nrrd(tmp_path / "b.nhdr", "datafile: v.raw\nbyteskip: -1\n", b""),
        nrrd(tmp_path / "c.nhdr", "data file: v.raw.gz\n", b"", "gzip"),
        nrrd(tmp_path / "d.nhdr", "data file: lines.raw\nline skip: 2\n", b""),
        metaimage(tmp_path / "a.mhd", "HeaderSize = 5\n", b"", "v.raw"),
        metaimage(tmp_path / "b.mhd", "HeaderSize = -1\n", b"", "v.raw"),
        metaimage(tmp_path / "c.mhd", "CompressedData = True\nCompressedDataSize = 9\n", b"", "v.zraw"),
    ]
    for path in found:
        opened = tm.open(path)
        assert isinstance(opened, Volume)
        np.testing.assert_array_equal(opened[:], VALUES, err_msg=path.name)
    packed = metaimage(tmp_path / "d.mha", "CompressedData = True\n", zlib.compress(VALUES.tobytes()))
    np.testing.assert_array_equal(tm.open(packed)[:], VALUES)  # type: ignore[index]


def test_lengths_have_the_unit_that_is_written(tmp_path: Path) -> None:
    path = nrrd(
        tmp_path / "a.nrrd",
        'space dimension: 3\nspace units: "um" "um" "um"\nspace directions: (2,0,0) (0,3,0) (0,0,0.65)\n'
        "space origin: (10,-20,30)\n",
    )
    assert axes_of(path) == [
        ("z", 0.65e-6, 30e-6, "m"),
        ("y", 3e-6, -20e-6, "m"),
        ("x", 2e-6, 10e-6, "m"),
    ]
    assert warnings_of(path) == ""
    path = nrrd(tmp_path / "b.nrrd", 'spacings: 1 2 3\nunits: "nm" "nm" "nm"\n')
    assert [scale for _, scale, _, _ in axes_of(path)] == [3e-9, 2e-9, 1e-9]
    path = metaimage(tmp_path / "c.mha", "ElementSpacing = 1 2 3\nDistanceUnits = um\nOffset = 4 5 6\n")
    assert axes_of(path) == [("z", 3e-6, 6e-6, "m"), ("y", 2e-6, 5e-6, "m"), ("x", 1e-6, 4e-6, "m")]


def test_a_unit_that_is_not_written_is_assumed_aloud_or_not_at_all(tmp_path: Path) -> None:
    body = nrrd(
        tmp_path / "a.nrrd", "space: left-posterior-superior\nspace directions: (.1,0,0) (0,.1,0) (0,0,.2)\n"
    )
    assert axes_of(body)[0] == ("z", 2e-4, 0.0, "m")
    assert "no unit of length is written; mm was assumed" in warnings_of(body)
    tags = metaimage(tmp_path / "b.mha", "ElementSpacing = .1 .1 .2\nDistanceUnits = ?\n")
    assert axes_of(tags)[0] == ("z", 2e-4, 0.0, "m")
    assert "mm was assumed" in warnings_of(tags)
    one = metaimage(tmp_path / "one.mha", "ElementSpacing = 1 1 1\n")
    assert "ITK writes where it knows none" in warnings_of(one)
    for path in (
        nrrd(tmp_path / "c.nrrd", "spacings: 2 2 5\n"),
        nrrd(tmp_path / "d.nrrd", "space: left-posterior-superior\n"),
        nrrd(tmp_path / "e.nrrd", "spacings: 2 nan 5\nunits: mm mm mm\n"),
        nrrd(tmp_path / "f.nrrd", "spacings: 2 -2 5\nunits: s s s\n"),
        nrrd(tmp_path / "h.nrrd", "spacings: 1e-400 1 1\nunits: mm mm mm\n"),
        nrrd(tmp_path / "i.nrrd", "spacings: 1e300 1 1\nunits: mm mm mm\n"),
        metaimage(tmp_path / "j.mha", "ElementSpacing = 1e-40 1 1\nOffset = 1e999999 0 0\n"),
        metaimage(tmp_path / "g.mha"),
    ):
        assert {(scale, unit) for _, scale, _, unit in axes_of(path)} == {(1.0, "px")}, path.name
        assert tm.open(path).metadata["uncalibrated"] is True
    assert "voxels are 2 x 2 x 5 apart (x first)" in warnings_of(tmp_path / "c.nrrd")


def test_a_pixel_size_that_is_given_answers_the_warning(tmp_path: Path) -> None:
    path = metaimage(tmp_path / "a.mha", "ElementSpacing = .1 .1 .1\nTransformMatrix = -1 0 0 0 1 0 0 0 1\n")
    assert "mm was assumed" in warnings_of(path)
    opened = tm.open(path, pixel_m=2e-6)
    assert isinstance(opened, Volume)
    assert opened.voxel_m == (2e-6, 2e-6, 2e-6)
    assert [text[:12] for text in opened.metadata["warnings"]] == ["its axes do "]
    path = nrrd(tmp_path / "b.nrrd", "spacings: 2 2 2\n")
    assert "warnings" not in tm.open(path, pixel_m=2e-6).metadata


@pytest.mark.parametrize(
    ("vectors", "mirrored"),
    [
        ("(0,1,0) (1,0,0) (0,0,1)", True),
        ("(0,1,0) (-1,0,0) (0,0,1)", False),
        ("(1,0,0) (0,1,0) (0,0,-1)", True),
    ],
)
def test_turned_axes_are_told_and_have_no_origin(tmp_path: Path, vectors: str, mirrored: bool) -> None:
    space = 'space dimension: 3\nspace units: "mm" "mm" "mm"\nspace origin: (7,8,9)\n'
    path = nrrd(tmp_path / "a.nrrd", f"{space}space directions: {vectors}\n")
    assert [(scale, start) for _, scale, start, _ in axes_of(path)] == [(1e-3, 0.0)] * 3
    assert "its axes do not run along those of its space" in warnings_of(path)
    assert ("mirrored" in warnings_of(path)) is mirrored
    matrix = vectors.replace(")", "").replace("(", "").replace(",", " ")
    tags = f"TransformMatrix = {matrix}\nOffset = 7 8 9\nElementSpacing = 1 1 1\nDistanceUnits = mm\n"
    assert ("mirrored" in warnings_of(metaimage(tmp_path / "a.mha", tags))) is mirrored


def test_a_slanted_axis_is_as_long_as_its_vector(tmp_path: Path) -> None:
    lines = (
        'space dimension: 3\nspace units: "mm" "mm" "mm"\nspace directions: (.6,.8,0) (-.8,.6,0) (0,0,2)\n'
    )
    assert [scale for _, scale, _, _ in axes_of(nrrd(tmp_path / "a.nrrd", lines))] == [2e-3, 1e-3, 1e-3]


def test_colours_and_series_are_images(tmp_path: Path) -> None:
    colours = np.arange(4 * 5 * 6 * 3, dtype=np.uint8).reshape(4, 5, 6, 3)
    head = "NRRD0004\ntype: uchar\ndimension: 4\nsizes: 3 6 5 4\nencoding: raw\n"
    (tmp_path / "a.nrrd").write_bytes(
        f"{head}kinds: RGB-color domain domain domain\nspace units: mm mm mm\nspace dimension: 3\n"
        f"space directions: none (1,0,0) (0,1,0) (0,0,2)\n\n".encode()
        + colours.tobytes()
    )
    assert [name for name, *_ in axes_of(tmp_path / "a.nrrd")] == ["z", "y", "x", "channel"]
    assert axes_of(tmp_path / "a.nrrd")[0][1] == 2e-3
    np.testing.assert_array_equal(tm.open(tmp_path / "a.nrrd")[:], colours)  # type: ignore[index]
    (tmp_path / "b.nrrd").write_bytes(f"{head}\n".encode() + colours.tobytes())
    assert [name for name, *_ in axes_of(tmp_path / "b.nrrd")] == ["image", "z", "y", "x"]
    tags = "NDims = 3\nDimSize = 6 5 4\nElementNumberOfChannels = 3\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    (tmp_path / "c.mha").write_bytes(tags.encode() + colours.tobytes())
    assert [name for name, *_ in axes_of(tmp_path / "c.mha")] == ["z", "y", "x", "channel"]
    np.testing.assert_array_equal(tm.open(tmp_path / "c.mha")[:], colours)  # type: ignore[index]


def test_segmentations_of_slicer_are_labels(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.seg.nrrd", "Segment0_Name:=pore: a name\nSegment0_LabelValue:=1\n")
    opened = tm.open(path)
    assert isinstance(opened, Volume)
    assert opened.holds_labels
    assert opened.metadata["keys"]["Segment0_Name"] == "pore: a name"
    assert not tm.open(nrrd(tmp_path / "b.nrrd", "source:=Segment0_ of another\n")).holds_labels  # type: ignore[union-attr]


@pytest.mark.parametrize(("name", "ending"), [("nrrd", ".nrrd"), ("nrrd", ".nhdr"), ("metaimage", ".mha"),
                                              ("metaimage", ".mhd")])  # fmt: skip
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str, ending: str, dtype: str) -> None:
    axes = (Axis("z", 2e-6, 1e-5, "m"), Axis("y", 0.65e-6, 0.0, "m"), Axis("x", 0.65e-6, -3e-6, "m"))
    values = np.random.default_rng(3).integers(0, 100, (3, 4, 5)).astype(dtype)
    volume = Volume(values, axes, "1/cm", "tooth")
    path = tmp_path / f"v{ending}"
    FORMATS[name].write(path, volume)  # type: ignore[misc]
    opened = tm.open(path)
    assert isinstance(opened, Volume)
    assert opened.axes == axes
    assert opened.unit == "1/cm"
    assert opened.dtype == np.dtype(dtype)
    assert "warnings" not in opened.metadata
    np.testing.assert_array_equal(opened[:], values)
    files = {f"v{ending}", "v.raw"} if ending in (".nhdr", ".mhd") else {f"v{ending}"}
    assert {file.name for file in tmp_path.iterdir()} == files
    with pytest.raises(FormatError, match="exists already"):
        FORMATS[name].write(path, volume)  # type: ignore[misc]


@pytest.mark.parametrize("name", ["nrrd", "metaimage"])
def test_labels_and_what_is_not_calibrated_are_written_as_such(tmp_path: Path, name: str) -> None:
    labels = Volume(
        np.ones((2, 3, 4), np.uint8), tuple(Axis(axis) for axis in "zyx"), "", "v", None, {"labels": True}
    )
    FORMATS[name].write(tmp_path / "v", labels)  # type: ignore[misc]
    opened = tm.open(tmp_path / "v")
    assert isinstance(opened, Volume)
    assert opened.holds_labels
    assert opened.metadata["uncalibrated"] is True
    assert opened.unit == ""


@pytest.mark.parametrize("name", ["nrrd", "metaimage"])
def test_what_the_format_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    volume = Volume(np.ones((2, 3, 4), np.float16), tuple(Axis(axis, 1e-6, 0.0, "m") for axis in "zyx"))
    with pytest.raises(InputError, match="has no voxels of float16; convert them to float32"):
        FORMATS[name].write(tmp_path / "v", volume)  # type: ignore[misc]
    backwards = (Axis("z", -1e-6, 0.0, "m"), *volume.axes[1:])
    with pytest.raises(InputError, match="runs backwards"):
        FORMATS[name].write(tmp_path / "v", replace(volume, data=np.ones((2, 3, 4)), axes=backwards))  # type: ignore[misc]
    with pytest.raises(InputError, match="takes a volume"):
        FORMATS[name].write(tmp_path / "v", Image(np.ones((2, 3)), volume.axes[1:]))  # type: ignore[misc]
    assert list(tmp_path.iterdir()) == []


def test_voxels_outside_of_the_folder_are_not_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    secret = tmp_path / "secret.raw"
    secret.write_bytes(VALUES.tobytes())
    (home / "link.raw").symlink_to(secret)
    for name in ("../secret.raw", str(secret), "link.raw", "..", "a/b.raw"):
        for path in (
            nrrd(home / "a.nhdr", f"data file: {name}\n", b""),
            metaimage(home / "a.mhd", "", b"", name),
        ):
            with pytest.raises(FormatError, match="outside of its own folder"):
                tm.open(path)
    with trusting([tmp_path]):
        opened = tm.open(nrrd(home / "a.nhdr", "data file: link.raw\n", b""))
    np.testing.assert_array_equal(opened[:], VALUES)  # type: ignore[index]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("data file: LIST\na.raw\nb.raw\n", "in several files, which are not read"),
        ("data file: s%03d.raw 1 4 1\n", "in several files, which are not read"),
        ("data file: absent.raw\n", "absent.raw, which cannot be read"),
        ("sizes: 6 5 5\n", "'sizes' twice, and not the same"),
        ("space directions: (1,0,0) (0,1,0)\n", "3 were expected"),
        ("space directions: (1,0,0) (0,1,0) (0,0,a)\n", "numbers were expected"),
        ("spacings: 1 2\n", "3 were expected"),
        ("byte skip: x\n", "whole numbers are read"),
    ],
)
def test_a_nrrd_header_that_cannot_be_read_says_why(tmp_path: Path, lines: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        tm.open(nrrd(tmp_path / "a.nrrd", lines))


@pytest.mark.parametrize(
    ("line", "other", "words"),
    [
        ("type: short", "type: block", "type is 'block'"),
        ("sizes: 6 5 4", "sizes: 6 5", "dimension is '3', and sizes has 2"),
        ("sizes: 6 5 4", "sizes: 6 5 0", "which no axis can have"),
        ("sizes: 6 5 4", "sizes: 6 5 99999999", "is truncated"),
        ("endian: little", "endian: middle", "write endian: little or big"),
        ("encoding: raw", "encoding: hex", "hexadecimal digits"),
        ("encoding: raw", "encoding: gzip", "cannot be unpacked"),
    ],
)
def test_a_nrrd_of_other_kinds_says_why(tmp_path: Path, line: str, other: str, words: str) -> None:
    path = nrrd(tmp_path / "a.nrrd")
    path.write_bytes(path.read_bytes().replace(line.encode(), other.encode()))
    with pytest.raises(FormatError, match=words):
        np.asarray(tm.open(path)[:])  # type: ignore[index]


@pytest.mark.parametrize(
    ("tags", "data", "words"),
    [
        ("", "LIST", "in several files"),
        ("", "s%03d.raw 1 4 1", "in several files"),
        ("", "absent.raw", "which cannot be read"),
        ("BinaryData = False\n", "LOCAL", "written as text"),
        ("HeaderSize = -2\n", "LOCAL", "HeaderSize is '-2'"),
        ("HeaderSize = 7\n", "LOCAL", "is truncated"),
        ("ElementSpacing = 1 2\n", "LOCAL", "2 spacings"),
        ("CompressedData = maybe\n", "LOCAL", "True or False was expected"),
        ("ElementNumberOfChannels = 0\n", "LOCAL", "a number above zero"),
        ("CompressedData = True\n", "LOCAL", "cannot be unpacked"),
    ],
)
def test_tags_that_cannot_be_read_say_why(tmp_path: Path, tags: str, data: str, words: str) -> None:
    path = metaimage(tmp_path / "a.mha", tags, data=data)
    with pytest.raises(FormatError, match=words):
        np.asarray(tm.open(path)[:])  # type: ignore[index]


@pytest.mark.parametrize("make", ["nrrd", "metaimage"])
@pytest.mark.parametrize(("length", "words"), [(-1, "more than"), (1, "holds 239 bytes where")])
def test_packed_voxels_are_as_many_as_the_header_tells(
    tmp_path: Path, make: str, length: int, words: str
) -> None:
    voxels = VALUES.tobytes()[:-length] if length > 0 else VALUES.tobytes() + b"\0"
    if make == "nrrd":
        path = nrrd(tmp_path / "a.nrrd", packed=gzip.compress(voxels), encoding="gzip")
    else:
        path = metaimage(tmp_path / "a.mha", "CompressedData = True\n", zlib.compress(voxels))
    with pytest.raises(FormatError, match=words):
        np.asarray(tm.open(path)[:])  # type: ignore[index]


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_cut_packed_voxels_are_truncated(tmp_path: Path, pack: object) -> None:
    packed = pack(VALUES.tobytes())[:-20]  # type: ignore[operator]
    path = (
        nrrd(tmp_path / "a.nrrd", packed=packed, encoding="gzip")
        if pack is gzip.compress
        else metaimage(tmp_path / "a.mha", "CompressedData = True\n", packed)
    )
    with pytest.raises(FormatError, match="is truncated"):
        np.asarray(tm.open(path)[:])  # type: ignore[index]


def test_labels_may_pack_far_better_than_a_bomb_does(tmp_path: Path) -> None:
    """512 x 512 x 400 voxels of one label: 100 MiB in some 100 kB, more than 200 to 1."""
    head = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 512 512 400\nencoding: gzip\n\n"
    path = tmp_path / "a.seg.nrrd"
    path.write_bytes(head + gzip.compress(bytes(512 * 512 * 400)))
    assert path.stat().st_size * 500 < 512 * 512 * 400
    assert not np.asarray(tm.open(path)[399]).any()  # type: ignore[index]


def test_a_bomb_is_refused_before_it_fills_a_disk(tmp_path: Path) -> None:
    """bzip2 packs 1 GiB and more of zeros into less than a kilobyte, which no header may ask for."""
    block = bz2.compress(bytes(900_000))
    head = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 100000 9000 3\nencoding: bzip2\n\n"
    path = tmp_path / "a.nrrd"
    path.write_bytes(head + block * 3000)
    with pytest.raises(FormatError, match="a bomb"):
        np.asarray(tm.open(path)[0, 0])  # type: ignore[index]
