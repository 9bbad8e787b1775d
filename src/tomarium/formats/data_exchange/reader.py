"""Data Exchange, the HDF5 layout of the Advanced Photon Source.

Sources: "The Scientific Data Exchange Reference Guide" 0.9.1 (21 April 2013), cited below by table; the
areaDetector layouts the APS beamlines use, which write no `implements`, add `theta` only after the scan and
come in two spellings of `/process/acquisition`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.formats.data_exchange.fields import read_fields
from tomarium.formats.data_exchange.geometry import distance_of, energy_of, first_measured, pixel_of
from tomarium.formats.data_exchange.inconsistencies import Place, report
from tomarium.formats.data_exchange.motors import motors_of
from tomarium.formats.data_exchange.processes import read_processes
from tomarium.formats.data_exchange.unlisted_fields import (
    AXIS,
    element_names,
    read_free,
    read_rest,
    read_scales,
    step_of,
)
from tomarium.formats.data_exchange.volume import is_volume, read_volume
from tomarium.formats.data_exchange.writer import write
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.frames.concatenated import JoinedFrames
from tomarium.formats.frames.per_frame import demand_same_size
from tomarium.formats.hdf5.attributes import attribute
from tomarium.formats.hdf5.dialect import dataset_at, degrees_of, detecting, scan_of
from tomarium.formats.hdf5.frames import STACK, Hdf5Frames, frames_of
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.opening.angles import assumed_angles, still_written
from tomarium.formats.opening.pixel_aspect import aspect_of
from tomarium.formats.provenance.embedded_source import meaning, with_geometry
from tomarium.model import Frames, Geometry, Scan, Value, Volume
from tomarium.model.scan import Reference
from tomarium.model.slab import RAW_DOMAINS, Domain


@dataclass(frozen=True)
class Dialect:
    """One spelling of what an acquisition program writes."""

    name: str
    evidence: tuple[str, ...]  # it is this dialect where all of these exist


@dataclass(frozen=True)
class Named:
    """Where one thing is written."""

    name: str  # its name here
    # where to look, best first, below the measurement group, or from the root with a leading "/"
    paths: tuple[str, ...]


DIALECTS: Final = (
    Dialect("0.9.1", ("implements",)),
    Dialect("APS areaDetector, rotation_start", ("process/acquisition/rotation/rotation_start",)),
    Dialect("APS areaDetector, start", ("process/acquisition/rotation/start",)),
    Dialect("without implements", ()),
)

# (start, step, number of angles), 13-BM and 6-BM first, then 2-BM, 7-BM and 32-ID.
# Table 21 has the acquisition below the instrument, later files below /process.
ROTATION: Final = tuple(
    tuple(f"{place}/rotation/{name}" for name in names)
    for place in ("/process/acquisition", "/measurement*/instrument/acquisition")
    for names in (("rotation_start", "rotation_step", "num_angles"), ("start", "step", "num_angles"))
)
FLAT_MODE: Final = tuple(f"/process/acquisition/flat_fields/{name}" for name in ("flat_field_mode", "mode"))
DARK_MODE: Final = tuple(f"/process/acquisition/dark_fields/{name}" for name in ("dark_field_mode", "mode"))
# image_type of /process/acquisition (dxfile 1.6): unlike NXtomo, 0 is white and 1 is a projection.
PROJECTION_TYPE: Final = 1


TEXTS: Final = (
    Named("title", ("/exchange/title", "/exchange/name", "sample/experiment/title")),
    Named("sample_name", ("sample/name", "sample/sample_name")),
    Named("sample_description", ("sample/description", "sample/description_1")),
    Named("sample_environment", ("sample/environment", "sample/enviroment")),
    Named("chemical_formula", ("sample/chemical_formula",)),
    Named("proposal", ("sample/experiment/proposal",)),
    Named("instrument", ("instrument/name", "instrument/instrument_name")),
    Named("source", ("instrument/source/name", "instrument/source/source_name")),
    Named("beamline", ("instrument/source/beamline",)),
    Named("start_time", ("/process/acquisition/start_date", "instrument/source/datetime",
                         "instrument/source/date_time")),
    Named("description", ("/exchange/description",)),
)  # fmt: skip
EXPOSURE: Final = ("instrument/detector*/exposure_time", "instrument/detector*/exposure_period")


@detecting
def detect(source: Source) -> Match | None:
    """Look for /exchange/data."""
    groups = source.numbered(source.file, "exchange")
    if not groups:
        return no_match("its root holds no group /exchange")
    nodes = {group: dataset_at(source, f"/{group}/data") for group in groups}
    stacks = [group for group, node in nodes.items() if node is not None and node.ndim == 3]
    maps = {group: names for group in stacks if (names := element_names(source, group))}
    entries = tuple(group for group in stacks if group not in maps)
    dialect = next(row for row in DIALECTS if all(source.find(f"/{path}") for path in row.evidence))
    if not entries and maps:
        group, names = next(iter(maps.items()))
        return no_match(
            f"/{group}/data is no stack of projections: /{group} names {len(names)} elements ({', '.join(names[:6])}), "
            "so it holds a fluorescence map for each"
        )
    if not entries:
        return no_match(f"its group /{groups[0]} holds no three-dimensional dataset `data`")
    implements_text = " and /implements" if dialect.name == "0.9.1" else ", but no /implements"
    return Match(
        1.0 if dialect.name == "0.9.1" else 0.9,
        dialect.name,
        f"its root holds /{entries[0]}/data{implements_text}",
        entry=entries[0],
        entries=entries,
    )


def read(path: Path, match: Match) -> Scan | Volume:
    """Read the header of a Data Exchange file.

    `match.entry` names the exchange group. Result: a volume where the group's data have the axes z:y:x.
    Raises FormatError: the file is damaged, or its flats or darks do not fit its projections.
    """
    with reading(path) as source:
        exchange = source.find(f"/{match.entry}")
        data = source.find(f"/{match.entry}/data")
        if not isinstance(exchange, h5py.Group) or not isinstance(data, h5py.Dataset):
            raise FormatError(
                f"{path}: there is no /{match.entry}/data; "
                f"choose one of {', '.join(match.entries) or '(the file holds no scan)'}"
            )
        names = _axis_names(source, data)
        measurement = _measurement(source, match.entry)
        if is_volume(names):
            all_metadata = meaning(source) | _metadata(source, measurement)
            return read_volume(
                source, match, data, names, pixel_of(source, measurement, all_metadata), all_metadata
            )
        order = _order(source, data, names)
        projections = frames_of(source, data, order)
        angles = _angles(source, exchange, data, order, projections.shape[0])
        if source.is_running and len(angles.value) > projections.shape[0]:
            source.warnings.append(
                f"the scan is still running: {projections.shape[0]} projections of {len(angles.value)} angles, the "
                f"first of which were taken"
            )
            angles = replace(angles, value=angles.value[: projections.shape[0]])
        count, listed = projections.shape[0], len(angles.value)
        angles_node = source.find(angles.source.partition(":")[2]) if ":/" in angles.source else None
        if count != listed and listed and count and source.grows((data, order[0]), (angles_node, 0)):
            source.warnings.append(still_written(count, listed))
            count = min(count, listed)
            projections = frames_of(source, data, order, np.arange(count))
            angles = replace(angles, value=angles.value[:count])
        flats = _reference(
            source, exchange, "data_white", "theta_white", FLAT_MODE, projections, angles.value
        )
        darks = _reference(source, exchange, "data_dark", "theta_dark", DARK_MODE, projections, angles.value)
        if len(match.entries) > 1:
            other_entries = ", ".join(entry for entry in match.entries if entry != match.entry)
            source.warnings.append(f"/{match.entry} was opened; the file also holds {other_entries}")
        metadata = meaning(source) | _metadata(source, measurement)
        metadata |= _shifts(source, exchange, projections.shape[0])
        rows, columns = projections.shape[1:]
        report(Place(source, exchange, measurement, columns, rows))
        metadata |= read_scales(source, exchange, rows, columns)
        pixel = pixel_of(source, measurement, metadata) or step_of(metadata.get("x_positions_m"))
        energy = energy_of(source, measurement, metadata)
        distance = distance_of(source, measurement, metadata)
        values = {"angles": angles, "pixel_m": pixel, "energy_kev": energy, "distance_m": distance}
        all_metadata = metadata | {name: value for name, value in values.items() if value is not None}
        metadata = read_rest(source, (measurement, exchange), all_metadata) | metadata
        domain_text = attribute(data, "domain")
        domain: Domain = next(
            (domain_name for domain_name in RAW_DOMAINS if domain_name == domain_text), "counts"
        )
        if domain_text and domain_text != domain:
            source.warnings.append(
                f"{data.name}: its domain {domain_text!r} is none of {', '.join(RAW_DOMAINS)}; counts were taken"
            )
        geometry = Geometry(
            angles_deg=angles,
            pixel_m=pixel,
            pixel_aspect=aspect_of(metadata.get("detector_pixel_x_m"), metadata.get("detector_pixel_y_m")),
            energy_kev=energy,
            distance_m=distance,
            axis_column=first_measured(source, measurement, (AXIS,), "pixel", "pixel"),
            motors=motors_of(source, measurement, projections.shape[0]),
        )
        held_fields = {"flats": flats, "darks": darks, "domain": domain, "metadata": metadata}
        scan = scan_of(source, match, FORMAT.name, projections, geometry, **held_fields)
        return with_geometry(scan, source)


def _axis_names(source: Source, data: h5py.Dataset) -> list[str]:
    """Name a dataset's axes: dimension scales first, then `axes` (guide 3.3); empty where neither tells."""
    scales = [_scale_name(data, axis) or "" for axis in range(data.ndim)]
    names_written = [name.strip() for name in (attribute(data, "axes") or "").replace(",", ":").split(":")]
    if all(scales) and len(names_written) == data.ndim and names_written != scales:
        source.warnings.append(
            f"{data.name}: its dimension scales say {':'.join(scales)}, its attribute axes "
            f"{':'.join(names_written)}; the scales were followed"
        )
    names = scales if all(scales) else names_written
    return names if len(names) == data.ndim else []


