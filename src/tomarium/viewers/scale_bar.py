"""A scale bar of a round length."""

from __future__ import annotations

import math


def scale_bar(width_m: float) -> tuple[float, float]:
    """Choose the length of a scale bar.

    Parameters
    ----------
    width_m : float
        Width of the picture in m, positive and finite.

    Returns
    -------
    length_m : float
        The largest of 1, 2, 5 · 10^n m that is at most 30 % of the width.
    fraction : float
        `length_m / width_m`, from 0.12 to 0.3.

    Examples
    --------
    >>> scale_bar(0.00127)
    (0.0002, 0.15748031496062992)
    """
    longest_m = 0.3 * width_m * (1 + 1e-9)
    exponent = math.floor(math.log10(longest_m))
    # float() of a decimal text is exact to the last bit; 2 * 10**-4 is not.
    lengths_m = [float(f"{digit}e{power}") for power in (exponent - 1, exponent) for digit in (1, 2, 5)]
    length_m = max(length_m for length_m in lengths_m if length_m <= longest_m)
    return length_m, length_m / width_m
