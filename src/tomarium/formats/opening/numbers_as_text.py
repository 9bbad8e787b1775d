"""Numbers that a file gives as texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def numbers_in(words: Sequence[str]) -> tuple[NDArray[np.float64] | None, str]:
    """Read a list of texts as numbers.

    Parameters
    ----------
    words : sequence of str
        The texts.

    Returns
    -------
    array of float64, shape (n,), or None
        None where one of them is no number.
    str
        The first that is none, or "".
    """
    found = np.empty(len(words))
    for place, word in enumerate(words):
        try:
            found[place] = float(word)
        except ValueError:
            return None, word
    return found, ""
