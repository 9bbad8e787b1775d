"""Imports go down only."""

import subprocess
import sys
from pathlib import Path


def test_floors_hold() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    told = subprocess.run(
        [lint, "--no-cache"], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout
