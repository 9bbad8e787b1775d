"""A whole run beside its parts alone: the engine on the same sinograms, reading, computing, writing.

1000 projections of 128 x 2048, packed frame by frame with bitshuffle and LZ4, to OME-Zarr in float32 with its pyramid.
Prints seconds, processor seconds, page faults and the ratios of the run to the engine, and to the longest of the parts;
`--slab-rows` and `--workers` try other ways to cut. Computing alone is the run from memory to memory.

A whole volume in uint16 within given limits, as `--output volume:zarr,uint16,LOW:HIGH` makes it, is reckoned from rows
in the middle of 1500 frames of 2048 x 2048, cut as the plan of all rows cuts them: one slab for each worker, and three.
What the second takes more is the time of its further rows; the rest is the start, which a volume has once: programs,
flats and darks, memory that the system clears. Both are read from the page cache and written to it; a disk that takes
less than what a run writes makes it longer.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from first_look import write_scan

SLAB = 32
"""Slices of a slab, as a run on two processors takes them."""
PARTS = ("engine", "reading", "computing", "writing", "whole")
SLABS = {"low": 1, "tall": 3}
"""Runs that a whole volume is reckoned from, and the slabs of each worker there."""
RINGS = {"low without rings": 1, "tall without rings": 3}
"""The same with the ring filter that `--step remove_stripes` is, by its default method."""


def make_scan(path: Path, views: int, rows: int, columns: int) -> None:
    import h5py
    import hdf5plugin

    draw = np.random.default_rng(0)
    u = np.arange(columns) - (columns - 1) / 2
    theta = np.arange(views) * np.pi / views
    with h5py.File(path, "w") as file:
        packed = hdf5plugin.Bitshuffle(cname="lz4")
        shape, chunk = (views, rows, columns), (1, rows, columns)
        data = file.create_dataset("exchange/data", shape, "u2", chunks=chunk, compression=packed)
        for k, angle in enumerate(theta):
            chord = 2 * np.sqrt(
                np.clip((0.3 * columns) ** 2 - (u - 0.1 * columns * np.cos(angle)) ** 2, 0, None)
            )
            mean = 100 + 8000 * np.exp(-2 / columns * chord)
            data[k] = draw.poisson(np.broadcast_to(mean, (rows, columns)))
        file["exchange/data_white"] = draw.poisson(8100.0, (10, rows, columns)).astype("u2")
        file["exchange/data_dark"] = draw.poisson(100.0, (10, rows, columns)).astype("u2")
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
    sinograms = scan.projections.read(slice(0, scan.shape[0]), slice(0, scan.shape[1])).astype(np.float32)
    # Attenuation, as the run hands it on: of raw counts the engine would take every view for truncated.
    sinograms -= 100
    np.clip(sinograms, 1, None, out=sinograms)
    sinograms /= 8000
    np.log(sinograms, out=sinograms)
    np.negative(sinograms, out=sinograms)
    angles = scan.angles_deg.value
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    tm.fbp(sinograms, angles, (scan.shape[2] - 1) / 2)
    return told(began, before)


def reading(path: Path) -> dict[str, float]:
    """Unpack all frames, as many rows at a time as a run takes."""
    import tomarium as tm

    scan = tm.open(path)
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    scan.projections.read(slice(0, scan.shape[0]), slice(0, scan.shape[1]))
    return told(began, before)


def computing(path: Path) -> dict[str, float]:
    """Flat field, logarithm and reconstruction, from memory to memory."""
    import zarr  # noqa: F401  imports count in no figure

    import tomarium as tm
    import tomarium.pipeline.run.reconstruct
    from tomarium.executors import find_executor

    scan = tm.open(path)
    whole = tm.scan_of_arrays(
        np.asarray(scan.projections), scan.angles_deg.value, flats=np.asarray(scan.flats.frames),
        darks=np.asarray(scan.darks.frames), axis_column=(scan.shape[2] - 1) / 2,
    )  # fmt: skip
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    tm.reconstruct(whole, mapper=find_executor("threads").map)
    return told(began, before)


def writing(path: Path, folder: Path) -> dict[str, float]:
    """Write slices of noise, two slabs at a time, with the pyramid."""
    import zarr  # noqa: F401

    import tomarium as tm
    from tomarium.array import processors
    from tomarium.formats.zarr.writer import create

    rows, columns = tm.open(path).shape[1:]
    place = np.linspace(-1, 1, columns)
    slab = np.random.default_rng(0).normal(1, 0.1, (SLAB, columns, columns)).astype(np.float32)
    slab[:, place[:, None] ** 2 + place**2 > 1] = 0
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    shape = (rows, columns, columns)
    volume = create(folder / "v", shape, "float32", voxel_m=1e-6, slab_rows=SLAB, unit="1/cm", name="v")
    with ThreadPoolExecutor(processors()) as pool:
        list(pool.map(lambda z0: volume.write(z0, slab[: rows - z0]), range(0, rows, SLAB)))
    volume.finish()
    return told(began, before)


def whole(path: Path, folder: Path, slab_rows: int | None, workers: int | None) -> dict[str, float]:
    import zarr  # noqa: F401

    import tomarium as tm
    from tomarium.executors import find_executor
    from tomarium.pipeline.plan.resources import measure
    from tomarium.pipeline.protocol.protocol import default_protocol
    from tomarium.pipeline.run.runner import run

    scan = tm.open(path)
    scan = tm.open(path, axis_column=(scan.shape[2] - 1) / 2)
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    resources = measure(folder, None, workers) if workers else measure(folder)
    mapper = find_executor("threads").map
    outcome = run(scan, default_protocol(), folder, resources, slab_rows=slab_rows, mapper=mapper)
    found = told(began, before)
    return found | {"slab_rows": outcome.plan.slab_rows, "workers": outcome.plan.workers,
                    **outcome.provenance["timings_s"]}  # fmt: skip


def grey_range(path: Path) -> str:
    """Look at a slice in the middle of a scan for limits of its values, as a user does before a run: "LOW:HIGH"."""
    import tomarium as tm

    scan = tm.open(path)
    row, axis = scan.shape[1] // 2, (scan.shape[2] - 1) / 2
    data = np.asarray(tm.reconstruct(scan, ["flat_field", "fbp"], rows=row, axis_column=axis))[0]
    low, high = (float(value) for value in np.percentile(data, (0.01, 99.99)))
    return f"{low:.3g}:{high:.3g}"


def some_rows(path: Path, folder: Path, slabs: int, limits: str, steps: tuple[str, ...]) -> dict[str, float]:
    """Reconstruct rows in the middle of a scan, so many slabs for each worker, as the plan of all rows has them."""
    import zarr  # noqa: F401

    import tomarium as tm
    from tomarium.catalogue.export import parse_export, with_own_volume
    from tomarium.executors import find_executor
    from tomarium.pipeline.plan.planner import plan
    from tomarium.pipeline.plan.resources import measure
    from tomarium.pipeline.protocol.choice import Choice
    from tomarium.pipeline.run.runner import run

    scan = tm.open(path)
    height = scan.shape[1]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    scan = tm.open(path, axis_column=(scan.shape[2] - 1) / 2)
    resources = measure(folder)
    chain = Choice(steps=steps).protocol(scan.domain)
    protocol, _ = with_own_volume(chain, [parse_export(f"volume:zarr,uint16,{limits}")])
    chosen = plan(protocol, scan, resources)
    section, slab = chosen.sections[-1], chosen.slab_rows
    wanted = min(height, slabs * section.workers * slab)
    first = (height - wanted) // 2

    def as_planned(task: Any, cuts: Any, _: int) -> Any:
        """Few rows are not worth as many workers as all are; here they have them nonetheless."""
        return find_executor("threads").map(replace(task, threads=section.threads), cuts, section.workers)

    run(scan, protocol, folder, resources, rows=slice(first, first + wanted), slab_rows=slab,
        mapper=as_planned)  # fmt: skip
    return told(began, before) | {
        "rows": wanted, "height": height, "slab_rows": slab, "workers": section.workers,
    }  # fmt: skip


def one(what: str, path: Path, slab_rows: int | None, workers: int | None, limits: str) -> dict[str, float]:
    """Run a part in this process."""
    with tempfile.TemporaryDirectory() as folder:
        match what:
            case "engine":
                return engine(path)
            case "reading":
                return reading(path)
            case "computing":
                return computing(path)
            case "writing":
                return writing(path, Path(folder))
            case _ if what in SLABS or what in RINGS:
                steps = ("remove_stripes",) if what in RINGS else ()
                return some_rows(path, Path(folder) / "record", (SLABS | RINGS)[what], limits, steps)
            case _:
                return whole(path, Path(folder) / "record", slab_rows, workers)


def ratios(taken: dict[str, list[dict[str, float]]], views: int, rows: int, columns: int) -> dict[str, Any]:
    """Medians, and the run beside its parts; each round's ratio is of figures that were taken side by side."""
    seconds = {what: [one["seconds"] for one in rounds] for what, rounds in taken.items()}
    parts = [max(some) for some in zip(*(seconds[what] for what in PARTS[1:4]), strict=True)]
    return {
        "views": views,
        "rows": rows,
        "columns": columns,
        "seconds": {what: median(values) for what, values in seconds.items()},
        "spread": {what: (max(values) - min(values)) / median(values) for what, values in seconds.items()},
        "faults": {what: median(one["faults"] for one in rounds) for what, rounds in taken.items()},
        "peak_mb": {what: median(one["peak_mb"] for one in rounds) for what, rounds in taken.items()},
        "to_engine": median(a / b for a, b in zip(seconds["whole"], seconds["engine"], strict=True)),
        "to_longest_part": median(a / b for a, b in zip(seconds["whole"], parts, strict=True)),
    }


