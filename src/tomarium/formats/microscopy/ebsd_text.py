"""Orientation maps as text (EBSD): `.ang` of TSL and EDAX, `.ctf` of HKL and Oxford (Channel Text File).

Each line is a point, the points of a row follow each other, and each column is an image of its own. `.ctf` tells its
columns in a line of its own and has angles in degrees; `.ang` has, by custom, φ1, Φ, φ2 in radians, x, y in µm, image
quality, confidence index, phase, detector signal and fit in degrees. Positions are in µm in both. Points of a square
grid make an image of the axes (y, x); on a hexagonal one, where every other row is shifted, they stay in a row.

Source: the readers of orix (orix.readthedocs.io, `orix.io.plugins`), for the headers and the columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.format import Format, Match, no_match
from tomarium.model import Axis, Image

_HEAD: Final = 1 << 20
_MICROMETRE_M: Final = 1e-6
_MOST_POINTS: Final = 1 << 28
_CTF: Final = b"Channel Text File"
_ANG: Final = re.compile(rb"#[^\n]*\n(?:#[^\n]*\n)*", re.ASCII)
_ANG_COLUMNS: Final = ("phi1", "PHI", "phi2", "x", "y", "IQ", "CI", "phase", "SEM", "fit")
_UNITS: Final = {
    "phi1": "rad", "PHI": "rad", "phi2": "rad", "fit": "deg", "Euler1": "deg", "Euler2": "deg", "Euler3": "deg",
    "MAD": "deg",
}  # fmt: skip
_POSITIONS: Final = frozenset({"x", "y", "X", "Y"})
_LOOKED_AT_FIRST: Final = ("BC", "IQ")
"""Columns that look like a micrograph: the contrast, or quality, of the pattern at each point."""
_PHASES: Final = frozenset({"Phase", "phase"})


@dataclass(frozen=True)
class Grid:
    """What the header of a map says.

    Attributes
    ----------
    dialect : str
        "ang" or "ctf".
    columns : tuple of str
        Names of the columns.
    rows, across : int
        Points along y and x; rows is 0 of a hexagonal grid, whose points are counted by `across`.
    step_um : tuple of float
        Distance of neighbours along (y, x) in µm; 0 where it is not told.
    skip : int
        Lines before the first point.
    fields : mapping of str to str
        What else the header says.
    phases : tuple of str
        Names of the phases, in their order.
    """

    dialect: str
    columns: tuple[str, ...]
    rows: int
    across: int
    step_um: tuple[float, float]
    skip: int
    fields: Mapping[str, str]
    phases: tuple[str, ...]

    @property
    def points(self) -> int:
        """How many points there are."""
        return max(1, self.rows) * self.across


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of a map, read from its text when it is asked for, and kept.

    Attributes
    ----------
    path : Path
        The text.
    grid : Grid
        Its header.
    name : str
        Of the column.
    """

    path: Path
    grid: Grid
    name: str
    _kept: list[NDArray[Any]] = field(default_factory=list, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of points, or points."""
        return (self.grid.rows, self.grid.across) if self.grid.rows else (self.grid.across,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of an element: phases are whole numbers."""
        return np.dtype(np.int16 if self.name in _PHASES else np.float32)

    def __getitem__(self, key: Any) -> Any:
        with self._lock:
            if not self._kept:
                self._kept.append(self._read())
        return self._kept[0][key]

    def _read(self) -> NDArray[Any]:
        places = [self.grid.columns.index(name) for name in (self.name, *_position_names(self.grid))]
        try:
            with self.path.open(encoding="utf-8", errors="replace") as text:
                for _ in range(self.grid.skip):
                    text.readline()
                lines = (line.replace(",", ".") for line in text if line.strip() and not line.startswith("#"))
                first = list(islice(lines, 1))
                values = np.zeros((0, 3))
                if first:
                    values = np.loadtxt(
                        chain(first, lines),
                        np.float64,
                        usecols=places,
                        ndmin=2,
                        max_rows=self.grid.points + 1,
                    )
        except (OSError, ValueError, IndexError) as problem:
            raise FormatError(
                f"{self.path}: a line has no number in column {self.name} ({problem}); the file is damaged, so copy it "
                f"again"
            ) from problem
        if len(values) != self.grid.points:
            raise FormatError(
                f"{self.path}: has {'more than ' if len(values) > self.grid.points else ''}"
                f"{min(len(values), self.grid.points)} points where its header tells of {self.grid.points}; copy it "
                f"again"
            )
        self._demand_order(values[:, 1], values[:, 2])
        column = values[:, 0]
        if self.dtype.kind == "i" and not (np.isfinite(column) & (np.abs(column) < 1 << 15)).all():
            raise FormatError(f"{self.path}: column {self.name} holds what is no phase; copy it again")
        return column.astype(self.dtype).reshape(self.shape)

    def _demand_order(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Refuse points that are not in rows one after the other, as a map that was cropped or turned may be."""
        if not self.grid.rows:
            return
        step_y, step_x = self.grid.step_um
        expected_x = x[0] + step_x * (np.arange(self.grid.points) % self.grid.across)
        expected_y = y[0] + step_y * (np.arange(self.grid.points) // self.grid.across)
        apart = max(np.abs(x - expected_x).max() / step_x, np.abs(y - expected_y).max() / step_y)
        if not apart < 0.5:
            raise FormatError(
                f"{self.path}: its points do not follow each other along rows of {self.grid.across} in steps of "
                f"{step_x:g} µm, as its header tells; save the whole map, not turned, with the program that wrote it"
            )


def _position_names(grid: Grid) -> tuple[str, str]:
    return ("X", "Y") if grid.dialect == "ctf" else ("x", "y")


def detect(path: Path) -> Match | None:
    """Look for the first line of a Channel Text File, or for the comments that an `.ang` begins with."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    is_ctf = head.startswith(_CTF)
    if not is_ctf and not (
        head.startswith(b"#") and re.search(rb"^# *(GRID:|TEM_PIXperUM)", head, re.MULTILINE)
    ):
        return None
    try:
        grid = _ctf(path, head) if is_ctf else _ang(path, head)
    except FormatError as problem:
        return no_match(str(problem).removeprefix(f"{path}: "))
    names = [name for name in grid.columns if name not in _POSITIONS]
    entries = tuple(sorted(names, key=lambda name: name not in _LOOKED_AT_FIRST))
    size = f"{grid.rows} x {grid.across} points" if grid.rows else f"{grid.across} points of a hexagonal grid"
    why = f"its first line is {_CTF.decode()}" if is_ctf else "it begins with the comments of a map of TSL"
    return Match(0.9, grid.dialect, f"{why}; {size}", entry=entries[0], entries=entries, found=grid)


def _ctf(path: Path, head: bytes) -> Grid:
    lines = head.decode("utf-8", errors="replace").splitlines()
    fields: dict[str, str] = {}
    phases: list[str] = []
    left = 0
    for number, line in enumerate(lines[1:], 1):
        words = line.split("\t")
        if left:
            phases.append(words[2].strip() if len(words) > 2 else "")
            left -= 1
        elif words[0] == "Phases":
            left = min(256, int(words[1])) if len(words) > 1 and words[1].strip().isdecimal() else 0
        elif {"Phase", "X", "Y"} <= set(words):
            columns = tuple(word.strip() for word in words if word.strip())
            cells = [_count(path, fields, name) for name in ("YCells", "XCells")]
            steps = (_step(path, fields, "YStep"), _step(path, fields, "XStep"))
            return _grid(path, "ctf", columns, cells, steps, number + 1, fields, phases)
        else:
            fields |= {
                name.strip(): said.strip() for name, said in zip(words[::2], words[1::2], strict=False)
            }
    raise FormatError(f"{path}: its header has no line that names the columns Phase, X and Y; copy it again")


def _ang(path: Path, head: bytes) -> Grid:
    comments = _ANG.match(head)
    block = comments.group() if comments else b""
    if len(block) == len(head) and len(head) == _HEAD:
        raise FormatError(f"{path}: its header has no end within {_HEAD} bytes; copy it again")
    lines = block.decode("utf-8", errors="replace").splitlines()
    fields: dict[str, str] = {}
    phases: dict[int, str] = {}
    phase = 0
    for line in lines:
        said = re.match(r"#\s*([A-Za-z_][\w-]*)\s*:?\s*(.*)", line)
        if not said:
            continue
        name, text = said.group(1), said.group(2).strip()
        if name == "Phase" and text.isdecimal():
            phase = int(text)
        elif name == "MaterialName":
            phases[phase] = text
        else:
            fields.setdefault(name, text)
    first = head[len(block) :].decode("utf-8", errors="replace").splitlines()[:1]
    count = len(first[0].split()) if first else 0
    if count < len(_ANG_COLUMNS) - 2:
        raise FormatError(f"{path}: its first point has {count} numbers, and 8 to 10 are read; copy it again")
    columns = _ANG_COLUMNS[:count] + tuple(f"column{place + 1}" for place in range(len(_ANG_COLUMNS), count))
    steps = (_step(path, fields, "YSTEP"), _step(path, fields, "XSTEP"))
    names = [phases[number] for number in sorted(phases)]
    if fields.get("GRID", "").lower().startswith("sqr"):
        cells = [_count(path, fields, name) for name in ("NROWS", "NCOLS_ODD")]
        return _grid(path, "ang", columns, cells, steps, len(lines), fields, names)
    rows, odd, even = (_count(path, fields, name) for name in ("NROWS", "NCOLS_ODD", "NCOLS_EVEN"))
    points = odd * (rows - rows // 2) + even * (rows // 2)
    return Grid("ang", columns, 0, points, (0.0, 0.0), len(lines), fields, tuple(names))


def _grid(
    path: Path,
    dialect: str,
    columns: tuple[str, ...],
    cells: Sequence[int],
    steps: tuple[float, float],
    skip: int,
    fields: Mapping[str, str],
    phases: Sequence[str],
) -> Grid:
    if len(set(columns)) < len(columns) or cells[0] * cells[1] > _MOST_POINTS:
        raise FormatError(
            f"{path}: its header tells of {cells[0]} x {cells[1]} points in columns {', '.join(columns)[:80]}, which "
            f"cannot be; copy it again"
        )
    if not all(step > 0 for step in steps):
        raise FormatError(
            f"{path}: its steps are {steps[1]:g} and {steps[0]:g} µm; a map along one line, or of points without a "
            f"grid, is not read"
        )
    return Grid(dialect, columns, cells[0], cells[1], steps, skip, fields, tuple(phases))


def _count(path: Path, fields: Mapping[str, str], name: str) -> int:
    text = fields.get(name, "")
    if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) < 1:
        raise FormatError(
            f"{path}: {name} is {text[:20] or 'absent'!r}, and the number of points on a grid was expected; of a file "
            f"without a grid, save the map from the program that wrote it"
        )
    return int(text)


def _step(path: Path, fields: Mapping[str, str], name: str) -> float:
    text = fields.get(name, "").replace(",", ".")
    try:
        step = float(text)
    except ValueError:
        step = -1.0
    if not 0 <= step < 1e6:
        raise FormatError(
            f"{path}: {name} is {text[:20] or 'absent'!r}, and a step in µm was expected; copy it again"
        )
    return step


def read(path: Path, match: Match) -> Image:
    """Read the header of a map; its text is read when the first points are.

    `match.entry` names a column, such as "IQ" or "Euler1". Result: axes y and x of the points in m, or one axis `point`
    of a hexagonal grid; angles in the unit of the file. Phases are labels; their names stand in `metadata["phases"]`.
    """
    grid = match.found
    if not isinstance(grid, Grid):
        again = detect(path)
        grid = again.found if again is not None else None
    if not isinstance(grid, Grid) or match.entry not in grid.columns:
        raise FormatError(
            f"{path}: holds no column {match.entry!r}; choose one of {', '.join(match.entries) or 'none'}"
        )
    names = ("y", "x") if grid.rows else ("point",)
    axes = tuple(
        Axis(name, float(f"{step * _MICROMETRE_M:.12g}"), 0.0, "m") if grid.rows else Axis(name)
        for name, step in zip(names, grid.step_um, strict=False)
    )
    metadata: dict[str, Any] = {
        "format": match.dialect,
        "why": match.why,
        "value_name": match.entry,
        "fields": dict(grid.fields),
        "phases": list(grid.phases),
    }
    if not grid.rows:
        metadata["uncalibrated"] = True
    if match.entry in _PHASES:
        metadata["labels"] = True
    return Image(
        TextColumn(path, grid, match.entry), axes, _UNITS.get(match.entry, ""), f"{path.stem} {match.entry}", path,
        metadata,
    )  # fmt: skip


FORMAT = Format(
    name="ebsd",
    title="Orientation maps as text (EBSD)",
    suffixes=(".ctf", ".ang"),
    detect=detect,
    read=read,
)
