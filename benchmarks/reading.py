"""Reading packed HDF5 frames: the library with its plugin, and tomarium past it, in one and in two threads."""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from contest import Row, in_turns, middle, table

from tomarium.formats.hdf5.chunk_reader import packing_of, read_chunks

PACKINGS: dict[str, dict[str, Any]] = {
    "bitshuffle + LZ4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "shuffle + deflate": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
}


def written(folder: Path, name: str, frames: int, columns: int) -> Path:
    """Write noisy radiographs of a sample's shadow, one chunk a frame."""
    random = np.random.default_rng(0)
    across = np.linspace(-1, 1, columns)
    counts = 20_000 * np.exp(-2 * np.sqrt(np.clip(0.6 - across**2, 0, None)))
    path = folder / f"{name.split()[0]}.h5"
    with h5py.File(path, "w") as file:
        shape = (frames, columns, columns)
        data = file.create_dataset("data", shape, "u2", chunks=(1, columns, columns), **PACKINGS[name])
        for number in range(frames):
            data[number] = random.poisson(np.broadcast_to(counts, shape[1:]))
    return path


def measure(columns: int, frames: int, rounds: int, folder: Path) -> list[Row]:
    """Time each reader, in turns; `wall` is how many times as fast as the library in wall time."""
    rows: list[Row] = []
    for name in PACKINGS:
        path = written(folder, name, frames, columns)
        for part, high in (("whole frames", columns), ("16 rows of each", 16)):
            rows += _contest(path, f"{name}, {part}", slice(0, high), rounds)
        path.unlink()
    return rows


def _contest(path: Path, topic: str, part: slice, rounds: int) -> list[Row]:
    walls: dict[str, list[float]] = {}
    with h5py.File(path, "r") as file:
        data = file["data"]
        out = np.empty((data.shape[0], part.stop, data.shape[2]), data.dtype)
        truth = data[:, part]
        packing, every = packing_of(data), np.arange(data.shape[0])
        if packing is None:
            raise SystemExit("the compiled kernels are not built; there is nothing to compare")

        def library() -> None:
            data.read_direct(out, np.s_[:, part])

        def ours(threads: int) -> Callable[[], None]:
            return lambda: _check(read_chunks(data, packing, every, [part], [out], threads))

        def timed(name: str, way: Callable[[], None]) -> Callable[[], None]:
            def once() -> None:
                out[:] = 0
                start = perf_counter()
                way()
                walls.setdefault(name, []).append(perf_counter() - start)
                _check(bool(np.array_equal(out[-1], truth[-1])))

            return once

        ways = {
            "h5py with its plugins": library,
            "tomarium, 1 thread": ours(1),
            "tomarium, 2 threads": ours(2),
        }
        taken = in_turns({name: timed(name, way) for name, way in ways.items()}, rounds)
    rows: list[Row] = []
    for name in ways:
        cpu_ms, spread = middle(taken[name], 1)
        wall = median(walls[name][1:])
        gain = median(walls["h5py with its plugins"][1:]) / wall
        first = rows[0].cpu_ms if rows and rows[0].cpu_ms else cpu_ms
        note = f"{wall * 1e3:.1f} ms, {out.nbytes / wall / 1e9:.2f} GB/s"
        rows.append(
            Row(
                topic,
                name,
                cpu_ms,
                spread,
                cpu_ms / first,
                "read",
                {"wall": gain, "GB/s": out.nbytes / wall / 1e9},
                note,
            )
        )
    return rows


def _check(right: bool) -> None:
    if not right:
        raise SystemExit("a reader did not return what was written; the timings mean nothing")


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="disk to read from")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        rows = measure(arguments.columns, arguments.frames, arguments.rounds, Path(name))
    for topic in dict.fromkeys(row.topic for row in rows):
        print(f"\n{topic}\n{table([row for row in rows if row.topic == topic])}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
