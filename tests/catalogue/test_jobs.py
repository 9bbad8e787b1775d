"""What who asked for a job is told of folders, and how long a worker takes jobs before it looks for DOIs."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tomarium.catalogue import LOCAL_OWNER, open_catalogue, work
from tomarium.catalogue.jobs import add_job, without_folders
from tomarium.catalogue.work import Kind, do_jobs


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


def test_mails_and_dois_do_not_wait_for_all_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    moments = [0.0]
    monkeypatch.setattr(work, "time", SimpleNamespace(monotonic=lambda: moments[-1]))
    kinds = {"nap": Kind(lambda *_given: (moments.append(moments[-1] + 10.0), ("done", "slept", ()))[1])}
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        with catalogue.writing() as connection:
            for number in range(3):
                add_job(connection, LOCAL_OWNER, "nap", {"number": number})
        assert do_jobs(catalogue, told.append, kinds, until=5.0)
        assert len(told) == 1
        assert do_jobs(catalogue, told.append, kinds)
        assert len(told) == 3
