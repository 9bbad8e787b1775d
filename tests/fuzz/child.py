"""One target in a process of its own, a fork of `run.py`, which watches it: everything is imported already.

What it is at stands in a file both share: how many inputs it read, the last one, and whether it is reading.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import signal
import struct
import sys
import tempfile
import traceback
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

SHARED = 1 << 21
HEAD = struct.Struct("<QQQ")  # inputs read, of them problems, length of the one that is being read


class Notes:
    """The file that both share."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self.memory = mmap.mmap(file.fileno(), SHARED)
        self.count = self.problems = 0

    def begin(self, content: bytes) -> None:
        self.memory[HEAD.size : HEAD.size + len(content)] = content
        self.memory[: HEAD.size] = HEAD.pack(self.count, self.problems, len(content))

    def end(self) -> None:
        self.count += 1
        self.memory[: HEAD.size] = HEAD.pack(self.count, self.problems, 0)

    def told(self) -> tuple[int, int, bytes]:
        """What the other one reads."""
        count, problems, length = HEAD.unpack(self.memory[: HEAD.size])
        return count, problems, self.memory[HEAD.size : HEAD.size + length]


def guarded(read: Callable[[bytes], object], notes: Notes, found: Path) -> Callable[[bytes], None]:
    """Read, and keep an input that gives an error which is not documented, one for each place of the code."""

    def once(content: bytes) -> None:
        notes.begin(content)
        try:
            read(content)
        except Exception as problem:
            notes.problems += 1
            keep(found, content, problem)
        notes.end()

    return once


def keep(found: Path, content: bytes, problem: BaseException) -> None:
    lines = traceback.extract_tb(problem.__traceback__)
    ours = [one for one in lines if "/tomarium/" in one.filename or "/fuzz/" in one.filename] or lines
    last = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    name = hashlib.sha256(f"{type(problem).__name__} {last}".encode()).hexdigest()[:12]
    place = found / name
    if not place.exists() or place.stat().st_size > len(content):
        place.write_bytes(content)
        place.with_suffix(".txt").write_text("".join(traceback.format_exception(problem)), encoding="utf-8")


def follow_code(read: Callable[[bytes], object], seeds: list[bytes]) -> None:
    """Have atheris told which branches are taken in the modules that good inputs reach.

    Its hook of imports passes over editable installs, and all of tomarium would take a minute.
    """
    import atheris

    reached: set[str] = set()
    sys.setprofile(lambda frame, _event, _argument: reached.add(frame.f_code.co_filename))
    try:
        for one in seeds:
            read(one)
    finally:
        sys.setprofile(None)
    for name, module in list(sys.modules.items()):
        if not name.startswith("tomarium") or getattr(module, "__file__", None) not in reached:
            continue
        held = list(vars(module).values())
        held += [one for kind in held if isinstance(kind, type) for one in vars(kind).values()]
        for one in held:
            if isinstance(one, types.FunctionType) and one.__module__ == name:
                atheris.instrument_func(one)


def run(name: str, scratch: Path, seed: int, engine: str, folder: Path) -> None:
    """Give a target inputs without end; what it prints, and what it makes, lies in `scratch`."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    log = os.open(scratch / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(log, number)
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    found, corpus = folder / "found" / name, folder / "corpus" / name
    for place in (found, corpus):
        place.mkdir(parents=True, exist_ok=True)
    from fuzz.targets import target
    from tomarium.confinement import confine, limit, means

    warnings.simplefilter("ignore")
    chosen = target(name)
    read, seeds = chosen.begin()
    kept = Path(__file__).parent / "corpus" / name
    seeds += [one.read_bytes() for one in sorted(kept.glob("*"))]
    limit(memory=4 << 30)
    if name.startswith(("reader-", "frames-")) and means().landlock:  # as a portal reads files of strangers
        confine([Path(__file__).parents[1]], [scratch, folder])
    if engine == "atheris" and not chosen.judges_frames:
        follow_code(read, seeds[:5])
    once = guarded(read, Notes(scratch / "shared"), found)
    for one in seeds:
        once(one)
    if engine == "atheris" and not chosen.judges_frames:
        import atheris

        for one in seeds:
            (corpus / hashlib.sha256(one).hexdigest()[:16]).write_bytes(one)
        options = [
            f"-seed={seed}",
            f"-max_len={chosen.longest}",
            "-rss_limit_mb=0",
            "-timeout=3600",
            "-verbosity=0",
            f"-artifact_prefix={found}/",
        ]
        atheris.Setup([sys.argv[0], *options, str(corpus)], once, enable_python_coverage=True)
        atheris.Fuzz()
        return
    random = Random(seed)
    while True:
        once(chosen.changed(seeds, random))
