"""Any HDF5 file as a scan, by the paths its user gives: frames, flats, darks, angles, in one file or in several.

A place is written `/entry/data`, `other.h5:/entry/data`, or `/entry/data[50:3051]` for some of its frames.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError, ParameterError
from tomarium.formats.frames.mirrored import flipped, flips_of, stored
from tomarium.formats.frames.per_frame import demand_same_size
from tomarium.formats.hdf5.attributes import attribute, is_hdf5
from tomarium.formats.hdf5.dialect import positions_among
from tomarium.formats.hdf5.frames import STACK, Hdf5Frames, frames_of
from tomarium.formats.hdf5.image_key import IMAGE_KEY_KINDS
from tomarium.formats.hdf5.names import path_of, visit_links
from tomarium.formats.hdf5.plain_values import as_text
from tomarium.formats.hdf5.source import SIDE_CAR, Source, reading
from tomarium.formats.opening.angle_file import named_file
from tomarium.formats.opening.angles import assumed_angles, in_degrees, without_assumed
from tomarium.formats.opening.stored_axes import stored_axes
from tomarium.model import FrameKind, Frames, Geometry, Scan, Value
from tomarium.model.scan import Reference

PLACE: Final = re.compile(
    r"(?:(?P<file>.+\.\w+):)?(?P<path>/[^\[\]]*?)(?:\[(?P<first>\d*):(?P<last>\d*)\])?", re.DOTALL
)
# What texts call frames, where they stand in place of NXtomo's numbers (frame_type of APS 13-BM).
WORDS: Final = {
    ("proj", "normal", "sample", "tomo"): FrameKind.PROJECTION,
    ("flat", "white", "ref", "bright"): FrameKind.FLAT,
    ("dark",): FrameKind.DARK,
    ("background",): FrameKind.BACKGROUND,
    ("align", "static"): FrameKind.ALIGNMENT,
}
_MOST_FRAMES: Final = 1 << 24
_MOST_TOLD: Final = 4
_MOST_VISITED: Final = 3_000


@dataclass(frozen=True)
class Place:
    """A dataset, as its user names it."""

    file: Path  # the file it lies in
    path: str  # its path there
    frames: slice  # which of its frames are meant

    def __str__(self) -> str:
        return f"{self.file.name}:{self.path}"


def place_of(text: str, scan: Path) -> Place:
    """Read where a dataset lies.

    `text`: `/entry/data`, `other.h5:/entry/data`, either followed by `[first:last]`. A relative file is
    looked for from the current folder, then beside the scan. `scan`: the scan's file, meant where no file is
    named; or its folder.
    """
    match = PLACE.fullmatch(text.strip())
    if match is None:
        raise ParameterError(
            f"{text!r} is no place in an HDF5 file; write /group/dataset, file.h5:/group/dataset, or one of them "
            f"and [first:last]; for flats and darks also a folder with TIFF files, or a TIFF file"
        )
    file = scan
    if match["file"]:
        file = named_file(match["file"], scan, "check its path")
    elif not scan.is_file():
        raise ParameterError(f"{text!r} names no file, and {scan} is a folder; write file.h5:{text}")
    first, last = (int(match[name]) if match[name] else None for name in ("first", "last"))
    return Place(file, match["path"], slice(first, last))


def open_paths(
    path: Path,
    *,
    data: str,
    flats: str | None = None,
    darks: str | None = None,
    angles: str | Value[NDArray[np.float64]] | None = None,
    image_key: str | None = None,
    axes: str | None = None,
) -> Scan:
    """Open datasets as a scan.

    `path`: HDF5 file the places are in that name none. `data`: place of the frames, shape (frame, row,
    column); where there are as many angles as rows and not as frames, (row, frame, column). With angles or
    axes, two axes are one sinogram, (angle, column) or (column, angle). `flats`, `darks`: places of reference
    frames, shape (frame, row, column) or (row, column). `angles`: rotation angles, one for each frame or each
    projection: a place, degrees where it has no unit, or degrees. `image_key`: place of what each frame of
    `data` shows: numbers as NXtomo has them (0 projection, 1 flat, 2 dark) or words.
    """
    where = place_of(data, path)
    warnings: list[str] = []
    repaired: list[str] = []
    angles_given = None if angles is None else _read_angles(angles, path)
    with reading(where.file) as source:
        node = _dataset(source, where)
        order = STACK
        if node.ndim in (2, 3) and all(node.shape) and (angles_given is not None or axes is not None):
            views = None if angles_given is None else len(angles_given[0])
            frame_axes = stored_axes(
                node.shape,
                views,
                axes,
                str(where),
                values=lambda: frames_of(source, node).read(slice(0, 1), slice(None))[0],
                sinograms=True,
            )
            order = frame_axes.order
            repaired += frame_axes.repaired
            warnings += frame_axes.warnings
        stack = frames_of(source, node, order)
        metadata = source.walk(source.file)
        missing = list(source.missing)
    chosen = np.arange(stack.shape[0])[where.frames]
    kinds = np.full(stack.shape[0], FrameKind.PROJECTION, dtype=object)
    if image_key is not None:
        kinds = _kinds(place_of(image_key, path), stack.shape[0])
    projections = replace(stack, index=_index(chosen, kinds, FrameKind.PROJECTION))
    total = projections.shape[0]
    source_of = angles.source if isinstance(angles, Value) else angles
    paths_named = {"data": data, "flats": flats, "darks": darks, "angles": source_of, "image_key": image_key}
    scan = Scan(
        path=path,
        name=path.stem,
        format="hdf5-paths",
        dialect="paths given",
        why=f"its user named {', '.join(f'{name} {text}' for name, text in paths_named.items() if text)}",
        projections=projections,
        geometry=Geometry(
            assumed_angles(total, "no angles were named", warnings)
            if angles_given is None
            else _angles(angles_given, chosen, kinds, warnings)
        ),
        counts={
            kind: int(np.sum(kinds[chosen] == kind)) for kind in FrameKind if np.any(kinds[chosen] == kind)
        },
        metadata=metadata,
        missing=tuple(missing),
    )
    if isinstance(angles, Value):
        scan = scan.with_geometry(angles_deg=replace(scan.angles_deg, origin=angles.origin))
    scan = replace(
        scan,
        flats=_frames_of_kind(stack, chosen, kinds, FrameKind.FLAT),
        darks=_frames_of_kind(stack, chosen, kinds, FrameKind.DARK),
        repaired=tuple(repaired),
        warnings=tuple(warnings),
    )
    scan = with_paths(scan, flats=flats, darks=darks)
    absent = tuple(
        f"no {kind} fields were named, and none were found"
        for kind, reference in ((FrameKind.FLAT, scan.flats), (FrameKind.DARK, scan.darks))
        if reference is None
    )
    return replace(scan, warnings=scan.warnings + absent)


def with_paths(
    scan: Scan, *, flats: str | None = None, darks: str | None = None, angles: str | None = None
) -> Scan:
    """Put references or angles from named datasets in place of a scan's own.

    `flats`, `darks`, `angles`: places; None keeps the scan's own. Of a file that is named alone the flats or darks are
    the one dataset that fits. Result: the scan with these. References count as taken before it, or after it where they
    are later frames of the scan's own dataset.
    """
    warnings = list(scan.warnings)
    for kind, text in ((FrameKind.FLAT, flats), (FrameKind.DARK, darks)):
        if text is None:
            continue
        whole_file = _in_whole_file(text, scan, kind)
        reference = _named_reference(scan, whole_file or place_of(text, scan.path), kind)
        warnings = [warning for warning in warnings if not re.search(rf"\bno {kind} fields\b", warning)]
        if whole_file is not None:
            warnings.append(f"the {kind}s are those of {whole_file}, taken as from before")
        changed: dict[str, Any] = {f"{kind}s": reference}
        scan = replace(scan, counts={**scan.counts, kind: reference.frames.shape[0]}, **changed)
    if angles is not None:
        values, unit, place = _numbers(place_of(angles, scan.path))
        value, warning = in_degrees(values, unit, place, guess=False)
        warnings = [*without_assumed(tuple(warnings)), *([warning] if warning else [])]
        scan = scan.with_geometry(angles_deg=value)
    return replace(scan, warnings=tuple(warnings))


def _dataset(source: Source, where: Place) -> h5py.Dataset:
    node = source.find(where.path)
    if isinstance(node, h5py.Dataset):
        return node
    group = node if isinstance(node, h5py.Group) else source.file
    state = "is a group" if isinstance(node, h5py.Group) else "is not there"
    more = f" ({', '.join(source.missing)} is absent)" if source.missing else ""
    raise FormatError(
        f"{where.file}: {where.path} {state}{more}; {group.name} holds {', '.join(list(group)[:12]) or 'nothing'}"
    )


def _numbers(where: Place) -> tuple[NDArray[np.float64], str | None, str]:
    """Read a list of numbers, its unit, and where it stands."""
    with reading(where.file) as source:
        node = _dataset(source, where)
        values = source.array(where.path)
        if values is None:
            raise FormatError(
                f"{where.file}: {where.path} holds no numbers but {node.dtype}; name another dataset"
            )
        return values[where.frames], attribute(node, "units"), str(where)


def numbers_at(text: str, scan: Path) -> tuple[NDArray[np.float64], str | None, str]:
    """Read a list of numbers that a user names.

    `text`: its place, as `place_of` reads it. Result: their unit as the file writes it.
    """
    return _numbers(place_of(text, scan))


def _read_angles(
    angles: str | Value[NDArray[np.float64]], path: Path
) -> tuple[NDArray[np.float64], str | None, str]:
    return numbers_at(angles, path) if isinstance(angles, str) else (angles.value, "deg", angles.source)


def _kinds(where: Place, count: int) -> NDArray[np.object_]:
    with reading(where.file) as source:
        node = _dataset(source, where)
        if node.size is None or node.size > _MOST_FRAMES:
            raise FormatError(
                f"{where.file}: {where.path} claims {node.size} keys; the file is damaged, copy it again"
            )
        codes = source.array(where.path)
        if codes is not None:
            kinds = [
                IMAGE_KEY_KINDS.get(round(code), FrameKind.INVALID) if np.isfinite(code) else None
                for code in codes
            ]
        else:
            kinds = [_word(as_text(text) or "") for text in np.ravel(node[()])]
    kinds = kinds[where.frames]
    if len(kinds) != count:
        raise FormatError(
            f"{where.file}: {where.path} holds {len(kinds)} keys for {count} frames; each frame needs one"
        )
    return np.array(kinds, dtype=object)


def _word(text: str) -> FrameKind:
    return next((kind for words, kind in WORDS.items() if text.lower().startswith(words)), FrameKind.INVALID)


def _index(chosen: NDArray[np.intp], kinds: NDArray[np.object_], kind: FrameKind) -> NDArray[np.intp]:
    return np.asarray(chosen[kinds[chosen] == kind], dtype=np.intp)


def _frames_of_kind(
    stack: Hdf5Frames, chosen: NDArray[np.intp], kinds: NDArray[np.object_], kind: FrameKind
) -> Reference | None:
    index = _index(chosen, kinds, kind)
    if not len(index):
        return None
    is_projection = kinds[chosen] == FrameKind.PROJECTION
    before = np.cumsum(is_projection)[kinds[chosen] == kind]
    return Reference(replace(stack, index=index), positions_among(before, int(is_projection.sum())))


def _named_reference(scan: Scan, where: Place, kind: FrameKind) -> Reference:
    projections = stored(scan.projections)
    with reading(where.file) as source:
        node = _dataset(source, where)
        stack = frames_of(source, node)
        if (
            stack.shape[1:] != projections.shape[1:]
            and node.ndim == 3
            and isinstance(projections, Hdf5Frames)
        ):
            stack = frames_of(source, node, projections.order)
    if 0 not in projections.shape:
        demand_same_size(f"{where.file}: {where.path}, given as {kind} fields,", stack, projections)
    index = np.arange(stack.shape[0])[where.frames]
    frames: Frames = stack if len(index) == stack.shape[0] else replace(stack, index=index)
    late = _is_later(projections, stack, index)
    # They are of the scan's detector, and so mirrored as its frames are.
    flipped_frames = flipped(frames, *flips_of(scan.projections))
    return Reference(flipped_frames, np.full(len(index), float(projections.shape[0]) if late else -1.0))


def _in_whole_file(text: str, scan: Scan, kind: FrameKind) -> Place | None:
    """Find the one dataset of frames in a file that is named alone; where several fit, the one named after its kind."""
    path = Path(text)
    if ":/" in text or not path.is_file():
        return None
    if not is_hdf5(path):
        raise FormatError(
            f"{path}: {kind}s of a file of their own must lie in HDF5; convert it, or check its name"
        )
    with reading(path) as source:
        stacks = _stacks(source)
    fits = [name for name, shape in stacks.items() if shape[-2:] == scan.shape[1:]]
    names_of_kind = [name for name in fits if re.search(str(kind), name, re.IGNORECASE)]
    for choice in (fits, names_of_kind):
        if len(choice) == 1:
            return Place(path, choice[0], slice(None))
    shapes_text = ", ".join(f"{name} {shape}" for name, shape in stacks.items()) or "none"
    raise FormatError(
        f"{path}: {len(fits) or 'none'} of its datasets hold frames of {scan.shape[1:]} rows and columns "
        f"({shapes_text}); name the one with the {kind}s: {path.name}:/path"
    )


def _stacks(source: Source, most: int | None = None) -> dict[str, tuple[int, ...]]:
    """List the datasets of frames among the first `most` members, without those that a conversion keeps."""
    stacks: dict[str, tuple[int, ...]] = {}
    visited = 0

    def visit(name: str, link: Any) -> bool | None:
        nonlocal visited
        visited += 1
        if not name.startswith(f"{SIDE_CAR}/") and not isinstance(link, h5py.ExternalLink):
            node = source.find(f"/{name}")
            if (
                isinstance(node, h5py.Dataset)
                and node.ndim in (2, 3)
                and node.dtype.kind in "iuf"
                and node.size
            ):
                stacks.setdefault(f"/{path_of(node).lstrip('/')}", node.shape)
        return True if most is not None and visited > most else None

    visit_links(source.file, visit)
    return stacks


def _is_later(projections: Frames, stack: Hdf5Frames, index: NDArray[np.intp]) -> bool:
    if not isinstance(projections, Hdf5Frames) or projections.index is None or not len(index):
        return False
    same = (projections.file.resolve(), projections.name) == (stack.file.resolve(), stack.name)
    return bool(same and len(projections.index) and index[0] > projections.index[-1])


def _angles(
    values_unit_place: tuple[NDArray[np.float64], str | None, str],
    chosen: NDArray[np.intp],
    kinds: NDArray[np.object_],
    warnings: list[str],
) -> Value[NDArray[np.float64]]:
    """Take the angles of the projections: of a list for all frames, for the chosen ones, or for them alone."""
    values, unit, place = values_unit_place
    is_projection = kinds[chosen] == FrameKind.PROJECTION
    if len(values) == len(kinds):
        values = values[chosen][is_projection]
    elif len(values) == len(chosen):
        values = values[is_projection]
    value, warning = in_degrees(values, unit, place, guess=False)
    warnings.extend([warning] if warning else [])
    return value


def stacks_in(path: Path) -> list[str]:
    """List the stacks of frames of an HDF5 file that no format knows, so that its user can name one.

    Result: "/entry/detector/detector (3201 × 22 × 26)", the largest first; empty where there are none.
    """
    if not path.is_file() or not is_hdf5(path):
        return []
    try:
        with reading(path) as source:
            stacks = {
                name: shape for name, shape in _stacks(source, _MOST_VISITED).items() if len(shape) == 3
            }
    except FormatError:
        return []
    ranked = sorted(stacks.items(), key=lambda item: -int(np.prod(item[1], dtype=np.float64)))
    return [f"{name} ({' × '.join(map(str, shape))})" for name, shape in ranked[:_MOST_TOLD]]
