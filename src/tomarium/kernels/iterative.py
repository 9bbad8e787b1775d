"""Iterative reconstruction of slices: SIRT, CGLS and total variation, with conditions that end them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tomarium.array import not_negative, zeros_there
from tomarium.kernels.least_squares import Image, Iterate, Problem, Setup, dot, make_problem
from tomarium.kernels.projection import Rays, adjoint, forward
from tomarium.kernels.total_variation import shrink_variation

WEIGHT: Final = 1.6
"""Weight of the total variation, in multiples of the noise of a backprojection; see `default_alpha`."""

RayWeights = Literal["length", "equal"]
"""What each ray counts in `sirt`."""


@dataclass(frozen=True)
class Stop:
    """When to end.

    Attributes
    ----------
    iterations : int
        After that many at the latest.
    change_percent : float
        When a slice changes by less, 100 ‖x - x_before‖ / ‖x‖; 0 for never.
    residual : float
        When the root of the mean square of data less projections falls to it, in attenuation; 0 for never.
    change : float
        When the root mean square change of the field by an iteration is smaller, 1/px; 0 for never.
    patience : int
        When what is watched has not fallen for that many iterations; the slice at its lowest is taken.
    """

    iterations: int
    change_percent: float = 0.0
    residual: float = 0.0
    change: float = 0.0
    patience: int = 5


Reason = Literal["iterations", "change", "residual", "watched"]


@dataclass(frozen=True)
class Solution:
    """A slice and how it was reached.

    Attributes
    ----------
    image : array of float32, shape (y, x)
        The slice in 1/px; 0 outside the field.
    iterations : int
        Iterations behind it.
    residual : float
        Root of the mean square of data less projections, of the views that were fitted.
    reason : Reason
        What ended it.
    """

    image: Image
    iterations: int
    residual: float
    reason: Reason


Method = Callable[[Problem, Image], Iterator[Iterate]]
"""`method(problem, start)` yields iterates: `sirt`, `cgls` or `tv` with their options."""


def solve(
    setup: Setup,
    sinogram: NDArray[np.float32],
    method: Method,
    begin: Callable[[NDArray[np.float32]], Image],
    stop: Stop,
) -> Solution:
    """Iterate until a condition ends it.

    Watched are, by `Setup.stop_by`:

    - "error": the estimated error of the slice. Of the fitted views, ‖A x - y‖² + 2 s² times the divergence of A x
      is an unbiased estimate of the squared error of A x but for a constant (Stein), s being the noise,
      which may differ from column to column. It is weighted by the frequency, as the error of the slice asks, and the
      divergence is measured by a second solution of the data with noise added (Ramani).
    - "held-out": the residual of views that are not fitted, weighted by the frequency; it cannot see noise where views
      are so few that none is near another.

    Parameters
    ----------
    setup : Setup
        The geometry; of one that was moved to a device, the iterations are done there.
    sinogram : array of float32, shape (view, column)
        Attenuation, on the host.
    method : callable
        The method with its options; on a device `cgls`, `tv` or `sirt`.
    begin : callable
        `begin(sinogram)` gives the start.
    stop : Stop
        The conditions.

    Returns
    -------
    Solution
        The last iterate, or that at which what is watched was lowest.

    References
    ----------
    S. Ramani, T. Blu and M. Unser, IEEE Transactions on Image Processing 17, 1540 (2008),
    doi 10.1109/TIP.2008.2001404.
    """
    problem = make_problem(setup, sinogram)
    iterates = method(problem, setup.put(begin(problem.data)))
    watched = _errors(problem, iterates, method, begin) if setup.stop_by == "error" else _plain(iterates)
    before, best_value = next(watched)
    best, at, iterations = before, 0, 0
    reason: Reason = "iterations"
    for iterations, (now, value) in enumerate(watched, start=1):
        if not value >= best_value:
            best, at, best_value = now, iterations, value
        elif iterations - at >= stop.patience:
            reason = "watched"
            break
        if stop.residual > 0 and _rms(now, problem) <= stop.residual:
            best, at, reason = now, iterations, "residual"
            break
        if _changed_little(now.image, before.image, stop, problem):
            best, at, reason = now, iterations, "change"
            break
        if iterations >= stop.iterations:
            break
        before = now
    return Solution(best.image, at, _rms(best, problem), reason)


def _plain(iterates: Iterator[Iterate]) -> Iterator[tuple[Iterate, float]]:
    for now in iterates:
        yield now, now.watched2


def _errors(
    problem: Problem,
    iterates: Iterator[Iterate],
    method: Method,
    begin: Callable[[NDArray[np.float32]], Image],
) -> Iterator[tuple[Iterate, float]]:
    """Yield iterates with their estimated error."""
    noise = noise_of_columns(problem.data)
    if not noise.any():
        yield from _plain(iterates)
        return
    signs = np.random.default_rng(0).integers(0, 2, problem.data.shape).astype(np.float32) * 2 - 1
    added = noise * signs
    noisy_problem = make_problem(problem.setup, problem.data + added, watch=False)
    setup = problem.setup
    back = setup.put(adjoint(setup.rays, added, setup.weights))
    noisy_iterates = method(noisy_problem, setup.put(begin(noisy_problem.data)))
    for now, then in zip(iterates, noisy_iterates, strict=False):
        yield now, now.watched2 + 2 * dot(back, then.image - now.image)


def sirt(
    problem: Problem,
    start: Image,
    *,
    relaxation: float = 1.0,
    non_negative: bool = True,
    weights: RayWeights = "length",
) -> Iterator[Iterate]:
    """Simultaneous iterative reconstruction: x + relaxation C A'R (y - A x), cut at 0.

    C is one over the number of views; R weighs each ray.

    Parameters
    ----------
    problem : Problem
        The slice to be found.
    start : array of float32, shape (y, x)
        Where to start.
    relaxation : float
        Above 0 and below 2.
    non_negative : bool
        Whether values below 0 become 0.
    weights : {"length", "equal"}
        R: one over each ray's length in the field, at least 4 pixels, or one over the longest for all rays. With equal
        weights an iteration is one convolution.

    Yields
    ------
    iterate
        The start, and the slice after each iteration.

    References
    ----------
    J. Gregor and T. Benson, IEEE Transactions on Medical Imaging 27, 918 (2008), doi 10.1109/TMI.2008.923696.
    """
    setup, image = problem.setup, _admit(start, problem, non_negative)
    rate = relaxation / len(setup.used)
    if weights == "equal":
        rate /= setup.diameter
        while True:
            product, watched2 = problem.multiply(image)
            yield problem.iterate(image, product, watched2)
            image = _admit(image + rate * (problem.target - product), problem, non_negative)
    by_length = setup.put(weights_by_length(setup.rays, (setup.host or setup).inside))
    used = setup.put(problem.data[setup.used])
    while True:
        missed = used - setup.forward(image)
        yield Iterate(image, dot(missed, missed), problem.watched(image))
        missed *= by_length
        image = _admit(image + rate * setup.adjoint(missed), problem, non_negative)


def weights_by_length(rays: Rays, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return one over the length of each ray in the field, at least 4 pixels; 0 beside it; shape (view, column).

    Parameters
    ----------
    rays : Rays
        The geometry.
    inside : array of bool, shape (y, x)
        The field.

    Returns
    -------
    array of float32, shape (view, column)
        Weights in 1/px.
    """
    lengths = forward(rays, inside.astype(np.float32))
    return np.where(lengths > 1, 1 / np.maximum(lengths, 4), 0).astype(np.float32)


