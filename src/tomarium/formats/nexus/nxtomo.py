"""NXtomo, the NeXus application definition of tomography, as its three families of facilities write it.

Sources: NXtomo of the NeXus definitions v2026.01 (NIAC); the ESRF's path versions 1.0 to 2.1 as the package
nxtomo reads them; Diamond's scans, some of which carry an image_key and no definition.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.errors import FormatError, UnitError
from tomarium.formats.format import Format, Match, no_match
from tomarium.formats.frames.concatenated import AbsentFrames
from tomarium.formats.frames.mirrored import flipped
from tomarium.formats.hdf5.dialect import detecting, lacking, positions_among, positive, scan_of, texts_of
from tomarium.formats.hdf5.frames import frames_of
from tomarium.formats.hdf5.image_key import IMAGE_KEY_KINDS
from tomarium.formats.hdf5.source import Source, reading
from tomarium.formats.nexus.beam_monitor import beam_intensity_of
from tomarium.formats.nexus.detector_orientation import flips
from tomarium.formats.nexus.nxtomo_entries import (
    DATA,
    Place,
    groups_of,
    image_key_of,
    node_of,
    places_of,
    what_is_lacking,
)
from tomarium.formats.nexus.nxtomo_writer import FROM_MIDDLE, write
from tomarium.formats.nexus.positioners import motors_of
from tomarium.formats.opening.angles import in_degrees, still_written
from tomarium.formats.opening.pixel_aspect import aspect_of
from tomarium.formats.provenance.embedded_source import meaning, with_geometry
from tomarium.model import FrameKind, Frames, Geometry, Scan, Value
from tomarium.model.scan import Reference

ANGLES: Final = (
    "{entry}/sample/rotation_angle",
    "{entry}/data/rotation_angle",
    "{entry}/sample/transformations/rotation_angle",
    "{detector}/rotation_angle",
    "{entry}/{name}/gts_theta_value",  # Diamond K11
    "{entry}/{name}_sum/gts_theta_value",
)
PIXEL: Final = (
    "{entry}/sample/x_pixel_size",  # ESRF 1.5 on: at the sample
    "{detector}/x_magnified_pixel_size",  # ESRF before 1.5
    "{detector}/x_pixel_size",
)
ENERGY: Final = (
    "{entry}/instrument/beam/incident_energy",
    "{entry}/beam/incident_energy",  # ESRF 1.0
    "{entry}/instrument/monochromator/energy",
)
DISTANCE: Final = ("{entry}/sample/propagation_distance", "{detector}/distance")
AXIS: Final = "{detector}/x_rotation_axis_pixel_position"
OLD_AXIS: Final = "{detector}/estimated_cor_from_motor"  # ESRF before 1.4
TEXTS: Final = {
    "title": ("{entry}/title", "{parent}/title"),
    "sample_name": ("{entry}/sample/name", "{entry}/sample/sample_name"),
    "start_time": ("{entry}/start_time", "{parent}/start_time"),
    "end_time": ("{entry}/end_time", "{parent}/end_time"),
    "instrument": ("{entry}/instrument/name", "{parent}/instrument/name", "{entry}/instrument/beamline"),
    "source": ("{entry}/instrument/source/name",),
    "source_type": ("{entry}/instrument/source/type",),
    "probe": ("{entry}/instrument/source/probe",),
    "proposal": ("{entry}/experiment_identifier", "{parent}/experiment_identifier"),
    "experimenter_name": ("{entry}/user01/username", "{parent}/user01/username"),
    "field_of_view": ("{detector}/field_of_view",),
}
EXPOSURE: Final = "{detector}/count_time"
# name → (unit that ends it, places); a number that should have a unit and has none says nothing.
NUMBERS: Final = {
    "source_current_a": ("A", ("{entry}/instrument/source/current", "{parent}/instrument/source/current")),
    "source_distance_m": ("m", ("{entry}/instrument/source/distance",)),
    "sample_temperature_k": ("K", ("{entry}/sample/temperature",)),
    "detector_pixel_x_m": ("m", ("{detector}/x_pixel_size",)),
    "detector_pixel_y_m": ("m", ("{detector}/y_pixel_size",)),
    "detector_binning_x": ("", ("{detector}/x_binning",)),
    "detector_binning_y": ("", ("{detector}/y_binning",)),
    "tomo_n": ("", ("{detector}/tomo_n",)),
    "group_size": ("", ("{entry}/group_size",)),
}
# Where the sample stood at each projection, in m: lists as long as the frames or the projections.
TRANSLATIONS: Final = {f"translation_{axis}_m": f"{{entry}}/sample/{axis}_translation" for axis in "xyz"}


@detecting
def detect(source: Source) -> Match | None:
    """Look for a group with the definition NXtomo, else for a detector with frames and an image_key."""
    groups = list(groups_of(source))
    places = places_of(source, groups)
    if not places:
        return no_match(what_is_lacking(groups))
    best = places[0]
    return Match(
        best.score, best.dialect, best.why, entry=best.entry, entries=tuple(place.entry for place in places)
    )


def read(path: Path, match: Match) -> Scan:
    """Read the header of an NXtomo scan.

    `match.entry` is the path of the scan's group. Result: frames are read when asked for, mirrored back where
    the detector is told to mirror them; the axis too.
    """
    return _read(path, match, FrameKind.PROJECTION)


def read_return_images(scan: Scan) -> Scan | None:
    """Read the return images of a scan, which its file marks with the image_key -1.

    After a scan the stage goes back to some angles and takes an image at each, to tell whether the sample has moved.

    `scan`: as its file was opened. Result: a scan of the return images alone, with their angles, and the flats and
    darks of the scan where the file has none; None where there are none, their angles are not known, or the
    file has several scans and it is not known which of them this is.
    """
    match = detect(scan.path) if scan.counts.get(FrameKind.ALIGNMENT) and scan.format == FORMAT.name else None
    if match is None or not match.score:
        return None
    # Of several scans in a file, the one whose angles these are.
    node = scan.angles_deg.source.partition(":")[2].strip("/")
    own = [entry for entry in match.entries if node.startswith(f"{entry.strip('/')}/")]
    if len(match.entries) > 1 and len(own) != 1:
        return None
    entry = own[0] if own else match.entry
    returns = _read(scan.path, replace(match, entry=entry), FrameKind.ALIGNMENT)
    if returns.angles_deg.origin == "default":
        return None
    return replace(returns, flats=returns.flats or scan.flats, darks=returns.darks or scan.darks)


def _read(path: Path, match: Match, wanted: FrameKind) -> Scan:
    """Read a scan whose projections are the frames of one kind."""
    with reading(path) as source:
        places = {place.entry: place for place in places_of(source, list(groups_of(source)))}
        key = image_key_of(source, places[match.entry]) if match.entry in places else None
        if key is None:
            raise FormatError(
                f"{path}: holds no scan {match.entry!r}; choose one of {', '.join(places) or 'none'}"
            )
        place = places[match.entry]
        if len(places) > 1:
            source.warnings.append(
                f"{place.entry} was opened; the file holds {len(places)} scans: {', '.join(places)}"
            )
        data = node_of(source, place, DATA)
        kinds = _with_angles(source, place, _kinds(source, place, key, data), data)
        if wanted != FrameKind.PROJECTION:
            kinds[kinds == FrameKind.PROJECTION] = FrameKind.INVALID
            kinds[kinds == wanted] = FrameKind.PROJECTION
        metadata_of_file = source.walk(source.file)
        absent = _absent(source, place)
        mirrored = flips(source, place.entry, place.detector)
        stacks = {
            kind: _frames(source, data, absent, np.flatnonzero(kinds == kind), mirrored)
            for kind in IMAGE_KEY_KINDS.values()
        }
        projections = stacks[FrameKind.PROJECTION]
        angles = _angles(source, place, kinds)
        metadata = meaning(source) | _metadata(source, place) | _translations(source, place, kinds)
        metadata |= _flips(source, place, mirrored)
        pixel, aspect = _pixel(source, place)
        geometry = Geometry(
            angles_deg=angles,
            pixel_m=pixel,
            pixel_aspect=aspect,
            energy_kev=positive(source, _first(source, place, ENERGY, "keV")),
            distance_m=positive(source, _first(source, place, DISTANCE, "m")),
            axis_column=_axis(source, place, projections.shape[2], mirrored[0]),
            beam_intensity=beam_intensity_of(source, place, kinds),
            motors=motors_of(source, place, kinds == FrameKind.PROJECTION),
        )
        scan = scan_of(
            source,
            replace(match, dialect=place.dialect, why=place.why),
            FORMAT.name,
            projections,
            geometry,
            flats=_reference(source, stacks, kinds, FrameKind.FLAT),
            darks=_reference(source, stacks, kinds, FrameKind.DARK),
            counts={
                kind: int(np.sum(kinds == kind)) for kind in IMAGE_KEY_KINDS.values() if np.any(kinds == kind)
            },
            metadata=metadata | metadata_of_file,
        )
        return with_geometry(scan, source)


def _kinds(
    source: Source, place: Place, key: NDArray[np.float64], data: h5py.Dataset | None
) -> NDArray[np.object_]:
    """Name what each frame shows; frames and keys that have no partner are left out aloud."""
    kinds = np.array(
        [IMAGE_KEY_KINDS.get(round(code)) if np.isfinite(code) else None for code in key], dtype=object
    )
    unknown = np.flatnonzero(kinds == None)  # noqa: E711 - element-wise
    if len(unknown):
        source.warnings.append(
            f"{len(unknown)} frames have an unknown image_key, such as {key[unknown[0]]:g}: left out"
        )
        kinds[unknown] = FrameKind.INVALID
    if data is None or data.ndim != 3 or data.shape[0] == len(kinds):
        return kinds
    frames = data.shape[0]
    source.warnings.append(
        f"{data.name} holds {frames} frames, its image_key {len(kinds)}: "
        f"only the first {min(frames, len(kinds))} are used"
    )
    return np.append(kinds, [FrameKind.INVALID] * max(0, frames - len(kinds)))[:frames]


def _with_angles(
    source: Source, place: Place, kinds: NDArray[np.object_], data: h5py.Dataset | None
) -> NDArray[np.object_]:
    """Leave out the last frames of a scan that is being written where their angles are not there yet."""
    arrays = ((source.array(path), source.find(path)) for path in place.paths(*ANGLES))
    angles, node = next((pair for pair in arrays if pair[0] is not None), (None, None))
    if angles is None or not source.grows((data, 0), (node, 0)):
        return kinds
    chosen = int(np.sum(kinds == FrameKind.PROJECTION))
    # A list that is no longer than the projections may be theirs alone, without the flats.
    if not chosen < len(angles) < len(kinds) and not 0 < len(angles) < len(kinds) == chosen:
        return kinds
    source.warnings.append(still_written(len(kinds), len(angles)).replace("projections", "frames"))
    return kinds[: len(angles)]


def _absent(source: Source, place: Place) -> tuple[str, ...]:
    """Name the files the frames would lie in."""
    before = source.missing[:]
    source.missing.clear()
    node_of(source, place, DATA)
    absent = tuple(source.missing)
    source.missing[:] = dict.fromkeys([*before, *absent])
    return absent


def _frames(
    source: Source,
    data: h5py.Dataset | None,
    absent: tuple[str, ...],
    index: NDArray[np.intp],
    mirrored: tuple[bool, bool],
) -> Frames:
    if data is None:
        return AbsentFrames(source.path, len(index), absent or ("a dataset that is absent",))
    return flipped(frames_of(source, data, index=index), *mirrored)


def _reference(
    source: Source, stacks: dict[FrameKind, Frames], kinds: NDArray[np.object_], kind: FrameKind
) -> Reference | None:
    index = np.flatnonzero(kinds == kind)
    if not len(index):
        return lacking(source, kind)
    is_projection = kinds == FrameKind.PROJECTION
    position = positions_among(np.cumsum(is_projection)[index], int(is_projection.sum()))
    return Reference(stacks[kind], position)


def _angles(source: Source, place: Place, kinds: NDArray[np.object_]) -> Value[NDArray[np.float64]]:
    chosen = kinds == FrameKind.PROJECTION
    other: Value[NDArray[np.float64]] | None = None
    for path in place.paths(*ANGLES):
        angles = source.array(path)
        if angles is None:
            continue
        node = source.find(path)
        unit = source.attribute(node, "units") if node is not None else None
        if len(angles) >= len(kinds) > chosen.sum():
            if len(angles) > len(kinds):
                counts_text = f"{source.path.name}:{path} holds {len(angles)} angles for {len(kinds)} frames"
                source.warnings.append(f"{counts_text}: the first {len(kinds)} were taken")
            angles = angles[: len(kinds)][chosen]
        elif len(angles) > len(kinds) and source.grows((node, 0), (node_of(source, place, DATA), 0)):
            source.warnings.append(still_written(len(kinds), len(angles)))
            angles = angles[: len(kinds)]
        value, counts_text = in_degrees(angles, unit, f"{source.path.name}:{path}", guess=True)
        if len(angles) == chosen.sum() and np.any(angles):
            (source.repaired if value.origin == "derived" else source.warnings).extend(
                [counts_text] if counts_text else []
            )
            return value
        other = other or value
    return other or Value(np.empty(0), "read", "there is no rotation_angle in sample, data or detector")


def _first(source: Source, place: Place, templates: tuple[str, ...], unit: str) -> Value[float] | None:
    values = (source.quantity(path, unit, None) for path in place.paths(*templates))
    return next((value for value in values if value), None)


def _pixel(source: Source, place: Place) -> tuple[Value[float] | None, Value[float] | None]:
    """Return the width of a pixel, and its height over that where it is no square."""
    for template in PIXEL:
        across = positive(source, _first(source, place, (template,), "m"))
        if across is None:
            continue
        upright = _first(source, place, (template.replace("/x_", "/y_"),), "m")
        return across, aspect_of(across, upright)
    return None, None


def _axis(source: Source, place: Place, columns: int, mirrored: bool) -> Value[float] | None:
    """Read the axis, which is told of the stored frames, as a column of the frames as they are shown."""
    axis = _stored_axis(source, place, columns)
    if axis is None or not mirrored or not columns:
        return axis
    return Value(
        columns - 1 - axis.value,
        "derived",
        f"{axis.source} ({axis.value:g} of the stored frames, which are shown mirrored)",
    )


def _stored_axis(source: Source, place: Place, columns: int) -> Value[float] | None:
    axis = source.quantity(place.paths(AXIS)[0], "pixel", "pixel")
    if axis is not None:
        node = source.find(place.paths(AXIS)[0])
        if node is not None and source.attribute(node, FROM_MIDDLE) is not None:
            return Value((columns - 1) / 2 + axis.value, "read", f"{axis.source}, from the middle column")
        return _from_middle(axis, columns) if place.dialect.startswith("ESRF") else axis
    old = source.quantity(place.paths(OLD_AXIS)[0], "pixel", "pixel")
    if old is None or not columns:
        return None
    if 0.25 * columns <= old.value < columns:
        return Value(old.value, "derived", f"{old.source}, by its size a column")
    middle = (columns - 1) / 2
    return Value(
        middle + old.value,
        "derived",
        f"{old.source}, by its size an offset from the middle column {middle:g}",
    )


def _from_middle(axis: Value[float], columns: int) -> Value[float]:
    """Read the ESRF's number: nxtomo calls it absolute, yet nxtomomill writes and nabu reads it from the middle."""
    middle = (columns - 1) / 2
    if not columns or abs(axis.value) > middle:
        return axis
    why = f"{axis.source}, an offset from the middle column {middle:g}, as nabu reads it"
    return Value(middle + axis.value, "derived", why)


