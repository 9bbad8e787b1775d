"""Write Data Exchange 0.9.1, strictly: what its guide names, where it names it, with units and axes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from tomarium import __version__
from tomarium.formats.data_exchange.fields import FIELDS
from tomarium.formats.data_exchange.motors import write_motors
from tomarium.formats.hdf5.two_phase_writer import TwoPhaseFile, two_phase_file
from tomarium.formats.hdf5.writer import put, sayable, write_tree
from tomarium.formats.provenance import embedded_source as car
from tomarium.formats.provenance.frame_mapping import Placed
from tomarium.formats.resumable.hidden_file import OnProgress
from tomarium.model import Scan
from tomarium.model.scan import Reference

# Metadata that has a place in the guide's Tables 7, 9, 10, 11 and 12, below /measurement.
PLACES: Final = {
    "sample_name": "sample/name",
    "sample_description": "sample/description",
    "sample_environment": "sample/environment",
    "chemical_formula": "sample/chemical_formula",
    "experimenter_name": "sample/experimenter/name",
    "experimenter_email": "sample/experimenter/email",
    "experimenter_affiliation": "sample/experimenter/affiliation",
    "proposal": "sample/experiment/proposal",
    "instrument": "instrument/name",
    "source": "instrument/source/name",
    "beamline": "instrument/source/beamline",
    "start_time": "instrument/source/datetime",
    "detector_manufacturer": "instrument/detector/manufacturer",
    "detector_model": "instrument/detector/model",
}

# Members of FIELDS that are not written by their name: later layouts than the guide's have them, or the pixel size is
# written as a whole.
_ELSEWHERE: Final = ("sample_comment", "sample_fatigue_cycle", "detector_pixel_", "detector_firmware_version",
                     "detector_software_version", "detector_shutter_mode", "detector_delay_time", "detector_roi_min",
                     "detector_roi_size", "objective_magnification")  # fmt: skip

DESCRIPTIONS: Final = {
    "counts": "projections",
    "transmission": "projections: transmission I/I0",
    "attenuation": "projections: attenuation -ln(I/I0)",
    "slice": "slices",
}

# The title of raw frames that have none of their own.
RAW_TITLE: Final = "tomography_raw_projections"


def write(
    path: Path,
    scan: Scan,
    *,
    extra: Mapping[str, Any] | None = None,
    side_car: bool = False,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> None:
    """Write a scan as Data Exchange 0.9.1.

    `path`: file to write; it appears when it is complete. `scan`: frames are copied block by block, in their
    stored type. `extra`: further groups of the root: name → nested mapping of texts, numbers and arrays, e.g.
    `{"truth": {"axis_column": 101.3}}`. Data Exchange allows groups of one's own. `side_car`: whether the tree
    of the file the scan was first made from goes along, as `tomarium.formats.provenance.embedded_source` says. Raises
    InputError: a value of `extra` is of no type HDF5 holds.
    """
    with two_phase_file(path, resume=resume, on_progress=on_progress) as output:
        file = output.file
        file["implements"] = "exchange:measurement:provenance"
        placed = _write_exchange(output, scan)
        _write_measurement(file, scan)
        _write_provenance(file, scan)
        write_tree(file, extra or {})
        if side_car:
            car.keep(output, scan, placed)


def _write_exchange(output: TwoPhaseFile, scan: Scan) -> list[Placed]:
    exchange = output.file.create_group("exchange")
    title = scan.metadata.get("title")
    exchange["title"] = str(title.value) if title else RAW_TITLE
    data = output.frames(exchange, "data", scan.projections)
    placed = [Placed(scan.projections, str(data.name), np.arange(scan.shape[0]))]
    data.attrs["axes"] = "theta:y:x"
    data.attrs["units"] = "counts" if scan.domain == "counts" else "1"
    data.attrs["description"] = DESCRIPTIONS[scan.domain]
    if scan.domain != "counts":
        data.attrs["domain"] = scan.domain
    theta = put(exchange, "theta", np.asarray(scan.angles_deg.value, dtype=np.float64), units="degree")
    theta.attrs["description"] = f"{scan.angles_deg.origin}: {scan.angles_deg.source}"
    for reference, word in ((scan.flats, "white"), (scan.darks, "dark")):
        if reference is None:
            continue
        frames = output.frames(exchange, f"data_{word}", reference.frames)
        placed.append(Placed(reference.frames, str(frames.name), np.arange(frames.shape[0])))
        frames.attrs["axes"] = f"theta_{word}:y:x"
        frames.attrs["units"] = "counts"
        put(exchange, f"theta_{word}", taken_at(reference, scan.angles_deg.value), units="degree")
    return placed


def taken_at(reference: Reference, angles_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell the stage's angle at which reference frames were taken, from their place among the projections.

    `angles_deg`: angles of the projections, degrees. Result, shape (frame,): degrees: the first projection's
    angle before the scan, the last one's after it, between two the mean.
    """
    return np.interp(reference.position, np.arange(len(angles_deg)), angles_deg)


