"""From a finished volume to a published record, a DOI and a restore, all at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tomarium.cli import execute


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))


@pytest.fixture
def record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    slices = tmp_path / "ball"
    slices.mkdir()
    for k, one in enumerate(np.random.default_rng(0).normal(size=(6, 16, 16)).astype(np.float32)):
        tifffile.imwrite(slices / f"s_{k:03d}.tif", one)
    assert execute(["ingest", str(slices), "--title", "Ball", "--pixel", "0.65 um"]) == 0
    return capsys.readouterr().out.partition(":")[0]


def test_from_a_volume_to_a_doi(record: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["publish", record, "--check"]) == 2
    assert "no licence is stated; tomarium edit" in capsys.readouterr().out
    assert execute(["publish", record]) == 2
    assert "nobody is named as creator" in capsys.readouterr().err
    (tmp_path / "abstract.txt").write_text("A ball of noise, which is good for nothing but this very test.\n")
    words = [
        "--creator",
        "Lovelace, Ada 0000-0002-1825-0097",
        "--licence",
        "cc by 4.0",
        "--technique",
        "PaNET01207",
    ]
    more = [
        "--description",
        f"@{tmp_path / 'abstract.txt'}",
        "--funder",
        "ERC: 12",
        "--related",
        "iscitedby=10.1/a",
    ]
    assert execute(["edit", record, *words, *more]) == 0
    shown = capsys.readouterr().out
    assert "CC-BY-4.0" in shown
    assert "A ball of noise" in shown
    assert execute(["edit", record, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["related"] == [
        {"relation": "IsCitedBy", "identifier": "10.1/a"}
    ]
    for key, value in (
        ("doi_prefix", "10.5072"),
        ("address", "https://data.example.org"),
        ("institution", "ACME"),
    ):
        assert execute(["settings", key, value]) == 0
    assert execute(["publish", record, "--check"]) == 0
    assert execute(["publish", record, "--embargo", "2 years"]) == 0
    said = capsys.readouterr().out
    assert f"now by `tomarium publish {record} --open-now`" in said
    assert f"10.5072/{record}.v1" in said
    assert execute(["worker", "--once", "--dry-run"]) == 0
    told = json.loads(capsys.readouterr().out)[f"10.5072/{record}.v1"]
    assert (told["event"], told["url"]) == ("publish", f"https://data.example.org/records/{record}")
    assert execute(["worker", "--once"]) == 1
    assert "TOMARIUM_DATACITE_USER" in capsys.readouterr().out
    assert execute(["publish", record, "--embargo", "0"]) == 1
    assert "was published before" in capsys.readouterr().err
    assert execute(["publish", record, "--open-now"]) == 0
    assert "open since" in capsys.readouterr().out
    assert execute(["publish", record, "--withdraw", "nothing but noise"]) == 0
    assert "nothing but noise" in capsys.readouterr().out


def test_review_backup_and_restore(record: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = next((tmp_path / "home" / "records").iterdir())
    assert execute(["edit", str(folder), "--creator", "Ada", "--licence", "CC0-1.0"]) == 0
    assert execute(["publish", record, "--submit"]) == 0
    assert execute(["publish", record, "--send-back", "name the detector"]) == 0
    assert execute(["backup", str(tmp_path / "b.zip")]) == 0
    new = ["--catalogue", str(tmp_path / "new.sqlite")]
    assert execute(["restore", str(tmp_path / "b.zip"), *new, "--checksums"]) == 0
    assert "1 records are there again" in capsys.readouterr().out
    assert execute(["search", "ball", *new, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hits"][0]["id"] == record


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["edit"], "give either a RECORD or --table"),
        (["edit", "nothing"], "is no record of this catalogue"),
        (["edit", "RECORD", "--licence", "CC-BY-9"], "CC-BY-9"),
        (["edit", "RECORD", "--creator", "Ada 0000-0002-1825-0098"], "last digit"),
        (["edit", "RECORD", "--related", "likes=10.1/a"], "RELATION=IDENTIFIER"),
        (["edit", "RECORD", "--parameter", "energy_kev=20"], "has no unit"),
        (["edit", "--table", "nothing.csv"], "is no file"),
        (["publish", "RECORD", "--embargo", "soon"], "no licence"),
        (["publish", "RECORD", "--check", "--submit"], "give one of"),
        (["publish", "RECORD", "--withdraw", "x"], "was not published"),
        (["settings", "adress", "x"], "'address' was meant"),
        (["settings", "address", "data.example.org"], "give the whole address"),
        (["settings", "embargo", "soon"], "is no span of time"),
        (["restore", "nothing.zip"], "nothing.zip"),
        (["push", "nothing", "https://data.example.org"], "does not exist"),
    ],
)
def test_what_cannot_be_is_said(
    record: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([record if word == "RECORD" else word for word in words]) == 2
    assert said in capsys.readouterr().err
