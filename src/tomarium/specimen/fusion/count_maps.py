"""Maps of counts, as EDS makes them, sorted into phases: a number for each pixel, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import formats
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.count_mixture import fit_mixture, probabilities
from tomarium.model import Axis, Image
from tomarium.optional_packages import optional_import

MOST_CHANNELS: Final = 64
METHOD: Final = "mixture of Poisson distributions, by expectation-maximisation"
_SPREAD: Final = 1.5
"""How many times more counts may vary than by chance before it is said."""


@dataclass(frozen=True, eq=False)
class CountMaps:
    """Counts of several channels at the same pixels.

    Attributes
    ----------
    counts : array of float64, shape (channel, y, x)
        Whole numbers.
    names : tuple of str
        Of the channels.
    axes : tuple of Axis
        y and x.
    """

    counts: NDArray[np.float64]
    names: tuple[str, ...]
    axes: tuple[Axis, Axis]


@dataclass(frozen=True, eq=False)
class SortedMap:
    """A map of phases.

    Attributes
    ----------
    phases : Image
        uint8: number of the phase, 0 where it is not sure.
    confidence : Image
        uint8: probability of the likeliest phase in percent, rounded down, for all pixels.
    report : dict
        How it was done, JSON-ready: mean counts and share of each phase, and what is not sure.
    """

    phases: Image
    confidence: Image
    report: dict[str, Any]


def read_counts(paths: Sequence[Path], pixel_m: str | None = None) -> CountMaps:
    """Read maps of counts.

    Parameters
    ----------
    paths : sequence of Path
        Files of one channel each, or of several.
    pixel_m : str, optional
        Pixel size, where files do not tell it.

    Returns
    -------
    CountMaps
        In the order of the files.

    Raises
    ------
    InputError
        They hold no counts, are of different sizes, or have too many channels.
    """
    counts, names, axes = [], list[str](), list[tuple[Axis, Axis]]()
    for path in paths:
        opened = formats.open(path, pixel_m=pixel_m)
        letters = [axis.name.lower() for axis in getattr(opened, "axes", ())]
        if not isinstance(opened, Image) or not {"y", "x"} <= set(letters):
            raise InputError(f"{path}: holds no map (y, x), or (channel, y, x)")
        at = letters.index("y"), letters.index("x")
        further = [k for k in range(len(letters)) if k not in at and opened.shape[k] > 1]
        channels = int(np.prod([opened.shape[k] for k in further]))
        if len(names) + channels > MOST_CHANNELS:
            raise InputError(
                f"{path}: has {channels} channels; at most {MOST_CHANNELS} are sorted: give counts of the lines of "
                f"elements, not whole spectra"
            )
        values = np.asarray(opened[...], np.float64)
        values = values.transpose(*(k for k in range(values.ndim) if k not in at), *at)
        values = values.reshape(channels, *values.shape[-2:])
        if not np.isfinite(values).all() or values.min() < 0 or (values != np.rint(values)).any():
            raise InputError(
                f"{path}: its values are no counts (whole numbers from 0); give the counts, not percentages of weight"
            )
        counts.append(values)
        names += [path.stem] if channels == 1 else [f"{path.stem} {k}" for k in range(channels)]
        axes.append((opened.axes[at[0]], opened.axes[at[1]]))
        if counts[0].shape[1:] != values.shape[1:]:
            raise InputError(
                f"{path}: has {values.shape[2]} × {values.shape[1]} pixels, and {paths[0]} has {counts[0].shape[2]} × "
                f"{counts[0].shape[1]}; give maps of the same pixels"
            )
    return CountMaps(np.concatenate(counts), tuple(names), axes[0])


def sort_into_phases(maps: CountMaps, phases: int, *, sure: float = 0.8, summed: int = 1) -> SortedMap:
    """Sort the pixels of maps of counts into phases.

    Parameters
    ----------
    maps : CountMaps
        Of one channel or more.
    phases : int
        How many, 2 to 64.
    sure : float
        Probability below which a pixel is 0: nothing is known.
    summed : int
        Edge of the square of pixels whose counts are summed for each pixel, odd; for few counts, at the cost of fine
        detail.

    Returns
    -------
    SortedMap
        Phases ascend by their counts of the first channel.

    Raises
    ------
    ParameterError
        A number cannot be.
    """
    if not 2 <= phases <= MOST_CHANNELS or not 0 <= sure < 1 or summed < 1 or summed % 2 == 0:
        raise ParameterError(
            f"{phases} phases, sure from {sure:g}, {summed} pixels summed: give 2 to {MOST_CHANNELS} phases, a "
            f"probability below 1, and an odd number of pixels"
        )
    counts = maps.counts
    if summed > 1:
        ndimage = optional_import("scipy.ndimage", "analysis")
        kernel = np.ones((1, summed, summed))
        counts = ndimage.correlate(counts, kernel, mode="nearest")
    x = counts.reshape(len(counts), -1).T
    mixture = fit_mixture(x, phases)
    likely = probabilities(x, mixture)
    best, probability = likely.argmax(axis=1), likely.max(axis=1)
    is_sure = probability >= sure
    numbers = np.where(is_sure, best + 1, 0).astype(np.uint8).reshape(counts.shape[1:])
    percent = np.floor(100 * probability).astype(np.uint8).reshape(counts.shape[1:])
    report = {
        "method": METHOD,
        "summed_px": summed,
        "sure": sure,
        "dispersion": mixture.dispersion,
        "unsure_share": float(1 - is_sure.mean()),
        "expected_wrong_share": float((1 - probability[is_sure]).mean()) if is_sure.any() else None,
        "phases": [
            {
                "number": k + 1,
                "share": float((numbers == k + 1).mean()),
                "mean_counts": dict(zip(maps.names, (mixture.means[k] / summed**2).tolist(), strict=True)),
            }
            for k in range(phases)
        ],
        "notes": _notes(mixture.dispersion, numbers, phases),
    }
    generator = (Image(values, maps.axes, metadata={"sorted": report}) for values in (numbers, percent))
    return SortedMap(next(generator), next(generator), report)


def _notes(dispersion: float, numbers: NDArray[np.uint8], phases: int) -> list[str]:
    notes = [
        f"no pixel is surely of phase {k}: fewer phases may be there, or too few counts"
        for k in range(1, phases + 1)
        if not (numbers == k).any()
    ]
    if dispersion > _SPREAD:
        notes.append(
            f"the counts within a phase vary {dispersion:.1f} times more than by chance: there are more phases, or "
            f"relief, or pixels of two phases; the probabilities allow for it"
        )
    return notes
