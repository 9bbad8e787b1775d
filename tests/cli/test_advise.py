"""`tomarium advise`: the seed's cases, what is missing, and what is wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.test_steps import make_scan
from tomarium.cli import execute
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import Value
from tomarium.pipeline.advice.acquisition import acquisition


def told(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> Any:
    assert execute(["advise", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def values(topic: Any) -> dict[str, Any]:
    return {name: line["value"] for name, line in topic["values"].items()}


def test_a_standard_scan(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--columns", "2048", "--rows", "2048", "--views", "2000", "--span", "180 deg", "--scans", "8"]
    advice = told(words, capsys)
    disk, views = values(advice["disk"]), values(advice["views"])
    assert disk["scan_bytes"] / 2**30 == pytest.approx(48, abs=0.5)
    assert disk["total_bytes"] == 8 * disk["scan_bytes"]
    assert disk["transfer_h"] == pytest.approx(
        [8 * 51.137e9 / speed / 3600 for speed in (100e6, 40e6)], rel=1e-4
    )
    assert (views["views_in_full"], views["views_in_practice"]) == (3217, 2048)
    assert advice["phase"]["missing"] == ["--energy", "--distance", "--pixel", "--delta-beta or --material"]
    assert not advice["transmission"]["values"]
    assert "pixel_m" not in advice["known"]
    assert {line["unit"] for line in advice["disk"]["values"].values()} == {"B", "h"}


def test_an_extended_field(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--columns", "3000", "--rows", "2400", "--views", "8000", "--span", "360 deg", "--extended"]
    advice = told([*words, "--width", "5600"], capsys, 1)
    disk = values(advice["disk"])
    assert disk["raw_bytes"] == 115_200_000_000
    assert disk["volume_bytes"] == 301_056_000_000
    assert "undersampled: 8000 views over 360° where 11200" in advice["views"]["warnings"][0]
    standard = values(told(["--columns", "3000", "--rows", "2400"], capsys)["disk"])
    extended = values(told(["--columns", "3000", "--rows", "2400", "--extended"], capsys)["disk"])
    assert extended["scan_bytes"] == 4 * standard["scan_bytes"]


def test_hours_and_a_disk_that_falls_behind(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--columns", "2048", "--rows", "2048", "--scans", "24", "--scan-time", "20 min"]
    rule = values(told(words, capsys)["disk"])
    assert rule["rule_bytes"] == 24 * 6 * 2048**3  # equation 4.1 of the guide
    assert rule["rule_bytes"] == rule["total_bytes"]  # as many views as columns
    assert rule["scans_h"] == pytest.approx(8)
    slow = told([*words, "--methods", "2", "--disk-speed", "50 MB/s"], capsys, 1)["disk"]
    disk = values(slow)
    assert disk["total_bytes"] == 24 * (2 + 2 * 4) * 2048**3
    assert disk["copy_h"] == pytest.approx(24 * 10 * 2048**3 / 50e6 / 3600)
    assert disk["behind_h"] == pytest.approx(disk["copy_h"] - 8)
    assert slow["warnings"][0].startswith(
        f"your disk falls behind by {disk['behind_h']:.3g} h: data come at 71.6 MB/s"
    )
    assert "behind_h" not in values(told([*words, "--disk-speed", "50 MB/s"], capsys)["disk"])
    assert execute(["advise", "--columns", "8", "--rows", "8", "--disk-speed", "0 MB/s"]) == 2


def test_phase_exposure_and_transmission(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--pixel", "0.65 um", "--energy", "25 keV", "--distance", "10 cm", "--delta-beta", "500"]
    phase = values(told(words, capsys, 1)["phase"])
    assert phase["paganin_length_px"] == pytest.approx(136, abs=0.5)  # of methods measured with it
    assert phase["fresnel_number"] == pytest.approx(0.65e-6**2 / (1.239841984e-9 / 25 * 0.1))
    back = told([*words[:-2], "--length-px", str(phase["paganin_length_px"])], capsys, 1)["phase"]
    assert values(back)["delta_beta_of_length"] == pytest.approx(500)
    assert back["missing"] == []
    words = ["--columns", "2048", "--exposure", "50 ms", "--speed", "3.6 deg/s"]
    exposure = values(told(words, capsys, 1)["exposure"])
    assert exposure["blur_px"] == pytest.approx(1024 * np.radians(0.18))
    assert exposure["fastest_deg_s"] == pytest.approx(3.6 / exposure["blur_px"])
    words = ["--material", "H2O 1.0", "--sample", "2 cm", "--energy", "20 keV"]
    through = told(words, capsys)["transmission"]
    assert values(through)["transmission"] == pytest.approx(np.exp(-0.8096 * 2), rel=0.02)
    [[low, high]] = values(through)["good_energies_kev"]
    assert 17 < low < 18
    assert high == pytest.approx(
        20.05, rel=0.005
    )  # µ of NIST is 0.8096 / cm at 20 keV, -ln 0.2 / 2 is 0.8047


def test_a_scan_is_read_and_options_go_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "disc.h5"
    data_exchange.FORMAT.write(path, make_scan(angles=90).with_geometry(axis_column=None))  # type: ignore[misc]
    advice = told([str(path), "--sample", "30 um", "--distance", "1 cm"], capsys)
    assert advice["known"]["pixel_m"]["origin"] == "read"
    assert advice["known"]["span_deg"]["value"] == 180
    views = values(advice["views"])
    assert views["sample_px"] == pytest.approx(30)
    assert views["views_there"] == 90
    assert "oversampled" in advice["views"]["values"]["sampling"]["why"]
    assert values(advice["disk"])["raw_bytes"] == 2 * 64 * 12 * (90 + 10 + 10)
    advice = told([str(path), "--pixel", "2 um", "--views", "30"], capsys, 1)
    assert (advice["known"]["pixel_m"]["value"], advice["known"]["pixel_m"]["origin"]) == (2e-6, "user")
    assert "undersampled" in advice["views"]["warnings"][0]


def test_spans_and_extended_fields_of_scans() -> None:
    scan = make_scan(angles=90)

    def known(angles_deg: Any, axis_column: float | None = None) -> Any:
        geometry = {"angles_deg": Value(np.asarray(angles_deg), "user", "test")}
        if axis_column is not None:
            geometry["axis_column"] = Value(axis_column, "user", "test")  # type: ignore[assignment]
        found = acquisition({}, scan.with_geometry(**geometry))
        return None if found.span_deg is None else found.span_deg.value, found.is_extended

    assert known(np.linspace(0, 180, 90)) == (180, False)
    assert known(np.linspace(0, 360, 90, endpoint=False), 5.0) == (360, True)
    assert known(np.linspace(0, 360, 90, endpoint=False), 31.5) == (360, False)
    assert known(np.linspace(0, 180, 90, endpoint=False), 5.0) == (180, False)
    assert known(np.arange(90) * 1.0)[0] == pytest.approx(90)
    assert known(np.arange(90) * 137.5)[0] is None
    assert acquisition({}, replace(scan)).scans is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sample", "1.3"], "has no unit"),
        (["--columns", "0"], "0 is not in the range"),
        (["--pixel", "0.65 m"], "which no scan has"),
        (["--material", "SiO2"], "has no density"),
        (["--material", "H2O 1.0", "--energy", "900 keV"], "the tables reach from 0.1 to 800 keV"),
        (["--axis", "3"], "--axis tells how a SCAN is opened"),
        (["--sample", "-1 mm"], "give a finite number above 0"),
    ],
)
def test_what_cannot_be_is_asked_back(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["advise", *words]) == 2
    assert message in capsys.readouterr().err


def test_without_any_number_it_says_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["advise"]) == 0
    assert "for more, give --columns" in capsys.readouterr().out
