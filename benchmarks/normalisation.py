"""Flat field and logarithm: the compiled pass, its NumPy twin, and NumPy as one writes it in a notebook."""

from collections.abc import Callable

import numpy as np
from contest import Row, in_turns, middle

from tomarium.kernels.engines import engines
from tomarium.kernels.flat_field import normalise


def measure(columns: int, angles: int, rounds: int, threads: int) -> list[Row]:
    """Time the normalisation of sixteen detector rows."""
    random = np.random.default_rng(0)
    shape = (angles, 16, columns)
    counts = random.integers(200, 40000, shape, np.uint16)
    dark = random.normal(100, 2, shape[1:]).astype(np.float32)
    flats = random.normal(40000, 500, (2, *shape[1:])).astype(np.float32)
    position, out = np.arange(float(angles)), np.zeros(shape, np.float32)
    ends = [0.0, float(angles)]
    runs: dict[str, Callable[[], object]] = {}
    if engines()["native"].available:
        runs["native"] = lambda: normalise(
            counts, dark, flats, ends, position, engine="native", threads=threads, out=out
        )
    runs["reference, float64"] = lambda: normalise(
        counts, dark, flats, ends, position, engine="reference", out=out
    )
    runs["NumPy, one flat field, float32"] = lambda: (
        -np.log(np.maximum((counts.astype(np.float32) - dark) / (flats[0] - dark), np.float32(1e-6)))
    )
    taken = in_turns(runs, rounds)
    topic = f"flat field and logarithm of {columns} columns x {angles} projections, {threads} thread, per row"
    expected = normalise(counts, dark, flats, ends, position, engine="reference")[0]
    rows: list[Row] = []
    for name in runs:
        cpu_ms, spread = middle(taken[name], 16)
        first = rows[0].cpu_ms if rows and rows[0].cpu_ms else cpu_ms
        found = (
            normalise(counts, dark, flats, ends, position, engine="native")[0] if name == "native" else None
        )
        scores = {} if found is None else {"max_error": float(abs(found - expected).max())}
        rate = f"{2 * angles * columns / cpu_ms / 1e6:.2f} GB/s of uint16"
        rows.append(Row(topic, name, cpu_ms, spread, cpu_ms / first, "row", scores, rate))
    return rows
