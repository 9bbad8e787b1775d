"""A record of volumes that were stitched: the volume, where each of them lies in it, and which records they are of."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tomarium import formats
from tomarium.atomic_files import write_whole
from tomarium.catalogue.filing import VOLUME, file_record
from tomarium.catalogue.record_folder import read_record
from tomarium.errors import InputError
from tomarium.formats.zarr.writer import end_finished
from tomarium.model import Record, Value
from tomarium.model.publication import Related
from tomarium.pipeline.run.provenance import versions
from tomarium.pipeline.stitch.stitch import Stitched, as_data, write_stitched
from tomarium.standards.ro_crate import FILENAME, export

SHARED = ("sample_name", "specimen", "energy_kev", "pixel_m", "distance_m", "instrument", "beamline")
"""Parameters that the new record takes over where all records that it is made of tell the same."""


def make_stitched_record(
    stitched: Stitched,
    sources: Sequence[Path],
    folder: Path,
    *,
    title: str = "",
    tell: Callable[[str, int, int], None] | None = None,
) -> Record:
    """Write volumes that were put together into a record of its own, derived from theirs.

    Parameters
    ----------
    stitched : Stitched
        As `stitch_volumes` made it.
    sources : sequence of Path
        The volumes as they were given: files, or folders of records.
    folder : Path
        Folder to make; where an earlier run was stopped, it goes on.
    title : str
        Title of the record; by default "Stitched: " and the first's.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Record
        It "IsDerivedFrom" each record that was given, by its DOI where it has one; parameters that all of them tell
        alike are kept.

    Raises
    ------
    InputError
        The folder is a record already.
    CannotFit, StorageFull
        As `write_stitched`.
    """
    if (folder / FILENAME).exists():
        raise InputError(f"{folder}: is a record already; give another name for the stitched one")
    records_known = [read_record(path) if (path / FILENAME).is_file() else None for path in sources]
    place = folder / VOLUME.rstrip("/")
    if not _is_written(place, stitched):
        write_stitched(stitched, place, sources=sources, tell=tell)
    records = [record for record in records_known if record is not None]
    volumes = as_data(stitched)
    for entry, path, record in zip(volumes["volumes"], sources, records_known, strict=True):
        entry["name"] = path.name
        if record is not None:
            entry["record"] = record.id
    account = stitched.volume.metadata["stitched"]
    for entry, volume in zip(volumes["volumes"], account["volumes"], strict=True):
        entry["fingerprint"] = volume["fingerprint"]
    first = records[0] if records else None
    filed = file_record(
        folder,
        title=title or f"Stitched: {first.title if first else sources[0].name.partition('.')[0]}",
        keywords=("X-ray tomography", "stitched"),
        creators=tuple(dict.fromkeys(person for record in records for person in record.creators)),
        licence=first.licence if first and len({record.licence for record in records}) == 1 else "",
        parameters=_shared(records) if len(records) == len(sources) else {},
        volume={"unit": stitched.volume.unit},
        provenance={
            "source": {"name": ", ".join(path.name for path in sources)},
            "stitched": {**volumes, "levels": account["levels"], "field": account["field"]},
            "warnings": list(stitched.warnings),
            "versions": versions(),
            "finished": datetime.now(UTC).replace(microsecond=0).isoformat(),
        },
    )
    origins = dict.fromkeys(
        (record.publication.doi or record.id) if record.publication else record.id for record in records
    )
    derived = replace(filed, related=tuple(Related("IsDerivedFrom", origin) for origin in origins))
    write_whole(folder / FILENAME, export(derived).encode())
    return derived


def _is_written(place: Path, stitched: Stitched) -> bool:
    """Tell whether an earlier run has written the volume, from the same volumes by the same choices, and no crate."""
    if not end_finished(place):
        return False
    account = json.loads(json.dumps(stitched.volume.metadata["stitched"]))
    return bool(formats.open(place).metadata.get("stitched") == account)


def _shared(records: Sequence[Record]) -> dict[str, Value[object]]:
    """Return the parameters that all records tell alike."""
    shared = {}
    for name in SHARED:
        values = [record.parameters.get(name) for record in records]
        value = values[0]
        if value is not None and all(
            other_value is not None and other_value.value == value.value for other_value in values
        ):
            shared[name] = Value(
                value.value, "derived", f"the same in all records: {', '.join(r.id for r in records)}"
            )
    return shared
