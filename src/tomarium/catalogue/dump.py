"""The published records of a catalogue as one Parquet file, a row each, for programs that ask many things at once."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import exists, select

from tomarium import __version__
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.dump_columns import batch, schema
from tomarium.catalogue.entities import entities_of_record, telling
from tomarium.catalogue.publications import published_count
from tomarium.catalogue.reader import ANYBODY, Reader, may_see
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.settings import all_settings
from tomarium.catalogue.store import place_at
from tomarium.catalogue.tables import records, stale_records, stores
from tomarium.errors import FormatError, InputError, StorageFull
from tomarium.model import Record

ROWS: Final = 1000
"""Records that are in memory at once, and rows of a row group."""
MEDIA_TYPE: Final = "application/vnd.apache.parquet"
_FULL: Final = (28, 122)  # ENOSPC, EDQUOT


@dataclass(frozen=True)
class Dumped:
    """What was written.

    Attributes
    ----------
    records, bytes : int
        Rows, and size of the file.
    sha256 : str
        Of the file.
    problems : tuple of str
        Records that could not be read and are not in it.
    """

    records: int
    bytes: int
    sha256: str
    problems: tuple[str, ...]


def dump(
    catalogue: Catalogue,
    target: Path,
    *,
    reader: Reader = ANYBODY,
    address: str = "",
    now: float | None = None,
    tell: Callable[[str, int, int], object] | None = None,
) -> Dumped:
    """Write the published records of a catalogue as one Parquet file, whole or not at all.

    Parameters
    ----------
    catalogue : Catalogue
        Open; others go on writing to it meanwhile.
    target : Path
        The file; one that is there is replaced when the new one is whole.
    reader : Reader
        `ANYBODY`, or `OPEN_ONLY` for records whose files are open.
    address : str
        Of the portal, without "/" at its end; that of the settings by default. Without one rows have no address.
    now : float, optional
        Seconds since 1970 by which access is told; the present moment by default.
    tell : callable, optional
        Told of progress: a word, records done, records in all.

    Returns
    -------
    Dumped
        How many records, and those that could not be read.

    Raises
    ------
    InputError
        The folder of the file is not there or cannot be written.
    StorageFull
        The disk is full; the old file is untouched.
    """
    from arro3.core import RecordBatchReader
    from arro3.io import write_parquet

    moment = time.time() if now is None else now
    with catalogue.reading() as connection:
        settings, total = all_settings(connection), published_count(connection, reader)
    problems: list[str] = []
    count = 0

    def batches() -> Iterator[Any]:
        nonlocal count
        for rows in _read(catalogue, reader, (address or settings["address"]).rstrip("/"), moment, problems):
            count += len(rows)
            yield batch(rows)
            if tell:
                tell("records", min(count, total), total)

    file_metadata = {
        "catalogue": settings["name"],
        "made": datetime.fromtimestamp(int(moment), UTC).isoformat(),
        "made by": f"tomarium {__version__}",
    }
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            write_parquet(
                RecordBatchReader.from_batches(schema(), batches()),
                file,
                compression="zstd(3)",
                max_row_group_size=ROWS * 50,
                key_value_metadata=file_metadata,
                created_by=file_metadata["made by"],
            )
            file.flush()
            os.fsync(file.fileno())
        size, digest = draft.stat().st_size, _sha256(draft)
        draft.replace(target)
    except OSError as problem:
        if problem.errno in _FULL:
            raise StorageFull(f"{target}: the disk is full; free some space and start again") from problem
        raise InputError(
            f"{target}: cannot be written ({problem.strerror or problem}); give another place"
        ) from problem
    finally:
        draft.unlink(missing_ok=True)
    return Dumped(count, size, digest, tuple(problems))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(
    catalogue: Catalogue, reader: Reader, address: str, now: float, problems: list[str]
) -> Iterator[list[tuple[Record, dict[str, Any]]]]:
    """Read records in the order in which they were made, some at a time; each time the catalogue is asked anew."""
    last = -(2**62)
    while True:
        query = (
            select(records.c.number, records.c.id, stores.c.address, records.c.path)
            .add_columns(exists().where(stale_records.c.record == records.c.id).label("stale"))
            .join(stores, stores.c.number == records.c.store)
            .where(records.c.number > last, records.c.public_from.is_not(None), may_see(reader, now))
            .order_by(records.c.number)
            .limit(ROWS)
        )
        with catalogue.reading() as connection:
            rows = connection.execute(query).all()
            taken_back = {row.id: entities_of_record(connection, row.id) for row in rows if row.stale}
        if not rows:
            return
        last = rows[-1].number
        described = []
        for row in rows:
            try:
                record = read_record(place_at(row.address) / row.path)
            except (FormatError, OSError) as problem:
                problems.append(f"{row.id}: {problem}")
                continue
            if record.publication is None or record.id != row.id:
                problems.append(f"{row.id}: its folder tells of no publication; make the index anew")
                continue
            record = telling(record, taken_back[row.id]) if row.stale else record
            place = f"{address}/records/{row.id}" if address else ""
            described.append((record, {"address": place, "now": now}))
        yield described
