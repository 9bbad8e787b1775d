"""What the user should know of a result: what was assumed, what was weak, what had to be mended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tomarium.model import Scan

STARVED: Final = 1e-3
"""Part of the values that may be clipped before photons are called too few (methods: 0.1 %)."""

DEAD: Final = 1e-2
"""Part of the values that may come from dead pixels before it is worth saying (1 %)."""


def cautions(
    scan: Scan,
    probes: Mapping[str, Any],
    quality: Mapping[str, float],
    not_finite: int,
    rows: int | None = None,
) -> tuple[str, ...]:
    """Say what speaks against trusting a result blindly.

    Parameters
    ----------
    scan : Scan
        The scan; its own warnings come first.
    probes : mapping
        Probe → its answer, JSON-ready.
    quality : mapping of str to float
        What the steps counted.
    not_finite : int
        Voxels that are NaN or infinite.
    rows : int, optional
        Detector rows the steps counted in; all by default.

    Returns
    -------
    tuple of str
        One sentence each; empty where there is nothing to say.
    """
    found = [*scan.warnings]
    if scan.pixel_m is None:
        found.append(
            "the pixel size is not known: the result is in 1/px; give --pixel, such as --pixel '0.65 um'"
        )
    if scan.darks is None:
        found.append("the scan has no dark frames: darks are taken as 0")
    found += _of_axis(probes.get("find_axis"))
    values = max(1.0, float(scan.shape[0] * (rows or scan.shape[1]) * scan.shape[2]))
    clipped, dead = (quality.get(f"flat_field.{name}", 0.0) / values for name in ("clipped", "dead"))
    if clipped > STARVED:
        found.append(
            f"{100 * clipped:.3g} % of the counts do not exceed the dark: too few photons behind the sample"
        )
    if dead > DEAD:
        found.append(f"{100 * dead:.3g} % of the pixels are dead and were filled from their neighbours")
    if not_finite:
        found.append(f"{not_finite} voxels are not finite numbers")
    return tuple(found)


def _of_axis(told: Mapping[str, Any] | None) -> list[str]:
    if told is None:
        return []
    found = []
    if told["confidence"] != "high":
        found.append(
            f"the rotation axis was found with {told['confidence']} confidence at column {told['answer']:.2f}: look at "
            f"slices, and give --axis if they show arcs or doubled edges"
        )
    return found
