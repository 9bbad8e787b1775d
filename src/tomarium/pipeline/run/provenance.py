"""What was done to which scan with which program: enough to do it again."""

from __future__ import annotations

import hashlib
import math
import platform
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np

from tomarium import registry
from tomarium.errors import InputError, MissingData
from tomarium.model import Scan, Value
from tomarium.model.geometry import FIELDS
from tomarium.pipeline.protocol.resolve import Resolution
from tomarium.steps.core.further_scans import further_paths
from tomarium.steps.core.serialization import all_steps
from tomarium.units import show

LIBRARIES: Final = ("numpy", "ducc0", "h5py", "hdf5plugin", "zarr", "tifffile")

PERSONAL: Final = re.compile(r"e[-_]?mail|phone|address|badge|birth", re.IGNORECASE)
"""Names of values that tell how to reach a person; a record is made to be published and leaves them in the raw file."""

_EDGE = 1 << 20


def fingerprint(path: Path) -> dict[str, Any]:
    """Tell a file from others without reading the whole of it.

    Parameters
    ----------
    path : Path
        File or folder.

    Returns
    -------
    dict
        `bytes`, and `sha256` of the first and last MiB; of a folder, its number of files, their bytes
        together, and the hash of their names and sizes.
    """
    digest = hashlib.sha256()
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        for file in files:
            digest.update(f"{file.relative_to(path).as_posix()} {file.stat().st_size}\n".encode())
        return {
            "files": len(files),
            "bytes": sum(file.stat().st_size for file in files),
            "sha256": digest.hexdigest(),
        }
    size = path.stat().st_size
    with path.open("rb") as content:
        digest.update(content.read(_EDGE))
        content.seek(max(_EDGE, size - _EDGE))
        digest.update(content.read(_EDGE))
    return {"bytes": size, "sha256": digest.hexdigest(), "of": "the first and the last MiB"}


def fingerprint_of(scan: Scan) -> dict[str, Any]:
    """Tell a scan from others by its file, or by its frames where these lie in memory.

    Parameters
    ----------
    scan : Scan
        The scan.

    Returns
    -------
    dict
        As `fingerprint`; of a scan in memory `sha256` is that of its angles, its first and its last projection.
    """
    if scan.path.exists():
        return fingerprint(scan.path)
    digest = hashlib.sha256(repr((scan.shape, scan.angles_deg.value.tolist())).encode())
    for chosen in (slice(0, 1), slice(scan.shape[0] - 1, scan.shape[0])):
        digest.update(np.ascontiguousarray(scan.projections.read(chosen, slice(None))).tobytes())
    return {"sha256": digest.hexdigest(), "of": "the angles, the first and the last projection, in memory"}


def further_fingerprints(scan: Scan, steps: Iterable[Any]) -> dict[str, Any]:
    """Tell the scans that steps take beside the first from others.

    Parameters
    ----------
    scan : Scan
        The first.
    steps : iterable
        Entries of its recipe and of the protocol, as plain data.

    Returns
    -------
    dict of str to dict
        Path as it was given → as `fingerprint`; what is not there is left out, for the step itself says so.
    """
    return {text: fingerprint(path) for text, path in further_paths(scan, steps) if path.exists()}


def source_data(scan: Scan) -> dict[str, Any]:
    """Write where a scan came from and what it said, JSON-ready.

    Parameters
    ----------
    scan : Scan
        The scan.

    Returns
    -------
    dict
        `path`, `name`, `format`, `dialect`, `why`, `shape`, `fingerprint`, `values`, `given` and more.
    """
    return {
        "path": str(scan.path.resolve()),
        "name": scan.name,
        "format": scan.format,
        "dialect": scan.dialect,
        "why": scan.why,
        "shape": list(scan.shape),
        "dtype": str(np.dtype(scan.projections.dtype)),
        "frames": {kind.value: count for kind, count in scan.counts.items()},
        "fingerprint": fingerprint_of(scan),
        "angles_deg": {
            "first": float(scan.angles_deg.value[0]),
            "last": float(scan.angles_deg.value[-1]),
            "count": len(scan.angles_deg.value),
            "origin": scan.angles_deg.origin,
            "source": scan.angles_deg.source,
        },
        "domain": scan.domain,
        "values": {
            field.name: value_data(getattr(scan.geometry, field.name))
            for field in FIELDS
            if field.name != "angles_deg"
            and (field.expected or getattr(scan.geometry, field.name) is not None)
        },
        "given": given_by_user(scan),
        "metadata": {
            name: value_data(value) for name, value in scan.metadata.items() if not PERSONAL.search(name)
        },
        "repaired": list(scan.repaired),
        "warnings": list(scan.warnings),
    }


def given_by_user(scan: Scan) -> dict[str, Any]:
    """Collect what a user told of a scan: with it, the scan's file opens as the same scan again.

    Parameters
    ----------
    scan : Scan
        The scan.

    Returns
    -------
    dict of str to object
        Argument of `tomarium.open` → its value, JSON-ready.
    """
    opened = scan.recipe[0].get("open") if scan.recipe else None
    values = scan.geometry.given() if opened is None else opened
    return {name: plain(value) for name, value in values.items()}


