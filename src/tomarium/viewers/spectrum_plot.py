"""A spectrum as an SVG path with its axes: linear or logarithmic, with a band that is marked."""

from __future__ import annotations

import math
from io import BytesIO
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.viewers.histogram import round_ticks

_MOST_POINTS: Final = 1200
WIDTH: Final = 1000
HEIGHT: Final = 400


def plot(
    x: NDArray[np.float64], values: NDArray[Any], *, logarithmic: bool, band: tuple[float, float] | None
) -> dict[str, Any]:
    """Give what a template draws of a spectrum.

    Parameters
    ----------
    x : array
        Positions.
    values : array
        A value at each.
    logarithmic : bool
        Whether values are drawn by their logarithm; zero and what is negative lie on the lower edge.
    band : tuple of float or None
        Positions between which it is marked.

    Returns
    -------
    dict
        `path` in a box of `WIDTH` x `HEIGHT`, `x_ticks` and `y_ticks` (percent from the left or the lower edge, text),
        `low` and `high`, the positions at the left and the right edge, and `band` (left and width in percent) or None.
    """
    finite = values[np.isfinite(values)]
    bottom, top, y_ticks = _log_range(finite) if logarithmic else _linear_range(finite)
    if logarithmic:
        with np.errstate(divide="ignore", invalid="ignore"):
            heights = np.where(values > 0, np.log10(np.maximum(values, 1e-300)), bottom)
    else:
        heights = values.astype(np.float64)
    half = abs(x[-1] - x[0]) / (2 * max(1, len(x) - 1)) or 0.5
    low, high = float(x.min()) - half, float(x.max()) + half
    return {
        "path": _path((x - low) / (high - low), np.clip((heights - bottom) / (top - bottom), 0, 1)),
        "x_ticks": [(f"{100 * (at - low) / (high - low):.3f}", text) for at, text in round_ticks(low, high)],
        "y_ticks": [(f"{100 * (at - bottom) / (top - bottom):.3f}", text) for at, text in y_ticks],
        "low": f"{low:.9g}",
        "high": f"{high:.9g}",
        "band": _marked(band, low, high),
    }


def drawn_line(x: NDArray[np.float64], values: NDArray[np.float64]) -> bytes:
    """Draw a spectrum without its axes, for lists of records.

    Parameters
    ----------
    x, values : array
        As for `plot`.

    Returns
    -------
    bytes
        A PNG, 512 x 512 pixels.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw

    path = plot(x, values, logarithmic=False, band=None)["path"]
    points = [tuple(float(word) for word in point.split()) for point in path.lstrip("M").split("L") if point]
    picture = Pillow.new("L", (512, 512), 0)
    placed = [(16 + 480 * a / WIDTH, 40 + 432 * b / HEIGHT) for a, b in points]
    ImageDraw.Draw(picture).line(placed, fill=255, width=2)
    file = BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


def _linear_range(finite: NDArray[Any]) -> tuple[float, float, list[tuple[float, str]]]:
    low = min(0.0, float(finite.min())) if finite.size else 0.0
    high = max(0.0, float(finite.max())) if finite.size else 1.0
    high = low + 1.05 * (high - low) if high > low else low + 1.0
    return low, high, round_ticks(low, high)


def _log_range(finite: NDArray[Any]) -> tuple[float, float, list[tuple[float, str]]]:
    positive = finite[finite > 0]
    if not positive.size:
        return 0.0, 1.0, [(0.0, "1"), (1.0, "10")]
    low = math.floor(math.log10(positive.min()) - 1e-9)
    high = max(low + 1, math.log10(positive.max()) + 0.05)
    step = max(1, math.ceil((high - low) / 6))
    powers = range(low, math.floor(high) + 1, step)
    return float(low), float(high), [(float(power), f"{10.0**power:g}") for power in powers]


def _path(across: NDArray[np.float64], up: NDArray[np.float64]) -> str:
    """Write the line; of more points than are seen the least and the greatest of each group are drawn."""
    group = math.ceil(len(across) / _MOST_POINTS)
    points = []
    for start in range(0, len(across), group):
        part = up[start : start + group]
        if np.isnan(part).all():
            continue
        middle = float(across[start : start + group].mean())
        heights = {float(np.nanmin(part)), float(np.nanmax(part))}
        points += [f"{WIDTH * middle:.1f} {HEIGHT * (1 - height):.1f}" for height in sorted(heights)]
    return "M" + "L".join(points) if points else ""


def _marked(band: tuple[float, float] | None, low: float, high: float) -> tuple[str, str] | None:
    if band is None:
        return None
    left, right = (min(1.0, max(0.0, (value - low) / (high - low))) for value in band)
    return f"{100 * left:.3f}", f"{100 * (right - left):.3f}"
