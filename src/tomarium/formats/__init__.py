"""Files in and out: each module holds one format; `open` finds the right one by looking at the bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tomarium import registry
from tomarium.errors import FormatError, ParameterError
from tomarium.formats.format import Format, Match
from tomarium.formats.isolated import rehearse
from tomarium.formats.refusal import explain, unusable
from tomarium.formats.settle import checked, with_user_values
from tomarium.model import Image, Scan

__all__ = ["Format", "Match", "formats", "open", "recognise"]


def formats() -> dict[str, Format]:
    """List the formats there are.

    Returns
    -------
    dict of str to Format
        Name → format, those of other installed packages included.
    """
    return registry.collect("formats", Format)


def recognise(path: str | PathLike[str]) -> tuple[tuple[Format, Match], ...]:
    """Ask every format what it makes of a file or folder.

    Parameters
    ----------
    path : path
        File or folder.

    Returns
    -------
    tuple of (Format, Match)
        The formats that have something to say, the best first; a score of 0 is a "no" with its reason.

    Raises
    ------
    FormatError
        There is nothing at the path, or nothing that can be read.
    """
    place = Path(path)
    problem = unusable(place)
    if problem:
        raise FormatError(problem)
    matches = [(one, match) for one in formats().values() if (match := one.detect(place)) is not None]
    suffix = place.suffix.lower()
    return tuple(sorted(matches, key=lambda pair: (-pair[1].score, suffix not in pair[0].suffixes)))


def open(
    path: str | PathLike[str],
    *,
    as_format: str | None = None,
    entry: str | None = None,
    angles_deg: Sequence[float] | NDArray[np.float64] | None = None,
    pixel_m: float | None = None,
    energy_kev: float | None = None,
    distance_m: float | None = None,
    axis_column: float | None = None,
    isolated: bool = False,
) -> Scan | Image:
    """Open a scan or a volume; only its header is read now, its frames when they are asked for.

    Parameters
    ----------
    path : path
        File or folder, in any of the formats `tomarium.formats.formats()` lists.
    as_format : str or None
        Name of the format to read it as; None lets the file decide.
    entry : str or None
        Which scan, for a file that holds several, as `recognise` lists them; None takes the first.
    angles_deg : array of float, shape (angle,), or None
        Rotation angles in degrees to take in place of the file's. None keeps the file's, here and below.
    pixel_m : float or None
        Pixel size at the sample, m.
    energy_kev : float or None
        Photon energy, keV.
    distance_m : float or None
        Distance from sample to detector, m.
    axis_column : float or None
        Column of the rotation axis, 0-based, pixel centres at integers.
    isolated : bool
        Whether to open it first in a process of its own, which costs about a second: damaged bytes can crash
        the library that reads them, or keep it for ever. For files of strangers.

    Returns
    -------
    Scan or Image
        A scan where the file holds projections, an image (a `Volume` where it has three axes) otherwise.

    Raises
    ------
    FormatError
        The file is of no known format, is damaged, or its parts do not fit together.
    ParameterError
        There is no format or entry of that name, or a value given cannot be.
    """
    place = Path(path)
    if isolated:
        rehearse(place, as_format)
    form, match = _choose(place, recognise(place), as_format)
    if entry is not None:
        found = next((one for one in match.entries if one.strip("/") == entry.strip("/")), None)
        if found is None:
            held = ", ".join(match.entries) or "only one, without a name"
            raise ParameterError(f"{place}: holds no scan called {entry!r}; it holds {held}")
        match = replace(match, entry=found)
    opened = form.read(place, match)
    if isinstance(opened, Image):
        return opened
    return checked(
        with_user_values(
            opened,
            angles_deg=angles_deg,
            pixel_m=pixel_m,
            energy_kev=energy_kev,
            distance_m=distance_m,
            axis_column=axis_column,
        )
    )


def _choose(
    place: Path, matches: tuple[tuple[Format, Match], ...], as_format: str | None
) -> tuple[Format, Match]:
    if as_format is not None:
        if as_format not in formats():
            raise ParameterError(f"there is no format {as_format!r}; there are {', '.join(formats())}")
        matches = tuple(pair for pair in matches if pair[0].name == as_format)
    chosen = [pair for pair in matches if pair[1].score > 0]
    if not chosen:
        reasons = {form.title: match.why for form, match in matches}
        asked = [formats()[as_format]] if as_format else list(formats().values())
        raise FormatError(explain(place, [form.title for form in asked], reasons))
    return chosen[0]
