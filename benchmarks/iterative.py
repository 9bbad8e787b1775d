"""Iterative steps against analytic truth beside fbp: prints a table, and draws docs/pictures/iterative.png.

A simulated stem, 256 pixels wide, with noise in parts of the highest attenuation. Errors are root mean squares in the
field, in parts of the body's attenuation; times are of one core.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import tomarium as tm
from tomarium.kernels.iterative import Method, Stop, cgls, default_alpha, sirt, solve, tv
from tomarium.kernels.least_squares import StopBy, make_setup
from tomarium.kernels.ordered_subsets import em, sart
from tomarium.kernels.phantom import line_integrals, pixel_coordinates, voxelise
from tomarium.synth.specimen import specimen

Array = NDArray[np.float32]
PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "iterative.png"
N, SUBRAYS = 256, 4
MIDDLE = (N - 1) / 2
CASES = ((60, 180.0, 0.02), (60, 180.0, 0.005), (180, 180.0, 0.05), (80, 120.0, 0.01), (400, 180.0, 0.005))


def scan(views: int, span: float, noise: float, seed: int) -> tuple[Array, NDArray[np.float64], Array]:
    """A sinogram of pixel averages with noise, its angles, and the slice."""
    stem = specimen(0.95 * N, 8, seed)
    angles = np.arange(views) * span / views
    fine = line_integrals(stem, angles, np.zeros(1), pixel_coordinates(N, MIDDLE, SUBRAYS))[:, 0]
    exact = fine.reshape(views, N, SUBRAYS).mean(axis=2)
    noisy = exact + np.random.default_rng(seed).normal(0, noise * exact.max(), exact.shape)
    place = np.arange(N) - MIDDLE
    return noisy.astype(np.float32), angles, voxelise(stem, np.zeros(1), place, place)[0, ::-1]


def zero(sinogram: Array) -> Array:
    """A slice of zeros."""
    return np.zeros((N, N), np.float32)


def iterative(
    method: Method, stop: Stop, stop_by: StopBy, sinogram: Array, angles: Array
) -> tuple[Array, int]:
    """Reconstruct one slice; the iterations too."""
    found = solve(make_setup(angles, MIDDLE, N, stop_by), sinogram, method, zero, stop)
    return found.image, found.iterations


def filtered(window: str, sinogram: Array, angles: Array) -> tuple[Array, int]:
    """Reconstruct one slice by filtered backprojection."""
    return tm.fbp(sinogram, angles, MIDDLE, window=window, threads=1), 0


METHODS = {
    "fbp": partial(filtered, "shepp-logan"),
    "fbp, hann": partial(filtered, "hann"),
    "cgls": partial(iterative, cgls, Stop(50, patience=3), "error"),
    "sirt": partial(iterative, sirt, Stop(400), "error"),
    "sirt, equal": partial(iterative, partial(sirt, weights="equal"), Stop(400), "error"),
    "sart": partial(iterative, sart, Stop(60), "error"),
    "mlem": partial(iterative, em, Stop(200), "error"),
    "osem": partial(iterative, partial(em, subsets=8), Stop(40), "error"),
    "tv": partial(
        iterative, lambda problem, image: tv(problem, image, default_alpha(problem.data)),
        Stop(300, change_percent=0.1), "iterations",
    ),
}  # fmt: skip


def row(name: str, case: tuple[int, float, float], seeds: int) -> str:
    """One line of the table: error, iterations and seconds, each the mean over the seeds."""
    errors, counts, seconds = [], [], []
    for seed in range(seeds):
        sinogram, angles, truth = scan(*case, seed)
        inside = np.hypot(*np.meshgrid(np.arange(N) - MIDDLE, np.arange(N) - MIDDLE)) < N / 2
        began = time.process_time()
        image, iterations = METHODS[name](sinogram, angles)
        seconds.append(time.process_time() - began)
        errors.append(np.sqrt(np.mean((image - truth)[inside] ** 2)) / np.median(truth[truth > 0]))
        counts.append(iterations)
    return f"| {name} | {np.mean(errors):.3f} | {np.mean(counts):.0f} | {np.mean(seconds):.2f} |"


def draw(path: Path) -> None:
    """Draw truth, fbp, sirt and tv of 60 views with 2 % noise, side by side."""
    sinogram, angles, truth = scan(60, 180.0, 0.02, 0)
    panels = [truth, *(METHODS[name](sinogram, angles)[0] for name in ("fbp", "sirt", "tv"))]
    high = float(np.percentile(truth, 99.5))
    grey = np.clip((np.concatenate(panels, axis=1) + 0.15 * high) / (1.15 * high), 0, 1)
    Image.fromarray((255 * grey).astype(np.uint8)).save(path, optimize=True)


def main() -> None:
    """Print the table and draw the picture."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--picture", type=Path, default=PICTURE)
    given = options.parse_args()
    draw(given.picture)
    for views, span, noise in CASES:
        print(f"\n{views} views over {span:g}°, {100 * noise:g} % noise\n")
        print("| step | error | iterations | seconds |\n|---|---|---|---|")
        for name in METHODS:
            print(row(name, (views, span, noise), given.seeds), flush=True)


if __name__ == "__main__":
    main()
