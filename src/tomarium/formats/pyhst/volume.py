"""PyHST2 volumes: `.vol`, float32 without a header, x fastest, with `.vol.info` and `.vol.xml` beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tomarium.errors import InputError
from tomarium.formats.format import Format, Match
from tomarium.formats.raw.volume import detect_volume, read_volume
from tomarium.formats.raw.volume_writer import write_volume
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Image, Scan, Volume


def detect(path: Path) -> Match | None:
    """Look for a `.vol` with its `.info` or `.xml`, alone or in a folder of its own."""
    return detect_volume(path, ".vol", with_name=False)


def read(path: Path, match: Match) -> Volume:
    """Open a `.vol`; it is mapped when it is sliced.

    `path`: the volume, its `.info` or `.xml`, or the folder that holds them. Result: float32 in this
    machine's byte order; axes in m where `voxelSize` is given, else in px. Raises FormatError: the text is
    damaged, or the file has not the size it tells: it grows still, or was cut.
    """
    return read_volume(path, match, ".vol", "float32")


def write(
    path: Path,
    volume: Image | Scan,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    lossy: bool = False,
) -> None:
    """Write a volume as `.vol` with `.vol.info` and `.vol.xml`.

    `path`: file that ends in `.vol`; any other name becomes a folder that holds `<name>.vol` and its texts.
    `volume`: values become float32, the only type PyHST knows. `lossy`: write values that float32 does not
    hold exactly, rounded. Raises InputError: it is no volume, its voxels are no cubes, or float32 would round
    its values.
    """
    if isinstance(volume, Volume) and not lossy and not np.can_cast(volume.dtype, np.float32, "safe"):
        raise InputError(
            f"{path}: {volume.dtype.name} does not fit into float32, the only type of a .vol; write it as .raw, "
            f"or allow it to be lossy (--lossy) to round its values"
        )
    write_volume(path, volume, ".vol", dtype="float32", resume=resume, on_progress=on_progress)


FORMAT = Format(
    name="pyhst-volume",
    title="PyHST2 volume (.vol, .vol.info, .vol.xml)",
    suffixes=(".vol",),
    detect=detect,
    read=read,
    write=write,
    writes=frozenset({"volume"}),
    resumes=True,
    rounds=True,
)
