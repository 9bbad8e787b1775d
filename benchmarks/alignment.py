"""Lay images of simulated rocks on each other whose pose is known, and print how well it goes.

    python benchmarks/alignment.py section --edge 128 --seeds 6
    python benchmarks/alignment.py section --edge 48 --seeds 60 --null
    python benchmarks/alignment.py volume --edge 128 --seeds 2
    python benchmarks/alignment.py flat --edge 128 --seeds 6 --mirrored
    python benchmarks/alignment.py section --edge 64 --seeds 6 --wrong-size 5
    python benchmarks/alignment.py flat --edge 64 --seeds 100 --first 1000 --near-truth

section: a noisy map of silicon (25 counts a pixel) in a CT volume whose contrast is the other way round; volume: two
volumes, of X-rays and of neutrons; flat: two maps of one plane. Turns up to 25° and shifts up to 15 of 128 voxels; the
first image has noise of 0.08 of the contrast. `--null`: the second image is of another rock, and none may be accepted.
`--wrong-size 5`: the second image's true pixel is 5 % larger than stated, and the factor is looked for. `--near-truth`
begins 0.3 voxel beside the truth without a search, for many seeds. Coverage is the share of coordinates of points that
lie within one standard deviation of the truth, 0.68 where that is right; χ² is that of the whole covariance over
its freedoms, 1 to 1.25 for so few blocks. Times are of the processors, all threads together.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.alignment.refine import mapped, refine, small_motion
from tomarium.kernels.alignment.rotations import cross, vector_of
from tomarium.specimen.align import align, estimate_certainty
from tomarium.specimen.alignment import FREEDOMS
from tomarium.specimen.image import Image, image_of_array
from tomarium.specimen.pose_search import FINEST_POINTS, levels_of
from tomarium.synth.rock import image, pose_about, rock

EDGE_M = 1e-3
KINDS = {"section": (1, 0.75), "volume": (3, 0.75), "flat": (2, 0.75)}


def images(
    kind: str,
    edge: int,
    seed: int,
    *,
    null: bool,
    mirrored: bool,
    turn_deg: float,
    coarseness: float,
    factor: float = 1.0,
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
    own = np.diag([-factor if mirrored else factor, factor, factor, 1])
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


def near_truth(
    fixed: Image, moving: Image, truth: NDArray[np.float64], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], tuple[int, ...], float]:
    """Refine a pose that begins beside the truth: matrix, covariance, centre, freedoms, and the error stated, m."""
    levels = levels_of(fixed, moving)
    start = truth.copy()
    start[:3, 3] /= levels.unit_m
    pair = levels.pair(1.0, most=FINEST_POINTS)
    draw = np.random.default_rng(seed)
    step = np.concatenate([draw.normal(0, 0.3 / pair.radius, 3), draw.normal(0, 0.3, 3)])[
        list(levels.freedoms)
    ]
    centre = mapped(start, pair.points).mean(axis=0)
    fit = refine(pair, small_motion(step, levels.freedoms, centre) @ start, levels.freedoms, rounds=40)
    known = estimate_certainty(pair, fit, levels.freedoms, levels.kind)
    unit = np.array([1.0, 1.0, 1.0, levels.unit_m, levels.unit_m, levels.unit_m])
    matrix = fit.matrix.copy()
    matrix[:3, 3] *= levels.unit_m
    return (
        matrix,
        known.covariance * np.outer(unit, unit),
        known.centre * levels.unit_m,
        levels.freedoms,
        known.spread * levels.unit_m,
    )


def covered(
    moving: Image,
    matrix: NDArray[np.float64],
    truth: NDArray[np.float64],
    covariance: NDArray[np.float64],
    centre: NDArray[np.float64],
    freedoms: tuple[int, ...],
) -> tuple[float, float]:
    """Return the share of coordinates within one standard deviation, and χ² over the number of freedoms."""
    off = matrix @ np.linalg.inv(truth)
    off[:3, :3] /= np.abs(np.linalg.det(off[:3, :3])) ** (1 / 3)
    moved = (matrix @ np.linalg.inv(truth) @ [*centre, 1])[:3] - centre
    step = np.concatenate([vector_of(off[:3, :3]), moved])
    free = list(freedoms)
    chi = step[free] @ np.linalg.solve(covariance[np.ix_(free, free)], step[free]) / len(free)
    z, y, x = moving.array.shape
    places = [np.linspace(0, n - 1, 5) if n > 1 else np.zeros(1) for n in (x, y, z)]
    points = np.stack(np.meshgrid(*places), axis=-1).reshape(-1, 3) * np.array(moving.voxel_m[::-1])
    inside = []
    for point in points @ truth[:3, :3].T + truth[:3, 3]:
        moves = np.concatenate([-cross(point - centre), np.eye(3)], axis=1)
        spread = np.sqrt(np.diag(moves @ covariance @ moves.T))
        known = spread > 1e-9 * spread.max()
        inside += list(np.abs(moves @ step)[known] < spread[known])
    return float(np.mean(inside)), float(chi)


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
    parser.add_argument(
        "--wrong-size", type=float, default=0.0, metavar="PERCENT", help="of the second pixel"
    )
    parser.add_argument("--near-truth", action="store_true", help="begin beside the truth, without a search")
    told = parser.parse_args()
    errors, ratios, seconds, accepted, mirrored = [], [], [], 0, 0
    shares, chis, factors = [], [], []
    factor = 1 + told.wrong_size / 100
    for seed in range(told.first, told.first + told.seeds):
        fixed, moving, truth = images(
            told.kind,
            told.edge,
            seed,
            null=told.null,
            mirrored=told.mirrored,
            turn_deg=told.turn,
            coarseness=told.coarseness,
            factor=factor,
        )
        before = time.process_time()
        if told.near_truth:
            matrix, covariance, centre, freedoms, stated_m = near_truth(fixed, moving, truth, seed)
            seconds.append(time.process_time() - before)
            errors.append(error(moving, matrix, truth) / fixed.voxel_m[0])
            ratios.append(errors[-1] * fixed.voxel_m[0] / stated_m)
            share, chi = covered(moving, matrix, truth, covariance, centre, freedoms)
            shares.append(share)
            chis.append(chi)
            continue
        found = align(fixed, moving, search=told.search, scale=factor != 1)
        seconds.append(time.process_time() - before)
        accepted += found.accepted
        mirrored += found.mirrored
        if factor != 1:
            factors.append((found.scale / factor - 1) / found.figures["scale_sigma"])
        if found.accepted and not told.null and factor == 1:
            free = tuple(FREEDOMS.index(one) for one in found.freedoms)
            share, chi = covered(moving, found.matrix, truth, found.covariance, found.centre_m, free)
            shares.append(share)
            chis.append(chi)
        off, stated = error(moving, found.matrix, truth) / fixed.voxel_m[0], found.tre_m / fixed.voxel_m[0]
        errors.append(off)
        ratios.append(off / stated)
        print(
            f"{seed:4d}  {'found    ' if found.accepted else 'not found'}  error {off:7.3f}  stated {stated:6.3f} px  "
            f"score {found.score:.3f}  unrelated {found.null_level:.3f}  chance {found.figures['chance']:.2g}  "
            f"mirrored {found.mirrored}  scale {found.scale:.4f}  {seconds[-1]:.1f} s",
            flush=True,
        )
    if shares:
        print(f"coverage {np.mean(shares):.3f}, χ² over freedoms {np.mean(chis):.2f}, of {len(shares)} poses")
    if factors:
        print(f"factor: error over stated, root mean square {np.sqrt(np.mean(np.square(factors))):.2f}")
    print(
        f"{f'{accepted} found, {mirrored} mirrored' if not told.near_truth else 'refined'} of {told.seeds}; "
        f"error median {np.median(errors):.3f}, worst {np.max(errors):.3f} voxel; "
        f"error over stated, root mean square {np.sqrt(np.mean(np.square(ratios))):.2f}; "
        f"{np.mean(seconds):.1f} s of processors each"
    )


if __name__ == "__main__":
    main()
