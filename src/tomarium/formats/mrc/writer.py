"""Write MRC2014: a volume, an image or the projections of a scan, with the angles in a text file beside it."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium import __version__
from tomarium.errors import InputError
from tomarium.formats.provenance.source_fingerprint import origin_of
from tomarium.formats.resumable.array_file import write_array
from tomarium.formats.resumable.hidden_file import OnProgress, hidden_file
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
_HEADER_BYTES: Final = 1024


@dataclass(frozen=True)
class _Content:
    """What is written, whatever it was: lengths are (z, y, x) in m, 0 where they are not known."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    block: Callable[[int, int], NDArray[Any]]
    cell_m: tuple[float, float, float]
    origin_m: tuple[float, float, float]
    unit: str
    space_group: int


def write(
    path: Path,
    content: Image | Scan,
    *,
    lossy: bool = False,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write an MRC file; it appears when it is complete.

    `path`: file to write; an older one is replaced at the end. `content`: an image of two or three axes:
    bytes and 16-bit integers, float16 or float32. Of a scan its projections, with the angles in degrees in a
    text file of the same name and the ending `.rawtlt`. `lossy`: whether float64 may be rounded to float32.
    Raises InputError: the kind of pixels, the number of axes or a negative step has no place in MRC, or a
    scan has flats or darks, which would be lost.
    """
    pixels = (
        _content_of_scan(path, content) if isinstance(content, Scan) else _content_of_image(path, content)
    )
    if lossy and pixels.dtype.kind == "f" and pixels.dtype.itemsize == 8:
        pixels = replace(pixels, dtype=np.dtype(np.float32))
    spelling = pixels.dtype.newbyteorder("=").str[1:]
    if spelling not in _MODES:
        remedy = "convert them to float32 first"
        if pixels.dtype == np.float64:
            remedy = "allow it to be lossy (--lossy) to round them to float32"
        raise InputError(f"{path}: pixels of {pixels.dtype} have no mode in MRC; {remedy}")
    mode, stored = _MODES[spelling]
    with hidden_file(path, resume=resume) as hidden:
        measures = write_array(
            hidden,
            origin_of(content, "mrc"),
            bytes(_HEADER_BYTES),
            pixels.shape,
            np.dtype(stored).newbyteorder("<"),
            lambda part: pixels.block(part.start, part.stop),
            lambda block: astuple(_tally(block)),
            on_progress,
        )
        tally = reduce(_Tally.with_other, (_Tally(*numbers) for numbers in measures))
        with hidden.partial.open("r+b") as stream:
            stream.write(_header(pixels, mode, tally))
        if isinstance(content, Scan):
            angles = "".join(f"{angle!r}\n" for angle in content.angles_deg.value.tolist())
            path.with_suffix(".rawtlt").write_text(angles, "ascii")


def _content_of_image(path: Path, image: Image) -> _Content:
    if image.ndim not in (2, 3):
        raise InputError(f"{path}: an image of {image.ndim} axes does not fit in MRC; it needs two or three")
    if any(axis.unit == "m" and axis.scale < 0 for axis in image.axes):
        raise InputError(f"{path}: an axis runs backwards, which MRC cannot say; turn the image round first")
    lengths = [(axis.scale, axis.offset) if axis.unit == "m" else (0.0, 0.0) for axis in image.axes]
    lengths = [(0.0, 0.0)] * (3 - image.ndim) + lengths
    if image.ndim == 2 and all(scale for scale, _ in lengths[1:]):
        lengths[0] = (lengths[2][0], 0.0)
    shape = (1,) * (3 - image.ndim) + image.shape

    def block(start: int, stop: int) -> NDArray[Any]:
        return np.asarray(image[start:stop] if image.ndim == 3 else image[:])

    (cz, oz), (cy, oy), (cx, ox) = lengths
    volume = image.ndim == 3 and [axis.name for axis in image.axes] == ["z", "y", "x"]
    return _Content(
        (shape[0], shape[1], shape[2]),
        image.dtype,
        block,
        (cz, cy, cx),
        (oz, oy, ox),
        image.unit,
        int(volume),
    )


def _content_of_scan(path: Path, scan: Scan) -> _Content:
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
    size = (pixel, pixel * scan.geometry.aspect, pixel)

    def block(start: int, stop: int) -> NDArray[Any]:
        return frames.read(slice(start, stop), slice(None))

    return _Content(frames.shape, np.dtype(frames.dtype), block, size, (0.0,) * 3, "", 0)


@dataclass(frozen=True)
class _Tally:
    """Extremes and sums of the finite pixels, block after block."""

    least: float = math.inf
    most: float = -math.inf
    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def with_other(self, other: _Tally) -> _Tally:
        return _Tally(
            min(self.least, other.least),
            max(self.most, other.most),
            self.count + other.count,
            self.total + other.total,
            self.squares + other.squares,
        )


def _tally(block: NDArray[Any]) -> _Tally:
    values = block.astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    if not len(values):
        return _Tally()
    total, squares = float(values.sum()), float(values @ values)
    return _Tally(float(values.min()), float(values.max()), len(values), total, squares)


def _header(content: _Content, mode: int, tally: _Tally) -> bytes:
    sections, rows, columns = content.shape
    z, y, x = (length / _ANGSTROM_M for length in content.cell_m)
    mean = tally.total / tally.count if tally.count else 0.0
    spread = math.sqrt(max(0.0, tally.squares / tally.count - mean**2)) if tally.count else -1.0
    least, most = (tally.least, tally.most) if tally.count else (0.0, -1.0)  # max < min says unknown
    header = bytearray(1024)
    struct.pack_into(
        "<10i", header, 0, columns, rows, sections, mode, 0, 0, 0, columns, rows, _intervals(content)
    )
    struct.pack_into("<6f", header, 40, x * columns, y * rows, z * _intervals(content), 90.0, 90.0, 90.0)
    struct.pack_into("<3i3f2i", header, 64, 1, 2, 3, least, most, mean, content.space_group, 0)
    struct.pack_into("<i", header, 108, 20141)  # NVERSION
    struct.pack_into("<3f", header, 196, *(start / _ANGSTROM_M for start in reversed(content.origin_m)))
    header[208:216] = b"MAP \x44\x44\0\0"
    struct.pack_into("<f", header, 216, spread)
    labels = [
        f"written by tomarium {__version__}",
        *([f"unit of the values: {content.unit}"] if content.unit else []),
    ]
    struct.pack_into("<i", header, 220, len(labels))
    for number, label in enumerate(labels):
        text = label.encode("latin-1", "replace")[:80].ljust(80)
        header[224 + 80 * number : 304 + 80 * number] = text
    return bytes(header)


def _intervals(content: _Content) -> int:
    """Return MZ: the sections of a volume, 1 in a stack of images (MRC2014, note 6)."""
    return content.shape[0] if content.space_group else 1
