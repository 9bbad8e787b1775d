"""Room that uploads under way have taken, in the database: of several machines, none lets in more than there is.

The row of a batch tells how many bytes its files have when they are whole. Room is taken before a file is begun, in a
transaction of its own, and given back where the file is not begun after all, is replaced, or is removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from tomarium.catalogue.appending import TooLarge
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.reader import Reader
from tomarium.catalogue.tables import quotas, records, upload_rooms
from tomarium.catalogue.uploads import Uploads
from tomarium.errors import StorageFull
from tomarium.units import show

_OWN: Final = {"owner": "remove some, or ask an administrator for a larger quota",
               "team": "remove some of the team, or ask an administrator for a larger quota"}  # fmt: skip


@contextmanager
def reserving_room(
    catalogue: Catalogue, reader: Reader, uploads: Uploads, batch: str, path: str, length: int
) -> Iterator[None]:
    """Take room for a file of a batch, while it is begun.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    reader : Reader
        Whose the batch is.
    uploads : Uploads
        Where it lies.
    batch : str
        The batch.
    path : str
        Where the file will lie in its record; an earlier upload of it is replaced.
    length : int
        Its bytes.

    Raises
    ------
    NoUpload
        There is no such batch of this reader.
    TooLarge
        More would be under way than one person may have.
    StorageFull
        The quota of the reader, or of the batch's team, does not reach.
    """
    team, before = uploads.team(reader, batch), uploads.bytes_of(reader, batch)
    with catalogue.writing() as connection:
        if connection.execute(select(upload_rooms).where(upload_rooms.c.batch == batch)).first() is None:
            row = {"batch": batch, "owner": reader.name, "team": team, "bytes": before}
            connection.execute(insert(upload_rooms).values(row))
        query = select(func.coalesce(func.sum(upload_rooms.c.bytes), 0)).where(
            upload_rooms.c.owner == reader.name
        )
        if int(connection.execute(query).scalar_one()) + length > uploads.quota:
            raise TooLarge(
                f"{path}: with it more than {uploads.quota} bytes would be under way; finish what was begun"
            )
        demand_room(connection, "owner", reader.name, length)
        if team:
            demand_room(connection, "team", team, length)
        _add(connection, batch, length)
    replaced = uploads.earlier(reader, batch, path)
    try:
        yield
    except BaseException:
        with catalogue.writing() as connection:
            _add(connection, batch, -length)
        raise
    if replaced:
        with catalogue.writing() as connection:
            _add(connection, batch, -replaced)


def demand_room(connection: Connection, kind: str, name: str, more: int) -> None:
    """Refuse what a quota does not leave room for.

    Parameters
    ----------
    connection : Connection
        Of a catalogue; one that writes, where nothing may come between this question and what follows.
    kind : str
        "owner" or "team".
    name : str
        Whose quota.
    more : int
        Bytes that come to the records and to the uploads under way.

    Raises
    ------
    StorageFull
        The quota does not reach.
    """
    query = select(quotas.c.bytes).where(quotas.c.kind == kind, quotas.c.name == name)
    quota = connection.execute(query).scalar_one_or_none()
    if quota is None:
        return
    sums = []
    for table in (records, upload_rooms):
        total = select(func.coalesce(func.sum(table.c.bytes), 0)).where(table.c[kind] == name)
        sums.append(int(connection.execute(total).scalar_one()))
    if sum(sums) + more > quota:
        under_way = f" and uploads under way {show(sums[1], 'B', digits=3)}" if sums[1] else ""
        raise StorageFull(
            f"{name}: the records take {show(sums[0], 'B', digits=3)}{under_way} of {show(quota, 'B', digits=3)}, so "
            f"{show(more, 'B', digits=3)} more do not fit; {_OWN[kind]}"
        )


def release_room(catalogue: Catalogue, batch: str, size: int) -> None:
    """Give back the room of a file that was removed."""
    with catalogue.writing() as connection:
        _add(connection, batch, -size)


def release_rooms(catalogue: Catalogue, batch: str) -> None:
    """Give back the room of a batch that became a record, or was removed."""
    with catalogue.writing() as connection:
        connection.execute(delete(upload_rooms).where(upload_rooms.c.batch == batch))


def bring_up_to_date(catalogue: Catalogue, uploads: Uploads) -> None:
    """Take rows away whose batch is gone, and enter batches that have none, as after a machine stopped in between."""
    with catalogue.writing() as connection:
        batches = set(connection.execute(select(upload_rooms.c.batch)).scalars())
        batches_on_disk = {batch: (owner, team, size) for batch, owner, team, size in uploads.every_batch()}
        _forget(connection, batches - batches_on_disk.keys())
        for batch in batches_on_disk.keys() - batches:
            owner, team, size = batches_on_disk[batch]
            connection.execute(insert(upload_rooms).values(batch=batch, owner=owner, team=team, bytes=size))


def _forget(connection: Connection, batches: Iterable[str]) -> None:
    for batch in batches:
        connection.execute(delete(upload_rooms).where(upload_rooms.c.batch == batch))


def _add(connection: Connection, batch: str, size: int) -> None:
    more = upload_rooms.c.bytes + size
    connection.execute(update(upload_rooms).where(upload_rooms.c.batch == batch).values(bytes=more))
