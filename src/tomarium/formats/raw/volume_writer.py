"""Write a volume without a header, with its sizes in `.raw.info` beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tomarium.errors import InputError
from tomarium.formats.raw.info import volume_info_text, volume_xml_text
from tomarium.formats.resumable.array_file import write_voxels
from tomarium.formats.resumable.full_disk import write_text
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.formats.resumable.value_range import ValueRange
from tomarium.model import Image, Scan, Volume


def write(
    path: Path,
    volume: Volume,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a volume as `.raw` with its `.info`, in its own type.

    `path`: file that ends in `.raw`; any other name becomes a folder that holds `<name>.raw` and its text.
    Raises InputError: it is no volume, or its voxels are no cubes.
    """
    write_volume(path, volume, ".raw", resume=resume, on_progress=on_progress)


def write_volume(
    path: Path,
    volume: Image | Scan,
    suffix: str,
    *,
    dtype: str = "",
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a volume without a header and the text beside it.

    `path`: file that ends in `suffix`; any other name becomes a folder that holds `<name><suffix>`. `on_progress`:
    told of progress: bytes of voxels written, bytes in all.
    """
    if not isinstance(volume, Volume):
        raise InputError(f"{path}: only a volume can be written as {suffix}; reconstruct the scan first")
    file = path if path.suffix.lower() == suffix else path / f"{path.name}{suffix}"
    kind = np.dtype(dtype) if dtype else volume.dtype
    (z, y, x), voxel_m, is_vol = volume.shape, cubic_voxel_m(path, volume), suffix == ".vol"

    def ending(values: ValueRange) -> bytes:
        """Write the `.info`, and the `.xml` of a `.vol`."""
        if is_vol:
            xml = volume_xml_text(file.name, (z, y, x), voxel_m, values)
            write_text(file.with_name(f"{file.name}.xml"), xml)
        text = volume_info_text((z, y, x), "" if is_vol else kind.name, voxel_m, volume.unit, values)
        write_text(file.with_name(f"{file.name}.info"), text)
        return b""

    write_voxels(file, volume, kind, suffix, ending, resume=resume, on_progress=on_progress)


def cubic_voxel_m(path: Path, volume: Volume) -> float | None:
    """Return the edge of a volume's voxels, for formats that hold only one.

    Result: metres; None where it is not calibrated.
    """
    voxel = volume.voxel_m
    if voxel is None:
        return None
    if not np.allclose(voxel, voxel[0], rtol=1e-9, atol=0):
        raise InputError(
            f"{path}: its voxels are {voxel} m (z, y, x), and this format holds one length for all; write "
            f"OME-Zarr, or resample it to cubes"
        )
    return voxel[0]
