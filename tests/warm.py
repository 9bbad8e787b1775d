"""A process in which everything is imported already and that makes a child for each program it is given.

A crash, an endless loop or a flood of memory stays in the child, as in a Python that is started for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

PARENT = """
import gc, json, os, resource, signal, sys, traceback
import h5py, numpy as np, olefile, PIL.Image, scipy.io, tifffile, xml.etree.ElementTree, zarr
import tomarium as tm
import tomarium.catalogue, tomarium.cli, tomarium.pipeline.run.reconstruct, tomarium.viewers.slice_file
from tomarium.doctor import all_checks, examine_path
from tomarium.errors import TomariumError
from tomarium.formats import formats

formats(), all_checks(), tomarium.cli.commands()
os.fsync = lambda descriptor: None  # as in the process of the tests: no machine loses its power meanwhile
exec(sys.argv[1])
gc.collect()
gc.freeze()  # else the first collection of each child copies all pages that hold an object


def run(program, arguments, seconds, told):
    os.dup2(told, 1)
    os.dup2(told, 2)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(10 * seconds)
    sys.argv = ["-c", *arguments]
    code = 0
    try:
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


for line in sys.stdin:
    place, *words = json.loads(line)
    told = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    child = os.fork()
    if child == 0:
        run(*words, told)
    os.close(told)
    print(child, flush=True)
    _, status, used = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    print(json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]), flush=True)
"""


IN_A_FOLDER = """
import importlib, os, runpy, sys
from tomarium import registry

folder, home, site, *words = sys.argv[1:]
os.chdir(folder)
if home:
    os.environ["TOMARIUM_HOME"] = home
if site:  # what the process knows of packages it asks anew
    os.environ["PYTHONPATH"] = site
    sys.path.insert(0, site)
    importlib.invalidate_caches()
    for known in (registry._collect, registry._providers, registry._distributions):
        known.cache_clear()
"""

TOMARIUM = (
    IN_A_FOLDER
    + """
os.dup2(os.open("errors", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
sys.argv = ["tomarium", *words]
runpy.run_module("tomarium", run_name="__main__", alter_sys=True)
"""
)
"""The program `tomarium` in a folder, with packages of another folder installed; its errors go to a file there."""

PYTEST = IN_A_FOLDER + "import pytest; raise SystemExit(int(pytest.main(words)))"
"""The program `pytest` in a folder, with packages of another folder installed."""


@dataclass(frozen=True)
class Done:
    """What became of a program: exit code (negative: the signal that ended it), output, CPU seconds, megabytes."""

    returncode: int
    output: str
    seconds: float
    megabytes: float


class Warm:
    """The process; give its options to Python, as `-W error`, and a program to run before all others."""

    def __init__(self, folder: Path, *options: str, first: str = "") -> None:
        self.output = folder / "output"
        command = [sys.executable, *options, "-c", PARENT, first]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, program: str, *arguments: object, seconds: int = 120) -> Done:
        """Run a program in a child, ended after so many seconds of processor time or ten times as many on the clock."""
        self._ask([str(self.output), program, [str(one) for one in arguments], seconds])
        self._answer()  # its process id
        code, used, megabytes = self._answer()
        return Done(code, self.output.read_text(errors="replace"), used, megabytes)

    def tomarium(
        self, folder: Path, *words: str, site: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the program `tomarium` in a folder, where its home is too, with packages that a folder has."""
        done = self.run(TOMARIUM, folder, folder / "home", site or "", *words)
        errors = (folder / "errors").read_text(encoding="utf-8")
        (folder / "errors").unlink()
        return subprocess.CompletedProcess(words, done.returncode, done.output, errors)

    def pytest(self, folder: Path, *words: str, site: Path) -> Done:
        """Run pytest in a folder, with packages that another folder has, in one process and without a cache."""
        options = [
            "-q",
            "-n",
            "0",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
        ]
        return self.run(PYTEST, folder, "", site, *options, *words, seconds=300)

    def kill_after(self, lines: int, program: str, *arguments: object) -> None:
        """Run a program in a child and kill it when it has printed so many lines.

        How many is its last argument, so that it can wait there and be killed before its next line.
        """
        pipe = self.output.with_name("pipe")
        if not pipe.exists():
            os.mkfifo(pipe)
        self._ask([str(pipe), program, [*map(str, arguments), str(lines)], 120])
        with pipe.open() as told:
            child = self._answer()
            for _ in range(lines):
                told.readline()
            os.kill(child, signal.SIGKILL)
        code, *_ = self._answer()
        assert code == -signal.SIGKILL

    def _ask(self, words: list[object]) -> None:
        assert self.process.stdin is not None
        print(json.dumps(words), file=self.process.stdin, flush=True)

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def __enter__(self) -> Warm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.process:
            assert self.process.stdin is not None
            self.process.stdin.close()
