"""Compiles the shim, sweeps scenarios, and says of each step what is wrong with what was left (`make faults`)."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KINDS = {"k": "killed", "f": "disk full", "e": "EIO", "s": "short write"}


def compiler() -> str | None:
    """Find a C compiler."""
    return shutil.which("cc") or shutil.which("gcc")


def compile_shim(folder: Path) -> Path:
    """Compile the shim."""
    made = folder / "shim.so"
    words = [str(compiler()), "-shared", "-fPIC", "-O1", str(HERE / "shim.c"), "-o", str(made), "-ldl"]
    subprocess.run(words, check=True)
    return made


class Sweep:
    """Scenarios that are stopped wherever it is told, each in the same process that has everything imported."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._known: dict[str, tuple[Any, Any, int]] = {}

    def steps(self, name: str) -> int:
        """Return how many steps a scenario takes where nothing stops it."""
        if name not in self._known:
            told = self._ask(name, "c", 0)
            assert "said" in told["stopped"], told
            assert not told["then"]["end"], told
            assert told["then"]["after"] != told["before"]
            self._known[name] = (told["before"], told["then"]["after"], told["stopped"]["steps"])
        return self._known[name][2]

    def _ask(self, name: str, kind: str, step: int) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name} {kind} {step}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the sweep ended"
        told: dict[str, Any] = json.loads(line)
        return told

    def problems(self, name: str, kind: str, step: int) -> Iterator[str]:
        """Say what is wrong with what was left by a stop."""
        steps = self.steps(name)
        before, after, _ = self._known[name]
        told = self._ask(name, kind, step)
        where = f"{name}, {KINDS[kind]} at step {step} of {steps}"
        then, stopped = told["then"], told["stopped"]
        if "broke" in stopped:
            yield f"{where}: broke: {stopped['broke']}"
        if "said" not in then:
            yield f"{where}: afterwards: {then.get('broke') or then}"
            return
        lost = [one for one in then["left"] if one[0] == "error"]
        if lost:
            yield f"{where}: left after a repair: {lost}"
        if then["between"] not in (before, after):
            yield f"{where}: neither before nor after: {then['between']}"
        if "said" in stopped and then["between"] != after:
            yield f"{where}: said that it was done, and it was not: {then['between']}"
        if then["after"] != after:
            yield f"{where}: doing it again did not end it: {then['after']}"
        if then["end"]:
            yield f"{where}: left at the end: {then['end']}"


@contextmanager
def sweeping(shim: Path, folder: Path) -> Iterator[Sweep]:
    """Start the process with the shim."""
    environment = {
        **os.environ,
        "LD_PRELOAD": str(shim),
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
    }
    words = [sys.executable, str(HERE / "sweep.py"), str(folder)]
    process = subprocess.Popen(
        words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:  # its input is closed at the end, so that it ends
        yield Sweep(process)


def points(steps: int, kinds: str, count: int, seed: int = 0) -> list[tuple[str, int]]:
    """Choose steps of each kind: all where there are no more than `count`, else a stride with a random start."""
    chosen = []
    for kind in kinds:
        draw = random.Random(f"{seed} {kind}")
        if count >= steps:
            chosen += [(kind, step) for step in range(1, steps + 1)]
        else:
            stride = steps / count
            chosen += [(kind, 1 + int(stride * (index + draw.random()))) for index in range(count)]
    return chosen


def main(words: Iterable[str]) -> int:
    """Sweep scenarios until so many stops were made or the time is over; one line for each problem."""
    from faults.scenarios import SCENARIOS

    given = dict(word.split("=", 1) for word in words)
    names = given.get("scenarios", ",".join(SCENARIOS)).split(",")
    kinds, stops = given.get("kinds", "kfes"), int(given.get("stops", "1000"))
    seconds, seed = float(given.get("seconds", "3600")), int(given.get("seed", "0"))
    begin, bad, counted = time.monotonic(), 0, Counter[str]()
    with tempfile.TemporaryDirectory() as home, sweeping(compile_shim(Path(home)), Path(home)) as sweep:
        each = max(1, stops // len(names) // len(kinds))
        chosen = [(name, *one) for name in names for one in points(sweep.steps(name), kinds, each, seed)]
        random.Random(seed).shuffle(chosen)
        print(", ".join(f"{name}: {sweep.steps(name)} steps" for name in names), flush=True)
        for name, kind, step in chosen:
            if time.monotonic() - begin > seconds:
                break
            counted[f"{name}, {KINDS[kind]}"] += 1
            for problem in sweep.problems(name, kind, step):
                bad += 1
                print(problem, flush=True)
            if not counted.total() % 25:
                print(
                    f"{counted.total()} of {len(chosen)} stops, {time.monotonic() - begin:.0f} s", flush=True
                )
    for what, count in sorted(counted.items()):
        print(f"{count:6d}  {what}")
    print(f"{sum(counted.values())} stops in {time.monotonic() - begin:.0f} s, {bad} problems")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    sys.exit(main(sys.argv[1:]))
