"""What an array task does on its node: its slabs, several at a time, each told of as soon as it is written."""

from __future__ import annotations

import os
import pickle
import socket
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tomarium.errors import InputError, StepFailed
from tomarium.executors.slurm.job_folder import JobFolder
from tomarium.executors.threads import map_threads
from tomarium.pipeline.run.work import SlabResult

NOTED_WITHIN_S: Final = 60.0
"""Time within which the command that sent a job has noted it, and a shared disk shows that."""


def work(job_folder: JobFolder, name: str) -> int:
    """Do the slabs of a task.

    Parameters
    ----------
    job_folder : JobFolder
        Folder of the section's work.
    name : str
        Name of the task: number of the array and of the task in it, "1-0".

    Returns
    -------
    int
        Exit code of the job: 0 where all slabs are done.
    """
    node = socket.gethostname()
    print(f"node {node}, job {os.environ.get('SLURM_JOB_ID', '?')}", flush=True)
    if not _is_known(job_folder, name):
        print("the command that sent this job was ended before it had noted it: nothing is done", flush=True)
        return 1
    workers, items = job_folder.todo(name)
    told_before = job_folder.done()
    items = [item for item in items if item[0] not in told_before]  # SLURM may start a task again
    try:
        for path in job_folder.paths():
            if not path.exists():
                raise _not_visible(node, path)
        function = job_folder.function()
    except Exception as problem:  # told to the command that waits, whatever it is
        for number, _ in items:
            _note_failure(job_folder, number, problem, name, node)
        return 1
    worker = f"{node}, task {os.environ.get('SLURM_ARRAY_JOB_ID', '?')}_{name.partition('-')[2]}"
    failed = 0

    def do_slab(pair: tuple[int, Any]) -> None:
        nonlocal failed
        number, item = pair
        if job_folder.is_stopped():
            return
        try:
            result = function(item)
            if isinstance(result, SlabResult):
                result = replace(result, worker=worker)
            job_folder.give(number, result)
            print(f"slab {number}: done", flush=True)
        except Exception as problem:
            failed += 1
            job_folder.stop()
            _note_failure(job_folder, number, problem, name, node)

    for _ in map_threads(do_slab, items, workers):
        pass
    return 1 if failed else 0


def _note_failure(job_folder: JobFolder, number: int, problem: Exception, name: str, node: str) -> None:
    """Tell of an error, in the log and to the command that waits."""
    print(f"slab {number}: {type(problem).__name__}: {problem}", flush=True)
    traceback.print_exception(problem)
    sys.stderr.flush()
    if isinstance(problem, FileNotFoundError) and problem.filename:
        problem = _not_visible(node, problem.filename)
    try:
        pickle.loads(pickle.dumps(problem))
    except Exception:  # an error that does not cross a process
        problem = StepFailed(f"{type(problem).__name__}: {problem}")
    job_folder.give(number, None, problem, name)


def _is_known(job_folder: JobFolder, name: str) -> bool:
    """Tell whether the command that sent this job has noted it, so that no slab is done by two jobs."""
    submission, job = int(name.partition("-")[0]), os.environ.get("SLURM_ARRAY_JOB_ID", "")
    until = time.monotonic() + NOTED_WITHIN_S
    while True:
        if any((array.submission, array.job) == (submission, job) for array in job_folder.arrays()):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.1)


def _not_visible(node: str, path: object) -> InputError:
    return InputError(
        f"node {node}: {path} is not there; every node must see the scan and the record under the same path"
    )


if __name__ == "__main__":
    sys.exit(work(JobFolder(Path(sys.argv[1])), sys.argv[2]))
