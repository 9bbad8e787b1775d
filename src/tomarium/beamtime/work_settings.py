"""What a person sets on the page of work: the fields of its form, and the protocol that they spell.

The fields become the words of a command line, so that what is refused here is refused there by the same sentence.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from tomarium import units
from tomarium.beamtime.work_steps import FILES, chosen_steps, demand_offered, reconstruction_of
from tomarium.errors import InputError, ParameterError, UnitError
from tomarium.model import Domain
from tomarium.model.sentence import Sentence
from tomarium.pipeline.protocol.choice import Choice
from tomarium.pipeline.protocol.protocol import Protocol

REGION: Final = ("x0", "x1", "y0", "y1")
"""Fields of the region: first voxel, and the one behind the last."""
LONGEST: Final = 4000
"""Letters of a field at most."""


@dataclass(frozen=True)
class WorkSettings:
    """What is done with a scan, as it is typed; "" is what a run takes by itself.

    Attributes
    ----------
    row : str
        Detector row of the slice: a number from 0, negative from the end, or a height with its unit; the middle one by
        default.
    axis : str
        Column of the rotation axis, from 0; that of the file by default, or found.
    pixel : str
        Pixel size with its unit; that of the scan by default.
    delta_beta, length : str
        Paganin's ratio δ/β, or the length of his filter in pixels; without either there is no phase retrieval.
    energy, distance : str
        Photon energy and propagation distance for it with their units, those of the scan by default.
    rings, ring_strength : str
        Method of `remove_stripes`, which no value leaves out, and how much of what it finds is removed.
    x0, x1, y0, y1 : str
        Region of the slices that is reconstructed: first voxel, and the one behind the last; all four or none.
    rows : str
        Detector rows that are reconstructed, "A:B"; all by default.
    bin_columns, bin_rows, bin_angles : str
        Detector pixels, and views, that are averaged; 1 by default. Whatever they are, the fields above count the
        detector's own rows, columns and pixels, and voxels of slices without binning: a place stays where it is.
    further : str
        Steps besides, one a line, and their parameters; see `work_steps.chosen_steps`.
    more : str
        Further parameters of steps, "step.parameter=value", one a line; they count what is left after binning.
    """

    row: str = ""
    axis: str = ""
    pixel: str = ""
    delta_beta: str = ""
    length: str = ""
    energy: str = ""
    distance: str = ""
    rings: str = ""
    ring_strength: str = ""
    x0: str = ""
    x1: str = ""
    y0: str = ""
    y1: str = ""
    rows: str = ""
    bin_columns: str = ""
    bin_rows: str = ""
    bin_angles: str = ""
    further: str = ""
    more: str = ""

    @property
    def texts(self) -> dict[str, str]:
        """The fields by their names."""
        return asdict(self)

    @property
    def binning(self) -> tuple[int, int]:
        """Rows and columns that are averaged; 1 where what is typed is no number, which the step itself refuses."""
        rows, columns = (int(text) if _is_count(text) else 1 for text in (self.bin_rows, self.bin_columns))
        return rows, columns

    @property
    def steps(self) -> tuple[str, ...]:
        """Steps besides those of a usual run."""
        binned = any(text not in ("", "1") for text in (self.bin_columns, self.bin_rows, self.bin_angles))
        choices = (
            ("bin", binned),
            ("paganin", self.delta_beta or self.length),
            ("remove_stripes", self.rings),
        )
        own = [name for name, is_chosen in choices if is_chosen]
        return (*own, *(name for name in chosen_steps(self.further) if name not in own))

    @property
    def assignments(self) -> tuple[str, ...]:
        """Parameters, ``step.parameter=value``, in pixels as the binning leaves them."""
        columns, further = self.binning[1], chosen_steps(self.further)
        slices = reconstruction_of(further)
        binned = "bin" in self.steps
        parameters = (
            ("bin.rows", self.bin_rows if binned else ""),
            ("bin.columns", self.bin_columns if binned else ""),
            ("bin.angles", self.bin_angles if binned else ""),
            (f"{slices}.axis_column", _number(self.axis, lambda column: binned_column(column, columns))),
            (f"{slices}.pixel_m", _pixel(self.pixel, columns)),
            ("paganin.delta_beta", self.delta_beta),
            ("paganin.length_px", _number(self.length, lambda length: length / columns)),
            ("paganin.energy_kev", self.energy),
            ("paganin.distance_m", self.distance),
            ("remove_stripes.method", self.rings),
            ("remove_stripes.strength", self.ring_strength),
        )
        typed = (line.strip() for line in self.more.splitlines())
        return (
            *(f"{name}={text}" for name, text in parameters if text),
            *(
                f"{step}.{name}={text}"
                for step, values in further.items()
                for name, text in values.items()
                if text
            ),
            *(line for line in typed if line),
        )

    @property
    def region(self) -> str | None:
        """The region in the words of `--roi`, in voxels after binning; None for all of the slices."""
        region = {name: getattr(self, name) for name in REGION}
        if not any(region.values()):
            return None
        lacking = [name for name, text in region.items() if not text]
        if lacking:
            raise ParameterError(
                f"the region lacks {', '.join(lacking)}; give all of {', '.join(REGION)}, or none for the whole slice"
            )
        x, y = (binned_range(f"{region[f'{axis}0']}:{region[f'{axis}1']}", self.binning[1]) for axis in "xy")
        return f"{y},{x}"

    @property
    def run_rows(self) -> str:
        """The rows in the words of `--rows`, after binning; "" for all."""
        return binned_range(self.rows, self.binning[0])

    @property
    def choice(self) -> Choice:
        """The same in the words of a command line, without the rows."""
        return Choice(steps=self.steps, assignments=self.assignments, region=self.region)

    def protocol(self, domain: Domain = "counts") -> Protocol:
        """Make the protocol.

        Parameters
        ----------
        domain : Domain
            What the scan's numbers are.

        Returns
        -------
        Protocol
            The checked protocol.

        Raises
        ------
        InputError, ParameterError
            A value is not allowed, as the command line says it.
        """
        for name in chosen_steps(self.further):
            demand_offered(name)
        if any(line.partition("=")[0].strip().endswith(f".{FILES}") for line in self.assignments):
            raise ParameterError("the page lets no step take further files; use it with tomarium run")
        protocol = self.choice.protocol(domain)
        assert self.slices is None or protocol  # raises where the rows are none
        return protocol

    @property
    def slices(self) -> slice | None:
        """Rows that are reconstructed, after binning; None for all."""
        return rows_of(self.run_rows)

    def command(self, scan: str) -> str:
        """Write the command that makes the same volume.

        Parameters
        ----------
        scan : str
            What stands for the scan.

        Returns
        -------
        str
            For a shell.
        """
        words = ["tomarium", "run", scan]
        for step in self.steps:
            words += ["--step", step]
        for assignment in self.assignments:
            words += ["--set", assignment]
        if self.region is not None:
            words += ["--roi", self.region]
        if self.rows:
            words += ["--rows", self.run_rows]
        return shlex.join(words)


def rows_of(text: str) -> slice | None:
    """Read the rows of a run, "A:B" as `--rows` takes them.

    Parameters
    ----------
    text : str
        "" for all.

    Returns
    -------
    slice or None
        The rows.

    Raises
    ------
    InputError
        It is no range.
    """
    if not text:
        return None
    if "," in text or ":" not in text:
        raise InputError(f"{text!r} is no range; write A:B with whole numbers, such as 100:200")
    return Choice(region=f"{text},:,:").rows()


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text[:9]) >= 1


def _number(text: str, change: Callable[[float], float]) -> str:
    """Change a number that is typed; what is none is left to the step, which refuses it."""
    try:
        number = float(text)
    except ValueError:
        return text
    changed = change(number)
    return text if changed == number else f"{changed:.10g}"


def _pixel(text: str, columns: int) -> str:
    """Write a pixel size after binning; what is none is left to the step."""
    if columns == 1 or not text:
        return text
    try:
        return f"{units.parse(text, 'm') * columns:.10g} m"
    except UnitError:
        return text


def binned_column(column: float, count: int) -> float:
    """Return where a column lies when so many are averaged; pixel centres are at integers, from 0."""
    return (column + 0.5) / count - 0.5


def detector_column(column: float, count: int) -> float:
    """Return the detector's column of one of columns that so many were averaged to."""
    return (column + 0.5) * count - 0.5


