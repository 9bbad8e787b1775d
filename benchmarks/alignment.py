"""Lay images of simulated rocks on each other whose pose is known, and print how well it goes.

    python benchmarks/alignment.py section --edge 128 --seeds 6
    python benchmarks/alignment.py section --edge 48 --seeds 60 --null
    python benchmarks/alignment.py volume --edge 128 --seeds 2
    python benchmarks/alignment.py flat --edge 128 --seeds 6 --mirrored

section: a noisy map of silicon (25 counts a pixel) in a CT volume whose contrast is the other way round; volume: two
volumes, of X-rays and of neutrons; flat: two maps of one plane. Turns up to 25° and shifts up to 15 of 128 voxels; the
first image has noise of 0.08 of the contrast. `--null`: the second image is of another rock, and none may be accepted.
Times are of the processors, all threads together.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from tomarium.specimen.align import align
from tomarium.specimen.image import Image, image_of_array
from tomarium.synth.rock import image, pose_about, rock

EDGE_M = 1e-3
KINDS = {"section": (1, 0.75), "volume": (3, 0.75), "flat": (2, 0.75)}


def images(
    kind: str, edge: int, seed: int, *, null: bool, mirrored: bool, turn_deg: float, coarseness: float
) -> tuple[Image, Image, NDArray[np.float64]]:
    """Draw two images of one rock, or of two, and how the second lies in the first."""
    draw = np.random.default_rng(seed)
    voxel = EDGE_M / edge
    drawn = rock(EDGE_M, seed, coarseness=coarseness)
    small = round(0.75 * edge)
    fixed_shape = (1, edge, edge) if kind == "flat" else (edge, edge, edge)
    shape = (small, small, small) if kind == "volume" else (1, small, small)
    middle = np.full(3, EDGE_M / 2)
    start = np.eye(4)
    start[:3, 3] = middle - (np.array(fixed_shape[::-1]) - 1) / 2 * voxel
    axis = np.array([0, 0, 1.0]) if kind == "flat" else draw.normal(size=3)
    shift = draw.uniform(-1, 1, 3) * 15 / 128 * EDGE_M * np.array([1, 1, kind != "flat"])
    turn = turn_deg * draw.uniform(-1, 1)
    pose = pose_about(middle, axis / np.linalg.norm(axis) * turn, shift)
    own = np.diag([-1.0 if mirrored else 1.0, 1, 1, 1])
    own[:3, 3] = middle - own[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2 * voxel)
    other = rock(EDGE_M, seed + 100_000, coarseness=coarseness) if null else drawn
    first = image(drawn, fixed_shape, (voxel,) * 3, start)
    second = image(other, shape, (voxel,) * 3, pose @ own, signal="neutron" if kind == "volume" else "si")
    noisy = second + draw.normal(0, 0.08, second.shape) if kind == "volume" else draw.poisson(25 * second)
    return (
        image_of_array(first + draw.normal(0, 0.08, first.shape), voxel),
        image_of_array(noisy, voxel),
        np.linalg.inv(start) @ pose @ own,
    )


def error(moving: Image, matrix: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Return the mean distance of points from where they belong, m."""
    z, y, x = moving.array.shape
    places = [np.linspace(0, n - 1, 6) if n > 1 else np.zeros(1) for n in (x, y, z)]
    points = np.stack(np.meshgrid(*places), axis=-1).reshape(-1, 3) * np.array(moving.voxel_m[::-1])
    away = points @ (matrix - truth)[:3, :3].T + (matrix - truth)[:3, 3]
    return float(np.linalg.norm(away, axis=1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("--edge", type=int, default=128, help="voxels of the first image along each axis")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--search", choices=["near", "global"], default="near")
    parser.add_argument("--turn", type=float, default=25.0, help="largest turn, degrees")
    parser.add_argument("--coarseness", type=float, default=1.0, help="size of the rock's bodies")
    parser.add_argument("--null", action="store_true", help="the second image is of another rock")
    parser.add_argument("--mirrored", action="store_true")
    told = parser.parse_args()
    errors, ratios, seconds, accepted = [], [], [], 0
    for seed in range(told.first, told.first + told.seeds):
        fixed, moving, truth = images(
            told.kind,
            told.edge,
            seed,
            null=told.null,
            mirrored=told.mirrored,
            turn_deg=told.turn,
            coarseness=told.coarseness,
        )
        before = time.process_time()
        found = align(fixed, moving, search=told.search)
        seconds.append(time.process_time() - before)
        accepted += found.accepted
        off, stated = error(moving, found.matrix, truth) / fixed.voxel_m[0], found.tre_m / fixed.voxel_m[0]
        errors.append(off)
        ratios.append(off / stated)
        print(
            f"{seed:4d}  {'found    ' if found.accepted else 'not found'}  error {off:7.3f}  stated {stated:6.3f} px  "
            f"score {found.score:.3f}  unrelated {found.null_level:.3f}  chance {found.figures['chance']:.2g}  "
            f"mirrored {found.mirrored}  {seconds[-1]:.1f} s",
            flush=True,
        )
    print(
        f"{accepted} of {told.seeds} found; error median {np.median(errors):.3f}, worst {np.max(errors):.3f} voxel; "
        f"error over stated, root mean square {np.sqrt(np.mean(np.square(ratios))):.2f}; "
        f"{np.mean(seconds):.1f} s of processors each"
    )


if __name__ == "__main__":
    main()
