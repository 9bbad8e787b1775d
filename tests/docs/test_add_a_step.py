"""The page on steps of other packages: what it says is done, and what goes wrong in them is theirs."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.test_steps import make_scan
from tomarium.formats import data_exchange

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-step.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
TOML, MODULE, COMMANDS, TEST = (text for _, text in BLOCKS)


def install(site: Path, module: str, name: str = "adjust_gamma") -> None:
    """Lay a package down as pip does: its module, its metadata and its entry points."""
    site.mkdir(exist_ok=True)
    (site / "gamma_steps.py").write_text(module)
    about = site / "gamma_steps-1.2.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gamma-steps\nVersion: 1.2.0\n")
    (about / "RECORD").write_text("gamma_steps.py,,\n")
    (about / "top_level.txt").write_text("gamma_steps\n")
    (about / "entry_points.txt").write_text(f"[tomarium.steps]\n{name} = gamma_steps:{name}\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan(angles=90))  # type: ignore[misc]
    return tmp_path


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=os.environ | {"PYTHONPATH": str(folder / "site")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_page_is_done(folder: Path) -> None:
    entry = re.search(r'entry-points."tomarium.steps"\]\n(\w+) = "(.*)"', TOML)
    assert entry is not None
    assert entry.groups() == ("adjust_gamma", "gamma_steps:adjust_gamma")
    install(folder / "site", MODULE)
    for line in COMMANDS.splitlines():
        told = call(folder, "-m", *shlex.split(line.removeprefix("$ ")))
        assert told.returncode == 0, told.stderr
    provenance = json.loads((folder / "record" / "provenance.json").read_text())
    assert provenance["packages"] == {"adjust_gamma": {"package": "gamma-steps", "version": "1.2.0"}}
    steps = [step["step"] for step in provenance["plan"]["stages"][-1]["steps"]]
    assert steps[:3] == ["flat_field", "adjust_gamma", "minus_log"]
    assert provenance["quality"]["adjust_gamma.negative"] == 0
    (folder / "test_gamma_steps.py").write_text(TEST)
    told = call(folder, "-m", "pytest", "-q", "test_gamma_steps.py")
    assert told.returncode == 0, told.stdout
    assert "package gamma-steps 1.2.0" in call(folder, "-m", "tomarium", "steps").stdout


def test_an_error_in_it_is_its_own(folder: Path) -> None:
    failing = '    raise ZeroDivisionError("by gamma")\n    result = context'
    install(folder / "site", MODULE.replace("    result = context", failing))
    words = ["-m", "tomarium", "run", "disc.h5", "-o", "record", "--step", "adjust_gamma", "--step", "minus_log",
             "--set", "flat_field.log=no"]  # fmt: skip
    told = call(folder, *words)
    assert told.returncode == 2
    assert "step adjust_gamma (package gamma-steps 1.2.0) failed: ZeroDivisionError: by gamma" in told.stderr
    assert "Traceback" not in told.stderr
    assert 'raise ZeroDivisionError("by gamma")' in (folder / "record.error.log").read_text()
    assert not (folder / "record").exists(), "nothing worth keeping was done"


@pytest.mark.parametrize(
    ("module", "name", "why"),
    [
        ("import absent_library\n", "adjust_gamma", "ModuleNotFoundError: No module named 'absent_library'"),
        (MODULE.replace("adjust_gamma", "fbp"), "fbp", "there is one called 'fbp' already"),
    ],
)
def test_a_broken_package_stops_nothing_but_itself(folder: Path, module: str, name: str, why: str) -> None:
    install(folder / "site", module, name)
    for words in (["info", "disc.h5"], ["run", "disc.h5", "-o", "record", "--axis", "30.5"]):
        told = call(folder, "-m", "tomarium", *words)
        assert told.returncode == 0, told.stderr
    told = call(folder, "-m", "tomarium", "steps")
    assert told.returncode == 0
    assert f"! package gamma-steps: gamma_steps:{name}, one of its steps, is left out: {why}" in told.stderr
    assert "warnings.warn" not in told.stderr
    assert why in call(folder, "-m", "tomarium", "doctor", "--self").stdout
