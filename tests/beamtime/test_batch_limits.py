"""Volumes of a batch in whole numbers between the same limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from tomarium.beamtime import batch_result
from tomarium.beamtime.batch_files import read_state
from tomarium.beamtime.common_limits import CommonLimits
from tomarium.catalogue.export import exports_of, parse_export
from tomarium.cli import execute
from tomarium.errors import InputError, ParameterError
from tomarium.model import Axis, Volume
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

QUICK = ["--on", "serial", "--rows", "2:4"]


def small(seed: int, **changes: Any) -> SimulationConfig:
    return SimulationConfig(
        columns=64, rows=6, views=60, flats=2, darks=2, subrays=1, zingers=0, dead_pixels=0, hot_pixels=0,
        seed=seed, **changes,
    )  # fmt: skip


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "night"
    folder.mkdir()
    for seed in (1, 2):
        simulate(folder / f"s{seed}.h5", small(seed))
    return folder


def batch(scans: Path, *words: str) -> int:
    return execute(["batch", str(scans), "-o", str(scans.parent / "batch"), *words, *QUICK])


def rows_of(scans: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((scans.parent / "batch" / "results.json").read_text())
    return {row["name"]: row for row in content["scans"]}


def test_one_number_is_one_value_in_all_volumes(scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(scans, "-o", "volume:tiff,uint16,common", "-o", "volume:nrrd,uint8,common") in (0, 1)
    told = capsys.readouterr().out
    folder = scans.parent / "batch"
    limits = read_state(folder).limits
    assert set(limits) == {"uint8", "uint16"}
    assert {found["scan"] for found in limits.values()} == {"s1"}
    assert (
        f"uint16: {limits['uint16']['low']:.6g} … {limits['uint16']['high']:.6g} 1/cm in all volumes" in told
    )
    assert f"Volumes of uint16: {limits['uint16']['low']:.6g} … " in (folder / "index.html").read_text()
    for name in ("s1", "s2"):
        record = folder / "records" / name
        values = np.asarray(tm.open(record / "volume.ome.zarr"))
        for file, most, dtype in (
            ("volume_uint16.tif", 65535, "uint16"),
            ("volume_uint8.nrrd", 255, "uint8"),
        ):
            low, high = limits[dtype]["low"], limits[dtype]["high"]
            expected = np.floor((values.astype(float) - low) / (high - low) * most + 0.5).clip(0, most)
            np.testing.assert_array_equal(np.asarray(tm.open(record / file)), expected)
        entries = {entry["file"]: entry for entry in exports_of(record)}
        assert entries["volume_uint16.tif"]["low"] == limits["uint16"]["low"]
        assert entries["volume_uint16.tif"]["limits"] == "common to the batch, found in s1"


def test_a_scan_that_comes_later_has_the_same_limits(scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    batch(scans, "-o", "volume:tiff,uint16,common")
    before = read_state(scans.parent / "batch").limits
    simulate(scans / "s3.h5", small(3))
    batch(scans, "-o", "volume:tiff,uint16,common")
    assert read_state(scans.parent / "batch").limits == before
    entries = exports_of(scans.parent / "batch" / "records" / "s3")
    assert (entries[0]["low"], entries[0]["high"]) == (before["uint16"]["low"], before["uint16"]["high"])
    capsys.readouterr()
    assert batch(scans, "-o", "volume:tiff,uint16,0:1") == 1
    assert all(row["state"] == "differs" for row in rows_of(scans).values())
    assert "the limits of volume_uint16.tif" in rows_of(scans)["s1"]["error"]


def test_limits_that_were_found_are_kept_when_the_batch_is_stopped(
    scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while the first volume is written: the next command goes on with its limits."""
    found: list[tuple[float, float]] = []
    whole = CommonLimits.of

    def stopped(self: CommonLimits, *words: Any) -> tuple[float, float]:
        found.append(whole(self, *words))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(CommonLimits, "of", stopped)
        assert batch(scans, "-o", "volume:tiff,uint16,common") == 3
    kept = read_state(scans.parent / "batch").limits["uint16"]
    assert (kept["low"], kept["high"]) == found[0]
    kept_file = scans.parent / "batch" / "batch.json"
    content = json.loads(kept_file.read_text())
    content["limits"]["uint16"]["high"] = 2 * kept["high"]  # were they looked for again, these would go
    kept_file.write_text(json.dumps(content))
    assert batch(scans, "-o", "volume:tiff,uint16,common") in (0, 1)
    for name in ("s1", "s2"):
        (entry,) = exports_of(scans.parent / "batch" / "records" / name)
        assert entry["high"] == 2 * kept["high"]


def test_other_units_are_not_compared(tmp_path: Path) -> None:
    kept: dict[str, Any] = {}
    written: list[int] = []
    limits = CommonLimits(kept, lambda: written.append(1))
    axes = tuple(Axis(name, 1e-6, 0.0, "m") for name in "zyx")
    values = np.random.default_rng(0).normal(size=(4, 5, 6))
    volume = Volume(values, axes, "1/cm", "a", tmp_path / "a" / "volume.ome.zarr")
    assert limits.known("uint16") is None
    first = limits.of(volume, "uint16", lambda stage, done, total: None)
    assert (
        limits.of(Volume(values * 3, axes, "1/cm", "b"), "uint16", lambda stage, done, total: None)
        == first
        == limits.known("uint16")
    )
    assert written == [1]
    with pytest.raises(InputError, match=r"in 1/px, and the common limits, found in a, are in 1/cm"):
        limits.of(Volume(values, axes, "1/px", "c"), "uint16", lambda stage, done, total: None)


def test_volumes_that_lose_voxels_are_told(scans: Path) -> None:
    batch(scans, "-o", "volume:tiff,uint8,0:1")
    for row in rows_of(scans).values():
        assert row["state"] == "warnings"
        assert any("lie beyond 0 … 1 1/cm, the limits for all" in text for text in row["warnings"])
    # The same of a result that is kept.
    batch(scans, "-o", "volume:tiff,uint8,0:1")
    assert all("the limits for all" in " ".join(row["warnings"]) for row in rows_of(scans).values())
    assert batch_result.MOST_CLIPPED == 1e-3


def test_the_records_own_volume_can_be_of_whole_numbers(scans: Path) -> None:
    assert batch(scans, "-o", "volume:zarr,uint16,-20:300") in (0, 1)
    for name in ("s1", "s2"):
        volume = tm.open(scans.parent / "batch" / "records" / name / "volume.ome.zarr")
        assert volume.metadata["grey_range"] == {"low": -20.0, "high": 300.0, "unit": "1/cm"}


def test_words_that_cannot_be_are_told_before_the_night(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for word, expected in (
        ("volume:tiff,float32,common", "common limits are shared by the volumes"),
        ("volume:png", "formats are"),
    ):
        assert batch(scans, "-o", word) == 2
        assert expected in capsys.readouterr().err
    assert batch(scans, "-o", "elsewhere") == 2
    assert "a batch has one folder, but 2 were given" in capsys.readouterr().err
    with pytest.raises(ParameterError, match="shared by the volumes of `tomarium batch`"):
        parse_export("volume:tiff,uint16,common")
    assert not (scans.parent / "batch").exists()
