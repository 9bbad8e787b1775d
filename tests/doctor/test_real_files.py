"""Real scans: what is wrong with each of them was looked up by hand, and the doctor must say it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tomarium.doctor import examine_path

# file → verdict, findings it must have, findings it must not have.
REAL = {
    # A phantom of a tooth at a sixth of the angles, two rows; its flats agree and its axis lies at column 296.
    "dx/tooth.h5": (
        "warnings",
        {("projections-against-width", "warning"), ("calibration-absent", "warning")},
        {"axis-far-off", "flats-moved", "transmission-of-sample", "dead-pixels", "hot-pixels", "zingers"},
    ),
    # All frames hold one value; 6401 angles are told beside 11 frames.
    "dx/7bm_meta_mock.h5": (
        "errors",
        {("frames-blank", "error"), ("reader-warned", "warning"), ("angles-range", "warning")},
        {"quantity-absurd", "frames-never-written"},
    ),
    "dx/DataExchange-example5.h5": (
        "errors",
        {("frames-blank", "error"), ("reader-mended", "info"), ("units-wrong", "warning")},
        {"exchange-lengths", "exchange-implements"},
    ),
    "dx/reader.h5": ("errors", {("angles-assumed", "warning"), ("references-absent", "warning")}, set()),
    # 3001 projections of 22 × 26 px, a thin sample; two of the files it points to were not published.
    "nexus/k11_diad/k11-18014.nxs": (
        "warnings",
        {("sources-missing", "warning"), ("exposures-against-scan-time", "info")},
        {"hot-pixels", "flats-moved", "axis-far-off", "projections-against-width", "angles-gaps"},
    ),
    "nexus/i12_360scan_112482.nxs": ("errors", {("sources-missing", "error")}, {"angles-range", "angles-gaps"}),
    # UUIDs for lengths, -1 for the ring's current and energy; no frames beside it.
    "nexus/savu_24888.nxs": ("errors", {("sources-missing", "error"), ("placeholders", "warning")}, {"angles-range"}),
    # 91 projections from -88.2° to 91.8°; 111 angles are told.
    "tiff/savu_image_test": (
        "warnings",
        {("projections-against-width", "warning"), ("reader-mended", "info")},
        {"angles-repeated", "angles-range", "frames-repeated", "axis-far-off"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_the_findings_are_the_right_ones(name: str, shared: Callable[[str], Path]) -> None:
    verdict, wanted, unwanted = REAL[name]
    report = examine_path(shared(name))
    codes = {(finding.code, finding.severity) for finding in report.findings}
    assert report.verdict == verdict
    assert wanted <= codes
    assert not unwanted & {code for code, _ in codes}


@pytest.mark.parametrize(
    "name", ["catalogue/scicat/Dataset.json", "README.md", "microscopy/velox_EELS_EDS.zip"]
)
def test_what_is_no_scan_is_said_to_be_none(name: str, shared: Callable[[str], Path]) -> None:
    report = examine_path(shared(name))
    assert report.exit_code == 2
    assert [finding.code for finding in report.findings] == ["unreadable"]
