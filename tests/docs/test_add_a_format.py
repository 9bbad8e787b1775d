"""The page on formats of other packages: what it says is done."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

from warm import Warm

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-format.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
TOML, MODULE, MAKER, COMMANDS = (text for _, text in BLOCKS)


def tomarium(warm: Warm, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return warm.tomarium(folder, *words, site=folder / "site")


def test_the_page_is_done(tmp_path: Path, warm: Warm) -> None:
    project = tomllib.loads(TOML)["project"]
    about = tmp_path / "site" / "lab_format-0.3.0.dist-info"
    about.mkdir(parents=True)
    (tmp_path / "site" / "lab_format.py").write_text(MODULE)
    (about / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    [(name, place)] = project["entry-points"]["tomarium.formats"].items()
    (about / "entry_points.txt").write_text(f"[tomarium.formats]\n{name} = {place}\n")
    (tmp_path / "make_lab_scan.py").write_text(MAKER)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    subprocess.run([sys.executable, "make_lab_scan.py"], cwd=tmp_path, env=environment, check=True)
    for line in COMMANDS.splitlines():
        program, *words = shlex.split(line.removeprefix("$ "))
        assert program == "tomarium"
        told = tomarium(warm, tmp_path, *words)
        assert told.returncode == 0, told.stderr
    found = json.loads(tomarium(warm, tmp_path, "info", "disc.lab", "--json").stdout)
    assert (found["format"], found["shape"]) == ("lab", [90, 4, 64])
    whole = (tmp_path / "disc.lab").read_bytes()
    for damaged in (whole[:-100], whole.replace(b'"rows": 4', b'"rows": x', 1)):
        (tmp_path / "disc.lab").write_bytes(damaged)
        told = tomarium(warm, tmp_path, "info", "disc.lab")
        assert told.returncode == 2
        assert "copy" in told.stderr
        assert "Traceback" not in told.stderr
