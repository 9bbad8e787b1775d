"""Orientation maps as TSL and HKL programs write them, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROWS, ACROSS = 4, 5
CTF_COLUMNS = ("Phase", "X", "Y", "Bands", "Error", "Euler1", "Euler2", "Euler3", "MAD", "BC", "BS")
ANG_COLUMNS = ("phi1", "PHI", "phi2", "x", "y", "IQ", "CI", "phase", "SEM", "fit")


def example_columns(step_x: float = 0.5, step_y: float = 0.25) -> dict[str, NDArray[np.float64]]:
    """Values of every column of both kinds, point after point along the rows."""
    rng = np.random.default_rng(12)
    count = ROWS * ACROSS
    x, y = step_x * (np.arange(count) % ACROSS), step_y * (np.arange(count) // ACROSS)
    values = {name: rng.uniform(0, 90, count).round(3) for name in sorted({*CTF_COLUMNS, *ANG_COLUMNS})}
    phases = rng.integers(0, 3, count).astype(float)
    return values | {"X": x, "Y": y, "x": x, "y": y, "Phase": phases, "phase": phases}


def write_ctf(path: Path, values: dict[str, NDArray[np.float64]] | None = None, comma: bool = False) -> None:
    values = values or example_columns()
    head = [
        "Channel Text File", "Prj\ta map", "Author\tsomebody", "JobMode\tGrid", f"XCells\t{ACROSS}", f"YCells\t{ROWS}",
        "XStep\t0.5000", "YStep\t0.2500", "AcqE1\t0", "AcqE2\t0", "AcqE3\t0",
        "Euler angles refer to Sample Coordinate system (CS0)!\tMag\t500\tCoverage\t100\tDevice\t0\tKV\t20",
        "Phases\t2", "2.866;2.866;2.866\t90;90;90\tIron bcc\t11\t229", "3.66;3.66;3.66\t90;90;90\tIron fcc\t11\t225",
        "\t".join(CTF_COLUMNS),
    ]  # fmt: skip
    table = ["\t".join(f"{values[name][k]:g}" for name in CTF_COLUMNS) for k in range(ROWS * ACROSS)]
    text = "\r\n".join([*head, *table]) + "\r\n"
    path.write_bytes((text.replace(".", ",") if comma else text).encode())


def write_ang(
    path: Path, values: dict[str, NDArray[np.float64]] | None = None, grid: str = "SqrGrid"
) -> None:
    values = values or example_columns()
    even = ACROSS - 1 if grid == "HexGrid" else ACROSS
    head = [
        "# TEM_PIXperUM          1.000000", "# x-star                0.5", "# WorkingDistance       15.0", "#",
        "# Phase 2", "# MaterialName  \tMartensite", "# Symmetry              43", "# Phase 1",
        "# MaterialName  \tAustenite", "# LatticeConstants      3.595 3.595 3.595  90.000  90.000  90.000", "#",
        f"# GRID: {grid}", "# XSTEP: 0.500000", "# YSTEP: 0.250000", f"# NCOLS_ODD: {ACROSS}", f"# NCOLS_EVEN: {even}",
        f"# NROWS: {ROWS}", "#", "# OPERATOR: \tsomebody", "#",
    ]  # fmt: skip
    count = ROWS * ACROSS if even == ACROSS else ROWS // 2 * (ACROSS + even)
    table = ["  ".join(f"{values[name][k]:10.5f}" for name in ANG_COLUMNS) for k in range(count)]
    path.write_text("\n".join([*head, *table]) + "\n")
