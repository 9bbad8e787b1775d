"""`import tomarium` is quick, and pulls in nothing heavy."""

import subprocess
import sys


def test_import_is_quick_and_light() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import tomarium; t = time.perf_counter() - t;"
        "heavy = {'numpy', 'h5py', 'zarr', 'pint', 'fastapi', 'sqlalchemy', 'pydantic', 'cupy'};"
        "heavy &= set(sys.modules);"
        "print(t, *heavy)"
    )
    seconds, *heavy = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert heavy == []
    assert float(seconds) < 0.3


def test_commands_that_open_a_scan_load_no_catalogue() -> None:
    code = (
        "import sys, tomarium.formats, tomarium.pipeline.run.reconstruct, tomarium.beamtime.profile_in_use;"
        "from tomarium.cli import commands;"
        "[commands(name) for name in ('info', 'slice', 'axis', 'plan', 'run')];"
        "from tomarium.steps.core.serialization import all_steps; all_steps();"
        "print(*({'sqlalchemy', 'fastapi', 'zarr', 'scipy', 'pint', 'matplotlib'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert loaded.split() == []
