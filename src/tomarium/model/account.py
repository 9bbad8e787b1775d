"""What a scan or an image is, in rows of two texts: the lines of a console, the table of a notebook.

Nothing is read for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomarium import units
from tomarium.model.wording import brief, in_words

if TYPE_CHECKING:
    from tomarium.model.geometry import Geometry
    from tomarium.model.image import Axis, Image
    from tomarium.model.record import Record
    from tomarium.model.scan import Reference, Scan
    from tomarium.model.value import Value

Rows = list[tuple[str, str]]

_LONGEST: Final = 90
_MOST_AXES: Final = 6


def rows_of_scan(scan: Scan) -> Rows:
    """Tell what a scan is.

    Parameters
    ----------
    scan : Scan
        The scan.

    Returns
    -------
    list of (str, str)
        At most thirteen: path, format, frames, shape, angles, geometry, and how many warnings there are.
    """
    dtype = np.dtype(scan.projections.dtype)
    references = (
        (word, reference)
        for word, reference in (("flats", scan.flats), ("darks", scan.darks))
        if reference is not None
    )
    frames = [
        f"{scan.shape[0]} projections",
        *(f"{reference.frames.shape[0]} {word}" for word, reference in references),
    ]
    stored = "" if dtype.kind == "V" else f", {dtype.name}"
    counts = (
        (word, len(entries))
        for word, entries in (("missing", scan.missing), ("repaired", scan.repaired))
        if entries
    )
    return [
        ("path", in_words(scan.path)),
        ("format", f"{scan.format} ({scan.dialect})" if scan.dialect else scan.format),
        ("frames", ", ".join(frames)),
        ("shape", f"{_times(scan.shape)} (angle, row, column){stored}"),
        ("angles", _angles(scan.angles_deg)),
        ("pixel", _value(scan.pixel_m, "m")),
        ("energy", _value(scan.energy_kev, "keV")),
        ("distance", _value(scan.distance_m, "m")),
        ("axis", _value(scan.axis_column, "px")),
        *((word, str(count)) for word, count in counts),
        ("warnings", str(len(scan.warnings))),
    ]


def rows_of_reference(reference: Reference) -> Rows:
    """Tell what flats or darks are, and between which projections they were taken."""
    count, height, width = reference.frames.shape
    ends = sorted({float(reference.position.min()), float(reference.position.max())}) if count else []
    return [
        ("shape", f"{_times((count, height, width))} (frame, row, column)"),
        ("position", " … ".join(f"{end:g}" for end in ends) + ", by numbers of projections"),
    ]


def rows_of_geometry(geometry: Geometry) -> Rows:
    """Tell each number of a geometry that is known, with its origin."""
    return [
        (
            field.words,
            _angles(value)
            if field.name == "angles_deg"
            else f"{len(value.value)} numbers, {value.origin}"
            if field.per_view
            else _value(value, field.unit),
        )
        for field, value in geometry.items()
    ]


def rows_of_image(image: Image) -> Rows:
    """Tell what an image or a volume is.

    Parameters
    ----------
    image : Image
        Any image.

    Returns
    -------
    list of (str, str)
        At most thirteen: path, shape, unit, and the step of each axis.
    """
    names = ", ".join(axis.name for axis in image.axes)
    shape = f"{_times(image.shape)} ({names})" if image.ndim else "one value"
    levels = getattr(image, "levels", ())
    warnings = image.metadata.get("warnings")
    return [
        *([("path", in_words(image.path))] if image.path else []),
        ("shape", f"{shape}, {image.dtype.name}"),
        ("values", f"in {image.unit}" if image.unit else "without a unit"),
        *((axis.name or "axis", _step(axis)) for axis in image.axes[:_MOST_AXES]),
        *([("levels", str(len(levels)))] if levels else []),
        *([("warnings", str(len(warnings)))] if isinstance(warnings, list | tuple) and warnings else []),
    ]


def rows_of_record(record: Record) -> Rows:
    """Tell what a record is.

    Parameters
    ----------
    record : Record
        The record.

    Returns
    -------
    list of (str, str)
        At most twelve: title, creators, licence, DOI, parts, the size of its files, and how much is known.
    """
    published = record.publication
    parts = [f"{part.kind} {part.path}".strip() for part in record.parts]
    total = sum(entry.bytes for entry in record.files)
    shape = record.volume.get("shape")
    optional = (
        ("creators", "; ".join(person.name for person in record.creators)),
        ("licence", record.licence),
        ("DOI", published.doi if published else ""),
        ("specimen", record.specimen),
        ("techniques", ", ".join(record.techniques)),
        ("volume", _times(tuple(shape)) + " (z, y, x)" if shape else ""),
    )
    return [
        ("title", record.title),
        ("created", record.created.isoformat(timespec="seconds")),
        *((word, text) for word, text in optional if text),
        ("parts", ", ".join(parts) if parts else "none"),
        ("files", f"{len(record.files)}, {units.show(total, 'B', digits=3)}"),
        ("parameters", str(len(record.parameters))),
        ("published", _published(record)),
    ]


def in_lines(title: str, rows: Rows) -> str:
    """Write rows as lines of text.

    Parameters
    ----------
    title : str
        The first line.
    rows : list of (str, str)
        What follows.

    Returns
    -------
    str
        One line more than rows, each of some hundred characters at most.
    """
    width = max((len(word) for word, _ in rows), default=0)
    lines = [
        f"  {brief(word, 20).ljust(min(width, 20))}  {brief(in_words(text), _LONGEST)}".rstrip()
        for word, text in rows
    ]
    return "\n".join([brief(in_words(title), _LONGEST), *lines])


def _published(record: Record) -> str:
    publication = record.publication
    if publication is None:
        return "no, a draft"
    if publication.withdrawn is not None:
        return f"withdrawn {publication.withdrawn.date()}"
    days = publication.published.date(), publication.open_from.date()
    return f"{days[0]}, version {publication.version}, files open from {days[1]}"


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _value(value: Value[float] | None, unit: str) -> str:
    return "not known" if value is None else f"{units.show(value.value, unit, 6)}, {value.origin}"


def _angles(angles: Value[Any]) -> str:
    if not len(angles.value):
        return f"none, {angles.origin}"
    first, last = (units.show(float(angles.value[i]), "deg") for i in (0, -1))
    return f"{first} … {last}, {len(angles.value)}, {angles.origin}"


def _step(axis: Axis) -> str:
    if axis.coordinates:
        return f"uneven steps of {units.show(axis.scale, axis.unit)} on average"
    return "not calibrated" if axis.unit == "px" else f"steps of {units.show(axis.scale, axis.unit)}"
