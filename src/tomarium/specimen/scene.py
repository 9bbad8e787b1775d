"""OME-Zarr metadata of volumes that lie in one frame: 0.5 with a scale and a translation, 0.6 with any matrix.

OME-Zarr 0.5 knows `scale` and `translation` alone, so that a volume that is turned in the shared frame has no spelling
there. RFC-5, in the specification since 0.6, names coordinate systems and has `affine`: each image keeps its own
system, and a group above them, a scene, tells the transformations from these into the shared one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tomarium.errors import FormatError
from tomarium.specimen.mobie import MICROMETRES, in_micrometres

VERSION: Final = "0.5"
WITH_MATRICES: Final = "0.6"
OWN: Final = "physical"
"""Name of the coordinate system of an image itself."""
_REVERSED: Final = [2, 1, 0]

Array = NDArray[np.float64]
Ome = Mapping[str, Any]


def demand_micrometres(ome: Ome, name: str) -> None:
    """Demand an OME-Zarr 0.5 image with the axes z, y, x in micrometres, as tomarium writes a volume."""
    try:
        axes = [(axis["name"], axis.get("unit")) for axis in ome["multiscales"][0]["axes"]]
    except (KeyError, IndexError, TypeError) as problem:
        raise FormatError(f"{name}: its metadata are not those of an image ({problem})") from problem
    if str(ome.get("version")) != VERSION or axes != [(text, "micrometer") for text in "zyx"]:
        raise FormatError(
            f"{name}: is OME-Zarr {ome.get('version')} with the axes {axes}; {VERSION} with z, y and x in micrometers "
            f"was expected: convert it with tomarium convert --to ome-zarr"
        )


def moved(ome: Ome, scale: float, shift_m: Array) -> dict[str, Any]:
    """Return the metadata of an image with its pixels elsewhere: points p lie at scale · p + shift.

    Parameters
    ----------
    ome : Mapping
        Content of `attributes.ome` of an OME-Zarr 0.5 image, z, y, x in micrometres.
    scale : float
        By which lengths change.
    shift_m : array, shape (3,)
        x, y, z; m.

    Returns
    -------
    dict
        Of the same version; each level has one scale and one translation.
    """
    shift = np.asarray(shift_m, np.float64)[_REVERSED] * MICROMETRES
    images = []
    for image in ome["multiscales"]:
        datasets = []
        for dataset in image["datasets"]:
            size, start = _size_and_start(dataset, image)
            transformations = [
                {"type": "scale", "scale": (scale * size).tolist()},
                {"type": "translation", "translation": (scale * start + shift).tolist()},
            ]
            datasets.append({**dataset, "coordinateTransformations": transformations})
        further = {key: value for key, value in image.items() if key != "coordinateTransformations"}
        images.append({**further, "datasets": datasets})
    return {**ome, "multiscales": images}


def with_systems(ome: Ome) -> dict[str, Any]:
    """Return the metadata of an OME-Zarr 0.5 image as 0.6 spells them, its pixels where they are."""
    images = []
    for image in ome["multiscales"]:
        datasets = []
        for dataset in image["datasets"]:
            size, start = _size_and_start(dataset, image)
            parts = [
                {"type": "scale", "scale": size.tolist()},
                {"type": "translation", "translation": start.tolist()},
            ]
            transformation = {
                "type": "sequence",
                "input": {"path": dataset["path"]},
                "output": {"name": OWN},
                "transformations": parts,
            }
            datasets.append({**dataset, "coordinateTransformations": [transformation]})
        further = {
            key: value for key, value in image.items() if key not in ("axes", "coordinateTransformations")
        }
        systems = [{"name": OWN, "axes": image["axes"]}]
        images.append({**further, "coordinateSystems": systems, "datasets": datasets})
    return {**ome, "version": WITH_MATRICES, "multiscales": images}


def scene(name: str, matrices: Mapping[str, Array]) -> dict[str, Any]:
    """Tell where images lie in one frame, as OME-Zarr 0.6 does.

    Parameters
    ----------
    name : str
        Of the coordinate system that they share.
    matrices : Mapping of str to array
        Path of an image below the group → its matrix (4, 4) for points (x, y, z, 1), m.

    Returns
    -------
    dict
        Content of `attributes.ome` of the group: matrices for points (z, y, x) in micrometres.
    """
    axes = [{"name": text, "type": "space", "unit": "micrometer"} for text in "zyx"]
    transformations = [
        {
            **_transformation(in_micrometres(matrix)),
            "input": {"path": path, "name": OWN},
            "output": {"name": name},
        }
        for path, matrix in matrices.items()
    ]
    systems = [{"name": name, "axes": axes}]
    return {
        "version": WITH_MATRICES,
        "scene": {"coordinateSystems": systems, "coordinateTransformations": transformations},
    }


def _transformation(matrix: Array) -> dict[str, Any]:
    """Spell a matrix for (x, y, z) as the simplest transformation of (z, y, x)."""
    linear = matrix[:3, :3][np.ix_(_REVERSED, _REVERSED)]
    shift = matrix[:3, 3][_REVERSED]
    if (linear == np.eye(3)).all():
        return {"type": "translation", "translation": shift.tolist()} if shift.any() else {"type": "identity"}
    return {"type": "affine", "affine": np.column_stack([linear, shift]).tolist()}


def _size_and_start(dataset: Mapping[str, Any], image: Mapping[str, Any]) -> tuple[Array, Array]:
    """Return the size of a level's voxels and the centre of its first one (z, y, x; micrometres)."""
    size, start = np.ones(3), np.zeros(3)
    transformations: Sequence[Mapping[str, Any]] = [
        *dataset.get("coordinateTransformations", ()),
        *image.get("coordinateTransformations", ()),
    ]
    for transformation in transformations:
        if transformation["type"] == "scale":
            size, start = size * transformation["scale"], start * transformation["scale"]
        elif transformation["type"] == "translation":
            start = start + transformation["translation"]
    return size, start
