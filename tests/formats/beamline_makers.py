"""Files as beamlines write them, made of a scan: SOLEIL Flyscan, ESRF BLISS, ALS 8.3.2, NeXus images.

Each follows what its reader's sources say of real files; none uses the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tomarium.model import Frames, Image, Scan

ALL = slice(None)
PAR = """! PyHST_SLAVE PARAMETER FILE
# Parameters defining the projection file series
FILE_PREFIX = /nfs/spool/scan
NUM_FIRST_IMAGE = 0 # No. of first projection file
IMAGE_PIXEL_SIZE_1 = {pixel} # Pixel size horizontally (microns)
IMAGE_PIXEL_SIZE_2 = {pixel}
ROTATION_AXIS_POSITION = N.A.
OPTIONS= {{ 'padding':'E' , 'axis_to_the_center':'Y' }}
DO_PAGANIN = 1
DO_PAGANIN = 0
# tx = 12.25
tz = -3.5
"""


def pixels(frames: Frames) -> np.ndarray:
    return frames.read(ALL, ALL)


def write_flyscan(
    folder: Path,
    scan: Scan,
    *,
    root: str = "flyscan_00001",
    camera: str = "orca_image",
    rotation: str = "tomo1Rz1",
    averaged: bool = False,
    beamline: str = "ANATOMIX",
    more: dict[str, Any] | None = None,
) -> Path:
    """The older way keeps references as averages, ref_2d and dark_2d; the newer one as stacks, ref_0 and dark_0."""
    folder.mkdir()
    count = scan.shape[0]
    with h5py.File(folder / f"{folder.name}.nxs", "w") as file:
        group = file.create_group(root)
        group["title"], group["start_time"], group["User"] = "a title", "2023-05-04T10:00:00", "A. User"
        group[f"{beamline}/i11-c-c03__op__mono/energy"] = 20.0
        group[f"scan_data/{camera}"] = pixels(scan.projections)
        group[f"scan_data/{rotation}"] = np.asarray(scan.angles_deg.value, float)
        group["scan_data/timestamp"] = np.linspace(0, 180, count)
        group["scan_data/ring_current"] = 450 + np.sin(np.arange(count))
        for name, values in (more or {}).items():
            group[f"scan_data/{name}"] = values
    for names, reference in (("ref", scan.flats), ("dark", scan.darks)):
        if reference is None:
            continue
        frames = pixels(reference.frames)
        for when, taken in (("pre", reference.position < count), ("post", reference.position >= count)):
            if names == "dark":
                when, taken = "post", taken | ~taken if when == "post" else taken & ~taken
            if taken.any():
                with h5py.File(folder / f"{when}_{names}.nxs", "w") as file:
                    some = frames[taken]
                    file[f"{names}_2d" if averaged else f"{names}_0"] = (
                        some.mean(axis=0) if averaged else some
                    )
    (folder / f"{folder.name}.par").write_text(PAR.format(pixel=0.65), "latin-1")
    return folder


def write_als(path: Path, scan: Scan) -> Path:
    """Texts with a carriage return, one dataset a frame; flats by (repetition, angle at which they were taken)."""
    count = scan.shape[0]
    with h5py.File(path, "w") as file:
        file.attrs["facility"] = np.bytes_("als")
        group = file.create_group("20151120_100640_bone")
        turn = float(np.ptp(scan.angles_deg.value))
        values = {"nangles": count, "arange": turn, "pxsize": 0.00065, "senergy": 20000.0, "object": "a bone"}
        for name, value in values.items():
            group.attrs[name] = np.bytes_(f"{value}\r")
        for number, frame in enumerate(pixels(scan.projections)):
            group[f"20151120_100640_bone_0000_{number:04d}.tif"] = frame[np.newaxis]
        for word, reference in (("bak", scan.flats), ("drk", scan.darks)):
            seen: dict[int, int] = {}
            for place, frame in zip(reference.position, pixels(reference.frames), strict=True):
                angle = int(np.clip(np.ceil(place), 0, count - 1))
                seen[angle] = seen.get(angle, -1) + 1
                group[f"20151120_100640_bone{word}_{seen[angle]:04d}_{angle:04d}.tif"] = frame[np.newaxis]
    return path


def write_bliss(
    path: Path, scan: Scan, *, detectors: Sequence[str] = ("pcolinux",), keyed: bool = False, extra: int = 0
) -> Path:
    """A full turn as ebs-tomo writes it: the scan that begins it, darks, flats, projections in runs, flats again."""
    count = scan.shape[0]
    cuts = sorted({0, count, *(int(np.ceil(p)) for p in scan.flats.position if 0 <= p < count)})
    steps: list[tuple[str, int, np.ndarray, np.ndarray | None]] = [
        ("dark images", 2, pixels(scan.darks.frames), None)
    ]
    flats, where = pixels(scan.flats.frames), np.ceil(np.clip(scan.flats.position, 0, count))
    for first, last in zip([0, *cuts], [*cuts, count], strict=True):
        if first == last == 0 and (where == 0).any():
            steps.append(("reference images 1", 1, flats[where == first], None))
        if last > first:
            run = slice(first, last)
            steps.append(
                (
                    f"projections {first} - {last}",
                    0,
                    pixels(scan.projections)[run],
                    scan.angles_deg.value[run],
                )
            )
            if (where == last).any():
                steps.append(("reference images 2", 1, flats[where == last], None))
    with h5py.File(path, "w") as file:
        begin = file.create_group("1.1")
        begin.attrs["NX_class"] = "NXentry"
        begin["title"], begin["start_time"] = "tomo:fullturn", "2023-05-04T10:00:00"
        begin["technique/scan/energy"] = 20.0
        for name, value, unit in (("optic/sample_pixel_size", [0.65, 0.65], "um"),
                                  ("scan/sample_detector_distance", 100.0, "mm")):  # fmt: skip
            begin[f"technique/{name}"] = value
            begin[f"technique/{name}"].attrs["units"] = unit
        begin["technique/tomoconfig/rotation"] = ["hrsrot"]
        begin["technique/tomoconfig/detector"] = [detectors[0]]
        for number, (title, key, frames, angles) in enumerate(steps, 2):
            group = file.create_group(f"{number}.1")
            group.attrs["NX_class"] = "NXentry"
            if keyed:
                group["title"], group["technique/image_key"] = f"step {number}", key
            else:
                group["title"] = title
            for turn, detector in enumerate(detectors):
                group[f"instrument/{detector}/data"] = frames + turn
            positions = np.full(len(frames), 0.0) if angles is None else np.asarray(angles)
            if extra and angles is not None:
                positions = np.append(positions, positions[-1] + 1)
            group["instrument/positioners/hrsrot"] = positions
            group["measurement/current"] = np.full(len(frames), 200.0)
    return path


def example_map() -> Image:
    """A spectrum image: y and x in mm, energy in eV unevenly spaced."""
    data = np.random.default_rng(9).normal(size=(8, 12, 14)).astype(np.float32)
    return Image(data, (), "counts", "map")


def write_map(path: Path) -> Path:
    image = example_map()
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": "fluorescence"})
        entry["title"], entry["sample/name"] = "a map", "a leaf"
        group = entry.create_group("fluorescence")
        group.attrs.update({"NX_class": "NXdata", "signal": "counts", "axes": ["y", "x", "energy"]})
        group["counts"] = image[:]
        group["counts"].attrs["units"] = "counts"
        for name, values, unit in (("y", np.arange(8) * 0.005 + 13.6, "mm"), ("x", np.arange(12) * 0.002 - 0.85, "mm"),
                                   ("energy", np.arange(14.0) ** 2 + 7000, "eV")):  # fmt: skip
            group[name] = values
            group[name].attrs["units"] = unit
    return path
