"""What is made of one scan of a batch, a record or the picture of a slice, and whether it is there already."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium.atomic_files import write_json
from tomarium.beamtime.batch_files import RECORDS, SLICES, Row
from tomarium.catalogue.chosen_run import ChosenRun
from tomarium.catalogue.export import Export, exports_of
from tomarium.catalogue.make_record import make_record, read_provenance
from tomarium.catalogue.make_series import is_made, title_of
from tomarium.errors import InputError
from tomarium.formats.record.reader import CRATE, PROVENANCE
from tomarium.pipeline.plan.warnings import of_result
from tomarium.pipeline.protocol.protocol import to_data
from tomarium.pipeline.run.folders import folders_of_scan, without_folders
from tomarium.pipeline.run.journal import is_unfinished, read_json
from tomarium.pipeline.run.provenance import (
    fingerprint_of,
    further_fingerprints,
    geometry_data,
    given_by_user,
    plain,
)
from tomarium.pipeline.run.reconstruct import slices_at
from tomarium.pipeline.run.runner import Progress
from tomarium.viewers.slice_file import Plane, save_slices

_THUMBNAIL: Final = "previews/thumbnail.png"
MOST_CLIPPED: Final = 1e-3
"""Share of the voxels that may lie beyond limits which were found in another volume, before it is told."""


@dataclass(frozen=True)
class Making:
    """How results are made, the same for all scans of a batch.

    Attributes
    ----------
    folder : Path
        Folder of the batch.
    executor : str
        How slabs are shared out.
    memory : str or None
        Limit such as "4GB".
    exports : tuple of Export
        What is written besides each record's own volume.
    force : bool
        Whether to go on where the frames cannot give a right volume.
    slice_only : bool
        Whether only a picture of one slice is made.
    slice_row : int or None
        Its row; None for the middle.
    """

    folder: Path
    executor: str = "threads"
    memory: str | None = None
    exports: tuple[Export, ...] = ()
    force: bool = False
    slice_only: bool = False
    slice_row: int | None = None


def place_of(making: Making, name: str) -> Path:
    """Return where the result of a scan lies: the folder of its record, or its picture."""
    return making.folder / SLICES / f"{name}.png" if making.slice_only else making.folder / RECORDS / name


def made(making: Making, row: Row) -> Row | None:
    """Read what was made of a scan before.

    Parameters
    ----------
    making : Making
        As it is asked for.
    row : Row
        Scan and name.

    Returns
    -------
    Row or None
        As the result tells of itself; None where there is none that is finished.
    """
    place = place_of(making, row.name)
    if making.slice_only:
        content = read_json(place.with_suffix(".json")) if place.is_file() else None
        return (
            None
            if content is None
            else Row(**{**content["row"], "warnings": tuple(content["row"]["warnings"])})
        )
    if not is_made(place):
        return None
    return _row_of_record(making, row, read_provenance(place))


def _row_of_record(making: Making, row: Row, provenance: Mapping[str, Any]) -> Row:
    place = place_of(making, row.name)
    axis = provenance["geometry"].get("axis_column") or {}
    confidences = [
        str(answer["confidence"])
        for key, answer in provenance.get("probes", {}).items()
        if key.split()[0] == "find_axis" and "confidence" in answer
    ]
    warnings = (*provenance["warnings"], *_clipped(place, making.exports))
    picture = place / _THUMBNAIL
    return replace(
        row,
        state="warnings" if warnings else "finished",
        axis_column=axis.get("column_in_file", axis.get("value")),
        axis_origin=axis.get("origin", ""),
        confidence=confidences[-1] if confidences else "",
        warnings=warnings,
        seconds=provenance["timings_s"]["all"],
        record=place.relative_to(making.folder).as_posix(),
        picture=picture.relative_to(making.folder).as_posix() if picture.is_file() else "",
        error="",
    )


def differences(making: Making, name: str, chosen: ChosenRun, rows: slice) -> list[str]:
    """Tell in what a finished result differs from what is asked for now.

    Parameters
    ----------
    making : Making
        As it is asked for.
    name : str
        Name of the result.
    chosen : ChosenRun
        The scan and the protocol of now.
    rows : slice
        Rows of the scan, as the plan has them.

    Returns
    -------
    list of str
        In words; empty where it is what is asked for.
    """
    place = place_of(making, name)
    request_now = _request(chosen, slice(0, 0) if making.slice_only else rows)
    if making.slice_only:
        before = (read_json(place.with_suffix(".json")) or {}).get("request", {})
        request_now["row"] = making.slice_row
    else:
        provenance = read_provenance(place)
        before = {
            "content": provenance["source"]["fingerprint"],
            "further": provenance.get("further_scans", {}),
            "given": provenance["source"]["given"],
            "protocol": provenance["protocol"],
            "rows": provenance["rows"],
        }
    differences_found = []
    if request_now["content"] != before.get("content") or request_now["further"] != before.get("further"):
        differences_found.append("the scan's file is another one now")
    if request_now["given"] != before.get("given"):
        differences_found.append(
            f"what is told of the scan: {_changes_text(before.get('given') or {}, request_now['given'])}"
        )
    if request_now["protocol"] != before.get("protocol"):
        differences_found.append(
            f"the protocol: {_step_changes_text(before.get('protocol') or {'steps': []}, request_now['protocol'])}"
        )
    if request_now["rows"] != before.get("rows") or request_now.get("row") != before.get("row"):
        differences_found.append("the rows")
    if not making.slice_only:
        differences_found += _export_differences(place, making.exports)
    return differences_found


def _export_differences(place: Path, exports: Sequence[Export]) -> list[str]:
    """Tell which volumes that are asked for besides a record's own are missing, or have other limits."""
    entries = {entry["file"]: entry for entry in exports_of(place)}
    differences_found = []
    for export in exports:
        if not (place / export.name).exists():
            differences_found.append(f"{export.name} is missing")
            continue
        limits = (export.low, export.high) if export.shared is None else export.shared.known(export.dtype)
        entry = entries.get(export.name, {})
        if limits is not None and limits[0] is not None and limits != (entry.get("low"), entry.get("high")):
            before = f"{entry.get('low', 0):.6g}:{entry.get('high', 0):.6g}" if entry else "not known"
            differences_found.append(
                f"the limits of {export.name}: {before} → {limits[0]:.6g}:{limits[1]:.6g}"
            )
    return differences_found


