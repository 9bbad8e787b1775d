"""A raw scan: its projections, sinograms, flat and dark fields, with the axis of rotation drawn in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tomarium.errors import ParameterError
from tomarium.model import Part, Record
from tomarium.viewers.viewer import Piece, View, Viewer, fill

FOLDER: Final = "previews/scan"
FEW_ROWS: Final = 32
"""Of a scan of fewer rows the sinogram is shown large: its projections are lines."""
ORIGINS: Final = {
    "read": "as the file says",
    "user": "as it was told",
    "profile": "as the beamline's profile says",
    "derived": "estimated",
    "default": "assumed",
}


def suits(part: Part) -> bool:
    """Tell whether pictures are kept of a part.

    Parameters
    ----------
    part : Part
        Of a record; any.

    Returns
    -------
    bool
        A scan that was filed with them.
    """
    pictures = part.summary.get("pictures")
    return (
        part.kind == "projections"
        and isinstance(pictures, Mapping)
        and isinstance(pictures.get("projections"), list)
    )


def render(record: Record, view: View) -> Piece:
    """Show a projection, two sinograms, a flat and a dark field.

    Parameters
    ----------
    record : Record
        With pictures of its scan.
    view : View
        Choice: `projection`, the number of the projection among those that are kept, from 0.

    Returns
    -------
    Piece
        Its data: `projections`, `sinograms`, `flat`, `dark`, `axis`, `rows`, `columns`, `angles`, the files as
        addresses.

    Raises
    ------
    ParameterError
        There is no such projection.
    """
    pictures = _summary(record)
    projections, sinograms = (
        [_addressed(picture, view) for picture in pictures[name]] for name in ("projections", "sinograms")
    )
    text = view.choices.get("projection") or "0"
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or int(text) >= len(projections):
        raise ParameterError(
            f"projection = {text[:40]!r} is not kept; give a whole number from 0 to {len(projections) - 1}"
        )
    number, axis, columns, rows = int(text), pictures.get("axis"), pictures["columns"], pictures["rows"]
    data: dict[str, Any] = {
        "projections": projections,
        "sinograms": sinograms,
        **{
            name: view.file(f"{FOLDER}/{pictures[name]}") if pictures.get(name) else ""
            for name in ("flat", "dark")
        },
        **{name: pictures[name] for name in ("rows", "columns", "angles")},
        "axis": axis,
    }

    def page(to: int) -> str | None:
        return view.page({"projection": str(to)}) + "#scan" if 0 <= to < len(projections) else None

    html = fill(
        "scan.html",
        {
            **data,
            "title": record.title,
            "shown": projections[number],
            "number": number,
            "previous": page(number - 1),
            "next": page(number + 1),
            "axis_percent": f"{100 * (axis['column'] + 0.5) / columns:.3f}" if axis else "",
            "axis_words": _axis_text(axis),
            "row_percents": [f"{100 * (sinogram['row'] + 0.5) / rows:.3f}" for sinogram in sinograms],
            "angle_percent": f"{100 * (projections[number]['index'] + 0.5) / pictures['angles']:.3f}",
            "few": rows < FEW_ROWS,
            "kind": {"transmission": "transmission", "attenuation": "attenuation"}.get(
                pictures.get("domain", ""), "counts"
            ),
        },
        view.translations,
    )
    return Piece(data, html)


def _summary(record: Record) -> Mapping[str, Any]:
    pictures: Mapping[str, Any] = next(part.summary["pictures"] for part in record.parts if suits(part))
    return pictures


def _addressed(picture: Mapping[str, Any], view: View) -> dict[str, Any]:
    return {**picture, "file": view.file(f"{FOLDER}/{picture['file']}")}


def _axis_text(axis: Mapping[str, Any] | None) -> str:
    if not axis:
        return "the axis of rotation is not known"
    confidence = f", {axis['confidence']} confidence" if axis.get("confidence") else ""
    return f"axis at column {axis['column']:.5g}, {ORIGINS.get(axis['origin'], axis['origin'])}{confidence}"


SCAN = Viewer(name="scan", title="Projections", order=8, suits=suits, render=render, plainest="pupil")
