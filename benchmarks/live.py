"""Readers beside a writer: no wrong frame, and what they cost the writer.

A plain h5py writer appends frames, flushes every 20 ms and keeps its file open; four other processes read it
all the while with `open_h5`. The writer's time for a frame is compared, in turns, with that of the same writer
alone, and beside as many readers of another, finished file: these share its processors and nothing else. Then a
`LiveWriter` is killed while it writes, and what it left is read.

python benchmarks/live.py --seconds 30 --readers 4
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROWS, COLUMNS = 128, 128


def frame(number: int) -> np.ndarray[Any, Any]:
    """A frame whose every pixel tells its number and its place."""
    return np.arange(ROWS * COLUMNS, dtype=np.uint32).reshape(ROWS, COLUMNS) + np.uint32(
        number * 1_000_003 % 2**32
    )


def write(path: Path, seconds: float, period_s: float, least: float = 0) -> None:
    """Append a frame, an angle and a flush each period; print how long each took, in ms of wall time.

    Where some frames are to be read at the least, it goes on until as many are written and all readers have ended.
    """
    import h5py

    took = []
    with h5py.File(path, "w") as file:
        chunks = (1, ROWS, COLUMNS)
        data = file.create_dataset(
            "entry/data", (0, ROWS, COLUMNS), "u4", maxshape=(None, ROWS, COLUMNS), chunks=chunks
        )
        angle = file.create_dataset("entry/angle", (0,), "f8", maxshape=(None,), chunks=(64,))
        file.flush()
        end, due, number = time.monotonic() + seconds, time.monotonic(), 0
        while time.monotonic() < end or number < least or (least and not _read_mark(path).exists()):
            content = frame(number)
            began, used = time.perf_counter(), time.process_time()
            data.resize(number + 1, axis=0)
            data[number] = content
            angle.resize(number + 1, axis=0)
            angle[number] = number / 8
            file.flush()
            took.append((time.perf_counter() - began, time.process_time() - used))
            number += 1
            due += period_s
            time.sleep(max(0.0, due - time.monotonic()))
    wall, used = (np.array(part) * 1e3 for part in zip(*took, strict=True))
    told = {"frames": number, "wall_ms": float(np.median(wall)), "cpu_ms": float(np.median(used))}
    print(json.dumps(told | {"wall_ms_p95": float(np.percentile(wall, 95))}))


def _read_mark(path: Path) -> Path:
    """The file that tells the writer that all readers have ended."""
    return path.with_suffix(".read")


def read(path: Path, seconds: float, seed: int, least: int = 0) -> None:
    """Read frames in any order until the time is over; count the right, the wrong and the refused.

    On a busy machine it goes on until so many are right, for ten minutes at most.
    """
    import tomarium as tm
    from tomarium.errors import TomariumError

    draw = np.random.default_rng(seed)
    told = {"right": 0, "wrong": 0, "refused": 0, "lag_frames": 0}
    opened, longest, begun = None, 0.0, time.monotonic()
    seen: list[str] = []
    while time.monotonic() < begun + (seconds if told["right"] >= least else 600.0):
        began = time.monotonic()
        try:
            opened = opened or tm.open_h5(path, "live")
            data, angle = opened["entry/data"], opened["entry/angle"]
            valid = min(data.valid_frames, angle.valid_frames)
            if not valid:
                continue
            number = valid - 1 if draw.random() < 0.5 else int(draw.integers(valid))
            good = np.array_equal(data[number], frame(number)) and angle[number] == number / 8
            told["right" if good else "wrong"] += 1
        except (TomariumError, KeyError) as problem:
            told["refused"] += 1
            seen = ([*seen, str(problem)])[-3:]
        longest = max(longest, time.monotonic() - began)
        time.sleep(float(draw.uniform(0.0, 0.05)))
    print(json.dumps(told | {"longest_s": longest, "said": seen}))


def write_live(path: Path) -> None:
    """Write with LiveWriter until killed."""
    import tomarium as tm

    writer = tm.LiveWriter(path, {"data": ((ROWS, COLUMNS), "u4")}, frames_per_file=7, publish_s=0.05)
    for number in range(10**6):
        writer.append({"data": frame(number)})
        print(writer.published, flush=True)


def start(*words: object) -> subprocess.Popen[str]:
    """Run one of the parts above in another process."""
    return subprocess.Popen([sys.executable, __file__, *map(str, words)], stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it printed."""
    text, _ = process.communicate()
    if process.returncode:
        sys.exit(f"a part of the benchmark ended with {process.returncode}")
    told: dict[str, Any] = json.loads(text)
    return told


