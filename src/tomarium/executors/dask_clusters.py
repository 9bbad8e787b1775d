"""Clusters of Dask distributed: of this computer, at an address, or in jobs of SLURM by dask-jobqueue."""

from __future__ import annotations

import logging
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from tomarium.errors import EngineUnavailable
from tomarium.executors.slurm.follow import ENDED_WITHIN_S, LOOKS_EVERY_S, needs_of
from tomarium.executors.slurm.job_folder import jobs_folder
from tomarium.executors.slurm.options import Options, read_options
from tomarium.executors.slurm.script import for_sbatch
from tomarium.pipeline.run.work import Task

ANSWERS_WITHIN_S: Final = 10.0
"""Time after which a scheduler that gives no answer is taken for absent."""
RETRIES: Final = 3
"""How often a slab is tried again whose worker died."""
JOB_TIME: Final = "240"
"""Limit of a job's time where the user names none, minutes; a job that ends is replaced by a new one."""
LEAST_BYTES: Final = 1 << 30
"""Memory of a job where neither plan nor user tells it."""
WORD: Final = "slurm"

_LOG: Final = logging.getLogger(__name__)


def settings() -> dict[str, Any]:
    """Tell the settings of Dask under which slabs are shared out."""
    # Workers are given their threads with each slab; the variables that Dask would set stay in this process too.
    return {"distributed.scheduler.allowed-failures": RETRIES, "distributed.nanny.pre-spawn-environ": {}}


def is_on_slurm(argument: str) -> bool:
    """Tell whether an argument asks for workers in jobs of SLURM."""
    return argument.partition(":")[0] == WORD


def place_of(argument: str) -> str:
    """Tell in words where the workers are."""
    if is_on_slurm(argument):
        return "in jobs of SLURM (squeue tells why they wait)"
    return f"at {argument}" if argument else "on this computer"


def logs_of(function: Callable[[Any], Any]) -> Path | None:
    """Return the folder for logs of jobs, beside the record; None where there is no record."""
    if not isinstance(function, Task) or function.folder is None:
        return None
    return jobs_folder(function.folder.parent) / "dask"


def remove_logs(function: Callable[[Any], Any]) -> None:
    """Remove the logs of jobs whose work is done."""
    folder = logs_of(function)
    if folder is None or not folder.is_dir():
        return
    until = time.monotonic() + ENDED_WITHIN_S
    while folder.is_dir() and time.monotonic() < until:  # jobs that are being cancelled still write there
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(LOOKS_EVERY_S)
    with suppress(OSError):  # another run's work is there
        folder.parent.rmdir()


def client_of(
    stack: ExitStack, argument: str, function: Callable[[Any], Any], workers: int, items: int
) -> Any:
    """Connect to the cluster that an argument names, and start it where it is not there.

    Parameters
    ----------
    stack : ExitStack
        What is started ends with it.
    argument : str
        Address of a scheduler; "slurm", with options behind a colon; or empty, for a cluster of this computer.
    function : callable
        What is done with each item; tells what a job needs.
    workers : int
        Calls at a time: processes of this computer, or threads of a job's worker.
    items : int
        Calls at most.

    Returns
    -------
    distributed.Client
        Connected.

    Raises
    ------
    EngineUnavailable
        Nobody answers, or no cluster can be started.
    """
    from distributed import Client

    if argument and not is_on_slurm(argument):
        try:
            return stack.enter_context(Client(argument, timeout=ANSWERS_WITHIN_S))
        except (OSError, ValueError) as problem:
            raise EngineUnavailable(
                f"no Dask scheduler answers at {argument}: {problem}; start one with `dask scheduler` and give its "
                f"address as dask:tcp://HOST:PORT"
            ) from problem
    if argument:
        options = read_options(argument.partition(":")[2])
        cluster = stack.enter_context(_slurm_cluster(options, function, workers))
        jobs = max(1, min(options.tasks, -(-items // workers)))
        cluster.adapt(minimum=jobs, maximum=jobs)  # a job that is lost is replaced, as `scale` would not
        _LOG.info("%d jobs of SLURM are asked for; the run begins with the first", jobs)
    else:
        cluster = stack.enter_context(_local_cluster(workers))
    return stack.enter_context(Client(cluster))


def _local_cluster(workers: int) -> Any:
    from distributed import LocalCluster

    try:
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # not 8787 of every interface, as None would
            memory_limit=0,  # the plan bounds the memory; a worker is not to be stopped for it
            silence_logs=logging.CRITICAL,
        )
    except (RuntimeError, OSError, TimeoutError) as problem:
        raise EngineUnavailable(
            f"the {workers} processes of Dask did not start on this computer: {problem}; repeat the command, or take "
            f"--on threads, which needs none"
        ) from problem


def _slurm_cluster(options: Options, function: Callable[[Any], Any], workers: int) -> Any:
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as problem:
        raise EngineUnavailable(
            "dask:slurm needs dask-jobqueue; install it with: pip install 'tomarium[dask]'"
        ) from problem
    needs = needs_of(function, workers)
    memory = options.memory_bytes or needs.memory_bytes or LEAST_BYTES
    words = [f"--qos={options.qos}"] if options.qos else []
    logs = logs_of(function)
    try:
        return SLURMCluster(
            queue=options.partition,
            account=options.account,
            walltime=options.time or JOB_TIME,
            cores=workers,
            processes=1,
            job_cpu=options.cpus or needs.processors,
            memory=f"{memory} B",
            job_mem=f"{-(-memory // (1 << 20))}M",
            job_extra_directives=[
                *words,
                *([" ".join(map(for_sbatch, options.sbatch))] if options.sbatch else []),
            ],
            job_script_prologue=[options.setup] if options.setup else [],
            # the plan bounds the memory: a worker is not to be stopped for it, nor to start others by itself
            worker_extra_args=["--memory-limit", "0"],
            job_name=f"tomarium-{needs.name}",
            python=shlex.quote(sys.executable),
            log_directory=None if logs is None else str(logs),
            scheduler_options={"dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
        )
    except (RuntimeError, OSError, ValueError) as problem:
        raise EngineUnavailable(
            f"no Dask cluster was started in jobs of SLURM: {problem}; start the command on a login node of the "
            f"cluster, or take --on slurm"
        ) from problem
