"""Carry the map of a simulated rock's phases into its volume, and print how true it is.

    python benchmarks/fuse.py --edge 64 --seeds 5
    python benchmarks/fuse.py --edge 64 --seeds 5 --next
    python benchmarks/fuse.py --edge 48 --seeds 20 --null

A CT volume with noise of 0.08 of the contrast, and a map of phases on a tilted plane of 0.75 of its width. The map is
carried with the pose that it truly has, and with one that `align` finds between the volume and a noisy map of silicon
of the same plane (25 counts a pixel; the search is near, turns up to 15°). `held out` is what the report says; `volume`
is the truth over voxels of all the volume. `--next`: a second map is added where the report proposes one, and on planes
drawn at random. `--null`: the map is of another rock. Times are of the processors, all threads together.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Axis, Volume
from tomarium.pipeline.segment.slabs import Smoothed
from tomarium.specimen.align import align
from tomarium.specimen.fusion import features
from tomarium.specimen.fusion.class_map import ClassMap, class_map, samples_of
from tomarium.specimen.fusion.classifier import learn
from tomarium.specimen.fusion.coverage import sections_to_add, space_of
from tomarium.specimen.fusion.judgement import calibration_error, judge
from tomarium.specimen.image import image_of_array
from tomarium.specimen.pose import Pose
from tomarium.synth.rock import Rock, image, labels, pose_about, rock

EDGE_M = 1e-3
MIDDLE = np.full(3, EDGE_M / 2)
Matrix = NDArray[np.float64]


class Case:
    """A rock, its CT volume, and the features of all voxels."""

    def __init__(self, edge: int, seed: int) -> None:
        self.edge, self.voxel, self.size = edge, EDGE_M / edge, round(0.75 * edge)
        self.draw = np.random.default_rng(seed)
        self.rock = rock(EDGE_M, seed)
        grey = image(self.rock, (edge,) * 3, (self.voxel,) * 3) + self.draw.normal(0, 0.08, (edge,) * 3)
        axes = tuple(Axis(name, self.voxel, self.voxel / 2, "m") for name in "zyx")
        self.volume = Volume(grey.astype(np.float32), axes)
        self.source = Smoothed(self.volume, 0.0)
        self.truth = labels(self.rock, (edge,) * 3, (self.voxel,) * 3) + 1
        chosen = np.sort(self.draw.choice(edge**3, min(edge**3, 30_000), replace=False))
        self.places = np.stack(np.unravel_index(chosen, (edge,) * 3), axis=1)
        self.features = features.described(grey.astype(np.float32))[tuple(self.places.T)]

    def plane(self, turn: Matrix) -> Matrix:
        """Return the matrix of a map whose middle lies in that of the rock, then turned and shifted."""
        own = np.eye(4)
        own[:3, 3] = MIDDLE - np.array([self.size - 1, self.size - 1, 0]) / 2 * self.voxel
        return turn @ own

    def map(self, seen: Rock, matrix: Matrix, pose: Pose) -> ClassMap:
        """Draw the map of phases on a plane, to be carried by a pose."""
        phases = labels(seen, (1, self.size, self.size), (self.voxel,) * 3, matrix)[0] + 1
        return class_map(image_of_array(phases, self.voxel), pose)

    def told(self, *maps: ClassMap) -> dict[str, float]:
        """Learn from maps; tell how well that is said to be, and how well it is."""
        before = time.process_time()
        samples = samples_of(maps, self.volume)
        of_samples = features.at_places(self.source, samples.places, lambda *_told: None)
        learned = learn(of_samples, samples, lambda *_told: None)
        judged = judge(learned, samples)
        probabilities = learned.probabilities(self.features)
        right = np.searchsorted(learned.phases, self.truth[tuple(self.places.T)])
        self.space = space_of(of_samples, samples, learned.held_out.folds)
        self.doubt = 1 - probabilities.max(axis=1)
        return {
            "held out": judged.accuracy,
            "its error": judged.calibration_error,
            "balanced": judged.balanced_interval[0],
            "chance": judged.balanced_chance,
            "above": judged.above_chance,
            "volume": float((probabilities.argmax(axis=1) == right).mean()),
            "error": calibration_error(probabilities, right)[0],
            "seconds": time.process_time() - before,
        }


def exact(matrix: Matrix) -> Pose:
    """Return a pose that is known exactly."""
    return Pose(matrix, np.zeros((6, 6)), MIDDLE)


def by_alignment(case: Case, truth: Matrix) -> tuple[Pose, float, bool]:
    """Find the pose of a map of silicon; return it, its error in voxels, and whether it was accepted."""
    silicon = image(case.rock, (1, case.size, case.size), (case.voxel,) * 3, truth, signal="si")
    counts = image_of_array(case.draw.poisson(25 * silicon[0]), case.voxel)
    fixed = image_of_array(np.asarray(case.volume[...]), case.voxel, (case.voxel / 2,) * 3)
    found = align(fixed, counts, search="near")
    corners = np.array([[x, y, 0, 1] for x in (0, 1) for y in (0, 1)]) * (case.size - 1) * case.voxel
    corners[:, 3] = 1
    off = np.linalg.norm(corners @ (found.matrix - truth).T, axis=1).mean() / case.voxel
    spread = np.nan_to_num(found.covariance)
    return Pose(found.matrix, spread, found.centre_m), float(off), found.accepted


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edge", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--null", action="store_true")
    parser.add_argument("--next", action="store_true")
    parser.add_argument("--planes", type=int, default=4, help="of --next, drawn at random")
    given = parser.parse_args()
    rows: list[list[float]] = []
    for seed in range(given.first, given.first + given.seeds):
        case = Case(given.edge, seed)
        axis = case.draw.normal(size=3)
        turn = axis / np.linalg.norm(axis) * case.draw.uniform(-15, 15)
        matrix = case.plane(pose_about(MIDDLE, turn, case.draw.uniform(-0.04, 0.04, 3) * EDGE_M))
        if given.null:
            one = case.told(case.map(rock(EDGE_M, seed + 100_000), matrix, exact(matrix)))
            rows.append([float(one["above"])])
            print(f"{seed:4d}  balanced from {one['balanced']:.3f}, chance {one['chance']:.3f}", flush=True)
            continue
        true = case.told(case.map(case.rock, matrix, exact(matrix)))
        if given.next:
            rows.append(_next(case, matrix, true, given.planes))
            print(f"{seed:4d}  " + "  ".join(f"{value:.4f}" for value in rows[-1]), flush=True)
            continue
        pose, off, accepted = by_alignment(case, matrix)
        found = case.told(case.map(case.rock, matrix, pose))
        rows.append([
            true["held out"], found["held out"], true["volume"], found["volume"],
            true["its error"], found["its error"], true["error"], found["error"],
        ])  # fmt: skip
        print(
            f"{seed:4d}  pose off {off:.2f} voxel{'' if accepted else ' (not accepted)'}  true pose: held out "
            f"{true['held out']:.4f}, volume {true['volume']:.4f}, calibration {true['its error']:.3f} and "
            f"{true['error']:.3f}  found: {found['held out']:.4f}, {found['volume']:.4f}, {found['its error']:.3f} and "
            f"{found['error']:.3f}  {true['seconds']:.1f} s",
            flush=True,
        )
    table = np.array(rows)
    if given.null:
        print(f"{int(table.sum())} of {len(table)} maps of another rock were taken for true")
    elif given.next:
        mean = table.mean(axis=0)
        print(
            f"one map {mean[0]:.4f}; with the plane proposed {mean[1]:.4f}; with one drawn {mean[2]:.4f} right"
        )
    else:
        mean, worst = table.mean(axis=0), table.max(axis=0)
        print(
            f"found less true pose, mean: held out {mean[1] - mean[0]:+.4f}, volume {mean[3] - mean[2]:+.4f}; "
            f"calibration error mean: held out {mean[5]:.4f}, volume {mean[7]:.4f} (worst {worst[7]:.4f})"
        )


def _next(case: Case, first: Matrix, alone: dict[str, float], planes: int) -> list[float]:
    """Return what is right with one map, with one where a second is proposed, and with planes drawn at random."""
    own = case.map(case.rock, first, exact(first))
    places = (case.places[:, ::-1] + 0.5) * case.voxel
    proposed = sections_to_add(case.space, case.space.points(case.features), places, case.doubt)[0]
    best = _across(case, np.array(proposed.normal), np.array(proposed.through_m))
    drawn = []
    for _ in range(planes):
        normal = case.draw.normal(size=3)
        middle = MIDDLE + case.draw.uniform(-0.4, 0.4) * EDGE_M * normal / np.linalg.norm(normal)
        drawn.append(_across(case, normal / np.linalg.norm(normal), middle))
    right = [case.told(own, case.map(case.rock, one, exact(one)))["volume"] for one in (best, *drawn)]
    return [alone["volume"], right[0], float(np.mean(right[1:]))]


def _across(case: Case, normal: Matrix, through: Matrix) -> Matrix:
    """Return the matrix of a map across a direction, its middle at a point."""
    along = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    along /= np.linalg.norm(along)
    matrix = np.eye(4)
    matrix[:3, :3] = np.column_stack([along, np.cross(normal, along), normal])
    matrix[:3, 3] = through - matrix[:3, :2] @ np.full(2, (case.size - 1) / 2 * case.voxel)
    return matrix


if __name__ == "__main__":
    main()
