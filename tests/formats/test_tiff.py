"""TIFF series and stacks: names, sizes, angles, kinds of pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import tomarium as tm
from tomarium.errors import FormatError
from tomarium.formats.opening.angles import without_references
from tomarium.model import Image, Scan

RNG = np.random.default_rng(5)
STACK = RNG.integers(0, 250, (12, 6, 7)).astype(np.uint16)


def opened(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def series(folder: Path, stack: np.ndarray, name: str = "raw_{}.tif", **how: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(stack):
        tifffile.imwrite(folder / name.format(number), frame, **how)
    return folder


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "f4", "f8", ">u2", ">f4"])
def test_types_of_pixels(tmp_path: Path, dtype: str) -> None:
    scan = opened(series(tmp_path / "s", STACK.astype(dtype), byteorder=">" if dtype[0] == ">" else "<"))
    block = scan.projections.read(np.array([10, 2]), slice(2, 5))
    assert block.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(block, STACK[[10, 2], 2:5])


def test_numbers_sort_as_numbers(tmp_path: Path) -> None:
    """raw_2 comes before raw_10."""
    scan = opened(series(tmp_path / "s", STACK))
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(0, 1)), STACK[:, 0:1])
    assert scan.warnings[-1].startswith("no file of angles was found")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_row_costs_a_page_only_where_it_is_compressed(tmp_path: Path, compression: str | None) -> None:
    scan = opened(series(tmp_path / "s", STACK, compression=compression))
    read, decoded = scan.projections.cost(12, slice(0, 1))
    assert decoded == (0 if compression is None else STACK.nbytes)
    assert compression is not None or read == 12 * 7 * 2
    np.testing.assert_array_equal(scan.projections.read(slice(3, 5), slice(1, 4)), STACK[3:5, 1:4])


@pytest.mark.parametrize(
    "how",
    [
        {"photometric": "minisblack"},
        {"photometric": "minisblack", "compression": "zlib"},
        {"photometric": "minisblack", "bigtiff": True, "metadata": None},
        {"imagej": True},
    ],
)
def test_stacks_of_pages(tmp_path: Path, how: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "x.tif", STACK, **how)
    scan = opened(tmp_path / "x.tif", domain="counts")
    assert scan.dialect == "stack"
    assert scan.shape == (12, 6, 7)
    np.testing.assert_array_equal(
        scan.projections.read(np.array([11, 0, 4]), slice(1, 6)), STACK[[11, 0, 4], 1:6]
    )


def test_several_stacks_make_one_series(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for number, part in enumerate((STACK[:5], STACK[5:9], STACK[9:])):
        tifffile.imwrite(tmp_path / "s" / f"part_{number}.tif", part, photometric="minisblack")
    scan = opened(tmp_path / "s")
    assert scan.shape == (12, 6, 7)
    np.testing.assert_array_equal(scan.projections.read(slice(3, 11), slice(0, 2)), STACK[3:11, 0:2])


@pytest.mark.parametrize(
    ("flat", "dark"),
    [
        ("flat_{}.tif", "dark_{}.tif"),
        ("FLAT{}.TIF", "Darkfield-{}.tiff"),
        ("flats/img_{}.tif", "darks/img_{}.tif"),
        ("scan_bak_{}.tif", "scan_drk_{}.tif"),
        ("ob_{}.tif", "dark_{}.tif"),
    ],
)
def test_references_are_told_by_their_names(tmp_path: Path, flat: str, dark: str) -> None:
    folder = series(tmp_path / "s", STACK)
    for name, value, count in ((flat, 200, 3), (dark, 1, 2)):
        for number in range(count):
            file = folder / name.format(number)
            file.parent.mkdir(exist_ok=True)
            tifffile.imwrite(file, np.full((6, 7), value, np.float32))
    scan = opened(folder)
    assert scan.shape == (12, 6, 7)
    assert scan.flats is not None
    assert scan.darks is not None
    assert (scan.flats.frames.read(slice(None), slice(None)) == np.full((3, 6, 7), 200)).all()
    assert (scan.darks.frames.read(slice(None), slice(None)) == np.full((2, 6, 7), 1)).all()


def test_references_of_another_folder_are_named(tmp_path: Path) -> None:
    folder = series(tmp_path / "s" / "views", STACK)
    flats = series(tmp_path / "day" / "beam", np.full((3, 6, 7), 200, np.uint16), "a{}.tif")
    tifffile.imwrite(tmp_path / "s" / "off.tif", np.full((6, 7), 1, np.uint16))
    scan = opened(folder, flats=flats, darks="../off.tif")  # beside the scan
    assert scan.flats is not None
    assert scan.darks is not None
    assert (scan.flats.frames.read(slice(None), slice(2, 4)) == np.full((3, 2, 7), 200)).all()
    assert (scan.darks.frames.read(slice(None), slice(None)) == np.full((1, 6, 7), 1)).all()
    assert scan.counts["flat"] == 3
    assert not any("flat fields" in said or "dark fields" in said for said in scan.warnings)
    with pytest.raises(FormatError, match="given as flat fields, has frames of"):
        opened(folder, flats=series(tmp_path / "other", STACK[:2, :5], "a{}.tif"))
    with pytest.raises(FormatError, match="holds no TIFF files"):
        opened(folder, flats=tmp_path / "day")


def test_flats_before_and_after(tmp_path: Path) -> None:
    folder = series(tmp_path / "s", STACK)
    for name in ("flat_pre_0.tif", "flat_post_0.tif"):
        tifffile.imwrite(folder / name, STACK[0])
    scan = opened(folder)
    assert scan.flats is not None
    assert sorted(scan.flats.position.tolist()) == [-1, 12]


def test_the_name_of_the_folder_itself_says_nothing(tmp_path: Path) -> None:
    assert opened(series(tmp_path / "flat_sample", STACK)).shape[0] == 12


def test_frames_of_other_sizes_are_refused_by_name(tmp_path: Path) -> None:
    folder = series(tmp_path / "s", STACK)
    tifffile.imwrite(folder / "raw_7.tif", STACK[7, :5])
    with pytest.raises(
        FormatError, match=r"raw_7\.tif: its page 0 has 5 x 7 pixels of uint16.*raw_0\.tif, 6 x 7"
    ):
        tm.open(folder)
    tifffile.imwrite(folder / "raw_7.tif", STACK[7].T.copy())  # as many bytes: met when it is read
    scan = opened(folder)
    with pytest.raises(FormatError, match=r"raw_7\.tif: its page 0 has 7 x 6 pixels"):
        scan.projections.read(slice(None), slice(0, 1))


def test_references_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = series(tmp_path / "s", STACK)
    tifffile.imwrite(folder / "flat.tif", STACK[7, :5])
    with pytest.raises(FormatError, match=r"flat\.tif has frames of 5 x 7 pixels"):
        tm.open(folder)


def test_colour_is_refused(tmp_path: Path) -> None:
    folder = series(tmp_path / "s", RNG.integers(0, 255, (4, 6, 7, 3), np.uint8), photometric="rgb")
    with pytest.raises(FormatError, match="a frame is grey"):
        tm.open(folder)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    folder = series(tmp_path / "s", STACK)
    file = folder / "raw_5.tif"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(FormatError, match=r"raw_5\.tif: is truncated"):
        tm.open(folder)


def test_gaps_and_strangers_are_said(tmp_path: Path) -> None:
    folder = series(tmp_path / "s", STACK)
    (folder / "raw_4.tif").unlink()
    tifffile.imwrite(folder / "preview.tif", STACK[0])
    scan = opened(folder)
    assert scan.shape[0] == 11
    assert "the series has gaps: no number 4" in scan.warnings
    assert any("preview.tif" in text for text in scan.warnings)


def test_two_series_are_refused(tmp_path: Path) -> None:
    folder = series(series(tmp_path / "s", STACK), STACK, "other_{}.tif")
    with pytest.raises(FormatError, match="holds two series of 12 files"):
        tm.open(folder)


def test_only_references_are_no_scan(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="flats and darks but no projections"):
        tm.open(series(tmp_path / "s", STACK, "flat_{}.tif"))


@pytest.mark.parametrize("text", ["{}", "# angle in degrees\n{}\n", "\ufeff{}"])
@pytest.mark.parametrize("separator", ["\n", ", ", "\r\n", " "])
def test_angles_are_read(tmp_path: Path, text: str, separator: str) -> None:
    folder = series(tmp_path / "s", STACK)
    angles = [15.0 * number for number in range(12)]
    (folder / "angles.txt").write_text(text.format(separator.join(map(str, angles))), "utf-8")
    scan = opened(folder)
    assert scan.angles_deg.origin == "read"
    assert scan.angles_deg.value.tolist() == angles


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0\n1\ntwo\n", "line 3 is 'two', no number"),
        ("0\n1_0\n", "line 2 is '1_0', no number"),
        ("", "0 angles for 12 projections|angles.txt"),
        ("\n".join(map(str, range(11))), "11 angles for 12 projections"),
        ("\n".join(map(str, range(14))), "14 angles for 12 projections"),
        ("\n".join(["nan"] * 12), "12 of 12 angles are no finite numbers"),
    ],
)
def test_angles_that_cannot_be_are_refused(tmp_path: Path, text: str, why: str) -> None:
    folder = series(tmp_path / "s", STACK)
    (folder / "angles.txt").write_text(text)
    with pytest.raises(FormatError, match=why):
        tm.open(folder)


def test_angles_of_references_are_left_out_only_where_that_is_certain() -> None:
    moving = np.arange(0.0, 12.0)
    before, after = np.zeros(3), np.full(2, 11.0)
    kept, said = without_references(np.concatenate([before, moving, after]), 12)
    np.testing.assert_array_equal(kept, moving)
    assert "first 3 and the last 2" in said
    for angles, count in (
        (moving, 12),  # nothing too many
        (np.concatenate([moving, [12.0, 13.0]]), 12),  # the surplus moves
        (np.concatenate([before, moving, after]), 13),  # more stands still than is too many
        (np.zeros(20), 12),
    ):
        kept, said = without_references(angles, count)
        np.testing.assert_array_equal(kept, angles)
        assert said == ""


class TestWhatTagsSay:
    """White as zero, tables of colours and turned pictures: numbers that mean something else than they show."""

    @pytest.mark.parametrize(
        ("tag", "word"),
        [
            ({"photometric": "miniswhite"}, "white as zero"),
            ({"extratags": [(274, 3, 1, 4, True)]}, "Orientation 4"),
        ],
    )
    def test_one_odd_frame_is_refused_and_a_whole_series_says_so(
        self, tmp_path: Path, tag: dict[str, Any], word: str
    ) -> None:
        usual = {"photometric": "minisblack", "extratags": [(274, 3, 1, 1, True)]}
        folder = series(tmp_path / "s", STACK, **usual)
        assert not [said for said in opened(folder).warnings if "tags" in said]
        tifffile.imwrite(folder / "raw_7.tif", STACK[7], **{**usual, **tag})
        with pytest.raises(FormatError, match=rf"raw_7\.tif.*{word}"):
            opened(folder).projections.read(slice(None), slice(None))
        scan = opened(series(tmp_path / "all", STACK, **{**usual, **tag}))
        assert any(word in said for said in scan.warnings)
        np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), STACK)

    def test_an_odd_page_of_a_stack_is_refused(self, tmp_path: Path) -> None:
        with tifffile.TiffWriter(tmp_path / "s.tif") as writer:
            for number, frame in enumerate(STACK):
                how = "miniswhite" if number == 5 else "minisblack"
                writer.write(frame, photometric=how, contiguous=False, metadata=None)
        with pytest.raises(FormatError, match="page 5 has white as zero"):
            opened(tmp_path / "s.tif")

    def test_references_mean_what_the_projections_do(self, tmp_path: Path) -> None:
        folder = series(tmp_path / "s", STACK, photometric="minisblack")
        tifffile.imwrite(folder / "flat_0.tif", STACK[0], photometric="miniswhite")
        with pytest.raises(FormatError, match=r"flat_0\.tif has white as zero"):
            opened(folder)

    def test_places_in_a_table_of_colours_are_refused(self, tmp_path: Path) -> None:
        table = RNG.integers(0, 65535, (3, 256)).astype(np.uint16)
        folder = series(tmp_path / "s", STACK.astype(np.uint8), photometric="palette", colormap=table)
        with pytest.raises(FormatError, match="table of colours"):
            opened(folder)


@pytest.mark.parametrize("twin", ["raw_0003.tif", "raw_3.tiff"])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_a_number_that_is_there_twice_is_refused(tmp_path: Path, twin: str, dtype: str) -> None:
    """Both as a scan and as slices, which floats are taken for."""
    folder = series(tmp_path / "s", STACK.astype(dtype))
    tifffile.imwrite(folder / twin, STACK[0].astype(dtype))
    with pytest.raises(FormatError, match=r"raw_0*3\.tiff? and raw_0*3\.tiff? have the same number"):
        tm.open(folder)


@pytest.mark.parametrize("how", [{"imagej": True}, {"ome": True}])
def test_a_hyperstack_is_no_series_of_angles(tmp_path: Path, how: dict[str, Any]) -> None:
    path = tmp_path / ("s.ome.tif" if "ome" in how else "s.tif")
    tifffile.imwrite(path, STACK.reshape(2, 3, 2, 6, 7), metadata={"axes": "TZCYX"}, **how)
    image = tm.open(path)
    assert isinstance(image, Image)
    assert "2 times x 3 slices x 2 channels" in image.metadata["why"]
    assert [axis.name for axis in image.axes] == ["time", "z", "channel", "y", "x"]
    np.testing.assert_array_equal(image[:], STACK.reshape(2, 3, 2, 6, 7))
    tifffile.imwrite(path, STACK, metadata={"axes": "TYX"}, **how)
    assert opened(path).projections.shape == STACK.shape
