"""What a console and a notebook show of a scan and of a volume."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.errors import FormatError, InputError
from tomarium.formats.frames.concatenated import AbsentFrames
from tomarium.model import Axis, Image, Record, Value, Volume
from tomarium.model.record import FileEntry

AXES = tuple(Axis(name, 2e-6, 0.0, "m") for name in "zyx")


class Watched:
    """An array that notes what is read of it."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.array, self.read = array, list[tuple[int, ...]]()
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, key: Any) -> Any:
        part = self.array[key]
        self.read.append(np.shape(part))
        return part


def volume(*shape: int, **changed: Any) -> Volume:
    data = Watched(np.random.default_rng(1).normal(size=shape).astype(np.float32))
    return replace(Volume(data, AXES, "1/cm", "tooth", Path("a/tooth.zarr"), {}), **changed)


def picture(html: str) -> Pillow.Image:
    found = re.search(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"', html)
    assert found, html
    return Pillow.open(BytesIO(b64decode(found[1])))


def test_a_scan_is_at_most_one_screen() -> None:
    said = repr(
        replace(make_scan(angles=90), name="disc", warnings=("a", "b"), missing=("c",), repaired=("d",))
    )
    lines = said.splitlines()
    assert lines[0] == "Scan disc"
    assert len(lines) <= 15
    told = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[1:]}
    assert told["shape"].startswith("90 × 12 × 64 (angle, row, column), ")
    assert told["frames"] == "90 projections, 10 flats, 10 darks"
    assert told["angles"] == "0° … 178°, 90, read"
    assert told["pixel"].startswith("1 µm, ")
    assert (told["warnings"], told["missing"], told["repaired"]) == ("2", "1", "1")
    assert make_scan().with_geometry(axis_column=None).__repr__().count("not known") >= 1


def test_so_is_an_absurd_one() -> None:
    scan = replace(
        make_scan(),
        name="N" * 5000 + "\n\x1b[2J",
        path=Path("p" * 5000),
        format="f" * 5000,
        projections=AbsentFrames(Path("a.h5"), 0, ("b.h5",)),
        warnings=("w",) * 5000,
    ).with_geometry(pixel_m=Value(1e-30, "user", ""), angles_deg=Value(np.zeros(0), "default", ""))
    lines = repr(scan).splitlines()
    assert len(lines) <= 15
    assert max(map(len, lines)) <= 120
    assert "\x1b" not in repr(scan)
    assert "5000" in lines[-1]
    assert len(scan._repr_html_()) < 5000


def test_so_is_all_that_a_scan_holds_and_a_protocol() -> None:
    scan = make_scan(rows=12)
    for shown in (scan.geometry, scan.flats, scan.angles_deg, *map(tm.protocol, ("rings", "phase"))):
        lines = repr(shown).splitlines()
        assert len(lines) <= 20
        assert max(map(len, lines)) <= 120
    assert "  remove_stripes     method: auto" in repr(tm.protocol("rings")).splitlines()
    assert "Value(0, 3, 6 … " in repr(replace(scan.angles_deg, value=np.arange(90) * 3.0))
    assert scan.flats is not None
    np.testing.assert_array_equal(np.asarray(scan.flats)[1:3, 5], scan.flats[1:3, 5])


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: tm.find_axis("a.h5"), "open it first: tomarium.open"),  # type: ignore[arg-type]
        (lambda: tm.crop(Path("a.h5"), rows="1:3"), "open it first: tomarium.open"),  # type: ignore[arg-type]
        (lambda: tm.bin(np.zeros((2, 3, 4)), rows=2), "scan_of_arrays"),  # type: ignore[arg-type]
        (lambda: tm.reconstruct(make_scan(), rows="5:9"), r"rows=slice\(5, 9\)"),  # type: ignore[arg-type]
    ],
)
def test_what_is_given_in_place_of_a_scan_or_rows_is_answered(ask: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ask()


def test_a_volume_is_at_most_one_screen() -> None:
    lines = repr(volume(6, 8, 10)).splitlines()
    assert lines[0] == "Volume tooth"
    assert "6 × 8 × 10 (z, y, x), float32" in lines[2]
    assert lines[4].split() == ["z", "steps", "of", "2", "µm"]
    assert repr(volume(6, 8, 10, axes=tuple(Axis(name) for name in "zyx"))).count("not calibrated") == 3
    many = Image(np.zeros((1,) * 12), tuple(Axis(f"axis{i}") for i in range(12)), "", "many")
    assert len(repr(many).splitlines()) <= 15
    assert repr(Image(np.zeros(()), (), "", "")).startswith("Image")


def test_nothing_is_read_for_a_text() -> None:
    watched = volume(6, 8, 10)
    repr(watched)
    assert watched.data.read == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [(6, 8, 10), (3, 900, 500), (2, 3, 5000), (1, 1, 1)])
