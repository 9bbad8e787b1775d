"""Data Exchange: its dialects, what they leave out, and what the writer promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from scans import changed
from tomarium.errors import FormatError, InputError, ParameterError
from tomarium.formats import formats
from tomarium.formats.data_exchange.reader import FORMAT
from tomarium.formats.frames.array_frames import ArrayFrames
from tomarium.model import Geometry, Scan, Value
from tomarium.model.scan import Reference

Make = Callable[..., Path]
DATA = np.arange(6 * 4 * 5, dtype=np.uint16).reshape(6, 4, 5)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a file from {HDF5 path: value or (value, {attribute: value})}."""

    def write(tree: dict[str, Any]) -> Path:
        path = tmp_path / "scan.h5"
        with h5py.File(path, "w") as file:
            for name, item in tree.items():
                value, attributes = item if isinstance(item, tuple) else (item, {})
                file[name] = value
                for key, text in attributes.items():
                    file[name].attrs[key] = text
        return path

    return write


def minimal(**more: Any) -> dict[str, Any]:
    tree = {
        "implements": "exchange",
        "exchange/data": DATA,
        "exchange/theta": (np.linspace(0, 150, 6), {"units": "degrees"}),
        "exchange/data_white": np.full((2, 4, 5), 60000, np.uint16),
        "exchange/data_dark": np.zeros((2, 4, 5), np.uint16),
    }
    tree.update({name.replace("__", "/"): value for name, value in more.items()})
    return {name: value for name, value in tree.items() if value is not None}