def value_data(value: Value[Any] | None) -> dict[str, Any] | None:
    """Write a value with its origin, JSON-ready.

    Parameters
    ----------
    value : Value or None
        The value.

    Returns
    -------
    dict or None
        `value`, `origin`, `source`.
    """
    if value is None:
        return None
    return {"value": plain(value.value), "origin": value.origin, "source": value.source}


def plain(data: Any) -> Any:
    """Turn NumPy numbers, arrays and paths into what JSON holds.

    Parameters
    ----------
    data : object
        Numbers, text, times, arrays, paths, mappings, sequences and sets of these.

    Returns
    -------
    object
        JSON-ready; numbers that are not finite become None.
    """
    if isinstance(data, np.ndarray | np.generic):
        data = data.tolist()
    if isinstance(data, float) and not np.isfinite(data):
        return None
    if isinstance(data, bytes):
        return data.decode("utf-8", "replace")
    if isinstance(data, Mapping):
        return {str(key): plain(item) for key, item in data.items()}
    if isinstance(data, list | tuple | set | frozenset):
        return [plain(item) for item in data]
    if isinstance(data, datetime):
        return data.isoformat()
    return data if isinstance(data, str | int | float | bool | None) else str(data)


def versions() -> dict[str, str]:
    """Tell the versions of the program and of the libraries that touch the numbers.

    Returns
    -------
    dict of str to str
        Name → version.
    """
    by_name = {"tomarium": _version("tomarium"), "python": platform.python_version()}
    return by_name | {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def demand_same_source(
    provenance: Mapping[str, Any], scan: Scan, places: Mapping[str, str] | None = None
) -> None:
    """Refuse to repeat a run on another scan than it was done on.

    Parameters
    ----------
    provenance : mapping
        As the run wrote it.
    scan : Scan
        The scan at hand.
    places : mapping of str to str, optional
        Where further scans are that do not lie beside it, by their names in the provenance.

    Raises
    ------
    InputError
        It differs from the one the run was done on.
    """
    were = provenance.get("further_scans", {})  # records of before did not tell them
    paths = {name: scan.path.parent / (places or {}).get(name, name) for name in were}
    are = {name: fingerprint(path) for name, path in paths.items() if path.exists()}
    for path, before, now in (
        (scan.path, provenance["source"]["fingerprint"], fingerprint_of(scan)),
        *((path, were[path], are[path]) for path in were if path in are),
    ):
        if before == now:
            continue
        raise InputError(
            f"{path} is not the scan this record was made of: it has {show(now.get('bytes', 0), 'B')} "
            f"({now['sha256'][:12]}…), the record names {show(before.get('bytes', 0), 'B')} "
            f"({before['sha256'][:12]}…); "
            f"give the original as SCAN, or run without --again"
        )


def geometry_data(resolution: Resolution) -> dict[str, Any]:
    """Write the geometry that was used, JSON-ready.

    Parameters
    ----------
    resolution : Resolution
        Of the run.

    Returns
    -------
    dict
        Name of a field → `value`, `origin`, `source`; the axis with `column_in_file` too, where views moved it.
    """
    geometry = {field.name: used_data(field, value) for field, value in resolution.geometry.items()}
    column = resolution.axis_in_file
    if column is not None and not math.isclose(column, geometry["axis_column"]["value"]):
        geometry["axis_column"] = {**geometry["axis_column"], "column_in_file": column}
    return geometry


def used_data(field: Any, value: Any) -> Any:
    """Write a value of the geometry that was used; of one for each view, the ends."""
    return _ends(value) if field.per_view else value_data(value)


def motor_data(value: Any) -> dict[str, Any]:
    """Write where a motor stood, one value for each view: the ends, and their unit."""
    return {**_ends(value), "unit": value.unit}


def _ends(value: Any) -> dict[str, Any]:
    ends = {"first": float(value.value[0]), "last": float(value.value[-1]), "count": len(value.value)}
    return {**ends, "origin": value.origin, "source": value.source}


def packages_of(resolution: Resolution) -> dict[str, dict[str, str]]:
    """Tell the package and version of each step that comes from another one."""
    packages = {}
    for item in resolution.items:
        name, version = registry.package_of(item.step.function)
        if name != "tomarium":
            packages[item.step.name] = {"package": name, "version": version}
    return packages


def demand_packages(provenance: Mapping[str, Any], record: Path) -> None:
    """Refuse to repeat steps of a record whose packages are not installed.

    Parameters
    ----------
    provenance : mapping
        Of the run that made the record.
    record : Path
        Its folder, for the message.

    Raises
    ------
    MissingData
        The packages that are to be installed.
    """
    packages = provenance.get("packages") or {}
    lacking = {name: told for name, told in packages.items() if name not in all_steps()}
    if lacking:
        steps = ", ".join(
            f"{name} of the package {told['package']} {told['version']}" for name, told in lacking.items()
        )
        names = " ".join(sorted({f"{told['package']}=={told['version']}" for told in lacking.values()}))
        raise MissingData(
            f"{record} was made with {steps}, which is not installed here, or is left out; install it, for example: "
            f"pip install {names}"
        )
