"""Job arrays of SLURM: what is asked for, and what is done where tasks are lost; by programs that only look like it."""

import os
import pickle
import shlex
import stat
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.catalogue.make_record import make_record
from tomarium.errors import EngineUnavailable, InputError, Interrupted, JobFailed, ParameterError
from tomarium.executors import find_executor
from tomarium.executors.slurm import follow, node
from tomarium.executors.slurm.job_folder import JobFolder
from tomarium.executors.slurm.options import Options, minutes, read_options, with_profile
from tomarium.executors.slurm.script import Needs, groups_of, write_script
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import Scan
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import from_data

JOB = "for w; do case $w in --jobs=*) j=${w#--jobs=};; esac; done"
PROGRAMS = {
    "sbatch": 'echo "$2" >> "$FAKE/sent"; cp "$2" "$FAKE/last.sh"; wc -l < "$FAKE/sent" | tr -d " "',
    "squeue": f"""{JOB}
[ -f "$FAKE/down" ] && {{ echo no answer >&2; exit 1; }}
cat "$FAKE/tasks-$j" 2>/dev/null || {{ echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }}""",
    "scancel": 'echo "$1" >> "$FAKE/cancelled"; sed -i "s/RUNNING/CANCELLED/;s/PENDING/CANCELLED/" "$FAKE/tasks-$1"',
    "sacct": f'{JOB}; cat "$FAKE/accounted-$j"',
}


@dataclass
class Cluster:
    """Programs that answer what files say; each look of the one who waits does the next of some things."""

    folder: Path
    script: list[Callable[[], None]] = field(default_factory=list)

    def states(self, job: int, *states: str, node: str = "n1") -> None:
        """Let the tasks of a job be in some states."""
        lines = [f"{task}|{state}|None|{node}" for task, state in enumerate(states)]
        (self.folder / f"tasks-{job}").write_text("\n".join(lines) + "\n")

    def then(self, *done: Callable[[], None]) -> None:
        """Do this one after the other, at each look one."""
        self.script += done

    def sleep(self, seconds: float) -> None:
        """Do the next thing."""
        assert self.script, "waited for something that never comes"
        self.script.pop(0)()

    def work(self, job: int, task: int, only: Sequence[int] = (), submission: int | None = None) -> None:
        """Do what a task does on its node; with `only`, some of its slabs before it is lost."""
        place = self.place()
        name = f"{submission or job}-{task}"
        if only:
            _, items = place.todo(name)
            function = place.function()
            for number, item in items:
                if number in only:
                    place.give(number, function(item))
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLURM_ARRAY_JOB_ID", str(job))
            node.work(place, name)

    def tasks(self, submission: int) -> list[int]:
        """List the tasks of an array."""
        return [
            int(path.stem.split("-")[1])
            for path in (self.place().folder / "todo").glob(f"{submission}-*.pickle")
        ]

    def place(self) -> JobFolder:
        """Return the folder of the only section."""
        [folder] = [path for path in Path.cwd().glob("*.slurm/*") if path.is_dir()]
        return JobFolder(folder)

    def lines(self, name: str) -> list[str]:
        """Read what a program has noted."""
        path = self.folder / name
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    home = tmp_path / "fake"
    home.mkdir()
    for name, body in PROGRAMS.items():
        (home / name).write_text(f"#!/bin/sh\n{body}\n")
        (home / name).chmod(stat.S_IRWXU)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("FAKE", str(home))
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    made = Cluster(home)
    monkeypatch.setattr(follow, "time", SimpleNamespace(sleep=made.sleep, monotonic=time.monotonic))
    for name in ("ASKS_FIRST_S", "ASKS_EVERY_S", "SEEN_WITHIN_S"):
        monkeypatch.setattr(follow, name, 0.0)
    return made


def double(number: int) -> int:
    """Return twice a number; two of them cannot be doubled."""
    if number == 66:
        raise FileNotFoundError(2, "No such file", "/data/scan.h5")
    if number == 99:
        raise InputError("99 is no number")
    return 2 * number


def mapped(items: Sequence[int], workers: int = 2, argument: str = "") -> list[int]:
    return sorted(follow.map_slurm(double, items, workers, argument))


