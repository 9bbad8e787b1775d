"""Numbers that a file gives as texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def numbers_in(words: Sequence[str]) -> tuple[NDArray[np.float64] | None, str]:
    """Read a list of texts as numbers.

    Result, shape (n,): None where one of them is no number.
    """
    found = np.empty(len(words))
    for place, word in enumerate(words):
        try:
            found[place] = float(word)
        except ValueError:
            return None, word
    return found, ""