def cgls(problem: Problem, start: Image) -> Iterator[Iterate]:
    """Conjugate gradients for the least squares of y - A x.

    Parameters
    ----------
    problem : Problem
        The slice to be found.
    start : array of float32, shape (y, x)
        Where to start.

    Yields
    ------
    iterate
        The start, and the slice after each iteration.

    References
    ----------
    M. Hestenes and E. Stiefel, Journal of Research of the National Bureau of Standards 49, 409 (1952), section 10.
    """
    image = _admit(start, problem, False)
    product, watched2 = problem.multiply(image)
    gradient = problem.target - product
    direction, power = gradient, dot(gradient, gradient)
    yield problem.iterate(image, product, watched2)
    while power > 0:
        product = problem.setup.normal.apply(direction)[0] * problem.setup.inside
        length = power / dot(direction, product)
        image = image + length * direction
        gradient = gradient - length * product
        residual2 = problem.norm2 - dot(image, problem.target) - dot(image, gradient)
        yield Iterate(image, residual2, problem.watched(image))
        before, power = power, dot(gradient, gradient)
        direction = gradient + (power / before) * direction


def tv(problem: Problem, start: Image, alpha: float, *, non_negative: bool = True) -> Iterator[Iterate]:
    """Least squares with total variation: ½ ‖y - A x‖² + alpha TV(x), by FISTA with restarts.

    Parameters
    ----------
    problem : Problem
        The slice to be found.
    start : array of float32, shape (y, x)
        Where to start; it changes how long it takes, not where it ends.
    alpha : float
        Weight of the total variation.
    non_negative : bool
        Whether x is held at or above 0.

    Yields
    ------
    iterate
        The start, and the slice after each iteration.

    References
    ----------
    A. Beck and M. Teboulle, IEEE Transactions on Image Processing 18, 2419 (2009), doi 10.1109/TIP.2009.2028250;
    B. O'Donoghue and E. Candès, Foundations of Computational Mathematics 15, 715 (2015), for the restarts.
    """
    setup = problem.setup
    rate = 1 / (len(setup.used) * setup.diameter)
    dual = zeros_there(start, (2, *start.shape))
    image = _admit(start, problem, non_negative)
    product, watched2 = problem.multiply(image)
    yield problem.iterate(image, product, watched2)
    ahead, ahead_product, t = image, product, 1.0
    while True:
        gradient_step = ahead + rate * (problem.target - ahead_product)
        shrunk = shrink_variation(gradient_step, alpha * rate, dual, setup.inside, non_negative)
        made_product, watched2 = problem.multiply(shrunk)
        yield problem.iterate(shrunk, made_product, watched2)
        if dot(ahead - shrunk, shrunk - image) > 0:  # it swings over: begin anew
            t = 1.0
        t, before = (1 + sqrt(1 + 4 * t * t)) / 2, t
        far = (before - 1) / t
        ahead, ahead_product = shrunk + far * (shrunk - image), made_product + far * (made_product - product)
        image, product = shrunk, made_product


