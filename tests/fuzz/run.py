"""Give every target inputs for some minutes, and tell what was found: `make fuzz`, or this file with `--help`.

With atheris (group `fuzz` of pyproject.toml) inputs are led by the code they reach, without it they are changes of good
ones. What was read is counted in the folder, so that another run goes on from there.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from importlib.util import find_spec
from multiprocessing.process import BaseProcess
from pathlib import Path

TESTS = Path(__file__).parents[1]
os.environ["OMP_NUM_THREADS"] = "1"
sys.path[:0] = [str(TESTS)]

from fuzz.child import SHARED, Notes, run  # noqa: E402
from fuzz.targets import names as all_names  # noqa: E402

LONGEST_S = 5.0
START_S = 120.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="for all targets together; 60 by default")
    parser.add_argument("--target", action="append", help="only this one; may be given again")
    parser.add_argument("--engine", choices=("atheris", "own"), help="atheris where it is installed")
    parser.add_argument(
        "--folder", type=Path, default=Path("build/fuzz"), help="what is kept; build/fuzz by default"
    )
    parser.add_argument("--list", action="store_true", help="list the targets")
    asked = parser.parse_args()
    known = all_names()
    if asked.list:
        print("\n".join(known))
        return 0
    if unknown := set(asked.target or ()) - set(known):
        parser.error(f"there is no target {min(unknown)!r}; --list names them")
    engine = asked.engine or ("atheris" if find_spec("atheris") else "own")
    signal.signal(
        signal.SIGTERM, lambda *_told: sys.exit(143)
    )  # and the process that reads ends with this one
    names = asked.target or known
    ledger = asked.folder / "counts.json"
    asked.folder.mkdir(parents=True, exist_ok=True)
    counts = json.loads(ledger.read_text()) if ledger.exists() else {}
    print(f"{len(names)} targets, {asked.minutes:g} minutes, engine {engine}, {asked.folder}", flush=True)
    # Those that were read least come first, so that runs that are broken off reach all of them.
    for name in sorted(names, key=lambda one: counts.get(one, 0)):
        number, told = run_one(
            name, 60 * asked.minutes / len(names), engine, asked.folder, counts.get(name, 0)
        )
        counts[name] = counts.get(name, 0) + number
        ledger.write_text(json.dumps(counts, indent=1, sort_keys=True))
        found = len(list((asked.folder / "found" / name).glob("*.txt")))
        print(f"{name:28} {number:9} inputs, {counts[name]:10} in all, {found} found {told}", flush=True)
    total = sum(counts.values())
    found = sorted((asked.folder / "found").glob("*/*.txt"))
    print(f"{total} inputs in all; {len(found)} found{''.join(f'{chr(10)}  {one}' for one in found)}")
    return 1 if found else 0


def run_one(name: str, seconds: float, engine: str, folder: Path, seed: int) -> tuple[int, str]:
    """Give a target inputs; a process that dies or hangs is replaced, and its input kept."""
    left, total, told = seconds, 0, ""
    found = folder / "found" / name
    memory = (
        "/dev/shm" if Path("/dev/shm").is_dir() else None
    )  # files are written without end, and need no disk
    with tempfile.TemporaryDirectory(prefix="tomarium-fuzz-", dir=memory) as scratch:
        while left > 0:
            shared = Path(scratch) / "shared"
            shared.write_bytes(bytes(SHARED))
            notes = Notes(shared)
            told_it = (name, Path(scratch), seed + total + 1, engine, folder.absolute())
            child = multiprocessing.get_context("fork").Process(target=run, args=told_it)
            child.start()
            try:
                why, took = _watched(child, notes, left)
            finally:
                child.kill()
                child.join()
            count, _, content = notes.told()
            total += count
            left -= max(took, 0.1)
            if why:
                found.mkdir(parents=True, exist_ok=True)
                place = found / f"{why}-{seed + total}"
                place.write_bytes(content)
                shutil.copy(Path(scratch) / "log", place.with_suffix(".txt"))
                told += f"; {why}"
            if not count:
                break
    return total, told


def _watched(child: BaseProcess, notes: Notes, seconds: float) -> tuple[str, float]:
    """Wait for the end of the time, which begins with the first input; tell "crash" or "hang" where it came sooner."""
    last, since, begun = 0, time.monotonic(), None
    while True:
        child.join(0.2)
        code = child.exitcode
        now, (count, _, content) = time.monotonic(), notes.told()
        begun = now if begun is None and count else begun
        took = now - begun if begun is not None else 0.0
        if code is not None:
            return "crash" if code and (content or not count) else "", took
        if count != last:
            last, since = count, now
        hangs = now - since > (LONGEST_S if count else START_S)
        if took > seconds or hangs:
            return "hang" if hangs and content else "", took


if __name__ == "__main__":
    sys.exit(main())