def _order(source: Source, data: h5py.Dataset, names: list[str]) -> tuple[int, int, int]:
    """Find frame, row and column among a dataset's axes."""
    if len(names) != len(STACK):
        return STACK
    kinds = ["frame" if name.startswith(("theta", "angle")) else name for name in names]
    if sorted(kinds) == ["frame", "x", "y"]:
        return kinds.index("frame"), kinds.index("y"), kinds.index("x")
    source.warnings.append(f"{data.name}: its axes {':'.join(names)} were read as theta:y:x")
    return STACK


def _scale_name(data: h5py.Dataset, axis: int) -> str | None:
    if "DIMENSION_LIST" not in data.attrs:
        return None
    try:
        scales = data.dims[axis].keys() or [
            str(dim.name).rsplit("/", 1)[-1] for dim in data.dims[axis].values()
        ]
    except (RuntimeError, KeyError, ValueError):  # a scale that was deleted leaves a reference to nothing
        return None
    return scales[0] if scales and scales[0] else None


def _angles(
    source: Source, exchange: h5py.Group, data: h5py.Dataset, order: tuple[int, int, int], count: int
) -> Value[NDArray[np.float64]]:
    name = _scale_name(data, order[0])
    for path in ("theta", *([name] if name else [])):
        angles = source.array(path, exchange)
        if angles is not None:
            return degrees_of(source, angles, f"{exchange.name}/{path}")
    for start_path, step_path, number_path in ROTATION:
        start = source.quantity(start_path, "deg", "deg")
        step = source.quantity(step_path, "deg", "deg")
        if start is None or step is None:
            continue
        number = source.array(number_path)
        if number is not None and len(number) and int(number[0]) != count:
            source.warnings.append(
                f"{number_path} says {int(number[0])} angles, but there are {count} projections"
            )
        place = f"{source.path.name}:{start_path} and {step_path}: there is no theta"
        return Value(start.value + step.value * np.arange(count, dtype=np.float64), "derived", place)
    angles, types = (source.array(f"/process/acquisition/{name}") for name in ("image_theta", "image_type"))
    if angles is not None:
        if types is not None and len(types) == len(angles):
            angles = angles[types == PROJECTION_TYPE]
        return Value(angles, "read", f"{source.path.name}:/process/acquisition/image_theta")
    return assumed_angles(count, "the file gives no angles", source.warnings)


