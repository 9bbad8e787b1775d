"""Writing a volume slab by slab: .vol and TIFF beside the same bytes written one after the other."""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from contest import Row, in_turns, middle, table
from numpy.typing import NDArray

from tomarium.formats import formats
from tomarium.model import Axis, Volume

DEPTH = 16


def plain(path: Path, slabs: list[NDArray[np.float32]]) -> None:
    """Write the bytes and nothing else."""
    with path.open("wb", buffering=0) as stream:
        for slab in slabs:
            stream.write(slab.data.cast("B"))


@dataclass(frozen=True)
class Slabs:
    """Slabs in memory as one array of three axes."""

    slabs: list[NDArray[np.float32]]

    @property
    def shape(self) -> tuple[int, ...]:
        """Slices, rows, columns."""
        return (DEPTH * len(self.slabs), *self.slabs[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Type of a voxel."""
        return self.slabs[0].dtype

    def __getitem__(self, key: slice) -> NDArray[np.float32]:
        """Take whole slabs."""
        chosen = self.slabs[key.start // DEPTH : -(-key.stop // DEPTH)]
        whole = chosen[0] if len(chosen) == 1 else np.concatenate(chosen)
        return whole[key.start % DEPTH :][: key.stop - key.start]


def write_as(form: str, path: Path, slabs: list[NDArray[np.float32]]) -> None:
    """Write slabs as a volume of a format."""
    write = formats()[form].write
    assert write is not None
    write(path, Volume(Slabs(slabs), tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx"), "1/cm", "v"))


def as_vol(path: Path, slabs: list[NDArray[np.float32]]) -> None:
    """Write `.vol` with the true extremes and the bounds in its `.info`."""
    write_as("pyhst-volume", path, slabs)


def as_tiff(path: Path, slabs: list[NDArray[np.float32]]) -> None:
    """Write one TIFF with the range ImageJ shows."""
    write_as("tiff-volume", path, slabs)


def by_tifffile(path: Path, slabs: list[NDArray[np.float32]]) -> None:
    """Write the same stack with tifffile, page by page from an iterator."""
    import tifffile

    shape = (DEPTH * len(slabs), *slabs[0].shape[1:])
    pages = (page for slab in slabs for page in slab)
    tifffile.imwrite(path, pages, shape=shape, dtype=np.float32, imagej=True, metadata={"unit": "um"})


def measure(columns: int, slab_count: int, rounds: int, folder: Path) -> list[Row]:
    """Time each writer, in turns; `wall` is the rate in wall time over the plain one's, so above 0.8 is wanted."""
    random = np.random.default_rng(0)
    slabs = [random.normal(size=(DEPTH, columns, columns)).astype(np.float32) for _ in range(slab_count)]
    ways = {"plain bytes": plain, ".vol": as_vol, "TIFF": as_tiff, "tifffile": by_tifffile}
    walls: dict[str, list[float]] = {name: [] for name in ways}

    def run(name: str) -> Callable[[], None]:
        def once() -> None:
            place = Path(tempfile.mkdtemp(dir=folder))
            start = perf_counter()
            ways[name](place / ("v.vol" if name == ".vol" else "v.tif"), slabs)
            walls[name].append(perf_counter() - start)
            shutil.rmtree(place)

        return once

    taken = in_turns({name: run(name) for name in ways}, rounds)
    size = sum(slab.nbytes for slab in slabs)
    rows: list[Row] = []
    for name in ways:
        cpu_ms, spread = middle(taken[name], slab_count)
        wall = median(walls[name][1:])
        share = median(walls["plain bytes"][1:]) / wall
        first = rows[0].cpu_ms if rows and rows[0].cpu_ms else cpu_ms
        note = f"{size / wall / 1e9:.2f} GB/s"
        topic = f"writing {size / 1e6:.0f} MB of float32 in slabs of {slabs[0].nbytes / 1e6:.0f} MB"
        rows.append(Row(topic, name, cpu_ms, spread, cpu_ms / first, "slab", {"wall": share}, note))
    return rows


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--slabs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="disk to write to")
    arguments = parser.parse_args()
    rows = measure(arguments.columns, arguments.slabs, arguments.rounds, arguments.folder)
    print(f"{rows[0].topic}\n{table(rows)}")


if __name__ == "__main__":
    main()
