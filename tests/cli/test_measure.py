"""`tomarium measure` of volumes whose noise, blur, rings and resolution are known."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.test_steps import make_scan
from tomarium.cli import execute
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.tiff.volume import write
from tomarium.model import Axis, Volume
from tomarium.pipeline.measure.halves import doubts_of_halves
from tomarium.synth import SimulationConfig, simulate, truth

SIZE, DEPTH, PIXEL = 200, 12, 2e-6


def body(sigma: float = 1.2) -> Any:
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    rise = np.vectorize(math.erf)((60 - np.hypot(x - 4, y + 3)) / (sigma * math.sqrt(2)))
    return np.repeat((1 + rise)[None], DEPTH, 0)


def saved(path: Path, data: Any) -> Path:
    axes = tuple(Axis(name, PIXEL, 0.0, "m") for name in "zyx")
    write(path, Volume(data.astype(np.float32), axes, "1/cm", "body"))
    return path


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert execute(["measure", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_noise_and_blur_are_those_put_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(0)
    path = saved(tmp_path / "v.tif", body() + draw.normal(0, 0.1, (DEPTH, SIZE, SIZE)))
    found = told([str(path)], capsys)
    assert found["noise"] == pytest.approx(0.1, rel=0.03)
    assert found["edges"]["fwhm_px"] == pytest.approx(1.2 * 2.3548, rel=0.03)
    assert found["edges"]["fwhm_m"] == pytest.approx(found["edges"]["fwhm_px"] * PIXEL)
    assert found["unit"] == "1/cm"
    assert found["halves"] is None
    assert execute(["measure", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "edge width" in shown
    assert "█" in shown


def test_rings_are_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(1)
    clean = body() + draw.normal(0, 0.1, (DEPTH, SIZE, SIZE))
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    ring = draw.normal(0, 1, SIZE)[np.rint(np.hypot(x, y)).astype(int)]
    index = [
        told([str(saved(tmp_path / f"{k}.tif", clean + k * 0.05 * ring))], capsys)["ring_index"]
        for k in range(3)
    ]
    assert index[1] > 2 * index[0]
    assert index[2] > 1.5 * index[1]


def test_two_halves_tell_the_resolution(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """White fields blurred by sigma, with noise: they agree up to S / (S + N) = T."""
    draw = np.random.default_rng(2)
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[None])
    blur = np.exp(-2 * (np.pi * 1.2 * frequency) ** 2)
    signal = np.fft.ifft2(np.fft.fft2(draw.normal(size=(DEPTH, SIZE, SIZE))) * blur).real
    one, two = (
        str(saved(tmp_path / f"{k}.tif", signal + draw.normal(0, 0.3, signal.shape))) for k in ("one", "two")
    )
    halves = told([one, "--other", two], capsys)["halves"]
    power = np.exp(-4 * (np.pi * 1.2 * np.asarray(halves["frequency_1_px"])) ** 2)
    crossing = halves["frequency_1_px"][
        int(np.argmax(power / (power + 0.09) < np.asarray(halves["threshold"])))
    ]
    assert halves["resolution_px"] == pytest.approx(1 / crossing, rel=0.03)
    assert halves["resolution_m"] == pytest.approx(halves["resolution_px"] * PIXEL)
    small = str(saved(tmp_path / "small.tif", signal[:5]))
    assert execute(["measure", one, "--other", small]) == 2
    assert "two halves of one shape" in capsys.readouterr().err


def test_a_record_of_half_the_views_beside_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = tmp_path / "disc.h5"
    data_exchange.FORMAT.write(scan, make_scan(angles=90))  # type: ignore[misc]
    for name, keep in (("even", "::2"), ("odd", "1::2")):
        words = ["run", str(scan), "-o", str(tmp_path / name), "--step", "select_views"]
        assert execute([*words, "--set", f"select_views.keep={keep}"]) in (0, 1)
    capsys.readouterr()
    found = told([str(tmp_path / "even"), "--other", str(tmp_path / "odd")], capsys)
    assert found["shape"] == [12, 64, 64]
    assert 2 <= found["halves"]["resolution_px"] < 20
    assert found["halves"]["doubts"] == []
    (tmp_path / "copy").symlink_to(tmp_path / "even" / "volume.ome.zarr")
    for volume, other, said in (
        ("even", "even/volume.ome.zarr", "45 of 45 and 45 views are in both volumes"),
        ("odd", "copy", "nothing tells of which views the two volumes were made"),
    ):
        assert execute(["measure", str(tmp_path / volume), "--other", str(tmp_path / other)]) == 0
        told_text = capsys.readouterr()
        assert said in told_text.err
        assert "half-bit, of two volumes" in told_text.out


def test_runs_tell_whether_two_volumes_are_halves() -> None:
    def run(
        keep: str = "", drop: str = "", *, sha: str = "a", window: str = "hann", axis: float = 1.0
    ) -> Any:
        fbp = {"window": window, "axis_column": axis}
        steps = [{"select_views": {"keep": keep, "drop": drop}}, {"fbp": fbp}]
        return {
            "source": {"name": sha, "fingerprint": {"sha256": sha}, "shape": [9, 2, 3]},
            "frozen": {"steps": steps},
        }

    assert doubts_of_halves(run("::2"), run("1::2", axis=1.2)) == ()
    assert doubts_of_halves(run(drop="1::2"), run("1::2")) == ()
    [shared] = doubts_of_halves(run("::2"), run("0:3"))
    assert shared.startswith("2 of 5 and 3 views are in both")
    [steps] = doubts_of_halves(run("::2"), run("1::2", window="cosine"))
    assert steps.endswith("different steps or values: fbp.window")
    [scans] = doubts_of_halves(run("::2"), run("1::2", sha="b"))
    assert "made of two scans, a and b" in scans


def test_what_is_no_volume_is_asked_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = tmp_path / "disc.h5"
    data_exchange.FORMAT.write(scan, make_scan())  # type: ignore[misc]
    target = str(tmp_path / "made.tif")
    for words in (
        ["measure", str(scan), "--objects"],
        ["measure", str(scan), "--other", str(scan)],
        ["mesh", str(scan)],
        ["print", str(scan)],
        ["segment", str(scan), target],
        ["denoise", str(scan), target],
    ):
        assert execute(words) == 2
        said = capsys.readouterr().err
        assert "was taken for projections (its root holds /exchange/data" in said
        assert "a volume (z, y, x) is needed" in said


def test_a_scan_is_measured_by_its_even_and_odd_views(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """More photons resolve more; the figures are those of the slices that the protocol makes."""
    found = []
    for photons in (300.0, 30_000.0):
        config = SimulationConfig(columns=96, rows=12, views=150, photons=photons, seed=5, flats=10, darks=5)
        path = simulate(tmp_path / f"{photons:g}.h5", config)
        found.append(told([str(path), "--axis", str(truth(config).axis_column)], capsys))
    noisy, clean = found
    assert noisy["halves"]["resolution_px"] > 1.5 * (clean["halves"]["resolution_px"] or 2.0)
    assert noisy["noise"] > 5 * clean["noise"]
    assert clean["shape"] == [len(clean["slices"]), 96, 96]
    assert clean["signal_to_noise"] > noisy["signal_to_noise"]
    assert execute(["measure", str(tmp_path / "300.h5"), "--set", "fbp.window=hann"]) == 0
    assert "half-bit, of two halves of the views" in capsys.readouterr().out
