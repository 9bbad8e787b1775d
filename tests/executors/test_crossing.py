"""Executors that take slabs to other processes: the same voxels, and a worker that is killed loses nothing."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.test_executors import EVERY
from contracts.test_steps import SAME, make_scan
from tomarium.errors import EngineUnavailable, Interrupted, ParameterError
from tomarium.executors import find_executor
from tomarium.executors.dask_clusters import RETRIES
from tomarium.executors.executor import Executor
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import Scan
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import default_protocol, from_data
from tomarium.pipeline.run.runner import run

PLENTY = Resources(10**12, 10**12, 2, 2)


@pytest.fixture(params=[name for name, executor in EVERY.items() if executor.crosses])
def executor(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Executor:
    if request.param == "dask":
        pytest.importorskip("distributed")
    if request.param == "slurm":
        for name, value in request.getfixturevalue("slurm").environment.items():
            monkeypatch.setenv(name, value)
        tests = Path(__file__).parents[1]
        monkeypatch.setenv("PYTHONPATH", f"{tests.parent}:{tests}")
        monkeypatch.chdir(tmp_path_factory.mktemp("current"))
    return EVERY[request.param]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Start a cluster as somebody does who has one for all work, and give its address."""
    dask = pytest.importorskip("dask")
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": RETRIES}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", memory_limit=0,
            silence_logs=logging.CRITICAL,
        ) as started,
    ):  # fmt: skip
        yield started.scheduler_address


@pytest.fixture
def standing(executor: Executor, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Executor:
    """Give the executor, with work that is begun already where it can have such, and few processes where not."""
    if executor.name == "dask":
        monkeypatch.setattr("tomarium.executors.dask_clusters.ANSWERS_WITHIN_S", 240.0)
        return find_executor(f"dask:{request.getfixturevalue('cluster')}")
    return find_executor(f"{executor.name}:tasks=2")


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    import tomarium as tm

    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan(60, rows=24))  # type: ignore[misc]
    opened = tm.open(tmp_path / "disc.h5", axis_column=30.5)
    assert isinstance(opened, Scan)
    return opened


@dataclass(frozen=True)
class Square:
    """Squares, and leaves the number of its process in a folder; fails at one number."""

    folder: Path
    fails_at: int = -1

    def __call__(self, number: int) -> int:
        (self.folder / str(number)).write_text(str(os.getpid()))
        if number == self.fails_at:
            raise ValueError(f"slab {number}")
        if 0 <= self.fails_at < number - 16:  # those far behind it are slow, and wait until it was tried
            until = time.monotonic() + 120
            while not (self.folder / str(self.fails_at)).exists() and time.monotonic() < until:
                time.sleep(0.05)
            time.sleep(1.0)
        return number * number


def test_every_item_is_done_once_in_other_processes(executor: Executor, tmp_path: Path) -> None:
    made = list(executor.map(Square(tmp_path), range(12), 4 if executor.name == "slurm" else 2))
    assert sorted(made) == [n * n for n in range(12)]
    processes = {path.read_text() for path in tmp_path.iterdir()}
    assert str(os.getpid()) not in processes


def test_a_failure_is_raised_and_nothing_more_begins(standing: Executor, tmp_path: Path) -> None:
    if standing.name == "slurm":
        standing = find_executor("slurm:tasks=4")
    with pytest.raises(ValueError, match="slab 4"):
        list(standing.map(Square(tmp_path, fails_at=4), range(100), 2))
    # The other worker goes on while the failure is tried again.
    assert len(list(tmp_path.iterdir())) < 50


