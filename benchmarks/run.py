"""Compare tomarium with itself and with its peers, as ratios within one run.

CPU seconds of single-threaded runs taken in turns are the figure: the machine's load hits all alike. Peers
that are not installed are named as such. `make bench BENCH_ARGS="--quick --json bench.json"` does less.
"""

# ruff: noqa: E402

import os

# Threads of every library are fixed before any of them is loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import json
import platform
from dataclasses import asdict
from pathlib import Path

import normalisation
import reconstruction
from contest import Row, table

from tomarium.kernels.engines import engines

FULL = ((1024, 900), (2048, 1500))
QUICK = ((512, 450),)


def main() -> None:
    """Run the benchmarks and print a table for each topic."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one small size only")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is taken")
    parser.add_argument("--threads", type=int, default=1, help="threads of our engines")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    for status in engines().values():
        print(f"  {status.name:10s} {'yes' if status.available else 'no ':4s} {status.why}")
    rows: list[Row] = []
    for size, count in QUICK if arguments.quick else FULL:
        for topic in (reconstruction, normalisation):
            part = topic.measure(size, count, arguments.rounds, arguments.threads)
            print(f"\n{part[0].topic}\n{table(part)}", flush=True)
            rows += part
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