def test_a_notebook_gets_small_slices_and_a_slider(shape: tuple[int, int, int]) -> None:
    watched = volume(*shape)
    html = watched._repr_html_()
    drawn = picture(html)
    assert max(drawn.size) <= 400
    # The middle slice first, then each of the slider, never more than a plane at a time.
    assert [len(read) for read in watched.data.read] == [2] * (1 + (shape[0] if shape[0] > 1 else 0))  # type: ignore[attr-defined]
    if max(shape) < 400:
        assert drawn.size == (shape[2], shape[1])
    others = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", html)
    assert len(others) == (shape[0] if shape[0] > 1 else 0)
    assert {Pillow.open(BytesIO(b64decode(one))).size for one in others} <= {drawn.size}
    assert ("<input type='range'" in html) == (shape[0] > 1)


def test_the_slider_shows_what_it_says() -> None:
    stack = np.arange(50, dtype=np.float32)[:, None, None] * np.ones((1, 40, 40), np.float32)
    stack[:, :20] += 100  # each slice has two halves, so that the window is known
    html = volume(50, 40, 40, data=Watched(stack))._repr_html_()
    [places] = re.findall(r"data-places='([\d ]+)'", html)
    others = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", html)
    numbers = [int(word) for word in places.split()]
    assert len(numbers) == len(others) <= 21
    assert 25 in numbers
    greys = [np.asarray(Pillow.open(BytesIO(b64decode(one))).convert("L"))[:15].mean() for one in others]
    assert greys == sorted(greys)
    assert len(html) < 200_000


def test_a_large_volume_without_a_pyramid_is_not_read_for_a_slider() -> None:
    class Large(Watched):
        def __init__(self) -> None:
            self.read, self.shape, self.dtype = [], (2000, 6000, 6000), np.dtype(np.float32)

        def __getitem__(self, key: Any) -> Any:
            plane = np.zeros((3000, 3000), np.float32)
            self.read.append(plane.shape)
            return plane

    large = volume(1, 1, 1, data=Large())
    assert "<input" not in large._repr_html_()
    assert len(large.data.read) == 1  # type: ignore[attr-defined]


def test_the_coarse_level_is_read_where_it_suffices(make_volume: Callable[..., Path], tmp_path: Path) -> None:
    opened = tm.open(make_volume(tmp_path / "v.ome.zarr", size=32))
    assert isinstance(opened, Volume)
    fine, coarse = Watched(np.zeros((4, 800, 800))), Watched(np.zeros((2, 400, 400)))
    replace(opened, data=fine, levels=(fine, coarse))._repr_html_()
    assert (fine.read, coarse.read) == ([], [(400, 400)] * 5)
    assert picture(opened._repr_html_()).size == (32, 32)


def test_what_a_file_says_is_no_markup() -> None:
    html = volume(2, 3, 4, name="<script>alert(1)</script>", unit="<b>")._repr_html_()
    assert "<script>" not in html
    assert "<b>" not in html.partition("</caption>")[2]
    assert "&lt;script&gt;" in html
    assert "<script>" not in replace(make_scan(), name="<script>")._repr_html_()


def test_a_volume_that_cannot_be_read_has_its_table() -> None:
    class Damaged(Watched):
        def __getitem__(self, key: Any) -> Any:
            raise FormatError("v.zarr/0: some of its chunks are damaged")

    html = volume(2, 3, 4, data=Damaged(np.zeros((2, 3, 4))))._repr_html_()
    assert "2 × 3 × 4 (z, y, x)" in html
    assert "cannot be shown: v.zarr/0: some of its chunks are damaged" in html
    assert "<img" not in volume(0, 3, 4)._repr_html_()
    assert "cannot be shown" in volume(2, 3, 4, data=np.zeros((2, 3, 4), np.complex64))._repr_html_()


def test_a_record_is_one_screen_without_its_checksums() -> None:
    entry = FileEntry("volume.ome.zarr/", 4_000_000, "ab" * 32, "application/x-zarr", "volume")
    record = Record("tooth", "A <b>tooth</b>", datetime(2026, 11, 20, tzinfo=UTC), files=(entry,))
    lines = repr(record).splitlines()
    assert lines[0] == "Record tooth"
    assert len(lines) <= 15
    assert "no, a draft" in lines[-1]
    assert record.files[0].sha256 not in repr(record)
    html = record._repr_html_()
    assert "<b>tooth" not in html
    assert "&lt;b&gt;tooth" in html