def test_the_voxels_are_the_same_on_disk_and_in_memory(
    standing: Executor, scan: Scan, tmp_path: Path
) -> None:
    import tomarium as tm

    whole = np.asarray(tm.reconstruct(scan))
    run(scan, default_protocol(), tmp_path / "record", PLENTY, slab_rows=4, mapper=standing.map, crosses=True)
    made = np.asarray(tm.open(tmp_path / "record" / "volume.ome.zarr"))
    np.testing.assert_allclose(made, whole, atol=SAME * np.ptp(whole))
    memory = replace(PLENTY, disk_bytes=None)
    outcome = run(scan, default_protocol(), None, memory, slab_rows=8, mapper=standing.map, crosses=True)
    np.testing.assert_allclose(outcome.sink.array, whole, atol=SAME * np.ptp(whole))  # type: ignore[union-attr]


@dataclass(frozen=True)
class DiesOnce:
    """Does a task's slab, but kills its own process in the middle of one the first time."""

    task: Any
    marker: Path

    def __call__(self, cut: Any) -> Any:
        if cut.index == 2 and not self.marker.exists():
            self.marker.write_text("died here")
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)
        return self.task(cut)

    def forget(self) -> None:
        self.task.forget()


def test_a_worker_that_is_killed_loses_nothing(standing: Executor, scan: Scan, tmp_path: Path) -> None:
    import tomarium as tm

    marker = tmp_path / "marker"

    def dying(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
        return standing.map(DiesOnce(function, marker), items, workers)

    protocol = from_data({"steps": ["flat_field", "remove_stripes", "fbp"]}, "test")
    run(scan, protocol, tmp_path / "killed", PLENTY, slab_rows=4, mapper=dying, crosses=True)
    assert marker.exists()
    run(scan, protocol, tmp_path / "straight", PLENTY, slab_rows=4)
    volumes = [np.asarray(tm.open(tmp_path / name / "volume.ome.zarr")) for name in ("killed", "straight")]
    np.testing.assert_array_equal(*volumes)


@dataclass(frozen=True)
class CancelledOnce(DiesOnce):
    """Does a task's slab, but has its own job cancelled in the middle of one the first time."""

    def __call__(self, cut: Any) -> Any:
        if cut.index == 2 and not self.marker.exists():
            self.marker.write_text("cancelled here")
            subprocess.run(
                ["scancel", f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"]
            )
            time.sleep(60)
        return self.task(cut)


@pytest.mark.parametrize("executor", ["slurm"], indirect=True)
def test_a_task_that_is_cancelled_loses_nothing(standing: Executor, scan: Scan, tmp_path: Path) -> None:
    import tomarium as tm

    marker = tmp_path / "marker"

    def cancelled(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
        return standing.map(CancelledOnce(function, marker), items, workers)

    for _ in range(2):  # where it was the last one at work, the same call goes on
        with suppress(Interrupted):
            run(
                scan,
                default_protocol(),
                tmp_path / "one",
                PLENTY,
                slab_rows=4,
                mapper=cancelled,
                crosses=True,
            )
            break
    assert marker.exists()
    run(scan, default_protocol(), tmp_path / "straight", PLENTY, slab_rows=4)
    volumes = [np.asarray(tm.open(tmp_path / name / "volume.ome.zarr")) for name in ("one", "straight")]
    np.testing.assert_array_equal(*volumes)


@pytest.mark.parametrize("executor", ["slurm"], indirect=True)
def test_sbatch_takes_names_and_words_with_spaces_and_quotation_marks(
    executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / """it's a "night" #3 at 100%j $HOME"""
    folder.mkdir()
    monkeypatch.chdir(folder)
    told = find_executor("""slurm:sbatch='--comment="two words" -J "a job"'""")
    assert sorted(told.map(Square(tmp_path), range(3), 1)) == [0, 1, 4]


def test_an_address_where_nobody_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomarium.executors.dask_clusters.ANSWERS_WITHIN_S", 1.0)
    with pytest.raises(EngineUnavailable, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        list(find_executor("dask:tcp://127.0.0.1:9").map(str, [1], 1))
    with pytest.raises(ParameterError, match="threads takes no argument"):
        find_executor("threads:4")
