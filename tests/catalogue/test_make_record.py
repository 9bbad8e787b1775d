"""From a scan to a record: where it may lie."""

from __future__ import annotations

from pathlib import Path

import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.catalogue.make_record import make_record
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.formats import formats
from tomarium.model import Scan, Value
from tomarium.pipeline.protocol.protocol import default_protocol


@pytest.fixture
def tiffs(tmp_path: Path) -> Path:
    formats()["tiff"].write(tmp_path / "tiffs", make_scan(angles=90))  # type: ignore[misc]
    return tmp_path / "tiffs"


@pytest.mark.parametrize(
    "place", ["tiffs/out", "tiffs/deep/er/out", "tiffs", "elsewhere/../tiffs/out", "link/out"]
)
def test_a_record_in_the_folder_of_its_scan_is_refused(place: str, tiffs: Path) -> None:
    (tiffs.parent / "link").symlink_to("tiffs")
    (tiffs.parent / "elsewhere").mkdir()
    before = sorted(tiffs.rglob("*"))
    scan = tm.open(tiffs)
    assert isinstance(scan, Scan)
    with pytest.raises(InputError, match=r"lies in the folder of the scan .* -o .*tiffs_record"):
        make_record(scan, default_protocol(), tiffs.parent / place)
    assert sorted(tiffs.rglob("*")) == before


def test_so_is_the_default_name_within_it(
    tiffs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tiffs)
    before = sorted(tiffs.rglob("*"))
    for scan in (".", str(tiffs), "../tiffs"):
        assert execute(["run", scan]) == 2
        assert "lies in the folder of the scan" in capsys.readouterr().err
    assert sorted(tiffs.rglob("*")) == before


@pytest.mark.parametrize("pixel_m", [1e-30, 1e-12, 10.0, 1e20])
def test_an_absurd_pixel_is_refused_before_anything_is_written(pixel_m: float, tiffs: Path) -> None:
    scan = tm.open(tiffs)
    assert isinstance(scan, Scan)
    scan = scan.with_geometry(pixel_m=Value(pixel_m, "read", "its file"))
    with pytest.raises(InputError, match=r"its pixel is .*give the right one, .* with --pixel"):
        make_record(scan, default_protocol(), tiffs.parent / "record")
    assert not (tiffs.parent / "record").exists()


def test_a_record_beside_its_scan_is_made(tiffs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiffs.parent)
    assert execute(["run", "tiffs"]) == 0
    assert (tiffs.parent / "tiffs_record" / "ro-crate-metadata.json").is_file()
