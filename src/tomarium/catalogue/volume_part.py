"""A part of a record's volume, by level and region, as NumPy array, TIFF or OME-Zarr; read slab by slab."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium import units
from tomarium.catalogue.archive import Held, archive_held
from tomarium.catalogue.byte_table import ByteTable, blocks_of, table_of
from tomarium.errors import CannotFit, InputError
from tomarium.formats.tiff.header import TiffPlan, tiff_head
from tomarium.formats.zarr.reader import level_axes
from tomarium.model import Axis, Record
from tomarium.model.image import Sliceable
from tomarium.viewers.volume import open_volume, volume_path

MOST_BYTES: Final = 2_000_000_000
"""Of one part; who wants more takes files of the volume, which need not be unpacked here."""

_SLAB_BYTES: Final = 64 << 20
_CHUNK: Final = 64
_REGION: Final = re.compile(r"(\d{0,9})(:?)(\d{0,9})", re.ASCII)

PartKind = Literal["npy", "tiff", "zarr.zip"]


@dataclass(frozen=True)
class Part:
    """A part that is made when it is read.

    Attributes
    ----------
    table : ByteTable
        Its bytes.
    tag, name : str
        What names its bytes, and a name to save it under.
    """

    table: ByteTable
    tag: str
    name: str


@dataclass(frozen=True)
class _Region:
    level: Sliceable
    axes: tuple[Axis, ...]  # of the level
    first: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]  # little-endian
    unit: str
    name: str

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        z, y, x = self.first
        _, tall, wide = self.shape
        block = self.level[z + start : z + stop, y : y + tall, x : x + wide]
        return np.ascontiguousarray(block, dtype=self.dtype)

    @property
    def voxel_m(self) -> tuple[float, float, float] | None:
        if any(axis.unit != "m" for axis in self.axes):
            return None
        z, y, x = (axis.scale for axis in self.axes)
        return z, y, x


def make_part(record: Record, folder: Path, kind: PartKind, level: int, region: tuple[str, str, str]) -> Part:
    """Lay out a part of a record's volume.

    Parameters
    ----------
    record : Record
        With an OME-Zarr volume.
    folder : Path
        Its folder.
    kind : "npy", "tiff" or "zarr.zip"
        As what.
    level : int
        Level of the volume; 0 is the finest.
    region : tuple of str
        Voxels of that level along z, y and x: "10:20", "10", or "" for all.

    Returns
    -------
    Part
        Only the volume's header was read.

    Raises
    ------
    InputError
        There is no such level or region, or TIFF cannot hold the values.
    FormatError
        The volume is damaged.
    CannotFit
        It would have more than 2 GB; what fits is told.
    """
    path = folder / (volume_path(record) or "")
    volume = open_volume(path)
    if level >= len(volume.levels):
        raise InputError(
            f"level {level}: the volume of {record.id} has the levels 0 to {len(volume.levels) - 1}; choose one"
        )
    array = volume.levels[level]
    spans = [_span(axis, text, length) for axis, text, length in zip("zyx", region, array.shape, strict=True)]
    shape = tuple(stop - start for start, stop in spans)
    dtype = np.dtype(array.dtype).newbyteorder("<")
    _demand_fit(shape, dtype, [pyramid_level.shape for pyramid_level in volume.levels[level:]], level)
    first = tuple(start for start, _ in spans)
    name = f"{record.id}_level{level}" + "".join(
        f"_{axis}{start}-{stop}"
        for axis, (start, stop), length in zip("zyx", spans, array.shape, strict=True)
        if (start, stop) != (0, length)
    )
    chosen = _Region(array, level_axes(path, level), first, shape, dtype, volume.unit, name)
    listed = next((entry.sha256 for entry in record.files if entry.path == f"{path.name}/"), "")
    changed = (path / "zarr.json").stat().st_mtime_ns if (path / "zarr.json").is_file() else 0
    identity = json.dumps([kind, 1, record.id, listed, changed, level, spans])
    tag = hashlib.sha256(identity.encode()).hexdigest()
    make: dict[str, Callable[[_Region], ByteTable]] = {"npy": _npy, "tiff": _tiff}
    if kind in make:
        return Part(make[kind](chosen), tag, f"{name}.{kind}")
    return Part(archive_held(_zarr_members(chosen, tag), record.created).table, tag, f"{name}.{kind}")


def _span(axis: str, text: str, length: int) -> tuple[int, int]:
    match = _REGION.fullmatch(text.strip())
    if match is None or (text.strip() and not (match[1] or match[2])):
        raise InputError(
            f"{axis}={text[:40]}: is no region; give the first voxel and the one after the last, {axis}=0:10"
        )
    start = int(match[1] or 0)
    stop = start + 1 if match[1] and not match[2] else int(match[3] or length)
    if not 0 <= start < stop <= length:
        raise InputError(
            f"{axis}={text[:40]}: this level has {length} voxels along {axis}; give a region within 0:{length}"
        )
    return start, stop


def _demand_fit(
    shape: tuple[int, ...], dtype: np.dtype[Any], levels: list[tuple[int, ...]], level: int
) -> None:
    size = math.prod(shape) * dtype.itemsize
    if size <= MOST_BYTES:
        return
    plane = size // shape[0]
    ways = [f"at most {MOST_BYTES // plane} slices along z"] if plane <= MOST_BYTES else ["a smaller region"]
    fits = [
        level + number
        for number, level_shape in enumerate(levels)
        if size * math.prod(level_shape) <= MOST_BYTES * math.prod(levels[0])
    ]
    ways += [f"level={fits[0]}"] if fits else []
    raise CannotFit(
        f"this part has {' × '.join(map(str, shape))} voxels of {dtype.name}, {units.show(size, 'B', digits=3)}; one "
        f"request gives at most {units.show(MOST_BYTES, 'B', digits=3)}. Ask for {' or '.join(ways)}, or take the "
        f"files of the volume by the list manifest.aria2"
    )


def _npy(region: _Region) -> ByteTable:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": region.dtype.str, "fortran_order": False, "shape": region.shape}
    )
    return _rows_table(head.getvalue(), region)


def _tiff(region: _Region) -> ByteTable:
    if region.dtype.kind not in "iuf":
        raise InputError(f"TIFF holds no {region.dtype.name}; ask for volume.npy")
    z, y, x = region.shape
    plan = TiffPlan((z, y, x), region.dtype, region.voxel_m, region.unit, region.name, False, None)
    return _rows_table(tiff_head(plan), region)


def _rows_table(head: bytes, region: _Region) -> ByteTable:
    """Lay out a head and all voxels behind it, in slabs."""
    row = math.prod(region.shape[1:]) * region.dtype.itemsize
    cuts = _cuts(region, row)
    lengths = [len(head), *(row * (stop - start) for start, stop in cuts)]

    def make(piece: int, first: int, stop: int) -> Iterator[bytes]:
        if piece == 0:
            yield head[first:stop]
            return
        start, end = cuts[piece - 1]
        # Only the slices that hold these bytes are read.
        low, high = first // row, -(-stop // row)
        block = region.rows(start + low, min(start + high, end))
        yield from blocks_of(block.reshape(-1).view(np.uint8)[first - low * row : stop - low * row].data)

    return table_of(np.array(lengths), make)


def _cuts(region: _Region, row: int) -> list[tuple[int, int]]:
    """Cut a region into slabs of some 64 MiB that end where chunks do, so that few are unpacked twice."""
    height = int(getattr(region.level, "chunks", (1,))[0])
    rows = max(1, _SLAB_BYTES // row)
    rows = rows // height * height or (height if height * row <= 4 * _SLAB_BYTES else rows)
    first = region.first[0]
    edges = [0, *range(rows - first % rows, region.shape[0], rows), region.shape[0]]
    return [(start, stop) for start, stop in pairwise(edges) if stop > start]


def _zarr_members(region: _Region, tag: str) -> list[Held]:
    """List the files of an OME-Zarr image of one level; its chunks are not compressed, so their size is known."""
    chunk = [min(_CHUNK, length) for length in region.shape]
    row = math.prod(region.shape[1:]) * region.dtype.itemsize
    while chunk[0] > 1 and chunk[0] * row > _SLAB_BYTES:
        chunk[0] = (chunk[0] + 1) // 2
    counts = [-(-length // size) for length, size in zip(region.shape, chunk, strict=True)]
    row_of_chunks: dict[int, NDArray[Any]] = {}

    def content(k: int, j: int, i: int) -> bytes:
        if k not in row_of_chunks:
            row_of_chunks.clear()
            row_of_chunks[k] = region.rows(k * chunk[0], min((k + 1) * chunk[0], region.shape[0]))
        cut = row_of_chunks[k][:, j * chunk[1] : (j + 1) * chunk[1], i * chunk[2] : (i + 1) * chunk[2]]
        chunk_content = np.zeros(chunk, region.dtype)
        chunk_content[tuple(slice(0, length) for length in cut.shape)] = cut
        return chunk_content.tobytes()

    size = math.prod(chunk) * region.dtype.itemsize
    metadata = {"zarr.json": _group(region), "0/zarr.json": _array(region, chunk)}
    members = []
    for name, document in metadata.items():
        text = json.dumps(document, indent=1).encode()
        members.append(Held(name, len(text), tag, lambda text=text: text))  # type: ignore[misc]
    for k, j, i in np.ndindex(*counts):
        members.append(
            Held(f"0/c/{k}/{j}/{i}", size, tag, lambda k=k, j=j, i=i: content(k, j, i))  # type: ignore[misc]
        )
    return members


def _group(region: _Region) -> dict[str, Any]:
    """Describe the image (OME-NGFF 0.5, multiscales): its voxel size, and where in the whole its first voxel lies."""
    factors = [1e6 if axis.unit == "m" else 1.0 for axis in region.axes]
    axes = [
        {"name": axis.name, "type": "space"}
        | (
            {"unit": "micrometer"}
            if axis.unit == "m"
            else {"unit": axis.unit}
            if axis.unit not in ("", "px")
            else {}
        )
        for axis in region.axes
    ]
    scale = [float(f"{axis.scale * factor:.15g}") for axis, factor in zip(region.axes, factors, strict=True)]
    offset = [
        float(f"{(axis.offset + start * axis.scale) * factor:.15g}")
        for axis, start, factor in zip(region.axes, region.first, factors, strict=True)
    ]
    placed = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": offset}]
    multiscale = {
        "name": region.name,
        "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": placed}],
    }
    attributes = {"ome": {"version": "0.5", "multiscales": [multiscale]}, "tomarium": {"unit": region.unit}}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def _array(region: _Region, chunk: list[int]) -> dict[str, Any]:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(region.shape),
        "data_type": region.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {},
        "dimension_names": ["z", "y", "x"],
    }
