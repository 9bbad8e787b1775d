"""Sizes: whether what lies on disk holds as much as it says."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tomarium import units
from tomarium.doctor.core.check import check, compares
from tomarium.doctor.core.finding import Finding, error, info, warning
from tomarium.doctor.core.subject import Subject, frames_there
from tomarium.formats.frames.mirrored import stored
from tomarium.formats.hdf5.errors import guarded
from tomarium.formats.hdf5.frames import Hdf5Frames
from tomarium.formats.hdf5.security_check import open_checked


@compares("volume_x", "volume_y", "volume_z", "file_bytes")
def size_against_volume(
    subject: Subject, volume_x: float, volume_y: float, volume_z: float, file_bytes: float
) -> Iterator[Finding]:
    """Compare the size on disk with voxels times bytes, over the ratio of compression.

    Parameters
    ----------
    subject : Subject
        Anything that knows these; bytes of a voxel (2 where they are not told, as on 16 bits) and the ratio.
    volume_x, volume_y, volume_z : float
        Voxels.
    file_bytes : float
        Size on disk, bytes.

    Yields
    ------
    Finding
        An information within 15 % (a JPEG 2000 encoder is asked for a ratio, and metadata lie beside), else a
        warning.
    """
    value = subject.facts.get("bytes_per_voxel")
    kind = subject.facts.get("data_type")
    size = value.value if value is not None else _bytes(str(kind.value)) if kind is not None else 2.0
    ratio = subject.facts["compression_ratio"].value if "compression_ratio" in subject.facts else 1.0
    needed = volume_x * volume_y * volume_z * size / ratio
    over = f" / {ratio:g}" if ratio != 1 else ""
    assumed = " (16 bits assumed)" if value is None and kind is None else ""
    expected = f"{volume_x:.0f} × {volume_y:.0f} × {volume_z:.0f} × {size:g} B{over}"
    expected += f" = {units.show(needed, 'B')}{assumed}"
    found = f"{units.show(file_bytes, 'B')}, {100 * (file_bytes / needed - 1):+.1f} %"
    if abs(file_bytes / needed - 1) <= 0.15:
        yield info("size on disk", found, expected)
    else:
        yield warning(
            "size on disk",
            found,
            expected,
            "files are missing or belong to something else, or the ratio, the type or the size of the volume is wrong",
        )


@check(frames_there)
def frames_never_written(subject: Subject) -> Iterator[Finding]:
    """Compare the chunks that lie in an HDF5 file with those its shape asks for.

    Parameters
    ----------
    subject : Subject
        A scan; says nothing of formats other than HDF5, and of virtual datasets.

    Yields
    ------
    Finding
        An error where chunks are absent: reading them gives the fill value, without a word.
    """
    assert subject.scan is not None
    frames = stored(subject.scan.projections)
    if not isinstance(frames, Hdf5Frames):
        return
    present, expected = _chunks(frames)
    if present < expected:
        yield error(
            f"{frames.file.name}:{frames.name}",
            f"{present} of {expected} chunks were written",
            "all of them",
            "the scan was broken off or the file is a part: leave these frames out, or copy the file again",
        )


def _chunks(frames: Hdf5Frames) -> tuple[int, int]:
    """Return how many chunks of a dataset were written, and how many its shape asks for."""
    with guarded(frames.file), open_checked(frames.file) as file:
        dataset = file[frames.name]
        if dataset.is_virtual:
            return 1, 1  # its bytes lie elsewhere; what is absent of them is told by the reader
        if dataset.chunks is None:
            return int(dataset.id.get_storage_size() > 0), 1
        expected = math.prod(
            math.ceil(n / chunk) for n, chunk in zip(dataset.shape, dataset.chunks, strict=True)
        )
        return int(dataset.id.get_num_chunks()), expected


def _bytes(name: str) -> float:
    try:
        return float(np.dtype(name).itemsize)
    except TypeError:
        return 2.0
