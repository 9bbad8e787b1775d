"""From a scan to a finished record: run a protocol, then file what it made."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tomarium import formats, units
from tomarium.atomic_files import write_json
from tomarium.catalogue.checksums import SOURCE
from tomarium.catalogue.derived_technique import KEY as DERIVED
from tomarium.catalogue.derived_technique import technique_of
from tomarium.catalogue.export import Export, demand_values, export, note_own_volume
from tomarium.catalogue.filing import file_record
from tomarium.catalogue.make_from_files import lay_out
from tomarium.catalogue.record_folder import is_voxel_size
from tomarium.catalogue.scan_parameters import parameters_of
from tomarium.catalogue.stated_facts import facts_of_scan
from tomarium.errors import FormatError, InputError, ParameterError
from tomarium.executors import find_executor
from tomarium.executors.resources import resources_for
from tomarium.executors.slurm.job_folder import demand_no_jobs
from tomarium.model import Part, Record, Scan, Value
from tomarium.pipeline.protocol.protocol import Protocol, from_data, to_data
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.data_check import checked
from tomarium.pipeline.run.folders import folders_of_scan, without_folders
from tomarium.pipeline.run.journal import read_json
from tomarium.pipeline.run.provenance import demand_packages, demand_same_source, plain
from tomarium.pipeline.run.result_files import PROJECTIONS, PROVENANCE
from tomarium.pipeline.run.runner import Outcome, Progress, run, silent
from tomarium.steps.core.further_scans import further_paths, with_places
from tomarium.steps.core.serialization import apply_recipe
from tomarium.steps.volume.statistics import summarise


def make_record(
    scan: Scan,
    protocol: Protocol,
    folder: Path | None = None,
    *,
    memory: str | None = None,
    rows: slice | None = None,
    slab_rows: int | None = None,
    split: list[dict[str, Any]] | None = None,
    executor: str = "threads",
    device: str | None = None,
    device_memory: str | None = None,
    title: str | None = None,
    id: str | None = None,
    exports: Sequence[Export] = (),
    force: bool = False,
    on_progress: Progress = silent,
    demand_wanted: Callable[[], object] | None = None,
) -> Outcome:
    """Carry out a protocol on a scan and file the result as a record.

    Parameters
    ----------
    scan : Scan
        The scan.
    protocol : Protocol
        What is to be done.
    folder : Path, optional
        Folder to make; by default the scan's name and "_record" in the present folder.
    memory : str, optional
        Limit such as "4GB"; by default 60 % of what is available.
    rows : slice, optional
        Detector rows wanted; all by default.
    slab_rows : int, optional
        Rows of a slab; chosen by memory where absent.
    split : list, optional
        How another run was split into sections; chosen by price where absent.
    executor : str
        How slabs are shared out.
    device, device_memory : str, optional
        GPU that slabs go over, and how much of its memory; as for `tomarium.executors.resources.resources_for`.
    title : str, optional
        Title of the record; by default the scan's own, or its name.
    id : str, optional
        Identifier of the record; by default the title's words and the start of the volume's checksum.
    exports : sequence of Export
        What is written besides the record's own volume.
    force : bool
        Whether to go on where the frames cannot give a right volume; what is wrong becomes a warning.
    on_progress : callable
        `on_progress(section, done, total)`.
    demand_wanted : callable, optional
        As for `tomarium.pipeline.run.runner.run`.

    Returns
    -------
    Outcome
        What was made, and in which folder.

    Raises
    ------
    InputError
        The record would lie in the folder of its scan, its pixel size is absurd, or there are exports of a protocol
        that makes no volume; or as
        `tomarium.pipeline.run.runner.run`.
    CannotFit, Interrupted, StorageFull
        As `tomarium.pipeline.run.runner.run`.
    """
    place = folder or Path(f"{scan.name}_record")
    demand_apart(scan.path, place)
    if scan.pixel_m is not None and not is_voxel_size(scan.pixel_m.value):
        raise InputError(
            f"{scan.path}: its pixel is {units.show(scan.pixel_m.value, 'm')} ({scan.pixel_m.source}), which no record "
            f"can have; give the right one, more than 1 pm and less than 10 m, with --pixel"
        )

    if exports and resolve(protocol, scan).layout.domain != "slice":
        raise ParameterError(
            f"--output volume:{exports[0].word} writes the volume once more, but the protocol ends without one; leave "
            f"it out, or add a step that reconstructs, such as fbp"
        )
    demand_values(protocol, exports)

    def deliver(outcome: Outcome) -> None:
        note_own_volume(place, outcome)
        for request in exports:
            export(place, request, on_progress)
        on_progress("file", 0, 1)
        _keep_source(place, outcome.scan, further_paths(scan, [*scan.recipe, *to_data(protocol)["steps"]]))
        _file(place, outcome, title, id)
        on_progress("file", 1, 1)

    chosen = find_executor(executor)
    if chosen.name != "slurm":
        demand_no_jobs(place)
    return run(
        checked(scan, protocol, force=force),
        protocol,
        place,
        resources_for(chosen, place, memory, device, device_memory),
        rows=rows,
        slab_rows=slab_rows,
        split=split,
        mapper=chosen.map,
        crosses=chosen.crosses,
        executor=executor,
        on_progress=on_progress,
        demand_wanted=demand_wanted,
        deliver=deliver,
    )


def demand_apart(scan: Path, place: Path) -> None:
    """Refuse to write into the folder of a scan, which would take it for a part of itself.

    Parameters
    ----------
    scan : Path
        File or folder of the scan.
    place : Path
        Where something is to be written.

    Raises
    ------
    InputError
        It is the scan's folder, or lies below it.
    """
    home = scan.resolve()
    if home.is_dir() and place.resolve().is_relative_to(home):
        beside = home.with_name(f"{home.name}_record")
        raise InputError(
            f"{place}: lies in the folder of the scan {scan}, which would then hold more than the scan; "
            f"choose a place outside with -o, such as -o {beside}"
        )


def repeat_record(
    record: Path,
    source: Path | None = None,
    folder: Path | None = None,
    *,
    memory: str | None = None,
    executor: str = "threads",
    device: str | None = None,
    device_memory: str | None = None,
    title: str | None = None,
    exports: Sequence[Export] = (),
    on_progress: Progress = silent,
) -> Outcome:
    """Repeat the run a record was made by: the same scan, the same values, the same voxels.

    Parameters
    ----------
    record : Path
        Folder of the record.
    source : Path, optional
        Where its scan lies now; by default where it lay then.
    folder : Path, optional
        Folder to make; by default the record's name and "_again" beside it.
    memory : str, optional
        Limit such as "4GB"; slabs are cut as they were then.
    executor : str
        How slabs are shared out.
    device, device_memory : str, optional
        As for `make_record`; by default the processors, unless the record was made over a GPU.
    title : str, optional
        Title of the new record.
    exports : sequence of Export
        What is written besides the record's own volume.
    on_progress : callable
        `on_progress(section, done, total)`.

    Returns
    -------
    Outcome
        What was made, and in which folder.

    Raises
    ------
    FormatError
        The record has no provenance.
    InputError
        Its scan is absent, or is not the one it was made of.
    """
    again = again_of(record, source)
    return make_record(
        again.scan,
        again.protocol,
        folder or record.with_name(f"{record.name}_again"),
        memory=memory,
        rows=again.rows,
        slab_rows=again.slab_rows,
        split=again.split,
        executor=executor,
        device=device or again.device,
        device_memory=device_memory,
        title=title,
        exports=exports,
        force=True,  # what was made is made again
        on_progress=on_progress,
    )


@dataclass(frozen=True)
class Again:
    """What it takes to repeat the run of a record.

    Attributes
    ----------
    scan : Scan
        The scan it was made of, with the views of then.
    protocol : Protocol
        With every value that was used.
    rows : slice
        Detector rows that became slices.
    slab_rows : int
        Rows of a slab.
    split : list or None
        How the run was split into sections.
    device : str or None
        "none" where the processors made all of it; None where a GPU did, or was chosen by the environment.
    """

    scan: Scan
    protocol: Protocol
    rows: slice
    slab_rows: int
    split: list[dict[str, Any]] | None
    device: str | None = None


def again_of(record: Path, source: Path | None = None) -> Again:
    """Open the scan a record was made of, and read what was done with it.

    Parameters
    ----------
    record : Path
        Folder of the record.
    source : Path, optional
        Where its scan lies now; by default where it lay then.

    Returns
    -------
    Again
        For a run that makes the same voxels.

    Raises
    ------
    FormatError
        The record has no provenance.
    InputError
        Its scan is absent, or is not the one it was made of.
    """
    provenance = read_provenance(record)
    demand_packages(provenance, record)
    source_notes = _read_source_notes(record, provenance["source"])
    path = source or _find_scan(record, source_notes["path"], source_notes.get("beside"))
    if not path.exists():
        raise InputError(f"{record} was made of {path}, which is not there any more; give its place as SCAN")
    values = {**_values_given(provenance), **source_notes["places"]}
    scan = formats.open(path, **values)
    if not isinstance(scan, Scan):
        raise InputError(f"{path} holds an image, not the scan {record} was made of")
    further = _further(record, source_notes.get("further", {}), path.parent)
    demand_same_source(provenance, scan, further)
    scan = apply_recipe(_with_stated(scan, provenance), with_places(provenance.get("recipe", []), further))
    frozen = {**provenance["frozen"], "steps": with_places(provenance["frozen"]["steps"], further)}
    return Again(
        scan,
        from_data(frozen, str(record / PROVENANCE)),
        slice(*provenance["rows"]),
        provenance["slab_rows"],
        provenance.get("split"),
        "none" if set(provenance.get("devices", {})) <= {"processors"} else None,
    )


def read_provenance(record: Path) -> Mapping[str, Any]:
    """Read what a record tells of the run it was made by.

    Parameters
    ----------
    record : Path
        Folder of the record.

    Returns
    -------
    mapping
        As `tomarium.pipeline.run.runner.run` wrote it.

    Raises
    ------
    FormatError
        The folder is none of a record, or its provenance does not tell the scan and the protocol.
    """
    path = record / PROVENANCE
    if (record / "ro-crate-metadata.json").is_file() and not path.exists():
        raise FormatError(
            f"{record} was made by no run of a protocol, so that there is none to repeat; its ro-crate-metadata.json "
            f"tells what it was made of and how"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise FormatError(
            f"{path} cannot be read ({problem}), so the run cannot be repeated; give the folder of a record"
        ) from problem
    is_complete = isinstance(content, dict) and {"source", "frozen", "rows", "slab_rows"} <= content.keys()
    if not is_complete or not {"path", "given", "fingerprint"} <= dict(content["source"]).keys():
        raise FormatError(f"{path} does not tell which scan and which protocol it was made by")
    provenance: Mapping[str, Any] = content
    return provenance


def _values_given(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was told of the scan of a record; what the beamline's profile told keeps that origin."""
    values = provenance["source"].get("values") or {}
    values_given: dict[str, Any] = {}
    for name, value in provenance["source"]["given"].items():
        value_known = values.get(name) or {}
        by_profile = value_known.get("origin") == "profile"
        values_given[name] = (
            Value(value, "profile", str(value_known.get("source", ""))) if by_profile else value
        )
    return values_given


