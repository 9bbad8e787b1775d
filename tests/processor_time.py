"""Processor time that something may take, on any processor and beside anything: what runs beside it only ever adds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

Result = TypeVar("Result")
TRIES: Final = 3


def pace() -> float:
    """How much longer this processor takes now than one that does this loop in 0.15 s."""
    start = time.process_time()
    sum(number * number for number in range(3_000_000))
    return max(1.0, (time.process_time() - start) / 0.15)


def demand_within(seconds: float, work: Callable[[], Result]) -> Result:
    """Do something, up to three times until it took no longer of the processor, and return what came of it."""
    spent = []
    for _ in range(TRIES):
        begun = time.process_time()
        result = work()
        spent.append(time.process_time() - begun)
        if spent[-1] < seconds:
            return result
    limit = seconds * pace()
    assert min(spent) < limit, f"it took {spent} s of the processor, and {limit:.2g} s were allowed"
    return result