def _clipped(place: Path, exports: Sequence[Export]) -> tuple[str, ...]:
    """Warn of volumes of whole numbers that lose more than a few voxels beyond limits that are not their own."""
    names = {export.name for export in exports if export.common or export.low is not None}
    texts = []
    for entry in exports_of(place):
        beyond = int(entry.get("below", 0)) + int(entry.get("above", 0))
        if entry["file"] in names and beyond > MOST_CLIPPED * int(entry.get("voxels", 0)):
            share = 100 * beyond / int(entry["voxels"])
            texts.append(
                f"{entry['file']}: {share:.2g} % of its voxels lie beyond {entry['low']:.6g} … {entry['high']:.6g} "
                f"{entry['unit']}, the limits for all"
            )
    return tuple(texts)


def _request(chosen: ChosenRun, rows: slice) -> dict[str, Any]:
    """Write what makes a result the same one, as a record's provenance states it."""
    scan, steps = chosen.scan, to_data(chosen.protocol)
    further = further_fingerprints(scan, [*scan.recipe, *steps["steps"]])
    request = {
        "content": fingerprint_of(scan),
        "further": further,
        "given": given_by_user(scan),
        "protocol": steps,
        "rows": [rows.start, rows.stop],
    }
    request_as_json: dict[str, Any] = json.loads(
        json.dumps(without_folders(plain(request), folders_of_scan(scan, further)))
    )
    return request_as_json


