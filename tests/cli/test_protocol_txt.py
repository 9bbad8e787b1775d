"""A protocol.txt of tomodata, run as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from tomarium.cli import execute
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

LINES = """\
python ~/Python/pentezone.py -v 200
python ~/Python/rotation_axis.py XXX -g True
python ~/Python/half_acq.py XXX
python ~/Python/double_ff.py XXX -x 9 -z 9 -n 1
python ~/Python/paganin.py XXX -m 2
python ~/Python/roi.py XXX -r 41 41 3 60 70 6
python ~/Python/launch_reconstruction.py XXX -r True
"""


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = SimulationConfig(
        columns=64, rows=8, views=240, span_deg=360, axis_column=12.3, seed=2, photons=2e4
    )
    return simulate(tmp_path_factory.mktemp("scan") / "half.h5", config)


def test_the_volume_is_that_of_the_converted_protocol(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "protocol.txt"
    given.write_text(LINES)
    assert execute(["run", str(scan), "-p", str(given), "-o", str(tmp_path / "record")]) in (0, 1)
    capsys.readouterr()
    assert execute(["protocol", "convert", str(given), "-o", str(tmp_path / "mine.yaml")]) == 0
    told = capsys.readouterr().out
    assert told.rstrip().endswith("--roi 2:6,40:70,40:60")
    text = (tmp_path / "mine.yaml").read_text()
    assert (
        "# line 4: python ~/Python/double_ff.py XXX -x 9 -z 9 -n 1\n#   double_flat_field {columns: 9" in text
    )
    words = ["-p", str(tmp_path / "mine.yaml"), "--roi", "2:6,40:70,40:60", "-o", str(tmp_path / "again")]
    assert execute(["run", str(scan), *words]) in (0, 1)
    first, second = (tm.open(tmp_path / name / "volume.ome.zarr")[:] for name in ("record", "again"))
    assert first.shape == (4, 30, 20)
    assert np.array_equal(first, second)
    assert "half_acquisition" in (tmp_path / "record" / "provenance.json").read_text()


def test_a_wrong_line_is_refused_before_anything_starts(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "protocol.txt"
    given.write_text(LINES.replace("paganin.py", "pagannin.py"))
    assert execute(["run", str(scan), "-p", str(given), "-o", str(tmp_path / "record")]) == 2
    assert "line 5: ~/Python/pagannin.py is no function of tomodata" in capsys.readouterr().err
    assert not (tmp_path / "record").exists()
    assert execute(["protocol", "check", str(given)]) == 2


def test_what_a_command_does_not_follow_is_refused(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "protocol.txt"
    given.write_text("python auto_crop.py -x 20 -y 20 -z 4\n")
    assert execute(["plan", str(scan), "-p", str(given)]) == 2
    assert "crop = 4,20,20, which this command does not follow" in capsys.readouterr().err
