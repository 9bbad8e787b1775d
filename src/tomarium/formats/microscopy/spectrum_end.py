"""Whether a spectrum in text (EMSA/MAS, ISO 22029) has come to its end: RosettaSciIO reads a cut one as a short one."""

from __future__ import annotations

import re
from pathlib import Path

from tomarium.errors import FormatError


def refuse_cut_spectrum(path: Path, points: int) -> None:
    """Refuse a spectrum that ends early: by its number of points, or by the line that ends the data.

    Parameters
    ----------
    path : Path
        Of the file.
    points : int
        Numbers that were read.

    Raises
    ------
    FormatError
        It has another number of points than it states, ends within a line, or tells neither number nor end.
    """
    text = path.read_text(encoding="latin-1")
    stated = re.search(r"^#NPOINTS[^:\n]*: *([0-9.eE+]+)", text, re.MULTILINE)
    ended = re.search(r"^#ENDOFDATA", text, re.MULTILINE)
    try:
        expected = round(float(stated[1])) if stated else None
    except ValueError:
        expected = None
    if expected is not None and expected != points:
        raise FormatError(f"{path}: has {points} of the {expected} points that NPOINTS states; copy it again")
    if ended is None and not (expected is not None and text.endswith("\n")):
        raise FormatError(f"{path}: ends before the line #ENDOFDATA, so values may be missing; copy it again")
