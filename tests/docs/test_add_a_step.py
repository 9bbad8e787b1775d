"""The page on steps of other packages: what it says is done, and what goes wrong in them is theirs."""

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from contracts.test_steps import make_scan
from tomarium.formats.data_exchange import reader as data_exchange
from warm import Warm

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "add-a-step.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
TOML, MODULE, VOLUME, COMMANDS, TEST, SUITE = (text for _, text in BLOCKS)
ENTRIES = tomllib.loads(TOML)["project"]["entry-points"]["tomarium.steps"]
PACKAGE = {"package": "gamma-steps", "version": "1.2.0"}


def install(
    site: Path, module: str = MODULE, entries: dict[str, str] = ENTRIES, family: str = "steps"
) -> None:
    """Lay a package down as pip does: its modules, its metadata and its entry points."""
    site.mkdir(exist_ok=True)
    (site / "gamma_steps.py").write_text(module)
    (site / "volume_steps.py").write_text(VOLUME)
    about = site / "gamma_steps-1.2.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gamma-steps\nVersion: 1.2.0\n")
    (about / "RECORD").write_text("gamma_steps.py,,\nvolume_steps.py,,\n")
    lines = [f"{name} = {place}\n" for name, place in entries.items()]
    (about / "entry_points.txt").write_text(f"[tomarium.{family}]\n{''.join(lines)}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan(angles=90))  # type: ignore[misc]
    return tmp_path


def tomarium(warm: Warm, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return warm.tomarium(folder, *words, site=folder / "site")


def test_the_page_is_done(folder: Path, warm: Warm) -> None:
    install(folder / "site")
    for line in COMMANDS.splitlines():
        program, *words = shlex.split(line.removeprefix("$ "))
        assert program == "tomarium"
        told = tomarium(warm, folder, *words)
        assert told.returncode == 0, told.stderr
    provenance = json.loads((folder / "record" / "provenance.json").read_text())
    assert provenance["packages"] == {"adjust_gamma": PACKAGE, "average_slices": PACKAGE}
    steps = [step["step"] for step in provenance["plan"]["stages"][-1]["steps"]]
    assert steps[:3] == ["flat_field", "adjust_gamma", "minus_log"]
    assert steps[-1] == "average_slices"
    assert provenance["quality"]["adjust_gamma.replaced"] == 0
    (folder / "test_gamma_steps.py").write_text(TEST)
    checked = warm.pytest(folder, "test_gamma_steps.py", site=folder / "site")
    assert checked.returncode == 0, checked.output
    listed = tomarium(warm, folder, "steps").stdout
    assert "adjust_gamma  (step, package gamma-steps 1.2.0)" in listed
    assert "fbp  (step, also filtered_backprojection, fbp.py, gridrec)" in listed
    schema = json.loads(tomarium(warm, folder, "steps", "average_slices", "--json").stdout)
    assert schema["package"] == "gamma-steps 1.2.0"


def test_the_contract_suite_takes_its_steps(folder: Path, warm: Warm) -> None:
    install(folder / "site")
    program, *words = shlex.split(SUITE.removeprefix("$ "))
    assert program == "pytest"
    told = warm.pytest(ROOT, *words, site=folder / "site")
    assert told.returncode == 0, told.output
    assert int(re.search(r"(\d+) passed", told.output)[1]) > 15  # type: ignore[index]


def test_an_error_in_it_is_its_own(folder: Path, warm: Warm) -> None:
    failing = '    raise ZeroDivisionError("by gamma")\n    result = context'
    install(folder / "site", MODULE.replace("    result = context", failing))
    run = ["run", "disc.h5", "-o", "record", "--step", "adjust_gamma", "--step", "minus_log",
           "--set", "flat_field.log=no"]  # fmt: skip
    for executor in ("threads", "dask"):
        told = tomarium(warm, folder, *run, "--executor", executor)
        assert told.returncode == 2
        assert (
            "step adjust_gamma (package gamma-steps 1.2.0) failed: ZeroDivisionError: by gamma" in told.stderr
        )
        assert "Traceback" not in told.stderr
        log = folder / "record.error.log"
        assert 'raise ZeroDivisionError("by gamma")' in log.read_text()
        assert not (folder / "record").exists(), "nothing worth keeping was done"
        log.unlink()
    told = tomarium(warm, folder, "info", "disc.h5")
    assert (told.returncode, told.stderr) == (0, "")


BROKEN = {
    "import absent_library\n": "ModuleNotFoundError: No module named 'absent_library'",
    MODULE.replace("def adjust_gamma", "def fbp")
    + "\nadjust_gamma = fbp\n": "there is one called 'fbp' already",
}


@pytest.mark.parametrize("module", BROKEN, ids=["import", "name"])
def test_a_broken_package_stops_nothing_but_itself(folder: Path, module: str, warm: Warm) -> None:
    install(folder / "site", module)
    warning = (
        "! package gamma-steps: gamma_steps:adjust_gamma, one of its steps, is left out: "
        f"{BROKEN[module]}; update or remove that package\n"
    )
    told = tomarium(warm, folder, "run", "disc.h5", "-o", "record", "--axis", "30.5")
    assert told.returncode == 0, told.stderr  # none of its steps is used, and none is imported
    told = tomarium(warm, folder, "run", "disc.h5", "--step", "adjust_gamma", "-o", "other", "--axis", "30.5")
    assert told.returncode == 2
    assert told.stderr.startswith(warning)
    assert "there is no step 'adjust_gamma'" in told.stderr
    told = tomarium(warm, folder, "steps")
    assert (told.returncode, told.stderr) == (0, warning)
    assert "average_slices  (step, package gamma-steps 1.2.0)" in told.stdout
    told = tomarium(warm, folder, "doctor", "--self")
    assert told.returncode == 1
    assert re.search(
        f"^! steps/adjust_gamma of gamma-steps +is left out: {re.escape(BROKEN[module])}", told.stdout, re.M
    )


def test_a_broken_format_stops_nothing_but_itself(folder: Path, warm: Warm) -> None:
    install(folder / "site", "import absent_library\n", {"gamma": "gamma_steps:FORMAT"}, "formats")
    told = tomarium(warm, folder, "info", "disc.h5", "--json")
    assert told.returncode == 0
    assert told.stderr.startswith(
        "! package gamma-steps: gamma_steps:FORMAT, one of its formats, is left out: "
    )
    assert len(told.stderr.splitlines()) == 1
    assert json.loads(told.stdout)["format"] == "data-exchange"
    assert "! formats/gamma of gamma-steps" in tomarium(warm, folder, "doctor", "--self").stdout
