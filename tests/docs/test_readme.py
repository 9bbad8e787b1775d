"""What README shows in Python runs on a scan whose file does not tell its rotation axis."""

from __future__ import annotations

import re
from pathlib import Path

import tomarium as tm
from warm import Warm

README = Path(__file__).parents[2] / "README.md"


def test_the_first_lines_of_python_run(warm: Warm, tmp_path: Path) -> None:
    done = warm.tomarium(
        tmp_path, "simulate", "scan.h5", "--size", "64", "--rows", "12", "--views", "48", "--seed", "3"
    )
    assert done.returncode == 0
    assert tm.open(tmp_path / "scan.h5").geometry.axis_column is None
    block = re.search(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)
    assert block
    told, wide, _ = block[1].partition("part = ")  # the scan that is cropped there is wide
    assert wide
    ran = warm.run(f"import os, sys; os.chdir(sys.argv[1])\n{told}", tmp_path)
    assert ran.returncode == 0, ran.output
    assert tm.open(tmp_path / "tooth.ome.zarr").shape == (12, 64, 64)
