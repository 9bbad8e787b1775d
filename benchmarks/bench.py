"""Run every benchmark that the page of performance shows, one after the other, and write that page.

    python benchmarks/bench.py
    python benchmarks/bench.py --only engines,steps
    python benchmarks/bench.py --quick

Each topic is a script of this folder in a process of its own. Its figures go to `benchmarks/results/TOPIC.json` with
the processor, the versions and the load of the machine before it began; `performance_page.py` makes
`docs/reference/performance.md` of all that lie there. Nothing else should run meanwhile. A topic that does not end
within its time is stopped, and what no time is left for is left out: both are said, and their old figures stay.
`--quick` tries everything at small sizes in some minutes; its figures mean nothing and go to `build/bench`.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import performance_page

HERE = Path(__file__).parent
RESULTS = HERE / "results"
QUICK_RESULTS = HERE.parent / "build" / "bench"
PACKAGES = (
    "tomarium",
    "numpy",
    "ducc0",
    "finufft",
    "astra-toolbox",
    "algotom",
    "scikit-image",
    "h5py",
    "zarr",
)


@dataclass(frozen=True)
class Topic:
    """A script, its options and those of `--quick`, seconds after which it is stopped, options of a slow machine."""

    name: str
    words: tuple[str, ...]
    quick: tuple[str, ...]
    most_s: float
    slow: tuple[str, ...] = ()


TOPICS = (
    Topic("engines", ("run.py",), ("run.py", "--quick", "--rounds=2"), 480, ("--rounds=3",)),
    Topic(
        "steps", ("steps_speed.py",), ("steps_speed.py", "--columns=256", "--views=180", "--rounds=2"), 120,
        ("--rounds=3",),
    ),
    Topic(
        "iterative", ("iterative_speed.py",), ("iterative_speed.py", "--size=256", "--views=180"), 120,
        ("--rounds=3",),
    ),
    Topic("reading", ("reading.py", "--rounds=3"), ("reading.py", "--columns=256", "--frames=8", "--rounds=2"), 60),
    Topic(
        "writing", ("zarr_writing.py", "--rounds=3"),
        ("zarr_writing.py", "--columns=256", "--slabs=2", "--rounds=2"), 90,
    ),
    Topic(
        "whole_run", ("whole_run.py",),
        ("whole_run.py", "--views=200", "--rows=32", "--columns=512", "--repeat=1", "--gigabytes=0.1"), 400,
        ("--repeat=2",),
    ),
    Topic(
        "first_look", ("first_look.py",), ("first_look.py", "--gigabytes=0.1", "--columns=512", "--rounds=2"), 240,
        ("--rounds=3",),
    ),
    Topic("growth", ("growth.py",), ("growth.py", "--quick"), 240, ("--rounds=2",)),
    Topic("memory", ("memory.py", "--gigabytes=4", "--views=200"), ("memory.py", "--gigabytes=0.2", "--views=50"), 120),
)  # fmt: skip
SLOW_MS = 30
"""Processor time of a slice above which a machine is slow: rounds are fewer there, and are given more time."""


def slice_ms() -> float:
    """Reconstruct a few slices of 2048 columns from 1500 projections; processor time of one, the second time."""
    import numpy as np

    from tomarium.kernels.fbp import fbp

    chord = np.sqrt(np.clip(0.7 - np.linspace(-1, 1, 2048) ** 2, 0, None)).astype(np.float32)
    stack = np.broadcast_to(chord, (1500, 32, 2048)).copy()
    for _ in range(2):
        began = time.process_time()
        fbp(stack, np.arange(1500) * 0.12, 1023.5, padding="zero", threads=1)
        taken = time.process_time() - began
    return 1e3 * taken / stack.shape[1]


def machine() -> dict[str, Any]:
    """Processor, cores, memory and versions; no name of the machine."""
    try:
        told = Path("/proc/cpuinfo").read_text()
        processor = next(line.split(":", 1)[1].strip() for line in told.splitlines() if "model name" in line)
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    from tomarium.array import processors
    from tomarium.kernels.engines import engines

    return {
        "processor": processor,
        "processors": processors(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.system(),
        "python": platform.python_version(),
        "engine": engines()["native"].why,
        "versions": versions,
    }


def run_topic(topic: Topic, words: tuple[str, ...], seconds: float, results: Path) -> str:
    """Run one and keep its figures; return what went wrong, or nothing."""
    load = os.getloadavg()[0]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "figures.json"
        command = [sys.executable, str(HERE / words[0]), *words[1:], "--json", str(made)]
        environment = os.environ | {"OMP_WAIT_POLICY": "passive", "PYTHONUNBUFFERED": "1"}
        # Users keep bytecode and take all processors; a setting of development would count as time.
        for name in ("PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS"):
            environment.pop(name, None)
        process = subprocess.Popen(command, env=environment, start_new_session=True)
        try:
            status = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return f"stopped after {seconds:.0f} s"
        finally:  # the processes that it started, too
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        if status or not made.exists():
            return f"failed with status {status}"
        figures = json.loads(made.read_text())
    told = {
        "topic": topic.name,
        "command": f"python benchmarks/bench.py --only {topic.name}",
        "script": " ".join(["python", f"benchmarks/{words[0]}", *words[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(time.perf_counter() - began, 1),
        "load_before": round(load, 2),
        "machine": machine(),
        "figures": figures,
    }
    results.mkdir(parents=True, exist_ok=True)
    (results / f"{topic.name}.json").write_text(
        json.dumps(shortened(told), indent=1) + "\n", encoding="utf-8"
    )
    return ""


def shortened(value: Any) -> Any:
    """Round to five digits: no clock tells more."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: shortened(one) for key, one in value.items()}
    return [shortened(one) for one in value] if isinstance(value, list) else value


