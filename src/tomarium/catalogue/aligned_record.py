"""A record of slices that were aligned: the volume, where each of them lay, and which record they are of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from tomarium import formats
from tomarium.atomic_files import write_whole
from tomarium.catalogue.filing import VOLUME, file_record
from tomarium.catalogue.record_folder import read_record
from tomarium.conversion.convert import convert
from tomarium.errors import InputError
from tomarium.formats.zarr.writer import end_finished
from tomarium.model import Record, Value, Volume
from tomarium.model.publication import Related
from tomarium.pipeline.align_slices.align import AlignedSlices
from tomarium.pipeline.align_slices.aligned_planes import AlignedPlanes, finite
from tomarium.pipeline.run.provenance import versions
from tomarium.standards.ro_crate import FILENAME, export
from tomarium.viewers.picture import png
from tomarium.viewers.slice_drift import PICTURE, RESLICE, TABLE, drift_picture, drift_table

INHERITED: Final = ("sample_name", "specimen", "instrument", "beamline", "energy_kev")
MOST_PIXELS: Final = 1200


def make_aligned_record(
    aligned: AlignedSlices,
    source: Path,
    folder: Path,
    *,
    title: str = "",
    tell: Callable[[str, int, int], None] | None = None,
) -> Record:
    """Write slices that were aligned into a record of its own, derived from theirs.

    Parameters
    ----------
    aligned : AlignedSlices
        As `align_slices` made it.
    source : Path
        The slices as they were given: files, or the folder of a record.
    folder : Path
        Folder to make; where an earlier run was stopped, it goes on.
    title : str
        Title of the record; by default "Aligned: " and that of the slices.
    tell : callable, optional
        `tell(stage, done, total)`.

    Returns
    -------
    Record
        It "IsDerivedFrom" the record that was given, by its DOI where it has one, and is of the same specimen. Its
        folder holds a table and a picture of what was found, and a cut through the slices before and after.

    Raises
    ------
    InputError
        The folder is a record already.
    StorageFull
        The disk is full; the same again goes on.
    """
    if (folder / FILENAME).exists():
        raise InputError(f"{folder}: is a record already; give another name for the aligned one")
    say = tell or (lambda stage, count, total: None)
    account = aligned.volume.metadata["aligned_slices"]
    source_record = read_record(source) if (source / FILENAME).is_file() else None
    place = folder / VOLUME.rstrip("/")
    if not _is_written(place, account):
        folder.mkdir(parents=True, exist_ok=True)
        convert(
            aligned.volume,
            place,
            to="ome-zarr",
            on_progress=lambda count, total: say("write MB", count // 1_000_000, total // 1_000_000),
        )
    write_whole(folder / TABLE, drift_table(aligned.rows).encode())
    write_whole(folder / PICTURE, drift_picture(account).encode())
    write_whole(folder / RESLICE, reslice_picture(aligned, place))
    parameters: dict[str, Value[object]] = {}
    if source_record is not None:
        inherited = {name: source_record.parameters.get(name) for name in INHERITED}
        parameters = {
            name: Value(value.value, "derived", f"that of the record {source_record.id}")
            for name, value in inherited.items()
            if value is not None
        }
    record = file_record(
        folder,
        title=title or f"Aligned: {source_record.title if source_record else source.name.partition('.')[0]}",
        keywords=("slices", "aligned"),
        creators=source_record.creators if source_record else (),
        licence=source_record.licence if source_record else "",
        parameters=parameters,
        volume={"unit": aligned.volume.unit},
        provenance={
            "source": {"name": source.name, **({"record": source_record.id} if source_record else {})},
            "aligned_slices": account,
            "warnings": list(aligned.warnings),
            "versions": versions(),
            "finished": datetime.now(UTC).replace(microsecond=0).isoformat(),
        },
    )
    if source_record is None:
        return record
    return derive(record, source_record, folder)


def derive(new_record: Record, source_record: Record, folder: Path) -> Record:
    """Tell in a record which one it was made of; its specimen and techniques are the same.

    Parameters
    ----------
    new_record, source_record : Record
        The new one, as its folder holds it, and the one that it was made of.
    folder : Path
        Of the new one.

    Returns
    -------
    Record
        As it is written now.
    """
    origin = (
        (source_record.publication.doi or source_record.id) if source_record.publication else source_record.id
    )
    record = replace(
        new_record,
        related=(Related("IsDerivedFrom", origin),),
        specimen=source_record.specimen,
        entities=source_record.entities,
        techniques=source_record.techniques,
    )
    write_whole(folder / FILENAME, export(record).encode())
    return record


def reslice_picture(aligned: AlignedSlices, place: Path) -> bytes:
    """Draw a cut through the middle column of all slices, as they were taken and as they lie in the volume.

    Parameters
    ----------
    aligned : AlignedSlices
        What was aligned.
    place : Path
        The volume that was written.

    Returns
    -------
    bytes
        A PNG: rows are slices, the first on top; on the left before, on the right after, in the same greys.
    """
    planes = aligned.volume.data
    assert isinstance(planes, AlignedPlanes)
    series, (rows, _, top, left) = planes.series, planes.frame
    middle = series.columns // 2
    before = np.zeros((planes.shape[0], rows), np.float32)
    for number, (first, _, share) in enumerate(planes.sources):
        if not share:
            before[number, -top : series.rows - top] = finite(series.plane(first))[:, middle]
    written = formats.open(place)
    assert isinstance(written, Volume)
    after = np.asarray(written[:, :, middle - left], np.float32)
    step = max(1, -(-max(before.shape) // MOST_PIXELS))
    gap = np.full((before.shape[0], 8), float(before.max()), np.float32)
    picture = np.concatenate([before, gap, after], axis=1)[::step, ::step]
    if (voxel := written.voxel_m) is not None:  # slices as thick as they are
        picture = np.repeat(picture, min(8, max(1, round(voxel[0] / voxel[1]))), axis=0)
    return png(picture)


def _is_written(place: Path, account: dict[str, object]) -> bool:
    """Tell whether an earlier run has written the volume, from the same slices by the same choices, and no crate."""
    if not end_finished(place):
        return False
    return bool(
        formats.open(place).metadata.get("aligned_slices") == json.loads(json.dumps(account, default=str))
    )