def _write_measurement(file: h5py.File, scan: Scan) -> None:
    measurement = file.create_group("measurement")
    for name, place in PLACES.items():
        if name in scan.metadata:
            measurement[place] = str(scan.metadata[name].value)
    measurement.require_group("sample").require_dataset("name", (), h5py.string_dtype())
    if "sample_name" not in scan.metadata:
        measurement["sample/name"][()] = sayable(scan.name)
    instrument = measurement.require_group("instrument")
    detector = instrument.require_group("detector")
    detector["output_data"] = "/exchange"
    if scan.pixel_m is not None:
        # Table 23 has no pixel size at the sample: the detector's is divided by the magnification, Table 25.
        own = float(scan.metadata.get("detector_pixel_x_m", scan.pixel_m).value)
        upright = float(scan.metadata.get("detector_pixel_y_m", scan.pixel_m).value)
        upright = upright if scan.geometry.pixel_aspect is None else own * scan.geometry.aspect
        put(detector, "x_pixel_size", own, units="m")
        put(detector, "y_pixel_size", upright, units="m")
        if own != scan.pixel_m.value:
            detector["objective/magnification"] = own / scan.pixel_m.value
    if scan.distance_m is not None:
        # Table 28: the origin is where the beam meets the sample, z points downstream (A.2.1).
        put(detector, "geometry/translation/distances", [0.0, 0.0, scan.distance_m.value], units="m")
    if scan.energy_kev is not None:
        put(instrument, "monochromator/energy", scan.energy_kev.value, units="keV")
    if "exposure_s" in scan.metadata:
        put(detector, "exposure_time", float(scan.metadata["exposure_s"].value), units="s")
    if scan.axis_column is not None:
        # Table 21 leaves `setup` to the instrument; the guide has no place for the axis of raw projections.
        put(instrument, "setup/rotation_axis_column", scan.axis_column.value, units="pixel")
    _write_fields(measurement, scan)
    write_motors(instrument, scan)


def _write_fields(measurement: h5py.Group, scan: Scan) -> None:
    """Write what else is known and has a place in the guide's Tables 7 to 26, each with its unit."""
    for field in FIELDS:
        place = field.paths[0].replace("*", "")
        value = scan.metadata[field.name].value if field.name in scan.metadata else None
        if value is None or field.name.startswith(_ELSEWHERE) or place in measurement:
            continue
        if field.unit is None:
            measurement[place] = str(value)
        elif not isinstance(value, int | float) or isinstance(value, bool):
            continue
        elif field.unit == "":
            measurement[place] = value
        else:
            put(measurement, place, value, units=field.unit)


def _write_provenance(file: h5py.File, scan: Scan) -> None:
    """Say which program wrote the file and from what (Tables 18 and 35)."""
    process = file.create_group("provenance/process_1")
    process["status"] = "SUCCESS"
    process["actor"] = "tomarium"
    process["reference"] = "/export"
    process["message"] = f"written from {scan.path.name} ({scan.format}, {scan.dialect})"
    export = file.create_group("export")
    export["name"] = "tomarium"
    export["version"] = __version__
    export["input_data"] = "/exchange"
    export["output_data_format"] = "Data Exchange 0.9.1"
