"""How the slices of a milled or cut specimen were moved to lie on each other: drawn, as a table, and in words."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, Final

from tomarium.model import Record
from tomarium.viewers.histogram import round_ticks
from tomarium.viewers.viewer import Piece, View, Viewer, fill

TABLE: Final = "slices.csv"
PICTURE: Final = "drift.svg"
RESLICE: Final = "reslice.png"
COLUMNS: Final = (
    "slice", "plane", "row_px", "column_px", "slow_row_px", "slow_column_px", "residual_px", "likeness", "gain",
    "offset", "bad",
)  # fmt: skip
NUMBERS: Final = ("row_px", "column_px", "slow_row_px", "slow_column_px", "residual_px")
WIDTH: Final = 1000
HEIGHT: Final = 200
LEFT: Final = 110


def drift_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write what was found of each slice as CSV.

    Parameters
    ----------
    rows : sequence of Mapping
        As `AlignedSlices.rows`.

    Returns
    -------
    str
        One line a slice, the names first, whose units stand in them; what is not known is left out.
    """
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if row.get(name) is None else row[name] for name in COLUMNS] for row in rows)
    return file.getvalue()


def drift_picture(account: Mapping[str, Any]) -> str:
    """Draw how slices were moved, what slow movement was left, and how well the pairs of each slice agree.

    Parameters
    ----------
    account : Mapping
        As the metadata of an aligned volume hold it in `aligned_slices`.

    Returns
    -------
    str
        An SVG.
    """
    return str(fill("slice_drift.svg", {"drawn": _panels(account)}))


def is_shown(record: Record) -> bool:
    """Tell whether a record's slices were aligned.

    Parameters
    ----------
    record : Record
        Its provenance may hold anything.

    Returns
    -------
    bool
        It tells where each of them lay.
    """
    return _valid_account(record.provenance.get("aligned_slices")) is not None


def render(record: Record, view: View) -> Piece:
    """Show how the slices were moved.

    Parameters
    ----------
    record : Record
        Whose slices were aligned.
    view : View
        For the addresses of its table and of the cut through the slices.

    Returns
    -------
    Piece
        Its data: `slices`, `slow`, `error_px`, `left_px`, `bad`, `filled` and `residual_px`, the median.
    """
    account = _valid_account(record.provenance.get("aligned_slices")) or {}
    paths = {entry.path for entry in record.files}
    residuals = sorted(row["residual_px"] for row in account["slices"] if _is_number(row.get("residual_px")))
    slow, error = account.get("slow"), account.get("error_px")
    data = {
        "slices": len(account["slices"]),
        "model": str(account.get("model", "")),
        "slow": slow if _is_number(slow) else None,
        "reference": bool(account.get("reference")),
        "error_px": error if _is_number(error) else None,
        "left_px": [value for value in _list(account.get("left_px")) if _is_number(value)],
        "residual_px": residuals[len(residuals) // 2] if residuals else None,
        "bad": [number for number in _list(account.get("bad")) if isinstance(number, int)],
        "filled": [number for number in _list(account.get("filled")) if isinstance(number, int)],
        "curtains": _curtains(account.get("curtains")),
    }
    html = fill(
        "slice_drift.html",
        {
            **data,
            "drawn": _panels(account),
            "table": view.file(TABLE) if TABLE in paths else "",
            "reslice": view.file(RESLICE) if RESLICE in paths else "",
        },
    )
    return Piece(data, html)


def _valid_account(account: Any) -> Mapping[str, Any] | None:
    rows = account.get("slices") if isinstance(account, Mapping) else None
    if not isinstance(rows, list) or len(rows) < 2:
        return None
    return account if all(isinstance(row, Mapping) for row in rows) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _curtains(account: Any) -> dict[str, float] | None:
    names = ("taken", "of_the_specimen", "spread_of_values")
    if not isinstance(account, Mapping) or not all(_is_number(account.get(name)) for name in names):
        return None
    return {name: account[name] for name in names}


def _panels(account: Mapping[str, Any]) -> dict[str, Any]:
    """Give the template its panels: along y, along x, and the residual."""
    rows = account["slices"]
    columns = {name: [row[name] if _is_number(row.get(name)) else None for row in rows] for name in NUMBERS}
    panels = []
    for top, (title, names) in enumerate(
        (
            ("moved along y, px", ("row_px", "slow_row_px")),
            ("moved along x, px", ("column_px", "slow_column_px")),
            ("residual of its pairs, px", ("residual_px",)),
        )
    ):
        values = [value for name in names for value in columns[name] if value is not None] or [0.0]
        low, high = min(0.0, *values), max(0.0, *values)
        span = (high - low) or 1.0
        low, high = low - 0.05 * span * (low < 0), high + 0.05 * span
        panels.append(
            {
                "title": title,
                "top": 30 + top * (HEIGHT + 50),
                "paths": [_svg_path(columns[name], low, high) for name in names],
                "ticks": [(HEIGHT * (high - at) / (high - low), text) for at, text in round_ticks(low, high)],
            }
        )
    last = len(rows) - 1
    return {
        "panels": panels,
        "height": 30 + 3 * (HEIGHT + 50) + 10,
        "left": LEFT,
        "width": WIDTH,
        "tall": HEIGHT,
        "ticks": [
            (LEFT + (WIDTH - LEFT - 20) * at / last, text) for at, text in round_ticks(0.0, float(last))
        ],
        "bad": [
            LEFT + (WIDTH - LEFT - 20) * number / last
            for number, row in enumerate(rows)
            if row.get("bad") is True
        ],
        "slow_left": _is_number(account.get("slow")),
    }


def _svg_path(values: Sequence[float | None], low: float, high: float) -> str:
    last = max(1, len(values) - 1)
    parts, open_ = [], False
    for number, value in enumerate(values):
        if value is None:
            open_ = False
            continue
        x = LEFT + (WIDTH - LEFT - 20) * number / last
        parts.append(f"{'L' if open_ else 'M'}{x:.1f} {HEIGHT * (high - value) / (high - low):.1f}")
        open_ = True
    return "".join(parts)


SLICE_DRIFT = Viewer(
    name="slice-drift", title="How its slices were aligned", order=28, whole=is_shown, render=render,
    plainest="student",
)  # fmt: skip
