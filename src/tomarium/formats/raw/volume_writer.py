"""Write a volume without a header, with its sizes in `.raw.info` beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tomarium.errors import InputError
from tomarium.formats.provenance.source_fingerprint import origin_of
from tomarium.formats.raw.info import volume_info_text, volume_xml_text
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.formats.resumable.slab_file import SlabFile, begin_slab_file, usual_slab_rows, write_text
from tomarium.formats.resumable.slabs import fill
from tomarium.formats.resumable.value_range import ValueRange
from tomarium.model import Image, Scan, Volume


def create_raw_volume(
    path: Path,
    shape: tuple[int, int, int],
    dtype: str,
    *,
    voxel_m: float | None,
    slab_rows: int,
    unit: str,
    resume: bool = False,
    origin: str = "",
) -> SlabFile:
    """Begin a volume without a header, or go on with one.

    `path`: file of the volume, `.raw` or `.vol`. `voxel_m`: edge of a voxel, m. `resume`: go on with an
    unfinished one of the same shape, type and origin where there is one. `origin`: where the content comes
    from, as `origins.origin_of` says; one of another origin is begun anew. Result: ready for its slabs;
    `done()` lists those that need not be written again.
    """
    progress = begin_slab_file(path, shape, np.dtype(dtype), slab_rows, resume=resume, origin=origin)

    def ending(values: ValueRange) -> None:
        """Write the `.info`, and the `.xml` of a `.vol`."""
        is_vol = path.suffix.lower() == ".vol"
        if is_vol:
            xml = volume_xml_text(path.name, shape, voxel_m, values)
            write_text(path.with_name(f"{path.name}.xml"), xml)
        text = volume_info_text(shape, "" if is_vol else progress.plan.dtype, voxel_m, unit, values)
        write_text(path.with_name(f"{path.name}.info"), text)

    return SlabFile(progress, ending)


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
    z, y, x = volume.shape
    kind = np.dtype(dtype) if dtype else volume.dtype
    writer = create_raw_volume(
        file,
        (z, y, x),
        kind.name,
        voxel_m=cubic_voxel_m(path, volume),
        slab_rows=usual_slab_rows((z, y, x), kind),
        unit=volume.unit,
        resume=resume,
        origin=origin_of(volume, suffix) if resume else "",
    )
    fill(writer, volume, kind.itemsize, on_progress)
    writer.finish()


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
