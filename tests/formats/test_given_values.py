"""What a user tells of a scan when it is opened: numbers with units, one number a view, and what the frames hold."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

import tomarium as tm
from contracts.test_formats import example_scan
from tomarium.conversion.compare import compare
from tomarium.conversion.convert import convert
from tomarium.errors import FormatError, ParameterError, UnitError
from tomarium.formats import formats
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.formats.opening.summary import describe
from tomarium.model import Geometry, Scan, Value
from tomarium.model.geometry import BY_NAME, FIELDS, user_value
from tomarium.pipeline.run.provenance import given_by_user, source_data

COUNT = example_scan().shape[0]
SHIFTS = np.linspace(-1.5, 2.25, COUNT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    data_exchange.FORMAT.write(tmp_path / "scan.h5", example_scan())  # type: ignore[misc]
    return tmp_path / "scan.h5"


def opened(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def told_scan(path: Path) -> Scan:
    """A scan of which everything is known, as a file tells it."""
    scan = opened(path)
    values = {
        "axis_roll_deg": 0.3,
        "axis_tilt_deg": -0.1,
        "shift_columns_px": SHIFTS,
        "shift_rows_px": -2 * SHIFTS,
    }
    return replace(
        scan.with_geometry(**{name: Value(value, "read", "the test") for name, value in values.items()}),
        domain="transmission",
    )


def test_open_takes_every_field_of_the_table() -> None:
    assert {field.name for field in FIELDS} <= set(inspect.signature(tm.open).parameters)
    assert {field.name for field in FIELDS} | {"motors"} == set(Geometry.__dataclass_fields__)


@pytest.mark.parametrize(
    ("name", "text", "number"),
    [
        ("pixel_m", "0.65 um", 6.5e-7),
        ("energy_kev", "30000 eV", 30.0),
        ("distance_m", "12 cm", 0.12),
        ("axis_column", "3.25", 3.25),
        ("axis_column", "3.25 px", 3.25),
        ("axis_roll_deg", "0.2", 0.2),
        ("axis_tilt_deg", "0.1 deg", 0.1),
        ("pixel_m", 2e-6, 2e-6),
    ],
)
def test_numbers_and_text_with_units(path: Path, name: str, text: Any, number: float) -> None:
    value = getattr(opened(path, **{name: text}).geometry, name)
    assert value.value == pytest.approx(number, rel=1e-12)
    assert value.origin == "user"


@pytest.mark.parametrize(
    ("name", "given", "error", "said"),
    [
        ("pixel_m", "0.65", UnitError, "has no unit"),
        ("pixel_m", 0.65, ParameterError, "is 650 mm, which no scan has .0.1 nm to 10 mm is taken"),
        ("pixel_m", "0.65 m", ParameterError, "check its unit, such as '0.65 um'"),
        ("pixel_m", 0, ParameterError, "a finite number above 0"),
        ("energy_kev", "20 um", UnitError, "not keV"),
        ("axis_column", float("nan"), ParameterError, "must be a finite number"),
        ("axis_roll_deg", 90, ParameterError, "which no scan has"),
        ("angles_deg", ["a"], ParameterError, "one number for each projection"),
    ],
)
def test_what_cannot_be_is_asked_back(
    path: Path, name: str, given: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        tm.open(path, **{name: given})


def test_an_image_takes_a_pixel_size_alone(tmp_path: Path) -> None:
    volume = tm.model.Volume(
        np.zeros((3, 4, 5), np.float32), tuple(tm.model.Axis(n, 1.0, 0.0, "px") for n in "zyx")
    )
    formats()["ome-zarr"].write(tmp_path / "v.ome.zarr", volume)  # type: ignore[misc]
    scaled = tm.open(tmp_path / "v.ome.zarr", pixel_m="2 um")
    assert [axis.scale for axis in scaled.axes] == [2e-6] * 3  # type: ignore[union-attr]
    for given in ({"axis_roll_deg": 1.0}, {"domain": "counts"}):
        with pytest.raises(ParameterError, match=f"{next(iter(given))} was given, but this is an image"):
            tm.open(tmp_path / "v.ome.zarr", **given)  # type: ignore[arg-type]


def test_angles_as_first_last_count(path: Path) -> None:
    angles = opened(path, angles_deg=f"10:-100:{COUNT}").angles_deg
    np.testing.assert_array_equal(angles.value, np.linspace(10, -100, COUNT))
    assert (angles.origin, angles.source) == ("user", f"given as 10:-100:{COUNT}")
    np.testing.assert_array_equal(opened(path, angles=f"10:-100:{COUNT}").angles_deg.value, angles.value)


@pytest.mark.parametrize("suffix", ["txt", "csv", "dat"])
def test_angles_in_a_text_file(path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = np.linspace(3, 120, COUNT)
    text = "# degrees\n" + "".join(f"{angle!r}  # one\n" for angle in wanted.tolist())
    (path.parent / f"theta.{suffix}").write_text(text, "utf-8")
    for name in (f"theta.{suffix}", path.parent / f"theta.{suffix}"):  # beside the scan, and where it is
        angles = opened(path, angles_deg=name).angles_deg
        np.testing.assert_array_equal(angles.value, wanted)
        assert (angles.origin, angles.source) == ("user", f"given in theta.{suffix}")
    (path.parent / "here").mkdir()
    (path.parent / "here" / f"theta.{suffix}").write_text(text.replace("3.0 ", "4.0 ", 1), "utf-8")
    monkeypatch.chdir(path.parent / "here")  # the current folder goes first
    assert opened(path, angles_deg=f"theta.{suffix}").angles_deg.value[0] == 4


def test_numbers_of_views_in_hdf5_come_in_their_unit(path: Path) -> None:
    with h5py.File(path.parent / "log.h5", "w") as file:
        file["x"], file["theta"] = SHIFTS, np.linspace(0, np.pi, COUNT)
        file["theta"].attrs["units"] = "rad"
        file["x_um"] = SHIFTS
        file["x_um"].attrs["units"] = "um"
    scan = opened(path, shift_columns_px="log.h5:/x", angles_deg="log.h5:/theta")
    np.testing.assert_array_equal(scan.geometry.shift_columns_px.value, SHIFTS)  # type: ignore[union-attr]
    np.testing.assert_allclose(scan.angles_deg.value, np.linspace(0, 180, COUNT))
    with pytest.raises(UnitError, match="um"):
        tm.open(path, shift_rows_px="log.h5:/x_um")


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (
            {"angles_deg": "0:180:7"},
            FormatError,
            f"7 angles for {COUNT} projections.* --angles 0:180:{COUNT}",
        ),
        ({"angles_deg": "0:180:0"}, ParameterError, "asks for 0 numbers; write FIRST:LAST:COUNT"),
        ({"angles_deg": "0:180"}, ParameterError, "'0:180' was given for angles_deg; write FIRST:LAST:COUNT"),
        ({"angles_deg": "theta"}, ParameterError, "a place in HDF5 such as /a/theta"),
        (
            {"angles_deg": "gone.txt"},
            ParameterError,
            "'gone.txt': there is no such file, neither from here nor in",
        ),
        ({"angles_deg": "words.txt"}, FormatError, "line 2 is 'north', no number"),
        ({"angles_deg": [0, 1], "angles": "/a"}, ParameterError, "were both given"),
        ({"shift_rows_px": [1, 2, 3]}, FormatError, f"shift rows has 3 numbers for {COUNT} projections"),
        ({"shift_rows_px": [float("inf")] * COUNT}, FormatError, "numbers that are not finite"),
        ({"domain": "grey"}, ParameterError, "frames hold counts, transmission or attenuation"),
    ],
)
def test_what_does_not_fit_is_told(path: Path, given: Any, error: type[Exception], said: str) -> None:
    (path.parent / "words.txt").write_text("1\nnorth\n", "utf-8")
    with pytest.raises(error, match=said):
        tm.open(path, **given)


def many_views(path: Path, angles: np.ndarray) -> Path:
    """A scan of 60 views whose file says these angles, in degrees."""
    scan = example_scan()
    frames = ArrayFrames(np.ones((len(angles), 4, 5), np.uint16))
    told = replace(scan, projections=frames, flats=None, darks=None)
    formats()["data-exchange"].write(path, told.with_geometry(angles_deg=Value(angles, "read", "")))  # type: ignore[misc]
    return path


@pytest.mark.parametrize("span", [np.pi, 2 * np.pi])
def test_radians_for_degrees_are_asked_back(tmp_path: Path, span: float) -> None:
    path = many_views(tmp_path / "a.h5", np.linspace(0, 180, 60))
    for radians in (
        np.linspace(0, span, 60),
        np.arange(60) * span / 60,
        np.linspace(0.05 - 0.045 * span, span + 0.05, 60),
    ):
        with pytest.raises(
            ParameterError, match=r"look like radians; write them in degrees, each times 57\.29578"
        ):
            tm.open(path, angles_deg=radians)
    with pytest.raises(ParameterError, match=r"such as 0:180:60"):
        tm.open(path, angles_deg="0:3.14159265:60")
    assert opened(path, angles_deg="0:10:60").angles_deg.value[-1] == 10
    file = many_views(tmp_path / "b.h5", np.linspace(0, span, 60))
    [said] = [text for text in opened(file).warnings if "look like radians" in text]
    assert f"--angles 0:{np.rad2deg(span):.6g}:60" in said


def test_few_angles_within_some_degrees_are_a_piece_of_a_scan(path: Path) -> None:
    assert opened(path, angles_deg=np.linspace(0, np.pi, COUNT)).angles_deg.value[-1] == np.pi


def test_the_domain_is_the_users_word(path: Path) -> None:
    assert opened(path).domain == "counts"
    scan = opened(path, domain="attenuation")
    assert scan.domain == "attenuation"
    assert describe(scan)["domain"] == "attenuation"
    assert scan.metadata["opened_domain"].value == "attenuation"


def test_what_was_given_opens_the_scan_again(path: Path) -> None:
    given = {
        "axis_roll_deg": "0.5 deg",
        "shift_rows_px": SHIFTS,
        "pixel_m": "1 um",
        "angles_deg": f"0:90:{COUNT}",
    }
    scan = opened(path, **given)
    told = json.loads(json.dumps(given_by_user(scan)))
    again = opened(path, **told)
    assert told.keys() == given.keys()
    assert compare(scan, again).same
    values = source_data(scan)["values"]
    assert values["axis_roll_deg"]["value"] == 0.5
    assert values["axis_column"]["value"] == 3.7
    assert "axis_tilt_deg" not in values


def test_description_and_comparison_name_the_new_fields_where_known(path: Path) -> None:
    plain, full = opened(path), told_scan(path)
    assert not {"axis_roll_deg", "shift_rows_px"} & describe(plain).keys()
    told = describe(full)
    assert told["axis_roll_deg"]["value"] == 0.3
    assert (told["shift_columns_px"]["first"], told["shift_columns_px"]["count"]) == (-1.5, COUNT)
    findings = {one.what: one for one in compare(plain, full, pixels=False).findings if not one.same}
    assert findings.keys() == {
        "axis_roll_deg", "axis_tilt_deg", "shift_columns_px", "shift_rows_px", "domain"
    }  # fmt: skip
    moved = full.with_geometry(shift_rows_px=Value(SHIFTS, "read", ""))
    [other] = [one for one in compare(full, moved, pixels=False).findings if not one.same]
    assert other.what == "shift_rows_px"
    assert "px apart" in other.detail


WRITERS = [
    name
    for name, form in formats().items()
    if form.write is not None and (not form.writes or "scan" in form.writes)
]


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "csv"])
def test_every_format_carries_the_whole_geometry(path: Path, tmp_path: Path, name: str) -> None:
    form = formats()[name]
    scan = told_scan(path)
    if name == "mrc":  # it has no place for references
        scan = replace(scan, flats=None, darks=None)
    target = tmp_path / f"out{form.suffixes[0] if name != 'tiff' else ''}"
    convert(scan, target, to=name, overwrite=True)
    again = opened(target, as_format=name)
    for field, value in scan.geometry.items():
        held = getattr(again.geometry, field.name)
        assert held is not None, field.name
        np.testing.assert_allclose(held.value, value.value, rtol=1e-6, err_msg=field.name)
    assert again.domain == "transmission"
    assert not [one for one in again.warnings if "damaged" in one]


def test_the_way_home_is_taken_with_the_whole_geometry(path: Path, tmp_path: Path) -> None:
    convert(opened(path), tmp_path / "a.nx")
    with h5py.File(tmp_path / "a.nx", "r+") as file:
        del file["tomarium"]
    convert(told_scan(tmp_path / "a.nx"), tmp_path / "b", to="tiff")
    done = convert(opened(tmp_path / "b"), tmp_path / "c.nx")
    assert "restored" in {one.fate for one in done.changes}


@pytest.mark.parametrize(
    "damage",
    [lambda text: "{", lambda text: '{"axis_roll_deg": 1}', lambda text: '{"axis_roll_deg": {"value": "x"}}'],
)
def test_a_damaged_side_car_is_left_out_aloud(
    path: Path, tmp_path: Path, damage: Callable[[str], str]
) -> None:
    convert(told_scan(path), tmp_path / "a.nx")
    with h5py.File(tmp_path / "a.nx", "r+") as file:
        text = file["tomarium/geometry"][()].decode()
        del file["tomarium/geometry"]
        file["tomarium/geometry"] = damage(text)
    scan = opened(tmp_path / "a.nx")
    assert scan.geometry.axis_roll_deg is None
    assert [text for text in scan.warnings if "/tomarium/geometry is damaged and was left out" in text]


def test_shifts_of_other_frames_are_left_out(path: Path, tmp_path: Path) -> None:
    """A file whose frames were cut after it was converted keeps the axis, and no list that does not fit."""
    convert(told_scan(path), tmp_path / "a.h5", to="data-exchange")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        for name in ("data", "theta"):
            held = file[f"exchange/{name}"][: COUNT - 2]
            del file[f"exchange/{name}"]
            file[f"exchange/{name}"] = held
    scan = opened(tmp_path / "a.h5")
    assert scan.shape[0] == COUNT - 2
    assert scan.geometry.shift_rows_px is None
    assert scan.geometry.axis_roll_deg is not None


def test_views_cut_every_list_alike() -> None:
    geometry = Geometry(
        user_value("angles_deg", range(6)),
        shift_rows_px=user_value("shift_rows_px", range(6)),
        motors={"z": Value(np.arange(6.0), "read", "")},
    ).of_views(np.array([4, 1]))
    lists = [geometry.angles_deg, geometry.shift_rows_px, geometry.motors["z"]]
    assert [value.value.tolist() for value in lists if value] == [[4, 1]] * 3


def test_the_words_of_the_fields() -> None:
    words = {name: field.words for name, field in BY_NAME.items()}
    assert words["axis_column"] == "axis column"
    assert words["pixel_m"] == "pixel"
    assert words["shift_rows_px"] == "shift rows"


def test_what_was_assumed_of_the_angles_is_said_no_more(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "s.tif", np.ones((12, 3, 4), np.uint16), photometric="minisblack")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["theta"] = np.arange(12.0)
    assert any("were assumed" in said for said in opened(tmp_path / "s.tif", domain="counts").warnings)
    for given in ("0:165:12", "a.h5:/theta"):
        assert not any("were assumed" in said for said in opened(tmp_path / "s.tif", angles=given).warnings)
