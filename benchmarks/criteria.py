"""Cases that `make accuracy` judges: a step, its criterion, and the methods that are tried on the same input."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import from_data
from tomarium.pipeline.protocol.resolve import resolve
from tomarium.pipeline.run.evaluate import evaluate

Array = NDArray[Any]
Score = Callable[[int], float]
ALGOTOM, ASTRA = (find_spec(name) is not None for name in ("algotom", "astra"))


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes
    ----------
    step : str
        What is judged.
    what : str
        The input, and what the number is; smaller is better.
    limit : float or None
        The criterion; None where the number is told alone.
    ours, peers : dict of str to callable
        Name → number of a seed; `ours` has one, and variants beside it.
    quick : bool
        Whether it runs with `--quick`.
    reached : bool
        Whether the criterion was met in the median when the case was written; then `--quick` fails where it is not.
    bound : str
        Why the criterion is not met, told where it is not.
    """

    step: str
    what: str
    limit: float | None
    ours: dict[str, Score]
    peers: dict[str, Score]
    quick: bool = True
    reached: bool = True
    bound: str = ""


def through(scan: Scan, *steps: Any, rows: slice | None = None) -> Array:
    """Take rows of a scan through steps."""
    resolution = resolve(from_data({"steps": list(steps)}, "benchmark"), scan)
    wanted = rows or slice(0, resolution.scan.shape[1])
    return np.asarray(evaluate(resolution, resolution.work, [wanted], 1)[0].data)


def judged(case: Case, seeds: int) -> tuple[str, str]:
    """Run a case.

    Returns
    -------
    str
        Its line of the table in Markdown.
    str
        What is lost: the criterion was met once, and is not any more; "" where nothing is.
    """
    began = time.perf_counter()
    ours, peers = (
        {name: [score(seed) for seed in range(seeds)] for name, score in methods.items()}
        for methods in (case.ours, case.peers)
    )
    cells = ["<br>".join(_cell(name, found) for name, found in each.items()) for each in (ours, peers)]
    limit = "" if case.limit is None else f"≤ {case.limit:.3g}"
    said = verdict(case, ours, peers)
    line = f"| {case.step} | {case.what} | {limit} | {cells[0]} | {cells[1]} | {said} |"
    print(line, f"{time.perf_counter() - began:.0f} s", flush=True)
    lost = case.reached and "**not met**" in said
    return line, f"{case.step}: {case.what}: {cells[0]}, and {limit} was expected" if lost else ""


def table(answers: Iterable[tuple[str, str]]) -> tuple[str, list[str]]:
    """Put what `judged` says of the cases together.

    Returns
    -------
    str
        The table in Markdown.
    list of str
        Cases whose criterion was met once, and is not any more.
    """
    lines, lost = zip(*answers, strict=True)
    head = ["| step | input, and number | criterion | tomarium | peers | |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *lines]), [one for one in lost if one]


def replaced(page: str, rows: str) -> str:
    """Put rows in place of those of the same step and input; peers that are not installed keep their cells."""
    new = {tuple(_cells(line)[:2]): line for line in rows.splitlines()[2:]}
    lines = page.splitlines()
    for number, line in enumerate(lines):
        key = tuple(_cells(line)[:2]) if line.startswith("|") else ()
        if key in new:
            made, old = _cells(new[key]), _cells(line)
            if not made[4] and old[4]:
                made[4] = old[4]
                first = float(made[3].split("<br>")[0].split(" / ")[0].split()[-1])
                told = (peer.split(" / ")[0].rsplit(" ", 1) for peer in old[4].split("<br>"))
                better = [name for name, median in told if float(median) < 0.98 * first]
                said = [made[5], f"**{', '.join(better)} better**" if better else "", "peers as they were"]
                made[5] = "; ".join(part for part in said if part)
            lines[number] = f"| {' | '.join(made)} |"
    return "\n".join(lines) + "\n"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")] if "---" not in line else []


def _cell(name: str, found: list[float]) -> str:
    return f"{name}{' ' if name else ''}{np.median(found):.2g} / {np.max(found):.2g}"


def verdict(case: Case, ours: dict[str, list[float]], peers: dict[str, list[float]]) -> str:
    """Say whether the first of ours meets the criterion, and which peer is better by more than 2 %."""
    first = next(iter(ours.values()))
    said = []
    if case.limit is not None:
        met = "met" if np.max(first) <= case.limit else "met in the median"
        why = f"**not met**: {case.bound}" if case.bound else "**not met**"
        said.append(met if np.median(first) <= case.limit else why)
    better = [name for name, found in peers.items() if np.median(found) < 0.98 * np.median(first)]
    if better:
        said.append(f"**{', '.join(better)} better**")
    return "; ".join(said)
