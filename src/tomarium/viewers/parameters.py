"""The parameters of a record in four groups: label, value with its unit, and where it comes from."""

from __future__ import annotations

from typing import Final

from tomarium.model import Record, parameter
from tomarium.viewers.groups import in_groups
from tomarium.viewers.viewer import Piece, View, Viewer, decimal, fill

ORIGINS: Final = {
    "read": "as a file says it",
    "derived": "computed",
    "default": "assumed, for nobody said it",
    "user": "given by someone",
    "profile": "of the beamline's profile",
}

MARKS: Final = {"derived": "derived", "default": "default", "user": "given", "profile": "profile"}
"""Origin → the word beside a value; what was read carries none, for it is the usual case."""


def is_shown(record: Record) -> bool:
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


def render(record: Record, view: View) -> Piece:
    """List the parameters: for machines in the order of the record, for people in groups.

    Parameters
    ----------
    record : Record
        With parameters.
    view : View
        Tells the language, in which numbers are written for people.

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
    origins_used = {str(row["origin"]) for row in rows}
    rows_by_key = {
        str(row["key"]): {
            **row,
            "shown": decimal(str(row["shown"]), view.translations)
            if isinstance(row["value"], int | float)
            else row["shown"],
            "mark": MARKS.get(str(row["origin"]), ""),
        }
        for row in rows
    }
    html = fill(
        "parameters.html",
        {
            "groups": {
                group: [rows_by_key[key] for key in keys]
                for group, keys in in_groups(record.parameters).items()
            },
            "legend": {MARKS[origin]: ORIGINS[origin] for origin in MARKS if origin in origins_used},
            "rest_is_read": "read" in origins_used,
        },
        view.translations,
    )
    return Piece({"parameters": rows}, html)


PARAMETERS = Viewer(
    name="parameters",
    title="Parameters",
    order=15,
    whole=is_shown,
    render=render,
    metadata_only=True,
    plainest="student",
)
