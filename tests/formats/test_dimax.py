"""Ring buffers of PCO cameras: order, turns and period, with and without time stamps."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile

import tomarium as tm
from formats.dimax_maker import START, save_ring, stamp, stamped
from tomarium.errors import FormatError, ParameterError
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.pco.dimax import detect, read
from tomarium.formats.pco.ring_buffer import ring_start, rotation_period, seam_is_clear, signatures
from tomarium.formats.tiff.pco_timestamp import decode_stamps
from tomarium.model import Scan

ALL = (slice(None), slice(None))


def views(
    turns: float, each: float, seed: int, size: tuple[int, int] = (12, 48), drift: float = 0.0
) -> np.ndarray:
    """Radiographs of beads on a turning stage; `drift` moves them sideways, pixels a turn, as a load does."""
    draw = np.random.default_rng(seed)
    rows, columns = size
    radius, phase, height = (
        draw.uniform(4, columns / 2 - 4, 12),
        draw.uniform(0, 2 * np.pi, 12),
        draw.uniform(0, rows, 12),
    )
    frames = np.arange(round(turns * each))
    angle = 2 * np.pi * frames / each
    x = columns / 2 + radius * np.cos(angle[:, None] + phase) + drift * frames[:, None] / each
    beam = np.zeros((len(frames), rows, columns))
    for bead in range(12):
        across = np.exp(-((np.arange(columns) - x[:, bead, None]) ** 2) / 6)
        along = np.exp(-((np.arange(rows) - height[bead]) ** 2) / 30)
        beam += along[None, :, None] * across[:, None, :]
    counts = 2000 * np.exp(-beam) + draw.normal(0, 10, beam.shape)
    return np.clip(counts, 0, 65535).astype(np.uint16)


def opened(path: Path, **how: object) -> Scan:
    scan = tm.open(path, **how)  # type: ignore[arg-type]
    assert isinstance(scan, Scan)
    return scan


def write_par(folder: Path, each: int, step: float) -> None:
    (folder / "rec.par").write_text(
        f"NUM_LAST_IMAGE = {each - 1}\nANGLE_BETWEEN_PROJECTIONS = {step}\nNUM_IMAGE_1 = 8\n"
    )


class TestStamps:
    @pytest.mark.parametrize("shift", [0, 2, 4, 8])
    def test_number_and_time(self, shift: int) -> None:
        when = datetime(2024, 12, 31, 23, 59, 58, 123456)
        pixels = np.array([stamp(12345678, when)], np.uint16) << shift
        found = decode_stamps(pixels)
        assert found is not None
        assert found.number.tolist() == [12345678]
        assert found.time_s[0] == pytest.approx((when - datetime(1970, 1, 1)).total_seconds(), abs=1e-6)

    def test_the_manuals_layout(self) -> None:
        """Image 7 at 2003-05-01 16:17:44.502500: pixels 1-4 number, 5-6 year, then month … microseconds."""
        pixels = [0x00, 0x00, 0x00, 0x07, 0x20, 0x03, 0x05, 0x01, 0x16, 0x17, 0x44, 0x50, 0x25, 0x00]
        found = decode_stamps(np.array([pixels], np.uint16))
        assert found is not None
        assert found.number[0] == 7
        assert np.datetime64(round(found.time_s[0] * 1e6), "us") == np.datetime64(
            "2003-05-01T16:17:44.502500"
        )

    @pytest.mark.parametrize("place", [4, 6, 7, 8, 9, 10])
    def test_digits_that_are_no_date(self, place: int) -> None:
        pixels = stamp(1, START)
        pixels[place] = 0x99
        assert decode_stamps(np.array([pixels], np.uint16)) is None

    def test_pixels_are_hardly_ever_a_stamp(self) -> None:
        draw = np.random.default_rng(0)
        assert not any(decode_stamps(draw.integers(0, 160, (1, 14)).astype(np.uint16)) for _ in range(3000))
        assert decode_stamps(np.zeros((2, 14), np.uint16)) is None
        assert decode_stamps(np.zeros((2, 14), np.float32)) is None


class TestOrder:
    @pytest.mark.parametrize("seed", range(6))
    def test_by_stamps(self, seed: int, tmp_path: Path) -> None:
        """Five turns of 60 views from a random start, in three files."""
        draw = np.random.default_rng(seed)
        frames = views(5, 60, seed, drift=1.5)
        start = int(draw.integers(1, len(frames)))
        marked = stamped(frames, first=int(draw.integers(1, 9000)))
        write_par(save_ring(tmp_path / "with", marked, start, parts=3), 60, 6)
        scan = opened(tmp_path / "with", entry="turn 3")
        np.testing.assert_array_equal(scan.projections.read(*ALL), marked[180:240])
        np.testing.assert_allclose(scan.angles_deg.value, np.arange(60) * 6.0)
        assert f"begins at page {start}" in scan.repaired[0]

    def test_without_stamps(self, tmp_path: Path) -> None:
        frames = views(3, 250, 11, drift=1.5)
        write_par(save_ring(tmp_path / "r", frames, 333, parts=3), 250, 1.44)
        scan = turn_of(tmp_path / "r", 2)
        np.testing.assert_array_equal(scan.projections.read(*ALL), frames[500:])
        assert "begins at page 333, where neighbours differ" in scan.repaired[0]

    @pytest.mark.parametrize("seed", range(12))
    def test_the_seam_of_five_turns_of_500_views(self, seed: int) -> None:
        """A sample that moves 1.5 pixels a turn: the seam is found to the frame, wherever it lies."""
        frames = views(5, 500, seed, drift=1.5)
        start = int(np.random.default_rng(seed).integers(0, len(frames)))
        found, ratio = ring_start(signatures(ArrayFrames(np.roll(frames, start, axis=0))))
        assert found == start
        assert seam_is_clear(ratio)

    def test_all_turns_are_listed(self, tmp_path: Path) -> None:
        write_par(save_ring(tmp_path / "r", stamped(views(4.5, 40, 1)), 77), 40, 9)
        from tomarium.formats import recognise

        form, match = recognise(tmp_path / "r")[0]
        assert form.name == "dimax"
        assert match.entries == ("turn 0", "turn 1", "turn 2", "turn 3", "all turns")
        assert opened(tmp_path / "r").metadata["start_time"].value == "2024-03-05T14:07:59.999000"

    def test_all_turns_are_one_long_scan(self, tmp_path: Path) -> None:
        """For windows that begin anywhere in it: the angles go on from turn to turn."""
        marked = stamped(views(4.5, 40, 1))
        write_par(save_ring(tmp_path / "r", marked, 77), 40, 9)
        scan = opened(tmp_path / "r", entry="all turns")
        np.testing.assert_array_equal(scan.projections.read(*ALL), marked)
        np.testing.assert_allclose(scan.angles_deg.value, np.arange(180) * 9.0)
        (tmp_path / "r" / "rec.par").unlink()
        without = opened(tmp_path / "r", entry="all turns")
        assert without.shape == scan.shape
        np.testing.assert_allclose(without.angles_deg.value, scan.angles_deg.value, atol=2)
        turn = opened(tmp_path / "r")
        np.testing.assert_array_equal(turn.projections.read(*ALL), marked[:40])

    def test_lost_frames_are_counted(self, tmp_path: Path) -> None:
        marked = np.delete(stamped(views(3, 40, 2)), [50, 51], axis=0)
        write_par(save_ring(tmp_path / "r", marked, 13), 40, 9)
        assert any(
            "2 frames were lost, the first before frame 50" in text
            for text in opened(tmp_path / "r").warnings
        )

    def test_a_seam_that_cannot_be_seen_is_said(self) -> None:
        draw = np.random.default_rng(3)
        _, ratio = ring_start(draw.normal(size=(200, 60)).astype(np.float32))
        assert not seam_is_clear(ratio)

    def test_one_part_leads_to_the_others(self, tmp_path: Path) -> None:
        marked = stamped(views(2, 40, 4))
        folder = save_ring(tmp_path / "r", marked, 30, parts=2)
        write_par(folder, 40, 9)
        scan = opened(folder / "rec@0001.tif", entry="turn 1")
        np.testing.assert_array_equal(scan.projections.read(*ALL), marked[40:])


class TestPeriod:
    @pytest.mark.parametrize("each", [100, 73.4, 250.25])
    @pytest.mark.parametrize("seed", range(4))
    def test_to_a_twentieth_of_a_frame(self, each: float, seed: int) -> None:
        found = rotation_period(signatures(ArrayFrames(views(5, each, seed))))
        assert found is not None
        assert found[0] == pytest.approx(each, abs=0.05)
        assert found[1] > 0.9

    def test_without_a_par_the_period_gives_the_angles(self, tmp_path: Path) -> None:
        marked = stamped(views(4, 60.5, 5))
        save_ring(tmp_path / "r", marked, 100)
        scan = turn_of(tmp_path / "r", 2)
        assert scan.shape[0] in (60, 61)
        assert scan.metadata["turn"].source.startswith("frames 121 to")
        np.testing.assert_allclose(np.diff(scan.angles_deg.value), 360 / 60.5, rtol=2e-3)
        assert any("no .par tells the frames of a turn" in text for text in scan.warnings)

    def test_a_par_that_tells_another_period_is_doubted(self, tmp_path: Path) -> None:
        write_par(save_ring(tmp_path / "r", stamped(views(4, 63, 6)), 9), 60, 6)
        assert any("come again every 63.0" in text for text in opened(tmp_path / "r").warnings)

    def test_noise_has_no_period(self) -> None:
        noise = np.random.default_rng(7).integers(0, 999, (300, 12, 48)).astype(np.uint16)
        assert rotation_period(signatures(ArrayFrames(noise))) is None


def test_a_part_that_is_lost_is_said(tmp_path: Path) -> None:
    """Also where no time stamps count the frames."""
    frames = np.random.default_rng(1).integers(0, 900, (40, 6, 8)).astype(np.uint16)
    folder = save_ring(tmp_path / "rec", frames, 0, parts=4)
    whole = tm.open(folder, as_format="dimax")
    assert not any("lacks its parts" in text for text in whole.warnings)
    (folder / "rec@0002.tif").unlink()
    assert any("lacks its parts @0002" in text for text in tm.open(folder, as_format="dimax").warnings)


def test_a_turn_that_is_not_there(tmp_path: Path) -> None:
    write_par(save_ring(tmp_path / "r", stamped(views(3, 40, 8)), 9), 40, 9)
    for turn in (3, -1):
        with pytest.raises(ParameterError, match=f"there is no turn {turn} of 40 frames"):
            turn_of(tmp_path / "r", turn)


def turn_of(path: Path, turn: int) -> Scan:
    """A turn of a recording, also of one without time stamps, which lists none."""
    match = detect(path)
    assert match is not None
    return read(path, replace(match, entry=f"turn {turn}"))


def test_references_of_another_size(tmp_path: Path) -> None:
    write_par(save_ring(tmp_path / "r", stamped(views(3, 40, 8)), 9), 40, 9)
    tifffile.imwrite(tmp_path / "r" / "flat.tif", np.ones((3, 5, 5), np.uint16), photometric="minisblack")
    with pytest.raises(FormatError, match=r"flat.tif: has frames of \(5, 5\) rows and columns"):
        tm.open(tmp_path / "r")


def test_a_stack_without_stamps_is_a_scan_unless_it_is_said(tmp_path: Path) -> None:
    save_ring(tmp_path / "r", views(2, 40, 9), 0)
    assert opened(tmp_path / "r" / "rec.tif", domain="counts").format == "tiff"
    assert opened(tmp_path / "r" / "rec.tif", as_format="dimax").format == "dimax"