def _metadata(source: Source, place: Place) -> dict[str, Value[Any]]:
    metadata = texts_of(source, {name: place.paths(*templates) for name, templates in TEXTS.items()})
    exposure = source.quantity(place.paths(EXPOSURE)[0], "s", "s")
    if exposure is not None:
        metadata["exposure_s"] = exposure
    for name, (unit, templates) in NUMBERS.items():
        nodes = ((path, source.find(path)) for path in place.paths(*templates))
        places = [
            path for path, node in nodes if node is not None and (not unit or source.attribute(node, "units"))
        ]
        count = len(source.warnings)
        number = source.quantity(places[0], unit, unit) if places else None
        # What reconstruction needs has been warned of where it is read; these are only worth a mention.
        del source.warnings[count:]
        if number is not None:
            metadata[name] = number
    half = source.array(f"{place.detector}/half_acquisition")
    if half is not None and len(half):
        metadata["half_acquisition"] = Value(bool(half[0]), "read", f"{source.path.name}:{place.detector}")
    return metadata


def _translations(source: Source, place: Place, kinds: NDArray[np.object_]) -> dict[str, Value[Any]]:
    translations: dict[str, Value[Any]] = {}
    chosen = kinds == FrameKind.PROJECTION
    for name, template in TRANSLATIONS.items():
        path = place.paths(template)[0]
        moved, node = source.array(path), source.find(path)
        unit = source.attribute(node, "units") if node is not None else None
        if moved is None or not unit or len(moved) not in (len(kinds), int(chosen.sum())):
            continue
        try:
            size = units.factor(unit, "m")
        except UnitError as problem:
            source.warnings.append(f"{path} was left out: {problem}")
            continue
        steps = moved[chosen] if len(moved) == len(kinds) else moved
        translations[name] = Value((steps * size).tolist(), "read", f"{source.path.name}:{path}")
    return translations


def _flips(source: Source, place: Place, mirrored: tuple[bool, bool]) -> dict[str, Value[Any]]:
    where = f"{source.path.name}:{place.detector}, applied to the frames as they are read"
    names = ("flip_left_right", "flip_up_down")
    flips: dict[str, Value[Any]] = {
        name: Value(True, "read", where)
        for name, is_mirrored in zip(names, mirrored, strict=True)
        if is_mirrored
    }
    if flips:
        directions = " and ".join(name.removeprefix("flip_").replace("_", "-") for name in flips)
        source.repaired.append(f"the detector mirrors its frames {directions}: they are shown mirrored back")
    return flips


FORMAT = Format(
    name="nxtomo",
    title="NXtomo (NeXus, HDF5)",
    suffixes=(".nx", ".nxs", ".nexus"),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"scan"}),
    resumes=True,
    carries=True,
)
