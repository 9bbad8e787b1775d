"""Stacks of JPEG 2000 pages, one slice each, read page by page.

What JPEG 2000 cannot say lies in `volume.json` beside the pages: the voxel size, the unit, and the grey range by
which real numbers became 16 bits; with it the values come back as they were. A stack without it, as other
programs write, is read as it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.one_frame import OneFrame
from tomarium.formats.frames.per_frame import PerFrame
from tomarium.formats.jpeg2000.page import PageHeader, decode, is_jpeg2000, page_header
from tomarium.formats.jpeg2000.writer import LEVELS, SIDE_CAR, write
from tomarium.formats.opening.directory_listing import ending_in
from tomarium.formats.opening.filenames import check_numbers, gap_warnings, natural, series_of
from tomarium.model import Axis, Image, Volume

SUFFIXES: Final = (".jp2", ".j2k", ".j2c", ".jpx", ".jpf")
# A grey range is that of pages of 16 bits.
_GREY_BITS: Final = 16
_LONGEST_SIDE_CAR: Final = 64 << 20


@dataclass(frozen=True, eq=False)
class Pages(PerFrame):
    """A stack of pages; each is decoded when it is read."""

    pages: tuple[Path, ...]  # one file a slice, in order
    header: PageHeader  # size and bits of a page
    # values that 0 and 65535 stand for; None for the pages' own numbers
    grey_range: tuple[float, float] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return (len(self.pages), *self.header.size)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The pages' own type, float32 with a grey range."""
        return self.header.dtype if self.grey_range is None else np.dtype(np.float32)

    def _fill(self, result: NDArray[Any], wanted: NDArray[np.intp], rows: slice) -> None:
        least, most = self.grey_range or (0.0, 0.0)
        for out, number in enumerate(wanted):
            pixels = decode(self.pages[number], self.header)[rows]
            result[out] = pixels if self.grey_range is None else least + pixels * ((most - least) / LEVELS)


def detect(path: Path) -> Match | None:
    """Look for JPEG 2000 pages in a folder, or for one alone."""
    pages = _pages(path)
    if not pages:
        return None
    try:
        header = page_header(pages[0])
    except FormatError as problem:
        return no_match(str(problem))
    pixels = f"{header.size[0]} x {header.size[1]} pixels of {header.bits} bits"
    if path.is_file():
        return Match(0.6, "page", f"a JPEG 2000 page of {pixels}")
    beside = f", and {SIDE_CAR} beside them" if (path / SIDE_CAR).is_file() else ""
    return Match(0.7 if beside else 0.6, "stack", f"{len(pages)} JPEG 2000 pages of {pixels}{beside}")


def _pages(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if is_jpeg2000(path) else []
    if not path.is_dir():
        return []
    return sorted((file for file in ending_in(path, *SUFFIXES) if is_jpeg2000(file)), key=natural)


def read(path: Path, match: Match) -> Image:
    """Read the header of a stack or of a page.

    `path`: folder or file. Result: a volume of a folder, an image of one page. Raises FormatError: a page or
    the side-car is damaged, or pages are missing.
    """
    pages = _pages(path)
    if not pages:
        raise FormatError(f"{path}: its JPEG 2000 pages are gone; restore them")
    header = page_header(pages[0])
    if match.dialect == "page":
        return Image(
            OneFrame(Pages((path,), header)),
            (Axis("y"), Axis("x")),
            "",
            path.stem,
            path,
            {"uncalibrated": True},
        )
    notes = _check_pages(path, pages)
    side_car = _side_car(path)
    try:
        count, size = side_car.get("pages", len(pages)), tuple(side_car.get("page_size", header.size))
        grey_range = _grey_range(side_car.get("grey_range"))
        axes = _axes(side_car.get("voxel_m"), side_car.get("origin_m"))
        unit, name = str(side_car.get("unit", "")), str(side_car.get("name") or path.name)
        metadata = dict(side_car.get("metadata", {}))
    except (TypeError, ValueError, AttributeError) as problem:
        raise FormatError(
            f"{path / SIDE_CAR}: is damaged ({problem}); copy it again, or move it away"
        ) from problem
    if size != header.size:
        raise FormatError(f"{pages[0]}: claims {header.size} pixels, {SIDE_CAR} says {size}; copy it again")
    if count != len(pages):
        raise FormatError(f"{path}: holds {len(pages)} of {count} pages; copy the missing ones again")
    for key in ("grey_range", "ratio", "clipped", "rounded", "largest_rounding"):
        if side_car.get(key) is not None:
            metadata[key] = side_car[key]
    if notes:
        metadata["notes"] = notes
    if grey_range is not None and header.bits != _GREY_BITS:
        raise FormatError(
            f"{path}: {SIDE_CAR} tells the values of 0 and {LEVELS}, and its pages have {header.bits} bits; one of the "
            f"two is of another volume, so copy it again"
        )
    if axes[0].unit == "px":
        metadata["uncalibrated"] = True
    return Volume(Pages(tuple(pages), header, grey_range), axes, unit, name, path, metadata)


def _check_pages(path: Path, pages: list[Path]) -> list[str]:
    """Refuse a folder whose pages cannot be in order, and say which numbers are absent."""
    page_set = set(pages)
    strange = [file for file in ending_in(path, *SUFFIXES) if file.is_file() and file not in page_set]
    if strange:
        raise FormatError(
            f"{strange[0]}: is called a JPEG 2000 page and is none, so a slice would be missing; copy it again, or "
            f"take it out of the folder"
        )
    ranked = series_of(pages)
    if len(ranked) > 1 and len(ranked[0]) > 1:
        raise FormatError(
            f"{path}: holds pages of {len(ranked)} series, {ranked[0][0].name} … and {ranked[1][0].name} …; put each "
            f"volume into a folder of its own"
        )
    check_numbers(path, ranked[0], "slice")
    return gap_warnings(ranked[0], "pages")


def _side_car(path: Path) -> Mapping[str, Any]:
    file = path / SIDE_CAR
    if not file.is_file():
        return {}
    try:
        if file.stat().st_size > _LONGEST_SIDE_CAR:
            raise ValueError(f"{file.stat().st_size} bytes")
        content = json.loads(file.read_text("utf-8"))
        if not isinstance(content, Mapping):
            raise ValueError("no mapping")
    except (OSError, ValueError, RecursionError) as problem:
        raise FormatError(f"{file}: is damaged ({problem}); copy it again, or move it away") from problem
    return content


def _grey_range(pair: Any) -> tuple[float, float] | None:
    if pair is None:
        return None
    least, most = map(float, pair)
    if not (math.isfinite(least) and math.isfinite(most) and least <= most):
        raise ValueError(f"its grey range is {pair}")
    return least, most


def _axes(voxel_m: Any, origin_m: Any) -> tuple[Axis, Axis, Axis]:
    if voxel_m is None:
        return Axis("z"), Axis("y"), Axis("x")
    z, y, x = (
        Axis(name, float(size), float(start), "m")
        for name, size, start in zip("zyx", voxel_m, origin_m or (0.0, 0.0, 0.0), strict=True)
    )
    return z, y, x


FORMAT = Format(
    name="jpeg2000",
    title="JPEG 2000 stack",
    suffixes=SUFFIXES,
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"volume"}),
    resumes=True,
    rounds=True,
)
