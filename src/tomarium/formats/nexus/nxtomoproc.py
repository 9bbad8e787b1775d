"""NXtomoproc, the NeXus application definition of reconstructed volumes.

Source: NXtomoproc of the NeXus definitions v2026.01. It names the axes of `data` as nX, nY, nZ, while
reconstruction programs store z first; so the file's own `axes`, then the lengths of x, y and z decide.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from tomarium import __version__, units
from tomarium.errors import FormatError, InputError, UnitError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.hdf5.array import volume_of
from tomarium.formats.hdf5.attributes import attribute, raw_attribute
from tomarium.formats.hdf5.dialect import detecting
from tomarium.formats.hdf5.names import shown
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.hdf5.two_phase_writer import two_phase_file
from tomarium.formats.hdf5.writer import nexus_entry, nexus_group, put
from tomarium.formats.opening.image_user_values import ImageFrames
from tomarium.formats.provenance.json_values import as_json, from_json
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Axis, Volume

AXES: Final = ("z", "y", "x")
# Where, below the entry, the definition and reconstruction programs keep the volume.
DATA: Final = ("data/data", "reconstruction/results/data")
TEXTS: Final = {
    "title": "title",
    "sample_name": "sample/name",
    "source": "instrument/source/name",
    "source_type": "instrument/source/type",
    "probe": "instrument/source/probe",
    "program": "reconstruction/program",
    "version": "reconstruction/version",
    "date": "reconstruction/date",
    "raw_file": "reconstruction/parameters/raw_file",
}
# What else an Image says of itself is kept whole, as JSON, among the parameters of its reconstruction.
METADATA: Final = "reconstruction/parameters/metadata"
# NXsource demands one of x-ray, neutron, electron.
PROBE: Final = "x-ray"


@detecting
def detect(source: Source) -> Match | None:
    """Look for a group with the definition NXtomoproc and a volume."""
    defined = [name for name in map(shown, source.file) if _definition(source, name) == "NXtomoproc"]
    entries = tuple(f"/{name}" for name in defined if _data(source, f"/{name}") is not None)
    if entries:
        return Match(1.0, "NIAC", f"{entries[0]}: its definition is NXtomoproc", entries[0], entries)
    return no_match("it has the definition NXtomoproc, but no volume") if defined else None


def _definition(source: Source, name: str) -> str | None:
    group = source.find(f"/{name}")
    return source.text("definition", group) if isinstance(group, h5py.Group) else None


def _data(source: Source, entry: str) -> h5py.Dataset | None:
    nodes = (source.find(f"{entry}/{path}") for path in DATA)
    return next((node for node in nodes if isinstance(node, h5py.Dataset) and node.ndim == 3), None)


def read(path: Path, match: Match) -> Volume:
    """Read the header of an NXtomoproc volume.

    `match.entry` is the path of the volume's group. Result: axes z, y, x, in m where the file gives their
    positions with a unit. The factors `scaling` and `offset` the definition allows are noted in the metadata,
    not applied.
    """
    with reading(path) as source:
        data = _data(source, match.entry)
        if data is None:
            raise FormatError(
                f"{path}: holds no volume {match.entry!r}; choose one of {', '.join(match.entries)}"
            )
        group = data.parent
        order, warning = _order(source, data, group)
        metadata: dict[str, Any] = {
            name: text for name, place in TEXTS.items() if (text := source.text(f"{match.entry}/{place}"))
        }
        text_kept = source.text(f"{match.entry}/{METADATA}")
        if text_kept:
            try:
                metadata |= from_json(json.loads(text_kept))
            except (ValueError, TypeError, RecursionError) as problem:
                raise FormatError(
                    f"{path}: {METADATA} is damaged ({problem}); copy the file again"
                ) from problem
        for name in ("scaling", "offset", "transform"):
            if name in data.attrs:
                metadata[name] = as_json(raw_attribute(data, name))
        if warning:
            metadata["axes_assumed"] = warning
        voxels = volume_of(source, data, order)
        axes = tuple(
            _axis(source, group, name, length, metadata)
            for name, length in zip(AXES, voxels.shape, strict=True)
        )
        if any(axis.unit == "px" for axis in axes):
            metadata["uncalibrated"] = True
        name = str(metadata.pop("name", metadata.get("title", path.stem)))
        if source.warnings:
            metadata["warnings"] = list(source.warnings)
        return Volume(voxels, axes, attribute(data, "units") or "", name, path, metadata)


def _order(source: Source, data: h5py.Dataset, group: h5py.Group) -> tuple[tuple[int, int, int], str]:
    """Find z, y and x among the axes: as `axes` says, else by the lengths of the three lists of positions."""
    axes_text = raw_attribute(group, "axes") if "axes" in group.attrs else attribute(data, "axes")
    texts = (
        [as_text(name) or "" for name in np.ravel(np.asarray(axes_text, dtype=object))]
        if axes_text is not None
        else []
    )
    names = texts if len(texts) == 3 else (texts[0].replace(":", ",").split(",") if texts else [])
    if sorted(names) == ["x", "y", "z"]:
        return (names.index("z"), names.index("y"), names.index("x")), ""
    lengths = {name: source.array(name, group) for name in AXES}
    counts = tuple(len(length) if length is not None else -1 for length in lengths.values())
    if counts == data.shape:
        return (0, 1, 2), "" if len(set(counts)) == 3 else "z, y, x: nothing in the file tells"
    if counts[::-1] == data.shape:
        return (2, 1, 0), ""
    return (0, 1, 2), "z, y, x: nothing in the file tells"


def _axis(source: Source, group: h5py.Group, name: str, length: int, metadata: dict[str, Any]) -> Axis:
    """Read the positions along an axis as a scale and an offset."""
    node = source.find(name, group)
    positions = source.array(name, group)
    if node is None or positions is None or not len(positions):
        return Axis(name)
    if len(positions) != length:
        source.warnings.append(
            f"{node.name} has {len(positions)} positions for {length} elements of the volume; they do not fit and "
            f"were left out"
        )
        return Axis(name)
    unit = attribute(node, "units") or "px"
    steps = np.diff(positions)
    scale = float((positions[-1] - positions[0]) / len(steps)) if len(steps) else 1.0
    if len(steps) and (not scale or not np.allclose(steps, scale, rtol=1e-6, atol=0.0)):
        metadata[f"{name}_positions"] = positions.tolist()
        return Axis(name)
    try:
        size = units.factor(unit, "m")
    except UnitError:
        return Axis(name, scale, float(positions[0]))
    short = float(f"{scale:.12g}")
    if np.allclose(positions[0] + short * np.arange(len(positions)), positions, rtol=4e-16, atol=0.0):
        scale = short  # a difference of two positions carries their rounding: 6.5e-07, not 6.50000000001e-07
    return Axis(name, float(f"{scale * size:.15g}"), float(f"{positions[0] * size:.15g}"), "m")


def write(
    path: Path,
    volume: Volume,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a volume as NXtomoproc.

    `path`: file to write; it appears when it is complete. `volume`: block by block, stored z, y, x. Its
    metadata go along whole. Raises InputError: it has not the three axes z, y, x.
    """
    if volume.ndim != 3:
        raise InputError(f"{path}: an image of {volume.ndim} axes is no volume; give one with z, y and x")
    metadata = dict(volume.metadata)
    with two_phase_file(path, resume=resume, on_progress=on_progress) as output:
        entry = nexus_entry(output.file, "NXtomoproc")
        entry["title"] = str(metadata.get("title") or volume.name or path.stem)
        source = nexus_group(nexus_group(entry, "instrument", "NXinstrument"), "source", "NXsource")
        source["name"] = str(metadata.get("source", "unknown"))
        source["type"] = str(metadata.get("source_type", "unknown"))
        source["probe"] = str(metadata.get("probe", PROBE))
        nexus_group(entry, "sample", "NXsample")["name"] = str(
            metadata.get("sample_name") or volume.name or path.stem
        )
        _write_process(entry, volume, metadata)
        data = nexus_group(entry, "data", "NXdata")
        data.attrs["signal"] = "data"
        data.attrs["axes"] = list(AXES)
        stored = output.frames(data, "data", ImageFrames(volume.data))
        if volume.unit:
            stored.attrs["units"] = volume.unit
        for number, axis in enumerate(volume.axes):
            positions = axis.offset + axis.scale * np.arange(volume.shape[number], dtype=np.float64)
            put(data, AXES[number], positions, units=axis.unit)
            data.attrs[f"{AXES[number]}_indices"] = number


def _write_process(entry: h5py.Group, volume: Volume, metadata: dict[str, Any]) -> None:
    process = nexus_group(entry, "reconstruction", "NXprocess")
    process["program"] = str(metadata.get("program", "tomarium"))
    process["version"] = str(metadata.get("version", __version__))
    process["date"] = str(metadata.get("date") or _time_of(volume.path))
    parameters = nexus_group(process, "parameters", "NXparameters")
    parameters["raw_file"] = str(metadata.get("raw_file") or (volume.path.name if volume.path else "unknown"))
    parameters["metadata"] = json.dumps({"name": volume.name, **as_json(metadata)}, ensure_ascii=False)


def _time_of(path: Path | None) -> str:
    """Tell when a volume was made: the time of its file, else now."""
    if path is not None and path.exists():
        return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    return datetime.now(UTC).isoformat()


FORMAT = Format(
    name="nxtomoproc",
    title="NXtomoproc (NeXus volume, HDF5)",
    suffixes=(".nxs", ".nx", ".h5", ".hdf5"),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"volume"}),
    resumes=True,
)
