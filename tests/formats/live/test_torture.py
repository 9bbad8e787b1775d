"""Four readers beside a writer that flushes every 20 ms; its long form is `benchmarks/live.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "live.py"


def test_no_reader_ever_sees_a_wrong_frame(tmp_path: Path) -> None:
    words = [sys.executable, BENCHMARK, "--seconds", "5", "--turns", "1", "--json", tmp_path / "told.json"]
    subprocess.run(words, cwd=tmp_path, check=True, timeout=120, stdout=subprocess.DEVNULL)
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["wrong"] == 0, told
    assert told["right"] > 40, told
    assert told["refused"] <= told["right"] // 20, told
    assert told["frames"] > 50, told
    for killed in told["killed"]:
        assert killed["wrong"] == 0
        assert killed["readable"] >= killed["published"]
