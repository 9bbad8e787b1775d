"""A whole run beside the engine alone on the same sinograms: what reading, correcting and writing cost on top.

1000 projections of 128 x 2048, packed frame by frame with bitshuffle and LZ4, to OME-Zarr. Prints seconds, processor
seconds, page faults and the ratio of the run to the engine; `--slab-rows` and `--workers` try other ways to cut.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ANGLES, ROWS, COLUMNS = 1000, 128, 2048


def make_scan(path: Path) -> None:
    import h5py
    import hdf5plugin

    draw = np.random.default_rng(0)
    u = np.arange(COLUMNS) - 1023.5
    theta = np.arange(ANGLES) * np.pi / ANGLES
    with h5py.File(path, "w") as file:
        packed = hdf5plugin.Bitshuffle(cname="lz4")
        shape, chunk = (ANGLES, ROWS, COLUMNS), (1, ROWS, COLUMNS)
        data = file.create_dataset("exchange/data", shape, "u2", chunks=chunk, compression=packed)
        for k, angle in enumerate(theta):
            chord = 2 * np.sqrt(np.clip(600.0**2 - (u - 200 * np.cos(angle)) ** 2, 0, None))
            mean = 100 + 8000 * np.exp(-1e-3 * chord)
            data[k] = draw.poisson(np.broadcast_to(mean, (ROWS, COLUMNS)))
        file["exchange/data_white"] = draw.poisson(8100.0, (10, ROWS, COLUMNS)).astype("u2")
        file["exchange/data_dark"] = draw.poisson(100.0, (10, ROWS, COLUMNS)).astype("u2")
        file["exchange/theta"] = np.degrees(theta)


def told(began: float, before: resource.struct_rusage) -> dict[str, float]:
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": time.perf_counter() - began,
        "user": after.ru_utime - before.ru_utime,
        "system": after.ru_stime - before.ru_stime,
        "faults": after.ru_minflt - before.ru_minflt,
        "peak_mb": after.ru_maxrss / 1024,
    }


def engine(path: Path) -> dict[str, float]:
    import tomarium as tm

    scan = tm.open(path)
    rows = slice(0, ROWS)
    sinograms = scan.projections.read(slice(0, ANGLES), rows).astype(np.float32)
    # Attenuation, as the run hands it on: of raw counts the engine would take every view for truncated.
    sinograms -= 100
    np.clip(sinograms, 1, None, out=sinograms)
    sinograms /= 8000
    np.log(sinograms, out=sinograms)
    np.negative(sinograms, out=sinograms)
    angles = scan.angles_deg.value
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    tm.fbp(sinograms, angles, 1023.5)
    return told(began, before)


def whole(path: Path, folder: Path, slab_rows: int | None, workers: int | None) -> dict[str, float]:
    import zarr  # noqa: F401  imports count in neither figure

    import tomarium as tm
    from tomarium.executors import find_executor
    from tomarium.pipeline.plan.resources import measure
    from tomarium.pipeline.protocol.protocol import default_protocol
    from tomarium.pipeline.run.runner import run

    scan = tm.open(path, axis_column=1023.5)
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    resources = measure(folder, None, workers) if workers else measure(folder)
    mapper = find_executor("threads").map
    outcome = run(scan, default_protocol(), folder, resources, slab_rows=slab_rows, mapper=mapper)
    found = told(began, before)
    return found | {"slab_rows": outcome.plan.slab_rows, "workers": outcome.plan.workers,
                    **outcome.provenance["timings_s"]}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slab-rows", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=["engine", "whole"])
    parser.add_argument("--scan", type=Path)
    given = parser.parse_args()
    if given.only:
        with tempfile.TemporaryDirectory() as folder:
            made = (
                engine(given.scan)
                if given.only == "engine"
                else whole(given.scan, Path(folder) / "record", given.slab_rows, given.workers)
            )
            print(json.dumps(made))
        return
    with tempfile.TemporaryDirectory() as home:
        path = given.scan or Path(home) / "scan.h5"
        if not path.exists():
            make_scan(path)
        words = [sys.executable, __file__, "--scan", str(path)]
        more = [f"--slab-rows={given.slab_rows}"] if given.slab_rows else []
        more += [f"--workers={given.workers}"] if given.workers else []
        best: dict[str, float] = {}
        for _ in range(given.repeat):
            for what in ("engine", "whole"):
                out = subprocess.run(
                    [*words, *more, "--only", what], capture_output=True, text=True, check=True
                )
                found = json.loads(out.stdout)
                print(what, {name: round(value, 2) for name, value in found.items()})
                best[what] = min(best.get(what, 1e9), found["seconds"])
        print(f"a whole run takes {best['whole'] / best['engine']:.2f} times the engine alone "
              f"({best['whole']:.2f} s and {best['engine']:.2f} s, the least of {given.repeat})")  # fmt: skip
        shutil.rmtree(Path(home) / "record", ignore_errors=True)


if __name__ == "__main__":
    main()
