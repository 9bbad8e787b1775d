"""How candidates are timed: in turns, in CPU seconds, so that a busy machine wrongs all of them alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Row:
    """One line of a table; `cpu_ms` and `unit` say how much of what, `ratio` is to the table's first line."""

    topic: str
    name: str
    cpu_ms: float | None
    spread: float | None
    ratio: float | None
    unit: str
    accuracy: dict[str, float]
    note: str = ""


def in_turns(
    candidates: Mapping[str, Callable[[], object]], rounds: int, slow: Mapping[str, int] | None = None
) -> dict[str, list[float]]:
    """Run every candidate once a round after one run that does not count; CPU seconds of each run.

    Every round begins with the next candidate, so none always follows the same neighbour's leavings. Those that
    are `slow` take part in so many rounds only.
    """
    for run in candidates.values():
        run()
    order = list(candidates.items())
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds):
        first = turn % len(order)
        for name, run in order[first:] + order[:first]:
            if turn >= (slow or {}).get(name, rounds):
                continue
            start = time.process_time()
            run()
            taken[name].append(time.process_time() - start)
    return taken


def middle(seconds: list[float], count: int) -> tuple[float, float]:
    """Median in milliseconds of one of `count`, and the spread (max - min) / median."""
    value = median(seconds)
    return 1e3 * value / count, (max(seconds) - min(seconds)) / value


def table(rows: list[Row]) -> str:
    """Rows of one topic as text."""
    keys = sorted({key for row in rows for key in row.accuracy})
    lines = [f"{'':34s}{'CPU ms':>10s}{'+-':>7s}{'ratio':>8s}" + "".join(f"{key:>13s}" for key in keys)]
    for row in rows:
        time_part = f"{'-':>10s}{'':7s}{'':8s}"
        if row.cpu_ms is not None and row.spread is not None:
            ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
            time_part = f"{row.cpu_ms:10.2f}{row.spread / 2:7.0%}{ratio:>8s}"
        values = "".join(f"{row.accuracy[key]:13.3g}" if key in row.accuracy else " " * 13 for key in keys)
        lines.append(f"{row.name:34s}{time_part}{values}  {row.note}".rstrip())
    return "\n".join(lines)
