"""A wish to stop is heard even where Python loses the exception that tells of it."""

import signal
import subprocess
import sys

import click
import pytest

from tomarium.cli import execute
from tomarium.errors import FormatError

LOST = """
import os, signal, weakref
from tomarium.cli import interrupts, show
signal.signal(signal.SIG{0}, signal.SIG_DFL)  # what runs the tests may ignore it
interrupts.install()
class Thing: pass
thing = Thing()
reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIG{0}))
tell = show.progress()
tell("reconstruct", 0, 4)
del thing
print("went on", flush=True)
try:
    tell("reconstruct", 1, 4)
except KeyboardInterrupt:
    print("stopped")
"""


def test_an_interrupt_lost_in_a_callback_stops_at_the_next_slab() -> None:
    for name in ("INT", "TERM", "HUP"):
        assert hasattr(signal, f"SIG{name}")
        done = subprocess.run(
            [sys.executable, "-c", LOST.format(name)], capture_output=True, text=True, check=False
        )
        assert done.stdout.split("\n")[:2] == ["went on", "stopped"], done.stderr
        assert "Traceback" not in done.stderr


AT_ITS_END = """
import os, signal, threading
from tomarium import cli
def work():
    threading.main_thread().join()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    print("done", flush=True)
def execute(arguments):
    threading.Thread(target=work).start()
    return 3
cli.execute = execute
cli.main([])
"""


def test_a_command_at_its_end_waits_for_what_is_in_work_however_often_it_is_asked_to_stop() -> None:
    done = subprocess.run([sys.executable, "-c", AT_ITS_END], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "done\n", "")


def test_nohup_is_left_in_force() -> None:
    code = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from tomarium.cli import interrupts;"
        "interrupts.install(); signal.raise_signal(signal.SIGHUP); print('goes on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "goes on\n"


def test_who_is_started_beside_a_shell_hears_a_wish_to_stop() -> None:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from tomarium.cli import interrupts;"
        "interrupts.install(); signal.raise_signal(signal.SIGINT); print('goes on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert "KeyboardInterrupt" in done.stderr


@pytest.mark.parametrize("error", [FormatError, RuntimeError])
def test_a_call_that_ctrl_c_broke_off_is_told_as_stopped(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken_off(*_: object, **__: object) -> None:
        try:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as stop:  # as Cython does, and our readers behind it
                raise SystemError("returned a result with an exception set") from stop
        except SystemError as problem:
            raise error("a.h5: cannot be read") from problem

    monkeypatch.setattr(click.Group, "main", broken_off)
    assert execute(["info", "a.h5"]) == 3
    assert capsys.readouterr().err == "tomarium: stopped\n"
