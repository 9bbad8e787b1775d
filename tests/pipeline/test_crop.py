"""Crops: the box of the object by a quick reconstruction, and centred boxes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import InputError, ParameterError
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.kernels.object_box import object_box
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import Scan
from tomarium.pipeline.protocol.choice import with_parameter
from tomarium.pipeline.protocol.protocol import Protocol, default_protocol, from_steps
from tomarium.pipeline.run import crop
from tomarium.pipeline.run.crop import Crop, centred_crop, find_crop, parse_sizes
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulated

pytest.importorskip("skimage")

SIZE = 96


def ball(shape: tuple[int, ...], centre: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    grid = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radii, strict=True)) <= 1


def noisy(objects: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    return objects + np.random.default_rng(seed).normal(0, noise, objects.shape)


class TestBox:
    def test_holds_the_object_and_little_more(self) -> None:
        for seed in range(4):
            draw = np.random.default_rng(seed)
            truth = ball((60, 80, 80), tuple(draw.uniform(28, 34, 3)), tuple(draw.uniform(14, 24, 3)))
            found = object_box(noisy(truth.astype(float), 0.15, seed))
            parts = tuple(
                slice(math.floor(a), math.ceil(b)) for a, b in zip(found.start, found.stop, strict=True)
            )
            assert truth[parts].sum() >= 0.999 * truth.sum()
            held = np.argwhere(truth)
            least = np.prod(np.ptp(held, axis=0) + 1)
            assert np.prod([b - a for a, b in zip(found.start, found.stop, strict=True)]) <= 1.15 * least

    def test_a_heavy_inclusion_does_not_hide_the_object(self) -> None:
        light = ball((50, 64, 64), (25, 32, 32), (20, 25, 22))
        heavy = ball((50, 64, 64), (25, 30, 32), (6, 6, 6))
        found = object_box(noisy(light + 20.0 * heavy, 0.1))
        assert found.start[1] <= 8
        assert found.stop[1] >= 57
        assert found.threshold < 1

    def test_a_second_grain_is_kept_and_dust_is_told(self) -> None:
        grains = ball((40, 64, 64), (20, 20, 32), (11, 11, 11)) | ball((40, 64, 64), (20, 45, 32), (9, 9, 9))
        assert object_box(noisy(grains.astype(float), 0.05)).stop[1] >= 53
        dust = grains | ball((40, 64, 64), (4, 32, 55), (2.3, 2.3, 2.3))
        found = object_box(noisy(dust.astype(float), 0.02))
        assert found.stop[2] < 50
        assert 0 < found.left_out < 0.02

    def test_noise_alone_is_refused(self) -> None:
        with pytest.raises(InputError, match="no object stands out"):
            object_box(noisy(np.zeros((20, 40, 40)), 1.0))
        with pytest.raises(InputError, match="all voxels are alike"):
            object_box(np.zeros((4, 16, 16)))


@pytest.fixture(scope="module")
def scan() -> Scan:
    """An ellipsoid away from the axis and the middle row, with frames in memory."""
    body = Ellipsoid((5.0, -6.0, 10.0), (33.0, 20.0, 28.0), 0.02)
    made = simulated(
        SimulationConfig(
            columns=SIZE,
            rows=SIZE,
            views=90,
            axis_column=46.3,
            ellipsoids=(body,),
            subrays=1,
            seed=3,
            flats=4,
            darks=4,
            photons=12000.0,
            zingers=0.0,
        )
    )
    assert made.flats is not None
    assert made.darks is not None
    return replace(
        made,
        projections=ArrayFrames(np.asarray(made.projections)),
        flats=replace(made.flats, frames=ArrayFrames(np.asarray(made.flats.frames))),
        darks=replace(made.darks, frames=ArrayFrames(np.asarray(made.darks.frames))),
    )


def box_of(found: Crop) -> tuple[slice, slice, slice]:
    y, x = (slice(*map(int, part.split(":"))) for part in found.region.split(","))
    return found.rows, y, x


@pytest.mark.parametrize("quick", [48, 96])
def test_the_crop_holds_the_object_and_little_more(
    quick: int, scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crop, "QUICK", quick)
    found = find_crop(scan, default_protocol())
    truth = ball((SIZE,) * 3, (47.5 + 5, 47.5 + 6, 47.5 + 10), (33, 20, 28))  # y points down in slices
    box = box_of(found)
    assert truth[box].sum() >= 0.999 * truth.sum()
    least = np.prod(np.ptp(np.argwhere(truth), axis=0) + 1)
    assert truth[box].size <= 1.15 * least * (1.1 if quick == 48 else 1)  # two voxels of 40 are much
    assert not found.warnings


def test_a_crop_is_part_of_the_whole(scan: Scan) -> None:
    protocol = with_parameter(default_protocol(), "fbp.axis_column=46.3")
    found = find_crop(scan, protocol)
    part = tm.reconstruct(scan, with_parameter(protocol, f"fbp.region={found.region}"), rows=found.rows)
    whole = np.asarray(tm.reconstruct(scan, protocol))
    np.testing.assert_allclose(np.asarray(part), whole[box_of(found)], atol=2e-3 * np.ptp(whole))


def test_a_turned_volume_is_cropped_where_it_lies(scan: Scan) -> None:
    """What turns or retrieves the phase of the whole does so in the quick reconstruction."""
    protocol = with_parameter(from_steps(("paganin",), default_protocol()), "fbp.angle_offset_deg=90")
    upright, turned = box_of(find_crop(scan, default_protocol())), box_of(find_crop(scan, protocol))
    middle = [[(part.start + part.stop) / 2 - SIZE / 2 for part in box] for box in (upright, turned)]
    assert abs(middle[1][1]) == pytest.approx(abs(middle[0][2]), abs=3)
    assert abs(middle[1][2]) == pytest.approx(abs(middle[0][1]), abs=3)


def test_centred(scan: Scan) -> None:
    found = centred_crop(scan, default_protocol(), parse_sizes("40,50,31"))
    assert found.rows == slice(28, 68)
    assert found.region == "23:73,32:63"
    with pytest.raises(ParameterError, match="97 voxels along y"):
        centred_crop(scan, default_protocol(), (40, 97, 31))
    with pytest.raises(InputError, match="write auto"):
        parse_sizes("40,50")


def test_a_protocol_without_fbp_is_refused(scan: Scan) -> None:
    with pytest.raises(ParameterError, match="no step fbp"):
        find_crop(scan, Protocol(default_protocol().items[:2]))
