"""The histogram of a volume's grey values, drawn as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tomarium.errors import ParameterError
from tomarium.model import Part, Record
from tomarium.viewers.viewer import Piece, View, Viewer, fill

BARS: Final = 128
QUANTITIES: Final = {
    "1/cm": "Attenuation coefficient",
    "1/m": "Attenuation coefficient",
    "1/px": "Attenuation",
}


def suits(part: Part) -> bool:
    """Tell whether a part has a histogram that can be drawn.

    Parameters
    ----------
    part : Part
        Of a record; any.

    Returns
    -------
    bool
        A volume whose `histogram` has one count less than edges, the edges span a range that numbers can resolve,
        and no count is negative.
    """
    if part.kind != "volume":
        return False
    histogram = part.summary.get("histogram") or {}
    edges: Sequence[float] = histogram.get("edges") or ()
    counts: Sequence[float] = histogram.get("counts") or ()
    if len(counts) == 0 or len(edges) != len(counts) + 1 or min(counts) < 0 or max(counts) == 0:
        return False
    width, largest = float(edges[-1]) - float(edges[0]), max(abs(edges[0]), abs(edges[-1]))
    return math.isfinite(width) and width > max(1e-12 * largest, 1e-200)


def render(record: Record, view: View) -> Piece:
    """Draw the histogram.

    Parameters
    ----------
    record : Record
        With a histogram.
    view : View
        Choices: `histogram`, "linear" or "log": how the counts are drawn; `low` and `high`, the grey window.

    Returns
    -------
    Piece
        Its data: `edges`, `counts`, `unit`, `minimum`, `mean`, `maximum`.

    Raises
    ------
    ParameterError
        The choice is another word.
    """
    scale = view.choices.get("histogram") or "log"
    if scale not in ("linear", "log"):
        raise ParameterError(f"histogram = {scale[:40]!r} does not exist; choose 'linear' or 'log'")
    histogram, unit = record.volume["histogram"], record.volume.get("unit", "")
    edges, counts = histogram["edges"], histogram["counts"]
    low, high = edges[0], edges[-1]
    chosen = {key: view.choices[key] for key in ("low", "high") if view.choices.get(key)}
    limits = _window_of(record.volume.get("window") or (), chosen)
    window = [min(1.0, max(0.0, (value - low) / (high - low))) for value in limits]
    statistics = {key: record.volume.get(key) for key in ("minimum", "mean", "maximum")}
    html = fill(
        "histogram.html",
        {
            "scale": scale,
            "linear": view.page({"histogram": "linear"}) + "#histogram",
            "logarithmic": view.page({"histogram": None}) + "#histogram",
            "path": outline(counts, scale),
            "ticks": [
                (f"{100 * (tick - low) / (high - low):.3f}", text) for tick, text in round_ticks(low, high)
            ],
            "quantity": QUANTITIES.get(unit, "Grey value"),
            "window": [f"{100 * part:.3f}" for part in window],
            "window_width": f"{100 * (window[1] - window[0]):.3f}" if len(window) == 2 else "",
            "statistics": {key: f"{value:.4g}" for key, value in statistics.items() if value is not None},
            "low": f"{low:.9g}",
            "high": f"{high:.9g}",
            "form": len(limits) == 2 and len(record.volume.get("shape") or ()) == 3,
            "shown": [f"{value:.4g}" for value in limits],
            "unit": unit,
            "chosen": chosen,
            "usual": view.page({"low": None, "high": None}) + "#slices",
            "most": f"{max(counts):,}".replace(",", "\u202f"),
        },
        view.translations,
    )
    return Piece({"edges": edges, "counts": counts, "unit": unit, **statistics}, html)


def _window_of(usual: Sequence[float], chosen: Mapping[str, str]) -> list[float]:
    """Return the window that the slices are shown in; none where a choice is no number."""
    try:
        limits = [float(chosen.get(key) or value) for key, value in zip(("low", "high"), usual, strict=False)]
    except ValueError:
        return []
    return limits if len(limits) == 2 and all(map(math.isfinite, limits)) and limits[0] < limits[1] else []


def outline(counts: Sequence[float], scale: str) -> str:
    """Write the outline of the bars as an SVG path in a square of side 1, y downwards.

    Parameters
    ----------
    counts : sequence of float
        Of each bin, not all 0.
    scale : str
        "linear" or "log".

    Returns
    -------
    str
        About 128 bars.
    """
    merge = math.ceil(len(counts) / BARS)
    merged = [sum(counts[start : start + merge]) / merge for start in range(0, len(counts), merge)]
    # The last bar of a merge may hold fewer bins than the others, so it is divided by its own number.
    remainder = len(counts) % merge
    if remainder:
        merged[-1] *= merge / remainder
    heights = [math.log1p(count) for count in merged] if scale == "log" else merged
    top = max(heights)
    steps = [
        f"V{1 - height / top:.3f}H{min(1.0, (number + 1) * merge / len(counts)):.4f}"
        for number, height in enumerate(heights)
    ]
    return f"M0 1{''.join(steps)}V1Z"


def round_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Choose about six round values between two others.

    Parameters
    ----------
    low, high : float
        Finite, `low < high`.

    Returns
    -------
    list of tuple
        Value and text; steps are 1, 2 or 5 · 10^n.
    """
    rough = (high - low) / 8
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(digit for digit in (1, 2, 5, 10) if digit * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    values: list[Any] = [number * step for number in range(first, last + 1)]
    largest = max(abs(low), abs(high))
    if largest >= 1e5 or decimals > 4:
        digits = (
            math.floor(math.log10(largest)) - math.floor(math.log10(step)) + 1
        )  # so that none is like another
        return [(value, f"{value:.{digits}g}") for value in values]
    return [(value, f"{value:.{decimals}f}") for value in values]


HISTOGRAM = Viewer(
    name="histogram", title="Histogram", order=20, suits=suits, render=render, plainest="student"
)
