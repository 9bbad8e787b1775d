"""A MoBIE project of images that lie in one frame (MoBIE specification 0.3.0).

A project is a folder with `project.json`, and a folder of each dataset with `dataset.json`. A view moves its sources by
`sourceTransforms`, affine matrices in BigDataViewer's order (the upper three rows of 4 x 4, row after row; x, y, z),
applied to the physical coordinates that the OME-Zarr file itself tells: micrometres here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

VERSION: Final = "0.3.0"
MICROMETRES: Final = 1e6
_COLOURS: Final = ("white", "green", "magenta", "orange", "cyan", "yellow")


@dataclass(frozen=True, eq=False)
class MobieSource:
    """A volume of a MoBIE dataset.

    Attributes
    ----------
    name : str
        Without spaces and slashes.
    path : str
        Of its OME-Zarr folder, relative to the dataset's.
    description : str
        For people.
    matrix : array, shape (4, 4)
        Maps points (x, y, z, 1) of its frame to the frame that all share, m.
    window : tuple of float
        Grey values shown black and white.
    """

    name: str
    path: str
    description: str
    matrix: NDArray[np.float64]
    window: tuple[float, float]


def in_micrometres(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix for points in micrometres in place of metres: its shift alone changes."""
    scaled = np.array(matrix, np.float64)
    scaled[:3, 3] *= MICROMETRES
    return scaled


def project_json(dataset: str, description: str) -> dict[str, Any]:
    """Tell a project of one dataset."""
    return {
        "specVersion": VERSION,
        "datasets": [dataset],
        "defaultDataset": dataset,
        "description": description,
    }


def dataset_json(sources: Sequence[MobieSource], description: str) -> Mapping[str, Any]:
    """Tell a dataset: its volumes, a view of all of them in the shared frame, and one of each alone.

    Parameters
    ----------
    sources : sequence of MobieSource
        At least one.
    description : str
        For people.

    Returns
    -------
    Mapping
        Content of `dataset.json`.
    """
    views = {"default": _view(sources, f"{description}: all volumes where they lie in each other", True)}
    for number, source in enumerate(sources):
        views[source.name] = _view([source], source.description, False, number)
    return {
        "description": description,
        "is2D": False,
        "sources": {
            source.name: {
                "image": {
                    "imageData": {"ome.zarr": {"relativePath": source.path}},
                }
            }
            for source in sources
        },
        "views": views,
    }


def _view(
    sources: Sequence[MobieSource], description: str, exclusive: bool, first: int = 0
) -> dict[str, Any]:
    displays = [
        {
            "imageDisplay": {
                "name": source.name,
                "sources": [source.name],
                "color": _COLOURS[(first + number) % len(_COLOURS)],
                "contrastLimits": [float(value) for value in source.window],
                "opacity": 1.0,
                "blendingMode": "sum",
            }
        }
        for number, source in enumerate(sources)
    ]
    transforms = [
        {
            "affine": {
                "name": f"{source.name}-placed",
                "parameters": in_micrometres(source.matrix)[:3].ravel().tolist(),
                "sources": [source.name],
            }
        }
        for source in sources
    ]
    return {
        "isExclusive": exclusive,
        "uiSelectionGroup": "specimen" if exclusive else "volumes",
        "description": description,
        "sourceDisplays": displays,
        "sourceTransforms": transforms,
    }
