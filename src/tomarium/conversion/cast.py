"""A volume in 8 or 16 bits, between limits that are stated, so that its values come back within half a step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium import formats
from tomarium.atomic_files import write_json
from tomarium.conversion.convert import Converted, convert
from tomarium.conversion.target_format import choose
from tomarium.errors import FormatError, InputError, ParameterError
from tomarium.formats.frames.blocks import blocks_of
from tomarium.formats.hdf5.attributes import is_hdf5
from tomarium.formats.provenance.source_fingerprint import sources_of
from tomarium.formats.record.reader import CRATE
from tomarium.kernels.grey_values import grey_values
from tomarium.kernels.quantise import quantise
from tomarium.model import Image, Scan, Volume
from tomarium.model.image import Sliceable

PERCENTILES: Final = {"uint8": (0.1, 99.9), "uint16": (0.01, 99.99)}
"""Percent of the voxels below the lower limit and below the upper one, where none are given: closer together for 8
bits, whose few levels would be spent on few voxels."""

FEWEST_VOXELS: Final = 20_000_000
"""Voxels at least that the limits are taken from, in whole slices evenly over the volume."""

SLAB_BYTES: Final = 32 << 20

_OWN: Final = "tiff-volume"
"""Format that states the limits in the file itself and in its side-car."""


@dataclass(frozen=True)
class Scaled:
    """A volume whose values are spread over a whole type when they are read."""

    source: Sliceable  # the volume's own numbers
    dtype: np.dtype[Any]  # an unsigned whole type
    # values that become 0 and the greatest number; what lies beyond is clipped, NaN becomes 0
    low: float
    high: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""
        return tuple(self.source.shape)

    def __getitem__(self, key: Any) -> Any:
        return quantise(np.asarray(self.source[key]), self.low, self.high, self.dtype)


@dataclass(frozen=True)
class CastReport:
    """What became of the values of a volume that was cast."""

    dtype: str  # type that was written
    # values that became 0 and the greatest number
    low: float
    high: float
    unit: str  # unit of them
    limits: str  # where the limits come from, in words
    step: float  # distance of two levels, in the volume's unit
    # voxels that were clipped, and that were no numbers and became 0
    below: int
    above: int
    not_finite: int
    voxels: int  # all of them
    # by how much a voxel between the limits reads back otherwise at most, in the volume's unit
    largest_error: float

    @property
    def formula(self) -> str:
        """How a value is had from a number, in words."""
        return f"value = {self.low!r} + number × {self.step!r} {self.unit}".rstrip()


def parse_limits(text: str) -> tuple[float, float] | None:
    """Read the limits of a cast.

    `text`: "auto", or "A:B" in the volume's unit. Result: the limits; None for "auto".
    """
    if text.strip() == "auto":
        return None
    first, _, last = text.partition(":")
    try:
        low, high = float(first), float(last)
    except ValueError as problem:
        raise ParameterError(
            f"--limits {text!r}: write auto, or A:B in the volume's unit, such as -0.1:2.5"
        ) from problem
    if not (np.isfinite([low, high]).all() and low < high):
        raise ParameterError(f"--limits {text!r}: give two finite values, the lower first, such as -0.1:2.5")
    return low, high


def convert_cast(
    opened: Scan | Image,
    target: Path,
    dtype: Literal["uint8", "uint16"],
    limits: tuple[float, float] | None = None,
    *,
    source: str = "as given",
    to: str | None = None,
    overwrite: bool = False,
    constant: bool = False,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Converted, CastReport]:
    """Write a volume in 8 or 16 bits, slab by slab, and read it back.

    1. Where no limits are given, they are percentiles of the voxels inside the inscribed circle, 0.01 and 99.99 for 16
       bits and 0.1 and 99.9 for 8, of whole slices evenly over the volume, 20 million voxels at least.
    2. number = floor((value - low) / (high - low) · most + 1/2), clipped to 0 … most, most 255 or 65535.
    3. Every voxel is read back and compared; the source is left as it is.

    `target`: file or folder. The limits stand in `<target>.json`, and of TIFF in the file's description too.
    `limits`: values that become 0 and the greatest number, in the volume's unit. `source`: where these come from, in
    words. `constant`: whether a volume
    without contrast gets limits 1 apart, as where nobody can be asked; it is refused otherwise. Result: what
    became of the file's parts, and of its values.
    """
    if not isinstance(opened, Volume):
        raise InputError(f"{opened.path}: only a volume is cast to {dtype}; reconstruct a scan first")
    if "grey_range" in opened.metadata:
        raise InputError(
            f"{opened.path}: its numbers were cast before, {opened.metadata['grey_range']}; cast the volume of "
            f"floats that it was made of"
        )
    if opened.holds_labels:
        raise InputError(
            f"{opened.path}: holds labels, whose numbers --dtype would spread as grey values; convert it without "
            f"--dtype, which keeps each number"
        )
    form = choose(target, "volume", to)
    say = on_progress or (lambda stage, done, total: None)
    if limits is None:
        limits, source = auto_limits(opened, say, PERCENTILES[dtype], constant=constant)
    low, high = limits
    step = (high - low) / np.iinfo(dtype).max
    grey_range = {"low": low, "high": high, "unit": opened.unit}
    data = Scaled(opened.data, np.dtype(dtype), low, high)
    grey = replace(opened, data=data, levels=(), unit="", metadata={"grey_range": grey_range})
    converted = convert(
        grey,
        target,
        to=form.name,
        overwrite=overwrite,
        on_progress=lambda done, total: say("write MB", done // 1_000_000, total // 1_000_000),
    )
    below, above, lost, error = _verified(opened, data, target, form.name, say)
    report = CastReport(
        dtype, low, high, opened.unit, source, step, below, above, lost, _voxels(opened), error
    )
    if form.name != _OWN:
        write_json(
            target.with_name(f"{target.name}.json"), {"grey_range": grey_range, "value": report.formula}
        )
    return converted, report


def demand_removable(opened: Scan | Image) -> tuple[Path, ...]:
    """List the files that may be removed once a volume was cast; a part of something larger may not."""
    path = opened.path
    if not isinstance(opened, Volume) or path is None or not path.exists():
        raise InputError(f"{path}: only the file of a volume is removed when it was cast")
    if any((folder / CRATE).is_file() for folder in (path, *path.resolve().parents[:2])):
        raise InputError(f"{path}: is part of a record, which needs it; leave out --remove-source")
    is_zarr = path.is_dir() and any((path / name).is_file() for name in ("zarr.json", ".zattrs"))
    if not is_zarr and [file.resolve() for file in sources_of(opened)] not in ([path.resolve()], []):
        raise InputError(
            f"{path}: is read from several files; remove them yourself once you have looked at the cast"
        )
    if path.is_file() and is_hdf5(path):
        raise InputError(
            f"{path}: is an HDF5 file, which may hold more than the volume; leave out --remove-source"
        )
    if not path.is_file() and not is_zarr:
        raise InputError(
            f"{path}: is a folder of files; remove them yourself once you have looked at the cast"
        )
    return (path,)


def remove(paths: tuple[Path, ...], target: Path) -> None:
    """Remove what was cast, once what was made of it lies on the disk."""
    for file in [target] if target.is_file() else [entry for entry in target.rglob("*") if entry.is_file()]:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def as_data(report: CastReport) -> dict[str, Any]:
    """Write what became of the values for machines: the fields of `CastReport`, and `value`, its formula."""
    return {**asdict(report), "value": report.formula}


def _voxels(volume: Volume) -> int:
    return int(np.prod(volume.shape, dtype=np.int64))


def auto_limits(
    volume: Volume,
    say: Callable[[str, int, int], None],
    percentiles: tuple[float, float],
    *,
    constant: bool = False,
) -> tuple[tuple[float, float], str]:
    """Return the limits of a cast where none are given, and where they come from in words."""
    depth, rows, columns = volume.shape
    count = min(depth, max(1, -(-FEWEST_VOXELS // (rows * columns))))
    planes = np.unique(np.linspace(0, depth - 1, count).round().astype(int)).tolist()
    values = grey_values(volume.data, planes=planes, tell=lambda done, total: say("limits", done, total))
    low, high = (values.percentile(percent) for percent in percentiles)
    if not low < high and constant:
        return (low, low + 1.0), f"a constant volume: its value and 1 {volume.unit} more".rstrip()
    if not low < high:
        raise InputError(
            f"{volume.path}: its values lie at {low:g}; a constant volume needs limits, such as --limits 0:1"
        )
    where = " inside the circle" if rows == columns else ""
    source = (
        f"percentiles {percentiles[0]:g} and {percentiles[1]:g}{where} of {len(planes)} of {depth} slices"
    )
    return (low, high), source


def _verified(
    volume: Volume, data: Scaled, target: Path, form: str, say: Callable[[str, int, int], None]
) -> tuple[int, int, int, float]:
    """Read back what was written; return the voxels below, above and not finite, and the largest error between."""
    read_back = formats.open(target, as_format=form)
    if not isinstance(read_back, Image):
        raise FormatError(f"{target}: was written as a volume and reads back as a scan; report this file")
    below = above = lost = 0
    error, step = 0.0, (data.high - data.low) / np.iinfo(data.dtype).max
    for rows, values in _slabs(volume, say):
        stored = np.asarray(read_back[rows])
        if not np.array_equal(stored, replace(data, source=values)[:]):  # MRC keeps 8 bits in 16
            raise FormatError(
                f"{target}: slices {rows.start} to {rows.stop - 1} do not read back as they were written; keep "
                f"{volume.path}, check the disk, and write it again with --overwrite"
            )
        levels = (values - data.low) / step
        lost += values.size - int(np.count_nonzero(np.isfinite(values)))
        below += int(np.count_nonzero(levels < 0))
        above += int(np.count_nonzero(values > data.high))
        within = (levels >= 0) & (values <= data.high)
        np.abs(np.subtract(levels, stored, out=levels), out=levels)
        error = max(error, step * float(levels.max(where=within, initial=0.0)))
    return below, above, lost, error


def _slabs(
    volume: Volume, say: Callable[[str, int, int], None]
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    for part in blocks_of(volume.shape, 8, SLAB_BYTES):
        yield part, np.asarray(volume[part], np.float64)
        say("verify", part.stop, len(volume))
