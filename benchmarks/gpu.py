"""Test and measure the CUDA kernels where there is a GPU, and write docs/reference/performance.md.

    bash benchmarks/gpu.sh                        builds first
    python benchmarks/gpu.py --device 0
    python benchmarks/gpu.py --processor          tiny sizes on the processor, into build/bench

1. Every kernel against its twin of the processors, and gridding at full size against the compiled engine.
2. Every kernel by the events of the device: milliseconds, memory traffic beside that of a copy, sums in a second.
3. A whole volume from memory to memory, slab by slab: copied in, flat field, logarithm, fbp, copied out.
4. A run from disk to disk that goes over the GPU, beside one on the processors and beside writing alone.
5. ASTRA's filtered backprojection and projections by CUDA on the same sinograms, where it is installed.

What there is no time for is left out, and said. With `--processor` the same runs without a GPU, so that it is tried
before it meets one; the figures of that mean nothing and go to no page of the documentation.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tests")]

import performance_page
from bench import QUICK_RESULTS, RESULTS, machine, shortened
from gpu_kernels import (
    Clock,
    Sizes,
    Work,
    backprojections,
    copying,
    corrections,
    projections,
    random,
    task_of,
)

from tomarium.errors import EngineUnavailable
from tomarium.kernels.backprojection import gridding as native
from tomarium.kernels.cuda import kernels
from tomarium.kernels.cuda.modules import Modules, gpus, modules

FULL = Sizes(columns=2048, views=1500, rows=2048, slab=32)
TINY = Sizes(columns=24, views=16, rows=5, slab=4)


def twins(device: Modules) -> dict[str, str]:
    """Run every twin; return "well", or what differs."""
    from cuda_twins import TWINS

    told = {}
    for name, twin in TWINS.items():
        try:
            twin(device)
            told[name] = "well"
        except ImportError as why:
            told[name] = f"not run: {why}"
        except Exception as why:
            told[name] = f"{type(why).__name__}: {why}"[:300]
        print(f"{name:24} {told[name]}", flush=True)
    return told


def full_size(device: Modules, sizes: Sizes) -> dict[str, float]:
    """Gridding of two rows beside the compiled engine: root of the mean square of differences over that of values."""
    xp, n = device.xp, sizes.columns
    place = (np.arange(n) - sizes.axis) / (n / 2)
    chord = 2 * np.sqrt(np.clip(0.7 - place**2, 0, None)) + 0.01 * np.random.default_rng(2).normal(size=n)
    sinogram = np.ascontiguousarray(np.broadcast_to(chord, (sizes.views, 2, n)), np.float32)
    task, expected = task_of(sizes), np.empty((2, n, n), np.float32)
    native.backproject(sinogram, task, expected)
    tables, told = kernels.fbp_tables(device, task), {}
    for bits, half in ((32, False), (16, True)):
        out = xp.full(expected.shape, np.nan, np.float32)
        kernels.grid_fbp(device, xp.asarray(sinogram), tables, out, half=half)
        result = out if xp is np else out.get()
        told[f"{bits} bits"] = float(np.linalg.norm(result - expected) / np.linalg.norm(expected))
    return told


def kernel_rows(device: Modules, sizes: Sizes, rounds: int, until: float) -> list[dict[str, Any]]:
    """Time every kernel."""
    clock, rows = Clock(device.xp), []
    copy = copying(device, sizes)
    peak = copy.bytes / median(clock.milliseconds(copy.run, rounds)) / 1e6
    rows.append({"name": "a copy within the device's memory", "GB/s": peak})
    del copy
    for make in (corrections, backprojections, projections):
        works = make(device, sizes)
        while time.monotonic() < until:
            name = f"{make.__name__}: what follows"
            try:
                work = next(works, None)
                if work is None:
                    break
                name = work.name
                rows.append(row_of(work, clock.milliseconds(work.run, rounds), peak))
                del work
            except (
                Exception
            ) as why:  # of a driver, of memory, of a package: the others are measured all the same
                rows.append({"name": name, "note": f"{type(why).__name__}: {why}"[:200]})
                if name.endswith("what follows"):
                    break
            print(
                " ".join(
                    f"{value:.4g}" if isinstance(value, float) else str(value) for value in rows[-1].values()
                )
            )
        release(device)
    return rows


def row_of(work: Work, taken: list[float], peak: float) -> dict[str, Any]:
    """One line of the table."""
    middle = median(taken)
    row = {
        "name": work.name,
        "ms": middle,
        "spread": (max(taken) - min(taken)) / middle,
        "GB/s": work.bytes / middle / 1e6,
        "of copy": work.bytes / middle / 1e6 / peak,
    }
    return row | ({"GUPS": work.updates / middle / 1e6} if work.updates else {})


def release(device: Modules) -> None:
    """Give back what CuPy keeps of the device's memory."""
    if device.xp is not np:
        device.xp.get_default_memory_pool().free_all_blocks()
        device.xp.fft.config.get_plan_cache().clear()


