"""`import tomarium` is quick, and pulls in nothing heavy."""

import subprocess
import sys

from processor_time import pace


def test_import_is_quick_and_light() -> None:
    code = (
        "import sys, time; t = time.process_time(); import tomarium; t = time.process_time() - t;"
        "heavy = {'numpy', 'h5py', 'zarr', 'pint', 'fastapi', 'sqlalchemy', 'pydantic', 'cupy'};"
        "heavy &= set(sys.modules);"
        "print(t, *heavy)"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(3)
    ]
    assert [heavy for _, *heavy in told] == [[]] * 3
    assert min(float(seconds) for seconds, *_ in told) < 0.3 * pace()


def test_commands_load_what_they_need() -> None:
    """`tomarium --help` loads every command, and no format; commands that open a scan load no catalogue."""
    code = (
        "import sys; from tomarium.cli import commands; commands();"
        "print(*({'h5py', 'tomarium.formats', 'tomarium.steps.core.step'} & set(sys.modules)));"
        "import tomarium.formats, tomarium.pipeline.run.reconstruct, tomarium.beamtime.profile_in_use;"
        "from tomarium.steps.core.serialization import all_steps; all_steps();"
        "print(*({'sqlalchemy', 'fastapi', 'zarr', 'scipy', 'pint', 'matplotlib', 'PIL'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert loaded.split() == []
