"""Series: a record of each moment, one axis for all, resumed where it was stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import tomarium as tm
from contracts.test_steps import make_scan
from formats.dimax_maker import save_ring, stamped
from tomarium.catalogue.make_series import SERIES, make_series, moments_of
from tomarium.catalogue.record_folder import read_record
from tomarium.catalogue.series_records import in_series
from tomarium.cli import execute
from tomarium.errors import InputError, ParameterError
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Scan, Value
from tomarium.pipeline.protocol.protocol import default_protocol

EACH = 45


def turning(turns: int) -> Scan:
    """Half turns without a stop; in each the sample absorbs more."""
    one = make_scan(angles=EACH)
    counts = np.asarray(one.projections).astype(float)
    low = counts.min()
    frames = np.concatenate([low + (counts - low) * (1 - 0.1 * k) for k in range(turns)])
    flipped = np.concatenate(
        [
            part if k % 2 == 0 else np.roll(part[..., ::-1], -2, -1)
            for k, part in enumerate(np.split(frames, turns))
        ]
    )
    angles = np.arange(turns * EACH) * 180.0 / EACH
    return replace(
        one.with_geometry(angles_deg=Value(angles, "derived", "made"), axis_column=None),
        projections=ArrayFrames(flipped.astype(np.uint16)),
        counts={},
    )


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.h5"
    data_exchange.FORMAT.write(path, turning(3))  # type: ignore[misc]
    return path


def volume_of(folder: Path) -> Any:
    return np.asarray(tm.open(folder / "volume.ome.zarr"))


def test_windows_are_stopped_and_resumed(long: Path, tmp_path: Path) -> None:
    folder, seen = tmp_path / "s", []

    def stop_after_the_first(number: int, count: int, entry: dict[str, Any]) -> None:
        assert count == 3
        seen.append(entry)
        if len(seen) == 1:
            raise KeyboardInterrupt

    moments = moments_of([long], {}, EACH)
    assert [one.name for one in moments] == ["window_000", "window_001", "window_002"]

    def go_on() -> None:
        make_series(moments, default_protocol(), folder, {}, on_moment=stop_after_the_first)

    with pytest.raises(KeyboardInterrupt):
        go_on()
    go_on()
    assert [entry["reused"] for entry in seen[1:]] == [True, False, False]
    told = json.loads((folder / SERIES).read_text())
    assert [one["first_projection"] for one in told["moments"]] == [0, EACH, 2 * EACH]
    assert [one["first_angle_deg"] for one in told["moments"]] == [0, 180, 360]
    assert told["axis_column"]["value"] == pytest.approx(30.5, abs=0.3)
    assert told["axis_column"]["warnings"] == []
    assert "found in window_001 for all" in told["axis_column"]["source"]
    columns = [
        json.loads((folder / one.name / "provenance.json").read_text())["geometry"]["axis_column"]["value"]
        for one in moments
    ]
    assert columns == [told["axis_column"]["value"]] * 3
    scan = tm.open(long)
    assert isinstance(scan, Scan)
    for number, one in enumerate(moments):
        alone = tm.window(scan, views=EACH, step=EACH, number=number)
        np.testing.assert_array_equal(
            volume_of(folder / one.name),
            np.asarray(tm.reconstruct(alone, axis_column=columns[0])),
        )
    catalogue = str(tmp_path / "c.sqlite")
    assert execute(["ingest", str(folder), "--catalogue", catalogue]) == 0
    filed = [in_series(read_record(folder / one.name)) for one in moments]
    assert [(one.number, one.count, one.time_s, one.angle_deg) for one in filed if one] == [
        (1, 3, None, 0.0), (2, 3, None, 180.0), (3, 3, None, 360.0),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"asked for something else \(each_axis\)"):
        make_series(moments, default_protocol(), folder, {}, each_axis=True)


def test_a_record_of_a_series_is_repeated_like_any_other(long: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    assert execute(["series", str(long), "--window", "45", "--every", "30", "--moments", "1:2", "--axis", "31",
                    "-o", str(folder)]) in (0, 1)  # fmt: skip
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["window_001"]
    assert json.loads((folder / SERIES).read_text())["axis_column"] is None
    again = tmp_path / "again"
    assert execute(["run", "--again", str(folder / "window_001"), "-o", str(again)]) in (0, 1)
    np.testing.assert_array_equal(volume_of(again), volume_of(folder / "window_001"))


def test_turns_of_a_ring_buffer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = np.asarray(turning(4).projections)
    ring = save_ring(tmp_path / "rec", stamped(frames), 50)
    (ring / "rec.par").write_text(
        f"NUM_LAST_IMAGE = {2 * EACH - 1}\nANGLE_BETWEEN_PROJECTIONS = {180 / EACH}\n"
    )
    whole = make_scan(angles=EACH)
    assert whole.flats is not None
    assert whole.darks is not None
    tifffile.imwrite(ring / "flat.tif", np.asarray(whole.flats.frames), photometric="minisblack")
    tifffile.imwrite(ring / "dark.tif", np.asarray(whole.darks.frames), photometric="minisblack")
    folder = tmp_path / "turns"
    assert execute(["series", str(ring), "-o", str(folder), "--rows", "5:7", "--pixel", "1 um"]) in (0, 1)
    told = json.loads((folder / SERIES).read_text())["moments"]
    assert [one["entry"] for one in told] == ["turn 0", "turn 1"]
    assert [one["start_time"] for one in told] == ["2024-03-05T14:07:59.999000", "2024-03-05T14:08:00.044000"]
    means = [float(volume_of(folder / one["record"]).mean()) for one in told]
    assert means[1] > 1.2 * means[0]
    assert execute(["series", str(ring), "-o", str(folder), "--rows", "5:7", "--pixel", "1 um"]) == 0
    assert "scan_001: was there (2 of 2)" in capsys.readouterr().out
    windows = moments_of([ring], {}, EACH, 15)
    assert len(windows) == 10
    assert windows[3].open({}).shape[0] == EACH


def test_several_scans_are_a_series(long: Path) -> None:
    moments = moments_of([long, long], {})
    assert [one.name for one in moments] == ["scan_000", "scan_001"]
    assert moments[1].open({}).shape[0] == 3 * EACH


def test_what_is_no_series(long: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds one scan; give the projections of a moment"):
        moments_of([long], {})
    with pytest.raises(ParameterError, match="windows of 200 projections"):
        moments_of([long], {}, 200)
    with pytest.raises(ParameterError, match="--every goes with --window"):
        moments_of([long], {}, None, 5)
    with pytest.raises(ParameterError, match="give one SERIES"):
        moments_of([long, long], {}, 5)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    with pytest.raises(InputError, match="no empty folder"):
        make_series(moments_of([long], {}, EACH), default_protocol(), tmp_path / "full", {})
    assert execute(["series", str(long), "--window", "45", "--moments", "x"]) == 2
