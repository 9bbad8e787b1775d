"""Files of scans that do all their formats allow, and all that a file says as plain things to compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

import tomarium as tm
from tomarium.model import Scan

RNG = np.random.default_rng(3)
# Sizes differ so that no axis can be taken for another.
FRAMES = RNG.integers(0, 60000, (12, 4, 5), np.uint16)


def open_scan(path: Path, **given: Any) -> Scan:
    scan = tm.open(path, **given)
    assert isinstance(scan, Scan)
    return scan


def data_exchange(path: Path) -> Path:
    """A file that does all a Data Exchange file may: chunks, scales, links, odd types, groups of its own."""
    with h5py.File(path, "w") as file:
        file["implements"] = "measurement:exchange"
        file.attrs["made by"] = np.bytes_(b"a beamline")
        data = file.create_dataset(
            "exchange/data", data=FRAMES[:8], dtype=">u2", chunks=(2, 4, 5), compression="gzip", shuffle=True,
            maxshape=(None, 4, 5),
        )  # fmt: skip
        data.attrs.update({"axes": "theta:y:x", "units": "counts", "valid": np.array([0, 60000], np.int32)})
        # Angles no formula gives back, in a unit of their own.
        file["exchange/theta"] = np.deg2rad(np.sort(RNG.uniform(0, 324, 8)))
        file["exchange/theta"].attrs["units"] = "rad"
        for axis, name in enumerate(("theta", "y", "x")):
            if name not in file["exchange"]:
                file[f"exchange/{name}"] = np.arange(data.shape[axis])
            file[f"exchange/{name}"].make_scale(name)
            data.dims[axis].attach_scale(file[f"exchange/{name}"])
        file["exchange/data_white"] = RNG.uniform(0, 1, (2, 4, 5)).astype(np.float32)
        file["exchange/data_dark"] = FRAMES[8].astype(np.uint16)  # averaged: one frame without an axis
        file["exchange_2/data"] = RNG.uniform(0, 1, (3, 3, 3))
        file["measurement/instrument/detector/x_pixel_size"] = np.float32(1.3)
        file["measurement/instrument/detector/x_pixel_size"].attrs["units"] = "um"
        file["measurement/instrument/oddity"] = np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")])
        file["measurement/sample/name"] = np.array(b"b\xf6ne", "S8")
        file["measurement/sample/again"] = file["measurement/sample/name"]
        file["measurement/sample/alias"] = h5py.SoftLink("/exchange/data")
        file["measurement/sample/raw"] = h5py.ExternalLink("absent.h5", "/x")
        file["measurement/sample/nothing"] = h5py.Empty("f4")
        file["measurement/sample/points_to"] = file["exchange/data"].ref
        file.create_dataset("measurement/notes", data=["eins", "zwei"], dtype=h5py.string_dtype())
        file["measurement/notes"].attrs["refers"] = file["exchange"].ref
        file["measurement/notes"].attrs["empty"] = h5py.Empty("S1")
    return path


def sinograms(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["exchange/data"] = FRAMES[:6].transpose(1, 0, 2)
        file["exchange/data"].attrs["axes"] = "y:theta:x"
        file["exchange/theta"] = np.linspace(0, 150, 6)
    return path


def nxtomo(path: Path) -> Path:
    """A file as the ESRF writes it: flats amid, alignment and invalid frames, flips, links, two entries."""
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry0000"
        for number in range(2):
            entry = file.create_group(f"entry000{number}")
            entry.attrs.update({"NX_class": "NXentry", "version": 2.1, "default": "data"})
            entry["definition"] = "NXtomo"
            detector = entry.create_group("instrument/detector")
            detector.attrs["NX_class"] = "NXdetector"
            detector.create_dataset("data", data=FRAMES + number, chunks=(3, 4, 5), compression="lzf")
            detector["image_key"] = np.array([2, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3])
            detector["image_key_control"] = np.array([2, 1, 0, 0, 0, 1, 0, 0, 0, -1, 1, 3])
            detector["transformations/rz"] = 180.0
            detector["transformations/rz"].attrs.update(
                {"transformation_type": "rotation", "vector": [0, 1.0, 0]}
            )
            detector["x_rotation_axis_pixel_position"] = 2.25
            entry["sample/rotation_angle"] = np.sort(RNG.uniform(-3, 190, 12))
            entry["sample/rotation_angle"].attrs["units"] = "degree"
            entry["sample/name"] = "bone"
            entry["data/data"] = detector["data"]
            entry["data"].attrs.update({"NX_class": "NXdata", "signal": "data"})
            entry["data"].attrs["SILX_style/axis_scale_types"] = np.array(["linear", "log"], dtype=object)
    return path


def tree(path: Path) -> dict[str, Any]:
    """All a file says, as plain comparable things: types, layouts, bytes, attributes, links, names shared."""
    found: dict[str, Any] = {}
    with h5py.File(path, "r") as file:

        def told(node: h5py.Group | h5py.Dataset) -> dict[str, Any]:
            attributes = {}
            for name in node.attrs:
                held = node.attrs.get_id(name)
                if name in ("DIMENSION_LIST", "REFERENCE_LIST"):
                    continue
                value = node.attrs[name]
                if isinstance(value, h5py.Reference):
                    value = file[value].name
                kind = held.get_type()
                size = None if isinstance(value, h5py.Empty) else np.asarray(value).tolist()
                attributes[name] = (str(held.dtype), held.shape, kind.get_class(), kind.get_size(), size)
            return attributes

        def visit(group: h5py.Group, home: str) -> None:
            for name in group:
                path, link = f"{home}/{name}", group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    found[path] = (type(link).__name__, link.path, getattr(link, "filename", ""))
                    continue
                node = group[name]
                if isinstance(node, h5py.Group):
                    found[path] = ("group", told(node))
                    visit(node, path)
                    continue
                value: Any = node[()]
                if isinstance(value, h5py.Reference):
                    value = file[value].name
                elif isinstance(value, h5py.Empty):
                    value = "empty"
                else:
                    value = np.asarray(value)
                    value = value.tolist() if value.dtype.hasobject else value.tobytes()
                plist = node.id.get_create_plist()
                filters = [plist.get_filter(i)[:3] for i in range(plist.get_nfilters())]
                scales = [[str(one.name) for one in axis.values()] for axis in node.dims] if node.ndim else []
                found[path] = (str(node.dtype), node.shape, node.maxshape, node.chunks, filters, value, told(node),
                               scales, h5py.h5o.get_info(node.id).rc)  # fmt: skip

        found["/"] = told(file)
        visit(file, "")
    return found