def _changes_text(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    names = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    return ", ".join(f"{key} {_value_text(before, key)} → {_value_text(after, key)}" for key in names)


def _value_text(values: Mapping[str, Any], key: str) -> str:
    return "not given" if key not in values else str(values[key])[:40]


def _step_changes_text(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Tell the steps and parameters that differ."""
    earlier, other = ([next(iter(step.items())) for step in data["steps"]] for data in (before, after))
    if [name for name, _ in earlier] != [name for name, _ in other]:
        return f"{', '.join(name for name, _ in earlier)} → {', '.join(name for name, _ in other)}"
    changes = [
        f"{name}: {_changes_text(was, now_given)}"
        for (name, was), (_, now_given) in zip(earlier, other, strict=True)
        if was != now_given
    ]
    return "; ".join(changes)


def make(making: Making, row: Row, chosen: ChosenRun, on_progress: Progress) -> Row:
    """Make the result of one scan.

    Parameters
    ----------
    making : Making
        As it is asked for.
    row : Row
        Scan and name.
    chosen : ChosenRun
        The scan and its protocol.
    on_progress : callable
        `on_progress(section, done, total)`.

    Returns
    -------
    Row
        Finished.

    Raises
    ------
    TomariumError, OSError
        As `make_record` and `slices_at`.
    """
    if making.slice_only:
        return _make_slice(making, row, chosen, on_progress)
    outcome = make_record(
        chosen.scan,
        chosen.protocol,
        place_of(making, row.name),
        memory=making.memory,
        rows=chosen.rows,
        executor=making.executor,
        title=row.name if (own := title_of(chosen.scan)) == row.name else f"{own}, {row.name}",
        exports=making.exports,
        force=making.force,
        on_progress=on_progress,
    )
    return _row_of_record(making, row, outcome.provenance)


def _make_slice(making: Making, row: Row, chosen: ChosenRun, on_progress: Progress) -> Row:
    began = time.perf_counter()
    [slices] = slices_at(
        chosen.scan, [making.slice_row], chosen.protocol, force=making.force, on_progress=on_progress
    )
    slab = slices.slab
    not_finite = int(np.count_nonzero(~np.isfinite(slab.data)))
    warnings = tuple(
        dict.fromkeys(of_result(slices.resolution, slices.answers, slab.report, not_finite, rows=1))
    )
    column = geometry_data(slices.resolution).get("axis_column")
    pixel = slices.resolution.layout.geometry.pixel_m
    place = place_of(making, row.name)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.with_suffix(".json").unlink(missing_ok=True)  # a picture without it is not known as finished
    image = slab.data[0] if slab.domain == "slice" else slab.data[:, 0]
    save_slices(
        place,
        [Plane(image, f"row {slab.rows.start}")],
        pixel_m=None if pixel is None else pixel.value,
        unit=slices.resolution.layout.unit,
    )
    axis = [answer for key, answer in slices.answers.items() if key.split()[0] == "find_axis"]
    name = place.relative_to(making.folder).as_posix()
    finished_row = replace(
        row,
        state="warnings" if warnings else "finished",
        axis_column=None if column is None else column.get("column_in_file", column["value"]),
        axis_origin="" if column is None else column["origin"],
        confidence=str(axis[-1]["confidence"]) if axis else "",
        warnings=warnings,
        seconds=time.perf_counter() - began,
        record=name,
        picture=name,
        error="",
    )
    request = _request(chosen, slice(0, 0)) | {"row": making.slice_row}
    write_json(place.with_suffix(".json"), {"request": request, "row": asdict(finished_row)})
    return finished_row


def remove(making: Making, name: str) -> None:
    """Remove a result that is to be made anew; under another name first, so that no part of it looks whole.

    Parameters
    ----------
    making : Making
        As it is asked for.
    name : str
        Name of the result.

    Raises
    ------
    InputError
        There is something else in its place.
    """
    place = place_of(making, name)
    if making.slice_only:
        place.with_suffix(".json").unlink(missing_ok=True)
        place.unlink(missing_ok=True)
        return
    going = place.with_name(f".{name}.replaced")
    if place.exists():
        if not is_unfinished(place) and not any(
            (place / name_of_file).is_file() for name_of_file in (CRATE, PROVENANCE)
        ):
            raise InputError(f"{place} is no record, so it is not made anew; move it to another place")
        if going.exists():
            shutil.rmtree(going)
        place.rename(going)
    if going.exists():
        shutil.rmtree(going)
