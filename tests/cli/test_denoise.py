"""`tomarium denoise`: the strength that parts of the views tell is near the best one, which the truth tells."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tomarium as tm
from tomarium.catalogue.make_record import make_record
from tomarium.cli import execute
from tomarium.formats.frames.scan_of_arrays import scan_of_arrays
from tomarium.kernels.denoising import denoise_slice, strengths
from tomarium.kernels.metrics import noise
from tomarium.kernels.phantom import Ellipsoid, line_integrals, voxelise
from tomarium.model import Scan
from tomarium.pipeline.denoise.denoise import tune
from tomarium.pipeline.protocol.read import as_protocol
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

SIZE, VIEWS, ROWS = 96, 160, 2


@pytest.fixture(scope="module")
def body() -> Any:
    """Line integrals of cylinders, and the slice they are of."""
    draw = np.random.default_rng(3)
    parts = [Ellipsoid((0, 0, 0), (1e6, 38, 40), 0.02)]
    for _ in range(12):
        y, x = draw.uniform(-22, 22, 2)
        parts.append(Ellipsoid((0, y, x), (1e6, *draw.uniform(3, 9, 2)), float(draw.uniform(-0.012, 0.015))))
    angles = np.arange(VIEWS) * 180 / VIEWS
    places = np.arange(SIZE) - (SIZE - 1) / 2
    sinogram = line_integrals(parts, angles, np.zeros(1), places)[:, 0]
    truth = voxelise(parts, np.zeros(1), places, places)[0][::-1]
    return angles, sinogram, truth


def scan_of(body: Any, photons: float) -> Scan:
    angles, sinogram, _ = body
    draw = np.random.default_rng(0)
    counts = draw.poisson(photons * np.exp(-np.repeat(sinogram[:, None], ROWS, 1)))
    taken = -np.log(np.maximum(counts, 1) / photons).astype(np.float32)
    return scan_of_arrays(taken, angles, domain="attenuation")


def rmse(image: NDArray[Any], truth: NDArray[Any]) -> float:
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    inside = np.hypot(y, x) < SIZE / 2 - 4
    return float(np.sqrt(np.mean((image - truth)[inside] ** 2)))


@pytest.fixture
def one_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tomarium.pipeline.denoise.denoise.SLICES", 1)


@pytest.mark.usefixtures("one_slice")
@pytest.mark.parametrize(("kind", "photons"), [("gaussian", 1e4), ("tv", 1e3)])
def test_the_strength_is_within_5_percent_of_the_best(body: Any, kind: Any, photons: float) -> None:
    scan, truth = scan_of(body, photons), body[2]
    protocol = as_protocol({"steps": [{"fbp": {"axis_column": (SIZE - 1) / 2}}]}, "attenuation")
    found = tune(scan, protocol, slice(0, ROWS), kinds=(kind,))
    assert found.corrected
    whole = np.asarray(tm.reconstruct(scan, protocol))[0]
    tried = strengths(kind, noise(whole))
    best = min(rmse(denoise_slice(whole, kind, one), truth) for one in tried)
    made = rmse(denoise_slice(whole, kind, found.strength), truth)
    assert made < 1.05 * best
    assert made < (0.7 if kind == "tv" else 0.9) * rmse(whole, truth)


@pytest.mark.usefixtures("one_slice")
def test_a_volume_without_noise_does_not_get_worse(body: Any) -> None:
    scan, truth = scan_of(body, 1e9), body[2]
    protocol = as_protocol({"steps": [{"fbp": {"axis_column": (SIZE - 1) / 2}}]}, "attenuation")
    found = tune(scan, protocol, slice(0, ROWS))
    whole = np.asarray(tm.reconstruct(scan, protocol))[1]
    assert rmse(denoise_slice(whole, found.kind, found.strength), truth) < 1.01 * rmse(whole, truth)


def test_filters_keep_the_mean_and_edges() -> None:
    draw = np.random.default_rng(0)
    step = np.where(np.arange(64) < 32, 0.0, 1e-3) * np.ones((64, 1))
    noisy = step + draw.normal(0, 1e-4, step.shape)
    smooth = denoise_slice(noisy, "gaussian", 1.5)
    kept = denoise_slice(noisy, "tv", 2e-4)
    for made in (smooth, kept):
        assert made.mean() == pytest.approx(noisy.mean(), rel=1e-3)
    assert np.abs(kept - step).mean() < 0.35 * np.abs(noisy - step).mean()
    assert np.abs(kept - step)[:, 31:33].mean() < 0.3 * np.abs(smooth - step)[:, 31:33].mean()
    ndimage = pytest.importorskip("scipy.ndimage")
    np.testing.assert_allclose(smooth, ndimage.gaussian_filter(noisy, 1.5, mode="nearest"), atol=1e-8)
    np.testing.assert_array_equal(denoise_slice(noisy, "tv", 0.0), noisy.astype(np.float32))


@pytest.mark.usefixtures("one_slice")
def test_a_record_is_denoised_from_its_own_scan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = replace(SimulationConfig(), columns=64, rows=6, views=80, photons=2000)
    simulate(tmp_path / "scan.nx", config, to="nxtomo")
    scan = tm.open(tmp_path / "scan.nx")
    assert isinstance(scan, Scan)
    steps = as_protocol("steps: [flat_field, {fbp: {axis_column: 31.5}}]")
    make_record(scan, steps, tmp_path / "record")
    assert execute(["denoise", str(tmp_path / "record"), str(tmp_path / "quiet")]) == 2
    said = capsys.readouterr().err
    assert "give it an ending, such as " in said
    assert " or .tif" in said
    assert "parts" not in said  # nothing was computed before
    assert execute(["denoise", str(tmp_path / "record"), str(tmp_path / "quiet.ome.zarr"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["strength"] > 0
    assert told["gain"] < 0.8
    before, after = tm.open(tmp_path / "record"), tm.open(tmp_path / "quiet.ome.zarr")
    assert after.metadata["denoised"]["filter"] == told["filter"]
    assert after.unit == before.unit  # type: ignore[union-attr]
    expected = denoise_slice(np.asarray(before)[3], told["filter"], told["strength"])
    np.testing.assert_array_equal(np.asarray(after)[3], expected)
    assert execute(["denoise", str(tmp_path / "record"), str(tmp_path / "quiet.ome.zarr")]) == 2
    quiet, other = str(tmp_path / "quiet.ome.zarr"), str(tmp_path / "other.tif")
    assert execute(["denoise", quiet, other]) == 2
    assert "is no record" in capsys.readouterr().err
    assert execute(["denoise", quiet, other, "--method", "gaussian", "--strength", "1"]) == 0
