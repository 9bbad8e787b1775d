"""Tasks for a class, made from the volume of a record, with answers that are computed from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from tomarium.errors import InputError, ParameterError
from tomarium.model import Record
from tomarium.viewers import slices
from tomarium.viewers.prominent_parts import Body, body_of
from tomarium.viewers.scale_bar import scale_bar

LEVELS: Final = ("pupil", "student")
PARTS: Final = ("bright", "dark")
"""What of a volume can be asked about."""
PICTURE_MM: Final = 80.0
"""Width of the large picture on the sheet, or its height where that is more; in print at 100 %."""
RULER_MM: Final = 1.0
"""What a length that is measured with a ruler may be wrong by: half a millimetre at either end."""
CLEARLY: Final = 1.15
"""The widest of the slices to choose from shows so many times as much as the next at least."""
LETTERS: Final = "ABCD"


@dataclass(frozen=True)
class SlicePicture:
    """A slice across the rotation axis on the sheet.

    Attributes
    ----------
    index : int
        Along z.
    columns, rows : int
        Voxels across, and down as wide as those across.
    width_mm : float
        On paper.
    bar_m, bar_fraction : float
        Length of its scale bar, m, and over the width of the picture.
    bar : str
        The length for people.
    marks : tuple of (str, float, float)
        Letter, column and row of points, in voxels from the left and upper edge.
    letter : str
        Its name among others; "" where it has none.
    """

    index: int
    columns: int
    rows: int
    width_mm: float
    bar_m: float
    bar_fraction: float
    bar: str
    marks: tuple[tuple[str, float, float], ...] = ()
    letter: str = ""


@dataclass(frozen=True)
class Task:
    """One task with its answer.

    Attributes
    ----------
    title, text : str
        What it is about, and what is to be done.
    value, tolerance : float
        The answer, and what another one may differ from it to be right.
    unit : str
        Of both; "" for a number of things.
    answer, way : str
        The answer for people with its tolerance, and how one comes to it.
    pictures : tuple of SlicePicture
        That belong to it.
    """

    title: str
    text: str
    value: float
    tolerance: float
    unit: str
    answer: str
    way: str
    pictures: tuple[SlicePicture, ...] = ()


@dataclass(frozen=True)
class Worksheet:
    """The tasks of a record.

    Attributes
    ----------
    title, id, level, licence : str
        Of the record, in plain words where it has them; for whom; under which terms.
    credit : str
        Who made the record.
    picture : SlicePicture
        The large one, on which is measured.
    tasks : tuple of Task
        In their order.
    left_out : tuple of str
        What could not be asked of this record, and why.
    parts : str
        "bright" or "dark": what is asked about; "" where nothing stands out.
    """

    title: str
    id: str
    level: str
    licence: str
    credit: str
    picture: SlicePicture
    tasks: tuple[Task, ...]
    left_out: tuple[str, ...]
    parts: str


def suits(record: Record) -> bool:
    """Tell whether a worksheet can be made of a record: it has a volume of known voxel size."""
    size = slices.voxel_m(record)
    return (
        slices.SLICES.shows(record) and size is not None and all(size) and min(record.volume["shape"][1:]) > 1
    )


def worksheet(record: Record, folder: Path, level: str, parts: str = "") -> Worksheet:
    """Make the worksheet of a record.

    Parameters
    ----------
    record : Record
        With a volume.
    folder : Path
        Its folder.
    level : str
        "pupil" or "student".
    parts : str
        "bright" or "dark": what is asked about, such as a tooth in air or pores in stone. "" finds out
        (`prominent_parts.body_of`).

    Returns
    -------
    Worksheet
        Up to six tasks for pupils and eight for students.

    Raises
    ------
    InputError
        The record has no volume, or the size of its voxels is not known; `parts` is another word.
    FormatError
        The volume is damaged.
    """
    if parts and parts not in PARTS:
        raise ParameterError(f"parts = {parts[:40]!r}: choose {' or '.join(PARTS)}, or leave it out")
    if not slices.SLICES.shows(record):
        raise InputError(
            f"{record.id}: has no volume (OME-Zarr) to ask tasks of; reconstruct its scan, or take another record"
        )
    size = slices.voxel_m(record)
    if size is None or not all(size):
        raise InputError(
            f"{record.id}: the size of its voxels is not known, so that no length can be asked; file its volume with "
            f"--voxel, such as --voxel '6.5 um'"
        )
    if not suits(record):
        raise InputError(
            f"{record.id}: its slices are {record.volume['shape'][1:]} voxels, too thin to measure in"
        )
    body = body_of(record, folder, parts)
    sheet = _Maker(record, size, body, level, parts)
    picture = sheet.picture(sheet.main_index(), PICTURE_MM, sheet.ends())
    tasks = [
        sheet.length(picture),
        sheet.magnification(picture),
        sheet.slices(),
        sheet.widest(),
        sheet.volume(),
    ]
    if level == "student":
        tasks += [sheet.share(), sheet.bytes()]
    tasks.append(sheet.photos())
    doi = record.publication.doi if record.publication else ""
    return Worksheet(
        title=record.card.title or record.title,
        id=record.id,
        level=level,
        licence=record.licence,
        credit=", ".join([*(person.name for person in record.creators), f"doi:{doi}" if doi else record.id]),
        picture=picture,
        tasks=tuple(task for task in tasks if task is not None),
        left_out=tuple(sheet.left_out),
        parts="" if body is None else PARTS[body.dark],
    )


class _Maker:
    """Makes one task after the other; each is a method, which gives None where the record cannot be asked."""

    def __init__(
        self,
        record: Record,
        size_m: tuple[float, float, float],
        body: Body | None,
        level: str,
        parts: str,
    ) -> None:
        self.record, self.size_m, self.body, self.level, self.parts = record, size_m, body, level, parts
        z, y, x = (int(n) for n in record.volume["shape"])
        self.shape = (z, y, x)
        self.left_out: list[str] = []
        # One unit on the whole sheet, so that nobody has to turn one into the other.
        large = max(n * value for n, value in zip(self.shape, size_m, strict=True)) >= 1e-4
        self.unit, self.unit_m = ("mm", 1e-3) if large else ("µm", 1e-6)

    def picture(
        self,
        index: int,
        longest_mm: float,
        marks: tuple[tuple[str, float, float], ...] = (),
        letter: str = "",
    ) -> SlicePicture:
        columns, rows = self.shape[2], self.shape[1]
        tall = rows * self.size_m[1] / (columns * self.size_m[2])
        bar_m, fraction = scale_bar(columns * self.size_m[2])
        width = longest_mm / max(1.0, tall)
        bar = self.told(bar_m)
        return SlicePicture(index, columns, round(columns * tall), width, bar_m, fraction, bar, marks, letter)

    def told(self, length_m: float, digits: int = 3) -> str:
        """Write a length in the unit of the sheet."""
        return f"{_digits(length_m / self.unit_m, digits)} {self.unit}"

    def main_index(self) -> int:
        return self.shape[0] // 2 if self.body is None else self.index_of(int(self.body.areas.argmax()))

    def index_of(self, small: int) -> int:
        """Return the slice in the middle of a slice of the small volume."""
        assert self.body is not None
        return min(self.shape[0] - 1, int((small + 0.5) * self.shape[0] / len(self.body.areas)))

    def ends(self) -> tuple[tuple[str, float, float], ...]:
        """Return where what stands out is widest in its widest slice; else points in the middle of the picture."""
        columns, rows = self.shape[2], self.shape[1]
        row_and_ends = None if self.body is None else self.body.widest_row(int(self.body.areas.argmax()))
        row, left, right = row_and_ends or (0.5, 0.2, 0.8)
        left, right, row = left * columns, right * columns, row * rows
        down = self.size_m[1] / self.size_m[2]
        return (("A", left, row * down), ("B", right, row * down))

    def length(self, picture: SlicePicture) -> Task:
        (_, left, _), (_, right, _) = picture.marks
        long_m = (right - left) * self.size_m[2]
        on_paper = (right - left) / picture.columns * picture.width_mm
        bar_mm = picture.bar_fraction * picture.width_mm
        tolerance = long_m * RULER_MM * (1 / on_paper + 1 / bar_mm)
        return Task(
            title="Measure with the scale bar",
            text=f"How far is it from A to B in truth? Measure A–B and the scale bar with a ruler. The bar is "
            f"{picture.bar} long in truth.",
            value=long_m / self.unit_m,
            tolerance=tolerance / self.unit_m,
            unit=self.unit,
            answer=f"{self.told(long_m)} ± {self.told(tolerance, 1)}",
            way=f"On paper A–B is {on_paper:.0f} mm and the bar {bar_mm:.0f} mm: {on_paper:.0f} ÷ "
            f"{bar_mm:.0f} × {picture.bar}. A ruler reads to a millimetre.",
        )

    def magnification(self, picture: SlicePicture) -> Task:
        bar_mm = picture.bar_fraction * picture.width_mm
        value = 1e-3 * bar_mm / picture.bar_m
        tolerance = value * RULER_MM / bar_mm
        return Task(
            title="How many times larger?",
            text="How many times larger is the scale bar on this sheet than the length that stands beside it?",
            value=value,
            tolerance=tolerance,
            unit="",
            answer=f"{_digits(value)} times, ± {_digits(tolerance, 1)}, if the sheet was printed at 100 %",
            way=f"The bar is {bar_mm:.1f} mm on paper and stands for {picture.bar}. If it measures otherwise, "
            f"the sheet was printed smaller or larger: take what was measured.",
        )

    def slices(self) -> Task | None:
        count = self.shape[0]
        if count < 2:
            self.left_out.append("Counting slices: there is one.")
            return None
        step, high = self.told(self.size_m[0]), self.told(count * self.size_m[0], 4)
        tolerance = abs(float(high.split()[0]) / float(step.split()[0]) - count) + 0.5
        return Task(
            title="Count the slices",
            text=f"The scan is {high} high. Its slices lie on top of each other like those of a loaf of "
            f"bread, each {step} thick. How many are there?",
            value=count,
            tolerance=tolerance,
            unit="",
            answer=f"{count}"
            + (f" ± {math.ceil(tolerance)}, for the lengths are rounded" if tolerance > 0.51 else ""),
            way=f"{high} ÷ {step}",
        )

    def widest(self) -> Task | None:
        chosen = None if self.body is None else _clearly_widest(self.body.areas)
        if chosen is None:
            self.left_out.append("Finding the widest slice: no slice shows clearly more than the others.")
            return None
        assert self.body is not None
        best = int(self.body.areas[list(chosen)].argmax())
        pictures = tuple(
            self.picture(self.index_of(k), PICTURE_MM / 2, letter=LETTERS[n]) for n, k in enumerate(chosen)
        )
        area = self.body.pixel_m2 / self.unit_m**2
        areas = ", ".join(
            f"{LETTERS[n]} {_digits(self.body.areas[k] * area)} {self.unit}²" for n, k in enumerate(chosen)
        )
        return Task(
            title="Find the widest slice",
            text=f"Which of the slices {LETTERS[0]} to {LETTERS[len(chosen) - 1]} shows most of the "
            f"{self.body.words if self.body.dark else 'specimen'}? "
            f"Say its letter. Then find it on the page of the record with the slider z.",
            value=pictures[best].index,
            tolerance=0.0,
            unit="",
            answer=f"{pictures[best].letter}, the slice z = {pictures[best].index}",
            way=f"{'Dark' if self.body.dark else 'Bright'} area: {areas}",
            pictures=pictures,
        )

    def volume(self) -> Task | None:
        if self.body is None:
            reason = (
                f"no {self.parts} parts stand out in the scan"
                if self.parts
                else "nothing stands out in the scan"
            )
            self.left_out.append(f"Volume and share of the specimen: {reason}.")
            return None
        edge_m = math.prod(self.body.voxel_m) ** (1 / 3)
        edges = [self.told(edge_m if self.body.cubes else value, 4) for value in self.body.voxel_m[::-1]]
        size = f"{edges[0]} wide"
        size += "" if self.body.cubes else f", {edges[1]} deep and {edges[2]} high"
        block = math.prod(self.body.voxel_m) / self.unit_m**3
        value = self.body.count * block
        tolerance = self.body.unsure * block + 0.01 * value
        cubic = "cubic millimetres" if self.unit == "mm" else "cubic micrometres"
        cubes = "cubes" if self.body.cubes else "blocks"
        return Task(
            title="From counting to a volume",
            text=f"A computer filled the {self.body.words} with little {cubes}, each {size}, and counted "
            f"{_grouped(self.body.count)} of them. How many {cubic} are the {self.body.words}?",
            value=value,
            tolerance=tolerance,
            unit=f"{self.unit}³",
            answer=f"{_digits(value)} {self.unit}³ ± {_digits(tolerance, 1)} {self.unit}³",
            way=f"One has {_digits(block)} {self.unit}³; times {_grouped(self.body.count)}. "
            f"{_grouped(2 * self.body.unsure)} of them lie at a surface and are partly filled: half of these "
            f"may be wrong."
            + (" Inside is what bright parts close in within their slice." if self.body.closed else ""),
        )

    def share(self) -> Task | None:
        if self.body is None:
            return None
        total, count = self.body.room, self.body.count
        value = 100 * count / total
        tolerance = 100 * self.body.unsure / total + value * self.body.room_unsure / total + 0.5
        cubes = "cubes" if self.body.cubes else "blocks"
        if self.body.dark:
            title = "What share is dark?"
            text = (
                f"With its dark parts the specimen fills {_grouped(total)} of these {cubes}. What share of them is "
                f"dark? What share is bright?"
            )
            answer = f"{value:.1f} % dark, {100 - value:.1f} % bright, ± {tolerance:.1f} %"
        else:
            title = "What share is filled?"
            text = (
                f"The whole scan has room for {_grouped(total)} of these {cubes}. What share is bright? What share is "
                f"left for pores and for what is around?"
            )
            answer = f"{value:.1f} % bright, {100 - value:.1f} % left, ± {tolerance:.1f} %"
        return Task(title, text, value, tolerance, "%", answer, way=f"{_grouped(count)} ÷ {_grouped(total)}")

    def bytes(self) -> Task:
        z, y, x = self.shape
        value = 2.0 * z * y * x
        return Task(
            title="How much room does it take?",
            text=f"The volume has {x} × {y} × {z} voxels. Each is kept in 2 bytes. How many megabytes is that "
            f"(1 MB = 1 000 000 bytes)?",
            value=value / 1e6,
            tolerance=0.01 * value / 1e6,
            unit="MB",
            answer=f"{_digits(value / 1e6)} MB",
            way=f"{x} × {y} × {z} × 2 = {_grouped(int(value))} bytes",
        )

    def photos(self) -> Task:
        across = self.shape[2]
        value = math.pi / 2 * across
        projections = self.record.parameters.get("projections")
        count = projections.value if projections is not None and projections.origin != "default" else None
        comparison = ""
        if isinstance(count, int) and not isinstance(count, bool) and count > 0:
            ratio = count / value
            times = f"{ratio:.1f} times as many" if ratio >= 1.05 else f"{100 * ratio:.0f} % of that"
            comparison = f" In truth {_grouped(count)} were taken, {times}."
        rule = "π ÷ 2 times as many" if self.level == "student" else "about 1.6 times as many"
        return Task(
            title="How many photos?",
            text=f"For a sharp slice one takes {rule} photos over half a turn as a slice has voxels across. "
            f"This one has {across}. How many photos are that?",
            value=value,
            tolerance=0.03 * value,
            unit="",
            answer=f"about {_grouped(round(value))}.{comparison}",
            way=f"{across} × π ÷ 2 (Crowther, DeRosier and Klug 1970)",
        )


def _clearly_widest(areas: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[int, ...] | None:
    """Choose up to four slices, in their order, of which one shows clearly more than the others."""
    best = int(areas.argmax())
    less = np.flatnonzero((areas > 0) & (areas * CLEARLY <= areas[best]))
    if len(less) < 2:
        return None
    further = less[np.unique(np.linspace(0, len(less) - 1, min(3, len(less))).round().astype(int))]
    return tuple(sorted({best, *(int(number) for number in further)}))


def _digits(value: float, digits: int = 3) -> str:
    """Write a number with so many digits, never with an exponent."""
    rounded = Decimal(f"{value:.{digits}g}")
    return _grouped(int(rounded)) if rounded >= 10_000 else f"{rounded.normalize():f}"


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")
