"""JPEG 2000: an independent decoder agrees, loss is what is reported, ranges come back, limits hold."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Picture

import tomarium as tm
from tomarium.conversion.convert import convert
from tomarium.errors import FormatError, InputError, TomariumError
from tomarium.formats import formats
from tomarium.formats.jpeg2000.page import page_header
from tomarium.model import Axis, Image, Volume

RNG = np.random.default_rng(9)
write = formats()["jpeg2000"].write


def smooth(shape: tuple[int, int, int], noise: float = 300.0) -> np.ndarray:
    z, y, x = np.indices(shape)
    return 20000 + 9000 * np.sin(x / 9 + z) * np.cos(y / 7) + RNG.normal(0, noise, shape)


def volume(data: np.ndarray, unit: str = "") -> Volume:
    axes = tuple(
        Axis(name, 0.65e-6, start, "m") for name, start in zip("zyx", (0.0, 1e-6, 2e-6), strict=True)
    )
    return Volume(data, axes, unit, "a bone", metadata={"sample": "bone"})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_pixel_is_kept(tmp_path: Path, dtype: type) -> None:
    data = RNG.integers(0, np.iinfo(dtype).max, (12, 33, 47), dtype, endpoint=True)
    told = write(tmp_path / "v", volume(data))
    assert (told.rounded, told.clipped) == (0, 0)
    again = tm.open(tmp_path / "v")
    assert isinstance(again, Volume)
    np.testing.assert_array_equal(again[:], data)
    for key in (3, -1, slice(2, 9, 3), (slice(1, 4), slice(3, 9), 5), (2, 5), (..., 4), np.array([4, 4, 0])):
        np.testing.assert_array_equal(again[key], data[key])
    assert again.axes == volume(data).axes
    assert again.name == "a bone"
    assert again.metadata["sample"] == "bone"
    pages = sorted((tmp_path / "v").glob("*.jp2"))
    np.testing.assert_array_equal([imagecodecs.jpeg2k_decode(page.read_bytes()) for page in pages], data)


def test_real_numbers_come_back_within_half_a_level(tmp_path: Path) -> None:
    data = RNG.normal(2.0, 0.5, (4, 20, 30)).astype(np.float32)
    told = write(tmp_path / "v", volume(data, "1/cm"), lossy=True)
    again = tm.open(tmp_path / "v")
    assert again.unit == "1/cm"
    assert again.dtype == np.float32
    half = float(np.ptp(data)) / 65535 / 2
    assert np.abs(again[:] - data).max() <= half * 1.001 + np.spacing(np.float32(4))
    assert again.metadata["grey_range"] == [float(data.min()), float(data.max())]
    changes = np.abs(again[:].astype(np.float64) - data)
    assert told.rounded == again.metadata["rounded"] == np.count_nonzero(changes)
    assert told.largest_rounding == changes.max()
    assert write(tmp_path / "w", again).rounded == 0  # once in levels, it stays as it is
    np.testing.assert_array_equal(tm.open(tmp_path / "w")[:], again[:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_values_between_the_levels_are_refused_unless_they_may_be_rounded(
    tmp_path: Path, dtype: type
) -> None:
    data = np.append(RNG.normal(0, 9e5, 119), 0).astype(dtype).reshape(4, 5, 6)
    with pytest.raises(InputError, match=r"of slice 0, \d+ of 30 voxels would change by up to .*--lossy"):
        write(tmp_path / "v", volume(data))
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="--lossy"):
        convert(volume(data), tmp_path / "v", to="jpeg2000")
    done = convert(volume(data), tmp_path / "v", to="jpeg2000", lossy=True)
    differ = np.count_nonzero(tm.open(tmp_path / "v")[:] != data)
    assert differ
    assert done.warnings[0].startswith(f"{differ} of 120 values were rounded, by up to ")


def test_a_constant_volume(tmp_path: Path) -> None:
    write(tmp_path / "v", volume(np.full((2, 4, 4), 7.5, np.float32)))
    np.testing.assert_array_equal(tm.open(tmp_path / "v")[:], 7.5)


@pytest.mark.parametrize("suffix", [".jp2", ".j2k"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_pages_of_another_writer(tmp_path: Path, bits: int, suffix: str) -> None:
    data = RNG.integers(0, 2**bits, (3, 21, 34)).astype(np.uint8 if bits == 8 else np.uint16)
    folder = tmp_path / "hoa"
    folder.mkdir()
    for z, page in enumerate(data):
        packed = imagecodecs.jpeg2k_encode(page, level=0, codecformat=suffix[1:], bitspersample=bits)
        (folder / f"organ_{z + 8}{suffix}").write_bytes(packed)
    assert page_header(folder / f"organ_8{suffix}").bits == bits
    stack = tm.open(folder)
    assert isinstance(stack, Volume)
    np.testing.assert_array_equal(stack[:], data)  # organ_8, organ_9, organ_10
    assert stack.metadata["uncalibrated"] is True
    one = tm.open(folder / f"organ_9{suffix}", pixel_m=25e-6)
    assert isinstance(one, Image)
    np.testing.assert_array_equal(one[4:9, 3], data[1, 4:9, 3])
    assert one.axes[0] == Axis("y", 25e-6, 0.0, "m")


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    data = np.zeros((2, 4, 4), np.float32)
    data[0, 0, 0] = np.nan
    scaled = replace(volume(data), metadata={"grey_range": (0.0, 1.0)})
    for bad, said in (
        (volume(data), "finite"),
        (scaled, "not finite"),
        (replace(scaled, metadata={"grey_range": (1.0, 0.0)}), "smaller first"),
        (Image(data[0], (Axis("y"), Axis("x"))), "2 axes is no volume"),
    ):
        with pytest.raises(InputError, match=said):
            write(tmp_path / "v", bad)
    assert not list(tmp_path.iterdir())
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "own").touch()
    with pytest.raises(FormatError, match="exists already"):
        write(tmp_path / "v", volume(np.zeros((2, 4, 4), np.uint8)))


def test_missing_other_and_colour_pages(tmp_path: Path) -> None:
    data = smooth((4, 20, 30)).astype(np.uint16)
    write(tmp_path / "v", volume(data))
    pages = sorted((tmp_path / "v").glob("*.jp2"))
    whole = pages[2].read_bytes()
    pages[2].write_bytes(imagecodecs.jpeg2k_encode(data[0, :10], level=0, codecformat="jp2"))
    with pytest.raises(FormatError, match="10 x 30 pixels of 16 bits, the first page 20 x 30"):
        tm.open(tmp_path / "v")[2]
    pages[2].write_bytes(whole)
    pages[3].unlink()
    with pytest.raises(FormatError, match="holds 3 of 4 pages"):
        tm.open(tmp_path / "v")
    (tmp_path / "v" / "volume.json").write_text('{"grey_range": [2, "a"]}')
    with pytest.raises(FormatError, match=r"volume\.json: is damaged"):
        tm.open(tmp_path / "v")
    Picture.fromarray(np.zeros((5, 6, 3), np.uint8)).save(tmp_path / "colour.jp2")
    with pytest.raises(FormatError, match="has 3 components"):
        tm.open(tmp_path / "colour.jp2")


def test_a_page_that_claims_too_much_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    page = imagecodecs.jpeg2k_encode(np.zeros((8, 8), np.uint16), level=0, codecformat="j2k")
    for offset, value in ((8, 2**31), (8, 0), (24, 0), (24, 1)):
        damaged = bytearray(page)
        struct.pack_into(">I", damaged, offset, value)
        if (offset, value) == (24, 1):  # tiles of one pixel of a page of 2^15 x 2^15
            struct.pack_into(">2I", damaged, 8, 2**15, 2**15)
            struct.pack_into(">2I", damaged, 24, 1, 1)
        (tmp_path / "x.j2k").write_bytes(damaged)
        with pytest.raises(FormatError, match=r"claims|tiles"):
            tm.open(tmp_path / "x.j2k")


def test_damaged_pages_end_in_words(tmp_path: Path) -> None:
    write(tmp_path / "v", volume(smooth((1, 24, 24)).astype(np.uint16)))
    page = next((tmp_path / "v").glob("*.jp2"))
    whole = page.read_bytes()
    refused = 0
    for trial in range(60):
        damaged = bytearray(whole)
        if trial % 4:
            for place in RNG.integers(0, len(whole), 3):
                damaged[place] ^= int(RNG.integers(1, 256))
        else:
            del damaged[int(RNG.integers(0, len(whole))) :]
        page.write_bytes(damaged)
        try:
            assert np.asarray(tm.open(tmp_path / "v")[0]).ndim == 2
        except TomariumError as problem:
            refused += str(tmp_path) in str(problem)
    assert refused > 15


def test_the_side_car_is_json(tmp_path: Path) -> None:
    write(tmp_path / "v", volume(smooth((2, 40, 40)).astype(np.float32)), lossy=True)
    told = json.loads((tmp_path / "v" / "volume.json").read_text("utf-8"))
    assert told["voxel_m"] == [0.65e-6] * 3
    assert len(told["grey_range"]) == 2
    assert told["rounded"] > 0


def test_a_folder_of_pages_that_is_not_in_order_is_refused_or_says_so(tmp_path: Path) -> None:
    page = imagecodecs.jpeg2k_encode(np.zeros((20, 30), np.uint16), level=0, codecformat="jp2")
    for number in range(5):
        (tmp_path / f"p_{number}.jp2").write_bytes(page)
    assert "notes" not in tm.open(tmp_path).metadata
    (tmp_path / "p_2.jp2").unlink()
    assert "1 numbers are absent from the pages: 2;" in tm.open(tmp_path).metadata["notes"][0]
    (tmp_path / "p_2.jp2").touch()  # as a full disk leaves it
    with pytest.raises(FormatError, match=r"p_2\.jp2: is called a JPEG 2000 page and is none"):
        tm.open(tmp_path)
    (tmp_path / "p_2.jp2").write_bytes(page)
    for other, said in (("p_0002.jp2", "the same number"), ("q_7.jp2", "2 series")):
        (tmp_path / other).write_bytes(page)
        with pytest.raises(FormatError, match=said):
            tm.open(tmp_path)
        (tmp_path / other).unlink()


def test_a_grey_range_of_other_pages_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "v", volume(RNG.integers(0, 255, (2, 20, 30)).astype(np.uint8)))
    side_car = tmp_path / "v" / "volume.json"
    side_car.write_text(json.dumps({**json.loads(side_car.read_text()), "grey_range": [0.0, 1.0]}))
    with pytest.raises(FormatError, match="its pages have 8 bits"):
        tm.open(tmp_path / "v")
