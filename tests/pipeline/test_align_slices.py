"""Slices that drifted are laid on each other, and what cannot be known is said."""

import math
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tomarium import formats
from tomarium.conversion.convert import convert
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.alignment.section_path import slow_part
from tomarium.pipeline.align_slices.align import AlignedSlices, align_slices
from tomarium.pipeline.align_slices.aligned_planes import Curtains
from tomarium.pipeline.align_slices.slice_series import SliceSeries, cropped, open_pictures, series_of_image
from tomarium.synth.slices import SimulatedSlices, simulated_slices

COUNT = 36
SCALE = {"pixel_m": 5e-9, "slice_m": 10e-9}


def as_series(images: np.ndarray, numbers: tuple[int, ...] = ()) -> SliceSeries:
    count, rows, columns = images.shape
    return SliceSeries(
        lambda number: images[number], count, rows, columns, images.dtype, Path("fib"), "fib", numbers=numbers
    )


def moved(aligned: AlignedSlices) -> np.ndarray:
    return np.array([[row["row_px"], row["column_px"]] for row in aligned.rows])


def root(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


@pytest.fixture(scope="module")
def drifted() -> SimulatedSlices:
    return simulated_slices(COUNT, (192, 208), 3)


@pytest.fixture(scope="module")
def aligned(drifted: SimulatedSlices) -> AlignedSlices:
    return align_slices(as_series(drifted.images), **SCALE, tilt_deg=52.0, as_float=True)


def test_what_is_fast_is_undone_to_a_tenth_of_a_pixel(
    drifted: SimulatedSlices, aligned: AlignedSlices
) -> None:
    assert aligned.slow_slices is not None
    truth = drifted.shifts - slow_part(drifted.shifts, aligned.slow_slices)
    missed = root(moved(aligned) - truth)
    assert root(truth) > 1.0
    assert missed < 0.1
    assert missed / 2 < aligned.error_px < 2 * missed
    assert not aligned.bad
    assert not aligned.filled


def test_the_volume_has_long_voxels_and_shows_the_specimen(
    drifted: SimulatedSlices, aligned: AlignedSlices
) -> None:
    z, y, x = aligned.volume.voxel_m or (0, 0, 0)
    assert (z, x) == (10e-9, 5e-9)
    assert y == pytest.approx(5e-9 / math.sin(math.radians(52)))
    top, left = (round(axis.offset / axis.scale) for axis in aligned.volume.axes[1:])
    inner = slice(30, 160), slice(30, 170)
    slow = slow_part(drifted.shifts, aligned.slow_slices or 0)

    def unlike(planes: np.ndarray) -> float:
        return root(np.diff(planes, axis=0))

    before = drifted.images[:, inner[0], inner[1]]
    after = np.asarray(aligned.volume[:])[:, 30 - top : 160 - top, 30 - left : 170 - left]
    still = drifted.truth[:, inner[0], inner[1]]
    noise = 0.2 * math.sqrt(2)
    assert np.ptp(slow, axis=0).max() < 4
    assert unlike(after) < 1.1 * math.hypot(unlike(still), noise) < 0.8 * unlike(before)


def test_a_slant_of_the_specimen_stays_unless_it_is_told_to_be_drift() -> None:
    leaning = simulated_slices(24, (160, 160), 5, slant=(0.5, 0.0), walk_px=0.0)
    careful = align_slices(as_series(leaning.images), **SCALE)
    assert careful.left_px[0] == pytest.approx(0.5 * 23, abs=1.5)
    assert careful.left_px[1] < 1.5
    told = align_slices(as_series(leaning.images), **SCALE, slow="drift")
    assert told.slow_slices is None
    assert np.ptp(moved(told)[:, 0] - leaning.shifts[:, 0]) == pytest.approx(0.5 * 23, abs=2)


def test_a_mark_tells_all_movement() -> None:
    leaning = simulated_slices(24, (160, 200), 7, slant=(0.4, -0.3), walk_px=0.8)
    images = leaning.images.copy()
    mark = simulated_slices(1, (160, 64), 8, jitter_px=0.0, walk_px=0.0).truth[0]
    from tomarium.synth.slices import moved_by

    for number, shift in enumerate(leaning.shifts):  # a mark that drifts, and does not lean
        images[number, :, :64] = moved_by(mark, shift)
    found = align_slices(as_series(images), **SCALE, reference=(20, 4, 120, 52))
    assert found.slow_slices is None
    missed = moved(found) - leaning.shifts
    assert root(missed - missed.mean(axis=0)) < 0.1
    assert found.error_px < 0.2


def test_bad_slices_gaps_and_jumps_of_brightness_are_met(drifted: SimulatedSlices) -> None:
    draw = np.random.default_rng(0)
    images = 60 + 40 * drifted.images
    images *= 1 + 0.06 * draw.standard_normal((COUNT, 1, 1))
    images += 6 * draw.standard_normal((COUNT, 1, 1))
    images[17] = 80 + 20 * draw.standard_normal(images[17].shape)
    kept = [number for number in range(COUNT) if number != 25]
    grey = np.clip(images, 0, 255).astype(np.uint8)[kept]
    found = align_slices(as_series(grey, tuple(10 * number for number in kept)), **SCALE, bad="fill")
    assert found.bad == (17,)
    assert found.filled == (17, 25)
    assert found.volume.shape[0] == COUNT
    assert found.volume.dtype == np.uint8
    assert any("17, 25" in text for text in found.warnings)
    assert not any("a slice was lost" in text for text in found.warnings)
    known = drifted.shifts.copy()
    known[17] = (known[16] + known[18]) / 2  # nothing tells where the bad one lies
    truth = known[kept] - slow_part(known[kept], found.slow_slices or 0)
    good = np.arange(COUNT - 1) != 17
    assert root((moved(found) - truth)[good]) < 0.15
    spread = np.std([np.median(plane[60:140, 60:140]) for plane in found.volume[:]])
    assert spread < 0.5 * np.std([np.median(plane[60:140, 60:140]) for plane in grey])


def test_a_lost_slice_without_a_number_is_noticed() -> None:
    whole = simulated_slices(25, (160, 160), 6, noise=0.1)
    images = np.delete(whole.images, 12, axis=0)
    found = align_slices(as_series(images), **SCALE)
    assert any("after slices 11 " in text for text in found.warnings)
    told = align_slices(as_series(images), **SCALE, skipped=(11,))
    assert told.filled == (12,)
    assert told.volume.shape[0] == 25


def test_an_affine_model_undoes_turns_and_stretches() -> None:
    from tomarium.kernels.alignment.section_warp import warp_section

    still = simulated_slices(14, (224, 224), 9, jitter_px=0.0, walk_px=0.0, noise=0.0, grain_px=3.0)
    draw = np.random.default_rng(2)
    bent = 0.004 * draw.standard_normal((14, 2, 2))
    shifts = draw.standard_normal((14, 2))
    images = np.stack(
        [
            # Content at x lies at (1 + bent) x + shift: the image there shows what is at the inverse.
            warp_section(plane, inverse, tuple(-inverse @ shift))[0]
            for plane, inverse, shift in zip(
                still.truth, np.linalg.inv(np.eye(2) + bent), shifts, strict=True
            )
        ]
    )
    images += 0.2 * draw.standard_normal(images.shape, dtype=np.float32)
    found = align_slices(as_series(images.astype(np.float32)), **SCALE, model="affine", slow=8)
    planes = found.volume.data
    places = 80.0 * np.array([[a, b] for a in (-1, 1) for b in (-1, 1)])
    made = np.einsum("kij,pj->kpi", planes.matrices - np.eye(2), places) + planes.shifts[:, None]
    truth = np.einsum("kij,pj->kpi", bent, places) + shifts[:, None]
    fast = truth.reshape(14, -1) - slow_part(truth.reshape(14, -1), 8)
    missed = root(made.reshape(14, -1) - fast)
    assert missed < 0.15
    assert root(fast) > 0.7
    assert found.error_px < 2 * missed + 0.05


def test_curtains_are_taken_and_the_harm_is_told() -> None:
    milled = simulated_slices(4, (256, 256), 1, curtains=0.6, jitter_px=0.5, noise=0.1, grain_px=8.0)
    found = align_slices(as_series(milled.images), **SCALE, curtains=Curtains(24.0), levels="none", slow=3)
    told = found.volume.metadata["aligned_slices"]["curtains"]
    assert 0.3 * root(milled.curtains) < told["taken"] < 1.2 * root(milled.curtains)
    assert told["of_the_specimen"] < 0.5 * told["taken"]


def test_noise_is_refused() -> None:
    noise = np.random.default_rng(1).standard_normal((12, 128, 128)).astype(np.float32)
    with pytest.raises(InputError, match="like none of their neighbours"):
        align_slices(as_series(noise), **SCALE)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"tilt_deg": 5.0}, "tilt of 5"),
        ({"slow": 1.0}, "2 or more"),
        ({"skipped": (99,)}, "slices go from"),
        ({"reference": (0, 0, 500, 40)}, "lie inside"),
        ({"reference": (0, 0, 40, 40), "slow": "drift"}, "leave out slow"),
        ({"slice_m": None}, "distance of slices is not known"),
    ],
)
def test_numbers_that_cannot_be_are_refused(choice: dict, words: str, drifted: SimulatedSlices) -> None:
    with pytest.raises(ParameterError, match=words):
        align_slices(as_series(drifted.images[:4]), **{**SCALE, **choice})


