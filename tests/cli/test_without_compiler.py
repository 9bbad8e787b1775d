"""Where the compiled kernels are absent all still works, and the program says what it does without."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.formats.data_exchange import reader as data_exchange

HIDDEN = (
    "import sys; sys.modules['tomarium._native'] = None; from tomarium.cli import main; main(sys.argv[1:])"
)


def without_compiler(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HIDDEN, *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_portable_engine_makes_the_same_volume(tmp_path: Path) -> None:
    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan().with_geometry(axis_column=None))  # type: ignore[misc]
    done = without_compiler(tmp_path, "run", "disc.h5", "-o", "portable", "--axis", "30.5")
    assert done.returncode == 0, done.stderr
    engines = json.loads((tmp_path / "portable" / "provenance.json").read_text())["engines"]
    assert set(engines) == {"nufft", "reference"}
    ours = np.asarray(tm.reconstruct(tm.open(tmp_path / "disc.h5"), axis_column=30.5))  # type: ignore[arg-type]
    portable = np.asarray(tm.open(tmp_path / "portable" / "volume.ome.zarr"))
    y, x = np.indices(ours.shape[1:]) - 31.5
    inside = np.hypot(y, x) < 31
    difference = np.sqrt(np.mean((ours - portable)[:, inside] ** 2))
    assert difference < 1e-3 * np.ptp(ours)


def test_the_doctor_says_why_and_what_to_do(tmp_path: Path) -> None:
    done = without_compiler(tmp_path, "doctor", "--self")
    assert done.returncode == 1
    assert "reinstall tomarium where there is a C++17 compiler" in done.stdout
    asked = without_compiler(tmp_path, "run", "absent.h5", "--set", "fbp.engine=native")
    assert asked.returncode == 2


def test_asking_for_an_engine_that_is_not_there_says_why(tmp_path: Path) -> None:
    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan())  # type: ignore[misc]
    done = without_compiler(tmp_path, "run", "disc.h5", "--axis", "30.5", "--set", "fbp.engine=native")
    assert done.returncode == 2
    assert "the compiled kernels were not built" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["disc.h5"]