def test_options_are_read_and_checked() -> None:
    told = read_options(
        "partition=long, account=p-1,time=2 h,memory=64 GB,cpus=16,sbatch='--nice=5 --constraint=a'"
    )
    assert told == Options("long", "p-1", None, "120", 64 * 10**9, 16, sbatch=("--nice=5", "--constraint=a"))
    assert read_options("") == Options()
    assert read_options("time=1-12:00:00").time == "1-12:00:00"
    assert [minutes(s) for s in (0, 60, 61)] == ["1", "1", "2"]
    for text, said in {
        "cpu=4": "did you mean 'cpus'",
        "long": "name=value was expected",
        "memory=64": "has no unit",
        "time=soon": "slurm:time=soon",
        "cpus=0": "a whole number from 1",
        "stop=now": "leave or cancel",
        "partition=a b": "a name as SLURM has it",
        "sbatch='--x": "quotation mark",
    }.items():
        with pytest.raises(ParameterError, match=said):
            find_executor(f"slurm:{text}").resources(Resources(1, 1, 1))  # type: ignore[misc]


def test_a_profile_fills_in_what_the_user_does_not_say() -> None:
    profile = {
        "partition": "night",
        "cpus": 8,
        "sbatch": "--gres=a,b",
        "setup": "module load x\nexport A='1'",
    }
    told = read_options(with_profile("slurm:partition=day", profile).partition(":")[2])
    assert (told.partition, told.cpus, told.sbatch) == ("day", 8, ("--gres=a,b",))
    assert told.setup == profile["setup"]
    assert read_options(with_profile("slurm", profile).partition(":")[2]).partition == "night"
    assert with_profile("threads", profile) == "threads"


def test_a_script_asks_for_what_the_plan_and_the_user_say(tmp_path: Path) -> None:
    folder = tmp_path / "a folder's 100%"
    needs = Needs("reconstruct", 8, 3 << 30, 20.0)
    text = write_script(
        folder,
        2,
        [[1, 2, 3], [4, 5]],
        needs,
        read_options("partition=long,sbatch='--nice=5 --comment=\"a b\"'"),
    )
    asked = [line.removeprefix("#SBATCH --") for line in text.splitlines() if line.startswith("#SBATCH")]
    assert {"array=0-1", "cpus-per-task=8", "mem=3072M", "partition=long", "time=14"} <= set(asked)
    assert "nice=5 --comment='a b'" in asked
    assert f"output={shlex.quote(str(folder).replace('%', '%%') + '/log/2-%a.txt')}" in asked
    for option, line in (
        ("memory=1 GiB", "mem=1024M"),
        ("cpus=4", "cpus-per-task=4"),
        ("time=1:00:00", "time=1:00:00"),
    ):
        assert f"#SBATCH --{line}\n" in write_script(folder, 1, [[1]], needs, read_options(option))
    # Bash takes it, and tells a node that lacks the folder in plain words.
    made = subprocess.run(["bash", "-c", text], capture_output=True, text=True)
    assert made.returncode == 66
    assert f"{folder} is not there; every node must see the record and its scan" in made.stdout


@pytest.mark.parametrize(
    ("count", "workers", "most"), [(1, 4, 64), (100, 1, 64), (100, 4, 64), (7, 2, 3), (64, 1, 64)]
)
def test_slabs_are_shared_out_evenly(count: int, workers: int, most: int) -> None:
    groups = groups_of(range(count), workers, most)
    assert [item for group in groups for item in group] == list(range(count))
    sizes = [len(group) for group in groups]
    assert len(groups) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(groups) == 1 or max(sizes) >= min(workers, count)


def test_slabs_are_done_and_the_folder_is_removed(cluster: Cluster) -> None:
    cluster.states(1, "RUNNING", "PENDING")
    cluster.then(lambda: cluster.work(1, 0), lambda: cluster.work(1, 1))
    assert mapped(range(4)) == [0, 2, 4, 6]
    assert not list(Path.cwd().iterdir())
    assert "#SBATCH --cpus-per-task=2" in (cluster.folder / "last.sh").read_text()


def test_a_lost_task_is_sent_again_for_what_it_has_not_done(cluster: Cluster) -> None:
    cluster.states(1, "RUNNING", "FAILED")
    cluster.states(2, "RUNNING")
    cluster.then(lambda: cluster.work(1, 1, only=[2]), lambda: cluster.work(1, 0), lambda: cluster.work(2, 0))
    assert mapped(range(4)) == [0, 2, 4, 6]
    assert "#SBATCH --array=0-0\n" in (cluster.folder / "last.sh").read_text()


