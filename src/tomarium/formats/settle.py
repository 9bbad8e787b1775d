"""What is settled once a scan was read: the user's own values, then whether the whole fits together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, ParameterError
from tomarium.model import Scan, Value

_SAID: Final = "given when the scan was opened"


def with_user_values(
    scan: Scan,
    *,
    angles_deg: Sequence[float] | NDArray[np.float64] | None,
    pixel_m: float | None,
    energy_kev: float | None,
    distance_m: float | None,
    axis_column: float | None,
) -> Scan:
    """Put the user's values in place of the file's.

    Parameters
    ----------
    scan : Scan
        As it was read.
    angles_deg : array of float or None
        One angle for each projection, degrees; None keeps the file's, here and below.
    pixel_m, distance_m : float or None
        Metres; the pixel size is that at the sample.
    energy_kev : float or None
        Photon energy, keV.
    axis_column : float or None
        Column of the rotation axis, 0-based, pixel centres at integers.

    Returns
    -------
    Scan
        The scan with these, each of origin "user".

    Raises
    ------
    ParameterError
        A value is not finite, or a pixel size or energy is not above zero.
    """
    if angles_deg is not None:
        angles = np.asarray(angles_deg, dtype=np.float64).ravel()
        scan = replace(scan, angles_deg=Value(angles, "user", _SAID))
    return replace(
        scan,
        pixel_m=scan.pixel_m if pixel_m is None else _given("pixel_m", pixel_m, above=0.0),
        energy_kev=scan.energy_kev if energy_kev is None else _given("energy_kev", energy_kev, above=0.0),
        distance_m=scan.distance_m if distance_m is None else _given("distance_m", distance_m),
        axis_column=scan.axis_column if axis_column is None else _given("axis_column", axis_column),
    )


def _given(name: str, number: float, above: float = -math.inf) -> Value[float]:
    if not math.isfinite(number) or number <= above:
        more = f" above {above:g}" if above > -math.inf else ""
        raise ParameterError(f"{name}={number:g} was given; it must be a finite number{more}")
    return Value(float(number), "user", _SAID)


def checked(scan: Scan) -> Scan:
    """Refuse a scan whose angles cannot be those of its projections, and say what it lacks.

    Parameters
    ----------
    scan : Scan
        As it was read, with the user's values.

    Returns
    -------
    Scan
        The same scan.

    Raises
    ------
    FormatError
        There are no projections; or the angles are too few, too many, not finite or all the same.
    """
    count = scan.shape[0]
    if not count:
        raise FormatError(
            f"{scan.path}: holds no projections, only {dict(scan.counts)}; nothing can be reconstructed"
        )
    angles, where = scan.angles_deg.value, f"{scan.path}: {scan.angles_deg.source}"
    remedy = f"give {count} angles as angles_deg when you open the scan"
    if len(angles) == 0:
        raise FormatError(f"{where}; {remedy}")
    if len(angles) > count and ":/" in scan.angles_deg.source:
        remedy += f", or their place, such as --angles '{scan.angles_deg.source}[0:{count}]' where the scan was stopped"
    if len(angles) != count:
        raise FormatError(
            f"{where}: {len(angles)} angles for {count} projections; one each is needed, so {remedy}"
        )
    bad = np.flatnonzero(~np.isfinite(angles))
    if len(bad):
        raise FormatError(
            f"{where}: {len(bad)} of {count} angles are no finite numbers, the first at projection {bad[0]}; "
            f"they must all be known, so {remedy}"
        )
    if count > 1 and not np.ptp(angles):
        raise FormatError(f"{where}: all {count} angles are {angles[0]:g}°, which says nothing; {remedy}")
    return scan