def reckoned(taken: dict[str, list[dict[str, float]]], views: int) -> dict[str, Any]:
    """Seconds of a whole volume, by the start and the rows of runs of two heights."""
    names = list(taken)
    low, tall = ([one["seconds"] for one in taken[what]] for what in names)
    few, many = (int(taken[what][0]["rows"]) for what in names)
    row = median(b - a for a, b in zip(low, tall, strict=True)) / max(1, many - few)
    start, height = median(low) - few * row, int(taken[names[0]][0]["height"])
    return {
        "volume": [views, height],
        "volume_type": "uint16",
        "heights": [few, many],
        "height_s": [median(low), median(tall)],
        "height_spread": [(max(some) - min(some)) / median(some) for some in (low, tall)],
        "slab_rows": int(taken[names[0]][0]["slab_rows"]),
        "workers": int(taken[names[0]][0]["workers"]),
        "start_s": start,
        "row_s": row,
        "volume_s": start + height * row,
    }


def in_turn(
    path: Path, parts: tuple[str, ...], repeat: int, options: list[str]
) -> dict[str, list[dict[str, float]]]:
    """Run parts in turns, each in a process of its own."""
    taken: dict[str, list[dict[str, float]]] = {what: [] for what in parts}
    for turn in range(repeat):
        for what in parts[turn % len(parts) :] + parts[: turn % len(parts)]:
            words = [sys.executable, __file__, "--scan", str(path), *options, "--only", what]
            out = subprocess.run(words, capture_output=True, text=True, check=True)
            taken[what].append(json.loads(out.stdout))
            print(what, {name: round(value, 2) for name, value in taken[what][-1].items()}, flush=True)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slab-rows", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=(*PARTS, *SLABS, *RINGS))
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--limits", default="", metavar="LOW:HIGH", help="of the volume that is reckoned")
    parser.add_argument("--views", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--columns", type=int, default=2048)
    parser.add_argument(
        "--gigabytes", type=float, default=12.6, help="scan that a whole volume is reckoned for"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    given = parser.parse_args()
    if given.only and given.scan:
        print(json.dumps(one(given.only, given.scan, given.slab_rows, given.workers, given.limits)))
        return
    options = [f"--slab-rows={given.slab_rows}"] if given.slab_rows else []
    options += [f"--workers={given.workers}"] if given.workers else []
    with tempfile.TemporaryDirectory() as home:
        path, high = given.scan or Path(home) / "scan.h5", Path(home) / "high.h5"
        if not path.exists():
            make_scan(path, given.views, given.rows, given.columns)
        taken = in_turn(path, PARTS, given.repeat, options)
        found = ratios(taken, given.views, given.rows, given.columns)
        print(
            f"a whole run takes {found['to_engine']:.2f} times the engine alone, {found['to_longest_part']:.2f} times "
            f"the longest of reading, computing and writing alone (medians of {given.repeat})"
        )
        views = write_scan(high, given.gigabytes, given.columns)
        limits = [f"--limits={grey_range(high)}"]
        found |= reckoned(in_turn(high, tuple(SLABS), given.repeat, limits), views)
        found["rings"] = reckoned(in_turn(high, tuple(RINGS), given.repeat, limits), views)
    for what, volume in (("", found), (", with remove_stripes", found["rings"])):
        print(
            f"{views} projections of {volume['volume'][1]} rows{what}: {volume['start_s']:.1f} s and "
            f"{1e3 * volume['row_s']:.1f} ms a row, {volume['volume_s']:.0f} s in all, by runs of "
            f"{' and '.join(map(str, volume['heights']))} rows"
        )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
