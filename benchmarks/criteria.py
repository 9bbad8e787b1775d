"""Cases that `make accuracy` judges: a step, its criterion, and the methods that are tried on the same input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from textwrap import fill
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
        Why the criterion is not met, told where it is not in one seed or more.
    columns : int
        Of the input.
    peer_seeds : int or None
        Peers that take minutes have the first seeds alone, as many as this; the row says so.
    """

    step: str
    what: str
    limit: float | None
    ours: dict[str, Score]
    peers: dict[str, Score]
    quick: bool = True
    reached: bool = True
    bound: str = ""
    columns: int = 0
    peer_seeds: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What no other case has."""
        return self.step, self.what

    def size(self, seeds: int) -> str:
        """Columns and seeds, as a row tells them."""
        fewer = self.peers and self.peer_seeds and self.peer_seeds < seeds
        return f"{self.columns}, {seeds}" + (f"; peers {self.peer_seeds}" if fewer else "")


def through(scan: Scan, *steps: Any, rows: slice | None = None) -> Array:
    """Take rows of a scan through steps."""
    resolution = resolve(from_data({"steps": list(steps)}, "benchmark"), scan)
    wanted = rows or slice(0, resolution.scan.shape[1])
    return np.asarray(evaluate(resolution, resolution.work, [wanted], 1)[0].data)


def judged(case: Case, seeds: int) -> tuple[list[str], str]:
    """Run a case.

    Returns
    -------
    list of str
        Cells of its row.
    str
        What is lost: the criterion was met once, and is not any more; "" where nothing is.
    """
    ours: dict[str, list[float]] = {name: [] for name in case.ours}
    peers: dict[str, list[float]] = {name: [] for name in case.peers}
    for seed in range(seeds):  # methods share the input of a seed
        for name, score in case.ours.items():
            ours[name].append(score(seed))
        if seed < (case.peer_seeds or seeds):
            for name, score in case.peers.items():
                peers[name].append(score(seed))
    cells = ["<br>".join(_cell(name, scores) for name, scores in some.items()) for some in (ours, peers)]
    limit = "" if case.limit is None else f"≤ {case.limit:.3g}"
    said = verdict(case, ours, peers)
    row = [*case.key, case.size(seeds), limit, *cells, said]
    lost = case.reached and "**not met**" in said
    return row, f"{case.step}: {case.what}: {cells[0]}, and {limit} was expected" if lost else ""


def table(cases: Iterable[Case], rows: dict[tuple[str, str], list[str]]) -> str:
    """Put the rows that there are in the order of the cases; in Markdown."""
    heads = ["step", "input, and number", "columns, seeds", "criterion", "tomarium", "peers", ""]
    made = [rows[case.key] for case in cases if case.key in rows]
    return "\n".join(line(row) for row in [heads, ["---"] * len(heads), *made])


def rows_of(page: str) -> dict[tuple[str, str], list[str]]:
    """Rows of such a table, by step and input."""
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in page.splitlines() if "|" in line
    ]
    return {(row[0], row[1]): row for row in rows[2:]}


def with_peers(row: list[str], before: list[str] | None) -> list[str]:
    """Keep the cells of peers that are not installed here, of the same inputs."""
    if row[5] or not before or not before[5] or before[2] != row[2]:
        return row
    first = float(row[4].split("<br>")[0].split(" / ")[0].split()[-1])
    told = (peer.split(" / ")[0].rsplit(" ", 1) for peer in before[5].split("<br>") if "refuses" not in peer)
    better = [name for name, median in told if float(median) < 0.98 * first]
    said = [row[6], f"**{', '.join(better)} better**" if better else "", "peers as they were"]
    return [*row[:5], before[5], "; ".join(part for part in said if part)]


def missed(cases: Iterable[Case], rows: dict[tuple[str, str], list[str]]) -> str:
    """Tell which criteria are not met, and which are met by the median seed and not by the worst."""
    made = [rows[case.key] for case in cases if case.key in rows]
    said = []
    for words, head in (
        ("**not met**", "Not met"),
        ("met in the median", "Met by the median seed, and not by the worst"),
    ):
        some = [f"{row[0]}, {row[1].split(':')[0]}" for row in made if row[6].startswith(words)]
        said.append(fill(f"{head}: {'; '.join(some) or 'none'}.", 120))
    return "\n\n".join(said)


def line(row: list[str]) -> str:
    """A row in Markdown."""
    return f"| {' | '.join(row)} |"


def _cell(name: str, found: list[float]) -> str:
    if np.isnan(found).any():
        return f"{name} refuses"
    return f"{name}{' ' if name else ''}{np.median(found):.2g} / {np.max(found):.2g}"


def verdict(case: Case, ours: dict[str, list[float]], peers: dict[str, list[float]]) -> str:
    """Say whether the first of ours meets the criterion, and which peer is better by more than 2 %."""
    first = next(iter(ours.values()))
    said = []
    if case.limit is not None:
        if np.max(first) <= case.limit:
            said.append("met")
        else:
            words = "met in the median" if np.median(first) <= case.limit else "**not met**"
            said.append(f"{words}: {case.bound}" if case.bound else words)
    better = [name for name, found in peers.items() if np.median(found) < 0.98 * np.median(first)]
    if better:
        said.append(f"**{', '.join(better)} better**")
    return "; ".join(said)
