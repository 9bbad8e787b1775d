"""Write MRC2014: a volume, an image or the projections of a scan, with the angles in a text file beside it."""

from __future__ import annotations

import fcntl
import math
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import __version__
from tomarium.errors import InputError, StorageFull
from tomarium.formats.hdf5_writer import is_full
from tomarium.model import Image, Scan

_ANGSTROM_M: Final = 1e-10
# MRC has no unsigned bytes; they go into 16 bits.
_MODES: Final = {
    "i1": (0, "i1"),
    "u1": (6, "u2"),
    "i2": (1, "i2"),
    "f4": (2, "f4"),
    "u2": (6, "u2"),
    "f2": (12, "f2"),
}
_BLOCK_BYTES: Final = 32 << 20


@dataclass(frozen=True)
class _Content:
    """What is written, whatever it was: lengths are (z, y, x) in m, 0 where they are not known."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    blocks: Iterator[NDArray[Any]]
    cell_m: tuple[float, float, float]
    origin_m: tuple[float, float, float]
    unit: str
    space_group: int


def write(path: Path, content: Image | Scan) -> None:
    """Write an MRC file; it appears when it is complete.

    Parameters
    ----------
    path : Path
        File to write; an older one is replaced at the end.
    content : Image or Scan
        An image of two or three axes: bytes and 16-bit integers, float16 or float32. Of a scan its projections,
        with the angles in degrees in a text file of the same name and the ending `.rawtlt`.

    Raises
    ------
    InputError
        The kind of pixels, the number of axes or a negative step has no place in MRC, or a scan has flats or
        darks, which would be lost.
    StorageFull
        The disk is full; nothing is left behind.
    """
    one = _of_scan(path, content) if isinstance(content, Scan) else _of_image(path, content)
    spelling = one.dtype.newbyteorder("=").str[1:]
    if spelling not in _MODES:
        raise InputError(f"{path}: pixels of {one.dtype} have no mode in MRC; convert them to float32 first")
    mode, stored = _MODES[spelling]
    path.parent.mkdir(parents=True, exist_ok=True)
    # One name for all runs, so that what a killed one has left is written over.
    partial = path.with_name(f".{path.name}.partial")
    try:
        with _alone(path, partial) as stream:
            stream.truncate(0)
            stream.write(bytes(1024))
            tally = _Tally()
            for block in one.blocks:
                tally = tally.with_block(block)
                stream.write(np.ascontiguousarray(block, np.dtype(stored).newbyteorder("<")).tobytes())
            stream.seek(0)
            stream.write(_header(one, mode, tally))
            stream.flush()
            _name(path, partial, content)
    except OSError as problem:
        if is_full(problem):
            raise StorageFull(f"{path}: the disk is full; free some space and write it again") from problem
        raise


def _name(path: Path, partial: Path, content: Scan | Image) -> None:
    if isinstance(content, Scan):
        angles = "".join(f"{angle!r}\n" for angle in content.angles_deg.value.tolist())
        path.with_suffix(".rawtlt").write_text(angles, "ascii")
    partial.replace(path)


@contextmanager
def _alone(path: Path, partial: Path) -> Iterator[BinaryIO]:
    """Open what is not whole yet for one process; it is gone where this one does not end with a name for it."""
    with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = _is_named(stream, partial)  # else another has just given it its final name
        except BlockingIOError:
            alone = False
        if not alone:
            raise InputError(
                f"{path}: another process is writing this file; wait for it, or give another name"
            )
        try:
            yield stream
        finally:
            if _is_named(stream, partial):
                partial.unlink()


def _is_named(stream: BinaryIO, path: Path) -> bool:
    return path.exists() and os.path.samestat(path.stat(), os.fstat(stream.fileno()))


def _of_image(path: Path, image: Image) -> _Content:
    if image.ndim not in (2, 3):
        raise InputError(f"{path}: an image of {image.ndim} axes does not fit in MRC; it needs two or three")
    if any(axis.unit == "m" and axis.scale < 0 for axis in image.axes):
        raise InputError(f"{path}: an axis runs backwards, which MRC cannot say; turn the image round first")
    lengths = [(axis.scale, axis.offset) if axis.unit == "m" else (0.0, 0.0) for axis in image.axes]
    lengths = [(0.0, 0.0)] * (3 - image.ndim) + lengths
    if image.ndim == 2 and all(scale for scale, _ in lengths[1:]):
        lengths[0] = (lengths[2][0], 0.0)
    shape = (1,) * (3 - image.ndim) + image.shape
    rows = max(1, _BLOCK_BYTES // max(1, math.prod(shape[1:]) * image.dtype.itemsize))
    blocks = (
        (np.asarray(image[start : start + rows]) for start in range(0, shape[0], rows))
        if image.ndim == 3
        else iter([np.asarray(image[:])])
    )
    (cz, oz), (cy, oy), (cx, ox) = lengths
    volume = image.ndim == 3 and [axis.name for axis in image.axes] == ["z", "y", "x"]
    return _Content(
        (shape[0], shape[1], shape[2]),
        image.dtype,
        blocks,
        (cz, cy, cx),
        (oz, oy, ox),
        image.unit,
        int(volume),
    )


def _of_scan(path: Path, scan: Scan) -> _Content:
    lost = [
        name for name, reference in (("flats", scan.flats), ("darks", scan.darks)) if reference is not None
    ]
    if lost:
        raise InputError(
            f"{path}: MRC has no place for the scan's {' and '.join(lost)}; write NXtomo or Data Exchange, "
            f"or correct the projections first"
        )
    frames = scan.projections
    pixel = scan.pixel_m.value if scan.pixel_m else 0.0
    step = max(1, _BLOCK_BYTES // max(1, math.prod(frames.shape[1:]) * np.dtype(frames.dtype).itemsize))
    blocks = (
        frames.read(slice(start, start + step), slice(None)) for start in range(0, frames.shape[0], step)
    )
    return _Content(frames.shape, np.dtype(frames.dtype), blocks, (pixel,) * 3, (0.0,) * 3, "", 0)


@dataclass(frozen=True)
class _Tally:
    """Extremes and sums of the finite pixels, block after block."""

    least: float = math.inf
    most: float = -math.inf
    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def with_block(self, block: NDArray[Any]) -> _Tally:
        values = block.astype(np.float64).ravel()
        values = values[np.isfinite(values)]
        if not len(values):
            return self
        return _Tally(
            min(self.least, float(values.min())),
            max(self.most, float(values.max())),
            self.count + len(values),
            self.total + float(values.sum()),
            self.squares + float(values @ values),
        )


def _header(one: _Content, mode: int, tally: _Tally) -> bytes:
    sections, rows, columns = one.shape
    z, y, x = (length / _ANGSTROM_M for length in one.cell_m)
    mean = tally.total / tally.count if tally.count else 0.0
    spread = math.sqrt(max(0.0, tally.squares / tally.count - mean**2)) if tally.count else -1.0
    least, most = (tally.least, tally.most) if tally.count else (0.0, -1.0)  # max < min says unknown
    header = bytearray(1024)
    struct.pack_into(
        "<10i", header, 0, columns, rows, sections, mode, 0, 0, 0, columns, rows, _intervals(one)
    )
    struct.pack_into("<6f", header, 40, x * columns, y * rows, z * _intervals(one), 90.0, 90.0, 90.0)
    struct.pack_into("<3i3f2i", header, 64, 1, 2, 3, least, most, mean, one.space_group, 0)
    struct.pack_into("<i", header, 108, 20141)  # NVERSION
    struct.pack_into("<3f", header, 196, *(start / _ANGSTROM_M for start in reversed(one.origin_m)))
    header[208:216] = b"MAP \x44\x44\0\0"
    struct.pack_into("<f", header, 216, spread)
    labels = [
        f"written by tomarium {__version__}",
        *([f"unit of the values: {one.unit}"] if one.unit else []),
    ]
    struct.pack_into("<i", header, 220, len(labels))
    for number, label in enumerate(labels):
        text = label.encode("latin-1", "replace")[:80].ljust(80)
        header[224 + 80 * number : 304 + 80 * number] = text
    return bytes(header)


def _intervals(one: _Content) -> int:
    """Return MZ: the sections of a volume, 1 in a stack of images (MRC2014, note 6)."""
    return one.shape[0] if one.space_group else 1
