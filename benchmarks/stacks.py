"""How exactly drifted slices are laid on each other, and how much of curtains is taken: simulated rocks with truth.

    python benchmarks/stacks.py

Beside it what is usually done: shifts of neighbours by scikit-image's phase cross-correlation, added up; and curtains
by wavelets and Fourier filters (Münch 2009), at the setting of nine that is best for each image.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.alignment.section_path import slow_part
from tomarium.kernels.curtains import remove_curtains
from tomarium.kernels.stripe_wavelets import remove_stripes_by_wavelets
from tomarium.pipeline.align_slices.align import align_slices
from tomarium.pipeline.align_slices.slice_series import SliceSeries
from tomarium.synth.slices import simulated_slices

SEEDS = 8
COUNT = 40
SHAPE = (256, 256)


def root(values: NDArray[np.floating]) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def usual(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Shifts of neighbours added up."""
    from skimage.registration import phase_cross_correlation

    steps = [-phase_cross_correlation(one, other, upsample_factor=50)[0] for one, other in pairwise(images)]
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    return path - path.mean(axis=0)


def drift(noise: float, curtains: float) -> None:
    """Print the error of what was undone, ours and the usual way, both of the same waves."""
    table = []
    for seed in range(SEEDS):
        made = simulated_slices(COUNT, SHAPE, seed, noise=noise, curtains=curtains)
        images = made.images
        series = SliceSeries(
            lambda number, images=images: images[number], COUNT, *SHAPE, images.dtype, Path("fib"), "fib"
        )
        began = time.process_time()
        found = align_slices(series, pixel_m=5e-9, slice_m=5e-9, levels="none")
        took = time.process_time() - began
        length = found.slow_slices or 0
        truth = made.shifts - slow_part(made.shifts, length)
        ours = np.array([[row["row_px"], row["column_px"]] for row in found.rows])
        began = time.process_time()
        theirs = usual(images)
        peer_took = time.process_time() - began
        peer = theirs - slow_part(theirs, length)
        table.append(
            [root(truth), root(ours - truth), found.error_px, root(peer - truth), length, took, peer_took]
        )
    median, worst = np.median(table, axis=0), np.max(table, axis=0)
    print(
        f"noise {noise:g}, curtains {curtains:g}: drift {median[0]:.2f} px; left {median[1]:.3f}, worst "
        f"{worst[1]:.3f}, "
        f"told {median[2]:.3f}; scikit-image {median[3]:.3f}, worst {worst[3]:.3f}; faster than {median[4]:.0f} "
        f"slices; "
        f"{median[5]:.1f} s and {median[6]:.1f} s of a processor"
    )


def stripes(noise: float, strength: float) -> None:
    """Print how much of curtains is left, and what a slice without any loses."""
    table = []
    for seed in range(SEEDS):
        made = simulated_slices(
            1, (384, 384), seed, grain_px=8.0, noise=noise, curtains=strength, jitter_px=0.0
        )
        clean, seen = made.images[0] - made.curtains[0], made.images[0]
        ours, told = remove_curtains(seen)
        harm = root(remove_curtains(clean)[0] - clean)
        best = min(
            root(remove_stripes_by_wavelets(seen[:, None], levels, cycles=cycles)[:, 0] - clean)
            for levels in (2, 3, 4)
            for cycles in (0.5, 1, 2)
        )
        table.append([root(made.curtains), root(ours - clean), told, harm, best])
    median = np.median(table, axis=0)
    print(
        f"noise {noise:g}: curtains {median[0]:.3f}; left {median[1]:.3f}, wavelets {median[4]:.3f}; harm told "
        f"{median[2]:.3f}; of a slice without curtains {median[3]:.3f} is lost"
    )


def main() -> None:
    """Print all tables."""
    for noise, curtains in ((0.1, 0.0), (0.4, 0.0), (1.0, 0.0), (0.2, 0.4)):
        drift(noise, curtains)
    for noise, strength in ((0.05, 0.3), (0.2, 0.3), (0.05, 0.9), (0.2, 0.9)):
        stripes(noise, strength)


if __name__ == "__main__":
    main()
