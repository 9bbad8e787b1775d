"""A command goes on where nobody reads its messages any more."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tomarium.cli import execute
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate


def closed_pipe() -> int:
    """Return the end of a pipe that nobody reads."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    return write_end


def closed_terminal() -> int:
    """Return a terminal that was closed."""
    ours, theirs = pty.openpty()
    os.close(ours)
    return theirs


@pytest.mark.parametrize("gone", [closed_pipe, closed_terminal])
def test_a_run_comes_to_its_end_without_its_stderr(tmp_path: Path, gone: Callable[[], int]) -> None:
    simulate(tmp_path / "scan.h5", SimulationConfig(columns=48, rows=4, views=60, axis_column=23.5))
    stderr = gone()
    with pytest.raises(OSError, match=r"Broken pipe|Input/output error"):
        os.write(stderr, b"x")
    done = subprocess.run(
        [sys.executable, "-m", "tomarium", "run", "scan.h5", "-o", "record"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False,
        start_new_session=True,
    )  # fmt: skip
    os.close(stderr)
    assert "record: finished" in done.stdout
    assert done.returncode in (0, 1)
    assert (tmp_path / "record" / "provenance.json").is_file()
    assert execute(["check", str(tmp_path / "record")]) in (0, 1)


def test_an_error_without_its_stderr_keeps_its_exit_code(tmp_path: Path) -> None:
    stderr = closed_pipe()
    done = subprocess.run(
        [sys.executable, "-m", "tomarium", "info", str(tmp_path / "absent.h5")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, check=False,
    )  # fmt: skip
    os.close(stderr)
    assert done.returncode == 2


def test_a_menu_ends_with_its_terminal(tmp_path: Path) -> None:
    simulate(tmp_path / "scan.h5", SimulationConfig(columns=48, rows=4, views=60, axis_column=23.5))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "tomarium", "menu", "."], cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs,
        env=os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}, start_new_session=True,
    ) as menu:  # fmt: skip
        os.close(theirs)
        written = b""
        while b"menu>" not in written:
            written += os.read(ours, 1000)
        os.close(ours)
        try:
            assert menu.wait(120) in (0, 3)
        finally:
            menu.kill()
