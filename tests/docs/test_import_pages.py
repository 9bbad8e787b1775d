"""The guides on importing and on ewoks do what they say: their commands are run."""

import json
import re
import shlex
from pathlib import Path

import h5py
import numpy as np
import pytest

from tomarium.catalogue import LOCAL_OWNER, open_catalogue, search
from tomarium.cli import execute

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
DUMP = """<icatdata><data>
<investigation id="I"><name>MA-1</name><title>Teeth</title></investigation>
<dataset id="D"><name>molar</name><investigation ref="I"/></dataset>
<datafile id="F"><name>a.dat</name><location>raw/a.dat</location><fileSize>3</fileSize><dataset ref="D"/></datafile>
</data></icatdata>"""


def commands(page: str) -> list[list[str]]:
    """Read the words of each command of a page, `tomarium` left out."""
    blocks = re.findall(r"^```bash\n(.*?)^```", (PAGES / page).read_text(encoding="utf-8"), re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tomarium ")]


def test_importing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    page = (PAGES / "import-from-icat-scicat-folders.md").read_text(encoding="utf-8")
    example = re.search(r"^```json\n(.*?)^```", page, re.M | re.S)
    assert example
    Path("LADAF-2020-31_brain.json").write_text(example[1])
    Path("icatdump.xml").write_text(DUMP)
    Path("archive/raw").mkdir(parents=True)
    Path("archive/raw/a.dat").write_bytes(b"abc")
    Path("exported").mkdir()
    told = {
        "pid": "1", "datasetName": "foot", "type": "raw", "creationTime": "2024-01-01T00:00:00Z",
        "owner": "Ada Lovelace", "license": "CC-BY-4.0", "isPublished": True,
    }  # fmt: skip
    Path("exported/Dataset.json").write_text(json.dumps([told]))
    raw = Path("visitor/md1252/bm05/20211007/RAW_DATA/brain/brain_overview")
    raw.mkdir(parents=True)
    with h5py.File(raw / "brain_overview.h5", "w") as file:
        for name, count in (("data", 9), ("data_white", 2), ("data_dark", 2)):
            file[f"exchange/{name}"] = np.full((count, 4, 8), 10 + count, np.uint16)
        file["exchange/theta"] = np.linspace(0, 180, 9)
    asked = commands("import-from-icat-scicat-folders.md")
    assert {words[1] for words in asked} == {"icat", "scicat", "hoa", "folder"}
    for words in asked:
        code = execute(words)
        out, errors = capsys.readouterr()
        assert code == 0, (words, out, errors)
        assert "record" in out, words
    with open_catalogue(tmp_path / "home" / "catalogue.sqlite") as catalogue:
        titles = {hit.title: hit.state for hit in search(catalogue, LOCAL_OWNER, "").hits}
    assert titles == {
        "Teeth: molar": "draft",
        "foot": "published",
        "Complete brain from the body donor LADAF-2020-31": "draft",
        "brain: brain_overview": "draft",
    }


def test_export_to_ewoks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("tomarium: 1\nsteps: [flat_field, fbp]\n")
    for words in commands("run-by-ewoks.md"):
        if words[0] == "protocol":
            assert execute(words) == 0, words
    graph = json.loads(Path("phase.json").read_text())
    shown = " → ".join(node["id"] for node in graph["nodes"])
    assert shown in (PAGES / "run-by-ewoks.md").read_text(encoding="utf-8")
