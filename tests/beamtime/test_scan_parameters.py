"""The parameters of a scan, kept as a protocol.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from tomarium.beamtime.menu_letters import LETTERS, find_letter, nearest_letter
from tomarium.beamtime.scan_parameters import FoundAxis, ScanParameters, read_parameters, write_parameters
from tomarium.errors import InputError, ParameterError
from tomarium.pipeline.protocol.tomodata_functions import FUNCTIONS
from tomarium.steps.core.serialization import find_step


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    told = ScanParameters("/raw/scan one.nxs", axis=FoundAxis(511.25, "high", "find_axis\n"))
    told = told.with_call("paganin", {"-m": "50", "--pus": 1.5})
    told = told.with_call("roi", {"-r": ("1", "2", "3", "40", "50", "6")}).with_call(
        "half_acq", {"-a": False}
    )
    file = tmp_path / "scan_protocol.txt"
    write_parameters(file, told)
    read = read_parameters(file)
    assert read.calls == {**told.calls, "launch_reconstruction": {"-r": True}}
    assert (read.scan, read.axis) == (told.scan, told.axis)
    assert read.calls["paganin"] == {"-m": 50.0, "--pus": 1.5}
    assert read.instructions.run["roi"] == "2:6,1:50,0:40"
    write_parameters(file, read)
    assert read_parameters(file) == read


def test_without_a_region_none_is_used() -> None:
    told = ScanParameters("scan").with_call("roi", {"-r": (1, 1, 1, 2, 2, 2)}).without_call("roi")
    assert "-r" not in told.text.splitlines()[-1]
    assert "roi" not in told.instructions.run


def test_a_file_that_is_absent_or_written_by_hand(tmp_path: Path) -> None:
    assert read_parameters(tmp_path / "none_protocol.txt") == ScanParameters("")
    file = tmp_path / "mine_protocol.txt"
    file.write_text("# axis found: nonsense\npython ~/Python/paganin.py XXX -m 7\n")
    assert read_parameters(file) == ScanParameters("", {"paganin": {"-m": 7.0}})
    file.write_text("python ~/Python/pagannin.py XXX\n")
    with pytest.raises(ParameterError, match="nearest is paganin"):
        read_parameters(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_parameters(file)


def test_a_wrong_value_changes_nothing() -> None:
    told = ScanParameters("scan")
    with pytest.raises(ParameterError, match="a number was expected"):
        told.with_call("paganin", {"-m": "fifty"})
    with pytest.raises(ParameterError):
        told.with_call("roi", {"-r": ("9", "1", "1", "2", "2", "2")})
    assert told == ScanParameters("scan")


def test_letters_are_those_of_the_guide() -> None:
    guide = "A a b c crop d f ffs h hh l live m mb n nc p q r rs s sd sf sp u v w x y z"
    ours = {"advise"}
    letters = [one.letter for one in LETTERS if one.letter not in ours]
    assert " ".join(sorted(letters, key=lambda one: (one.lower(), one))) == guide
    assert len({one.function for one in LETTERS}) == len(LETTERS)
    for one in LETTERS:
        assert one.function in FUNCTIONS or one.letter in {"h", "hh", "q"} | ours, one
        assert not one.step or find_step(one.step)
        for question in one.questions:
            step, _, parameter = question.parameter.partition(".")
            assert parameter in {known.name for known in find_step(step).parameters}, question
            assert question.flag in {
                flag for option in FUNCTIONS[one.function].options for flag in option.flags
            }


def test_a_letter_is_found_by_its_function_and_the_nearest_is_told() -> None:
    for typed in ("p", "paganin", "paganin.py"):
        found = find_letter(typed)
        assert found is not None
        assert found.letter == "p"
    assert find_letter("P") is None
    assert nearest_letter("pagannin").letter == "p"
    assert nearest_letter("liv").letter == "live"
