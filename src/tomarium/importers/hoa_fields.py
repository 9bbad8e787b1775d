"""Where each field of the Human Organ Atlas has its place here: one table.

Names are those of the portal's page of a dataset ("Detector Distance (mm)") and those of the Atlas's public metadata
schema (donor, sample, scan, data …), both by their letters and digits alone, without case and without what stands in
brackets. The unit is that of the page, or of the schema's description of the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

To = Literal["parameter", "specimen", "record", "proposal", "ignored"]


@dataclass(frozen=True)
class Place:
    """Where a field goes.

    Attributes
    ----------
    to : str
        "parameter" of the record, fact of its "specimen" or "proposal", or field of the "record" itself.
    key : str
        Its key there; of a parameter without the unit's words, where it has a unit.
    unit : str
        Unit that the Atlas means where the field's name tells none.
    """

    to: To
    key: str
    unit: str = ""


def squeezed(name: str) -> str:
    """Reduce a name to its letters and digits: "SR Current (mA)" → "srcurrent"."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\([^)]*\)", "", name).lower())


def _parameter(key: str, unit: str = "") -> Place:
    return Place("parameter", key, unit)


PLACES: Final[dict[str, Place]] = {
    # the donor
    "identifier": Place("specimen", "donor_identifier"),
    "donorid": Place("specimen", "donor_identifier"),
    "age": Place("specimen", "age"),
    "sex": Place("specimen", "sex"),
    "weight": Place("specimen", "weight", "kg"),
    "height": Place("specimen", "height", "cm"),
    "causeofdeath": Place("specimen", "cause_of_death"),
    "info": Place("specimen", "medical_history"),
    "medicalhistory": Place("specimen", "medical_history"),
    "diabetes": Place("specimen", "medical_history"),
    "hypertension": Place("specimen", "medical_history"),
    "smoker": Place("specimen", "medical_history"),
    "dateofdeath": Place("specimen", "medical_history"),
    # the specimen
    "organ": Place("specimen", "organ"),
    "organcontext": Place("specimen", "description"),
    "institute": Place("specimen", "institution"),
    "sample": Place("specimen", "description"),
    "preparation": Place("specimen", "preparation"),
    "fixationmethod": Place("specimen", "preparation"),
    "fixationmedium": Place("specimen", "preparation"),
    "organinfilled": Place("specimen", "preparation"),
    "stabilisationmedium": Place("specimen", "preparation"),
    "degassingmethod": Place("specimen", "preparation"),
    "scansolvent": Place("specimen", "preparation"),
    "scansolventconcentration": Place("specimen", "preparation", "%"),
    "postmortemintervalhours": Place("specimen", "preparation", "h"),
    # the record
    "title": Place("record", "title"),
    "name": Place("record", "name"),
    "abstract": Place("record", "description"),
    "doi": Place("record", "doi"),
    "users": Place("record", "creators"),
    "authorlist": Place("record", "creators"),
    "contributors": Place("record", "contributors"),
    "technique": Place("record", "technique"),
    "experimenttype": Place("record", "keywords"),
    "definition": Place("record", "keywords"),
    "datasettype": Place("record", "keywords"),
    "licence": Place("record", "licence"),
    "license": Place("record", "licence"),
    "funding": Place("record", "funding"),
    "instrument": Place("record", "instrument"),
    "beamline": Place("record", "instrument"),
    "date": Place("record", "created"),
    "gcsurl": Place("record", "address"),
    # the proposal
    "proposal": Place("proposal", "number"),
    "proposalnumber": Place("proposal", "number"),
    "proposaltitle": Place("proposal", "title"),
    "proposers": Place("proposal", "team"),
    # the scan
    "srcurrent": _parameter("ring_current", "mA"),
    "currentstart": _parameter("ring_current", "mA"),
    "fillingmode": _parameter("filling_mode"),
    "exposuretime": _parameter("exposure", "s"),
    "subframetime": _parameter("subframe_time", "s"),
    "latencytime": _parameter("latency_time", "s"),
    "pixelsize": _parameter("pixel", "um"),
    "mode": _parameter("scan_mode"),
    "scanradix": _parameter("scan_name"),
    "step": _parameter("step_xyz", "mm"),
    "zstep": _parameter("step_z", "mm"),
    "stages": _parameter("stages_xyz"),
    "nscans": _parameter("scans"),
    "projections": _parameter("projections"),
    "nframes": _parameter("projections"),
    "refn": _parameter("flats"),
    "nref": _parameter("flats"),
    "refon": _parameter("flats_every"),
    "darkn": _parameter("darks"),
    "ndark": _parameter("darks"),
    "accframescount": _parameter("accumulated_frames"),
    "nsubframes": _parameter("accumulated_frames"),
    "detectordistance": _parameter("distance", "mm"),
    "distancesampledetector": _parameter("distance", "mm"),
    "distancesourcesample": _parameter("source_distance", "mm"),
    "energy": _parameter("energy", "keV"),
    "scangeometry": _parameter("scan_geometry"),
    "acquisition": _parameter("scan_geometry"),
    "scantype": _parameter("scan_type"),
    "scanrange": _parameter("scan_range", "deg"),
    "pixel": _parameter("detector_pixels_xy"),
    "sensorroixsize": _parameter("columns"),
    "sensorroiysize": _parameter("rows"),
    "sensorbinning": _parameter("sensor_binning"),
    "magnification": _parameter("magnification"),
    "opticmagnification": _parameter("magnification"),
    "xraymagnification": _parameter("xray_magnification"),
    "scintillator": _parameter("scintillator"),
    "surdoserate": _parameter("surface_dose_rate", "Gy/s"),
    "doserate": _parameter("dose_rate", "Gy/s"),
    "voiintegdose": _parameter("voi_integrated_dose", "kGy"),
    "scantime": _parameter("scan_time", "min"),
    "seriestime": _parameter("series_duration", "h"),
    "scantemperature": _parameter("scan_temperature", "degC"),
    "sensorname": _parameter("detector"),
    "sensormode": _parameter("sensor_mode"),
    "sensorsize": _parameter("sensor_pixel", "um"),
    "opticstype": _parameter("optics"),
    "optic": _parameter("optics"),
    "processing": _parameter("processing"),
    "volumex": _parameter("volume_x_voxels"),
    "volumey": _parameter("volume_y_voxels"),
    "volumez": _parameter("volume_z_voxels"),
    "shape": _parameter("volume_shape"),
    "voxelsizeum": _parameter("voxel", "um"),
    "32to16bitsmin": _parameter("grey_minimum"),
    "32to16bitsmax": _parameter("grey_maximum"),
    "jp2comprratio": _parameter("jpeg2000_compression_ratio"),
    "filters": _parameter("filters"),
    "voi": _parameter("volume_of_interest"),
    # what is of the portal alone
    "files": Place("ignored", ""),
    "metadatalist": Place("ignored", ""),
    "filecount": Place("ignored", ""),
    "roles": Place("ignored", ""),
}
"""Squeezed name → where it goes."""

BLOCKS: Final = {
    "patient": "", "donor": "", "scanparameters": "", "scan": "", "sensor": "sensor", "data": "", "sample": "",
    "proposal": "proposal", "citation": "", "volume": "volume", "processing": "", "doi": "", "dataset": "",
    "parameters": "", "metadata": "", "description": "",
}  # fmt: skip
"""Squeezed name of a block of fields → what its fields' names are read behind."""
SCHEMA_UNITS: Final = {"scantime": "s", "voiintegdose": "kGy"}
"""Fields whose unit in the Atlas's schema is another than that of the portal's page."""
