"""Random numbers that are the same on every machine and for every version of NumPy: SHA-256 of what they are for."""

from __future__ import annotations

import hashlib


def draw(seed: int, *words: object) -> tuple[int, int, int, int]:
    """Draw four whole numbers.

    Parameters
    ----------
    seed : int
        Another seed gives other numbers.
    *words : object
        What they are for: a name and a count, as text.

    Returns
    -------
    tuple of int
        Each from 0 to 2**64 - 1, all alike likely.
    """
    digest = hashlib.sha256("\n".join(map(str, (seed, *words))).encode()).digest()
    first, second, third, fourth = (int.from_bytes(digest[k : k + 8], "big") for k in (0, 8, 16, 24))
    return first, second, third, fourth


def permutation(count: int, seed: int, word: str) -> list[int]:
    """Put the numbers 0 to count - 1 into a random order.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Another seed gives another order.
    word : str
        What it is for.

    Returns
    -------
    list of int
        Each number once.
    """
    return sorted(range(count), key=lambda number: draw(seed, word, number))
