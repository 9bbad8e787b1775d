"""What `tomarium status` says of jobs of SLURM: by programs that only look like it, and by a real one."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.test_steps import make_scan
from executors.test_slurm import Cluster, cluster
from held_run import wait_until
from slurm_server import Slurm
from tomarium.executors.slurm.job_folder import Array, JobFolder
from tomarium.executors.slurm.jobs_state import jobs_of, with_jobs
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.pipeline.run.work_state import WorkState
from tomarium.pipeline.run.workers import (
    Teller,
    in_words,
    note_workers,
    read_workers,
    shares_of,
    slow_in_words,
)

__all__ = ["cluster"]

GONE = WorkState(
    "run", Path("record"), "stopped", section=1, sections=1, done=1, total=4, slabs_done=1, slabs=4, share=0.25,
    advice="tomarium run a.h5 --on slurm",
)  # fmt: skip


@pytest.fixture
def jobs(cluster: Cluster) -> JobFolder:
    """Two jobs of a record: four slabs in two tasks, of which one slab is told of; then one slab once more."""
    folder = JobFolder(Path.cwd() / "record.slurm" / "0-run")
    folder.begin(str)
    folder.note([Array(1, "1", ((0, 1), (2, 3))), Array(2, "2", ((2,),))])
    folder.give(0, None)
    cluster.states(2, "PENDING")
    return folder


def test_tasks_that_wait_and_run_are_told_and_that_nobody_follows(jobs: JobFolder, cluster: Cluster) -> None:
    cluster.states(1, "PENDING", "PENDING")
    told = with_jobs(GONE)
    assert told.state == "waiting"
    assert told.notes == (
        "job 1, 2 of SLURM: tasks 3 pending on n1",
        "no command follows the job: what it does is kept",
    )
    assert told.advice == "tomarium run a.h5 --on slurm, which follows it; or: scancel 1 2"
    cluster.states(1, "RUNNING", "PENDING", node="n7")
    told = with_jobs(replace(GONE, state="running", advice=""))
    assert (told.state, told.advice) == ("running", "")
    assert told.notes == ("job 1, 2 of SLURM: tasks 2 pending, 1 running on n1, n7",)


def test_tasks_that_were_lost_are_named_with_their_logs(jobs: JobFolder, cluster: Cluster) -> None:
    cluster.states(1, "COMPLETED", "NODE_FAIL", node="n7")
    told = with_jobs(replace(GONE, state="running"))
    assert told.notes[0] == f"task 1_1 ended as NODE_FAIL on n7; its log: {jobs.log(1, 1)}"
    jobs.give(2, None)
    jobs.give(3, None)
    assert with_jobs(replace(GONE, state="running")).notes == ("job 2 of SLURM: tasks 1 pending on n1",)


def test_slabs_that_no_command_has_taken_yet_are_counted(jobs: JobFolder, cluster: Cluster) -> None:
    cluster.states(1, "RUNNING", "RUNNING")
    jobs.give(1, None)
    told = with_jobs(GONE)
    assert (told.done, told.slabs_done, told.share) == (2, 2, 0.5)
    assert jobs_of(Path("other")) is None


def test_jobs_at_their_end_leave_the_run_as_it_is(jobs: JobFolder, cluster: Cluster) -> None:
    cluster.states(1, "CANCELLED", "COMPLETED")
    cluster.states(2, "COMPLETED")
    told = with_jobs(GONE)
    assert (told.state, told.advice) == ("stopped", GONE.advice)
    assert "task 1_0 ended as CANCELLED" in told.notes[0]


def test_a_slurm_that_gives_no_answer_leaves_open_whether_jobs_run(jobs: JobFolder, cluster: Cluster) -> None:
    (cluster.folder / "down").touch()
    told = with_jobs(GONE)
    assert told.state == "unknown"
    assert told.notes == ("SLURM cannot be asked: no answer; whether its jobs run is not known",)
    assert with_jobs(replace(GONE, state="running")).state == "running"


@pytest.mark.parametrize("content", [b"", b"[1]", b'[{"submission": 1}]', b'{"a": 1}'])
def test_a_damaged_folder_of_jobs_is_told(content: bytes, jobs: JobFolder) -> None:
    (jobs.folder / "arrays.json").write_bytes(content)
    told = with_jobs(GONE)
    assert told.state == "unknown"
    assert "cannot be read" in told.notes[0]


def slab(worker: str, seconds: float, at: float = 1.0) -> dict[str, Any]:
    return {"worker": worker, "seconds": {"read": 0.0, "compute": seconds}, "at": at}


def test_slabs_are_counted_by_node_and_by_worker_where_there_is_one_node() -> None:
    assert in_words(
        shares_of([slab("n2, task 1_1", 1), slab("n1, task 1_0", 1), slab("n1, task 1_2", 1)])
    ) == ("n1 2 slabs, n2 1 slab")
    assert [share.worker for share in shares_of([slab("n1, a", 1), slab("n1, b", 1)])] == ["a", "b"]
    assert shares_of([slab("n1, a", 1), {"seconds": {}}]) == ()
    many = in_words(shares_of([slab(f"n{k:02d}, a", 1) for k in range(20)]))
    assert many.endswith("n05 1 slab and 14 more")


def test_a_worker_that_is_much_slower_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    slabs: dict[int, dict[str, Any]] = {}
    teller = Teller(12)
    for number in range(12):
        slabs[number] = slab("n1, a" if number % 3 else "n2, b", 1.0 if number % 3 else 2.5)
        teller.tell(slabs, slabs[number])
    told = [record.getMessage() for record in caplog.records]
    slow = "n2 takes 2.5 s a slab, 2.5 times as long as the others; see what else it has to do"
    assert told.count(slow) == 1
    assert told[-1] == "done by: n1 8 slabs, n2 4 slabs"
    assert slow_in_words(next(share for share in shares_of(slabs.values()) if share.slower)) == slow
    steady = shares_of([slab("n1, a", 1.0), slab("n2, b", 1.9)] * 3)
    assert [share.slower for share in steady] == [0.0, 0.0]
    first = shares_of([slab("n1, a", 1.0), slab("n1, a", 1.0), slab("n2, b", 9.0)])
    assert [share.slower for share in first] == [0.0, 0.0]  # its first slab reads flats and darks, too


def test_workers_that_were_lost_are_kept(tmp_path: Path) -> None:
    assert read_workers(tmp_path) == ([], {})
    note_workers(tmp_path, ["tcp://b", "tcp://a"], {"tcp://c": 5.0})
    assert read_workers(tmp_path) == (["tcp://a", "tcp://b"], {"tcp://c": 5.0})
    for content in ("", "[]", '{"there": 1, "lost": []}'):
        (tmp_path / "workers.json").write_text(content)
        assert read_workers(tmp_path) == ([], {})


def status(environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """Ask in another process how the only run stands."""
    words = [sys.executable, "-m", "tomarium", "status", "--json"]
    told = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    [state] = json.loads(told.stdout)["work"]
    return dict(state)


def tomarium(words: Sequence[str], environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tomarium", *words], cwd=folder, env=environment)


def test_a_run_whose_command_was_killed_goes_on_in_a_real_slurm(slurm: Slurm, tmp_path: Path) -> None:
    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan(60, rows=24))  # type: ignore[misc]
    environment = {**slurm.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = ["run", "disc.h5", "--axis", "30.5", "-o", "record", "--on", "slurm:sbatch=--hold"]
    arrays = list[Path]()

    def is_sent() -> bool:
        arrays[:] = tmp_path.glob("record.slurm/*/arrays.json")
        return bool(arrays)

    sender = tomarium(words, environment, tmp_path)
    try:
        wait_until(is_sent)
        state = status(environment, tmp_path)
        assert (state["state"], state["process"]) == ("waiting", sender.pid)
        [job] = [array.job for array in JobFolder(arrays[0].parent).arrays()]
        assert state["notes"] == [f"job {job} of SLURM: tasks 1 pending (JobHeldUser)"]
    finally:
        sender.kill()
        sender.wait()
    state = status(environment, tmp_path)
    assert state["state"] == "waiting"
    assert state["notes"][-1] == "no command follows the job: what it does is kept"
    assert state["advice"].startswith("tomarium run disc.h5 ")
    slurm.run("scontrol", "release", job)
    wait_until(
        lambda: status(environment, tmp_path)["state"] == "stopped"
    )  # at its end, and nobody has taken it
    state = status(environment, tmp_path)
    assert state["done"] == state["total"] > 0
    again = tomarium(words, environment, tmp_path)
    try:
        assert again.wait(300) in (0, 1)
    finally:
        again.kill()
        again.wait()
    assert status(environment, tmp_path)["state"] == "finished"
