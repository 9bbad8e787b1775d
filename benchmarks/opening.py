"""Opening and describing files of every size: what `tomarium info` takes once Python has imported it."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import h5py
import numpy as np
import tifffile

MOST_S = 0.5
ONE = """
import sys
from time import perf_counter
import tomarium as tm
from tomarium.formats import formats
from tomarium.formats.opening.summary import describe
from tomarium.errors import TomariumError
formats()
start = perf_counter()
try:
    told = len(describe(tm.open(sys.argv[1])))
except TomariumError as refused:
    told = len(str(refused))
assert told
print(perf_counter() - start)
"""


def long_scan(path: Path) -> None:
    """Write a scan of 20 000 frames, each a chunk of its own."""
    with h5py.File(path, "w") as file:
        file["implements"] = "exchange"
        data = file.create_dataset("exchange/data", (20_000, 32, 32), "u2", chunks=(1, 32, 32))
        for number in range(data.shape[0]):
            data.id.write_direct_chunk((number, 0, 0), bytes(2048))
        _angles(file, 20_000)


def large_scan(path: Path) -> None:
    """Write a scan that claims 200 GB in one piece; the disk holds its holes as nothing."""
    with h5py.File(path, "w") as file:
        file["implements"] = "exchange"
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((16_384, 2048, 3000))
        group = file.create_group("exchange")
        h5py.h5d.create(group.id, b"data", h5py.h5t.NATIVE_UINT16, space, plist)
        _angles(file, 16_384)


def _angles(file: h5py.File, count: int) -> None:
    file["exchange/theta"] = np.linspace(0, 180, count)
    file["exchange/theta"].attrs["units"] = "deg"
    shape = file["exchange/data"].shape[1:]
    for name in ("data_white", "data_dark"):
        file.create_dataset(f"exchange/{name}", data=np.ones((4, *shape), "u2"))


def many_datasets(path: Path) -> None:
    """Write 90 000 datasets that are no scan."""
    with h5py.File(path, "w") as file:
        for outer in range(300):
            group = file.create_group(f"g{outer}")
            for inner in range(300):
                group[f"d{inner}"] = inner


def many_entries(path: Path) -> None:
    """Write an NXtomo file of 60 scans."""
    with h5py.File(path, "w") as file:
        for number in range(60):
            entry = file.create_group(f"entry{number:04d}")
            entry.attrs["NX_class"] = "NXentry"
            entry["definition"] = "NXtomo"
            detector = entry.create_group("instrument/detector")
            detector.attrs["NX_class"] = "NXdetector"
            detector["data"] = np.ones((20, 8, 8), "u2")
            detector["image_key"] = np.r_[1, 2, np.zeros(18, int)]
            entry["sample/rotation_angle"] = np.linspace(0, 180, 20)
            entry["sample/rotation_angle"].attrs["units"] = "deg"


def many_pages(path: Path) -> None:
    """Write a BigTIFF of 20 000 pages."""
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for _ in range(20_000):
            writer.write(np.ones((16, 16), "u2"), photometric="minisblack")


def many_files(path: Path) -> None:
    """Write a folder of 5 000 TIFF files."""
    path.mkdir()
    tifffile.imwrite(path / "t_00000.tif", np.ones((16, 16), "u2"))
    content = (path / "t_00000.tif").read_bytes()
    for number in range(1, 5_000):
        (path / f"t_{number:05d}.tif").write_bytes(content)


FILES: dict[str, Callable[[Path], None]] = {
    "Data Exchange, 20 000 chunks.h5": long_scan,
    "Data Exchange, 200 GB.h5": large_scan,
    "HDF5, 90 000 datasets.h5": many_datasets,
    "NXtomo, 60 scans.nx": many_entries,
    "BigTIFF, 20 000 pages.tif": many_pages,
    "folder, 5 000 TIFF files": many_files,
}


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"\n| opened and described | seconds | of {MOST_S:g} s |\n| --- | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for name, write in FILES.items():
            path = Path(folder) / name
            write(path)
            taken = median(
                float(
                    subprocess.run([sys.executable, "-c", ONE, path], check=True, capture_output=True).stdout
                )
                for _ in range(rounds)
            )
            print(f"| {Path(name).stem} | {taken:.2f} | {taken / MOST_S:.0%} |", flush=True)


if __name__ == "__main__":
    main()
