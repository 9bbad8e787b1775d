"""Steps around the reconstruction, in one thread: corrections of frames and sinograms, and smaller numbers to write.

Ring filters are told beside the reconstruction of the same sinograms, Paganin's filter beside a transform of a frame
padded to twice its size, grey values by the memory they read in a second.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import ducc0
import numpy as np
from contest import Row, in_turns, middle, table
from numpy.typing import NDArray

from tomarium.kernels.fbp import fbp
from tomarium.kernels.flat_field import normalise
from tomarium.kernels.paganin import paganin
from tomarium.kernels.quantise import quantise
from tomarium.kernels.spikes import measure_noise, remove_spikes
from tomarium.kernels.stripe_wavelets import remove_stripes_by_wavelets
from tomarium.kernels.stripes import remove_all_stripes, remove_stripes_by_sorting

ROWS = 16
"""As many as the compiled engine works on side by side."""


def contest(
    topic: str, unit: str, runs: dict[str, Callable[[], object]], count: int, rounds: int
) -> list[Row]:
    """Rows of one topic, whose first is what ratios refer to."""
    rows: list[Row] = []
    for name, seconds in in_turns(runs, rounds).items():
        cpu_ms, spread = middle(seconds, count)
        rows.append(Row(topic, name, cpu_ms, spread, cpu_ms / (rows[0].cpu_ms if rows else cpu_ms), unit, {}))
    return rows


def sinograms(columns: int, views: int, random: np.random.Generator) -> NDArray[np.float32]:
    """A disc with noise and stripes, shape (angle, row, column)."""
    place = np.linspace(-1, 1, columns, dtype=np.float32)
    chord = 2 * np.sqrt(np.clip(0.7 - place**2, 0, None))
    made = chord + 0.02 * random.standard_normal((views, ROWS, columns), np.float32)
    made[..., random.integers(0, columns, columns // 100)] += 0.1
    return made


def rings(columns: int, views: int, rounds: int, random: np.random.Generator) -> list[Row]:
    """Ring filters beside the reconstruction."""
    made, angles = sinograms(columns, views, random), np.arange(views) * 180 / views
    volume, out = np.zeros((ROWS, columns, columns), np.float32), np.zeros_like(made)
    runs: dict[str, Callable[[], object]] = {
        "fbp": partial(fbp, made, angles, (columns - 1) / 2, padding="zero", threads=1, out=volume),
        "remove_stripes, sorting": partial(remove_stripes_by_sorting, made, threads=1, out=out),
        "remove_stripes, wavelets": partial(remove_stripes_by_wavelets, made, threads=1),
        "remove_all_stripes": partial(remove_all_stripes, made, threads=1, out=out),
    }
    topic = f"ring filters, {columns} columns x {views} projections, 1 thread, per slice"
    rows = contest(topic, "slice", runs, ROWS, rounds)
    try:
        from algotom.prep.removal import remove_stripe_based_sorting
    except ImportError:
        return rows
    one = np.ascontiguousarray(made[:, 0])
    peers = {"algotom, sorting": partial(remove_stripe_based_sorting, one, size=31)}
    theirs = contest(topic, "slice", peers, 1, 1)
    own = rows[0].cpu_ms
    return rows + [replace(row, ratio=row.cpu_ms / own if row.cpu_ms and own else None) for row in theirs]


def frames(columns: int, rounds: int, random: np.random.Generator) -> list[Row]:
    """What is done frame by frame."""
    frame = np.clip(random.normal(0.6, 0.02, (1, columns, columns)), 0.1, None).astype(np.float32)
    counts = random.poisson(8000.0, (3, columns, columns)).astype(np.uint16)
    noise = measure_noise(counts)
    padded = np.zeros((2 * columns, columns + 1), np.complex64)
    wide = np.zeros((2 * columns, 2 * columns), np.float32)

    def transform() -> None:
        ducc0.fft.r2c(wide, nthreads=1, out=padded)
        ducc0.fft.c2r(padded, lastsize=2 * columns, nthreads=1, out=wide, forward=False)

    runs: dict[str, Callable[[], object]] = {
        f"transforms of {2 * columns} x {2 * columns}": transform,
        "paganin, L = 10 px": partial(paganin, frame, 10.0, out=np.zeros_like(frame)),
        "remove_spikes": partial(remove_spikes, counts[:1], noise, out=np.zeros_like(counts[:1])),
    }
    return contest(f"frames of {columns} x {columns}, 1 thread, per frame", "frame", runs, 1, rounds)


def passes(columns: int, views: int, rounds: int, random: np.random.Generator) -> list[Row]:
    """What goes through memory once: `GB/s` of what is read, `moved` of what is read and written.

    The copy tells how fast this machine moves bytes at best; results lie in memory that was used before.
    """
    shape = (views, ROWS, columns)
    counts = random.integers(200, 40000, shape, np.uint16)
    dark = np.full(shape[1:], 100, np.float32)
    flats = random.normal(40000, 500, (2, *shape[1:])).astype(np.float32)
    position, out = np.arange(float(views)), np.zeros(shape, np.float32)
    slices = random.standard_normal((8, columns, columns), np.float32)
    copied, words = np.zeros_like(slices), np.zeros(slices.shape, np.uint16)
    small = np.zeros(slices.shape, np.uint8)

    def by_numpy() -> None:
        scaled = (slices - np.float32(-4)) * np.float32(65535 / 8)
        words[:] = np.clip(scaled, 0, 65535, out=scaled)

    def logarithm_by_numpy() -> None:
        share = (position / views).astype(np.float32)[:, None, None]
        bright = flats[0] - dark + share * (flats[1] - flats[0])
        np.negative(np.log(np.maximum((counts - dark) / bright, 1e-6)), out=out)

    runs: dict[str, tuple[Callable[[], object], int, int]] = {
        "copy of float32": (lambda: np.copyto(copied, slices), slices.nbytes, copied.nbytes),
        "float32 to uint16": (
            lambda: quantise(slices, -4, 4, "uint16", out=words, threads=1), slices.nbytes, words.nbytes,
        ),
        "float32 to uint16, NumPy": (by_numpy, slices.nbytes, words.nbytes),
        "float32 to uint8": (
            lambda: quantise(slices, -4, 4, "uint8", out=small, threads=1), slices.nbytes, small.nbytes,
        ),
        "flat field and logarithm": (
            lambda: normalise(counts, dark, flats, [0.0, float(views)], position, threads=1, out=out),
            counts.nbytes, out.nbytes,
        ),
        "flat field and logarithm, NumPy": (logarithm_by_numpy, counts.nbytes, out.nbytes),
    }  # fmt: skip
    topic = f"passes over memory, {columns} columns, 1 thread"
    found = []
    for row in contest(topic, "pass", {name: run for name, (run, _, _) in runs.items()}, 1, rounds):
        _, read, written = runs[row.name]
        if row.cpu_ms:
            told = {"GB/s": read / row.cpu_ms / 1e6, "moved": (read + written) / row.cpu_ms / 1e6}
            found.append(Row(row.topic, row.name, row.cpu_ms, row.spread, None, row.unit, told))
    return found


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--views", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    given = parser.parse_args()
    random = np.random.default_rng(0)
    parts = (
        passes(given.columns, given.views, given.rounds, random),
        frames(given.columns, given.rounds, random),
        rings(given.columns, given.views, given.rounds, random),
    )
    for part in parts:
        print(f"\n{part[0].topic}\n{table(part)}", flush=True)
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for part in parts for row in part], indent=1) + "\n")


if __name__ == "__main__":
    main()
