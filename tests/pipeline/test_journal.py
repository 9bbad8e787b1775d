"""The progress log of a run touches nothing that is not the run's own, and lets one run at a time work in a folder."""

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.test_run import PLENTY, interrupt, scan_on_disk, stopping_after
from tomarium.errors import CannotFit, InputError, Interrupted, TomariumWarning
from tomarium.pipeline.plan.section import Resources
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.pipeline.run.journal import open_journal
from tomarium.pipeline.run.runner import run

REQUEST = {"scan": "a"}


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("inside", [["novel.txt"], []])
def test_a_folder_of_the_same_name_that_is_not_ours_is_left_alone(inside: list[str], tmp_path: Path) -> None:
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "thesis.tex").write_text("precious")
    for name in inside:
        (tmp_path / "unfinished" / name).write_text("precious")
    with pytest.raises(InputError, match="not empty"):
        open_journal(tmp_path, REQUEST)
    assert names(tmp_path) >= {"thesis.tex", *(f"unfinished/{name}" for name in inside)}


def fail(*_: Any) -> Any:
    raise InputError("nothing varies in these rows")


def test_a_run_that_fails_early_removes_only_what_it_made(tmp_path: Path) -> None:
    scan = scan_on_disk(tmp_path)
    for folder in (tmp_path / "new", tmp_path / "empty", tmp_path / "link"):
        if folder.name == "empty":
            folder.mkdir()
        if folder.name == "link":
            (tmp_path / "target").mkdir()
            folder.symlink_to(tmp_path / "target")
        with pytest.raises(InputError, match="nothing varies"):
            run(scan, default_protocol(), folder, PLENTY, mapper=fail)
    assert names(tmp_path) == {"disc.bin", "empty", "link", "target"}


def test_a_failed_run_leaves_what_somebody_else_put_in_its_folder(tmp_path: Path) -> None:
    def noting(*_: Any) -> Any:
        (tmp_path / "record" / "notes.txt").write_text("looks good")
        fail()

    with pytest.raises(InputError, match="nothing varies"):
        run(scan_on_disk(tmp_path), default_protocol(), tmp_path / "record", PLENTY, mapper=noting)
    assert names(tmp_path / "record") == {"notes.txt"}


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    scan, folder = scan_on_disk(tmp_path), tmp_path / "record"

    def meanwhile(*_: Any) -> Any:
        before = names(folder)
        with pytest.raises(InputError, match=r"record: another run is at work in this folder; wait"):
            run(scan, default_protocol(), folder, PLENTY)
        assert names(folder) == before
        interrupt()

    with pytest.raises(Interrupted):
        run(scan, default_protocol(), folder, PLENTY, slab_rows=2, mapper=meanwhile)
    run(scan, default_protocol(), folder, PLENTY)
    assert "unfinished" not in names(folder)


HOLD = """
import sys, time
from pathlib import Path
from tomarium.pipeline.run.journal import open_journal
journal = open_journal(Path(sys.argv[1]), {"scan": "a"})
print("held", flush=True)
time.sleep(60)
"""


def test_a_killed_run_holds_its_folder_no_longer(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "record")], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another run"):
            open_journal(tmp_path / "record", REQUEST)
        other.kill()
        other.wait()
        open_journal(tmp_path / "record", REQUEST).close()
    assert names(tmp_path / "record") == set()


@pytest.mark.parametrize("left", [["request.json"], ["lock"], []])
def test_a_run_killed_after_its_last_word_is_finished(left: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "record"
    outcome = run(scan_on_disk(tmp_path), default_protocol(), folder, PLENTY)
    finished = names(folder)
    journal = open_journal(tmp_path / "other", {})
    assert journal.home is not None
    (folder / "unfinished").mkdir()
    for name in left:
        (folder / "unfinished" / name).write_bytes((journal.home / name).read_bytes())
    journal.close()
    with pytest.raises(InputError, match="something else" if "request.json" in left else "not empty"):
        run(outcome.scan, default_protocol(), folder, PLENTY)
    assert names(folder) - {"unfinished", "unfinished/request.json", "unfinished/lock"} == finished


def test_a_file_system_without_locks_is_said_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("tomarium.atomic_files._claim", none)
    with pytest.warns(TomariumWarning, match="knows no locks"):
        journal = open_journal(tmp_path / "record", REQUEST)
    assert journal.slabs == {}
    journal.close()


def test_a_resumed_run_is_refused_where_its_slabs_do_not_fit_in_memory(tmp_path: Path) -> None:
    scan, folder = scan_on_disk(tmp_path), tmp_path / "record"
    with pytest.raises(Interrupted):
        run(scan, default_protocol(), folder, PLENTY, slab_rows=2, mapper=stopping_after(2, interrupt))
    with pytest.raises(CannotFit, match="memory"):
        run(scan, default_protocol(), folder, Resources(10**6, 0, 2, 2))
    run(scan, default_protocol(), folder, Resources(10**12, 0, 2, 2))  # of disk it has much already


def test_a_spool_is_made_anew_after_a_restart_of_the_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path / "record", REQUEST)
    journal.note("split", [{"direction": "angle"}, {"direction": "row"}])
    for place in ((0, 0), (0, 1), (1, 0)):
        journal.note_slab(*place, {"seconds": {}})
    journal.release()
    again = open_journal(tmp_path / "record", REQUEST)
    assert set(again.slabs) == {(0, 0), (0, 1), (1, 0)}
    again.release()
    monkeypatch.setattr("tomarium.pipeline.run.journal.boot", lambda: "another")
    for _ in range(2):  # and it stays so
        again = open_journal(tmp_path / "record", REQUEST)
        assert set(again.slabs) == {(1, 0)}
        again.release()
