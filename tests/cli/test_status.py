"""`tomarium status` tells how work stands by what lies on disk, never that a process runs which is gone."""

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from held_run import Held, held_command, wait_until
from tomarium.beamtime.copy_ledger import open_ledger
from tomarium.beamtime.find_work import find_work
from tomarium.beamtime.live_file import LiveState, read_live, write_live
from tomarium.cli import execute, status_lines
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.pipeline.run import at_work
from tomarium.pipeline.run.at_work import ProcessMark, presence, this_process
from tomarium.pipeline.run.work_state import WorkState

RUN = ["run", "disc.h5", "--axis", "30.5", "-o", "record"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scan of 24 rows, six slabs of a run."""
    data_exchange.FORMAT.write(tmp_path / "disc.h5", make_scan(60, rows=24))  # type: ignore[misc]
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The volume of a run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    data_exchange.FORMAT.write(folder / "disc.h5", make_scan(60, rows=24))  # type: ignore[misc]
    (folder / "gate").mkdir()
    (folder / "gate" / "open").touch()
    with held_command(folder / "gate", 0, [*RUN, "--on", "serial"], folder) as held:
        held.process.wait()
    return np.asarray(tm.open(folder / "record" / "volume.ome.zarr"))


@pytest.fixture
def held(here: Path) -> Iterator[Held]:
    """A run of which two slabs are done, and the third is in work."""
    with held_command(here / "gate", 2, [*RUN, "--on", "serial"], here) as begun:
        begun.wait_for_slab(2)
        yield begun


def work(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    """Ask how all stands, as machines do."""
    capsys.readouterr()
    execute(["status", "--json", *words])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["work"]
    return found


def one(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    [state] = work(capsys)
    return state


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def resume_and_compare(here: Path, command: str, whole: Any) -> None:
    """Go on with the command that was told; the volume is that of a run that was never stopped, bit by bit."""
    words = shlex.split(command.rpartition("&& ")[2])
    assert words[0] == "tomarium"
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=here, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    assert (here / "record" / "ro-crate-metadata.json").is_file()
    np.testing.assert_array_equal(np.asarray(tm.open(here / "record" / "volume.ome.zarr")), whole)


def test_a_run_is_told_while_it_runs_and_nothing_is_touched(
    here: Path, held: Held, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(here / "record")
    state = one(capsys)
    assert (state["state"], state["process"], state["path"]) == ("running", held.process.pid, "record")
    assert (state["section"], state["sections"], state["done"], state["total"]) == (1, 1, 2, 6)
    assert state["share"] == pytest.approx(1 / 3)
    assert state["since"] <= state["last_at"] <= time.time() <= state["ends_at"] + 600
    assert state["executor"] == "serial"
    assert files(here / "record") == before
    assert execute(["status"]) == 0
    told = capsys.readouterr().out
    assert f"process {held.process.pid} on " in told
    assert "2/6" in told
    assert told.endswith("1 running\n")
    held.let_go()
    held.process.wait()
    assert one(capsys)["state"] == "finished"


def test_a_run_that_was_killed_is_stopped_and_its_command_goes_on(
    here: Path, held: Held, whole: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    held.process.kill()
    held.process.wait()
    assert execute(["status"]) == 1
    assert "is gone: it was killed, ended at once, or crashed" in " ".join(capsys.readouterr().out.split())
    state = one(capsys)
    assert (state["state"], state["done"], state["ends_at"]) == ("stopped", 2, None)
    assert state["advice"] == shlex.join(["tomarium", *RUN, "--on", "serial"])
    resume_and_compare(here, state["advice"], whole)


def test_another_process_of_the_same_number_is_not_taken_for_it(
    here: Path, held: Held, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = json.loads((here / "record" / "unfinished" / "at_work.json").read_text())["mark"]
    alive = ProcessMark(**mark)
    assert presence(alive) == "runs"
    assert presence(replace(alive, started="1")) == "gone"
    assert presence(replace(alive, boot="another start")) == "gone"
    assert presence(replace(alive, host="beam7")) == "elsewhere"
    assert presence(replace(alive, machine="another of that name")) == "elsewhere"
    assert presence(replace(alive, namespace="pid:[1]")) == "elsewhere"
    held.process.kill()
    wait_until(lambda: presence(alive) == "gone")  # also before its parent has asked for it


def test_a_run_that_was_halted_says_how_it_goes_on(
    here: Path, held: Held, capsys: pytest.CaptureFixture[str]
) -> None:
    held.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: one(capsys)["state"] == "halted")
    assert one(capsys)["advice"].startswith(f"kill -CONT {held.process.pid}")
    held.process.send_signal(signal.SIGCONT)
    wait_until(lambda: one(capsys)["state"] == "running")


def test_ctrl_c_says_what_it_waits_for_and_again_stops_at_once(
    here: Path, whole: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with held_command(here / "gate", 2, [*RUN, "--on", "threads"], here) as held:
        held.wait_for_slab(2)
        wait_until(lambda: one(capsys)["done"] == 2, held)
        held.process.send_signal(signal.SIGINT)
        wait_until(
            lambda: "stopping: slabs in work are being finished; Ctrl-C again stops at once\n" in held.said(),
            held,
        )
        assert held.process.poll() is None
        assert not (here / "gate" / "open").exists()
        held.process.send_signal(signal.SIGINT)
        assert held.process.wait(300) == 3  # though the slab is never let go
        assert held.said().endswith("repeat the same command to resume\n")
    state = one(capsys)
    assert (state["state"], state["done"]) == ("stopped", 2)
    resume_and_compare(here, state["advice"], whole)


def test_ctrl_c_once_lets_slabs_in_work_come_to_their_end(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with held_command(here / "gate", 2, [*RUN, "--on", "threads"], here) as held:
        held.wait_for_slab(2)
        held.process.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping: slabs in work" in held.said(), held)
        held.process.send_signal(signal.SIGHUP)  # a terminal that is closed is no impatience
        held.let_go()
        assert held.process.wait(300) == 3
    assert held.said().count("stopping: ") == 1
    assert one(capsys)["state"] == "stopped"


def test_a_run_that_failed_says_why_and_where_the_traceback_is(
    here: Path, held: Held, whole: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (held.gate / "fail").touch()
    assert held.process.wait(300) == 2
    state = one(capsys)
    assert state["state"] == "failed"
    assert "nothing to divide by" in state["notes"][0]
    assert "record.error.log" in state["notes"][0]
    resume_and_compare(here, state["advice"], whole)


def test_a_run_that_failed_before_its_first_slab_is_told_by_its_log(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with held_command(here / "gate", 0, [*RUN, "--on", "serial"], here) as held:
        held.wait_for_slab(0)
        (held.gate / "fail").touch()
        assert held.process.wait(300) == 2
    state = one(capsys)
    assert (state["state"], state["path"]) == ("failed", "record")
    assert "record.error.log" in state["notes"][0]


def test_a_run_of_another_computer_is_told_as_far_as_that_is_seen(
    here: Path, held: Held, capsys: pytest.CaptureFixture[str]
) -> None:
    held.process.kill()
    held.process.wait()
    word = here / "record" / "unfinished" / "at_work.json"
    content = json.loads(word.read_text())
    content["mark"]["host"] = "beam7"
    word.write_text(json.dumps(content))
    state = one(capsys)
    assert (state["state"], state["done"], state["ends_at"]) == ("elsewhere", 2, None)
    assert "it cannot be seen whether that runs" in state["notes"][0]
    assert state["advice"] == f"ssh beam7 tomarium status {here / 'record'}"


def test_journals_that_are_damaged_are_read_as_far_as_they_go_and_left_as_they_are(
    here: Path, held: Held, capsys: pytest.CaptureFixture[str]
) -> None:
    held.process.kill()
    held.process.wait()
    home = here / "record" / "unfinished"
    whole = (home / "slabs.jsonl").read_bytes()
    for damaged, done, note in (
        (whole[:-7], 1, None),
        (b"\xff{]\n" + whole, 2, "1 of its lines cannot be read"),
        (b'[1]\n{"section": "x", "slab": 0}\n' + whole, 2, "2 of its lines cannot be read"),
        (b'{"section": 0, "slab": 1, "at": "noon"}\n', 0, "1 of its lines cannot be read"),
        (b"", 0, None),
    ):
        (home / "slabs.jsonl").write_bytes(damaged)
        state = one(capsys)
        assert (state["state"], state["done"]) == ("stopped", done)
        assert note is None or any(note in told for told in state["notes"])
        assert (home / "slabs.jsonl").read_bytes() == damaged
    (home / "slabs.jsonl").write_bytes(whole)
    for content in (b"", b'{"mark": ', b"[]", b'{"mark": {"process": 1}}', b"\xff\xfe"):
        (home / "at_work.json").write_bytes(content)
        state = one(capsys)
        assert state["state"] == "unknown"
        assert "at_work.json: cannot be read" in state["notes"][0]
    (home / "at_work.json").unlink()
    assert "begun by another version of tomarium" in one(capsys)["notes"][0]
    (home / "request.json").unlink()
    assert "killed before it said anything" in one(capsys)["notes"][0]
    assert execute(["status"]) == 1


def test_follow_ends_when_all_is_at_an_end(here: Path, held: Held) -> None:
    words = [sys.executable, "-m", "tomarium", "status", "--follow", "--every", "50ms"]
    following = subprocess.Popen(words, cwd=here, stdout=subprocess.PIPE, text=True)
    try:
        assert following.stdout is not None
        assert "running" in following.stdout.readline()
        assert following.poll() is None
        held.let_go()
        rest = following.communicate(timeout=300)[0]
        assert following.returncode == 0
        assert rest.endswith("1 finished\n")
    finally:
        following.kill()
        following.wait()


def test_follow_says_by_its_exit_code_that_a_run_was_stopped(here: Path, held: Held) -> None:
    words = [sys.executable, "-m", "tomarium", "status", "--follow", "--every", "50ms"]
    following = subprocess.Popen(words, cwd=here, stdout=subprocess.PIPE, text=True)
    try:
        assert following.stdout is not None
        assert "running" in following.stdout.readline()
        held.process.kill()
        held.process.wait()
        assert following.communicate(timeout=300)[0].endswith("1 stopped\n")
        assert following.returncode == 1
    finally:
        following.kill()
        following.wait()


def test_an_empty_folder_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["status", str(tmp_path)]) == 0
    assert "no run, batch or watch was found, 4 folders deep" in capsys.readouterr().out
    assert work(capsys, str(tmp_path)) == []
    (tmp_path / "file").touch()
    for name, found in (("none", "is not there"), ("file", "is a file")):
        assert execute(["status", str(tmp_path / name)]) == 2
        assert f"{found}; give the folder of a record" in capsys.readouterr().err


def test_thousands_of_finished_records_are_listed_and_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = 3000
    for number in range(count):
        record = tmp_path / "records" / f"s{number:04d}"
        (record / "volume.ome.zarr" / "0").mkdir(parents=True)
        (record / "ro-crate-metadata.json").touch()
    code = (
        "import collections, sys; from tomarium.cli import execute; from tomarium.beamtime import find_work;"
        "seen = collections.Counter(); place = sys.argv[1];"
        "sys.addaudithook(lambda name, words: seen.update([name]) if name in ('open', 'os.scandir', 'os.listdir')"
        " and str(words[0]).startswith(place) else None);"
        "execute(['status', place]); print(*(seen[name] for name in ('open', 'os.scandir', 'os.listdir')))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert told[-2] == f"{count} finished"
    assert f"{count - status_lines.NEWEST} more, older; --all lists them" in told[1]
    assert told[-1] == f"0 {count + 2} 0"
    assert len(told) == status_lines.NEWEST + 4


def test_what_lies_deeper_than_was_asked_for_is_not_looked_into(tmp_path: Path) -> None:
    record = tmp_path / "a" / "b" / "record"
    record.mkdir(parents=True)
    (record / "ro-crate-metadata.json").touch()
    assert [len(find_work([tmp_path], depth).work) for depth in (1, 2, 3)] == [0, 0, 1]
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert len(find_work([tmp_path], 9).work) == 1
    assert [state.path for state in find_work([record], 0).work] == [record]


def test_a_batch_tells_its_scans_and_those_that_failed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "spool").mkdir()
    (here / "disc.h5").rename(here / "spool" / "good.h5")
    (here / "spool" / "bad.h5").write_bytes((here / "spool" / "good.h5").read_bytes()[:4000])
    words = [sys.executable, "-m", "tomarium", "batch", "spool", "-o", "night", "--axis", "30.5"]
    done = subprocess.run(words, cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    states = {(state["kind"], Path(state["path"]).name): state for state in work(capsys)}
    assert states["run", "good"]["state"] == "finished"
    batch, scan = states["batch", "night"], states["scan", "bad"]
    assert (batch["state"], batch["done"], batch["total"]) == ("finished", 2, 2)
    assert batch["notes"] == ["1 of its scans failed"]
    assert scan["state"] == "failed"
    assert scan["notes"][0]
    assert execute(["status"]) == 1
    assert not (here / "night" / "at_work.json").exists()


def test_a_batch_that_is_killed_is_stopped(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "spool").mkdir()
    (here / "disc.h5").rename(here / "spool" / "good.h5")
    words = ["batch", "spool", "-o", "night", "--axis", "30.5", "--on", "serial"]
    with held_command(here / "gate", 2, words, here) as held:
        held.wait_for_slab(2)
        by_kind = {state["kind"]: state for state in work(capsys)}
        assert {kind: state["state"] for kind, state in by_kind.items()} == {
            "batch": "running",
            "run": "running",
        }
        assert by_kind["batch"]["doing"] == "good"
        assert by_kind["batch"]["process"] == by_kind["run"]["process"]
        held.process.kill()
        held.process.wait()
        wait_until(lambda: {state["state"] for state in work(capsys)} == {"stopped"})


def test_a_watch_runs_as_long_as_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_live(tmp_path, LiveState(spool="/nfs/spool", state="running", started="2026-11-30T01:00:00+00:00"))
    live = read_live(tmp_path)
    assert live is not None
    from tomarium.beamtime.live_file import seconds_of

    beat = seconds_of(live.heartbeat)
    assert [find_work([tmp_path], now=beat + late).work[0].state for late in (1, 100)] == [
        "running",
        "stopped",
    ]
    assert "says nothing any more" in find_work([tmp_path], now=beat + 100).work[0].notes[-1]
    (tmp_path / "live.json").write_text('{"spool": ')
    [state] = work(capsys, str(tmp_path))
    assert state["state"] == "unknown"


def test_copies_that_are_not_whole_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = tmp_path / "copies.sqlite"
    with open_ledger(ledger):
        pass
    assert work(capsys, str(tmp_path)) == []
    ledger.write_bytes(b"no ledger at all" * 100)
    [state] = work(capsys, str(tmp_path))
    assert (state["kind"], state["state"]) == ("copies", "unknown")


def test_lines_fit_a_terminal_of_80_columns() -> None:
    long = WorkState(
        "run", Path("/data/visitor/ma1234/20261130/records/sampleA_with_a_long_name_0012"), "running",
        section=2, sections=3, doing="2/3 spool after remove_stripes, cut by row", done=1234, total=12345,
        share=0.6123, last_at=1e9 - 7000, ends_at=1e9 + 200_000, since=1e9 - 9000, process=4242, host="beam7",
        executor="slurm:partition=long", notes=("job 17 of SLURM: tasks 3 pending (Resources) on " + "n1, " * 30,),
    )  # fmt: skip
    row = status_lines.row(long, str(long.path), *status_lines.widths([long], 80), 1e9)
    assert len(row) <= 80
    assert "…" in row
    assert "0012" in row
    assert max(map(len, status_lines.details(long, 80))) <= 80


def test_what_a_process_says_crosses_its_file(tmp_path: Path) -> None:
    word = at_work.Word(tmp_path)
    word.begin("dask")
    word.tell(stages=(at_work.Stage("1/1", 4, 2.5),), stage=0)
    read = at_work.read_at_work(tmp_path)
    assert read is not None
    assert read.mark == this_process()
    assert (read.executor, read.command, read.stages[0].slabs) == ("dask", "", 4)
    assert asdict(read)["stage"] == 0
    at_work.Word(None).begin()
    assert [path.name for path in tmp_path.iterdir()] == ["at_work.json"]
