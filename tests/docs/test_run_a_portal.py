"""The units of systemd that the page on running a portal gives, read by systemd itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "run-a-portal.md"


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze on this machine")
    units = re.findall(
        r"`/etc/systemd/system/([\w-]+\.service)`.*?```ini\n(.*?)```", PAGE.read_text("utf-8"), re.S
    )
    assert [name for name, _ in units] == ["tomarium.service", "tomarium-worker.service"]
    for name, unit in units:
        here = unit.replace("/opt/tomarium/bin/tomarium", sys.executable).replace(
            "User=tomarium", "User=daemon"
        )
        (tmp_path / name).write_text(here, "utf-8")
    command = [program, "verify", *(str(tmp_path / name) for name, _ in units)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
