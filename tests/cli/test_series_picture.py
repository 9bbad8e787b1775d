"""`tomarium picture --series`: films and sheets in the same greys."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from series_maker import save_series
from tomarium.cli import execute

GREYS = (2.0, 1.5, 0.5)
DRAWN = [255 * (grey - 0.1) / 1.9 for grey in GREYS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a series of odd sides, which films do not have."""
    return save_series(tmp_path_factory.mktemp("series") / "foam_series", GREYS, size=65)


def middle(image: Image.Image) -> float:
    return float(np.asarray(image.convert("L"), float)[28:37, 28:37].mean())


def test_a_sheet_of_all_moments(folder: Path, tmp_path: Path) -> None:
    assert execute(["picture", str(folder), "--series", "--plane", "y", "-o", str(tmp_path / "a.png")]) == 0
    sheet = Image.open(tmp_path / "a.png")
    assert sheet.size == (2 * 69 - 4, 2 * 69 - 4)
    places = [(0, 0), (69, 0), (0, 69)]
    seen = [middle(sheet.crop((x, y, x + 65, y + 65))) for x, y in places]
    assert seen == pytest.approx(DRAWN, abs=1)


def test_an_animated_picture(folder: Path, tmp_path: Path) -> None:
    told = ["picture", str(folder), "--series", "--speed", "10", "-o", str(tmp_path / "a.webp")]
    assert execute(told) == 0
    with Image.open(tmp_path / "a.webp") as picture:
        frames = [(middle(one), one.info["duration"]) for one in ImageSequence.Iterator(picture)]
    assert [grey for grey, _ in frames] == pytest.approx(DRAWN, abs=4)
    assert {duration for _, duration in frames} == {100}


@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_a_film(folder: Path, tmp_path: Path, ending: str) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("no ffmpeg on this machine (apt-get install ffmpeg)")
    film = tmp_path / f"a.{ending}"
    assert execute(["picture", str(folder), "--series", "--speed", "4", "-o", str(film)]) == 0
    asked = [program, "-loglevel", "error", "-i", str(film), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    raw = subprocess.run(asked, capture_output=True, check=True).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, 66, 66)
    seen = [float(one[28:37, 28:37].mean()) for one in frames]
    assert seen == pytest.approx(DRAWN, abs=6)


def test_without_ffmpeg_it_says_what_else_there_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tomarium.viewers.series_pictures.shutil.which", lambda _name: None)
    assert execute(["picture", str(folder), "--series", "-o", str(tmp_path / "a.mp4")]) == 2
    assert "not on this machine" in capsys.readouterr().err
    assert not (tmp_path / "a.mp4").exists()


def test_by_the_name_of_a_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_series(tmp_path / "s", GREYS, finished=(0, 2), size=16)
    catalogue, sheet = str(tmp_path / "c.sqlite"), tmp_path / "a.png"
    assert execute(["ingest", str(folder), "--catalogue", catalogue]) == 2  # one moment was not finished
    asked = ["picture", "foam-2", "--series", "--catalogue", catalogue, "-o", str(sheet)]
    assert execute(asked) == 0
    assert "moments that are missing: 2" in capsys.readouterr().err
    assert Image.open(io.BytesIO(sheet.read_bytes())).size == (36, 16)
    assert execute([*asked[:-1], str(tmp_path / "b.png"), "--at", "16"]) == 2
    assert "give --at from 0 to 15" in capsys.readouterr().err
    assert execute(["picture", str(tmp_path), "--series", "-o", str(tmp_path / "d.png")]) == 2
    assert "holds no series.json" in capsys.readouterr().err