def _reference(
    source: Source,
    exchange: h5py.Group,
    name: str,
    theta: str,
    modes: tuple[str, ...],
    projections: Hdf5Frames,
    angles: NDArray[np.float64],
) -> Reference | None:
    """Gather data_white or data_dark, and their later spellings with _pre and _post."""
    parts: list[Frames] = []
    positions = []
    for suffix, place in (("_pre", -1.0), ("", None), ("_post", float(projections.shape[0]))):
        node = source.find(f"{name}{suffix}", exchange)
        if not isinstance(node, h5py.Dataset) or not node.size:
            continue
        order = _order(source, node, _axis_names(source, node)) if node.ndim == 3 else STACK
        frames = frames_of(source, node, order)
        if frames.shape[1:] != projections.shape[1:] and node.ndim == 3:
            frames = frames_of(source, node, projections.order)
        demand_same_size(f"{source.path}: {node.name}", frames, projections)
        parts.append(frames)
        reference_angles = source.array(f"{theta}{suffix}", exchange)
        if place is not None:
            positions.append(np.full(frames.shape[0], place))
        elif reference_angles is not None and len(reference_angles) == frames.shape[0]:
            positions.append(_positions(reference_angles, angles))
        else:
            positions.append(_positions_by_mode(source, modes, frames.shape[0], projections.shape[0]))
    word = "flat" if name == "data_white" else "dark"
    if not parts or _is_blank(parts):
        constant = _constant(source, word, f"{exchange.name}/{name}", projections)
        if constant is not None:
            return constant
    if not parts:
        source.warnings.append(f"the file holds no {word} fields ({exchange.name}/{name})")
        return None
    return Reference(parts[0] if len(parts) == 1 else JoinedFrames(tuple(parts)), np.concatenate(positions))


