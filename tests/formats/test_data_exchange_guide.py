"""The guide's contradictions, one test each, and every member of its tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.formats.data_exchange.inconsistencies import INCONSISTENCIES
from tomarium.model import Scan

DATA = np.arange(6 * 4 * 5, dtype=np.uint16).reshape(6, 4, 5)
M, INS, D = "measurement/", "measurement/instrument/", "measurement/instrument/detector/"
THETA = np.linspace(0, 150, 6)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[dict[str, Any]], Scan]:
    """Write a file from {HDF5 path: value or (value, {attribute: value})} and open it."""

    def make(tree: dict[str, Any]) -> Scan:
        whole = {
            "implements": "exchange",
            "exchange/data": DATA,
            "exchange/theta": (THETA, {"units": "degree"}),
            "exchange/data_white": np.full((2, 4, 5), 60000, np.uint16),
            "exchange/data_dark": np.zeros((2, 4, 5), np.uint16),
        } | tree
        with h5py.File(tmp_path / "scan.h5", "w") as file:
            for name, item in whole.items():
                value, attributes = item if isinstance(item, tuple) else (item, {})
                file[name] = value
                file[name].attrs.update(attributes)
        scan = tm.open(tmp_path / "scan.h5")
        assert isinstance(scan, Scan)
        return scan

    return make


def units(value: Any, unit: str) -> tuple[Any, dict[str, str]]:
    return value, {"units": unit}


# number, the file, what is known then (angles_deg stands for the angles), what is said; no words where it is normal
CASES: list[tuple[int, dict[str, Any], dict[str, Any], str]] = [
    (1, {M + "sample/environment": "air"}, {"sample_environment": "air"}, ""),
    (1, {M + "sample/enviroment": "air"}, {"sample_environment": "air"}, "enviroment was read as environment"),
    (2, {M + "sample/experimenter/email": "a@b"}, {"experimenter_email": "a@b"}, ""),
    (2, {M + "sample/experimenter_1/e-mail": "a@b"}, {"experimenter_email": "a@b"}, "e-mail was read as email"),
    (3, {D + "x_dimension": 2048}, {"detector_dimension_x": 2048}, ""),
    (3, {D + "x_dimensions": 2048}, {"detector_dimension_x": 2048}, "x_dimensions was read as x_dimension"),
    (3, {D + "y_dimensions": 1024}, {"detector_dimension_y": 1024}, "y_dimensions was read as y_dimension"),
    (4, {"exchange/theta": units(THETA, "degrees")}, {"angles_deg": THETA.tolist()}, ""),
    (4, {"exchange/theta": units(THETA, "deg")}, {"angles_deg": THETA.tolist()}, "'deg' was read as degree"),
    (4, {"exchange/theta": units(THETA, "°")}, {"angles_deg": THETA.tolist()}, "'°' was read as degree"),
    (5, {M + "sample/temperature": units(298.0, "K")}, {"sample_temperature_k": 298.0}, ""),
    (5, {M + "sample/temperature": 298.0}, {"sample_temperature_k": 298.0}, ""),
    (5, {M + "sample/temperature": 25.4}, {"sample_temperature_k": 298.55}, "25.4 without a unit was read as 298.55 K"),
    (5, {M + "sample/temperature": units(25.4, "celsius")}, {"sample_temperature_k": 298.55}, "298.55 K"),
    (5, {M + "sample/temperature_set": units(-100.0, "Celsius")}, {"sample_temperature_set_k": 173.15}, "173.15 K"),
    (6, {INS + "source/energy": units(3.2e-15, "J")}, {"energy_kev": 19.973}, ""),
    (6, {INS + "source/energy": units(7.0, "GeV")}, {"ring_energy_gev": 7.0, "energy_kev": None}, "7 GeV was read as"),
    (7, {INS + "source/mode": "TOPUP"}, {"source_mode": "TOPUP"}, ""),
    (7, {INS + "source/source": "TOPUP"}, {"source_mode": "TOPUP"}, "source was read as mode"),
    (8, {INS + "attenuator/attenuator_transmission": 0.5}, {"attenuator_transmission": 0.5}, ""),
    (8, {INS + "attenuator_1/transmission": 0.5}, {"attenuator_transmission": 0.5}, "read as attenuator_transmission"),
    (9, {INS + "monochromator/type": "DMM"}, {"monochromator_type": "DMM"}, ""),
    (9, {INS + "monochromator/name": "DMM"}, {"monochromator_type": "DMM"}, "name was read as type"),
    (9, {INS + "monochromator/name": "M", INS + "monochromator/type": "DMM"},
     {"monochromator_type": "DMM", "monochromator_name": "M"}, ""),
    (10, {"provenance/process_1/status": "SUCCESS"},
     {"processes": [{"name": "process_1", "status": "SUCCESS"}]}, "names no actor"),
    (11, {INS + "acquisition/mode": "fly"}, {"acquisition_mode": "fly"}, ""),
    (11, {"process/acquisition/mode": "fly"},
     {"acquisition_mode": "fly", "processes": [{"name": "acquisition", "actor": "acquisition"}]},
     "/process/acquisition was read as the instrument's"),
    (12, {INS + "interferometer/grid_start": 1e-6}, {"interferometer_grid_start_m": 1e-6}, ""),
    (12, {INS + "interferometer/grid_start": units(3.0, "degree")}, {"interferometer_grid_start_deg": 3.0},
     "an angle by its unit"),
    (13, {M + "sample/geometry/translation/distances": np.array([1.0, 2, 3])}, {"sample_translation_m": [1, 2, 3]}, ""),
    (13, {D + "geometry/translation/distances": (np.array([300.0, 2, 1]), {"axes": "z:y:x", "units": "mm"})},
     {"detector_translation_m": [0.001, 0.002, 0.3], "distance_m": 0.3}, "were put into the order x:y:z"),
    (14, {"reconstruction/rotation.center": 127.5, "reconstruction/reconstruction.slice.start": 3},
     {"processes": [{"name": "reconstruction",
                     "parameters": {"rotation_center": 127.5, "reconstruction_slice_start": 3}}]},
     "rotation.center was read as rotation_center"),
    (14, {"reconstruction/rotation_center": 127.5},
     {"processes": [{"name": "reconstruction", "parameters": {"rotation_center": 127.5}}]}, ""),
    (15, {"reconstruction/algorithm/iterative.stop.condition": "iteration_max"},
     {"processes": [{"name": "reconstruction", "parameters": {"algorithm/iterative_stop_condition": "iteration_max"}}]},
     "iterative.stop.condition was read as iterative_stop_condition"),
    (16, {D + "scintillator/name": "YAG"}, {"scintillator_name": "YAG"}, ""),
    (16, {D + "scintillator/name": "YAG", D + "scintillator_2/name": "LuAG"},
     {"scintillator_name": "YAG", "scintillator_2_name": "LuAG"}, "a scintillator of its own"),
    (18, {"exchange/x": np.arange(5), "exchange/y": np.arange(4)}, {}, ""),
    (18, {"exchange/x": np.arange(128)}, {}, "x gives 128 positions for 5 pixels and was left out"),
    (18, {"exchange/data": units(DATA, "density")}, {}, "'density' is none"),
    (20, {D + f"roi/{n}": v for n, v in {"x1": 256, "y1": 256, "x2": 1792, "y2": 1792}.items()},
     {"detector_roi_x2": 1792}, "exclusive: 1536 × 1536 pixels"),
    (20, {D + f"roi/{n}": v for n, v in {"x1": 1, "y1": 2, "x2": 5, "y2": 5}.items()},
     {"detector_roi_x1": 1}, "inclusive, as the frames say: 5 × 4 pixels"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "tree", "known", "said"), CASES, ids=[f"{c[0]}-{c[3] or 'normal'}" for c in CASES]
)
def test_every_spelling_is_read_and_told(
    read: Callable[[dict[str, Any]], Scan],
    number: int,
    tree: dict[str, Any],
    known: dict[str, Any],
    said: str,
) -> None:
    scan = read(tree)
    for name, expected in known.items():
        value = getattr(scan, name) if hasattr(scan, name) else scan.metadata[name]
        found = None if value is None else value.value
        if isinstance(expected, float):
            assert found == pytest.approx(expected, rel=1e-4), name
        else:
            assert (found.tolist() if isinstance(found, np.ndarray) else found) == expected, name
    row = next(one for one in INCONSISTENCIES if one.number == number)
    assert row.look is not None
    if said:
        assert [text for text in scan.repaired if said in text], scan.repaired
    else:
        assert scan.repaired == ()


def test_the_list_is_whole() -> None:
    assert [one.number for one in INCONSISTENCIES] == list(range(1, 21))
    tested = {case[0] for case in CASES}
    # A caption and a date on the title page are in no file.
    assert {one.number for one in INCONSISTENCIES if one.look is None} == {17, 19}
    assert tested == set(range(1, 21)) - {17, 19}


def test_numbered_groups_keep_their_numbers(read: Callable[[dict[str, Any]], Scan]) -> None:
    scan = read({
        INS + "detector_1/model": "a", INS + "detector_2/model": "b", INS + "detector_2/objective_3/magnification": 10,
        INS + "shutter_1/status": "OPEN", INS + "shutter_2/status": "CLOSED",
        M + "sample/experimenter/name": "Ada", M + "sample/experimenter_2/name": "Emmy",
    })  # fmt: skip
    known = {name: value.value for name, value in scan.metadata.items()}
    assert (known["detector_model"], known["detector_2_model"]) == ("a", "b")
    assert (known["shutter_status"], known["shutter_2_status"]) == ("OPEN", "CLOSED")
    assert (known["experimenter_name"], known["experimenter_2_name"]) == ("Ada", "Emmy")
    assert known["detector_2_objective_magnification"] == 10


# path below /measurement → (unit written, value, name here, value here)
MEMBERS: dict[str, tuple[str | None, Any, str, Any]] = {
    "sample/mass": ("g", 0.25, "sample_mass_kg", 2.5e-4),
    "sample/concentration": (None, 3.0, "sample_concentration_kg_per_m3", 3.0),
    "sample/pressure": ("kPa", 101.0, "sample_pressure_pa", 101e3),
    "sample/thickness": ("mm", 2.0, "sample_thickness_m", 2e-3),
    "sample/position": (None, "A3", "sample_position", "A3"),
    "sample/experiment/safety": (None, "77", "safety", "77"),
    "instrument/source/current": ("mA", 101.0, "source_current_a", 0.101),
    "instrument/source/pulse_width": ("ms", 2.0, "source_pulse_width_s", 2e-3),
    "instrument/source/beam_intensity_incident": (None, 1e12, "beam_intensity_incident_per_s", 1e12),
    "instrument/attenuator/thickness": ("um", 100.0, "attenuator_thickness_m", 1e-4),
    "instrument/attenuator/type": (None, "Al", "attenuator_type", "Al"),
    "instrument/monochromator/energy_error": ("eV", 1.0, "monochromator_energy_error_kev", 1e-3),
    "instrument/monochromator/mono_stripe": (None, "Ru/C", "monochromator_stripe", "Ru/C"),
    "instrument/interferometer/start_angle": ("degree", 3.0, "interferometer_start_angle_deg", 3.0),
    "instrument/interferometer/number_of_grid_steps": (None, 8, "interferometer_number_of_grid_steps", 8),
    "instrument/detector/bit_depth": (None, 12, "detector_bit_depth", 12),
    "instrument/detector/x_binning": (None, 2, "detector_binning_x", 2),
    "instrument/detector/binning_y": (None, 4, "detector_binning_y", 4),
    "instrument/detector/frame_rate": ("fps", 3, "detector_frame_rate_per_s", 3.0),
    "instrument/detector/operating_temperature": (None, 270.0, "detector_temperature_k", 270.0),
    "instrument/detector/counts_per_joule": (None, 1e9, "detector_counts_per_joule", 1e9),
    "instrument/detector/firmware_version": ("text", "1.2", "detector_firmware_version", "1.2"),
    "instrument/detector/objective/numerical_aperture": (None, 0.5, "objective_numerical_aperture", 0.5),
    "instrument/detection_system/objective/model": (None, "Plan", "objective_model", "Plan"),
    "instrument/detector/scintillator/scintillating_thickness": ("um", 5.0, "scintillator_scintillating_thickness_m",
                                                                5e-6),
    "instrument/detector/geometry/orientation/value":
        (None, np.array([1.0, 0, 0, 0, 1, 0]), "detector_orientation", [1, 0, 0, 0, 1, 0]),
    "instrument/detector/corner_position": ("mm", np.array([1.0, 2, 3]), "detector_corner_position_m",
                                            [1e-3, 2e-3, 3e-3]),
    "instrument/setup/camera/gain": (None, "high", "setup_camera_gain", "high"),
}  # fmt: skip


def test_members_come_by_meaning_in_si(read: Callable[[dict[str, Any]], Scan]) -> None:
    scan = read(
        {
            M + path: value if unit is None else units(value, unit)
            for path, (unit, value, *_) in MEMBERS.items()
        }
    )
    for _, _, name, expected in MEMBERS.values():
        found = scan.metadata[name].value
        assert found == (expected if isinstance(expected, str) else pytest.approx(expected, rel=1e-12)), name
    assert scan.repaired == ()


def test_provenance_tells_every_process(read: Callable[[dict[str, Any]], Scan]) -> None:
    tree: dict[str, Any] = {}
    for number, name in enumerate(("gridftp", "sinogram", "ring_removal", "reconstruction", "export"), 1):
        place = f"provenance/process_{number}"
        tree |= {f"{place}/status": "SUCCESS", f"{place}/actor": "pipeline", f"{place}/reference": f"/{name}",
                 f"{name}/version": "1.0"}  # fmt: skip
    scan = read(tree | {"ring_removal/coefficient": 1.5, "reconstruction/algorithm/name": "SART"})
    told = scan.metadata["processes"].value
    names = ["gridftp", "sinogram", "ring_removal", "reconstruction", "export"]
    assert [one["name"] for one in told] == names
    assert told[2]["parameters"] == {"version": "1.0", "coefficient": 1.5}
    assert told[3]["parameters"]["algorithm/name"] == "SART"


def test_the_later_layout_of_processes(read: Callable[[dict[str, Any]], Scan]) -> None:
    scan = read({
        "process/tomo_rec/status": "SUCCESS", "process/tomo_rec/setup/algorithm/filter": "Parzen",
        "process/table/actor": ["acquisition", "transfer"], "process/table/status": ["SUCCESS", "FAILED"],
        "exchange/name": "absorption_tomography", "exchange/data_shift_x": np.arange(6.0),
    })  # fmt: skip
    told = scan.metadata["processes"].value
    assert told[0] == {
        "name": "tomo_rec",
        "actor": "tomo_rec",
        "status": "SUCCESS",
        "parameters": {"filter": "Parzen"},
    }
    assert [one["status"] for one in told[1:]] == ["SUCCESS", "FAILED"]
    assert scan.metadata["title"].value == "absorption_tomography"
    assert scan.metadata["shift_x_pixel"].value == [0, 1, 2, 3, 4, 5]


def test_scales_and_axes_that_disagree_are_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["exchange/data"] = DATA.transpose(1, 0, 2)
        file["exchange/data"].attrs["axes"] = "theta:y:x"
        for axis, (name, count) in enumerate((("y", 4), ("theta", 6), ("x", 5))):
            file[f"exchange/{name}"] = np.arange(float(count))
            file[f"exchange/{name}"].make_scale(name)
            file["exchange/data"].dims[axis].attach_scale(file[f"exchange/{name}"])
    scan = tm.open(tmp_path / "x.h5")
    assert isinstance(scan, Scan)
    assert scan.shape == (6, 4, 5)
    assert any(
        "its dimension scales say y:theta:x, its attribute axes theta:y:x" in text for text in scan.warnings
    )
