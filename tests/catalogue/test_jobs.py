"""What who asked for a job is told of folders."""

from pathlib import Path

import pytest

from tomarium.catalogue.jobs import without_folders


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("/data/a/scan.h5: is cut short", "scan.h5: is cut short"),
        ("/data/a: holds no scan", "a: holds no scan"),
        ("/data/a.bak and /data/ab stay", "/data/a.bak and /data/ab stay"),
        ("/data/a/b/scan.h5, /data/a/b", "scan.h5, the inner one"),
        ("1/2 of / is used", "1/2 of / is used"),
    ],
)
def test_folders_are_left_out(told: str, said: str) -> None:
    folders = {Path("/data/a"): "a", Path("/data/a/b"): "the inner one", Path("/"): ""}
    assert without_folders(told, folders) == said


def test_a_folder_is_left_out_as_it_is_resolved_too(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    told = f"{tmp_path.resolve()}/real/volume: is cut short"
    assert without_folders(told, {tmp_path / "link": "link"}) == "volume: is cut short"