def _is_blank(parts: list[Frames]) -> bool:
    """Tell whether there is one frame alone, and it is zero, as acquisitions write where none was taken."""
    return [part.shape[0] for part in parts] == [1] and not np.any(parts[0].read(slice(None), slice(None)))


def _constant(source: Source, word: str, place: str, projections: Hdf5Frames) -> Reference | None:
    """Take the number of counts that an acquisition at the APS writes for references which it does not take.

    Readers of dxchange do the same. Result: one frame; None where the number is absent or not above zero.
    """
    for name in (f"{word}_field_value", "value"):
        path = f"/process/acquisition/{word}_fields/{name}"
        values = source.array(path)
        if values is None or not values.size or not np.isfinite(values.flat[0]) or values.flat[0] <= 0:
            continue
        counts = np.float32(values.flat[0])
        source.warnings.append(
            f"{path}, {counts:g}, was taken for what each pixel saw, as no {word} fields are in the file ({place}): a "
            f"pattern of the detector and of the beam stays; give --{word}s FILE where some were taken"
        )
        frames = ArrayFrames(np.broadcast_to(counts, (1, *projections.shape[1:])))
        return Reference(frames, np.array([-1.0]))
    return None


def _positions(reference_angles: NDArray[np.float64], angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn the stage's angle when a reference was taken into a place among the projections (guide 3.4)."""
    steps = np.diff(angles)
    if len(angles) < 2 or not (np.all(steps > 0) or np.all(steps < 0)):
        return np.full(len(reference_angles), -1.0)
    sign = np.sign(steps[0])
    place = np.searchsorted(sign * angles, sign * reference_angles) - 0.5
    place[sign * reference_angles <= sign * angles[0]] = -1.0
    place[sign * reference_angles >= sign * angles[-1]] = len(angles)
    return np.asarray(place, dtype=np.float64)


def _positions_by_mode(
    source: Source, modes: tuple[str, ...], count: int, projections: int
) -> NDArray[np.float64]:
    mode = next((text for path in modes if (text := source.text(path))), "Start").lower()
    late = {"end": count, "both": count // 2}.get(mode, 0)
    return np.concatenate([np.full(count - late, -1.0), np.full(late, float(projections))])


def _measurement(source: Source, entry: str) -> h5py.Group | None:
    """Choose the measurement whose detector names the exchange group (fig. 7), else that of its number."""
    names = source.numbered(source.file, "measurement")
    for name in names:
        if source.text(f"/{name}/instrument/detector*/output_data") == f"/{entry}" and entry != "exchange":
            node = source.find(f"/{name}")
            return node if isinstance(node, h5py.Group) else None
    same = entry.replace("exchange", "measurement")
    node = source.find(f"/{same if same in names else (names or ['measurement'])[0]}")
    return node if isinstance(node, h5py.Group) else None


def _metadata(source: Source, measurement: h5py.Group | None) -> dict[str, Value[Any]]:
    walked = source.walk(source.file)
    values: dict[str, Value[Any]] = {}
    for field in TEXTS:
        for path in field.paths:
            if measurement is None and not path.startswith("/"):
                continue
            text = source.text(path, measurement)
            if text is None:
                continue
            node = source.find(path, measurement)
            place = node.name if node is not None else path
            values[field.name] = Value(text, "read", f"{source.path.name}:{place}")
            break
    exposure = first_measured(source, measurement, EXPOSURE, "s", "s")
    if exposure is not None:
        values["exposure_s"] = exposure
    _check_implements(source)
    fields = read_free(source, measurement) | read_fields(source, measurement)
    return fields | values | read_processes(source) | walked


def _shifts(source: Source, exchange: h5py.Group, count: int) -> dict[str, Value[Any]]:
    """Read by how many pixels each projection is displaced (dxfile 1.6)."""
    shifts = {name: source.array(f"data_{name}", exchange) for name in ("shift_x", "shift_y")}
    for (name, shift), option in zip(shifts.items(), ("--shift-columns", "--shift-rows"), strict=True):
        largest = (
            0.0 if shift is None or not np.isfinite(shift).all() else float(np.abs(shift).max(initial=0.0))
        )
        if largest > 0:
            place = f"{exchange.name}/data_{name}"
            source.warnings.append(
                f"{place}: shifts of up to {largest:.3g} px were not applied; where they say how far the sample lay "
                f"towards higher {option.removeprefix('--shift-')} in each view, give {option} "
                f"{source.path.name}:{place}"
            )
    return {
        f"{name}_pixel": Value(shift.tolist(), "read", f"{source.path.name}:{exchange.name}/data_{name}")
        for name, shift in shifts.items()
        if shift is not None and len(shift) == count
    }


def _check_implements(source: Source) -> None:
    node = source.find("/implements")
    if not isinstance(node, h5py.Dataset):
        source.warnings.append(
            "there is no /implements, which Data Exchange demands; the groups speak for themselves"
        )
        return
    implemented = [part.strip() for part in (as_text(node[()]) or "").split(":") if part.strip()]
    absent = [name for name in implemented if name not in source.file]
    if absent:
        source.warnings.append(f"/implements names {', '.join(absent)}, which the file does not hold")


FORMAT = Format(
    name="data-exchange",
    title="Data Exchange 0.9.1 (HDF5)",
    suffixes=(".h5", ".hdf5", ".hdf"),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"scan"}),
    resumes=True,
    carries=True,
)
