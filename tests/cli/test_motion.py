"""`tomarium motion` writes what `--shifts` takes."""

import json
from pathlib import Path

import numpy as np
import pytest

from steps.motion_scans import bodies, projections
from tomarium.cli import execute
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays

VIEWS, SHAPE, AXIS = 120, (28, 96), 46.7
FULL = np.arange(VIEWS) * 360.0 / VIEWS
TIME = np.linspace(-0.5, 0.5, VIEWS)


def test_a_correction_file_is_written_and_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = projections(bodies(2, 12), FULL, SHAPE, AXIS, 3 * TIME, 0 * TIME)
    scan = scan_of_arrays(made, FULL, domain="attenuation")
    data_exchange.FORMAT.write(tmp_path / "a.h5", scan)  # type: ignore[misc]
    words = [str(tmp_path / "a.h5"), "--axis", str(AXIS)]
    assert execute(["motion", *words, "-o", str(tmp_path / "correct.txt")]) == 0
    told = capsys.readouterr().out
    assert "confidence high, detector" in told
    assert "none along rows" in told
    assert np.abs(np.loadtxt(tmp_path / "correct.txt")[:, 0] - 3 * TIME).max() < 0.1
    taken = ["--shifts", str(tmp_path / "correct.txt"), "--json"]
    assert execute(["info", *words, *taken]) in (0, 1)  # 1: the pixel is not known
    capsys.readouterr()
    assert execute(["motion", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["confidence"] == "high"


def test_what_nothing_tells_is_said_first_and_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = FULL / 2
    scan = scan_of_arrays(
        projections(bodies(2, 12), half, SHAPE, AXIS, 0 * TIME, 0 * TIME), half, domain="attenuation"
    )
    data_exchange.FORMAT.write(tmp_path / "half.h5", scan)  # type: ignore[misc]
    words = ["motion", str(tmp_path / "half.h5"), "--axis", str(AXIS)]
    execute(words)
    told = capsys.readouterr().out
    assert told.startswith("motion is unknown: the views do not tell apart drift")
    assert "0.00 to 0.00" not in told
    assert execute([*words, "-o", str(tmp_path / "correct.txt")]) == 2
    assert "nothing tells how the sample moved" in capsys.readouterr().err
    assert not (tmp_path / "correct.txt").exists()
