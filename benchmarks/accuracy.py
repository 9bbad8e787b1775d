"""Judge the steps against analytic truth, beside whichever peers are installed: writes docs/reference/accuracy.md.

Each row of the page is written when it is made, and says its columns and seeds; `--resume` makes those that the page
has not at that size. Slices are compared first, then each step is judged by its criterion.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import sizes

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


def judgements(numbers: list[int], seeds: int, processes: int) -> Iterator[tuple[list[str], str]]:
    """Judge cases in so many processes, in their order."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # a thread that waits leaves its processor to others
    if processes == 1:
        yield from map(judge, numbers, repeat(seeds))
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield from pool.map(judge, numbers, repeat(seeds))


def write_steps(page: Path, chosen: str, seeds: int, processes: int, *, resume: bool) -> None:
    """Judge the cases whose step and input hold the words, and put each row into the page when it is made."""
    from criteria import rows_of, table, with_peers

    slices, _, steps = (page.read_text(encoding="utf-8") if page.exists() else "").partition(STEPS)
    rows = rows_of(steps)
    numbers = [
        number
        for number, case in enumerate(cases())
        if chosen in f"{case.step} {case.what}"
        and not (resume and rows.get(case.key, [""] * 3)[2] == case.size(seeds))
    ]
    for number, (row, _) in zip(numbers, judgements(numbers, seeds, processes), strict=True):
        key = cases()[number].key
        rows[key] = with_peers(row, rows.get(key))
        page.write_text(f"{slices.rstrip()}\n\n{HEAD}{table(cases(), rows)}\n", encoding="utf-8")


def quick(processes: int) -> int:
    """Print the small cases with 3 seeds; 1 where one lost its criterion."""
    numbers = [number for number, case in enumerate(cases()) if case.quick]
    lost = [words for _, words in judgements(numbers, 3, processes) if words]
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
    if given.only != "steps" and not given.case:
        from accuracy_tables import slices_page

        before = given.output.read_text(encoding="utf-8") if given.output.exists() else ""
        steps = "".join(before.partition(STEPS)[1:])
        given.output.write_text(f"{slices_page(given.seeds).rstrip()}\n\n{steps}", encoding="utf-8")
    if given.only != "slices":
        write_steps(given.output, given.case, given.seeds, given.processes, resume=given.resume)
    return 0


if __name__ == "__main__":
    sys.exit(main())