def test_a_task_that_always_ends_early_is_named_with_its_log(cluster: Cluster) -> None:
    for job in range(1, 9):
        cluster.states(job, "NODE_FAIL", node="n7")
    cluster.then(*[lambda: None] * 9)
    with pytest.raises(
        JobFailed,
        match=r"task 4_0 of SLURM ended as NODE_FAIL on node n7 before slab 0 .* 3 times .* no log at .*4-0.txt",
    ):
        mapped(range(2))
    assert len(cluster.lines("sent")) == 4


def test_little_memory_and_little_time_are_told_with_their_remedy(cluster: Cluster) -> None:
    cluster.states(1, "OUT_OF_MEMORY")
    cluster.then(lambda: None)
    with pytest.raises(
        JobFailed, match=r"OUT_OF_MEMORY .*memory=64GB; its log: .*1-0.txt; finished slabs are kept"
    ):
        mapped(range(2))
    cluster.states(2, "TIMEOUT")
    cluster.then(lambda: None)
    with pytest.raises(JobFailed, match="time=4h"):
        mapped(range(2))


def test_a_task_that_came_forward_gets_more_time(cluster: Cluster) -> None:
    def out_of_time() -> None:
        cluster.work(1, 0, only=[0])
        cluster.states(1, "TIMEOUT")

    cluster.states(1, "RUNNING")
    cluster.states(2, "RUNNING")
    cluster.then(out_of_time, lambda: cluster.work(2, 0))
    assert mapped(range(2)) == [0, 2]


def test_what_the_user_cancels_is_not_sent_again(cluster: Cluster) -> None:
    cluster.states(1, "CANCELLED", "CANCELLED")
    cluster.then(lambda: cluster.work(1, 0), lambda: None)
    with pytest.raises(Interrupted, match="task 1_1 of SLURM was cancelled"):
        mapped(range(4))
    assert len(cluster.lines("sent")) == 1


def test_a_job_that_slurm_has_forgotten_is_looked_up_in_the_accounting(cluster: Cluster) -> None:
    def forgotten() -> None:
        cluster.work(1, 0)
        (cluster.folder / "tasks-1").unlink()
        (cluster.folder / "accounted-1").write_text("1_0|COMPLETED|n1\n1_1|CANCELLED by 0|n1\n")

    cluster.states(1, "RUNNING", "RUNNING")
    cluster.then(forgotten)
    with pytest.raises(Interrupted, match="task 1_1 of SLURM was cancelled"):
        mapped(range(4))


def test_errors_are_raised_with_the_log_of_their_task(cluster: Cluster) -> None:
    cluster.states(1, "RUNNING", "PENDING")
    cluster.then(lambda: cluster.work(1, 0))
    with pytest.raises(InputError, match=r"99 is no number \(task 1_0; its log: .*log/1-0.txt\)"):
        mapped([99, 1, 2, 3])
    assert cluster.lines("cancelled") == ["1"]


def test_a_node_without_the_scan_is_named(cluster: Cluster) -> None:
    cluster.states(1, "RUNNING")
    cluster.then(lambda: cluster.work(1, 0))
    with pytest.raises(
        InputError, match=r"node \S+: /data/scan.h5 is not there; every node must see the scan"
    ):
        mapped([66])


def test_no_slurm_and_one_that_refuses_are_told(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    (cluster.folder / "sbatch").write_text(
        '#!/bin/sh\necho "sbatch: error: invalid partition: day" >&2; exit 1\n'
    )
    with pytest.raises(EngineUnavailable, match=r"invalid partition: day; see the script .*1\.sh"):
        mapped([1])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineUnavailable, match="needs sbatch"):
        mapped([1])


def test_a_slurm_that_is_silent_is_asked_again_but_not_for_ever(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cluster.folder / "down").touch()
    cluster.states(1, "RUNNING")

    def up() -> None:
        (cluster.folder / "down").unlink()

    cluster.then(lambda: None, up, lambda: cluster.work(1, 0))
    assert mapped([1]) == [2]
    monkeypatch.setattr(follow, "NO_ANSWER_S", 0.0)
    (cluster.folder / "down").touch()
    cluster.then(lambda: None, *[up] * 1)
    with pytest.raises(Interrupted, match="SLURM gives no answer"):
        mapped([1])


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan(60, rows=24))  # type: ignore[misc]
    opened = tm.open(tmp_path / "disc.h5", axis_column=30.5)
    assert isinstance(opened, Scan)
    return opened


