"""Volumes cast to 8 and 16 bits: values come back within half a step, and the limits are stated."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import tomarium as tm
from tomarium.cli import execute
from tomarium.conversion import cast as module
from tomarium.conversion.cast import Scaled, convert_cast, parse_limits
from tomarium.errors import FormatError, InputError, ParameterError
from tomarium.formats.tiff.volume import write
from tomarium.kernels.image_statistics import disc_columns
from tomarium.model import Axis, Volume

SHAPE = (12, 80, 80)


def volume(seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(1.0, 0.3, SHAPE).astype(np.float32)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "volume.tif"
    write(path, Volume(volume(), tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx"), "1/cm", "noise"))
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("ending", ["tif", "ome.tif", "mrc", "ome.zarr", "nx", "vol.raw"])
def test_values_come_back_within_half_a_step(
    source: Path, tmp_path: Path, dtype: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / f"cast.{ending}"
    assert (
        execute(["convert", str(source), str(target), "--dtype", dtype, "--limits", "0.2:1.9", "--json"]) == 0
    )
    told = json.loads(capsys.readouterr().out)["cast"]
    beside = json.loads(target.with_name(f"{target.name}.json").read_text("utf-8"))["grey_range"]
    assert beside == {"low": 0.2, "high": 1.9, "unit": "1/cm"}
    stored, values = np.asarray(tm.open(target)), volume().astype(np.float64)
    assert stored.dtype == ("uint16" if ending == "mrc" else dtype)
    step = 1.7 / np.iinfo(dtype).max
    within = (values >= 0.2) & (values <= 1.9)
    error = np.abs(0.2 + step * stored[within] - values[within]).max()
    assert error <= step / 2 * (1 + 1e-9)
    assert told["largest_error"] == pytest.approx(error, rel=1e-9)
    assert (told["below"], told["above"]) == (np.count_nonzero(values < 0.2), np.count_nonzero(values > 1.9))
    assert np.all(stored[values < 0.2] == 0)
    assert np.all(stored[values > 1.9] == np.iinfo(dtype).max)


@pytest.mark.parametrize(("dtype", "low", "high"), [("uint16", 0.01, 99.99), ("uint8", 0.1, 99.9)])
def test_limits_are_percentiles_inside_the_circle(
    source: Path, tmp_path: Path, dtype: Literal["uint8", "uint16"], low: float, high: float
) -> None:
    opened = tm.open(source)
    assert isinstance(opened, Volume)
    data = volume()
    data[:, :6, :6] = 1e6  # a corner
    data[3, 40, 40:44] = np.nan
    _, report = convert_cast(Volume(data, opened.axes, "1/cm", "noise", source), tmp_path / "cast.tif", dtype)
    first, last = disc_columns(80, 80)
    x = np.arange(80)
    inside = data[:, (x >= first[:, None]) & (x < last[:, None])]
    expected = np.percentile(inside[np.isfinite(inside)].astype(np.float64), [low, high])
    np.testing.assert_allclose([report.low, report.high], expected, atol=0.05)
    assert report.limits == f"percentiles {low:g} and {high:g} inside the circle of 12 of 12 slices"
    assert report.not_finite == 4
    assert np.asarray(tm.open(tmp_path / "cast.tif"))[3, 40, 40] == 0
    inside_below = np.count_nonzero(inside < report.low)
    assert inside_below == pytest.approx(low / 100 * inside.size, abs=3)


def test_the_range_stays_with_a_tiff_that_is_copied(source: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.tif", tmp_path / "second.tif"
    assert execute(["convert", str(source), str(first), "--dtype", "uint8", "--limits", "0:2"]) == 0
    assert execute(["convert", str(first), str(second)]) == 0
    ranges = [tm.open(path).metadata["grey_range"] for path in (first, second)]
    assert ranges == [{"low": 0.0, "high": 2.0, "unit": "1/cm"}] * 2
    np.testing.assert_array_equal(np.asarray(tm.open(first)), np.asarray(tm.open(second)))


def test_slabs_of_any_size_give_the_same(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tm.open(source)
    whole = convert_cast(opened, tmp_path / "whole.tif", "uint8")[1]  # type: ignore[arg-type]
    monkeypatch.setattr(module, "SLAB_BYTES", 1)
    assert convert_cast(opened, tmp_path / "single.tif", "uint8")[1] == whole  # type: ignore[arg-type]


def test_what_does_not_read_back_is_said(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "cast.tif"
    real = module.convert

    def damaging(*given: Any, **named: Any) -> Any:
        done = real(*given, **named)
        content = bytearray(target.read_bytes())
        content[len(content) // 2] ^= 0x40
        target.write_bytes(bytes(content))
        return done

    monkeypatch.setattr(module, "convert", damaging)
    with pytest.raises(FormatError, match="do not read back"):
        convert_cast(tm.open(source), target, "uint8", (0.0, 2.0))  # type: ignore[arg-type]
    assert source.exists()


def test_levels_are_rounded_to_the_nearest() -> None:
    data = np.array([[[-1.0, 0.0, 0.49, 0.51, 254.5, 255.0, 300.0, np.nan, np.inf, -np.inf]]])
    scaled = Scaled(data, np.dtype(np.uint8), 0.0, 255.0)
    assert scaled[:].ravel().tolist() == [0, 0, 0, 1, 255, 255, 255, 0, 255, 0]
    far = Scaled(
        np.float32(1e6) + np.arange(4, dtype=np.float32).reshape(1, 1, 4), np.dtype(np.uint8), 1e6, 1e6 + 255
    )
    assert far[:].ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dtype", "uint8", "--limits", "2:1"], "the lower first"),
        (["--dtype", "uint8", "--limits", "wide"], "write auto, or A:B"),
        (["--limits", "0:1"], "--limits goes with --dtype"),
        (["--dtype", "int8"], "is not one of"),
    ],
)
def test_what_cannot_be_is_asked_back(
    source: Path, tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["convert", str(source), str(tmp_path / "x.tif"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x.tif").exists()


def test_a_constant_volume_and_one_cast_before_are_asked_back(source: Path, tmp_path: Path) -> None:
    axes = tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx")
    constant = Volume(np.ones((4, 32, 32), np.float32), axes, "1/cm", "one")
    with pytest.raises(InputError, match="a constant volume needs limits"):
        convert_cast(constant, tmp_path / "x.tif", "uint8")
    convert_cast(tm.open(source), tmp_path / "first.tif", "uint8")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cast before"):
        convert_cast(tm.open(tmp_path / "first.tif"), tmp_path / "x.tif", "uint8")  # type: ignore[arg-type]
    assert parse_limits("auto") is None
    with pytest.raises(ParameterError):
        parse_limits("nan:1")


def test_recad_writes_beside_and_removes_what_reads_back(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["recad", str(source), "--bits", "8"]) == 0
    assert np.asarray(tm.open(tmp_path / "volume_8bit.tif")).dtype == np.uint8
    assert execute(["recad", str(source), "--bits", "8"]) == 2  # it is there
    capsys.readouterr()

    def failing(*given: Any, **named: Any) -> Any:
        raise FormatError("do not read back")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_verified", failing)
        assert execute(["recad", str(source), "--remove-source"]) == 2
    assert source.exists()
    assert execute(["recad", str(source), "--remove-source", "--overwrite"]) == 0
    assert "removed" in capsys.readouterr().out
    assert not source.exists()
    assert np.asarray(tm.open(tmp_path / "volume_16bit.tif")).dtype == np.uint16


@pytest.mark.parametrize("word", ["tiff", "hdf5", "vol", "mrc", "zarr", "jpeg2000", "raw"])
def test_an_output_of_a_run_has_the_limits_of_convert(word: str, tmp_path: Path) -> None:
    from tomarium.catalogue.export import export, parse_export
    from tomarium.formats.zarr.reader import write as write_zarr

    data = volume() * 40
    data[:, :8, :8] = 1e6  # outside of the circle
    axes = tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx")
    write_zarr(tmp_path / "record" / "volume.ome.zarr", Volume(data, axes, "1/cm", "noise"))
    (tmp_path / "record" / "provenance.json").write_text("{}")
    whole = tm.open(tmp_path / "record" / "volume.ome.zarr")
    for dtype in ("uint16",) if word == "mrc" else ("uint8", "uint16"):
        made = export(
            tmp_path / "record", parse_export(f"volume:{word},{dtype}"), lambda stage, done, total: None
        )
        _, report = convert_cast(whole, tmp_path / f"{dtype}.tif", dtype)  # type: ignore[arg-type]
        beside = json.loads(made.with_name(f"{made.name}.json").read_text("utf-8"))["grey_range"]
        assert beside == {"low": report.low, "high": report.high, "unit": "1/cm"}
        assert report.high < 200
        told = json.loads((tmp_path / "record" / "exports.json").read_text("utf-8"))[-1]
        assert (told["low"], told["high"], told["limits"]) == (report.low, report.high, report.limits)
        np.testing.assert_array_equal(
            np.asarray(tm.open(made)), np.asarray(tm.open(tmp_path / f"{dtype}.tif"))
        )
    if word == "tiff":
        assert tm.open(made).metadata["grey_range"] == beside


def test_a_record_keeps_its_volume(tmp_path: Path) -> None:
    from tomarium.formats.zarr.reader import write as write_zarr

    axes = tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx")
    write_zarr(tmp_path / "record" / "volume.ome.zarr", Volume(volume(), axes, "1/cm", "noise"))
    (tmp_path / "record" / "ro-crate-metadata.json").write_text("{}")
    for name in ("record", "record/volume.ome.zarr"):
        assert execute(["recad", str(tmp_path / name), str(tmp_path / "out.tif"), "--remove-source"]) == 2
    assert not (tmp_path / "out.tif").exists()
