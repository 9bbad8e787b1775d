"""How exactly finished volumes are laid on each other: ten pairs of a simulated specimen, with their truth.

    PYTHONPATH=tests python benchmarks/stitching.py

Prints, of the ten, the median and the worst error of the place and of the turn (at the rim), and of the step of the
mean over a slice where a volume ends, over the noise.
"""

from __future__ import annotations

import numpy as np

from pipeline.test_stitch_volumes import INSIDE, SHAPE, WIDTH, noisy, seen, spheres
from tomarium.kernels.motion.volume_pose import Pose
from tomarium.pipeline.stitch.stitch import stitch_volumes

SEEDS = 10


def errors(seed: int) -> tuple[float, float, float]:
    """Stitch one pair: error of the place and of the turn at the rim, voxels, and the step over the noise."""
    body, draw = spheres(seed), np.random.default_rng(1000 + seed)
    true = Pose(26 + draw.uniform(-1, 1), draw.uniform(-3, 3), draw.uniform(-3, 3), draw.uniform(-2, 2))
    first = noisy(seen(body, SHAPE, Pose(0, 0, 0)), seed)
    made = stitch_volumes([first, noisy(seen(body, SHAPE, true), 100 + seed, gain=1.05, offset=0.02)])
    found = made.placed[1]
    place = max(abs(found.z - true.z), abs(found.y - true.y), abs(found.x - true.x))
    rim = float(np.deg2rad(abs(found.turn_deg - true.turn_deg))) * WIDTH / 2
    rest = (np.asarray(made.volume[:]) - seen(body, made.volume.shape, Pose(0, 0, 0)))[:, INSIDE]
    return place, rim, float(np.abs(np.diff(rest.mean(axis=1))).max() / rest.std())


def main() -> None:
    """Print the table."""
    table = np.array([errors(seed) for seed in range(SEEDS)])
    for name, column in zip(
        ("place, voxels", "turn at the rim, voxels", "step over noise"), table.T, strict=True
    ):
        print(f"{name:24s} median {np.median(column):.3f}  worst {column.max():.3f}")


if __name__ == "__main__":
    main()