def test_a_folder_of_files_is_read_slice_by_slice(tmp_path: Path, drifted: SimulatedSlices) -> None:
    from PIL import Image as Pillow

    tiffs, pictures = tmp_path / "tiffs", tmp_path / "pictures"
    tiffs.mkdir()
    pictures.mkdir()
    grey = np.clip(60 + 60 * drifted.images[:5], 0, 255).astype(np.uint8)
    for number, plane in enumerate(grey):
        tifffile.imwrite(tiffs / f"slice_{number + (number > 2):03d}.tif", plane)
        Pillow.fromarray(plane).save(pictures / f"s{number}.png")
    assert open_pictures(tiffs) is None
    series = series_of_image(formats.open(tiffs), tiffs)
    assert series.positions() == ((0, 1, 2, 4, 5), "")
    assert np.array_equal(series.plane(3), grey[3])
    of_pictures = open_pictures(pictures)
    assert of_pictures is not None
    assert np.array_equal(of_pictures.plane(4), grey[4])
    part = cropped(of_pictures, slice(None, 150), None)
    assert part.plane(0).shape == (150, 208)
    with pytest.raises(InputError, match="64 or more"):
        cropped(of_pictures, slice(0, 20), None)


def test_a_volume_is_written_and_reads_back_with_its_account(
    tmp_path: Path, aligned: AlignedSlices, drifted: SimulatedSlices
) -> None:
    tifffile.imwrite(tmp_path / "fib.tif", drifted.images[:6], photometric="minisblack")
    series = series_of_image(formats.open(tmp_path / "fib.tif"), tmp_path / "fib.tif")
    found = align_slices(series, **SCALE)
    convert(found.volume, tmp_path / "out.ome.zarr")
    again = formats.open(tmp_path / "out.ome.zarr")
    assert again.voxel_m == pytest.approx((10e-9, 5e-9, 5e-9))
    assert again.metadata["aligned_slices"]["model"] == "translation"
    assert np.array_equal(np.asarray(again[3]), np.asarray(found.volume[3]))
