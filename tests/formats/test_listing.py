"""Test what is taken from a folder by its name."""

from pathlib import Path

import pytest

from tomarium.formats.opening.directory_listing import ending_in, named_in
from tomarium.formats.opening.filenames import natural, series_of


def test_names_are_chosen_and_sorted(tmp_path: Path) -> None:
    for name in ("b.par", "A.PAR", ".hidden.par", "c.txt", "d.par"):
        (tmp_path / name).touch()
    assert [file.name for file in ending_in(tmp_path, ".par")] == ["A.PAR", "b.par", "d.par"]
    assert [file.name for file in named_in(tmp_path, lambda name: "c" in name)] == ["c.txt"]


def test_an_absent_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        ending_in(tmp_path / "gone", ".par")


def test_series_differ_in_the_last_number_of_the_name_alone() -> None:
    files = [
        Path(name)
        for name in ("s/2/x.tif", "s/3/x.tif", "s/2/a_1_r2.tif", "s/2/a_1_r10.tif", "s/2/a_2_r2.tif")
    ]
    assert [[str(file) for file in one] for one in series_of(files)] == [
        ["s/2/a_1_r2.tif", "s/2/a_1_r10.tif"],
        ["s/2/x.tif"],
        ["s/3/x.tif"],
        ["s/2/a_2_r2.tif"],
    ]
    assert sorted(files, key=natural)[:2] == [files[2], files[3]]
