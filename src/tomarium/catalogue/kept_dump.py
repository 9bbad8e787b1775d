"""The Parquet file of a catalogue that its portal gives: made once for each state of the catalogue, and kept."""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Row, func, select

from tomarium.atomic_files import write_json
from tomarium.catalogue.catalogue import Catalogue
from tomarium.catalogue.dump import dump
from tomarium.catalogue.jobs import Ended, add_job
from tomarium.catalogue.reader import ANYBODY, Reader, may_open, may_see
from tomarium.catalogue.tables import audit, records

KIND: Final = "dump catalogue"
AT_ONCE: Final = 2000
"""Most records whose file is made while a reader waits; of more a worker makes it."""
OLDEST_S: Final = 86_400.0
"""Age after which it is made anew, whatever is known of changes."""


@dataclass(frozen=True)
class KeptDump:
    """A file that lies beside the catalogue.

    Attributes
    ----------
    path : Path
        Where it lies.
    state : str
        Of the catalogue when it was made.
    made : float
        When, seconds since 1970.
    records, bytes : int
        Rows, and size.
    sha256 : str
        Of the file.
    """

    path: Path
    state: str
    made: float
    records: int
    bytes: int
    sha256: str


def kept_dump(catalogue: Catalogue, address: str, reader: Reader = ANYBODY) -> KeptDump | None:
    """Return the file of the present state; it is made where it is not there and the catalogue is small.

    Parameters
    ----------
    catalogue : Catalogue
        Open.
    address : str
        Of the portal, for the addresses in the file.
    reader : Reader
        `ANYBODY`, or `OPEN_ONLY`.

    Returns
    -------
    KeptDump or None
        Of a large catalogue that of an earlier state, while a worker makes the new one; None where there is none yet.
    """
    state, count = _state(catalogue, address, reader)
    dump_before = _find_dump(catalogue, address, reader)
    if dump_before is not None and dump_before.state == state and time.time() - dump_before.made < OLDEST_S:
        return dump_before
    if count <= AT_ONCE:
        return make_dump(catalogue, address, reader)
    with catalogue.writing() as connection:
        arguments = {"address": address, "open_only": reader.open_only}
        add_job(connection, ANYBODY, KIND, arguments)  # one that waits already is taken instead
    return dump_before


def make_dump(catalogue: Catalogue, address: str, reader: Reader = ANYBODY) -> KeptDump:
    """Make the file of the present state, or wait for whoever makes it; arguments as of `kept_dump`."""
    place = _place(catalogue, address, reader)
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        state, _ = _state(catalogue, address, reader)
        dump_before = _find_dump(catalogue, address, reader)
        if (
            dump_before is not None
            and dump_before.state == state
            and time.time() - dump_before.made < OLDEST_S
        ):
            return dump_before  # somebody else made it meanwhile
        moment = time.time()
        target = place.with_name(f"{place.name}-{state}.parquet")
        dumped = dump(catalogue, target, reader=reader, address=address, now=moment)
        new_dump = KeptDump(target, state, moment, dumped.records, dumped.bytes, dumped.sha256)
        write_json(place.with_suffix(".json"), {**vars(new_dump), "path": target.name})
        for path in place.parent.glob(f"{place.name}-*.parquet"):
            if path != target and (
                dump_before is None or path != dump_before.path
            ):  # the last one may still be sent
                path.unlink(missing_ok=True)
        return new_dump


def dump_job(catalogue: Catalogue, job: Row[Any]) -> Ended:
    """Make the file as a job."""
    reader = Reader(open_only=bool(job.arguments.get("open_only")))
    made_dump = make_dump(catalogue, str(job.arguments["address"]), reader)
    return "done", f"{made_dump.records} records, {made_dump.bytes} bytes", ()


def _state(catalogue: Catalogue, address: str, reader: Reader) -> tuple[str, int]:
    """Name the state of what is published: every change is in the log, and an embargo that ends opens one more."""
    with catalogue.reading() as connection:
        last = connection.execute(select(func.max(audit.c.number))).scalar_one() or 0
        counts = select(func.count(), func.max(records.c.number)).where(
            records.c.public_from.is_not(None), may_see(reader)
        )
        count, newest = connection.execute(counts).one()
        opened = connection.execute(
            select(func.count()).select_from(records).where(may_open(reader))
        ).scalar_one()
    text = json.dumps([last, count, newest, opened, address, reader.open_only])
    return hashlib.sha256(text.encode()).hexdigest()[:16], int(count)


def _place(catalogue: Catalogue, address: str, reader: Reader) -> Path:
    mark = hashlib.sha256(f"{address} {reader.open_only} {catalogue.name}".encode()).hexdigest()[:8]
    return catalogue.home / "dumps" / f"catalogue-{mark}"


def _find_dump(catalogue: Catalogue, address: str, reader: Reader) -> KeptDump | None:
    place = _place(catalogue, address, reader)
    try:
        notes = json.loads(place.with_suffix(".json").read_text("utf-8"))
        noted_dump = KeptDump(**{**notes, "path": place.with_name(str(notes["path"]))})
        return noted_dump if noted_dump.path.stat().st_size == noted_dump.bytes else None
    except (OSError, ValueError, TypeError, KeyError):  # it is made again
        return None


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Wait until no other thread or process makes this file."""
    with place.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
