"""The file in which a published record keeps patches of its volume for learning, and what the record tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tomarium.kernels.spatial_blocks import SPLITS
from tomarium.model import FileEntry, Record

FOLDER: Final = "learning"
PATH: Final = f"{FOLDER}/patches.parquet"
ROLE: Final = "patches"
MEDIA_TYPE: Final = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class PatchFile:
    """Patches of a volume in one Parquet file.

    Attributes
    ----------
    entry : FileEntry
        Path, size and checksum.
    size : int
        Voxels along each side of a patch.
    dtype : str
        Type of its voxels, as NumPy names it.
    counts : Mapping of str to int
        Split → patches.
    seed : int
        With which their places were drawn.
    """

    entry: FileEntry
    size: int
    dtype: str
    counts: Mapping[str, int]
    seed: int


def told_of(record: Record) -> Mapping[str, Any]:
    """Return what a record keeps of its patches: `of`, `size`, `dtype`, `counts`, `seed`, or `none` (why).

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    Mapping
        Empty where no worker has looked at it.
    """
    summary = record.volume.get("patches")
    return summary if isinstance(summary, Mapping) else {}


def patch_file_of(record: Record) -> PatchFile | None:
    """Return the file of patches of a record.

    Parameters
    ----------
    record : Record
        Any record.

    Returns
    -------
    PatchFile or None
        None where it has none, or what it tells of it is no such thing.
    """
    entry = next((file for file in record.files if file.path == PATH and file.role == ROLE), None)
    summary = told_of(record)
    size, seed, counts = summary.get("size"), summary.get("seed"), summary.get("counts")
    if entry is None or type(size) is not int or type(seed) is not int or not isinstance(counts, Mapping):
        return None
    if not all(split in SPLITS and type(count) is int for split, count in counts.items()):
        return None
    return PatchFile(entry, size, str(summary.get("dtype")), dict(counts), seed)
