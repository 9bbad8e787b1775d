"""Which group of a page a parameter belongs to: the sample, the beam, the scan, the reconstruction, or what is left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tomarium.model.parameter import PARAMETERS

GROUPS: Final = ("Sample", "Beam", "Scan", "Reconstruction", "More")
"""In the order of the page."""

# A key that is in no table, neither here nor of the model, is one of a file's own: it stands under More.
_BY_KEY: Final[dict[str, str]] = {
    "temperature_celsius": "Sample",
    "material": "Sample",
    "energy_kev": "Beam",
    "ring_current_ma": "Beam",
    "facility": "Beam",
    "instrument": "Beam",
    "beamline": "Beam",
    "distance_m": "Beam",
    "source_distance_m": "Beam",
    "technique": "Beam",
    "magnification": "Beam",
    "axis_column": "Reconstruction",
    "axis_roll_deg": "Reconstruction",
    "axis_tilt_deg": "Reconstruction",
    "shift_columns_px": "Reconstruction",
    "shift_rows_px": "Reconstruction",
    "beam_intensity": "Beam",
    "voxel_m": "Reconstruction",
    "delta_beta": "Reconstruction",
    "algorithm": "Reconstruction",
}

_BY_BEGINNING: Final[dict[str, str]] = {
    "sample_": "Sample",
    "specimen_": "Sample",
    "beam_": "Beam",
    "source_": "Beam",
    "monochromator_": "Beam",
    "insertion_device_": "Beam",
    "detector_": "Scan",
    "scan_": "Scan",
    "motor_": "Scan",
    "motors_": "Scan",
    "reconstruction_": "Reconstruction",
}


def group_of(key: str) -> str:
    """Tell the group of a parameter.

    Parameters
    ----------
    key : str
        `pixel_m`, `sample_name` …; any text.

    Returns
    -------
    str
        One of `GROUPS`: "Scan" for a key of the model that has no other place, "More" for one that nothing is known of.
    """
    if key in _BY_KEY:
        return _BY_KEY[key]
    other_group = "Scan" if key in PARAMETERS else "More"
    return next((group for start, group in _BY_BEGINNING.items() if key.startswith(start)), other_group)


def in_groups(keys: Iterable[str]) -> dict[str, list[str]]:
    """Part the keys of a record into groups.

    Parameters
    ----------
    keys : iterable of str
        In the order of the record.

    Returns
    -------
    dict of str to list of str
        Group → its keys in that order; a group without any is left out.
    """
    parted: dict[str, list[str]] = {group: [] for group in GROUPS}
    for key in keys:
        parted[group_of(key)].append(key)
    return {group: inside for group, inside in parted.items() if inside}
