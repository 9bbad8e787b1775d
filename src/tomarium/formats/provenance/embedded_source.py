"""The side-car: what the target of a conversion cannot express, kept in it, and put back on the way home.

A file tomarium converts holds the group `/tomarium`; beside one that is not HDF5 it is a file of its own:

- `source` and what belongs to it: the tree of the file the scan was first made from, as
  `tomarium.formats.provenance.original` tells.
- `meaning`: JSON, what the source's reader understood, for readers of the target.
- `geometry`: JSON, the roll and tilt of the axis, the shifts of the sample and the domain, where known: no format of
  a scan has a place for them.
- `frames`: JSON, the datasets of frames that the digest leaves out.
- attribute `digest`, of all that the target says besides: where somebody has changed it since, the way home is not
  taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import __version__
from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.formats.hdf5.content_hash import fingerprint
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.hdf5.two_phase_writer import TwoPhaseFile, two_phase_file
from tomarium.formats.provenance.frame_mapping import Placed
from tomarium.formats.provenance.json_values import as_json, from_json
from tomarium.formats.provenance.original import beside, digest_of, keep_original
from tomarium.formats.provenance.stacks import Stored, stacks_of, stored_beside
from tomarium.model import Scan, Value
from tomarium.model.geometry import FIELDS
from tomarium.model.slab import RAW_DOMAINS

GROUP: Final = "tomarium"


def keep(output: TwoPhaseFile, scan: Scan, placed: Sequence[Placed]) -> None:
    """Write the side-car of a scan, as the last part of a file's structure."""
    names = json.dumps(output.names)
    _begin(output, scan, fingerprint(output.file, frozenset(output.names)))
    output.file[f"{GROUP}/frames"] = names
    stored = {
        name: Stored(output.file[part.dataset].dtype, part)
        for name, frames in stacks_of(scan).items()
        for part in placed
        if part.frames is frames
    }
    keep_original(output, scan, stored, placed)


def leave_beside(scan: Scan, read_back: Scan, target: Path) -> None:
    """Write the side-car of a scan beside a target that cannot hold it.

    `scan`: what was converted. `read_back`: what the target reads as. Frames it gives back are left empty.
    """
    # As one to go on with, for what a killed run leaves of it is found again under that name alone.
    with two_phase_file(target, resume=True) as output:
        _begin(output, scan, digest_of(_filled(read_back, _geometry(scan))))
        keep_original(output, scan, stored_beside(scan, read_back))


def _begin(output: TwoPhaseFile, scan: Scan, digest: str) -> None:
    home = output.file.create_group(GROUP)
    home.attrs.update({"format": scan.format, "program": f"tomarium {__version__}", "digest": digest})
    home["meaning"] = _meaning(scan.metadata)
    geometry = _geometry(scan)
    if geometry:
        home["geometry"] = json.dumps(geometry)


def _meaning(metadata: Mapping[str, Value[Any]]) -> str:
    # Names that begin with "/" are places in the source, which the tree keeps as they were; what a user named of the
    # source to open it names nothing in the target.
    values = {
        name: {"value": as_json(value.value), "origin": value.origin, "source": value.source}
        for name, value in metadata.items()
        if not name.startswith(("/", "opened_"))
    }
    # What is no UTF-8, as in names of files, becomes the escape JSON has for it.
    return json.dumps(values, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def meaning(source: Source) -> dict[str, Value[Any]]:
    """Read what the reader of the first file understood, for values the file itself cannot say."""
    text = source.text(f"/{GROUP}/meaning")
    try:
        values = json.loads(text) if text else {}
        return {
            str(name): Value(from_json(value["value"]), value["origin"], str(value["source"]))
            for name, value in values.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        source.warnings.append(f"/{GROUP}/meaning is damaged and was left out ({problem})")
        return {}


def _geometry(scan: Scan) -> dict[str, Any]:
    """Tell what formats have no place for; what most of them have is not told twice."""
    fields: dict[str, Any] = {
        field.name: {"value": as_json(value.value), "source": value.source}
        for field, value in scan.geometry.items()
        if not field.expected
    }
    return fields if scan.domain == "counts" else {**fields, "domain": scan.domain}


def with_geometry(scan: Scan, source: Source) -> Scan:
    """Add what the side-car says of a scan's geometry and the reader of the file did not find there.

    `source`: the open file that holds the side-car, or may hold one. Result: with the roll and tilt of the
    axis, the shifts and the domain that were known before; with a warning where the side-car is damaged.
    """
    text = source.text(f"/{GROUP}/geometry")
    try:
        return _filled(scan, json.loads(text)) if text else scan
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        warning = f"/{GROUP}/geometry is damaged and was left out ({problem})"
        return replace(scan, warnings=(*scan.warnings, warning))


def with_geometry_beside(scan: Scan) -> Scan:
    """Add what the side-car beside a file that is no HDF5 says of its scan's geometry.

    Result: as `with_geometry`; the same scan where there is no side-car.
    """
    file = beside(scan.path)
    if not file.is_file() or is_hdf5(scan.path) or not is_hdf5(file):
        return scan
    with reading(file) as source:
        return with_geometry(scan, source)


def _filled(scan: Scan, geometry: Mapping[str, Any]) -> Scan:
    values: dict[str, Value[Any]] = {}
    for field in FIELDS:
        if field.name not in geometry or getattr(scan.geometry, field.name) is not None:
            continue
        value = from_json(geometry[field.name]["value"])
        number = np.asarray(value, np.float64) if field.per_view else float(value)
        # A list of another length says nothing of these frames: the file was cut since.
        if not field.per_view or np.shape(number) == scan.shape[:1]:
            values[field.name] = Value(number, "read", str(geometry[field.name]["source"]))
    domain_told = next((domain for domain in RAW_DOMAINS if domain == geometry.get("domain")), scan.domain)
    domain = domain_told if scan.domain == "counts" else scan.domain
    return replace(scan, domain=domain).with_geometry(**values)
