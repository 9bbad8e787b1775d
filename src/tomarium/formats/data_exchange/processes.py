"""What a Data Exchange file says was done to its data: Tables 17, 18 and 30 to 35, and the later /process."""

from __future__ import annotations

from typing import Any, Final

import h5py
import numpy as np

from tomarium.formats.hdf5.source import Source
from tomarium.model import Value

# The five descriptions of the guide, roots of groups that /provenance/process_N/reference points to.
DESCRIPTIONS: Final = ("sinogram", "ring_removal", "reconstruction", "gridftp", "export")
STATUS: Final = ("QUEUED", "RUNNING", "FAILED", "SUCCESS")
# Actors of the later layout (dxfile 1.6); `acquisition` also holds the scan's own settings, read elsewhere.
ACTORS: Final = ("acquisition", "tomo_rec", "transfer")


def read_processes(source: Source) -> dict[str, Value[Any]]:
    """Read the provenance of a file.

    Result: "processes": a list in the order of execution, each {"name", "status", "actor", "reference",
    "message" and, below "parameters", what the description it points to says}. Empty where nothing is told.
    """
    steps = [_step(source, f"/provenance/{name}") for name in _members(source, "/provenance", "process")]
    references = {step.get("reference", "").strip("/") for step in steps}
    for name in DESCRIPTIONS:
        for group in source.numbered(source.file, name):
            if group not in references and isinstance(source.find(f"/{group}"), h5py.Group):
                steps.append({"name": group, "parameters": _parameters(source, f"/{group}")})
    for actor in ACTORS:
        if isinstance(source.find(f"/process/{actor}"), h5py.Group):
            steps.append(_later(source, actor))
    steps += _table(source)
    steps = [step for step in steps if step]
    if not steps:
        return {}
    return {"processes": Value(steps, "read", f"{source.path.name}:/provenance and /process")}


def _members(source: Source, group: str, name: str) -> list[str]:
    node = source.find(group)
    return source.numbered(node, name) if isinstance(node, h5py.Group) else []


def _step(source: Source, place: str) -> dict[str, Any]:
    words = ("status", "actor", "reference", "message")
    step: dict[str, Any] = {word: text for word in words if (text := source.text(f"{place}/{word}"))}
    if step.get("status") and step["status"] not in STATUS:
        source.warnings.append(f"{place}/status is {step['status']!r}, which is none of {', '.join(STATUS)}")
    reference = step.get("reference", "")
    if reference and isinstance(source.find(f"/{reference.strip('/')}"), h5py.Group):
        step["parameters"] = _parameters(source, f"/{reference.strip('/')}")
    elif reference:
        source.warnings.append(f"{place}/reference points to {reference}, which the file does not hold")
    return {"name": reference.strip("/") or place.rsplit("/", 1)[-1], **step}


def _parameters(source: Source, place: str) -> dict[str, Any]:
    """Read all that lies in a description; dots in its names are the guide's typesetting of underscores."""
    group = source.find(place)
    if not isinstance(group, h5py.Group):
        return {}
    parameters: dict[str, Any] = {}
    for name, value in source.walk(group).items():
        below = name.removeprefix(f"{place}/")
        parameters[below.replace(".", "_")] = value.value
    return parameters


def _later(source: Source, actor: str) -> dict[str, Any]:
    place = f"/process/{actor}"
    words = ("status", "start_date", "end_date", "start_time", "end_time", "message", "version")
    step = {word: text for word in words if (text := source.text(f"{place}/{word}"))}
    algorithm = _parameters(source, f"{place}/setup/algorithm")
    return {"name": actor, "actor": actor, **step} | ({"parameters": algorithm} if algorithm else {})


def _table(source: Source) -> list[dict[str, Any]]:
    """Read /process/table, whose columns are lists of texts of one length."""
    columns = ("actor", "start_time", "end_time", "status", "message", "reference", "description")
    texts_by_column: dict[str, list[str]] = {}
    for column in columns:
        node = source.find(f"/process/table/{column}")
        if isinstance(node, h5py.Dataset) and node.ndim <= 1 and h5py.check_string_dtype(node.dtype):
            texts_by_column[column] = [
                text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
                for text in np.ravel(node[()])
            ]
    count = min((len(texts) for texts in texts_by_column.values()), default=0)
    rows = [
        {column: texts[row] for column, texts in texts_by_column.items() if texts[row]}
        for row in range(count)
    ]
    return [{"name": row.get("reference", row.get("actor", "")), **row} for row in rows]
