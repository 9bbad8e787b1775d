"""Writing an OME-Zarr volume: our writer beside zarr-python with the same arrays, chunks, shards and codec."""

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import zarr
from contest import Row, in_turns, middle, table
from numpy.typing import NDArray

from tomarium.formats.zarr.chunk_writer import Grid, write_block
from tomarium.formats.zarr.levels import halved
from tomarium.formats.zarr.writer import create

SLAB = 64


def slabs_of(dtype: str, columns: int, count: int) -> list[NDArray[np.generic]]:
    """Slices of a noisy disc with air around it."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : columns * 1j, -1 : 1 : columns * 1j]
    inside = (x * x + y * y < 0.8).astype(np.float32)
    slabs = [
        0.4 * inside + 0.05 * random.standard_normal((SLAB, columns, columns), np.float32)
        for _ in range(count)
    ]
    if dtype == "float32":
        return slabs
    return [np.clip(np.rint(slab * 2e4 + 1e4), 0, 65535).astype(dtype) for slab in slabs]


def grid_of(path: Path, model: zarr.Array) -> Grid:
    """The same cut as an array's."""
    chunks, shards = model.chunks, model.shards
    return Grid(path, (chunks[0], chunks[1], chunks[2]), (shards[0], shards[1], shards[2]))


def measure(dtype: str, columns: int, count: int, rounds: int, folder: Path) -> list[Row]:
    """Time both writers of the same levels, in turns; `wall` is how many times as fast as zarr-python."""
    pyramid = [slabs_of(dtype, columns, count)]
    plan = Path(tempfile.mkdtemp(dir=folder)) / "plan"
    shape = (SLAB * count, columns, columns)
    writer = create(plan, shape, pyramid[0][0].dtype, voxel_m=1e-6, slab_rows=SLAB, unit="", name="v")
    models = [zarr.open_array(store=plan / str(level), mode="r") for level in range(writer.levels)]
    for _ in models[1:]:
        pyramid.append([halved(slab) for slab in pyramid[-1]])
    walls: dict[str, list[float]] = {}

    def by_zarr(place: Path) -> None:
        for level, (model, slabs) in enumerate(zip(models, pyramid, strict=True)):
            array = zarr.create_array(
                store=place / str(level),
                shape=model.shape,
                dtype=model.dtype,
                chunks=model.chunks,
                shards=model.shards,
                compressors=model.compressors,
                fill_value=0,
            )
            for number, slab in enumerate(slabs):
                first = (SLAB >> level) * number
                array[first : first + slab.shape[0]] = slab

    def by_tomarium(place: Path) -> None:
        for level, (model, slabs) in enumerate(zip(models, pyramid, strict=True)):
            for number, slab in enumerate(slabs):
                write_block(grid_of(place / str(level), model), (SLAB >> level) * number, slab)

    def whole(place: Path) -> None:
        volume = create(
            place / "v", shape, pyramid[0][0].dtype, voxel_m=1e-6, slab_rows=SLAB, unit="", name="v"
        )
        for number, slab in enumerate(pyramid[0]):
            volume.write(SLAB * number, slab)
        volume.finish()

    def timed(name: str, way: Callable[[Path], None]) -> Callable[[], None]:
        def once() -> None:
            place = Path(tempfile.mkdtemp(dir=folder))
            start = perf_counter()
            way(place)
            walls.setdefault(name, []).append(perf_counter() - start)
            shutil.rmtree(place)

        return once

    ways = {"zarr-python": by_zarr, "tomarium": by_tomarium, "tomarium, halving as well": whole}
    taken = in_turns({name: timed(name, way) for name, way in ways.items()}, rounds)
    shutil.rmtree(plan.parent)
    size = sum(slab.nbytes for level in pyramid for slab in level)
    rows: list[Row] = []
    for name in ways:
        cpu_ms, spread = middle(taken[name], count)
        wall = median(walls[name][1:])
        gain = median(walls["zarr-python"][1:]) / wall
        first = rows[0].cpu_ms if rows and rows[0].cpu_ms else cpu_ms
        topic = f"OME-Zarr of {shape[0]} x {columns} x {columns} {dtype}, {len(models)} levels, zstd 1 and checksums"
        rows.append(
            Row(
                topic,
                name,
                cpu_ms,
                spread,
                cpu_ms / first,
                "slab",
                {"wall": gain, "GB/s": size / wall / 1e9},
                f"{size / wall / 1e6:.0f} MB/s",
            )
        )
    return rows


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--slabs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="disk to write to")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    every: list[Row] = []
    for dtype in ("float32", "uint16"):
        rows = measure(dtype, arguments.columns, arguments.slabs, arguments.rounds, arguments.folder)
        print(f"\n{rows[0].topic}\n{table(rows)}", flush=True)
        every += rows
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in every], indent=1) + "\n")


if __name__ == "__main__":
    main()
