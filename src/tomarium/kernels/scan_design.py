"""What a tomography scan needs: views, disk space, exposure; and whether its propagation is near-field."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp, pi, radians, sqrt
from typing import Final

import numpy as np

from tomarium.kernels.paganin import WAVELENGTH_M_KEV

RAW_BYTES: Final = 2
"""Bytes of a raw pixel (16-bit integers)."""

VOXEL_BYTES: Final = 4
"""Bytes of a voxel (32-bit floats)."""

RULE_BYTES: Final = 6
"""Bytes of a standard scan over n_x² n_z: raw data of as many views as columns, and one volume (equation 4.1 of the
user guide of ANATOMIX, SOLEIL)."""

NEAR_FIELD: Final = 0.3
"""Fresnel number of a pixel from which on Paganin's near-field filter is safe."""

LARGEST_BLUR_PX: Final = 1.0
"""How far the rim may move during one exposure, in pixels."""


def views_in_full(width_px: float) -> int:
    """Return the views over half a turn for which the rim moves by one pixel from view to view, (pi / 2) D.

    Parameters
    ----------
    width_px : float
        Diameter D of what is reconstructed in pixels.

    Returns
    -------
    int
        Views over 180 degrees.

    References
    ----------
    Kak & Slaney, Principles of Computerized Tomographic Imaging (1988), section 5.1.1.
    """
    return ceil(pi / 2 * width_px)


def views_in_practice(width_px: float) -> int:
    """Return the views over half a turn that are usual, as many as the width has pixels: 2000 for 2048.

    Parameters
    ----------
    width_px : float
        Diameter of what is reconstructed in pixels.

    Returns
    -------
    int
        Views over 180 degrees; the rim moves by 1.57 px from view to view.
    """
    return ceil(width_px)


def rim_step_px(width_px: float, step_deg: float) -> float:
    """Return how far the rim moves while the sample turns by an angle.

    Parameters
    ----------
    width_px : float
        Diameter of the sample in pixels.
    step_deg : float
        Angle in degrees, of either sign: from view to view, or during one exposure.

    Returns
    -------
    float
        Arc in pixels.
    """
    return width_px / 2 * radians(abs(step_deg))


def raw_bytes(columns: int, rows: int, frames: int, pixel_bytes: int = RAW_BYTES) -> int:
    """Return the disk space of raw frames, 2 n_x n_z (N_views + N_flats + N_darks) of 16-bit integers.

    Parameters
    ----------
    columns, rows : int
        Pixels of the detector.
    frames : int
        Projections, flats and darks together.
    pixel_bytes : int
        Bytes of a pixel.

    Returns
    -------
    int
        Bytes, uncompressed.
    """
    return pixel_bytes * columns * rows * frames


def volume_bytes(width: int, slices: int) -> int:
    """Return the disk space of a volume of 32-bit floats, 4 N_x² N_z.

    Parameters
    ----------
    width : int
        Voxels along x and y.
    slices : int
        Voxels along z.

    Returns
    -------
    int
        Bytes, uncompressed.
    """
    return VOXEL_BYTES * width * width * slices


def fresnel_number(pixel_m: float, energy_kev: float, distance_m: float) -> float:
    """Return the Fresnel number of a pixel, p² / (lambda R).

    Parameters
    ----------
    pixel_m : float
        Pixel size at the sample in metres.
    energy_kev : float
        Photon energy in keV.
    distance_m : float
        Distance from sample to detector in metres, not 0.

    Returns
    -------
    float
        Dimensionless; near-field from `NEAR_FIELD` on.
    """
    return pixel_m**2 / (WAVELENGTH_M_KEV / energy_kev * abs(distance_m))


def fringe_m(energy_kev: float, distance_m: float) -> float:
    """Return the width of the first fringe of propagation, sqrt(lambda R).

    Parameters
    ----------
    energy_kev, distance_m : float
        See `fresnel_number`.

    Returns
    -------
    float
        Metres at the sample.
    """
    return sqrt(WAVELENGTH_M_KEV / energy_kev * abs(distance_m))


def transmission(attenuation_1_cm: float, thickness_m: float) -> float:
    """Return the part of the beam that goes through, exp(-mu D).

    Parameters
    ----------
    attenuation_1_cm : float
        Linear attenuation coefficient mu in 1/cm.
    thickness_m : float
        Thickness D in metres.

    Returns
    -------
    float
        0 to 1.
    """
    return exp(-100 * attenuation_1_cm * thickness_m)


def energies_for(
    transmission_at: Callable[[float], float],
    least: float,
    most: float,
    *,
    low_kev: float = 1.0,
    high_kev: float = 800.0,
    steps: int = 2000,
) -> list[tuple[float, float]]:
    """Find the energies at which a sample lets a wanted part of the beam through.

    Parameters
    ----------
    transmission_at : callable
        `transmission_at(energy_kev)`, 0 to 1; it may fall at absorption edges.
    least, most : float
        Transmission wanted, 0 to 1.
    low_kev, high_kev : float
        Where to look.
    steps : int
        Energies that are tried, evenly in their logarithm; ends are right to one of them (0.34 % by default).

    Returns
    -------
    list of tuple of float
        First and last energy of each range in keV, in ascending order; empty where there is none.
    """
    energies = np.geomspace(low_kev, high_kev, steps)
    within = np.array([least <= transmission_at(float(energy)) <= most for energy in energies])
    ends = np.flatnonzero(np.diff(np.concatenate([[False], within, [False]]).astype(np.int8)))
    return [
        (float(energies[first]), float(energies[last - 1]))
        for first, last in zip(ends[::2], ends[1::2], strict=True)
    ]
