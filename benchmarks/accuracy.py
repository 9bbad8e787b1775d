"""Judge the steps against analytic truth, beside whichever peers are installed: writes docs/reference/accuracy.md.

Each row of the page is written when it is made, and says its columns and seeds; `--resume` makes those that the page
has not at that size. Slices are compared first, then each step is judged by its criterion. Each row is printed with
the time of a processor that it took, which others on the same machine change little; and the whole is told last.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import sizes

# Told before anything that has threads is imported: a thread that waits leaves its processor to others.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# algotom's threads add views to the same pixels at once, and lose some of them in one run or another.
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

from tomarium.array import processors

if TYPE_CHECKING:
    from criteria import Case

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "accuracy.md"
STEPS = "## Steps and their criteria"
HEAD = f"""{STEPS}

Median / worst of so many seeds, on the same inputs of so many columns; views grow with the columns. Smaller is better,
and errors of slices are parts of the attenuation of the body where no unit is told. Peers have their default settings,
and the plain ramp. A peer is called better where its median is more than 2 % lower. The ring index rewards smoothing:
read it beside the errors of the stripes. With noise, the linear interpolation of peers damps the finest detail, as a
window does. `make accuracy-quick` does this with 3 seeds of fewer columns, and fails where a criterion that was met is
not met any more.

"""


@cache
def cases() -> list[Case]:
    """All cases."""
    import accuracy_corrections
    import accuracy_slices

    return [*accuracy_corrections.cases(), *accuracy_slices.cases()]


def judge(number: int, seeds: int) -> tuple[list[str], str]:
    """Run the case of that number, in whichever process."""
    from criteria import judged

    return judged(cases()[number], seeds)


def compare(number: int, seeds: int) -> tuple[list[str], str]:
    """Make the row of slices of that number, in whichever process."""
    from accuracy_tables import cells, lines

    return cells(lines()[number], seeds), ""


@dataclass(frozen=True)
class Made:
    """A row, what it lost, and what it took."""

    number: int
    row: list[str]
    lost: str
    processor_s: float


def timed(job: Callable[[int, int], tuple[list[str], str]], number: int, seeds: int) -> Made:
    """Make a row, print it, and tell the time that it took."""
    from criteria import line

    began, spent = time.perf_counter(), time.process_time()
    row, lost = job(number, seeds)
    taken = time.process_time() - spent
    print(line(row), f"{taken:.0f} s of a processor, {time.perf_counter() - began:.0f} s", flush=True)
    return Made(number, row, lost, taken)


def made(
    job: Callable[[int, int], tuple[list[str], str]], numbers: list[int], seeds: int, processes: int
) -> Iterator[Made]:
    """Make rows in so many processes, begun in their order; each is told when it is made."""
    if processes == 1:
        yield from (timed(job, number, seeds) for number in numbers)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for done in as_completed([pool.submit(timed, job, number, seeds) for number in numbers]):
            yield done.result()


def write_slices(page: Path, seeds: int, processes: int, *, resume: bool) -> float:
    """Compare slices, and write the first part of the page; the seconds of processors that it took."""
    from accuracy_tables import lines, slices_page, told_size

    slices, head, steps = (page.read_text(encoding="utf-8") if page.exists() else "").partition(STEPS)
    if resume and told_size(seeds) in slices:
        return 0.0
    found = sorted(made(compare, list(range(len(lines()))), seeds, processes), key=lambda one: one.number)
    text = slices_page(seeds, [one.row for one in found])
    page.write_text(f"{text.rstrip()}\n\n{head}{steps}", encoding="utf-8")
    return sum(one.processor_s for one in found)


def write_steps(page: Path, chosen: str, seeds: int, processes: int, *, resume: bool) -> float:
    """Judge the cases whose step and input hold the words, and put each row into the page when it is made.

    Returns
    -------
    float
        Seconds of processors that it took.
    """
    from criteria import missed, rows_of, table, with_peers

    slices, _, steps = (page.read_text(encoding="utf-8") if page.exists() else "").partition(STEPS)
    rows, spent = rows_of(steps), 0.0
    numbers = [
        number
        for number, case in enumerate(cases())
        if chosen in f"{case.step} {case.what}"
        and not (resume and rows.get(case.key, [""] * 3)[2] == case.size(seeds))
    ]
    # What takes longest comes first, so that no process is left alone with it.
    for one in made(judge, sorted(numbers, key=lambda number: cases()[number].quick), seeds, processes):
        key, spent = cases()[one.number].key, spent + one.processor_s
        rows[key] = with_peers(one.row, rows.get(key))
        text = f"{HEAD}{missed(cases(), rows)}\n\n{table(cases(), rows)}"
        page.write_text(f"{slices.rstrip()}\n\n{text}\n", encoding="utf-8")
    return spent


def quick(processes: int) -> int:
    """Print the small cases with 3 seeds; 1 where one lost its criterion."""
    numbers = [number for number, case in enumerate(cases()) if case.quick]
    lost = [one.lost for one in made(judge, numbers, 3, processes) if one.lost]
    print("\n".join(lost), file=sys.stderr)
    return 1 if lost else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--columns", type=int, default=513, help="Of each input; 0: small ones, as --quick has."
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="The steps with 3 seeds and few columns, printed; fails on a loss.",
    )
    parser.add_argument("--only", choices=["slices", "steps"], help="Write one part of the page alone.")
    parser.add_argument(
        "--case", default="", help="Do the cases alone whose step and input hold this; keep all other rows."
    )
    parser.add_argument("--resume", action="store_true", help="Keep rows of these columns and seeds.")
    parser.add_argument("--processes", type=int, default=processors())
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    given = parser.parse_args()
    os.environ[sizes.SETTING] = str(sizes.set_columns(0 if given.quick else given.columns))
    if given.quick:
        return quick(given.processes)
    spent, began = 0.0, time.perf_counter()
    if given.only != "steps" and not given.case:
        spent += write_slices(given.output, given.seeds, given.processes, resume=given.resume)
    if given.only != "slices":
        spent += write_steps(given.output, given.case, given.seeds, given.processes, resume=given.resume)
    print(f"{spent / 60:.1f} minutes of processors in {(time.perf_counter() - began) / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
