"""What records lack: one by one, counted, and by the same rules as publishing them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tomarium.catalogue.catalogue import open_catalogue
from tomarium.catalogue.completeness import completeness, completeness_of, counted, drafts_of
from tomarium.catalogue.publication_checks import publication_checks
from tomarium.catalogue.reader import LOCAL_OWNER, Reader
from tomarium.cli import execute
from tomarium.model import Part, Person, Record, Value


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))


@pytest.fixture
def balls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Identifiers of three volumes in the catalogue: the first two are of the proposal voles."""
    for name in "abc":
        (tmp_path / name).mkdir()
        noise = np.random.default_rng(ord(name)).normal(size=(4, 16, 16)).astype(np.float32)
        for k, one in enumerate(noise):
            tifffile.imwrite(tmp_path / name / f"s_{k}.tif", one)
        assert execute(["ingest", str(tmp_path / name), "--title", f"Ball {name}", "--pixel", "0.65 um"]) == 0
    ids = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert execute(["entity", "new", "proposal", "Voles", "--id", "voles"]) == 0
    for id in ids[:2]:
        assert execute(["edit", id, "--proposal", "voles"]) == 0
    capsys.readouterr()
    return ids


COMPLETE = [
    *(
        "--creator",
        "Lovelace, Ada 0000-0002-1825-0097",
        "--licence",
        "CC-BY-4.0",
        "--technique",
        "PaNET01207",
    ),
    *("--description", "A ball of random numbers, which is good for nothing but this very test."),
    *("--parameter", "sample_name=ball", "--parameter", "instrument=BM05"),
]


def test_a_table_of_a_proposal(balls: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["edit", balls[0], *COMPLETE]) == 0
    capsys.readouterr()
    assert execute(["completeness", "--of", "voles", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    by_id = {record["id"]: record for record in told["records"]}
    assert set(by_id) == set(balls[:2])
    assert by_id[balls[0]]["complete"] is True
    second = by_id[balls[1]]
    assert [check["lacks"] for check in second["lacks"] if check["demanded"]] == ["a licence", "a creator"]
    assert second["meets_demands"] is False
    assert told["summary"].startswith("1 of 2 complete; 1 lacks a licence, 1 lacks a creator")
    assert "1 lacks a sample name" in told["summary"]
    assert told["summary"].endswith("1 of 2 drafts lack nothing that is demanded")
    # Without a word all drafts are told, as lines; and none lacks anything where one record is asked for.
    assert execute(["completeness"]) == 1
    text = capsys.readouterr().out
    assert all(id in text for id in balls)
    assert "1 of 3 complete; 2 lack a licence" in text
    assert execute(["completeness", balls[0]]) == 0
    assert "1 of 1 complete" in capsys.readouterr().out
    assert execute(["edit", balls[0]]) == 0
    assert "complete " in capsys.readouterr().out
    assert execute(["completeness", "--of", "nobody"]) == 2


def test_the_rules_are_those_of_publishing(balls: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    # Whoever lacks only what is asked for is published; the list names what is demanded as publish refuses it.
    assert execute(["edit", balls[2], "--creator", "Lovelace, Ada", "--licence", "CC-BY-4.0"]) == 0
    with open_catalogue(None, make=False) as opened:
        with opened.reading() as connection:
            assert set(drafts_of(connection, LOCAL_OWNER)) == {*balls}
            assert drafts_of(connection, Reader("eve", "member")) == []
        told, problems = completeness(opened, LOCAL_OWNER, balls)
        assert not problems
        assert [one.meets_demands for one in told] == [False, False, True]
        assert [one.lacking[0].lacks for one in told] == ["a licence", "a licence", "an ORCID iD"]
        assert completeness(opened, Reader("eve", "member"), balls)[0] == []
    assert execute(["publish", balls[2]]) == 0
    assert execute(["publish", balls[1]]) == 2
    capsys.readouterr()


def test_what_is_measured_names_its_sample_instrument_and_pixel(tmp_path: Path) -> None:
    now = datetime.now(UTC)

    def lacks(record: Record) -> set[str]:
        return {check.lacks for check in completeness_of(record, tmp_path).lacking}

    axes = ({"name": "angle", "length": 90}, {"name": "row", "length": 8, "step": 1e-6, "unit": "m"})
    of_measurement = {"a sample name", "an instrument", "a pixel size"}
    assert not of_measurement & lacks(Record("a", "A", now, parts=(Part("mesh", "a.stl"),)))
    assert of_measurement <= lacks(Record("a", "A", now, parts=(Part("projections", "a.h5"),)))
    told = {"sample_name": Value("tooth", "read", "a.h5"), "beamline": Value("ID19", "read", "a.h5")}
    record = Record(
        "a",
        "A",
        now,
        parts=(Part("projections", "a.h5", axes=axes),),
        parameters=told,
        creators=(Person("Ada"),),
    )
    assert not of_measurement & lacks(record)
    # Every demand says what a record lacks that does not meet it, for it is counted by that.
    assert all(check.lacks for check in publication_checks(record, tmp_path, files=False))


def test_no_record_is_said() -> None:
    assert counted([]) == "no record"
