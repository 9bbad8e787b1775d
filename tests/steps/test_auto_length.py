"""The length of Paganin's filter from the views alone: right over ten seeds, stated, or refused with the reason."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

import tomarium as tm
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.filter_length import find_length
from tomarium.kernels.paganin import length_m
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import Scan, Value
from tomarium.pipeline.protocol.protocol import Item, Protocol, from_data
from tomarium.pipeline.protocol.resolve import freeze, resolve
from tomarium.pipeline.run.journal import Journal
from tomarium.pipeline.run.probes import ask_probes
from tomarium.pipeline.run.runner import silent
from tomarium.steps.core.serialization import find_step
from tomarium.steps.probes.find_filter_length import find_filter_length
from tomarium.synth import SimulationConfig, simulated, truth
from tomarium.synth.wave import wave_intensity

CONFIG = SimulationConfig(
    columns=144, rows=32, views=6, axis_column=71.5, pixel_m=1e-6, energy_kev=20.0, delta_beta=100.0, distance_m=0.01,
    propagation="wave", photons=4000.0, dead_pixels=0, hot_pixels=0, zingers=0.0, ring_error=0.0, fixed_pattern=0.0,
    read_noise=0.0, flats=20,
)  # fmt: skip
TRUE_PX = length_m(100.0, 20.0, 0.01) / 1e-6


def sample(seed: int) -> tuple[Ellipsoid, ...]:
    """A stem with three holes."""
    draw = np.random.default_rng(seed)
    body = Ellipsoid((0.0, *draw.uniform(-3, 3, 2)), (1e6, *draw.uniform(28, 36, 2)), 0.006)
    holes = [
        Ellipsoid((0.0, *draw.uniform(-12, 12, 2)), (1e6, *draw.uniform(4, 8, 2)), -0.006) for _ in range(3)
    ]
    return body, *holes


@cache
def views(seed: int, distance_m: float = 0.01, photons: float = 2e4) -> NDArray[np.float32]:
    config = replace(CONFIG, ellipsoids=sample(seed), distance_m=distance_m)
    known = truth(config)
    seen = np.stack([wave_intensity(config, known, view) for view in range(config.views)])
    return (np.random.default_rng(seed).poisson(seen * photons) / photons).astype(np.float32)


def test_it_is_the_length_of_the_sample_over_ten_seeds() -> None:
    found = [find_length(views(seed)) for seed in range(10)]
    ratios = np.array([one.length_px for one in found]) / TRUE_PX
    assert abs(np.median(ratios) - 1) < 0.03
    assert abs(ratios - 1).max() < 0.06
    sure = [one.confidence == "high" for one in found]
    assert np.mean(sure) > 0.5
    assert abs(ratios[sure] - 1).max() < 0.05


def test_zingers_and_a_wrong_level_of_light_hardly_move_it() -> None:
    plain = find_length(views(0)).length_px
    hit = views(0).copy()
    hit[[0, 3, 5], [5, 20, 10], [20, 120, 60]] += 0.5  # 1e-4 of the pixels
    assert find_length(hit).length_px == pytest.approx(plain, rel=0.1)
    assert find_length(views(0) * np.float32(1.01)).length_px == pytest.approx(plain, rel=0.05)


def test_what_the_views_do_not_tell_is_refused() -> None:
    with pytest.raises(InputError, match=r"do not tell the length .*no propagation.*Give paganin.delta_beta"):
        find_length(views(0, distance_m=0.0))
    with pytest.raises(InputError, match=r"\d columns of air are seen beside the sample"):
        find_length(views(0)[:, :, 42:-42])
    for seed in range(3):
        with pytest.raises(InputError, match="do not tell the length"):
            find_length(views(seed, photons=30.0))
    with pytest.raises(InputError, match="fringes are left by all filters up to"):
        find_length(views(0, distance_m=0.15))
    with pytest.raises(InputError, match="give 3 views"):
        find_length(views(0)[:2])


@cache
def scan() -> Scan:
    return simulated(replace(CONFIG, ellipsoids=sample(1))).with_geometry(
        axis_column=Value(71.5, "user", "test")
    )


def protocol(**values: object) -> Protocol:
    steps = [{"flat_field": {"log": False}}, {"paganin": values}, "minus_log"]
    return from_data({"steps": steps}, "test")


def test_a_run_asks_for_it_and_states_it() -> None:
    chosen = protocol(length_px="auto")
    planned = resolve(chosen, scan())
    assert [item.step.name for item in planned.items][1:3] == ["find_filter_length", "paganin"]
    assert planned.work[1].awaits == ("length_px",)
    answers = ask_probes(scan(), chosen, Journal(None, {}), silent)
    done = resolve(chosen, scan(), answers).work[1].values
    assert done["length_px"].value == pytest.approx(TRUE_PX, rel=0.06)
    assert (
        done["length_px"].source
        == f"probe find_filter_length, confidence {answers['find_filter_length']['confidence']}"
    )
    assert done["delta_beta"].value == pytest.approx(100, rel=0.12)
    again = resolve(freeze(resolve(chosen, scan(), answers)), scan())
    assert not again.probes
    assert again.work[1].plain == {name: value.value for name, value in done.items()}
    automatic, told = (
        np.asarray(
            tm.reconstruct(scan(), Protocol((*protocol(length_px=length).items, Item(find_step("fbp")))))
        )
        for length in ("auto", done["length_px"].value)
    )
    np.testing.assert_array_equal(automatic, told)


def test_it_needs_neither_energy_nor_distance_and_no_second_ratio() -> None:
    unknown = scan().with_geometry(energy_kev=None, distance_m=None)
    answers = ask_probes(unknown, protocol(length_px="auto"), Journal(None, {}), silent)
    values = resolve(protocol(length_px="auto"), unknown, answers).work[1].values
    assert values["length_px"].value == pytest.approx(TRUE_PX, rel=0.06)
    assert values["delta_beta"].value is None
    with pytest.raises(ParameterError, match=r"length_px is auto and paganin.delta_beta is given too"):
        resolve(protocol(length_px="auto", delta_beta=100.0), scan())
    with pytest.raises(ParameterError, match="'automatic' is not allowed"):
        protocol(length_px="automatic")
    attenuation = replace(unknown, domain="attenuation")
    with pytest.raises(InputError, match="holds attenuation"):
        find_filter_length(attenuation)
