"""Exposure and dose: whether times and doses add up."""

from __future__ import annotations

from collections.abc import Iterator

from tomarium.doctor.core.check import compares
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject


@compares("projections", "exposure_s", "scan_time_s")
def exposures_against_scan_time(
    subject: Subject, projections: float, exposure_s: float, scan_time_s: float
) -> Iterator[Finding]:
    """Compare the sum of the exposures with the time of the scan: they must fit in it.

    Parameters
    ----------
    subject : Subject
        Anything that knows these.
    projections : float
        Number of projections.
    exposure_s, scan_time_s : float
        Seconds.

    Yields
    ------
    Finding
        An error where they do not fit; an information otherwise, with the part of the time that was used.
    """
    needed = projections * exposure_s
    found = f"{projections:.0f} × {_time(exposure_s)} = {_time(needed)}"
    expected = f"at most the scan's {_time(scan_time_s)}"
    if needed > 1.02 * scan_time_s:
        yield error(
            "scan time",
            found,
            expected,
            "exposure, number of projections or scan time is wrong: check their units (ms, s, min)",
        )
    elif needed < 1e-3 * scan_time_s:
        yield warning(
            "scan time",
            f"{found}, {100 * needed / scan_time_s:.2g} % of it",
            expected,
            "a thousand times too long: check the unit of exposure and scan time",
        )
    else:
        yield info("scan time", found, f"{expected}, of which it fills {100 * needed / scan_time_s:.0f} %")


@compares("series_time_s", "scan_time_s", "stages_z")
def series_time_against_scans(
    subject: Subject, series_time_s: float, scan_time_s: float, stages_z: float
) -> Iterator[Finding]:
    """Compare the time of the series with that of its scans.

    Parameters
    ----------
    subject : Subject
        Anything that knows these; scans per stage and stages across where they are known.
    series_time_s, scan_time_s : float
        Seconds.
    stages_z : float
        Vertical stages.

    Yields
    ------
    Finding
        An error where the scans take longer than the series; a warning where they fill less than a third.
    """
    scans = stages_z
    for name in ("scans_per_stage", "stages_x", "stages_y"):
        if name in subject.facts:
            scans *= subject.facts[name].value
    needed = scans * scan_time_s
    found = f"{scans:.0f} scans × {_time(scan_time_s)} = {_time(needed)}"
    expected = f"the series' {_time(series_time_s)}, less what moves and references take"
    if needed > 1.02 * series_time_s:
        yield error(
            "series time",
            found,
            f"at most {expected}",
            "check the number of stages and the units of both times",
        )
    elif needed < series_time_s / 3:
        yield warning("series time", found, expected, "scans are missing in the count, or a unit is wrong")
    else:
        yield info("series time", found, expected)


@compares("dose_rate_gy_per_s", "dose_gy", "scan_time_s")
def dose_against_rate(
    subject: Subject, dose_rate_gy_per_s: float, dose_gy: float, scan_time_s: float
) -> Iterator[Finding]:
    """Compare the dose with rate times time: the same within a factor of ten, for depth and overlap differ.

    Parameters
    ----------
    subject : Subject
        Anything that knows these; scans per stage where they are known.
    dose_rate_gy_per_s : float
        Dose rate at the surface, Gy/s.
    dose_gy : float
        Dose in the volume of interest, Gy.
    scan_time_s : float
        Seconds.

    Yields
    ------
    Finding
        A warning where they differ by more than a factor of ten, else an information.
    """
    if dose_rate_gy_per_s <= 0 or scan_time_s <= 0:
        return
    times = subject.facts["scans_per_stage"].value if "scans_per_stage" in subject.facts else 1.0
    product = dose_rate_gy_per_s * scan_time_s * times
    scans = f"{times:.0f} × " if times > 1 else ""
    expected = (
        f"of the order of {scans}{dose_rate_gy_per_s:g} Gy/s × {_time(scan_time_s)} = {product / 1e3:.3g} kGy"
    )
    if 0.1 <= dose_gy / product <= 10:
        yield info("dose", f"{dose_gy / 1e3:.3g} kGy", expected)
    else:
        yield warning("dose", f"{dose_gy / 1e3:.3g} kGy", expected, "check the units: Gy, kGy, Gy/s, Gy/min")


def _time(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.4g} h"
    if seconds >= 90:
        return f"{seconds / 60:.3g} min"
    return f"{seconds:.3g} s" if seconds >= 0.01 else f"{1e3 * seconds:.3g} ms"
