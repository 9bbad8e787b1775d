"""The technique by which a scan was made, as far as its file surely tells."""

from __future__ import annotations

from typing import Final

import numpy as np

from tomarium.model import Scan, Value
from tomarium.standards.panet import label_of

KEY: Final = "derived_technique"
"""Parameter that tells by what a record's technique is known, where nobody told it."""
_TOMOGRAPHY: Final = "PaNET01129"
_X_RAY: Final = "PaNET01207"
_X_RAY_FORMATS: Final = frozenset({"als", "bliss", "flyscan", "txrm"})
"""Formats of X-ray beamlines and of X-ray microscopes alone."""
_LEAST_DEG: Final = 90.0
_LEAST_VIEWS: Final = 3


def technique_of(scan: Scan) -> tuple[str, Value[str]] | None:
    """Derive the technique of a scan.

    Parameters
    ----------
    scan : Scan
        Any scan.

    Returns
    -------
    tuple of str and Value, or None
        Term of PaNET, and the parameter that tells it as derived, and of what: "x-ray tomography" of a specimen that
        turned by 90° or more in a beam of X-rays (the file says so, tells a photon energy, or is of a format of X-ray
        beamlines alone), "tomography" where the beam is not told. None where it did not turn, its angles are assumed,
        or the beam is told to be another.
    """
    angles = scan.angles_deg
    turned = float(np.ptp(angles.value)) if angles.value.size else 0.0
    if turned < _LEAST_DEG or len(np.unique(angles.value)) < _LEAST_VIEWS or angles.origin == "default":
        return None
    value = scan.metadata.get("probe")
    probe = str(value.value).lower().replace("-", "").replace(" ", "") if value else ""
    energy = scan.geometry.energy_kev
    if probe and "xray" not in probe:
        return None
    why = f"{angles.value.size} projections over {turned:.4g}°"
    if probe:
        term, why = _X_RAY, f"{why}, probe {value.value}" if value else why
    elif energy is not None:
        term, why = _X_RAY, f"{why}, photons of {energy.value:g} keV"
    elif scan.format in _X_RAY_FORMATS:
        term, why = _X_RAY, f"{why}, {scan.format} of X-ray beamlines"
    else:
        term, why = _TOMOGRAPHY, f"{why}, the kind of beam is not told"
    return term, Value(f"{label_of(term)} ({term})", "derived", f"{scan.path.name}: {why}")
