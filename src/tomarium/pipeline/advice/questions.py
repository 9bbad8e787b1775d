"""What advice asks for: one table, of which the options of the command and the form of the page are made."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from tomarium import units
from tomarium.errors import ParameterError
from tomarium.model.geometry import BY_NAME
from tomarium.model.sentence import Sentence

NO_NUMBER: Final = "%(label)s is %(text)s; a number was expected"
NOT_FINITE: Final = "%(label)s is %(text)s; a finite number was expected"
NO_COUNT: Final = "%(label)s is %(text)s; give a whole number, %(least)s or more"


@dataclass(frozen=True)
class Question:
    """One number of a scan, or of a planned one.

    Attributes
    ----------
    option : str
        Word of the command line, without dashes.
    field : str
        Field of `Acquisition`.
    label : str
        What the form says.
    help : str
        What the option's help says, and the form beside it.
    unit : str
        Unit of the number inside; text must carry one. "" for a count, a ratio or a text.
    metavar : str
        Word of the option's help for a number with its unit.
    least : int or None
        Least whole number; None where it is no count.
    """

    option: str
    field: str
    label: str
    help: str
    unit: str = ""
    metavar: str = ""
    least: int | None = None

    def read(self, text: str) -> Any:
        """Read what was filled into a form.

        Parameters
        ----------
        text : str
            A number, with its unit where it has one; not empty.

        Returns
        -------
        int, float or str
            As `acquisition` takes it.

        Raises
        ------
        ParameterError
            It is no number, or too small.
        UnitError
            A unit is missing or of another kind.
        """
        if self.field == "material":
            return text
        if self.unit:
            return units.parse(text, self.unit)
        try:
            number = float(text)
        except ValueError as problem:
            raise ParameterError(self._told(NO_NUMBER, repr(text[:40]))) from problem
        if not isfinite(number):
            raise ParameterError(self._told(NOT_FINITE, repr(text[:40])))
        if self.least is None:
            return number
        if number != int(number) or number < self.least:
            raise ParameterError(self._told(NO_COUNT, text[:40], least=self.least))
        return int(number)

    def _told(self, pattern: str, text: str, **values: object) -> Sentence:
        return Sentence(pattern, label=Sentence(self.label), text=Sentence(text), **values)


_DETECTOR: Final = (
    Question("columns", "columns", "Detector columns", "Detector columns.", least=1),
    Question("rows", "rows", "Detector rows", "Detector rows.", least=1),
    Question("views", "views", "Projections of a scan", "Projections of a scan.", least=1),
    Question("span", "span_deg", "Angle of a scan", "Angle that they go through, such as '180 deg'.", "deg", "ANGLE"),
    Question("num-flats", "flats", "Flat fields of a scan", "Flat fields of a scan.", least=0),
    Question("num-darks", "darks", "Dark fields of a scan", "Dark fields of a scan.", least=0),
    Question(
        "width", "width", "Voxels of the volume across",
        "Voxels of the volume across; those of the field of view by default.", least=1,
    ),
)  # fmt: skip
_BEAMTIME: Final = (
    Question("scans", "scans", "Scans", "How many such scans, for the disk space.", least=1),
    Question("methods", "methods", "Reconstructions of each",
             "How many volumes are made of each scan, such as with and without phase retrieval.", least=1),
    Question("scan-time", "scan_time_s", "Time from scan to scan",
             "Time from one scan to the next, such as '20 min', for the hours.", "s", "TIME"),
    Question("disk-speed", "disk_b_s", "Speed of your disk",
             "Speed at which your disk takes data, such as '80 MB/s'; `tomarium copy` measures it.", "B/s", "SPEED"),
)  # fmt: skip
_SAMPLE: Final = (
    Question("sample", "sample_m", "Diameter of the sample", "Diameter of the sample, such as '1.3 mm'.",
             "m", "LENGTH"),
    Question("delta-beta", "delta_beta", "Ratio δ/β", "Ratio δ/β of the sample, for phase retrieval."),
    Question("length-px", "length_px", "Length of Paganin's filter, px",
             "Length of Paganin's filter in pixels, for the ratio that it stands for."),
)  # fmt: skip
_MOTION: Final = (
    Question("exposure", "exposure_s", "Exposure of a projection",
             "Exposure time of a projection, such as '50 ms'.", "s", "TIME"),
    Question("speed", "speed_deg_s", "Speed of the rotation",
             "Speed of a continuous rotation, such as '3.6 deg/s'.", "deg/s", "SPEED"),
)  # fmt: skip
MATERIAL: Final = Question(
    "material", "material", "Material of the sample",
    "Sample's material, such as 'SiO2 2.65' (g/cm³); a mixture by weight '0.7 H2O + 0.3 C5H8O2 1.05'.",
)  # fmt: skip

OWN: Final = (*_DETECTOR, *_BEAMTIME, *_SAMPLE, *_MOTION)
"""Questions that the command asks besides the options by which a scan is opened, and the material."""


def _question_of_field(name: str) -> Question:
    field = BY_NAME[name]
    return Question(field.option, name, field.label, field.help, field.unit)


GROUPS: Final[tuple[tuple[str, tuple[Question, ...]], ...]] = (
    ("The scan", _DETECTOR),
    ("The beamtime", _BEAMTIME),
    ("Beam and sample", (
        *(_question_of_field(name) for name in ("pixel_m", "energy_kev", "distance_m")), MATERIAL, *_SAMPLE,
    )),
    ("Exposure and rotation", _MOTION),
)  # fmt: skip
"""All questions as the form groups them."""

BY_OPTION: Final = {question.option: question for _, group in GROUPS for question in group}
