"""Tables of files for records that were published before they got one."""

from __future__ import annotations

from sqlalchemy import select

from tomarium.catalogue import queries
from tomarium.catalogue.audit import note
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.edit import write_record
from tomarium.catalogue.file_table import freeze, table_of, with_table_of
from tomarium.catalogue.reader import Reader, demand_role
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.tables import records
from tomarium.errors import TomariumError


def freeze_published(catalogue: Catalogue, reader: Reader) -> tuple[int, tuple[str, ...]]:
    """Write the table of files of every published record that has none, or whose own was lost.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        An administrator; the owner of a catalogue on this machine is one.

    Returns
    -------
    int, tuple of str
        How many were written; and what could not be, each with the reason. Doing it again writes what is missing.
    """
    demand_role(reader, to="write the tables of files")
    with catalogue.reading() as connection:
        published = select(records.c.id).where(records.c.state.in_(("published", "withdrawn")))
        ids = list(connection.execute(published.order_by(records.c.number)).scalars())
    written, problems = 0, []
    for id in ids:
        try:
            written += _freeze(catalogue, reader, id)
        except (TomariumError, OSError) as problem:
            problems.append(f"{id}: {problem}")
    return written, tuple(problems)


def _freeze(catalogue: Catalogue, reader: Reader, id: str) -> bool:
    with catalogue.reading() as connection:
        folder = queries.folder_of(connection, id)
    if folder is None:
        return False
    record = read_record(folder)
    if record.publication is None or table_of(folder, record) is not None:
        return False
    frozen = freeze(folder, record)
    with catalogue.writing() as connection:
        now = read_record(folder)
        write_record(connection, reader, with_table_of(now, frozen) or freeze(folder, now), folder)
        note(connection, reader, "write table of files", id)
    return True
