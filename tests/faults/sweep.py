"""Stops a scenario at a step, looks at what is left, and does it again; run with the shim preloaded.

`python sweep.py FOLDER` reads lines "SCENARIO KIND STEP" and answers each with a line of JSON. Each act is a process of
its own, forked from this one, in which everything is imported already.
"""

import ctypes
import io
import json
import os
import shutil
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.scenarios import SCENARIOS, opened, state
from tomarium.catalogue.fsck import fsck
from tomarium.errors import TomariumError

SHIM = ctypes.CDLL(None)
SHIM.fault_arm.argtypes = (ctypes.c_char_p, ctypes.c_long, ctypes.c_char)
SHIM.fault_steps.restype = ctypes.c_long


def apart(
    act: Callable[[], Any], home: Path | None = None, kind: bytes = b"", step: int = 0
) -> dict[str, Any]:
    """Do something in a process of its own, armed where `home` is given; tell how it ended and what it said."""
    if home is not None:  # here, so that both processes see one count
        SHIM.fault_arm(str(home).encode(), step, b"\0")
    readable, writable = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(readable)
        told: dict[str, Any]
        try:
            warnings.simplefilter("ignore")
            if home is not None:
                SHIM.fault_arm(str(home).encode(), step, kind)
            result = act()
            told = {"said": True, **(result or {})}
        except (TomariumError, OSError) as problem:
            told = {"refused": f"{type(problem).__name__}: {problem}"}
        except BaseException:
            told = {"broke": traceback.format_exc()[-3000:]}
        os.write(writable, json.dumps(told, default=str).encode())
        os._exit(0)
    os.close(writable)
    content = b""
    while block := os.read(readable, 1 << 16):
        content += block
    os.close(readable)
    _, status = os.waitpid(process, 0)
    ended = {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}
    return {**ended, "steps": SHIM.fault_steps(), **(json.loads(content) if content else {})}


def findings(home: Path, *, repair: bool = False) -> list[list[str]]:
    with opened(home) as catalogue:
        found = list(fsck(catalogue, repair=repair, now=time.time() + 3600))
    return [
        [one.finding.severity, one.finding.code, one.finding.where, one.finding.found, one.problem]
        for one in found
        if not one.repaired and one.finding.code != "no-worker"
    ]


def look(act: Callable[[Path], None], home: Path, *, again: bool) -> dict[str, Any]:
    """Tell what is found and what is there, after a repair, after the act was done again, and at the end."""
    told: dict[str, Any] = {}
    if again:
        told["found"] = findings(home)
        told["left"] = findings(home, repair=True)
        told["between"] = state(home)
        act(home)
    return told | {"after": state(home), "end": findings(home)}


def warm(work: Path) -> None:
    """Do some of it in this process, so that those forked from it have everything imported."""
    for name in ("publish", "upload", "run"):
        home = work / "warm" / name / "home"
        home.mkdir(parents=True)
        os.environ["TOMARIUM_HOME"] = str(home)
        SCENARIOS[name].prepare(home)
        if name != "run":  # whose threads no fork would have
            SCENARIOS[name].act(home)
        state(home)
        findings(home)
    shutil.rmtree(work / "warm")


def stop(name: str, kind: str, step: int, work: Path) -> dict[str, Any]:
    """Stop a scenario at a step, and tell what came of it."""
    scenario, home, template = SCENARIOS[name], work / name / "home", work / name / "template"
    os.environ["TOMARIUM_HOME"] = str(home)
    told: dict[str, Any] = {}
    if not template.exists():
        home.mkdir(parents=True)
        scenario.prepare(home)
        shutil.copytree(home, template)
        told["before"] = apart(lambda: {"state": state(home)})["state"]
    shutil.rmtree(home)
    shutil.copytree(template, home)
    told["stopped"] = apart(lambda: scenario.act(home), home, kind.encode(), step)
    told["then"] = apart(lambda: look(scenario.act, home, again=kind != "c"))
    return told


def main() -> None:
    warnings.simplefilter("ignore")
    work = Path(sys.argv[1])
    with redirect_stderr(io.StringIO()):
        warm(work)
        for line in sys.stdin:
            name, kind, step = line.split()
            print(json.dumps(stop(name, kind, int(step), work)), flush=True)


if __name__ == "__main__":
    main()