def volume(device: Modules, sizes: Sizes, until: float) -> dict[str, Any]:
    """A volume by slabs; copies in, work and copies out overlap. Pinned memory of the host serves all slabs in turn."""
    xp, n = device.xp, sizes.columns
    streams = [stream(xp) for _ in range(3)]
    shapes = (sizes.views, sizes.slab, n), (sizes.slab, n, n)
    host = [(pinned(xp, shapes[0], np.uint16), pinned(xp, shapes[1], np.float32)) for _ in range(2)]
    for counts, _ in host:
        counts[...] = np.random.default_rng(3).integers(5000, 60000, counts.shape, np.uint16)
    there = [(xp.empty(shapes[0], np.uint16), xp.empty(shapes[1], np.float32)) for _ in range(2)]
    dark, flats = random(xp, shapes[0][1:]), 60000 + random(xp, (1, *shapes[0][1:]))
    lower, fraction = xp.zeros(sizes.views, np.int32), xp.zeros(sizes.views, np.float32)
    attenuation, tables = xp.empty(shapes[0], np.float32), kernels.fbp_tables(device, task_of(sizes))
    wait(xp)

    def slab(number: int) -> None:
        k = number % 2
        with streams[1]:
            streams[1].wait_event(copied_in[k])
            kernels.flat_log(device, there[k][0], dark, flats, lower, fraction, attenuation)
            kernels.grid_fbp(device, attenuation, tables, there[k][1])
            done[k] = streams[1].record()
        with streams[2]:
            streams[2].wait_event(done[k])
            copy_out(there[k][1], host[k][1], streams[2])
            copied_out[k] = streams[2].record()

    def copy_in(number: int) -> None:
        k = number % 2
        with streams[0]:
            streams[0].wait_event(done[k])
            streams[0].wait_event(copied_out[k])
            copy_in_to(there[k][0], host[k][0], streams[0])
            copied_in[k] = streams[0].record()

    copied_in, done, copied_out = ([one.record() for one in streams[:2]] for _ in range(3))
    slabs = -(-sizes.rows // sizes.slab)
    for turn in ("warm", "timed"):
        if xp is np and turn == "warm":
            continue
        count = slabs if turn == "timed" else min(2, slabs)
        begin = time.monotonic()
        copy_in(0)
        for number in range(count):
            if number + 1 < count:
                copy_in(number + 1)
            slab(number)
            if time.monotonic() > until:
                return {"note": f"stopped after {number + 1} of {slabs} slabs, when the time was spent"}
        wait(xp)
        seconds = time.monotonic() - begin
    moved = slabs * (host[0][0].nbytes + host[0][1].nbytes)
    return {"seconds": seconds, "slabs": slabs, "GB moved": moved / 1e9, "columns": n, "rows": sizes.rows,
            "views": sizes.views}  # fmt: skip


def disk_to_disk(sizes: Sizes, on: str, rounds: int) -> dict[str, Any]:
    """Runs of a packed scan of a few rows, over the GPU and without it, beside writing their volume alone."""
    import whole_run

    import tomarium as tm
    from tomarium.executors import find_executor
    from tomarium.pipeline.plan.resources import measure as measure_resources
    from tomarium.pipeline.protocol.protocol import default_protocol
    from tomarium.pipeline.run.runner import run

    rows, taken = (
        min(sizes.rows, 2 * sizes.slab),
        {"over the GPU": [], "on the processors": [], "writing": []},
    )
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "scan.h5"
        whole_run.make_scan(path, sizes.views, rows, sizes.columns)
        scan = tm.open(path, axis_column=(sizes.columns - 1) / 2)

        def once(device: str, number: int) -> float:
            folder = Path(home) / f"{device}-{number}"
            begin = time.monotonic()
            run(scan, default_protocol(), folder, measure_resources(folder, on=device),
                mapper=find_executor("threads").map)  # fmt: skip
            return time.monotonic() - begin

        once(on, -1)  # kernels are compiled
        for number in range(rounds):
            taken["over the GPU"].append(once(on, number))
            taken["on the processors"].append(once("none", rounds + number))
            folder = Path(home) / f"writing-{number}"
            folder.mkdir()
            taken["writing"].append(whole_run.writing(path, folder)["seconds"])
    seconds = {name: median(each) for name, each in taken.items()}
    return {"rows": rows, **seconds, "to writing": seconds["over the GPU"] / seconds["writing"]}


class Now:
    """Stands for a stream on the processor: everything is done at once."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def record(self) -> None: ...

    def wait_event(self, event: object) -> None: ...


def stream(xp: Any) -> Any:
    return Now() if xp is np else xp.cuda.Stream(non_blocking=True)


def pinned(xp: Any, shape: tuple[int, ...], kind: Any) -> Any:
    """An array of the host that the device copies from and to by itself."""
    count = int(np.prod(shape))
    if xp is np:
        return np.empty(shape, kind)
    memory = xp.cuda.alloc_pinned_memory(count * np.dtype(kind).itemsize)
    return np.frombuffer(memory, kind, count).reshape(shape)


def copy_in_to(array: Any, given: Any, at: Any) -> None:
    if isinstance(array, np.ndarray):
        np.copyto(array, given)
    else:
        array.set(given, stream=at)


def copy_out(array: Any, to: Any, at: Any) -> None:
    if isinstance(array, np.ndarray):
        np.copyto(to, array)
    else:
        array.get(stream=at, out=to, blocking=False)


def wait(xp: Any) -> None:
    if xp is not np:
        xp.cuda.Device().synchronize()


def beside_astra(sizes: Sizes, rounds: int, on_device: bool) -> list[dict[str, Any]]:
    """ASTRA's CUDA algorithms on sinograms of one row, from the host's memory to the host's."""
    try:
        import astra
    except ImportError as why:
        return [{"name": "ASTRA", "note": f"not installed: {why}"}]
    if not on_device or not astra.use_cuda():
        return [{"name": "ASTRA", "note": "it finds no GPU"}]
    n = sizes.columns
    area = astra.create_vol_geom(n, n)
    rays = astra.create_proj_geom("parallel", 1.0, n, np.deg2rad(sizes.angles))
    sinogram = np.random.default_rng(4).random((sizes.views, n), np.float32)
    data, image = astra.data2d.create("-sino", rays, sinogram), astra.data2d.create("-vol", area)
    rows = []
    for name, extra in (
        ("FBP_CUDA", {"ReconstructionDataId": image}),
        ("BP_CUDA", {"ReconstructionDataId": image}),
        ("FP_CUDA", {"VolumeDataId": image}),
    ):
        algorithm = astra.algorithm.create(astra.astra_dict(name) | {"ProjectionDataId": data} | extra)

        def run(algorithm: int = algorithm) -> None:
            astra.algorithm.run(algorithm)

        taken = [timed(run) for _ in range(rounds + 1)][1:]
        rows.append({"name": f"ASTRA {astra.__version__}, {name}, a slice", "ms": median(taken),
                     "spread": (max(taken) - min(taken)) / median(taken)})  # fmt: skip
        astra.algorithm.delete(algorithm)
    return rows


def timed(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - begin)


def measure(device: Modules, sizes: Sizes, rounds: int, seconds: float, number: int | None) -> dict[str, Any]:
    """Everything, in the order in which it matters."""
    until = time.monotonic() + seconds
    on_device = number is not None
    figures: dict[str, Any] = {"twins": twins(device)}
    for name, what in (
        ("full size", lambda: full_size(device, sizes)),
        ("volume", lambda: volume(device, sizes, until)),
        ("kernels", lambda: kernel_rows(device, sizes, rounds, until)),
        ("disk to disk", lambda: disk_to_disk(sizes, str(number) if on_device else "none", min(rounds, 3))),
        ("astra", lambda: beside_astra(sizes, rounds, on_device)),
    ):
        if time.monotonic() > until:
            figures[name] = {"note": "left out: the time was spent"}
            continue
        try:
            figures[name] = what()
        except Exception as why:  # what was measured before is kept
            figures[name] = {"note": f"{type(why).__name__}: {why}"[:300]}
        release(device)
        print(f"{name}: {figures[name]}", flush=True)
    return figures


def main(words: list[str] | None = None) -> int:
    """Measure, and write figures and page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", type=int, default=0, help="number of the GPU")
    parser.add_argument("--processor", action="store_true", help="tiny sizes without a GPU")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=480.0, help="time after which nothing more is begun")
    parser.add_argument("--results", type=Path, help="folder of the figures")
    given = parser.parse_args(words)
    results = given.results or (QUICK_RESULTS if given.processor else RESULTS)
    began, load = time.monotonic(), os.getloadavg()[0]
    if given.processor:
        from cuda_on_processor import OnProcessor, why_not

        if why_not():
            print(why_not())
            return 0
        device, sizes, told = OnProcessor(), TINY, {"name": "the processor, no GPU"}
    else:
        try:
            device, sizes = modules(given.device), FULL
        except EngineUnavailable as why:
            print(f"{why}\nThe paths of this script can be tried with --processor.", file=sys.stderr)
            return 2
        device.xp.cuda.Device(given.device).use()
        one = gpus()[given.device]
        told = {"name": one.name, "architecture": one.architecture, "memory_bytes": one.memory, "driver": one.driver,
                "cupy": device.xp.__version__}  # fmt: skip
    rounds, number = (1, None) if given.processor else (given.rounds, given.device)
    figures = measure(device, sizes, rounds, given.seconds, number)
    kept = {
        "topic": "gpu", "command": "bash benchmarks/gpu.sh", "script": "python benchmarks/gpu.py",
        "date": datetime.now(UTC).date().isoformat(), "seconds": round(time.monotonic() - began, 1),
        "load_before": round(load, 2), "machine": machine(), "figures": {"device": told} | figures,
    }  # fmt: skip
    results.mkdir(parents=True, exist_ok=True)
    (results / "gpu.json").write_text(json.dumps(shortened(kept), indent=1) + "\n", encoding="utf-8")
    performance_page.write(
        results, results / "performance.md" if results != RESULTS else performance_page.PAGE
    )
    print(f"{results / 'gpu.json'}, after {(time.monotonic() - began) / 60:.1f} min")
    return 0 if all(one in ("well",) or one.startswith("not run") for one in figures["twins"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
