"""Four readers beside a writer that flushes every 20 ms; its long form is `benchmarks/live.py`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tomarium as tm

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "live.py"


def test_no_reader_ever_sees_a_wrong_frame(tmp_path: Path) -> None:
    words = [sys.executable, BENCHMARK, "--seconds", "5", "--turns", "1", "--only-beside"]
    words += ["--least", "60", "--json", tmp_path / "told.json"]
    subprocess.run(words, cwd=tmp_path, check=True, timeout=900, stdout=subprocess.DEVNULL)
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["wrong"] == 0, told
    assert told["right"] > 40, told
    assert told["refused"] <= told["right"] // 20, told
    assert told["frames"] > 50, told
    for killed in told["killed"]:
        assert killed["wrong"] == 0
        assert killed["readable"] >= killed["published"]


WRITER = """
import sys, h5py, numpy as np
path, version, swmr = sys.argv[1], sys.argv[2] or None, sys.argv[3] == "swmr"
base = np.arange(96 * 96, dtype="u4").reshape(96, 96)
with h5py.File(path, "w", libver=version) as file:
    data = file.create_dataset("data", (0, 96, 96), "u4", maxshape=(None, 96, 96), chunks=(1, 96, 96))
    file.flush()
    if swmr:
        file.swmr_mode = True
    for number in range(10**6):
        data.resize(number + 1, axis=0)
        data[number] = base + np.uint32(number * 7919)
        file.flush()
        print(number + 1, flush=True)
"""


@pytest.mark.parametrize(
    ("version", "swmr"), [("", ""), ("v108", ""), ("v110", ""), ("latest", ""), ("latest", "swmr")]
)
def test_a_killed_writer_leaves_what_it_flushed(tmp_path: Path, version: str, swmr: str) -> None:
    """All of it under SWMR; else but for the last node of the index, which a flush may have left half-written."""
    lost = 0 if swmr else 64
    random = np.random.default_rng(len(version) + len(swmr))
    base = np.arange(96 * 96, dtype="u4").reshape(96, 96)
    for kill in range(3):
        path = tmp_path / f"{kill}.h5"
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), version, swmr], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(random.uniform(0, 0.2))
        writer.kill()
        told = writer.communicate()[0].split()
        flushed = int(told[-1]) if told and told[-1].isdigit() else 1
        data = tm.open_h5(path, "live", patience_s=3)["data"]
        frames = data[: data.valid_frames]
        assert len(frames) >= flushed - lost
        assert all(np.array_equal(one, base + np.uint32(n * 7919)) for n, one in enumerate(frames))
