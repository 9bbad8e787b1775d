"""Save a scan, a volume, an image or an array from Python."""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from tomarium.conversion.convert import convert
from tomarium.errors import InputError, TomariumWarning
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Image, Scan, Volume


def save(
    data: Scan | Image | ArrayLike,
    path: str | PathLike[str],
    *,
    like: Image | None = None,
    as_format: str | None = None,
    overwrite: bool = False,
    lossy: bool = False,
    on_progress: OnProgress | None = None,
) -> Path:
    """Write a scan, a volume, an image, or an array that lies where one of these lies.

    It is done as `tomarium convert` does it: block by block, the file appears when it is complete, and nothing is lost
    that was not allowed to be.

    Parameters
    ----------
    data : Scan, Image or array
        What is written. An array, such as the labels or the denoised voxels that a network made of a volume, takes
        axes and voxel size from `like`.
    path : str or path
        File or folder to write, such as "tooth.ome.zarr", "tooth.tif" or "scan.nx"; its ending tells the format.
    like : Image or None
        The volume or image that an array lies voxel on voxel with. Its unit is not taken: values of the array are
        without a unit.
    as_format : str or None
        Name of the format where the ending does not tell it, as `tomarium formats` lists them.
    overwrite : bool
        Whether a file that is there may be replaced.
    lossy : bool
        Whether values may be rounded that the format does not hold exactly; it is refused otherwise.
    on_progress : callable or None
        Told of progress: bytes written, bytes in all.

    Returns
    -------
    Path
        What was written. What the format could not hold comes as `TomariumWarning`.

    Raises
    ------
    InputError
        An array without `like`, or of another shape; or the path is there already.
    ParameterError
        No format, or more than one, fits the path; or the format does not write such data.
    StorageFull
        The disk is full.

    Examples
    --------
    >>> import tomarium as tm                                                   # doctest: +SKIP
    >>> volume = tm.reconstruct("scan.h5")                                      # doctest: +SKIP
    >>> tm.save(volume, "tooth.ome.zarr")                                       # doctest: +SKIP
    >>> tm.save(network(volume[:]), "labels.ome.zarr", like=volume)             # doctest: +SKIP
    """
    what = data if isinstance(data, Scan | Image) else _with_axes(np.asarray(data), like)
    converted = convert(
        what, Path(path), to=as_format, overwrite=overwrite, lossy=lossy, on_progress=on_progress
    )
    for text in converted.warnings:
        warnings.warn(TomariumWarning(text), stacklevel=2)
    return converted.target


def _with_axes(values: np.ndarray, like: Image | None) -> Image:
    shape = " × ".join(map(str, values.shape))
    if like is None:
        raise InputError(
            f"an array of {shape} was given, which says nothing of its axes; give the volume or image that it lies in "
            f"as like=…, or for frames make a scan of it with tomarium.scan_of_arrays(…)"
        )
    if values.shape != like.shape:
        there = " × ".join(map(str, like.shape))
        raise InputError(
            f"an array of {shape} was given, but what it is like has {there}; give one value for each voxel of it"
        )
    kind = Volume if isinstance(like, Volume) else Image
    return kind(values, like.axes, name=like.name)
