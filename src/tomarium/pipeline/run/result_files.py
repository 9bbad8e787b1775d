"""The files that a run leaves in its folder, opened, finished or taken away."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tomarium.atomic_files import write_json
from tomarium.formats.data_exchange import writer as data_exchange_writer
from tomarium.formats.zarr import writer as ome_zarr_writer
from tomarium.model import Layout, Scan, Value
from tomarium.pipeline.plan.planner import Plan
from tomarium.pipeline.protocol.protocol import Protocol, to_yaml
from tomarium.pipeline.run.journal import Journal, read_json
from tomarium.pipeline.run.output import ArraySink, Sink
from tomarium.pipeline.run.spool import Spool, make_spool

VOLUME: Final = "volume.ome.zarr"
PROJECTIONS: Final = "projections.h5"
PROTOCOL: Final = "protocol.yaml"
PROVENANCE: Final = "provenance.json"


def discard_if_empty(journal: Journal) -> None:
    """Take away the files of a run that wrote no slab."""
    if not journal.slabs and not (journal.folder and ome_zarr_writer.is_finished(journal.folder / VOLUME)):
        journal.discard((VOLUME, PROJECTIONS, PROTOCOL, PROVENANCE))


def finished_outcome(journal: Journal, chosen: Plan) -> Any:
    """Return the provenance of a run that wrote everything and was stopped before it was filed."""
    if journal.folder is None:
        return None
    is_finished = (
        ome_zarr_writer.end_finished(journal.folder / VOLUME)
        if chosen.output == "volume"
        else (journal.folder / PROJECTIONS).exists()
    )
    return read_json(journal.folder / PROVENANCE) if is_finished else None


def open_output(journal: Journal, chosen: Plan) -> Sink | Spool:
    """Open what the last section writes to: a volume, a spool of projections, or an array in memory."""
    if chosen.output == "projections":
        path = None if journal.home is None else journal.home / "result.raw"
        return make_spool(chosen.resolution.layout, chosen.rows, path)
    if journal.folder is None:
        return ArraySink(chosen.shape, chosen.layout.dtype)
    path = journal.folder / VOLUME
    if journal.done(len(chosen.sections) - 1) or (journal.notes.get("output") and path.exists()):
        return ome_zarr_writer.open_writer(path)  # jobs of a cluster may be at work on it
    if path.exists():  # killed before it was begun as a whole
        shutil.rmtree(path)
    layout = chosen.layout
    starts = (chosen.rows.start, *first_voxel(chosen))
    voxel_m = layout.geometry.voxel_m
    size = voxel_m or (1.0, 1.0, 1.0)
    begun = ome_zarr_writer.create(
        path,
        chosen.shape,
        layout.dtype,
        voxel_m=voxel_m,
        slab_rows=chosen.slab_rows,
        unit=chosen.unit,
        name=chosen.resolution.scan.name,
        origin_m=(starts[0] * size[0], starts[1] * size[1], starts[2] * size[2]),
        attributes=grey_metadata(layout),
    )
    journal.note("output", True)
    return begun


def grey_metadata(layout: Layout) -> dict[str, Any]:
    """Return what a volume says of its numbers where slices were cast to whole ones; see `Layout.grey_range`."""
    return {} if layout.grey_range is None else {"grey_range": dict(layout.grey_range)}


def first_voxel(chosen: Plan) -> tuple[float, float]:
    """Tell where the first voxel of each slice lies, (y, x) in voxels from the rotation axis."""
    _, y, x = chosen.shape
    return chosen.layout.first_voxel or (-(y - 1) / 2, -(x - 1) / 2)


def finish(
    journal: Journal, chosen: Plan, protocol: Protocol, provenance: Mapping[str, Any], sink: Sink | Spool
) -> None:
    """Write protocol and provenance, and close the output."""
    if journal.folder is None:
        if not isinstance(sink, Spool):
            sink.finish()
        return
    (journal.folder / PROTOCOL).write_text(to_yaml(protocol), encoding="utf-8")
    write_json(journal.folder / PROVENANCE, provenance)
    if isinstance(sink, Spool):
        data_exchange_writer.write(journal.folder / PROJECTIONS, as_scan(chosen, sink))
    else:
        sink.finish({"provenance": provenance})


def as_scan(chosen: Plan, spool: Spool) -> Scan:
    """Return the projections that a run has made as a scan.

    Parameters
    ----------
    chosen : Plan
        As it was carried out.
    spool : Spool
        Where they lie.

    Returns
    -------
    Scan
        Without flats and darks where they are corrected.
    """
    scan, layout = chosen.resolution.scan, chosen.layout
    raw = layout.domain == "counts"
    return replace(
        scan,
        projections=replace(spool, first_row=0),
        geometry=layout.geometry,
        domain=layout.domain,
        metadata={**scan.metadata, "domain": Value(layout.domain, "derived", "what the protocol ends with")},
        flats=scan.flats if raw else None,
        darks=scan.darks if raw else None,
        warnings=(),
    )
