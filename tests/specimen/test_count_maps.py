"""Maps of counts sorted into phases: against the truth, against the best that can be, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tomarium import formats
from tomarium.cli import execute
from tomarium.errors import InputError, ParameterError
from tomarium.kernels.count_mixture import Mixture, fit_mixture, probabilities
from tomarium.specimen.fusion.count_maps import read_counts, sort_into_phases

MEANS = np.array([[2.0, 1.0, 0.5], [6.0, 24.0, 0.5], [24.0, 3.0, 22.0], [32.0, 2.0, 1.0]])  # fe, si, s
SHARES = np.array([0.1, 0.6, 0.1, 0.2])


def drawn(seed: int, gain: float = 1.0, spread: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw grains of 8 × 8 pixels and their counts; `spread` is relief, that changes the counts of a pixel."""
    draw = np.random.default_rng(seed)
    truth = np.kron(draw.choice(4, (16, 16), p=SHARES), np.ones((8, 8), int))
    relief = np.exp(draw.normal(0, spread, truth.shape)) if spread else 1.0
    counts = draw.poisson(np.moveaxis(gain * MEANS[truth], -1, 0) * relief)
    return truth, counts


def calibration_error(probability: np.ndarray, right: np.ndarray) -> float:
    place = np.minimum((probability * 10).astype(int), 9)
    return float(
        sum(
            abs(probability[place == k].mean() - right[place == k].mean()) * (place == k).mean()
            for k in range(10)
            if (place == k).any()
        )
    )


@pytest.mark.parametrize(("gain", "spread"), [(1.0, 0.0), (0.15, 0.0), (1.0, 0.3)])
def test_it_is_as_good_as_with_the_true_means(gain: float, spread: float) -> None:
    truth, counts = drawn(1, gain, spread)
    x = counts.reshape(3, -1).T.astype(float)
    mixture = fit_mixture(x, 4)
    likely = probabilities(x, mixture)
    best = probabilities(x, Mixture(gain * MEANS, SHARES, 1.0)).argmax(axis=1)
    right = likely.argmax(axis=1) == truth.ravel()
    assert right.mean() >= (best == truth.ravel()).mean() - 0.01
    assert calibration_error(likely.max(axis=1), right) < 0.03
    if not spread:
        assert mixture.means == pytest.approx(gain * MEANS, rel=0.1, abs=0.15)
        assert mixture.dispersion == pytest.approx(1.0, abs=0.1)
    else:
        assert mixture.dispersion > 1.5


def files(folder: Path, counts: np.ndarray) -> list[Path]:
    made = [folder / f"{name}.tif" for name in ("fe", "si", "s")]
    for path, one in zip(made, counts, strict=True):
        tifffile.imwrite(path, one.astype(np.uint16))
    return made


def test_the_command_writes_what_fuse_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, counts = drawn(2)
    maps = [str(one) for one in files(tmp_path, counts)]
    words = ["sort-map", *maps, "--phases", "4", "--pixel", "4 um", "-o", str(tmp_path / "phases.tif")]
    assert execute([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["phases"][2]["mean_counts"] == pytest.approx({"fe": 24, "si": 3, "s": 22}, rel=0.1)
    assert told["method"].startswith("mixture of Poisson")
    made = formats.open(tmp_path / "phases.tif")
    numbers = np.asarray(made)
    assert made.axes[0].scale == pytest.approx(4e-6)
    assert numbers.dtype == np.uint8
    known = numbers > 0
    assert (numbers[known] == truth[known] + 1).mean() > 0.99
    percent = np.asarray(formats.open(tmp_path / "phases-confidence.tif"))
    assert percent[known].min() >= 80
    assert (percent[~known] < 80).all()
    assert json.loads((tmp_path / "phases.json").read_text())["maps"] == ["fe.tif", "si.tif", "s.tif"]
    assert execute(words) == 2
    assert "exists already" in capsys.readouterr().err


def test_sums_help_few_counts(tmp_path: Path) -> None:
    _, counts = drawn(3, gain=0.05)
    maps = read_counts(files(tmp_path, counts), "4 um")
    alone, summed = (sort_into_phases(maps, 4, summed=n, sure=0.8).report["unsure_share"] for n in (1, 3))
    assert summed < 0.5 * alone


def test_what_is_no_map_of_counts_is_refused(tmp_path: Path) -> None:
    _, counts = drawn(4)
    fe, si, s = files(tmp_path, counts)
    tifffile.imwrite(si, counts[1][:80].astype(np.uint16))
    with pytest.raises(InputError, match="same pixels"):
        read_counts([fe, si], "4 um")
    tifffile.imwrite(s, counts[2].astype(np.float32) / 3)
    with pytest.raises(InputError, match="no counts"):
        read_counts([s], "4 um")
    with pytest.raises(ParameterError, match="odd"):
        sort_into_phases(read_counts([fe], "4 um"), 2, summed=2)