def opened(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def test_minimal_file_opens_without_a_word(make: Make) -> None:
    scan = opened(make(minimal()))
    assert scan.warnings == scan.repaired == ()
    np.testing.assert_array_equal(scan.projections.read(slice(None), slice(None)), DATA)


@pytest.mark.parametrize("implements", [None, "exchange : measurement", np.bytes_(b"exchange:measurement")])
def test_implements_may_lack_or_promise_too_much(make: Make, implements: Any) -> None:
    scan = opened(make(minimal(implements=implements)))
    assert any("/implements" in text for text in scan.warnings)


@pytest.mark.parametrize(
    ("axes", "order"), [("y:theta:x", (1, 0, 2)), ("y:x:theta", (1, 2, 0)), ("theta:y:x", (0, 1, 2))]
)
def test_axes_in_any_order(make: Make, axes: str, order: tuple[int, int, int]) -> None:
    stored = DATA.transpose(order)
    white = np.full((2, 4, 5), 7, np.uint16).transpose(order)
    tree = minimal(exchange__data=(stored, {"axes": axes}), exchange__data_white=white)
    scan = opened(make(tree))
    np.testing.assert_array_equal(scan.projections.read(slice(1, 4), slice(2, 3)), DATA[1:4, 2:3])
    assert scan.flats is not None
    assert scan.flats.frames.shape == (2, 4, 5)


def test_dimension_scales_name_the_axes_and_the_angles(make: Make) -> None:
    path = make(minimal(exchange__data=DATA.transpose(1, 0, 2), exchange__theta=None))
    scales = {"y": range(4), "theta_s": np.linspace(0, 100, 6), "x": range(5)}
    with h5py.File(path, "a") as file:
        for axis, (name, values) in enumerate(scales.items()):
            file[f"exchange/{name}"] = np.asarray(values, float)
            file[f"exchange/{name}"].make_scale(name)
            file["exchange/data"].dims[axis].attach_scale(file[f"exchange/{name}"])
    scan = opened(path)
    assert scan.shape == (6, 4, 5)
    assert scan.angles_deg.value.tolist() == np.linspace(0, 100, 6).tolist()
    assert scan.angles_deg.source.endswith("theta_s")


@pytest.mark.parametrize(
    ("units", "values"),
    [
        ("deg", [0, 30, 60, 90, 120, 150]),
        ("°", [0, 30, 60, 90, 120, 150]),
        (b"\xb0", [0, 30, 60, 90, 120, 150]),
        ("radian", np.deg2rad([0, 30, 60, 90, 120, 150])),
        (None, [0, 30, 60, 90, 120, 150]),
    ],
)
def test_units_of_theta(make: Make, units: Any, values: Any) -> None:
    theta = (np.asarray(values, float), {} if units is None else {"units": units})
    scan = opened(make(minimal(exchange__theta=theta)))
    np.testing.assert_allclose(scan.angles_deg.value, [0, 30, 60, 90, 120, 150], atol=1e-12)
    assert scan.angles_deg.origin == "read"


@pytest.mark.parametrize("names", [("rotation_start", "rotation_step"), ("start", "step")])
def test_angles_from_both_spellings_of_the_acquisition(make: Make, names: tuple[str, str]) -> None:
    start, step = (f"process/acquisition/rotation/{name}" for name in names)
    tree = minimal(exchange__theta=None, implements=None)
    tree |= {start: np.array([10.0]), step: (np.array([0.5]), {"units": "degrees"})}
    scan = opened(make(tree))
    assert scan.angles_deg.origin == "derived"
    assert scan.angles_deg.value.tolist() == [10, 10.5, 11, 11.5, 12, 12.5]
    assert scan.dialect.endswith(names[0])


def test_angles_from_image_theta_leave_out_the_references(make: Make) -> None:
    """In /process/acquisition 0 is white, 1 a projection and 2 dark."""
    tree = minimal(exchange__theta=None) | {
        "process/acquisition/image_theta": np.array([0, 0, 0, 1, 2, 3, 4, 5, 5.0]),
        "process/acquisition/image_type": np.array([0, 2, 1, 1, 1, 1, 1, 1, 0]),
    }
    assert opened(make(tree)).angles_deg.value.tolist() == [0, 1, 2, 3, 4, 5]


def test_no_angles_are_assumed_aloud(make: Make) -> None:
    scan = opened(make(minimal(exchange__theta=None)))
    assert scan.angles_deg.origin == "default"
    assert scan.angles_deg.value.tolist() == [0, 30, 60, 90, 120, 150]
    assert "180° left out" in scan.warnings[0]


@pytest.mark.parametrize(
    ("theta", "why"),
    [
        (
            np.linspace(0, 180, 5),
            "5 angles for 6 projections; one each is needed, so give 6 angles as angles_deg",
        ),
        (np.linspace(0, 180, 9), "9 angles for 6 projections"),
        (
            np.array([0, 1, np.nan, 3, np.inf, 5]),
            "2 of 6 angles are no finite numbers, the first at projection 2",
        ),
        (np.zeros(6), "all 6 angles are 0°, which says nothing"),
    ],
)
def test_angles_that_cannot_be_are_refused_unless_given(make: Make, theta: Any, why: str) -> None:
    path = make(minimal(exchange__theta=theta))
    with pytest.raises(FormatError, match=why) as caught:
        tm.open(path)
    assert "scan.h5:/exchange/theta" in str(caught.value)
    scan = opened(path, angles_deg=range(6))
    assert scan.angles_deg.origin == "user"
    assert scan.angles_deg.value.tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(FormatError, match="4 angles for 6 projections"):
        tm.open(path, angles_deg=range(4))


def test_flats_of_another_size_are_refused(make: Make) -> None:
    with pytest.raises(FormatError, match=r"data_white has frames of \(4, 6\) .* projections \(4, 5\)"):
        tm.open(make(minimal(exchange__data_white=np.zeros((2, 4, 6)))))


def test_without_flats_the_scan_opens_and_says_so(make: Make) -> None:
    scan = opened(make(minimal(exchange__data_white=None)))
    assert scan.flats is None
    assert scan.darks is not None
    assert "no flat fields" in scan.warnings[0]


def test_one_averaged_flat_is_a_stack_of_one(make: Make) -> None:
    scan = opened(make(minimal(exchange__data_white=np.full((4, 5), 3.5, np.float32))))
    assert scan.flats is not None
    assert scan.flats.frames.shape == (1, 4, 5)
    assert scan.flats.frames.read(slice(None), slice(1, 3)).tolist() == np.full((1, 2, 5), 3.5).tolist()


def test_flats_before_and_after(make: Make) -> None:
    tree = minimal(exchange__data_white=None) | {
        "exchange/data_white_pre": np.full((2, 4, 5), 1, np.uint16),
        "exchange/data_white_post": np.full((3, 4, 5), 2, np.uint16),
    }
    scan = opened(make(tree))
    assert scan.flats is not None
    assert scan.flats.position.tolist() == [-1, -1, 6, 6, 6]
    assert scan.flats.frames.read(slice(None), slice(0, 1))[:, 0, 0].tolist() == [1, 1, 2, 2, 2]
    assert scan.flats.frames.read(np.array([4, 0]), slice(0, 1))[:, 0, 0].tolist() == [2, 1]


@pytest.mark.parametrize("sign", [1, -1])
def test_theta_white_places_the_flats(make: Make, sign: int) -> None:
    theta = sign * np.linspace(0, 150, 6)
    tree = minimal(
        exchange__theta=theta,
        exchange__data_white=np.zeros((4, 4, 5)),
        exchange__theta_white=sign * np.array([-5, 0, 75.0, 160]),
    )
    scan = opened(make(tree))
    assert scan.flats is not None
    assert scan.flats.position.tolist() == [-1, -1, 2.5, 6]


@pytest.mark.parametrize(("mode", "position"), [("Start", [-1, -1]), ("End", [6, 6]), ("Both", [-1, 6])])
def test_flat_field_mode_places_the_flats(make: Make, mode: str, position: list[float]) -> None:
    tree = minimal() | {"process/acquisition/flat_fields/flat_field_mode": np.array([mode.encode()], "S256")}
    scan = opened(make(tree))
    assert scan.flats is not None
    assert scan.flats.position.tolist() == position


@pytest.mark.parametrize("name", ["flat_field_value", "value"])
@pytest.mark.parametrize("white", [None, np.zeros((1, 4, 5), np.uint16)])
def test_a_constant_stands_for_flats_that_were_not_taken(
    make: Make, name: str, white: Any, tmp_path: Path
) -> None:
    tree = minimal(exchange__data_white=white) | {
        f"process/acquisition/flat_fields/{name}": np.array([50000.0])
    }
    path = make(tree)
    scan = opened(path)
    assert scan.flats is not None
    np.testing.assert_array_equal(scan.flats.frames.read(slice(None), slice(None)), np.full((1, 4, 5), 50000))
    assert scan.flats.position.tolist() == [-1]
    [said] = scan.warnings
    assert said.startswith(
        f"/process/acquisition/flat_fields/{name}, 50000, was taken for what each pixel saw"
    )
    with h5py.File(tmp_path / "flats.h5", "w") as file:
        file["data"] = np.full((1, 4, 5), 40000, np.uint16)
    given = opened(path, flats=tmp_path / "flats.h5")
    assert given.flats is not None
    assert int(given.flats.frames.read(slice(None), slice(None)).max()) == 40000
    assert not any("was taken for" in text for text in given.warnings)
    assert opened(path, domain="attenuation").warnings == ()


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_a_constant_that_counts_nothing_is_no_flat(make: Make, value: float) -> None:
    tree = minimal(exchange__data_white=None) | {
        "process/acquisition/flat_fields/flat_field_value": np.array([value]),
        "process/acquisition/dark_fields/dark_field_value": np.array([100.0]),
    }
    scan = opened(make(tree))
    assert scan.flats is None
    assert ["holds no flat fields" in text for text in scan.warnings] == [True]


def test_shifts_that_are_not_applied_are_told(make: Make) -> None:
    path = make(minimal(exchange__data_shift_x=np.linspace(-2.5, 1, 6), exchange__data_shift_y=np.zeros(6)))
    [said] = opened(path).warnings
    assert said.startswith("/exchange/data_shift_x: shifts of up to 2.5 px were not applied")
    option, place = said.rpartition(" give ")[2].split()
    assert option == "--shift-columns"
    given = opened(path, shift_columns_px=str(path.parent / place))
    assert given.warnings == ()
    assert given.geometry.shift_columns_px is not None
    np.testing.assert_allclose(given.geometry.shift_columns_px.value, np.linspace(-2.5, 1, 6))


def test_energies_of_rings_are_not_of_photons(make: Make) -> None:
    tree = minimal() | {"measurement/instrument/source/energy": (7.0, {"units": "GeV"})}
    scan = opened(make(tree))
    assert scan.energy_kev is None
    assert scan.metadata["ring_energy_gev"].value == 7.0
    tree |= {"measurement/instrument/monochromator/energy": (b"19.26", {"units": "keV"})}
    assert opened(make(tree)).energy_kev == Value(
        19.26, "read", "scan.h5:/measurement/instrument/monochromator/energy"
    )


def test_an_energy_in_no_unit_is_left_out_aloud(make: Make) -> None:
    scan = opened(make(minimal() | {"measurement/instrument/monochromator/energy": 20.0}))
    assert scan.energy_kev is None
    assert any("is no photon energy" in text for text in scan.warnings)


def test_detector_is_numbered_or_not_and_translations_say_their_axes(make: Make) -> None:
    place = "measurement/instrument/detector_1/geometry/translation/distances"
    tree = minimal() | {
        "measurement/instrument/detector_1/x_pixel_size": (2.5, {"units": "µm"}),
        place: (np.array([0.25, 0.0, 0.0]), {"axes": "z:y:x"}),
    }
    scan = opened(make(tree))
    assert scan.pixel_m is not None
    assert scan.pixel_m.value == pytest.approx(2.5e-6)
    assert scan.distance_m is not None
    assert scan.distance_m.value == 0.25


def test_an_empty_exchange_is_no_scan(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_group("exchange")
    with pytest.raises(FormatError, match="/exchange holds no three-dimensional dataset `data`"):
        tm.open(tmp_path / "x.h5")


def test_entries_are_chosen_by_name(make: Make) -> None:
    path = make(minimal() | {"exchange_2/data": DATA[:3], "exchange_2/theta": np.arange(3.0)})
    assert opened(path, entry="exchange_2").shape == (3, 4, 5)
    with pytest.raises(ParameterError, match="no scan called 'exchange_7'; it holds exchange, exchange_2"):
        tm.open(path, entry="exchange_7")


@pytest.mark.parametrize(
    "given", [{"pixel_m": 0.0}, {"pixel_m": np.nan}, {"energy_kev": -1.0}, {"distance_m": np.inf}]
)
def test_values_the_user_gives_must_be_possible(make: Make, given: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(given))):
        tm.open(make(minimal()), **given)


def test_values_the_user_gives_win(make: Make) -> None:
    tree = minimal() | {"measurement/instrument/detector/x_pixel_size": 1e-6}
    scan = opened(make(tree), pixel_m=2e-6, energy_kev=20, distance_m=0.0, axis_column=2.25)
    values = (scan.pixel_m, scan.energy_kev, scan.distance_m, scan.axis_column)
    assert [value.value for value in values if value] == [2e-6, 20, 0, 2.25]
    assert {value.origin for value in values if value} == {"user"}


def a_scan(**more: Any) -> Scan:
    everything: dict[str, Any] = {
        "path": Path("raw"),
        "name": "raw",
        "format": "memory",
        "dialect": "",
        "why": "",
        "projections": ArrayFrames(DATA),
        "geometry": Geometry(Value(np.linspace(0, 150, 6), "derived", "made")),
        "flats": Reference(ArrayFrames(np.full((1, 4, 5), 2.5, np.float32)), np.array([-1.0])),
    }
    return changed(Scan(**everything), **more)


def test_written_file_keeps_the_guides_rules(tmp_path: Path) -> None:
    from tomarium.formats.data_exchange.writer import write

    assert FORMAT.write is write
    write(
        tmp_path / "x.h5",
        a_scan().with_geometry(pixel_m=Value(1e-6, "user", ""), energy_kev=Value(20.0, "user", "")),
    )
    with h5py.File(tmp_path / "x.h5") as file:
        named = file["implements"][()].decode().split(":")
        assert set(named) <= set(file)
        assert file["exchange/data"].attrs["axes"] == "theta:y:x"
        assert file["exchange/data"].attrs["units"] == "counts"
        assert file["exchange/theta"].attrs["units"] == "degree"
        assert file["exchange/theta_white"].shape == (1,)
        assert file["exchange/data_white"].dtype == np.float32
        assert "data_dark" not in file["exchange"]
        process = file["provenance/process_1"]
        assert process["status"][()] == b"SUCCESS"
        assert process["reference"][()].decode().strip("/") in file
        assert file["measurement/instrument/monochromator/energy"].attrs["units"] == "keV"


def test_what_is_known_goes_where_the_guide_has_it(tmp_path: Path) -> None:
    """Table by table and in its unit, from whatever format it was read; it means the same when it is read again."""
    from tomarium.formats.data_exchange.writer import write

    known: dict[str, Any] = {
        "source_current_a": 0.2, "sample_temperature_k": 298.15, "sample_mass_kg": 2.5e-4, "sample_position": "A3",
        "attenuator_thickness_m": 1e-4, "shutter_status": "OPEN", "monochromator_energy_error_kev": 1e-3,
        "interferometer_grid_start_deg": 3.0, "detector_bit_depth": 12, "detector_frame_rate_per_s": 30.0,
        "detector_counts_per_joule": 1e9, "scintillator_scintillating_thickness_m": 5e-6, "objective_model": "Plan",
        "experimenter_role": "Main Proposer",
    }  # fmt: skip
    metadata = {name: Value(value, "read", "elsewhere") for name, value in known.items()}
    # A magnification beside the pixel size at the sample would divide it a second time.
    metadata["objective_magnification"] = Value(10, "read", "elsewhere")
    write(tmp_path / "x.h5", a_scan(metadata=metadata).with_geometry(pixel_m=Value(1e-6, "user", "")))
    with h5py.File(tmp_path / "x.h5") as file:
        current = file["measurement/instrument/source/current"]
        assert (current[()], current.attrs["units"]) == (0.2, "A")
        assert file["measurement/sample/experimenter/role"][()] == b"Main Proposer"
    scan = opened(tmp_path / "x.h5")
    for name, value in known.items():
        found = scan.metadata[name].value
        assert found == (value if isinstance(value, str) else pytest.approx(value, rel=1e-12)), name
    assert scan.pixel_m is not None
    assert scan.pixel_m.value == 1e-6


def test_extra_values_lie_below_their_group(tmp_path: Path) -> None:
    from tomarium.formats.data_exchange.writer import write

    truth = {
        "axis_column": Value(101.3, "user", ""),
        "volume": np.ones((2, 3, 3)),
        "phantom": {"name": "balls"},
    }
    write(tmp_path / "x.h5", a_scan(), extra={"truth": truth})
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["truth/axis_column"][()] == 101.3
        assert file["truth/volume"].shape == (2, 3, 3)
        assert file["truth/phantom/name"][()] == b"balls"
    with pytest.raises(InputError, match=r"/truth/thing: a object cannot be written"):
        write(tmp_path / "y.h5", a_scan(), extra={"truth": {"thing": object()}})
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]


@pytest.mark.parametrize("name", ["data_names", "elements"])
def test_maps_of_elements_are_no_projections(tmp_path: Path, name: str) -> None:
    path = tmp_path / "xrf.h5"
    with h5py.File(path, "w") as file:
        file["exchange/data"] = np.random.default_rng(0).normal(size=(3, 20, 30)).astype(np.float32)
        file[f"exchange/{name}"] = np.array([b"Ca", b"Fe", b"Zn"])
        file["exchange/theta"] = 0.0
    match = formats()["data-exchange"].detect(path)
    assert match is not None
    assert match.score == 0
    assert "names 3 elements (Ca, Fe, Zn)" in match.why
