"""Whether the best of several poses stands out from what unrelated places of the same images reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

CHANCE: Final = 0.05
"""Chance above which the best is taken for one of the unrelated ones; the spread has to be small as well."""

LOW_CHANCE: Final = 0.2
"""Chance below which the best, though it is not accepted, is told as found with low confidence."""

MOST_SPREAD: Final = 0.5
"""Largest standard deviation of where a point lies, in voxels of the coarser image; poses found by chance are
seldom fixed so well. Both bounds together were set on pairs of unrelated rocks (`benchmarks/alignment.py --null`)."""

FEWEST: Final = 5
"""Poses besides the best that are needed to tell what unrelated places reach."""


@dataclass(frozen=True)
class Verdict:
    """What was judged.

    Attributes
    ----------
    stands_out : bool
        Whether the best wanted pose is better than chance.
    null_level : float
        Score above which it is.
    chance : float
        Chance that the best of so many unrelated poses reaches what it reaches.
    reason : str
        Why not, where it does not.
    most_spread : float
        Largest standard deviation of where a point lies that is accepted, voxels.
    """

    stands_out: bool
    null_level: float
    chance: float
    reason: str = ""
    most_spread: float = MOST_SPREAD


def judge(scores: Sequence[tuple[float, bool]]) -> Verdict:
    """Judge the best wanted pose against the others.

    The highest of many unrelated scores lie apart like those of a distribution with an exponential tail: the i-th gap,
    times i, has the same mean for all i (Rényi 1953). The gap behind the best over that mean then follows an F
    distribution with 2 and 2 n degrees of freedom: chance = (1 + gap / (n · mean))⁻ⁿ.

    `scores`: score of each pose that differs from the others, and whether it may be the answer; best first.
    """
    wanted_scores = [score for score, is_wanted in scores if is_wanted]
    if not wanted_scores:
        return Verdict(
            False, float("nan"), 1.0, "the best poses all lie outside of the range that was searched"
        )
    best = wanted_scores[0]
    other_scores = sorted((score for score, _ in scores), reverse=True)
    other_scores.remove(best)
    if len(other_scores) < FEWEST:
        return Verdict(
            False,
            float("nan"),
            1.0,
            f"only {len(other_scores)} other poses were found, too few to tell chance by",
        )
    tail = np.array(other_scores)
    gaps = np.arange(1, len(tail)) * (tail[:-1] - tail[1:])
    mean = float(max(gaps.mean(), 1e-12))
    count = len(gaps)
    need = count * (CHANCE ** (-1 / count) - 1) * mean
    level = float(tail[0] + need)
    gap = best - float(tail[0])
    chance = float((1 + max(gap, 0.0) / (count * mean)) ** -count)
    if gap <= 0:
        return Verdict(
            False, level, 1.0, "another place, outside of the range that was searched, fits better"
        )
    if chance >= CHANCE:
        return Verdict(
            False,
            level,
            chance,
            f"the best pose reaches {best:.3f} nats and the next {tail[0]:.3f}: unrelated places reach that too "
            f"(chance {100 * chance:.2g} %, below {100 * CHANCE:g} % is asked for); the images may not show the same, "
            f"or not enough of it",
        )
    return Verdict(True, level, chance)
