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
    found = _known(catalogue, address, reader)
    if found is not None and found.state == state and time.time() - found.made < OLDEST_S:
        return found
    if count <= AT_ONCE:
        return make_dump(catalogue, address, reader)
    with catalogue.writing() as connection:
        told = {"address": address, "open_only": reader.open_only}
        add_job(connection, ANYBODY, KIND, told)  # one that waits already is taken instead
    return found


def make_dump(catalogue: Catalogue, address: str, reader: Reader = ANYBODY) -> KeptDump:
    """Make the file of the present state, or wait for whoever makes it; arguments as of `kept_dump`."""
    place = _place(catalogue, address, reader)
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        state, _ = _state(catalogue, address, reader)
        found = _known(catalogue, address, reader)
        if found is not None and found.state == state and time.time() - found.made < OLDEST_S:
            return found  # somebody else made it meanwhile
        made = time.time()
        target = place.with_name(f"{place.name}-{state}.parquet")
        dumped = dump(catalogue, target, reader=reader, address=address, now=made)
        kept = KeptDump(target, state, made, dumped.records, dumped.bytes, dumped.sha256)
        write_json(place.with_suffix(".json"), {**vars(kept), "path": target.name})
        for other in place.parent.glob(f"{place.name}-*.parquet"):
            if other != target and (found is None or other != found.path):  # the last one may still be sent
                other.unlink(missing_ok=True)
        return kept


def dump_job(catalogue: Catalogue, job: Row[Any]) -> Ended:
    """Make the file as a job."""
    reader = Reader(open_only=bool(job.arguments.get("open_only")))
    told = make_dump(catalogue, str(job.arguments["address"]), reader)
    return "done", f"{told.records} records, {told.bytes} bytes", ()


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
    told = json.dumps([last, count, newest, opened, address, reader.open_only])
    return hashlib.sha256(told.encode()).hexdigest()[:16], int(count)


def _place(catalogue: Catalogue, address: str, reader: Reader) -> Path:
    mark = hashlib.sha256(f"{address} {reader.open_only} {catalogue.name}".encode()).hexdigest()[:8]
    return catalogue.home / "dumps" / f"catalogue-{mark}"


def _known(catalogue: Catalogue, address: str, reader: Reader) -> KeptDump | None:
    place = _place(catalogue, address, reader)
    try:
        told = json.loads(place.with_suffix(".json").read_text("utf-8"))
        found = KeptDump(**{**told, "path": place.with_name(str(told["path"]))})
        return found if found.path.stat().st_size == found.bytes else None
    except (OSError, ValueError, TypeError, KeyError):  # it is made again
        return None


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Wait until no other thread or process makes this file."""
    with place.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
