"""Which scans a batch is about: by name, by pattern, by a list that a person edits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tomarium.beamtime.choose_scans import find_scans, matching, named, names_of, read_list, write_list
from tomarium.errors import InputError

FOLDER = Path("/data/night")
SCANS = [FOLDER / name for name in ("sampleA_1.h5", "sampleA_2/scan.nxs", "sampleA_test.h5", "sampleB_1.h5")]


def test_patterns() -> None:
    assert matching(SCANS, FOLDER) == SCANS
    assert matching(SCANS, FOLDER, ["sampleA_*"], ["*_test"]) == SCANS[:2]
    assert matching(SCANS, FOLDER, [r"re:sample[AB]_\d"]) == [SCANS[0], SCANS[1], SCANS[3]]
    assert matching(SCANS, FOLDER, ["sampleB_1.h5", "scan"]) == [SCANS[1], SCANS[3]]
    with pytest.raises(InputError, match="is no regular expression"):
        matching(SCANS, FOLDER, ["re:("])


def test_a_list_is_edited(tmp_path: Path) -> None:
    path = tmp_path / "scans.txt"
    write_list(path, [*SCANS, Path("/elsewhere/x.h5")], FOLDER)
    assert read_list(path, FOLDER) == [*SCANS, Path("/elsewhere/x.h5")]
    lines = (
        path.read_text().replace("sampleA_test.h5", "# sampleA_test.h5").replace("B_1.h5", "B_1.h5 # good")
    )
    path.write_text(lines + "sampleA_1.h5\n")
    assert read_list(path, FOLDER) == [*SCANS[:2], SCANS[3], Path("/elsewhere/x.h5")]
    with pytest.raises(InputError, match="cannot stand in a list"):
        write_list(path, [FOLDER / "a #1.h5"], FOLDER)
    path.write_text("# nothing\n")
    with pytest.raises(InputError, match="no scan is listed"):
        read_list(path, FOLDER)
    with pytest.raises(InputError, match="cannot be read"):
        read_list(tmp_path / "none.txt", FOLDER)


def test_names_stay_when_scans_come() -> None:
    known: dict[str, str] = {}
    assert names_of(SCANS[:1], known) == ["sampleA_1.h5"]  # not a file here, so the whole name
    others = [FOLDER / "x" / "sampleA_1.h5", FOLDER / "y" / "x" / "sampleA_1.h5", *SCANS[:1]]
    assert names_of(others, known) == ["x_sampleA_1.h5", "sampleA_1.h5_2", "sampleA_1.h5"]


def test_a_scan_is_named(tmp_path: Path) -> None:
    assert named("sampleB_1", SCANS, FOLDER) == SCANS[3]
    (tmp_path / "x.h5").touch()
    assert named("x.h5", SCANS, tmp_path) == tmp_path / "x.h5"
    with pytest.raises(InputError, match="no scan is called z"):
        named("z", SCANS, tmp_path)
    with pytest.raises(InputError, match="2 scans are called scan"):
        named("scan", [*SCANS, FOLDER / "q" / "scan.h5"], tmp_path)


def test_what_is_looked_at(tmp_path: Path) -> None:
    for name in ("scan_10.nxs", "scan_2.nxs", ".hidden.h5", "notes.txt", "deep/er/scan_3.h5"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "batch.json").touch()
    (tmp_path / "batch" / "x.h5").touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_scans(tmp_path)]
    assert found == ["deep/er/scan_3.h5", "scan_2.nxs", "scan_10.nxs"]
    with pytest.raises(InputError, match="a folder with scans was expected"):
        list(find_scans(tmp_path / "scan_2.nxs"))