def binned_range(text: str, count: int) -> str:
    """Write a range "A:B" of pixels as that of the binned ones that cover it; what is none is left as it is."""
    first, colon, last = (part.strip() for part in text.partition(":"))
    if count == 1 or not colon or not all(not end or _is_whole(end) for end in (first, last)):
        return text
    return f"{int(first) // count if first else ''}:{-(-int(last) // count) if last else ''}"


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii()


FIELDS: Final = tuple(field.name for field in fields(WorkSettings))


def settings_of(values: Mapping[str, Any]) -> WorkSettings:
    """Read the fields of a form.

    Parameters
    ----------
    values : mapping of str to str
        Name → text; others are passed over.

    Returns
    -------
    WorkSettings
        Not checked yet: `protocol` does that.

    Raises
    ------
    ParameterError
        A field is too long.
    """
    texts = {name: str(values.get(name, "")).strip() for name in FIELDS}
    for name, text in texts.items():
        if len(text) > LONGEST:
            raise ParameterError(f"{name} has {len(text)} letters; at most {LONGEST} are taken")
    return WorkSettings(**texts)


USUAL: Final = {
    "row": "middle", "axis": "as found, or as the file tells", "pixel": "of the scan", "delta_beta": "none",
    "length": "none", "energy": "of the scan", "distance": "of the scan", "rings": "none", "ring_strength": "1",
    "region": "the whole slice", "rows": "all", "bin_columns": "1", "bin_rows": "1", "bin_angles": "1",
    "further": "none", "more": "none",
}  # fmt: skip
"""What each field stands for where nothing is typed, in words."""
NAMES: Final = {name: name.replace("_", " ").replace("delta beta", "δ/β") for name in USUAL}
"""Field → its name in words."""
REGION_IS: Final = "x %(x0)s to %(x1)s, y %(y0)s to %(y1)s"
OF_THE_VOLUME: Final = ("region", "rows")
"""Fields that change the volume, and not the slice that is shown."""


def changes_between(before: WorkSettings, after: WorkSettings) -> list[tuple[str, str, str]]:
    """Tell which fields of two differ: the name of each in words, and both values; the region counts as one."""
    changes = []
    for name, usual in USUAL.items():
        a, b = (_field_text(settings, name) or usual for settings in (before, after))
        if a != b:
            changes.append((NAMES[name], a, b))
    return changes


def _field_text(settings: WorkSettings, name: str) -> str:
    """Return a field as it was typed, and the four of the region together, with gaps where some are left out."""
    if name != "region":
        return " ".join(str(getattr(settings, name)).split())
    ends = {part: getattr(settings, part) for part in REGION}
    return Sentence(REGION_IS, **ends) if any(ends.values()) else ""