def chosen(only: str | None) -> list[Topic]:
    if only is None:
        return list(TOPICS)
    names = only.split(",")
    unknown = sorted(set(names) - {topic.name for topic in TOPICS})
    if unknown:
        sys.exit(
            f"there is no topic {', '.join(unknown)}; choose from {', '.join(one.name for one in TOPICS)}"
        )
    return [topic for topic in TOPICS if topic.name in names]


def main() -> int:
    """Run the topics and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", metavar="TOPIC[,TOPIC]", help=f"some of {', '.join(one.name for one in TOPICS)}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, into build/bench; no page is changed"
    )
    parser.add_argument("--minutes", type=float, default=18.0, help="time for all of it")
    parser.add_argument("--results", type=Path, help="folder of the figures")
    given = parser.parse_args()
    results = given.results or (QUICK_RESULTS if given.quick else RESULTS)
    page = results / "performance.md" if given.quick else performance_page.PAGE
    began, wrong = time.perf_counter(), []
    topics = chosen(given.only)
    slow = not given.quick and (pace := slice_ms()) > SLOW_MS
    if slow:
        print(f"a slice takes {pace:.0f} ms of processor time here, more than {SLOW_MS}: fewer rounds")
    for number, topic in enumerate(topics, start=1):
        spent = time.perf_counter() - began
        left = 60 * given.minutes - spent
        print(f"\n== {number} of {len(topics)}: {topic.name}, {spent / 60:.1f} min spent ==", flush=True)
        if left < 10:
            told = f"left out: the {given.minutes:g} minutes are spent"
        else:
            words = topic.quick if given.quick else (*topic.words, *(topic.slow if slow else ()))
            told = run_topic(topic, words, min(topic.most_s * (2 if slow else 1), left), results)
        if told:
            print(f"{topic.name}: {told}", file=sys.stderr)
            wrong.append(f"{topic.name}: {told}")
    performance_page.write(results, page)
    print(f"\n{page}, after {(time.perf_counter() - began) / 60:.1f} min")
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
