"""What limits a run on many nodes: the formula of the page on scaling beside a simulation, slab by slab."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tomarium.executors.slurm.script import groups_of

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "scaling.md"


@dataclass(frozen=True)
class Run:
    """A run, in seconds and gigabytes, by the symbols of the page."""

    slabs: int = 128
    start: float = 10.0
    compute: float = 1.5 * 2048
    read: float = 12.6
    write: float = 39.0
    read_one: float = 1.0
    read_all: float = 5.0
    write_one: float = 1.0
    write_all: float = 5.0
    note: float = 0.005

    def first_and_last(self, workers: int) -> float:
        """Return the time in which slabs are only read, only written or only noted, at most."""
        workers = min(workers, self.slabs)
        read = self.read / self.slabs / min(self.read_one, self.read_all / workers)
        write = self.write / self.slabs / min(self.write_one, self.write_all / workers)
        return read + write + workers * self.note

    def formula(self, workers: int) -> float:
        """Return the time by the page."""
        busy = self.slabs / math.ceil(self.slabs / workers)
        return self.start + max(
            self.compute / busy,
            self.read / min(busy * self.read_one, self.read_all),
            self.write / min(busy * self.write_one, self.write_all),
            self.slabs * self.note,
        )


@dataclass
class Worker:
    """A task that reads a slab ahead and writes one behind while it computes; what is left of each, else None."""

    unread: int
    left: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(("read", "compute", "write")))
    waiting: dict[str, int] = field(default_factory=lambda: {"compute": 0, "write": 0})

    def begin(self, amounts: dict[str, float]) -> None:
        """Begin whatever can begin."""
        for stage in ("write", "compute"):
            if self.left[stage] is None and self.waiting[stage]:
                self.waiting[stage] -= 1
                self.left[stage] = amounts[stage]
        if self.left["read"] is None and self.unread and not self.waiting["compute"]:
            self.unread -= 1
            self.left["read"] = amounts["read"]


def simulate(run: Run, workers: int) -> float:
    """Return the time of a run whose disk is shared fairly among those who read, and among those who write."""
    tasks = [Worker(len(group)) for group in groups_of(range(run.slabs), 1, workers)]
    amounts = {
        "read": run.read / run.slabs,
        "compute": run.compute / run.slabs,
        "write": run.write / run.slabs,
    }
    after = {"read": "compute", "compute": "write"}
    now, noted = run.start, run.start
    while True:
        for task in tasks:
            task.begin(amounts)
        busy = {stage: sum(task.left[stage] is not None for task in tasks) for stage in amounts}
        if not any(busy.values()):
            return max(now, noted)
        rates = {
            "read": min(run.read_one, run.read_all / max(1, busy["read"])),
            "compute": 1.0,
            "write": min(run.write_one, run.write_all / max(1, busy["write"])),
        }
        working = [
            (task, stage, left) for task in tasks for stage, left in task.left.items() if left is not None
        ]
        step = min(left / rates[stage] for _, stage, left in working)
        now += step
        for task, stage, left in working:
            left -= step * rates[stage]
            task.left[stage] = left if left > 1e-9 else None
            if left <= 1e-9:
                if stage in after:
                    task.waiting[after[stage]] += 1
                else:
                    noted = max(noted, now) + run.note


SLOW_DISK = Run(read_one=0.1, read_all=0.5, write_one=0.1, write_all=0.5)
QUICK = Run(compute=0.05 * 2048)
MANY = Run(slabs=512, compute=0.001 * 2048, read=0.1, write=0.1)


@pytest.mark.parametrize(
    "run", [Run(), SLOW_DISK, QUICK, MANY], ids=["usual", "slow disk", "quick", "many slabs"]
)
@pytest.mark.parametrize("workers", [1, 3, 16, 64])
def test_a_simulated_run_lies_between_the_bounds(run: Run, workers: int) -> None:
    least = run.formula(workers)
    assert least - 1e-6 <= simulate(run, workers) <= least + run.first_and_last(workers) + 1e-6


def test_the_page_states_what_the_formula_gives() -> None:
    text = PAGE.read_text()
    rows = re.findall(r"^\| (\d+) \| (\d+) s \| (\d+) s \| ([\d.]+) \|", text, flags=re.M)
    assert len(rows) == 6
    run = Run()
    for workers, least, most, gain in rows:
        found = run.formula(int(workers))
        assert found == pytest.approx(float(least), abs=0.5)
        assert found + run.first_and_last(int(workers)) == pytest.approx(float(most), abs=0.5)
        assert run.formula(1) / found == pytest.approx(float(gain), abs=0.05)
    assert SLOW_DISK.formula(16) == pytest.approx(202, abs=0.5)
    assert SLOW_DISK.formula(64) == pytest.approx(88, abs=0.5)
    assert SLOW_DISK.formula(64) + SLOW_DISK.first_and_last(64) == pytest.approx(140, abs=0.5)


def test_a_slower_disk_stops_more_workers_from_helping() -> None:
    limit = SLOW_DISK.compute * SLOW_DISK.write_all / SLOW_DISK.write
    assert 32 < limit < 64
    assert SLOW_DISK.formula(64) == SLOW_DISK.formula(128)
    assert simulate(SLOW_DISK, 16) > 1.5 * simulate(SLOW_DISK, 64)
