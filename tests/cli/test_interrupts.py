"""A wish to stop is heard even where Python loses the exception that tells of it."""

import signal
import subprocess
import sys

LOST = """
import os, signal, weakref
from tomarium.cli import interrupts, show
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
    for name in ("INT", "TERM"):
        assert hasattr(signal, f"SIG{name}")
        done = subprocess.run(
            [sys.executable, "-c", LOST.format(name)], capture_output=True, text=True, check=False
        )
        assert done.stdout.split("\n")[:2] == ["went on", "stopped"], done.stderr
        assert "Traceback" not in done.stderr
