"""The parameters of a record: label, value with its unit, and where it comes from."""

from __future__ import annotations

from typing import Final

from tomarium.model import Record, parameter
from tomarium.viewers.viewer import Piece, View, Viewer, fill

ORIGINS: Final = {
    "read": "as a file says it",
    "derived": "computed",
    "default": "assumed, for nobody said it",
    "user": "given by someone",
}


def suits(record: Record) -> bool:
    """Tell whether a record has parameters.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    bool
        It has at least one.
    """
    return bool(record.parameters)


def render(record: Record, _view: View) -> Piece:
    """List the parameters in the order of the record.

    Parameters
    ----------
    record : Record
        With parameters.
    _view : View
        Not needed.

    Returns
    -------
    Piece
        Its data: `parameters`, each with key, label, value, unit, shown, origin and source.
    """
    rows = [
        {
            "key": key,
            "label": parameter.label(key),
            "value": value.value,
            "unit": parameter.unit(key),
            "shown": parameter.show(key, value.value),
            "origin": value.origin,
            "source": value.source,
        }
        for key, value in record.parameters.items()
    ]
    used = {str(row["origin"]) for row in rows}
    legend = {origin: words for origin, words in ORIGINS.items() if origin in used}
    return Piece({"parameters": rows}, fill("parameters.html", {"rows": rows, "legend": legend}))


PARAMETERS = Viewer(
    name="parameters", title="Parameters", order=15, suits=suits, render=render, metadata_only=True
)
