"""From a scan to a record: where it may lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from contracts.test_steps import make_scan
from tomarium.catalogue import verify
from tomarium.catalogue.make_record import make_record
from tomarium.catalogue.record_folder import read_record
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


def test_a_protocol_without_a_reconstruction_makes_a_record_that_opens_as_a_scan(
    tiffs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol, record, again = (tmp_path / name for name in ("flat.yaml", "flat", "again"))
    protocol.write_text("steps: [{flat_field: {log: no}}]")
    words = ["run", str(tiffs), "-p", str(protocol), "-o", str(record)]
    assert execute([*words, "--output", "volume:tiff"]) == 2
    assert "the protocol ends without one" in capsys.readouterr().err
    assert execute(words) == 0
    [part] = read_record(record).parts
    assert (part.kind, part.path, part.role) == ("projections", "projections.h5", "corrected")
    assert [axis["length"] for axis in part.axes] == list(tm.open(tiffs).shape)
    assert not verify(record)
    assert execute(["run", "--again", str(record), "-o", str(again)]) == 0
    scan, twin = tm.open(record), tm.open(again)
    assert isinstance(scan, Scan)
    assert (scan.domain, scan.warnings) == ("transmission", ())
    np.testing.assert_array_equal(np.asarray(scan.projections), np.asarray(twin.projections))  # type: ignore[union-attr]
    assert (
        execute(["run", str(record), "--axis", "30.5", "--rows", "3:5", "-o", str(tmp_path / "volume")]) == 0
    )
    volume = np.asarray(tm.open(tmp_path / "volume"))
    expected = np.asarray(tm.reconstruct(tiffs, rows=slice(3, 5), axis_column=30.5))
    np.testing.assert_allclose(volume, expected, atol=1e-4 * np.ptp(expected))
