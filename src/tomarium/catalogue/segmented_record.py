"""A record of labels: what was segmented, by which thresholds, and of which record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tomarium.catalogue.aligned_record import derive
from tomarium.catalogue.filing import file_record
from tomarium.catalogue.record_folder import read_record
from tomarium.model import Record
from tomarium.pipeline.run.provenance import fingerprint, versions
from tomarium.standards.ro_crate import FILENAME


def file_labels(folder: Path, source: Path, account: Mapping[str, Any]) -> Record:
    """File labels that lie in a folder as a record of their own.

    Parameters
    ----------
    folder : Path
        Holds `volume.ome.zarr`, as `segment` wrote it.
    source : Path
        The volume that was segmented: a file, or the folder of a record.
    account : Mapping
        What became of it, JSON-ready.

    Returns
    -------
    Record
        It "IsDerivedFrom" the record that was segmented, by its DOI where it has one, and is of the same specimen.
    """
    source_record = read_record(source) if (source / FILENAME).is_file() else None
    record = file_record(
        folder,
        title=f"Segmented: {source_record.title if source_record else source.name.partition('.')[0]}",
        keywords=("labels", "segmented"),
        creators=source_record.creators if source_record else (),
        licence=source_record.licence if source_record else "",
        provenance={
            "source": {
                "name": source.name,
                **({"record": source_record.id} if source_record else {"fingerprint": fingerprint(source)}),
            },
            "segmentation": dict(account),
            "versions": versions(),
            "finished": datetime.now(UTC).replace(microsecond=0).isoformat(),
        },
    )
    return record if source_record is None else derive(record, source_record, folder)