PROTOCOL = from_data({"steps": ["flat_field", "fbp"]}, "test")


@pytest.fixture
def whole(scan: Scan, tmp_path: Path) -> np.ndarray:
    make_record(scan, PROTOCOL, tmp_path / "straight", slab_rows=4)
    return np.asarray(tm.open(tmp_path / "straight" / "volume.ome.zarr"))


def interrupt() -> None:
    raise KeyboardInterrupt


def test_jobs_are_left_by_ctrl_c_and_followed_by_the_same_command(
    cluster: Cluster, scan: Scan, whole: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    def run(executor: str = "slurm:tasks=3") -> Any:
        return make_record(scan, PROTOCOL, Path("record"), slab_rows=4, executor=executor)

    cluster.states(1, "RUNNING", "RUNNING", "PENDING")
    cluster.then(interrupt)
    with pytest.raises(
        Interrupted, match=r"job 1 of SLURM goes on: the same command follows it.*scancel 1; 0 of 6 slabs"
    ):
        run()
    with pytest.raises(
        InputError, match="jobs of SLURM are at work on it: 1; go on with them with --on slurm"
    ):
        run("threads")
    cluster.work(1, 0)  # while nobody waits
    cluster.then(lambda: cluster.work(1, 2), interrupt)
    with pytest.raises(Interrupted, match="4 of 6 slabs are done"):
        run()
    (cluster.folder / "down").touch()
    with pytest.raises(
        Interrupted, match=r"whether jobs of an earlier call are at work is unknown.*4 of 6 slabs"
    ):
        run()
    (cluster.folder / "down").unlink()
    assert cluster.lines("cancelled") == []
    cluster.states(1, "COMPLETED", "FAILED", "COMPLETED")
    cluster.states(2, "RUNNING", "RUNNING")
    caplog.set_level("INFO", "tomarium.executors")
    cluster.then(lambda: [cluster.work(2, task) for task in cluster.tasks(2)])
    outcome = run()
    assert "task 1_1 of an earlier call ended as FAILED, its log: " in caplog.text
    assert "task 1_0" not in caplog.text
    assert len(cluster.lines("sent")) == 2
    # Two slabs, as many at a time as the plan says.
    last = -(-2 // outcome.plan.workers) - 1
    assert f"#SBATCH --array=0-{last}\n" in (cluster.folder / "last.sh").read_text()
    np.testing.assert_array_equal(tm.open(Path("record") / "volume.ome.zarr"), whole)  # type: ignore[arg-type]
    assert outcome.provenance["resumed_slabs"] == 4
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["record"]


def test_ctrl_c_cancels_the_jobs_where_that_was_asked_for(cluster: Cluster, scan: Scan) -> None:
    cluster.states(1, "RUNNING", "PENDING")
    cluster.then(interrupt)
    with pytest.raises(Interrupted, match="its jobs were cancelled; 0 of"):
        make_record(scan, PROTOCOL, Path("record"), slab_rows=4, executor="slurm:stop=cancel,tasks=2")
    assert cluster.lines("cancelled") == ["1"]


def test_jobs_of_another_run_are_not_mixed_with(cluster: Cluster, scan: Scan) -> None:
    import shutil

    cluster.states(1, "RUNNING", "PENDING")
    cluster.then(interrupt)
    with pytest.raises(Interrupted):
        make_record(scan, PROTOCOL, Path("record"), slab_rows=4, executor="slurm")
    shutil.rmtree("record")
    with pytest.raises(
        InputError, match="jobs of another run are at work for this record: 1; cancel them with"
    ):
        make_record(scan, PROTOCOL, Path("record"), slab_rows=8, executor="slurm")


def test_a_job_that_nobody_noted_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "NOTED_WITHIN_S", 0.0)
    place = JobFolder(tmp_path / "work")
    place.begin(double)
    place.lay_down(1, 1, [[(0, 5)]])
    assert node.work(place, "1-0") == 1
    assert not place.done()


def test_an_error_that_crosses_no_process_is_told_in_words(tmp_path: Path) -> None:
    class Own(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    place = JobFolder(tmp_path / "work")
    place.begin(double)
    node._note_failure(place, 3, Own(1, 2), "1-0", "n1")
    assert str(place.take(3)[1]) == "Own: 1 and 2"
    assert pickle.loads(pickle.dumps(place.take(3)))[2] == "1-0"
