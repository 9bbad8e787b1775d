"""The guide on connecting images does what it says: each of its commands is run, and what it shows is what is told."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from specimen_links import link
from specimen_rock import file_image
from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.cli import execute
from tomarium.conversion.convert import convert
from tomarium.model import Axis, Volume
from tomarium.specimen.landmarks import Landmark, write_landmarks
from tomarium.specimen.link_file import link_json

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "connect-images-of-one-specimen.md"


def commands() -> list[list[str]]:
    """Read the words of each command of the page, `tomarium` left out."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tomarium ")]


def test_its_commands_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    in_ct = np.eye(4)
    in_ct[:3, 3] = (0.9e-3, 0.5e-3, 2e-3)
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        axes = tuple(Axis(name, 1e-4, 0.0, "m") for name in "zyx")
        (tmp_path / "ct").mkdir()
        convert(
            Volume(np.ones((32, 32, 32), np.float32), axes),
            tmp_path / "ct" / "volume.ome.zarr",
            to="ome-zarr",
        )
        file_record(tmp_path / "ct", title="Core", id="ct-1a2b")
        ingest(opened, tmp_path / "ct")
        file_image(opened, tmp_path, "eds-3c4d", 80, 1e-5, in_ct)
        file_image(opened, tmp_path, "tem-5e6f", 100, 2e-8, in_ct)
    aligned = link(
        "records/a", "records/b", in_ct, np.diag([1e-3] * 3 + [2e-6] * 3) ** 2, centre_m=(1.3e-3, 9e-4, 2e-3)
    )
    for name, known in (("link.json", "automatic"), ("better.json", "landmark")):
        told = link_json(replace(aligned, kind=known, id="")) | {"from": "", "to": ""}
        (tmp_path / name).write_text(json.dumps(told))
    points = np.array([[1, 1, 0], [7, 1, 0], [1, 7, 0], [6, 6, 0], [4, 3, 0]]) * 1e-4
    found_in_both = [
        Landmark(f"Pt-{number}", tuple(one), tuple(one + in_ct[:3, 3])) for number, one in enumerate(points)
    ]
    write_landmarks(tmp_path / "landmarks.csv", found_in_both)
    shown = re.search(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert shown is not None
    monkeypatch.setattr("tomarium.portal.check_claims.check_claim", lambda *_: ("claimed", "it says nothing"))
    printed = []
    for words in commands():
        assert execute(words) == 0, (words, capsys.readouterr())
        out, errors = capsys.readouterr()
        assert (
            errors == "" or "no link connects" in errors or "left out" in errors or "not measured" in errors
        ), words
        assert out.strip(), words
        printed.append(out)
    block = next(one for one in printed if one.startswith("x 1.2, "))
    assert shown[1].strip() in block
    assert (tmp_path / "map.svg").read_text().startswith("<svg")
