"""A simulated scan: its truth can be found again."""

from pathlib import Path

import numpy as np
import pytest

from tomarium import registry
from tomarium.errors import ParameterError
from tomarium.formats.format import Format
from tomarium.kernels.axis import find, sampled_rows
from tomarium.kernels.phantom import Ellipsoid
from tomarium.model import FrameKind, Scan
from tomarium.synth import SimulationConfig, simulate, simulated, truth
from tomarium.synth.frames import SimulatedFrames, transmission


def attenuation(scan: Scan, rows: np.ndarray) -> np.ndarray:
    def read(frames) -> np.ndarray:  # type: ignore[no-untyped-def]
        return frames.read(slice(None), slice(None))[:, rows].astype(np.float64)

    assert scan.flats is not None
    assert scan.darks is not None
    dark, flat = read(scan.darks.frames).mean(axis=0), np.median(read(scan.flats.frames), axis=0)
    light = np.maximum(flat - dark, 1)
    return -np.log(np.maximum((read(scan.projections) - dark) / light, 1e-3)).astype(np.float32)


@pytest.mark.parametrize(
    "config",
    [
        SimulationConfig(columns=192, rows=48, views=240, seed=1),
        SimulationConfig(columns=192, rows=48, views=240, seed=2, axis_column=121.4),
        SimulationConfig(columns=192, rows=48, views=200, seed=3, span_deg=360.0, start_deg=-35.0),
        SimulationConfig(columns=192, rows=48, views=360, seed=4, span_deg=360.0, axis_column=172.3),
        SimulationConfig(columns=192, rows=48, views=240, seed=5, photons=300.0),
    ],
    ids=["plain", "off the middle", "full turn", "half acquisition", "few photons"],
)
def test_the_axis_of_a_scan_is_found(config: SimulationConfig) -> None:
    scan = simulated(config)
    rows = sampled_rows(config.rows)
    estimate = find(attenuation(scan, rows), scan.angles_deg.value)
    assert estimate.column == pytest.approx(truth(config).axis_column, abs=0.1)
    assert estimate.confidence in ("high", "medium")
    assert estimate.scan_type == ("half" if config.seed == 4 else f"{config.span_deg:.0f}")


def test_a_disc_is_reconstructed_to_its_attenuation() -> None:
    """Filtered back-projection of noiseless transmission: what the generator says is what there is."""
    mu, size, views = 0.004, 160, 256
    ball = Ellipsoid((0.0, 5.0, -8.0), (500.0, 50.0, 50.0), mu)
    config = SimulationConfig(columns=size, rows=4, views=views, ellipsoids=(ball,), axis_column=77.3)
    known = truth(config)
    sinogram = np.stack([-np.log(transmission(config, known, view)[2]) for view in range(views)])
    length = 4 * size
    kernel = np.zeros(length)  # Kak & Slaney eq. 3.29
    kernel[0] = 0.25
    odd = np.arange(1, size, 2)
    kernel[odd] = kernel[-odd] = -1 / (np.pi * odd) ** 2
    filtered = np.fft.irfft(np.fft.rfft(sinogram, length) * np.fft.rfft(kernel).real, length)[:, :size]
    y, x = np.mgrid[-12:13, -12:13] + np.array([5.0, -8.0])[:, None, None]
    image = np.zeros_like(x)
    for view, angle in zip(filtered, np.radians(known.angles_deg), strict=True):
        image += np.interp(77.3 + x * np.cos(angle) + y * np.sin(angle), np.arange(size), view)
    # The ball is 1000 px tall and 4 px are seen: its middle rows are those of a disc.
    assert (image * np.pi / views).mean() == pytest.approx(mu, rel=2e-3)


def test_a_scan_says_its_units_and_hides_its_axis() -> None:
    config = SimulationConfig(columns=32, rows=8, views=12, flats=2, darks=3)
    scan = simulated(config)
    assert scan.shape == (12, 8, 32)
    assert scan.pixel_m is not None
    assert scan.pixel_m.value == config.pixel_m
    assert scan.axis_column is None
    assert scan.counts == {FrameKind.DARK: 3, FrameKind.FLAT: 4, FrameKind.PROJECTION: 12}
    assert scan.flats is not None
    np.testing.assert_array_equal(scan.flats.position, [-2, -1, 12, 13])
    assert scan.darks is not None
    assert np.all(scan.darks.position < scan.flats.position[0])
    assert scan.projections.cost(12, slice(None)) == (0, 0)


def test_truth_is_the_same_for_the_same_configuration() -> None:
    config = SimulationConfig(columns=64, rows=16, views=10, seed=8)
    first, second = truth(config).entries(), truth(config).entries()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])
    per_cm = truth(config).ellipsoids[0].attenuation / (100 * config.pixel_m)
    assert np.asarray(first["attenuation_per_cm"])[0] == pytest.approx(per_cm)


@pytest.mark.parametrize("to", ["data-exchange", "nxtomo"])
def test_a_file_holds_frames_units_and_truth(to: str, tmp_path: Path) -> None:
    import h5py

    form = registry.collect("formats", Format).get(to)
    if form is None or form.write is None:
        pytest.skip(f"no format here writes {to}")
    config = SimulationConfig(columns=40, rows=10, views=24, flats=3, darks=2, seed=6)
    seen: list[tuple[int, int]] = []
    path = simulate(tmp_path / "scan.h5", config, to=to, on_progress=lambda *done: seen.append(done))
    assert seen[-1] == (32, 32)
    match = form.detect(path)
    assert match is not None
    scan = form.read(path, match)
    assert isinstance(scan, Scan)
    expected = SimulatedFrames(config, truth(config), FrameKind.PROJECTION).read(slice(None), slice(None))
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), expected)
    assert scan.pixel_m is not None
    assert scan.pixel_m.value == pytest.approx(config.pixel_m)
    np.testing.assert_allclose(scan.angles_deg.value, truth(config).angles_deg)
    with h5py.File(path) as file:
        assert file["truth/axis_column"][()] == pytest.approx(truth(config).axis_column)
        assert file["truth/ellipsoids"].shape[1] == 10


def test_a_format_that_does_not_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="formats that write"):
        simulate(tmp_path / "x", SimulationConfig(columns=16, rows=4, views=4), to="stone tablet")
