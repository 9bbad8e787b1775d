"""Convert a scan or an image into another format, and tell what became of every part of it."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import formats
from tomarium.atomic_files import clear_drafts, write_json
from tomarium.conversion.change_report import Change, place_of, restored, scan_changes, stacks
from tomarium.conversion.compare import compare
from tomarium.conversion.target_format import choose, kind_of
from tomarium.errors import FormatError, InputError
from tomarium.formats.format import Format
from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.formats.hdf5.source import SIDE_CAR
from tomarium.formats.provenance.embedded_source import leave_beside
from tomarium.formats.provenance.original import beside, is_side_car, original_of, restore
from tomarium.formats.provenance.source_fingerprint import origin_of, sources_of
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.formats.tables import csv_images
from tomarium.formats.tables.csv_file import Table, write_table
from tomarium.model import Image, Scan
from tomarium.model.geometry import BY_NAME
from tomarium.model.wording import brief, in_words

# Small files of an OME-Zarr group, which is written under its own name.
_WHOLE: Final = ("zarr.json", ".zgroup", ".zattrs")
# Bytes of a file's name, on the file systems of Linux and macOS.
_LONGEST_NAME: Final = 255
# Formats whose writers put a new file in the place of an old one in one step.
_REPLACING: Final = frozenset({"data-exchange", "nxtomo", "nxtomoproc", "csv", "mrc"})


@dataclass(frozen=True)
class Converted:
    """What became of a conversion.

    Attributes
    ----------
    source, target : Path
        From where to where.
    format : str
        Name of the format that was written.
    changes : tuple of Change
        What became of every part.
    warnings : tuple of str
        What the user should know.
    """

    source: Path
    target: Path
    format: str
    changes: tuple[Change, ...]
    warnings: tuple[str, ...]


def convert(
    opened: Scan | Image,
    target: Path,
    *,
    to: str | None = None,
    overwrite: bool = False,
    lossy: bool = False,
    on_progress: OnProgress | None = None,
) -> Converted:
    """Convert what was opened, block by block, into a file of another format.

    Parameters
    ----------
    opened : Scan or Image
        What to convert, with the values its user gave.
    target : Path
        File or folder to write. It appears when it is complete; a conversion that was stopped goes on where it
        was when it is repeated, if the format can.
    to : str or None
        Name of the format; None goes by the ending of `target`.
    overwrite : bool
        Whether a file that is there may be replaced.
    lossy : bool
        Whether values may be rounded that the format does not hold exactly; it is refused otherwise.
    on_progress : callable or None
        Told of progress: bytes written, bytes in all.

    Returns
    -------
    Converted
        What became of every part. Where the source was itself converted from a file of the target's format,
        and nobody changed it since or gave it other values, that file is put back as it was.

    Raises
    ------
    ParameterError
        No format, or more than one, fits the target; or the format does not write such data.
    InputError
        The target is there already, or is the source.
    FormatError
        The source is damaged, or what was written does not read back with the same meaning.
    StorageFull
        The disk is full; repeat the conversion to go on.
    """
    form = choose(target, kind_of(opened), to)
    if lossy and form.rounds and form.write is not None:
        form = replace(form, write=partial(form.write, lossy=True))
    _check_name(target, form)
    _spare_source(opened, target)
    _take_back(target)
    is_begun, is_there = _is_begun(target, form, opened), target.exists() or target.is_symlink()
    if is_there and not overwrite and not is_begun:
        raise _exists(target)
    if is_there and not is_begun and form.name not in _REPLACING:
        _set_aside(target)
    try:
        done = _convert(opened, target, form, on_progress)
        for file in (target, *(target / name for name in _WHOLE if form.name.startswith("ome-zarr"))):
            clear_drafts(file)
        return done
    finally:
        _take_back(target)


def _exists(target: Path) -> InputError:
    return InputError(f"{target}: exists already; give another name, or allow to overwrite it (--overwrite)")


def _check_name(target: Path, form: Format) -> None:
    """Refuse a name so long that the side-car, which is written last, could not have its own."""
    longest = target.name if form.carries else f".{beside(target).name}.partial.done"
    if (over := len(os.fsencode(longest)) - _LONGEST_NAME) > 0:
        raise InputError(
            f"{target}: its name is {over} bytes too long for the files that are written beside it; give a shorter name"
        )


def _spare_source(opened: Scan | Image, target: Path) -> None:
    """Refuse a target whose writing would put the source away."""
    if not target.exists():
        return
    whole = target.resolve()
    for source in sources_of(opened):
        if source.resolve() == whole:
            problem = "is the source itself" if source == opened.path else f"holds frames of {opened.path}"
            raise InputError(f"{target}: {problem}; give another name")
        if source.resolve().is_relative_to(whole):
            raise InputError(f"{target}: holds the source {source}; give another name")


def _convert(opened: Scan | Image, target: Path, form: Format, on_progress: OnProgress | None) -> Converted:
    if isinstance(opened, Scan):
        if form.name == csv_images.FORMAT.name:
            return _written_table(opened.path, target, csv_images.table_of_scan(opened), opened)
        return _convert_scan(opened, target, form, on_progress)
    return _convert_image(opened, target, form, on_progress)


def _is_begun(target: Path, form: Format, opened: Scan | Image) -> bool:
    """Tell whether an earlier run left its target without its end: slabs, or the side-car that is written last."""
    if form.name.startswith("ome-zarr") and (target / ".partial").is_dir():
        return True
    try:
        return _marker(target).read_text("utf-8") == origin_of(opened, form.name) != ""
    except OSError:
        return False


def _marker(target: Path) -> Path:
    return target.with_name(f".{target.name}.converting")


def _set_aside(target: Path) -> None:
    """Put what is there under another name until what replaces it is whole."""
    if target.is_dir() and not any(match.score > 0 for _, match in formats.recognise(target)):
        raise InputError(
            f"{target}: is a folder that holds no scan or volume; remove it, or give another name"
        )
    target.replace(_aside(target))


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.replaced")


def _take_back(target: Path) -> None:
    """Give back what was set aside where nothing whole has replaced it, else remove it."""
    aside = _aside(target)
    if not target.exists() and aside.exists():
        aside.replace(target)
    elif (target / ".partial").is_dir():  # of OME-Zarr, which is written in place
        return
    elif aside.is_dir() and not aside.is_symlink():  # what a link leads to is another's
        shutil.rmtree(aside)
    else:
        aside.unlink(missing_ok=True)


def convert_dataset(path: Path, place: str, target: Path, *, overwrite: bool = False) -> Converted:
    """Write one 1-D dataset of an HDF5 file as a table, with its axis and what was measured once beside it.

    `overwrite`: whether a file that is there may be replaced. Result: what became of it; the rest of the file
    is left out, and nothing is said of it.
    """
    if target.exists() and not overwrite:
        raise _exists(target)
    return _written_table(path, target, csv_images.table_of_dataset(path, place), None)


def _written_table(path: Path, target: Path, table: Table, scan: Scan | None) -> Converted:
    write_table(target, table)
    changes = [
        Change(
            "kept",
            column.name,
            column.name if column.name.startswith("/") else "",
            f"column {column.name}",
            column.unit,
        )
        for column in table.columns
    ]
    changes += [
        Change("kept", name, "", f"# {name}", f"{position.value} {position.unit}".strip())
        for name, position in table.positions.items()
    ]
    for stack, frames, _ in () if scan is None else stacks(scan, scan):
        changes.append(Change("left out", stack, place_of(frames), "", "a table holds no frames"))
    return Converted(path, target, csv_images.FORMAT.name, tuple(changes), ())


def _convert_scan(scan: Scan, target: Path, form: Format, on_progress: OnProgress | None) -> Converted:
    for _, frames, _ in stacks(scan, scan):
        if np.dtype(frames.dtype).kind == "V":  # their file is absent, and they say which
            frames.read(slice(0, 1), slice(None))
    original = original_of(scan)
    warnings = []
    if original is not None and original.format == form.name:
        if not original.stale:
            restore(scan, original, target, resume=True, on_progress=on_progress)
            try:
                differences = _restored_differences(scan, target, form)
            except FormatError as problem:  # what it links to, such as its angles, is not there
                target.unlink()
                original = replace(original, stale=f"it does not read: {problem}")
            else:
                changes = list(restored(target, original))
                all_warnings = [*_lost_links(changes, target), *differences]
                return Converted(scan.path, target, form.name, tuple(changes), tuple(all_warnings))
        warnings.append(f"the {form.title} this file was made from is not put back, because {original.stale}")
    _write_marked(form, target, scan, on_progress)
    read_back = formats.open(target, as_format=form.name)
    if not isinstance(read_back, Scan):
        raise FormatError(f"{target}: was written as a scan and reads back as an image; report this file")
    side_car = beside(target)
    place = f"/{SIDE_CAR}" if form.carries else side_car.name
    changes = list(scan_changes(scan, read_back, place))
    if original is not None:
        why = f" ({original.stale})" if original.stale else ""
        detail = f"what it was made from: {original.format}{why}"
        changes.append(Change("side-car", "lineage", f"{original.file.name}:/{SIDE_CAR}", place, detail))
    # The tree of a file of HDF5 tells more than values: types, layouts, attributes.
    if not form.carries and (is_hdf5(scan.path) or any(change.fate == "side-car" for change in changes)):
        leave_beside(scan, read_back, side_car)
    elif not form.carries and is_side_car(side_car):
        side_car.unlink()  # of what was here before
    _marker(target).unlink(missing_ok=True)
    warnings += _differences(scan, read_back)
    return Converted(scan.path, target, form.name, tuple(changes), tuple(warnings))


def _restored_differences(scan: Scan, target: Path, form: Format) -> list[str]:
    """Say what of the geometry a file put back says otherwise, by the most alike of its scans."""
    entry_lists = [
        match.entries for candidate, match in formats.recognise(target) if candidate.name == form.name
    ]
    entries: list[str | None] = [*(entry_lists[0] if entry_lists else ())] or [None]
    differences = [
        _differences(scan, formats.open(target, as_format=form.name, entry=entry)) for entry in entries[:50]
    ]
    return min(differences, key=len)


def _differences(scan: Scan, read_back: Scan | Image) -> list[str]:
    """Say what of the geometry reads back otherwise."""
    if not isinstance(read_back, Scan):
        return [f"{read_back.path} reads back as an image"]
    different = [
        finding
        for finding in compare(scan, read_back, pixels=False).findings
        if finding.what in BY_NAME and not finding.same
    ]
    return [
        f"{finding.what} reads back differently: {finding.one} → {finding.other} {finding.detail}"
        for finding in different
    ]


def _lost_links(changes: list[Change], target: Path) -> list[str]:
    """Say in one line what lies in files that are not beside the target."""
    lost = [change for change in changes if change.fate == "left out"]
    if not lost:
        return []
    return [
        f"{len(lost)} links of the source lead nowhere from {target.name}, such as "
        f"{lost[0].what} ({lost[0].detail}); copy those files there where they are needed"
    ]


def _write_marked(form: Format, target: Path, opened: Scan | Image, on_progress: OnProgress | None) -> None:
    """Write the target, unless an earlier run has and was stopped before the side-car."""
    if form.name.startswith("ome-zarr") and _is_hollow(target, form):
        shutil.rmtree(target)
    # A .par has its name a moment before the folder of its frames has.
    folders = target / ".partial", target.with_name(f".{target.stem}_edfs.partial")
    whole = target.exists() and not any(folder.is_dir() for folder in folders)
    # A raw volume may be written into a folder, which is there from the beginning.
    whole = whole and not (target.is_dir() and any(target.glob(".*.partial")))
    if whole and _is_begun(target, form, opened):
        return
    origin = "" if form.carries else origin_of(opened, form.name)
    if origin:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Plainly: a torn one equals no origin, and a draft of it would outlive a run that is killed here.
        _marker(target).write_text(origin, "utf-8")
    try:
        _write(form, target, opened, on_progress)
    except BaseException:
        if not target.exists():
            _marker(target).unlink(missing_ok=True)
        raise


def _is_hollow(target: Path, form: Format) -> bool:
    """Tell whether a store was begun and killed before its plan was there: arrays are described, none has a chunk."""
    planned = (target / ".partial" / "plan.json").exists()
    if not _marker(target).exists() or not target.is_dir() or planned:
        return False
    files = [entry for entry in target.rglob("*") if entry.is_file()]
    metadata_names = {".zarray", ".zattrs", ".zgroup", "zarr.json"}
    match = form.detect(target)
    return (match is None or not match.score) and all(
        file.name in metadata_names or file.suffix in (".partial", ".part") for file in files
    )


def _write(form: Format, target: Path, opened: Scan | Image, on_progress: OnProgress | None) -> None:
    assert form.write is not None
    write = form.write
    if form.resumes and form.carries:
        write(target, opened, resume=True, on_progress=on_progress, side_car=True)
    elif form.resumes:
        write(target, opened, resume=True, on_progress=on_progress)
    else:
        write(target, opened)


def _convert_image(image: Image, target: Path, form: Format, on_progress: OnProgress | None) -> Converted:
    _write_marked(form, target, image, on_progress)
    read_back = formats.open(target, as_format=form.name)
    if not isinstance(read_back, Image):
        raise FormatError(f"{target}: was written as an image and reads back as a scan; report this file")
    place, beside = str(image.path or ""), target.with_name(f"{target.name}.side-car.json")
    changes, values_left_out = [], {}
    for finding in compare(image, read_back, pixels=False).findings:
        if finding.same:
            changes.append(Change("kept", finding.what, place, str(target), finding.detail))
        elif finding.one is None:
            changes.append(
                Change("derived", finding.what, "", str(target), brief(in_words(finding.other), 80))
            )
        else:
            values_left_out[finding.what] = finding.one
            changes.append(
                Change("side-car", finding.what, place, beside.name, brief(in_words(finding.other or ""), 80))
            )
    if values_left_out:
        write_json(beside, values_left_out)
    else:
        beside.unlink(missing_ok=True)  # of what was here before
    _marker(target).unlink(missing_ok=True)
    return Converted(image.path or Path(), target, form.name, tuple(changes), _rounded(read_back))


def _rounded(read_back: Image) -> tuple[str, ...]:
    """Say what a format whose values are levels lost, as its writer counted it."""
    count = read_back.metadata.get("rounded")
    if not count:
        return ()
    total, most = math.prod(read_back.shape), read_back.metadata.get("largest_rounding", 0.0)
    clipped = read_back.metadata.get("clipped", 0)
    beyond = f", {clipped} of them outside the grey range" if clipped else ""
    return (
        f"{count} of {total} values were rounded, by up to {most:.4g} {read_back.unit}".rstrip() + beyond,
    )


def as_data(converted: Converted) -> dict[str, Any]:
    """Turn what became of a conversion into plain data.

    Result: JSON-ready: `source`, `target`, `format`, `changes` [{`fate`, `what`, `source`, `target`,
    `detail`}], `counts` {fate: number}, `warnings`.
    """
    counts: dict[str, int] = {}
    for change in converted.changes:
        counts[change.fate] = counts.get(change.fate, 0) + 1
    return {
        "source": str(converted.source),
        "target": str(converted.target),
        "format": converted.format,
        "counts": counts,
        "changes": [vars(replace(change)) for change in converted.changes],
        "warnings": list(converted.warnings),
    }
