"""Values of a record that are kept in the catalogue, for those who keep the record, and are in none of its files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from tomarium.catalogue.tables import withheld
from tomarium.model import Record, Value
from tomarium.model.parameter import is_private


def exposed(record: Record) -> tuple[str, ...]:
    """Return the parameters of a record that may tell of a person, and that nobody declared public.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    tuple of str
        Their keys.
    """
    return tuple(key for key in record.parameters if is_private(key) and key not in record.disclosed)


def is_withheld(key: str, record: Record, kept: Collection[str]) -> bool:
    """Tell whether a parameter that is set now is withheld.

    Parameters
    ----------
    key : str
        Of the parameter.
    record : Record
        That it is of.
    kept : Collection of str
        Keys of what is withheld of it.

    Returns
    -------
    bool
        True for what may tell of a person or is withheld already, unless it was declared public.
    """
    return (is_private(key) or key in kept) and key not in record.disclosed


def withhold(connection: Connection, id: str, values: Mapping[str, Value[Any]]) -> None:
    """Keep values of a record for those who keep it; they are in none of its files.

    Parameters
    ----------
    connection : Connection
        That may write.
    id : str
        Identifier of the record.
    values : Mapping of str to Value
        By their keys; what was kept under the same key is replaced.
    """
    for key, value in values.items():
        content = {"value": value.value, "origin": value.origin, "source": value.source}
        forget_withheld(connection, id, key)
        connection.execute(insert(withheld).values(record=id, key=key, value=content))


def withheld_of(connection: Connection, id: str) -> dict[str, Value[Any]]:
    """Return what is withheld of a record; only to show to those who may change it.

    Parameters
    ----------
    connection : Connection
        Of a catalogue.
    id : str
        Identifier of the record.

    Returns
    -------
    dict of str to Value
        Key → value, by their keys.
    """
    query = select(withheld.c.key, withheld.c.value).where(withheld.c.record == id).order_by(withheld.c.key)
    return {row.key: Value(**row.value) for row in connection.execute(query)}


def forget_withheld(connection: Connection, id: str, key: str) -> None:
    """Take a value out of what is withheld of a record.

    Parameters
    ----------
    connection : Connection
        That may write.
    id : str
        Identifier of the record.
    key : str
        Of the parameter.
    """
    connection.execute(delete(withheld).where(withheld.c.record == id, withheld.c.key == key))