def noise_of(sinogram: NDArray[np.float32]) -> float:
    """Estimate the standard deviation of the noise of a sinogram, shape (view, column).

    The median of the second differences along the columns, in which smooth projections cancel; noise that a filter
    has smoothed comes out too small.

    Parameters
    ----------
    sinogram : array of float32, shape (view, column)
        Attenuation.

    Returns
    -------
    float
        Standard deviation, in attenuation.
    """
    if sinogram.shape[1] < 3:
        return 0.0
    second = sinogram[:, 2:] - 2 * sinogram[:, 1:-1] + sinogram[:, :-2]
    return float(1.4826 * np.median(np.abs(second)) / sqrt(6))


def noise_of_columns(sinogram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Estimate the standard deviation of the noise in each column, shape (column,), as `noise_of` does.

    Of 19 columns together: behind more of a sample there is more noise.

    Parameters
    ----------
    sinogram : array of float32, shape (view, column)
        Attenuation.

    Returns
    -------
    array of float32, shape (column,)
        Standard deviations, in attenuation.
    """
    count = sinogram.shape[1]
    result = np.zeros(count, np.float32)
    for first in range(0, count, 8):
        left = max(0, min(first - 5, count - 19))
        result[first : first + 8] = noise_of(sinogram[:, left : left + 19])
    return result


def default_alpha(sinogram: NDArray[np.float32]) -> float:
    """Return the weight of the total variation that suits the noise of a sinogram, shape (view, column).

    Noise of standard deviation s in K views gives its backprojection one of s sqrt(K), which the total variation has
    to outweigh.

    Parameters
    ----------
    sinogram : array of float32, shape (view, column)
        Attenuation.

    Returns
    -------
    float
        Weight for `tv`.
    """
    return WEIGHT * noise_of(sinogram) * sqrt(len(sinogram))


def _admit(image: Any, problem: Problem, non_negative: bool) -> Any:
    inside = image * problem.setup.inside
    return not_negative(inside) if non_negative else inside


def _rms(iterate: Iterate, problem: Problem) -> float:
    return sqrt(max(iterate.residual2, 0.0) / (len(problem.setup.used) * problem.data.shape[1]))


def _changed_little(now: Image, before: Image, stop: Stop, problem: Problem) -> bool:
    """Tell whether an iteration has changed a slice by less than one of the conditions allows."""
    if not (stop.change_percent > 0 or stop.change > 0):
        return False
    difference = now - before
    change = sqrt(dot(difference, difference))
    percent = 100 * change / sqrt(max(dot(now, now), 1e-30))
    return percent < stop.change_percent or change < stop.change * sqrt(problem.setup.pixels)
