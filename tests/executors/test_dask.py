"""Dask distributed: all workers of a cluster are used, and what is lost is told with what to do next."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from executors.test_crossing import DiesOnce, Square
from tomarium.errors import EngineUnavailable, Interrupted, JobFailed, ParameterError
from tomarium.executors import dask_clusters, find_executor
from tomarium.executors.dask import _Sharing
from tomarium.executors.dask import resources as find_dask
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import Scan
from tomarium.pipeline.plan.cost import PROCESS_BYTES
from tomarium.pipeline.plan.planner import plan
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.pipeline.run.runner import run

pytest.importorskip("distributed")

PLENTY = Resources(10**12, 10**12, 2, 2)
LONGEST_S = 300.0
"""Time after which a test that waits for something fails."""


@dataclass
class Standing:
    """A scheduler and its workers, as somebody starts them by Dask's own commands."""

    address: str
    scheduler: subprocess.Popen[bytes]


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for something, and fail where it never comes."""
    until = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < until, "waited for something that never comes"
        time.sleep(0.02)


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{tests.parent}:{tests}"}
    told = tmp_path / "scheduler.json"

    def start(*words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:], "--no-dashboard"]
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)

    started = [start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(told))]
    try:
        worker = (
            "worker",
            "--scheduler-file",
            str(told),
            "--nthreads",
            "1",
            "--no-nanny",
            "--host",
            "127.0.0.1",
        )
        started += [start(*worker) for _ in range(2)]
        wait_until(told.exists)
        from distributed import Client

        with Client(scheduler_file=str(told), timeout=LONGEST_S) as client:
            client.wait_for_workers(2, timeout=LONGEST_S)
            address = client.scheduler.address
        yield Standing(address, started[0])
    finally:
        for process in started:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Meets:
    """Leaves a file for a number, and waits until that of the other is there: alone it never ends."""

    folder: Path

    def __call__(self, number: int) -> int:
        (self.folder / str(number)).touch()
        wait_until((self.folder / str(1 - number)).exists)
        return number


@dataclass(frozen=True)
class Kills:
    """Does a task's slab, but kills a process in the middle of one."""

    task: Any
    process: int

    def __call__(self, cut: Any) -> Any:
        if cut.index == 2:
            os.kill(self.process or os.getpid(), signal.SIGKILL)
            if self.process:
                time.sleep(LONGEST_S)
        return self.task(cut)


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan(60, rows=24))  # type: ignore[misc]
    opened = tm.open(tmp_path / "disc.h5", axis_column=30.5)
    assert isinstance(opened, Scan)
    return opened


def test_all_workers_of_a_cluster_are_used_whatever_this_computer_could_do(
    standing: Standing, tmp_path: Path
) -> None:
    one = find_executor(f"dask:{standing.address}")
    assert sorted(one.map(Meets(tmp_path), range(2), 1)) == [0, 1]


def test_a_worker_is_given_no_more_at_a_time_than_the_plan_says() -> None:
    threads = {"tcp://a": 1, "tcp://b": 1, "tcp://c": 16}
    client = SimpleNamespace(nthreads=lambda: threads)
    assert _Sharing(client, str, 3, True, "there").room() == 5
    assert _Sharing(client, str, 3, False, "here").room() == 3


