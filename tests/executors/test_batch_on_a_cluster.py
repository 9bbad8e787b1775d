"""`tomarium batch` on a real SLURM of one node, where it is killed in the middle and given again, and on Dask."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from slurm_server import Slurm
from tomarium.cli import execute
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

NAMES = ("bone_1", "bone_2")
CHANGED = ["--rows", "0:4", "--axis", "23.5"]


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans, and one that is cut off."""
    folder = tmp_path_factory.mktemp("spool")
    for seed, name in enumerate(NAMES):
        simulate(
            folder / f"{name}.h5", SimulationConfig(columns=48, rows=4, views=60, axis_column=23.5, seed=seed)
        )
    (folder / "bone_0.h5").write_bytes((folder / "bone_1.h5").read_bytes()[:5000])
    return folder


def batch(spool: Path, out: Path, executor: str, *more: str) -> list[str]:
    words = [sys.executable, "-m", "tomarium", "batch", str(spool), "-o", str(out), "--on", executor]
    return [*words, "--rows", "0:4", "--axis", "23.5", *more]


def jobs_of(slurm: Slurm) -> set[str]:
    """List the jobs that SLURM knows, also those at their end."""
    return {line.split("_")[0] for line in str(slurm.run("squeue", "-h", "-t", "all", "-o", "%i")).split()}


def demand_whole(spool: Path, out: Path, name: str) -> None:
    """Compare a volume of a batch with what one process makes."""
    volume = np.asarray(tm.open(out / "records" / name / "volume.ome.zarr"))
    scan = tm.open(spool / f"{name}.h5", axis_column=23.5)
    assert isinstance(scan, tm.Scan)
    np.testing.assert_array_equal(volume, np.asarray(tm.reconstruct(scan, rows=slice(0, 4))))


def test_a_batch_on_slurm_that_is_killed_in_the_middle_is_gone_on_with(
    spool: Path, tmp_path: Path, slurm: Slurm
) -> None:
    out = tmp_path / "batch"
    before = jobs_of(slurm)  # other tests' jobs are known to SLURM for a while
    words = batch(spool, out, "slurm:tasks=1")
    with subprocess.Popen(
        words, cwd=tmp_path, env=slurm.environment, stderr=subprocess.PIPE, text=True
    ) as killed:
        until = time.monotonic() + 240
        noted = out / "records" / f"{NAMES[-1]}.slurm"
        while not list(noted.rglob("arrays.json")):  # the first is made, and the job of the second is known
            assert killed.poll() is None, killed.stderr.read() if killed.stderr else ""
            assert time.monotonic() < until
            time.sleep(0.05)
        os.kill(killed.pid, signal.SIGKILL)
    first = (out / "records" / NAMES[0] / "provenance.json").stat().st_mtime_ns
    assert not (out / "records" / NAMES[-1] / "provenance.json").exists()
    again = subprocess.run(
        words, cwd=tmp_path, env=slurm.environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 1, again.stderr  # bone_0 cannot be read
    rows = json.loads((out / "results.json").read_text())["scans"]
    assert {row["name"]: row["state"] for row in rows} == {
        "bone_0": "failed", "bone_1": "warnings", "bone_2": "warnings",
    }  # fmt: skip
    assert (out / "records" / NAMES[0] / "provenance.json").stat().st_mtime_ns == first
    for name in NAMES:
        demand_whole(spool, out, name)
    # The job that went on without its command is followed, and no other was sent.
    assert len(jobs_of(slurm) - before) == len(NAMES), again.stderr
    until = time.monotonic() + 240  # a task comes to its end after its last slab was taken
    while left := slurm.run("squeue", "-h", "-o", "%i"):
        assert time.monotonic() < until, f"jobs are still there: {left}"
        time.sleep(0.1)


def test_a_batch_on_dask_makes_what_one_process_does(spool: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    words = batch(spool, tmp_path / "batch", "dask", "--match", f"{NAMES[0]}.h5")
    assert execute(words[3:]) == 1  # with warnings
    demand_whole(spool, tmp_path / "batch", NAMES[0])