def _with_stated(scan: Scan, provenance: Mapping[str, Any]) -> Scan:
    """Give a scan what the beamtime of the first run stated of it, whatever is stated by now."""
    told = provenance["source"].get("metadata") or {}
    stated = {
        name: Value(value["value"], "profile", str(value["source"]))
        for name, value in told.items()
        if isinstance(value, Mapping) and value.get("origin") == "profile" and name not in scan.metadata
    }
    return replace(scan, metadata={**scan.metadata, **stated}) if stated else scan


def _read_source_notes(record: Path, source: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read where the scan of a record lies, and what was named when it was opened; else what its provenance says."""
    try:
        notes = read_json(record / SOURCE)
    except (OSError, ValueError):
        notes = None
    if isinstance(notes, dict) and {"path", "places"} <= notes.keys():
        return notes
    places = {name: source["metadata"].get(f"opened_{name}") for name in formats.PLACES}
    return {
        "path": source["path"],
        "places": {
            name: value["value"] for name, value in places.items() if value and value["origin"] == "user"
        },
    }


def _find_scan(record: Path, path: str, beside: object) -> Path:
    """Return where a file lies: where it lay, else at the same place beside the record, with which it was moved."""
    noted_path = Path(path)
    if noted_path.exists() or not isinstance(beside, str):
        return noted_path
    moved = record / beside
    return moved.resolve() if moved.exists() else noted_path


def _further(record: Path, further_places: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Find further scans that do not lie beside the first: their names in the record → where they are."""
    paths = {}
    for name, place in further_places.items():
        if not (folder / name).exists():
            path = _find_scan(record, place["path"], place["beside"])
            if path.exists():
                paths[name] = str(path)
    return paths


def _keep_source(place: Path, scan: Scan, further: Iterable[tuple[str, Path]]) -> None:
    """Note where scans lie for whoever repeats the run here; only its owner may read it."""
    if not scan.path.exists():
        return
    places = {name: scan.metadata.get(f"opened_{name}") for name in formats.PLACES}
    values_given = {name: value.value for name, value in places.items() if value and value.origin == "user"}
    paths_by_name = dict(further)
    folders = folders_of_scan(scan, paths_by_name)
    named = {without_folders(text, folders): _place(place, path) for text, path in paths_by_name.items()}
    notes = {**_place(place, scan.path), "places": plain(values_given)}
    write_json(place / SOURCE, {**notes, **({"further": named} if named else {})})
    (place / SOURCE).chmod(0o600)


def _place(record: Path, path: Path) -> dict[str, str]:
    absolute_path = path.resolve()
    return {"path": str(absolute_path), "beside": os.path.relpath(absolute_path, record.resolve())}


def _file(place: Path, outcome: Outcome, title: str | None, id: str | None) -> Record:
    scan, provenance = outcome.scan, outcome.provenance
    technique = technique_of(scan)
    own = scan.metadata.get("sample_name") or scan.metadata.get("title")
    is_volume = outcome.plan.output == "volume"
    return file_record(
        place,
        title=title or (str(own.value) if own and str(own.value).strip() else scan.name),
        id=id,
        keywords=("X-ray tomography", scan.format),
        parameters=parameters_of(scan) | ({DERIVED: technique[1]} if technique else {}),
        techniques=(technique[0],) if technique else (),
        stated=facts_of_scan(scan),
        volume={"unit": outcome.plan.unit, **summarise(provenance["statistics"])} if is_volume else None,
        parts=() if is_volume else _projections_part(place),
        provenance=provenance,
    )


def _projections_part(place: Path) -> tuple[Part, ...]:
    """Draw the pictures of the projections that a protocol without a reconstruction ends in, and tell of them."""
    path = place / PROJECTIONS
    laid_out = lay_out(path, formats.open(path), place, in_place=True)
    return tuple(replace(part, path=PROJECTIONS, role="corrected") for part in laid_out.parts)
