"""Axes of images, made of the positions an HDF5 file holds: SI units, evenly spaced or not, or plain pixels."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import UnitError
from tomarium.formats.hdf5.attributes import attribute
from tomarium.formats.hdf5.source import NO_UNIT, Source
from tomarium.model import Axis

# Positions are evenly spaced where none is off by more than this part of a step.
_EVEN: Final = 1e-3
_PIXELS: Final = frozenset({"px", "pixel", "pixels", "channel", "channels", "bin"})


def pixel_axis(name: str) -> Axis:
    """Make an axis without calibration.

    Result: scale 1, offset 0, unit "px".
    """
    return Axis(name, 1.0, 0.0, "px")


def axis_of(
    source: Source, path: str, name: str, values: NDArray[np.float64] | None = None, unit: str | None = None
) -> Axis:
    """Make an axis of the positions in a dataset.

    `source`: the open file; what is assumed is said in its `warnings`. `path`: the dataset, for its unit and,
    where `values` is None, its positions. `values`: the positions, where they are not simply all of the
    dataset. `unit`: unit to take where the dataset gives none; None leaves the positions without one. Result:
    lengths in m, energies in keV, angles in deg, times in s, others in the file's own unit; "" where there is
    none. `coordinates` hold the positions where they are not evenly spaced.
    """
    node = source.find(path)
    positions = source.array(path) if values is None else values
    if positions is None or not isinstance(node, h5py.Dataset):
        return pixel_axis(name)
    spelling = attribute(node, "units") or attribute(node, "unit")
    if spelling is None or spelling.lower() in NO_UNIT:
        unit_used = f"{unit} was taken" if unit else "the numbers were kept without one"
        source.warnings.append(f"{path} has no unit; {unit_used}")
        spelling = unit or ""
    factor, base_unit = in_si(spelling)
    return spaced(name, np.asarray(positions, dtype=np.float64) * factor, base_unit)


def in_si(spelling: str) -> tuple[float, str]:
    """Find the unit an axis is kept in, and the factor to it.

    Result: `value_in_the_unit = value * factor`. Result: "m", "keV", "deg", "s" or "px"; any other unit as it
    is spelt.
    """
    text = spelling.strip()
    if text.lower() in _PIXELS:
        return 1.0, "px"
    if text in units.SPELLINGS:
        base, _ = units.SPELLINGS[text]
        return (units.factor(text, base), base) if base in ("m", "keV", "deg", "s") else (1.0, text)
    # "Angstrom" is written with a capital by many and known without; short units differ by their case.
    spellings = (text, text.lower()) if len(text) > 4 else (text,)
    for base in ("m", "keV", "s", "deg") if text else ():
        for one_spelling in spellings:
            with suppress(UnitError):
                return units.factor(one_spelling, base), base
    return 1.0, text


def spaced(name: str, positions: NDArray[np.float64], unit: str) -> Axis:
    """Make an axis of positions.

    `positions`: position of each element, in `unit`. Result: with offset and scale alone where positions are
    evenly spaced, else with `coordinates` too.
    """
    count = len(positions)
    first = float(positions[0]) if count else 0.0
    step = float(positions[-1] - positions[0]) / (count - 1) if count > 1 else 1.0
    deviations = np.abs(positions - (first + step * np.arange(count)))
    even = bool(np.all(np.isfinite(positions))) and (
        count < 2 or (step != 0 and deviations.max() <= _EVEN * abs(step))
    )
    scale, offset = (float(f"{number:.12g}") for number in (step, first))
    if even:
        return Axis(name, scale, offset, unit)
    return Axis(name, scale or 1.0, offset, unit, tuple(float(position) for position in positions))
