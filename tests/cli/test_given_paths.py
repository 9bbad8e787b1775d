"""What is no path, and what may not be read, is said in one sentence by every command."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.catalogue.make_record import make_record
from tomarium.cli import execute
from tomarium.errors import FormatError
from tomarium.formats import formats
from tomarium.formats import open as open_file
from tomarium.model import Scan
from tomarium.pipeline.protocol.protocol import default_protocol

NO_PATHS = ["", " ", "  \t", "a\0b", "x" * 256, "µ" * 128, "y/" * 3000, "z" * 100_000]


@pytest.mark.parametrize("given", NO_PATHS, ids=lambda one: ascii(one)[:12])
def test_what_is_no_path_is_no_file(given: str) -> None:
    with pytest.raises(FormatError, match=r"is no path|longer than a path can be") as caught:
        tm.open(given)
    assert len(str(caught.value)) < 200


def test_an_address_is_told_from_a_path() -> None:
    with pytest.raises(FormatError, match="is an address and no file; fetch a record with `tomarium pull"):
        open_file("https://data.example.org/records/tooth")


COMMANDS = [
    ["info"], ["doctor"], ["diff", "scan"], ["diff"], ["convert", "scan"], ["axis"], ["plan"], ["ingest"],
    ["slice", "scan", "-o"], ["run", "scan", "-o"], ["run", "scan", "-p"], ["run", "--again"], ["simulate"],
    ["index", "rebuild"], ["search", "--catalogue"], ["serve", "--catalogue"], ["docs"],
]  # fmt: skip


@pytest.mark.parametrize("given", ["", "   ", "a\0b", "x" * 300])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_says_so(
    command: list[str],
    given: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    more = ["scan"] if command == ["diff"] else []
    assert execute([*command, given, *more]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("tomarium: ")
    assert "mistake in tomarium" not in said.err
    assert len(said.err) < 200
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_moves_the_cursor_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["info", "\x1b[31mred\n.h5"]) == 2
    assert r"tomarium: \x1b[31mred\n.h5: there is no such file" in capsys.readouterr().err


def test_the_present_folder_has_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    formats()["tiff"].write(tmp_path / "bone", make_scan(angles=90))  # type: ignore[misc]
    monkeypatch.chdir(tmp_path / "bone")
    scan = tm.open(".")
    assert isinstance(scan, Scan)
    assert scan.name == "bone"
    assert make_record(scan, default_protocol(), tmp_path / "record").folder == tmp_path / "record"


def test_a_folder_within_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("a note")
    (tmp_path / "locked").mkdir()
    scandir, listdir = os.scandir, os.listdir

    def refuse(path: object) -> None:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", lambda path: refuse(path) or scandir(path))
    monkeypatch.setattr(os, "listdir", lambda path: refuse(path) or listdir(path))
    with pytest.raises(FormatError, match=r"Why not: .*locked may not be read"):
        tm.open(tmp_path)
