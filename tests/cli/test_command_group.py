"""How commands are listed, found by other words, and completed by a shell."""

from pathlib import Path
from pkgutil import iter_modules

import click
import pytest
from click.shell_completion import ShellComplete

import tomarium.cli
from tomarium.catalogue import open_catalogue
from tomarium.catalogue.index_rows import Entry, save_records
from tomarium.cli import commands, execute, group
from tomarium.cli.command_group import HEADINGS, MEANT, OTHER_NAMES, first_words, names


def completed(*words: str) -> list[str]:
    """Complete the last word as a shell does."""
    asked = ShellComplete(group(), {}, "tomarium", "_TOMARIUM_COMPLETE")
    return [item.value for item in asked.get_completions(list(words[:-1]), words[-1]) if item.type == "plain"]


def test_every_command_stands_under_one_heading() -> None:
    listed = [*OTHER_NAMES, *(name for under in HEADINGS.values() for name in under)]
    assert sorted(listed) == names()
    assert len(set(listed)) == len(listed)
    modules = {info.name for info in iter_modules(tomarium.cli.__path__)}
    holding = {
        name for name in modules if hasattr(__import__(f"tomarium.cli.{name}", fromlist=["x"]), "command")
    }
    assert {command.name for command in commands().values()} == set(names())
    assert {name.replace("-", "_") for name in names()} == {name.removesuffix("_") for name in holding}


def test_help_lists_every_command_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for heading, listed in HEADINGS.items():
        start = lines.index(f"{heading}:") + 1
        assert [line.split()[0] for line in lines[start : start + len(listed)]] == list(listed)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("text", "room", "line"),
    [
        ("Say what it is. More.", 40, "Say what it is"),
        ("Reconstruct SCAN and write a record: volume, protocol.", 40, "Reconstruct SCAN and write a record"),
        ("Write accounts, drafts, DOIs and the log into a file.", 30, "Write accounts, drafts, DOIs …"),
    ],
)
def test_the_first_words_of_a_help(text: str, room: int, line: str) -> None:
    assert first_words(text, room) == line


def test_words_of_other_programs_lead_to_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(MEANT.values()) <= {*names(), "--help", "--version"}
    for word, name in {"reconstruct": "run", "Upload": "push", "rnu": "run", "sort_map": "sort-map"}.items():
        assert execute([word, "x"]) == 2
        assert f"did you mean `tomarium {name}`?" in capsys.readouterr().err
    assert execute(["qqqq"]) == 2
    assert "there is no command 'qqqq'\n" in capsys.readouterr().err


def test_a_shell_completes_values(tmp_path: Path) -> None:
    assert completed("sli") == ["slice"]
    assert completed("run", "--pres") == ["--preset"]
    assert "rings" in completed("run", "--preset", "")
    assert completed("run", "--step", "pag") == ["paganin"]
    assert {"fbp.", "flat_field."} <= set(completed("run", "--set", "f"))
    assert completed("run", "--set", "fbp.win") == ["fbp.window="]
    assert completed("steps", "pag") == ["paganin"]
    assert completed("formats", "nxtomop") == ["nxtomophase", "nxtomoproc"]
    assert completed("glossary", "rotation") == ["rotation axis"]
    place = tmp_path / "catalogue.sqlite"
    assert completed("publish", "--catalogue", str(place), "") == []
    assert not place.exists()


def test_a_shell_completes_records(tmp_path: Path) -> None:
    place = tmp_path / "catalogue.sqlite"
    row = {
        "title": "", "created": "2020-01-01T00:00:00+00:00", "created_utc": 1.5e9, "store": 1, "path": "", "bytes": 1,
        "thumbnail": "", "shape": [], "voxel_m": None, "doi": "", "licence": "", "state": "draft", "owner": "",
        "team": "", "public_from": None, "open_from": None,
    }  # fmt: skip
    with open_catalogue(place) as catalogue, catalogue.writing() as connection:
        for id in ("tooth-2", "tooth-1", "bone", "too", "tp"):
            save_records(connection, [Entry(row | {"id": id}, "", "", (), {})])
        save_records(
            connection, [Entry(row | {"id": "tooth-of-others", "state": "harvested"}, "", "", (), {})]
        )
    for words in (["publish"], ["edit"], ["store", "check"], ["worksheet"]):
        line = [*words, "--catalogue", str(place)]
        assert completed(*line, "too") == ["too", "tooth-1", "tooth-2"]
        assert completed(*line, "x") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["completion", shell]) == 0
    assert "_TOMARIUM_COMPLETE" in capsys.readouterr().out
    assert isinstance(commands("completion")["completion"], click.Command)