def with_readers(
    path: Path, seconds: float, period_s: float, readers: int, read_path: Path, least: int = 0
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run the writer for a while with so many readers beside it."""
    writer = start("write", path, seconds, period_s, least)
    while not path.exists():
        time.sleep(0.01)
    share = -(-least // max(1, readers))
    running = [start("read", read_path, seconds - 0.5, number, share) for number in range(readers)]
    told = [answer(one) for one in running]
    _read_mark(path).touch()
    return answer(writer), told


def kill_a_live_writer(home: Path, after_s: float) -> dict[str, Any]:
    """Kill a LiveWriter with -9, and read what is left."""
    import tomarium as tm

    path = home / f"killed-{after_s:g}.h5"
    process = start("write_live", path)
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    text, _ = process.communicate()
    published = int(text.split("\n")[-2]) if "\n" in text else 0
    if not path.exists():
        return {"published": published, "readable": 0, "wrong": 0}
    data = tm.open_h5(path)["data"]
    wrong = sum(not np.array_equal(one, frame(number)) for number, one in enumerate(data[:]))
    return {"published": published, "readable": data.valid_frames, "wrong": wrong}


def main() -> None:
    """Run it all, or one part of it where another process of this file asks for that."""
    if len(sys.argv) > 1 and sys.argv[1] in ("write", "read", "write_live"):
        part, path, *numbers = sys.argv[1:]
        parts = {"write": write, "read": read, "write_live": write_live}
        values = [int(one) if part == "read" and place else float(one) for place, one in enumerate(numbers)]
        parts[part](Path(path), *values)
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="how long the writer runs beside its readers"
    )
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--period-ms", type=float, default=20.0, help="time from one flush to the next")
    parser.add_argument(
        "--turns",
        type=int,
        default=3,
        help="pieces into which the time is cut, in turns with the writer alone",
    )
    parser.add_argument(
        "--only-beside",
        action="store_true",
        help="leave out the writer that is alone, or whose readers read elsewhere, and with them the comparison",
    )
    parser.add_argument(
        "--least",
        type=int,
        default=0,
        help="go on until so many frames are written and so many reads are right",
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    compared = ("beside",) if arguments.only_beside else ("alone", "elsewhere", "beside")
    kinds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in compared}
    reads: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        finished = Path(name) / "finished.h5"
        if "elsewhere" in kinds:
            answer(start("write", finished, 2, arguments.period_ms / 1e3))
        for turn in range(arguments.turns):
            for kind, writers in kinds.items():
                path = Path(name) / f"{kind}-{turn}.h5"
                readers = 0 if kind == "alone" else arguments.readers
                period = (arguments.seconds / arguments.turns, arguments.period_ms / 1e3)
                source = path if kind == "beside" else finished
                written, told = with_readers(path, *period, readers, source, arguments.least)
                writers.append(written)
                reads += told if kind == "beside" else []
        killed = [kill_a_live_writer(Path(name), after) for after in (1.2, 1.53, 1.91)]
    figures: dict[str, Any] = {key: sum(one[key] for one in reads) for key in ("right", "wrong", "refused")}
    figures["longest_s"] = max(one["longest_s"] for one in reads)
    figures["frames"] = sum(one["frames"] for one in kinds["beside"])
    for figure in ("wall_ms", "cpu_ms", "wall_ms_p95"):
        taken = {kind: float(np.median([one[figure] for one in told])) for kind, told in kinds.items()}
        figures |= {f"{kind}_{figure}": value for kind, value in taken.items()}
        figures |= {
            f"to_{kind}_{figure}": taken["beside"] / taken[kind] for kind in kinds if kind != "beside"
        }
    figures["killed"] = killed
    figures["said"] = sorted({said for one in reads for said in one["said"]})[:5]
    for key, value in figures.items():
        print(f"{key:25s} {value:.4g}" if isinstance(value, float) else f"{key:25s} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
