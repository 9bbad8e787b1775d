"""A catalogue is made by what files records, never by a name that is mistyped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tomarium.catalogue import file_record
from tomarium.cli import execute
from tomarium.model import Value


@pytest.fixture
def record(tmp_path: Path, make_record_folder: Callable[..., Path]) -> Path:
    folder = make_record_folder(tmp_path / "records" / "tooth", size=16)
    file_record(folder, title="Tooth")
    return folder


def test_a_record_is_opened_by_its_identifier(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    assert execute(["ingest", str(record)]) == 0
    id = capsys.readouterr().out.partition(":")[0]
    assert execute(["slice", id, "-o", "slice.png"]) == 0
    assert "z 6, 16 × 16" in capsys.readouterr().out
    assert execute(["check", id]) == 0
    assert execute(["ingest", str(record), "--title", "A molar"]) == 1
    assert f"which it keeps; change it with: tomarium edit {id} --title 'A molar'" in capsys.readouterr().err
    assert execute(["slice", f"{id[:-1]}x", "-o", "other.png"]) == 2
    assert "there is no such file or folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["search"], ["search", "tooth"], ["serve"], ["index", "rebuild", "records"]]
)
def test_a_mistyped_catalogue_is_refused_and_not_made(
    words: list[str],
    record: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert execute(["ingest", str(record), "--catalogue", "herbarium.sqlite"]) == 0
    before = sorted(tmp_path.iterdir())
    capsys.readouterr()
    assert execute([*words, "--catalogue", "herbarum.sqlite"]) == 2
    said = capsys.readouterr().err
    assert "herbarum.sqlite: there is no catalogue of this name" in said
    assert "tomarium ingest RECORD --catalogue herbarum.sqlite" in said
    assert sorted(tmp_path.iterdir()) == before
    assert execute([*words[:1], *words[1:], "--catalogue", "no/folder/c.sqlite"]) == 2
    assert sorted(tmp_path.iterdir()) == before


def test_without_any_catalogue_it_says_how_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    assert execute(["search"]) == 2
    assert "nothing has been filed yet; file a record with: tomarium ingest RECORD" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_the_own_portal_starts_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    served = []
    monkeypatch.setattr("tomarium.portal.serve.serve", lambda opened, **_: served.append(opened.name))
    assert execute(["serve"]) == 0
    assert served == [str(tmp_path / "home" / "catalogue.sqlite")]


def test_an_index_that_is_lost_is_made_anew(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    assert execute(["index", "rebuild", str(record.parent)]) == 0
    assert (tmp_path / "home" / "catalogue.sqlite").is_file()
    place = str(tmp_path / "new.sqlite")
    assert execute(["index", "rebuild", str(tmp_path / "nowhere"), "--new", "--catalogue", place]) == 2
    assert not Path(place).exists()
    assert execute(["index", "rebuild", str(record.parent), "--new", "--catalogue", place]) == 0
    assert execute(["search", "tooth", "--catalogue", place]) == 0
    assert "1 found" in capsys.readouterr().out
    for word, said in (("Licence:CC0-1.0", True), ("10.5072:tooth", False)):
        assert execute(["search", word, "--catalogue", place]) == 0
        assert ("asked by --filter licence=CC0-1.0" in capsys.readouterr().err) == said
    assert execute(["index", "rebuild", str(record.parent), "--catalogue", place]) == 0


def test_of_several_records_the_sound_ones_are_filed(
    record: Path,
    make_record_folder: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    damaged = make_record_folder(tmp_path / "records" / "claw", size=16)
    file_record(damaged, title="Claw")
    (damaged / "protocol.yaml").write_text("steps: []")
    ingested = ["ingest", "--catalogue", "c.sqlite", str(damaged)]
    assert execute([*ingested, str(record)]) == 2
    told = capsys.readouterr()
    assert "Tooth" in told.out
    assert "protocol.yaml was changed" in told.err
    assert execute(ingested) == 2
    assert "protocol.yaml was changed" in capsys.readouterr().err
    assert execute([*ingested, "--no-checksums"]) == 0


def test_serve_takes_the_catalogue_by_its_name_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "absent.sqlite")
    assert execute(["serve", place]) == 2
    assert "absent.sqlite: there is no catalogue of this name" in capsys.readouterr().err
    assert execute(["serve", place, "--catalogue", place]) == 2
    assert "two catalogues were given" in capsys.readouterr().err


def test_what_is_of_no_known_format_is_told_and_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("night/a/notes.xyz", "night/a/run.xyz", "night/b/done", "night/b/more.abc"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("scanned in ethanol")
    place = ["--catalogue", "c.sqlite"]
    counted = (
        "4 files of no known format in 2 folders (2 .xyz, 1 without ending, 1 .abc): a/notes.xyz, a/run.xyz, "
    )
    assert execute(["ingest", "night", *place]) == 2
    said = capsys.readouterr().err
    assert f"night: holds no record, volume, scan or image, but {counted}b/done and 1 more; give one" in said
    tifffile.imwrite("night/a/map.tif", np.zeros((9, 8), np.uint16))
    assert execute(["ingest", "night", *place, "--json"]) == 0
    told = capsys.readouterr()
    assert f"passed over in night: {counted}" in told.err
    told_json = json.loads(told.out)
    assert [record["title"] for record in told_json["records"]] == ["map"]
    assert [Path(file).name for file in told_json["passed_over"]] == [
        "notes.xyz",
        "run.xyz",
        "done",
        "more.abc",
    ]


def test_search_takes_facets_and_ranges(
    tmp_path: Path, make_record_folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_record_folder(tmp_path / "tooth", size=16)
    file_record(
        folder,
        id="tooth",
        title="Tooth",
        licence="CC0-1.0",
        parameters={"instrument": Value("ID19", "read", ""), "energy_kev": Value(20.0, "read", "")},
    )
    place = ["--catalogue", str(tmp_path / "c.sqlite")]
    assert execute(["ingest", str(folder), *place]) == 0
    for words, count in (
        (["--filter", "instrument=ID19", "--range", "energy=15..25keV", "--facets"], 1),
        (["--filter", "instrument=ID16"], 0),
        (["--filter", "instrument=ID16", "--filter", "instrument=ID19", "tooth"], 1),
        (["--range", "energy<=15 keV"], 0),
        (["--range", "voxel<1um", "--sort", "newest"], 1),
        (["--with", "ct"], 0),
    ):
        capsys.readouterr()
        assert execute(["search", *words, *place]) == 0
        assert f"{count} found" in capsys.readouterr().out
    assert (
        execute(["search", "tooth", "--filter", "instrument=ID16", "--filter", "instrument=ID17", *place])
        == 0
    )
    told = capsys.readouterr()
    assert (told.out, told.err) == ("0 found\n", "without 'ID16, ID17': 1 found\n")
    assert execute(["search", "tooth <1um", *place]) == 0
    assert capsys.readouterr().err == "with 'voxel <1um' as a range: 1 found\n"
    assert execute(["search", "--facets", "--json", *place]) == 0
    assert '"value": "ID19"' in capsys.readouterr().out
    for words, said in (
        (["--filter", "instrument"], "FACET=VALUE"),
        (["--filter", "colour=red"], "is no facet"),
        (["--range", "energy<20"], "has no unit"),
        (["--range", "energy"], "is no range"),
    ):
        assert execute(["search", *words, *place]) == 2
        assert said in capsys.readouterr().err
