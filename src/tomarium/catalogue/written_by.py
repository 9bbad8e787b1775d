"""Which version of tomarium brought a database to its present state, so that an older one can name it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Connection, Table, Text, delete, insert, inspect, select

from tomarium import __version__
from tomarium.catalogue.tables import metadata

written_by: Final = Table("written_by", metadata, Column("version", Text, primary_key=True))


def note_version(connection: Connection) -> None:
    """Note that this version made the tables as they are now."""
    connection.execute(delete(written_by))
    connection.execute(insert(written_by).values(version=__version__))


def needed_version(connection: Connection) -> str:
    """Tell which version a database needs, for people; it may be of any state.

    Parameters
    ----------
    connection : Connection
        Of the database.

    Returns
    -------
    str
        "tomarium 0.3.0 (this is 0.1.0)", or "a newer tomarium than 0.1.0" where the database does not tell.
    """
    version = None
    if inspect(connection).has_table(written_by.name):
        version = connection.execute(select(written_by.c.version)).scalar()
    if version is None or version == __version__:
        return f"a newer tomarium than this one, {__version__}"
    return f"tomarium {version} (this is {__version__})"