def test_a_run_of_two_sections_starts_two_clusters_of_this_computer() -> None:
    # In a process of its own: here the import of Dask's parts is done already.
    code = (
        "from tomarium.executors.dask import map_dask\n"
        "if __name__ == '__main__':\n"
        "    for _ in range(2):\n"
        "        print(sorted(map_dask(abs, [-1, -2], 1)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[1, 2]\n[1, 2]\n", done.stderr


def test_the_processes_of_this_computer_share_the_memory() -> None:
    scan, given = make_scan(angles=30, rows=64, columns=64), Resources(600_000_000, 10**12, 2, 2)
    alone, here = (plan(default_protocol(), scan, one) for one in (given, find_dask(given, "")))
    assert (alone.workers, here.workers) == (2, 2) or alone.workers == here.workers == 1
    assert here.peak_bytes >= alone.peak_bytes + here.workers * PROCESS_BYTES
    assert find_dask(given, "tcp://there:8786") == given


def test_a_worker_that_was_lost_is_named(caplog: pytest.LogCaptureFixture) -> None:
    threads = {"tcp://a": 1, "tcp://b": 1}
    sharing = _Sharing(SimpleNamespace(nthreads=lambda: threads), str, 1, True, "at tcp://s")
    with caplog.at_level(logging.INFO, "tomarium.executors"):
        sharing.room()
        del threads["tcp://b"]
        sharing.room()
        threads.clear()
        sharing.room()
    assert [record.getMessage() for record in caplog.records] == [
        "Dask worker tcp://b was lost; its slabs are done once more",
        "Dask worker tcp://a was lost; its slabs are done once more",
        "no worker of Dask is there, at tcp://s; the run waits for one",
    ]


def test_a_scheduler_that_is_killed_is_told_and_the_same_call_goes_on(
    standing: Standing, scan: Scan, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    executor = find_executor(f"dask:{standing.address}")

    def killing(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
        return executor.map(Kills(function, standing.scheduler.pid), items, workers)

    with pytest.raises(
        Interrupted, match=r"the Dask scheduler at tcp:.* is gone .*; \d of 6 slabs are done and kept"
    ):
        run(scan, default_protocol(), tmp_path / "one", PLENTY, slab_rows=4, mapper=killing, crosses=True)
    assert "Traceback" not in capfd.readouterr().err
    run(scan, default_protocol(), tmp_path / "one", PLENTY, slab_rows=4)
    run(scan, default_protocol(), tmp_path / "straight", PLENTY, slab_rows=4)
    volumes = [np.asarray(tm.open(tmp_path / name / "volume.ome.zarr")) for name in ("one", "straight")]
    np.testing.assert_array_equal(*volumes)


def test_a_slab_that_ends_its_workers_is_told(
    scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_clusters, "RETRIES", 0)
    executor = find_executor("dask")

    def dying(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
        return executor.map(Kills(function, 0), items, workers)

    with pytest.raises(
        JobFailed, match=r"died while it worked on a slab.* less with --memory; finished slabs are kept"
    ):
        run(scan, default_protocol(), tmp_path / "one", PLENTY, slab_rows=4, mapper=dying, crosses=True)


def test_processes_that_do_not_start_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr("distributed.LocalCluster", refuse)
    with pytest.raises(
        EngineUnavailable, match="2 processes of Dask did not start on this computer: Nanny failed"
    ):
        list(find_executor("dask").map(str, range(4), 2))


@dataclass(frozen=True)
class JobCancelledOnce(DiesOnce):
    """Does a task's slab, but has its own job cancelled in the middle of one the first time."""

    def __call__(self, cut: Any) -> Any:
        if cut.index == 2 and not self.marker.exists():
            self.marker.write_text("cancelled here")
            subprocess.run(["scancel", os.environ["SLURM_JOB_ID"]], check=True)
            time.sleep(LONGEST_S)
        return self.task(cut)


def test_workers_in_jobs_of_slurm_make_the_same_and_one_that_is_cancelled_loses_nothing(
    scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.chdir(tmp_path)
    for name, value in request.getfixturevalue("slurm").environment.items():
        monkeypatch.setenv(name, value)
    tests = Path(__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{tests.parent}:{tests}")
    executor = find_executor("""dask:slurm:tasks=2,cpus=1,memory=1GB,sbatch='--comment="two words"'""")
    assert executor.resources is not None
    assert executor.resources(PLENTY).processors == 1
    marker = tmp_path / "marker"

    def cancelled(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
        return executor.map(JobCancelledOnce(function, marker), items, workers)

    run(scan, default_protocol(), tmp_path / "one", PLENTY, slab_rows=4, mapper=cancelled, crosses=True)
    assert marker.exists()
    run(scan, default_protocol(), tmp_path / "two", PLENTY, slab_rows=4, mapper=executor.map, crosses=True)
    assert not list(tmp_path.glob("*.slurm")), "logs of jobs are removed with the work"
    run(scan, default_protocol(), tmp_path / "straight", PLENTY, slab_rows=4)
    straight = np.asarray(tm.open(tmp_path / "straight" / "volume.ome.zarr"))
    for name in ("one", "two"):
        np.testing.assert_array_equal(np.asarray(tm.open(tmp_path / name / "volume.ome.zarr")), straight)


def test_options_of_jobs_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="did you mean 'partition'"):
        list(find_executor("dask:slurm:partitoin=x").map(Square(tmp_path), range(2), 1))
