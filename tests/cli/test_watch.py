"""`tomarium watch`: what it prints, its exit codes, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

import pytest

from tomarium.cli import execute, interrupts
from tomarium.portal.live_server import serving_live
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

SMALL = SimulationConfig(
    columns=96, rows=8, views=90, flats=4, darks=4, subrays=1, zingers=0.0, hot_pixels=0, dead_pixels=0
)


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    interrupts.ASKED.clear()
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool"


def test_a_slice_and_a_failure_are_printed(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulate(spool / "a.h5", SMALL)
    assert execute(["watch", str(spool), "--once", "--every", "20ms"]) == 0
    assert capsys.readouterr().out.startswith("a.h5: row 4, axis ")
    (spool / "bad.h5").write_bytes(b"no scan")
    assert execute(["watch", str(spool), "--once", "--every", "20ms", "--serve", "127.0.0.1:0"]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("live page: http://127.0.0.1:")
    assert told.err.startswith("! bad.h5: is not a scan")
    assert (spool.parent / "live" / "live.json").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--serve", "here:there"], "write HOST:PORT"),
        (["--every", "0s"], "must be more than nothing"),
        (["--set", "fbp.nothing=1"], "nothing"),
        (["-o", "spool/live"], "nothing is written there"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    spool: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["watch", str(spool), "--once", *words]) == 2
    assert said in capsys.readouterr().err
    assert not (spool.parent / "live" / "live.json").exists()


def test_the_page_is_heard_while_the_watch_runs(tmp_path: Path) -> None:
    with serving_live(tmp_path, "127.0.0.1:0") as address, urlopen(address) as answer:
        assert b"Nothing is watched" in answer.read()
