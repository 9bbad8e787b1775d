"""Vendors' files: what they are is known without the extra, what they hold with it (GPL, so not in development)."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tomarium as tm
from tomarium.errors import FormatError, ParameterError, TomariumError
from tomarium.formats import recognise
from tomarium.formats.microscopy.axes import axis_of, in_base_units, plain
from tomarium.formats.microscopy.reader import LazyData, _names
from tomarium.model import Axis, Image

Find = Callable[[str], Path]
# rosettasciio leaves some files to the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
KINDS = {
    "EDS_spectrum.dm3": "Gatan DM3",
    "EELS_SI.dm4": "Gatan DM4",
    "Hitachi_TM3030Plus.bcf": "Bruker composite file",
    "tia/16x16-diffraction_imagel_5x5x256x256_EDS.emi": "FEI TIA header",
    "tia/16x16-diffraction_imagel_5x5x256x256_EDS_1.ser": "FEI TIA series",
    "olympus_SIS.tif": "Olympus SIS TIFF",
}
NM = 1.873900423719105e-09


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.split(".")[0] == "rsciio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rsciio", None)


@pytest.fixture
def emd(shared: Find, tmp_path: Path) -> Path:
    with zipfile.ZipFile(shared("microscopy/velox_EELS_EDS.zip")) as archive:
        return Path(archive.extract("example_velox_EELS_EDS.emd", tmp_path))


@pytest.mark.usefixtures("without_the_extra")
@pytest.mark.parametrize("name", KINDS)
def test_without_the_extra_it_is_named_with_what_to_install(shared: Find, name: str) -> None:
    path = shared(f"microscopy/{name}")
    form, match = recognise(path)[0]
    assert (form.name, match.dialect) == ("microscopy", KINDS[name])
    assert match.score > 0.9
    with pytest.raises(FormatError, match=r"rosettasciio .*pip install 'tomarium\[microscopy\]'") as caught:
        tm.open(path)
    assert KINDS[name] in str(caught.value)


@pytest.mark.usefixtures("without_the_extra")
def test_velox_without_the_extra(emd: Path) -> None:
    with pytest.raises(FormatError, match="Thermo Fisher Velox EMD"):
        tm.open(emd)


def test_what_no_reader_opens_is_refused_with_its_reason(shared: Find) -> None:
    with pytest.raises(FormatError, match=r"a zip archive \(unpack it, and give the file in it\)"):
        tm.open(shared("microscopy/velox_EELS_EDS.zip"))


def test_a_cut_bruker_file_is_refused_before_it_is_read(shared: Find, tmp_path: Path) -> None:
    whole = shared("microscopy/Hitachi_TM3030Plus.bcf").read_bytes()
    for length in (100, 1000, 300_000, len(whole) - 1):
        (tmp_path / "x.bcf").write_bytes(whole[:length])
        with pytest.raises(FormatError, match=f"of which {length} are there; copy it again"):
            tm.open(tmp_path / "x.bcf")


EXPECTED: list[tuple[str, str | None, tuple[int, ...], list[Axis]]] = [
    ("EDS_spectrum.dm3", None, (4096,), [Axis("x", 0.005, -0.478, "keV")]),
    (
        "EELS_SI.dm4", None, (2048, 2, 2),
        [Axis("Energy loss", 0.001, 0.3, "keV"), *[Axis(name, 1.9920736085623503e-9, 0.0, "m") for name in "yx"]],
    ),
    ("Hitachi_TM3030Plus.bcf", "SEM", (240, 320), [Axis("y"), Axis("x")]),
    (
        "Hitachi_TM3030Plus.bcf", "EDX", (240, 320, 2048),
        [Axis("y"), Axis("x"), Axis("Energy", 0.01, -0.4746, "keV")],
    ),
    (
        "tia/16x16-diffraction_imagel_5x5x256x256_EDS_1.ser", None, (5, 5, 4000),
        [Axis("y", -NM, 3.08872947947565e-9, "m"), Axis("x", NM, -2.72868518806114e-9, "m"),
         Axis("Energy", 0.005, 0.0, "keV")],
    ),
    ("olympus_SIS.tif", "image 1", (101, 112, 3), [Axis("y"), Axis("x"), Axis("colour", unit="")]),
    ("olympus_SIS.tif", "image 2", (101, 112), [Axis("y", 2.3928e-11, 0.0, "m"), Axis("x", 2.3928e-11, 0.0, "m")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "entry", "shape", "axes"), EXPECTED)
def test_images_and_their_axes(
    shared: Find, name: str, entry: str | None, shape: tuple[int, ...], axes: list[Axis]
) -> None:
    pytest.importorskip("rsciio")
    image = tm.open(shared(f"microscopy/{name}"), entry=entry)
    assert isinstance(image, Image)
    assert image.shape == shape
    assert [(axis.name, axis.unit) for axis in image.axes] == [(axis.name, axis.unit) for axis in axes]
    for found, wanted in zip(image.axes, axes, strict=True):
        assert (found.scale, found.offset) == pytest.approx(
            (wanted.scale, wanted.offset), rel=1e-6, abs=1e-18
        )
    whole = image[:]
    assert whole.shape == shape
    assert whole.dtype == image.dtype
    np.testing.assert_array_equal(image[1:2], whole[1:2])
    assert bool(image.metadata.get("uncalibrated")) == any(axis.unit == "px" for axis in axes)
    assert image.metadata["/original_metadata"]
    json.dumps(dict(image.metadata), allow_nan=False)


def test_a_map_lies_where_its_series_says(shared: Find) -> None:
    """The centre of each pixel, half a step from its edge, is the position stored for it."""
    pytest.importorskip("rsciio")
    image = tm.open(shared("microscopy/tia/16x16-diffraction_imagel_5x5x256x256_EDS_1.ser"))
    stored = image.metadata["/original_metadata"]["ser_header_parameters"]
    y, x = image.axes[:2]
    centres_x = [x.offset + (i + 0.5) * x.scale for i in range(5)]
    centres_y = [y.offset + (i + 0.5) * y.scale for i in range(5)]
    np.testing.assert_allclose(np.reshape(stored["PositionX"], (5, 5))[0], centres_x, rtol=1e-6)
    np.testing.assert_allclose(np.reshape(stored["PositionY"], (5, 5))[:, 0], centres_y, rtol=1e-6)


def test_a_scale_of_the_user(shared: Find) -> None:
    pytest.importorskip("rsciio")
    image = tm.open(shared("microscopy/Hitachi_TM3030Plus.bcf"), entry="EDX", pixel_m=1e-6)
    assert [axis.unit for axis in image.axes] == ["m", "m", "keV"]
    assert image.axes[0].scale == 1e-6
    assert image.metadata["calibration"]["origin"] == "user"
    assert "uncalibrated" not in image.metadata
    with pytest.raises(ParameterError, match="none of its axes is a length"):
        tm.open(shared("microscopy/EDS_spectrum.dm3"), pixel_m=1e-6)
    with pytest.raises(ParameterError, match="it holds SEM, EDX"):
        tm.open(shared("microscopy/Hitachi_TM3030Plus.bcf"), entry="BSE")


def test_velox_holds_many_images_and_stays_open_to_others(emd: Path) -> None:
    pytest.importorskip("rsciio")
    pytest.importorskip("sparse")
    entries = recognise(emd)[0][1].entries
    assert len(entries) == len(set(entries)) == 18
    assert {"Fe-EELS", "O", "EELS"} <= set(entries)
    image = tm.open(emd, entry="Fe")
    again = tm.open(emd, entry="O")  # while the first is open
    assert image.shape == again.shape
    assert image[:].shape == image.shape


def test_damage_ends_in_words(shared: Find, tmp_path: Path) -> None:
    pytest.importorskip("rsciio")
    rng = np.random.default_rng(4)
    refused = 0
    for name in ("EDS_spectrum.dm3", "tia/16x16-diffraction_imagel_5x5x256x256_EDS_1.ser"):
        whole = shared(f"microscopy/{name}").read_bytes()
        path = tmp_path / Path(name).name
        for trial in range(30):
            damaged = bytearray(whole)
            if trial % 2:
                del damaged[int(rng.integers(0, len(whole))) :]
            else:
                for place in rng.integers(16, 4000, 3):
                    damaged[place] ^= int(rng.integers(1, 256))
            path.write_bytes(damaged)
            try:
                np.asarray(tm.open(path)[:])
            except TomariumError as problem:
                refused += str(path) in str(problem)
    assert refused > 20


def test_a_spectrum_cut_anywhere_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rsciio")
    head = "#FORMAT      : EMSA/MAS Spectral Data File\n#NPOINTS     : 3.0\n#DATATYPE    : Y\n#XPERCHAN    : 0.01\n"
    text = f"{head}#OFFSET      : -0.2\n#SPECTRUM    : Here\n1.0\n4.0\n9.5\n#ENDOFDATA   : End\n"
    path = tmp_path / "spectrum.msa"
    for end in range(1, len(text)):
        path.write_text(text[:end])
        os.utime(path, (10**9 + 2 * end,) * 2)  # at rest
        try:
            whole = np.asarray(tm.open(path)[:])
        except TomariumError:
            continue
        assert end >= text.index("9.5\n") + 4
        np.testing.assert_array_equal(whole, [1, 4, 9.5])
    path.write_text(text.replace("#ENDOFDATA", "#END").replace("3.0", "4.0"))
    with pytest.raises(FormatError, match="has 3 of the 4 points"):
        tm.open(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("told", "axis"),
    [
        ({"name": "width", "units": "nm", "scale": -299.0, "offset": 10.0}, Axis("x", -2.99e-7, 1e-8, "m")),
        ({"name": "y", "units": "µm", "scale": 0.771e-3}, Axis("y", 0.771e-9, 0.0, "m")),
        ({"name": "Energy", "units": "eV", "scale": 5, "offset": 0.0}, Axis("Energy", 0.005, 0.0, "keV")),
        ({"name": "kx", "units": "1/nm", "scale": 2.0}, Axis("kx", 2e9, 0.0, "1/m")),
        ({"name": "t", "units": "ms", "scale": 2.0}, Axis("t", 0.002, 0.0, "s")),
        ({"name": "Intensity", "units": "counts", "scale": 2.0}, Axis("Intensity", 2.0, 0.0, "counts")),
        ({"name": "theta", "units": "mrad", "scale": 1000.0}, Axis("theta", 57.29577951308232, 0.0, "deg")),
        ({"units": "<undefined>"}, Axis("axis_3")),
        ({"name": "channel", "scale": 2.0}, Axis("channel", 2.0, 0.0, "")),
        (
            {"name": "Wavelength", "units": "nm", "axis": np.array([400.0, 410.0, 430.0])},
            Axis("Wavelength", 1.5e-8, 4e-7, "m", (4e-7, 4.1e-7, 4.3e-7)),
        ),
    ],
)
def test_axes_in_base_units(told: dict[str, Any], axis: Axis) -> None:
    found = axis_of(told, 3)
    assert (found.name, found.unit) == (axis.name, axis.unit)
    assert (found.scale, found.offset) == pytest.approx((axis.scale, axis.offset), rel=1e-12)
    assert found.coordinates == pytest.approx(axis.coordinates, rel=1e-12)


def test_a_unit_of_another_kind_stays() -> None:
    assert in_base_units("furlong/fortnight") == ("furlong/fortnight", 1.0)


def test_metadata_become_json() -> None:
    told = {
        1: np.float32(0.5),
        "b": b"\xb5m",
        "t": b"um",
        "n": np.array([[1, 2]]),
        "x": float("nan"),
        "s": {"a"},
    }
    assert plain(told) == {
        "1": 0.5,
        "b": {"base64": "tW0="},
        "t": "um",
        "n": [[1, 2]],
        "x": "nan",
        "s": ["a"],
    }


def test_titles_that_repeat_are_numbered() -> None:
    titles = ["EDS", "EDS", "", "EDS"]
    found = [{"metadata": {"General": {"title": title}}} for title in titles]
    assert _names(found) == ("EDS", "EDS #2", "image 3", "EDS #3")


def test_colours_are_the_last_axis(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    pixels["G"] = 7
    data = LazyData(tmp_path, pixels)
    assert (data.shape, data.dtype) == ((2, 3, 3), np.uint8)
    assert data[0, 0].tolist() == [0, 7, 0]
    with pytest.raises(IndexError):
        LazyData(tmp_path, np.zeros((2, 2)))[5]
