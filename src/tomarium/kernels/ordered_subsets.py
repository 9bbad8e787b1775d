"""Iterative reconstruction in subsets of the views: SART, expectation maximisation, and both in ordered subsets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tomarium.kernels.iterative import weights_by_length
from tomarium.kernels.least_squares import Image, Iterate, Problem, Setup
from tomarium.kernels.projection import Rays, adjoint, forward, make_rays

GOLDEN: Final = 0.6180339887498949

DARKEST: Final = 1e-3
"""Part of the largest projection below which a ray tells nothing in `em`: what passes beside the slice."""


@dataclass(frozen=True, eq=False)
class Subset:
    """Some of the views that are fitted.

    Attributes
    ----------
    views : array of int
        Which of the sinogram's.
    rays : Rays
        Their geometry.
    weights : array of float32, shape (view, column)
        One over the length of each ray in the field, at least 4 pixels; 0 beside it.
    """

    views: NDArray[np.intp]
    rays: Rays
    weights: NDArray[np.float32]


def sart(
    problem: Problem,
    start: Image,
    *,
    subsets: int = 10,
    relaxation: float = 1.0,
    non_negative: bool = True,
) -> Iterator[Iterate]:
    """Simultaneous algebraic reconstruction: `sirt` with a correction after each subset of the views.

    x + relaxation A'R (y - A x) / views, of one subset after the other, cut at 0.

    Parameters
    ----------
    problem : Problem
        The slice to be found.
    start : array of float32, shape (y, x)
        Where to start.
    subsets : int
        How many, at most one for each view.
    relaxation : float
        Above 0 and below 2.
    non_negative : bool
        Whether values below 0 become 0.

    Yields
    ------
    iterate
        The start, and the slice each time after all subsets.

    References
    ----------
    A. Andersen and A. Kak, Ultrasonic Imaging 6, 81 (1984), doi 10.1177/016173468400600107; M. Jiang and G. Wang, IEEE
    Transactions on Image Processing 12, 957 (2003), doi 10.1109/TIP.2003.815295, for subsets of several views.
    """
    inside, least = problem.setup.inside, np.float32(0 if non_negative else -np.inf)
    image = np.maximum(start * inside, least).astype(np.float32)
    yield _iterate(problem, image)
    while True:
        for subset in make_subsets(problem.setup, subsets):
            missed = problem.data[subset.views] - forward(subset.rays, image)
            missed *= subset.weights
            rate = np.float32(relaxation / len(subset.views))
            image = np.maximum(image + rate * adjoint(subset.rays, missed) * inside, least)
        yield _iterate(problem, image)


def em(problem: Problem, start: Image, *, subsets: int = 1) -> Iterator[Iterate]:
    """Maximise the likelihood of emission by expectation maximisation: x · A'(y / A x) / A'1.

    Data below 0 count as 0, and the slice is never below it. The field is seen by all views, so A'1 is their number.

    Parameters
    ----------
    problem : Problem
        The slice to be found.
    start : array of float32, shape (y, x)
        Where to start. Where it is 0 or below, the mean slice is taken, for 0 would stay.
    subsets : int
        How many, at most one for each view; 1 is the plain algorithm, more need fewer iterations.

    Yields
    ------
    iterate
        The start, and the slice each time after all subsets.

    References
    ----------
    L. Shepp and Y. Vardi, IEEE Transactions on Medical Imaging 1, 113 (1982), doi 10.1109/TMI.1982.4307558;
    H. Hudson and R. Larkin, IEEE Transactions on Medical Imaging 13, 601 (1994), doi 10.1109/42.363108.
    """
    setup = problem.setup
    data = np.maximum(problem.data, 0)
    mass = float(data[setup.used].sum(axis=1, dtype=np.float64).mean())
    mean = np.float32(max(mass, 0.0) / max(int(setup.inside.sum()), 1))
    image = np.where(start > 0, start, mean).astype(np.float32) * setup.inside
    yield _iterate(problem, image)
    while True:
        for subset in make_subsets(setup, subsets):
            projected = forward(subset.rays, image)
            least = np.float32(max(DARKEST * float(projected.max()), 1e-30))
            ratio = np.where(
                projected > least, data[subset.views] / np.maximum(projected, least), np.float32(1)
            )
            back = adjoint(subset.rays, ratio) / np.float32(len(subset.views))
            image = image * np.maximum(back, 0) * setup.inside
        yield _iterate(problem, image)


@lru_cache(maxsize=2)
def make_subsets(setup: Setup, count: int) -> tuple[Subset, ...]:
    """Divide the views that are fitted, each subset spread over all angles, neighbours in time far apart in angle.

    Parameters
    ----------
    setup : Setup
        The geometry.
    count : int
        Subsets; one for each view where there are fewer views.

    Returns
    -------
    tuple of Subset
        In the order in which they are used.
    """
    angles = setup.angles_deg[setup.used]
    order = setup.used[np.argsort(angles % 180.0, kind="stable")]
    count = min(count, len(order))
    step = next(n for n in range(max(1, round(GOLDEN * count)), 2 * count) if gcd(n, count) == 1)
    subsets = []
    for number in (step * k % count for k in range(count)):
        views = order[number::count]
        rays = make_rays(setup.angles_deg[views], setup.axis_column, setup.rays.columns, setup.rays.size)
        subsets.append(Subset(views, rays, weights_by_length(rays, setup.inside)))
    return tuple(subsets)


def _iterate(problem: Problem, image: Image) -> Iterate:
    product, watched2 = problem.multiply(image)
    return problem.iterate(image, product, watched2)
