"""Counts of several channels sorted into classes by a mixture of Poisson distributions.

Symbols: x counts (pixel, channel), λ means (class, channel), w shares (class,), r probabilities (pixel, class), φ how
many times more the counts vary than by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

STARTS: Final = 6
ROUNDS: Final = 300
MOST_FITTED: Final = 20_000
"""Pixels that the mixture is fitted to; drawn evenly where there are more."""
_LEAST_MEAN: Final = 1e-3
_TOLERANCE: Final = 1e-7

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mixture:
    """What was fitted.

    Attributes
    ----------
    means : array of float64, shape (class, channel)
        λ, counts; the classes ascend in the first channel.
    shares : array of float64, shape (class,)
        w, of the pixels.
    dispersion : float
        φ: mean of (x - λ)² / λ over what is fitted, each pixel with the class it most likely is of; 1 by chance.
    """

    means: Array
    shares: Array
    dispersion: float


def fit_mixture(counts: Array, classes: int, seed: int = 0) -> Mixture:
    """Fit a mixture of Poisson distributions to counts.

    1. From `STARTS` starts, drawn as by k-means++ on √x, EM: r ∝ w ∏ λ^x e^-λ; w and λ are the means by r.
    2. That of the greatest likelihood is taken.
    3. φ is the dispersion of Pearson (McCullagh & Nelder, Generalized Linear Models, 1989, eq. 4.23).

    Parameters
    ----------
    counts : array, shape (pixel, channel)
        x, not negative.
    classes : int
        How many, from 2.
    seed : int
        Of the draws; the same gives the same.

    Returns
    -------
    Mixture
        Classes that have no pixels left are left in, with a share of 0.
    """
    draw = np.random.default_rng(seed)
    x = np.asarray(counts, np.float64)
    if len(x) > MOST_FITTED:
        x = x[draw.choice(len(x), MOST_FITTED, replace=False)]
    fits = [_fit(x, _start(x, classes, draw)) for _ in range(STARTS)]
    _, means, shares = max(fits, key=lambda fit: fit[0])
    order = np.lexsort(means.T[::-1])
    means, shares = means[order], shares[order]
    own = means[np.argmax(_log_likelihood(x, means, shares), axis=1)]
    freedoms = max(1, x.size - means.size)
    return Mixture(means, shares, float((((x - own) ** 2) / own).sum() / freedoms))


def probabilities(counts: Array, mixture: Mixture) -> Array:
    """Tell how likely pixels are of each class: r ∝ w (∏ λ^x e^-λ)^(1/φ), with φ of 1 at least.

    The power makes what varies more than by chance less sure (quasi-likelihood).

    Parameters
    ----------
    counts : array, shape (pixel, channel)
        x.
    mixture : Mixture
        As fitted.

    Returns
    -------
    array of float64, shape (pixel, class)
        Rows add up to 1.
    """
    x = np.asarray(counts, np.float64)
    return _normal(_log_likelihood(x, mixture.means, mixture.shares, max(1.0, mixture.dispersion)))[0]


def _start(x: Array, classes: int, draw: np.random.Generator) -> Array:
    root = np.sqrt(x)
    chosen = [root[draw.integers(len(root))]]
    away = ((root - chosen[0]) ** 2).sum(axis=1)
    for _ in range(classes - 1):
        total = away.sum()
        pick = draw.choice(len(root), p=away / total) if total > 0 else draw.integers(len(root))
        chosen.append(root[pick])
        away = np.minimum(away, ((root - chosen[-1]) ** 2).sum(axis=1))
    return np.asarray(np.maximum(np.array(chosen) ** 2, _LEAST_MEAN))


def _fit(x: Array, means: Array) -> tuple[float, Array, Array]:
    shares, before = np.full(len(means), 1 / len(means)), -np.inf
    for _ in range(ROUNDS):
        likely, likelihood = _normal(_log_likelihood(x, means, shares))
        if likelihood - before < _TOLERANCE * abs(likelihood):
            break
        before = likelihood
        weight = likely.sum(axis=0)
        means = np.maximum(likely.T @ x / np.maximum(weight, 1e-12)[:, None], _LEAST_MEAN)
        shares = weight / len(x)
    return before, means, shares


def _log_likelihood(x: Array, means: Array, shares: Array, dispersion: float = 1.0) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(shares) + (x @ np.log(means).T - means.sum(axis=1)) / dispersion)


def _normal(log_likelihoods: Array) -> tuple[Array, float]:
    top = log_likelihoods.max(axis=1, keepdims=True)
    likely = np.exp(log_likelihoods - top)
    total = likely.sum(axis=1, keepdims=True)
    return np.asarray(likely / total), float((top + np.log(total)).sum())
