"""A simulated rock with a map of its phases: what `fuse` is tried on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Axis, Volume
from tomarium.specimen.fusion.class_map import ClassMap, class_map
from tomarium.specimen.image import image_of_array
from tomarium.specimen.pose import Pose
from tomarium.synth.rock import image, labels, pose_about, rock

EDGE_M = 1e-3
NAMES = {1: "olivine", 2: "iron", 3: "sulphide", 4: "pore"}


@dataclass(frozen=True)
class Case:
    """A CT volume, a map in it, and the truth."""

    volume: Volume
    map: ClassMap
    truth: NDArray[np.uint8]


def case(edge: int, seed: int, *, other: bool = False, coarseness: float = 1.0) -> Case:
    """Draw a CT volume with noise of 0.08 and a tilted map of phases, numbered from 1, of that rock or of another."""
    draw, voxel = np.random.default_rng(seed), EDGE_M / edge
    drawn = rock(EDGE_M, seed, coarseness=coarseness)
    grey = image(drawn, (edge,) * 3, (voxel,) * 3) + draw.normal(0, 0.08, (edge,) * 3)
    middle, size = np.full(3, EDGE_M / 2), round(0.8 * edge)
    own = np.eye(4)
    own[:3, 3] = middle - np.array([size - 1, size - 1, 0]) / 2 * voxel
    matrix = pose_about(middle, draw.normal(size=3) * 10, draw.uniform(-1, 1, 3) * 0.04 * EDGE_M) @ own
    seen = rock(EDGE_M, seed + 1000, coarseness=coarseness) if other else drawn
    phases = labels(seen, (1, size, size), (voxel,) * 3, matrix)[0] + 1
    pose = Pose(matrix, np.diag([1e-3] * 3 + [0.3 * voxel] * 3) ** 2, middle)
    axes = tuple(Axis(name, voxel, voxel / 2, "m") for name in "zyx")
    return Case(
        Volume(grey.astype(np.float32), axes, name="ct"),
        class_map(image_of_array(phases, voxel), pose, "eds.tif"),
        labels(drawn, (edge,) * 3, (voxel,) * 3) + np.uint8(1),
    )
