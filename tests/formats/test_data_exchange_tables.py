"""Every row of the guide's tables and of the APS layouts: read by meaning, and given back by way of NXtomo.

A short list of our own always runs; the whole tables lie beside the real data.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from tomarium.conversion.convert import convert
from tomarium.model import Scan

ROWS, COLUMNS, FRAMES = 4, 5, 6
THETA = np.linspace(0, 150, FRAMES)
KEV_PER_J = 1 / 1.602176634e-16  # exact since the SI of 2019

GUIDE = """path,type,default_unit
/exchange{_N}/title,string,
/measurement{_N}/sample/mass,float,kg
/measurement{_N}/sample/temperature_set,float,K
/measurement{_N}/sample/pressure,float,Pa
/measurement{_N}/sample/experimenter{_N}/facility_user_id,string,
{any}/geometry/translation/distances,3 floats,m
{any}/geometry/orientation/value,6 floats,1
/measurement{_N}/instrument/source/energy,float,J
/measurement{_N}/instrument/source/pulse_energy,float,J
/measurement{_N}/instrument/source/datetime,string ISO8601,
/measurement{_N}/instrument/source/beam_intensity_incident,float,1/s
/measurement{_N}/instrument/attenuator{_N}/thickness,float,m
/measurement{_N}/instrument/monochromator/energy,float,J
/measurement{_N}/instrument/interferometer/grid_end,float,m
/measurement{_N}/instrument/detector{_N}/bit_depth,int,bit
/measurement{_N}/instrument/detector{_N}/x_pixel_size,float,m
/measurement{_N}/instrument/detector{_N}/exposure_time,float,s
/measurement{_N}/instrument/detector{_N}/counts_per_joule,float,1/J
/measurement{_N}/instrument/detector{_N}/roi/y2,int,pixel
/measurement{_N}/instrument/detector{_N}/objective{_N}/magnification,float,1
/provenance/process_N/message,string,
/reconstruction/rotation.center,float,
/export/output_URL,string,
"""

LAYOUT = """beamline,path,source,ndattribute_or_const,units,axes,when
2-BM,/measurement/instrument/source/current,ndattribute,RingCurrent,mA,,OnFileClose
2-BM,/measurement/instrument/mirror/setup/angle,ndattribute,MirrorAngle,mrad,,OnFileClose
2-BM,/measurement/instrument/attenuator/description,ndattribute,A,,,OnFileClose
2-BM,/measurement/instrument/attenuator_1/description,ndattribute,B,,,OnFileClose
2-BM,/measurement/instrument/sample/name,constant,microCT sample stages,,,OnFileClose
2-BM,/measurement/sample/name,ndattribute,SampleName,,,OnFileClose
2-BM,/measurement/instrument/detection_system/scintillator/active_thickness,ndattribute,T,μm,,OnFileClose
2-BM,/measurement/sample/environment/furnace/ramp_rate,ndattribute,F,°C/s,,OnFileClose
2-BM,/measurement/sample/environment/furnace/set_point,ndattribute,F,°C,,OnFileClose
2-BM,/measurement/ancillary/BarometricPressure,ndattribute,P,mbar,,OnFileClose
2-BM,/measurement/instrument/monochromator/setup/dcm_feedback_readback,ndattribute,F,percent,,OnFileWrite
2-BM,/process/acquisition/rotation/speed,ndattribute,S,degrees/s,,OnFileClose
"""

# Unit of a table → (another unit of the kind, one of it in the table's).
OTHER = {
    "kg": ("g", 1e-3), "kg/m^3": ("g/cm^3", 1e3), "K": ("celsius", 1.0), "Pa": ("kPa", 1e3), "m": ("mm", 1e-3),
    "A": ("mA", 1e-3), "J": ("keV", 1 / KEV_PER_J), "s": ("ms", 1e-3), "1/s": ("kHz", 1e3),
    "degree": ("rad", 180 / np.pi), "1/J": ("1/keV", KEV_PER_J),
}  # fmt: skip
# Unit in a layout → how the name here ends, and one of it in that unit.
SI = {
    "mm": ("_m", 1e-3), "μm": ("_m", 1e-6), "um": ("_m", 1e-6), "microns": ("_m", 1e-6), "nm": ("_m", 1e-9),
    "°": ("_deg", 1), "deg": ("_deg", 1), "degree": ("_deg", 1), "degrees": ("_deg", 1),
    "mrad": ("_deg", 0.18 / np.pi), "keV": ("_kev", 1), "eV": ("_kev", 1e-3), "mA": ("_a", 1e-3), "s": ("_s", 1),
    "fps": ("_per_s", 1), "°/s": ("_deg_per_s", 1), "degrees/s": ("_deg_per_s", 1), "°C/s": ("_k_per_s", 1),
    "mbar": ("_pa", 100), "N": ("_n", 1), "V": ("_v", 1), "percent": ("_percent", 1), "pixel": ("", 1),
    "counts": ("_counts", 1),
}  # fmt: skip

# Groups that have a geometry: {any} of Tables 27 to 29.
HOLDERS = ("sample", "instrument/source", "instrument/shutter{_N}", "instrument/attenuator{_N}",
           "instrument/monochromator", "instrument/interferometer", "instrument/detector{_N}",
           "instrument/detector{_N}/objective{_N}", "instrument/detector{_N}/scintillator{_N}")  # fmt: skip

Tree = dict[str, tuple[Any, str]]


def base() -> Tree:
    """Lay out a scan of six frames."""
    data = np.arange(FRAMES * ROWS * COLUMNS, dtype=np.uint16).reshape(FRAMES, ROWS, COLUMNS)
    return {
        "exchange/data": (data, "counts"), "exchange/theta": (THETA, "degree"),
        "exchange/data_white": (np.full((2, ROWS, COLUMNS), 60000, np.uint16), "counts"),
        "exchange/data_dark": (np.zeros((2, ROWS, COLUMNS), np.uint16), "counts"),
    }  # fmt: skip


def write(path: Path, tree: Tree) -> Path:
    with h5py.File(path, "w") as file:
        for place, (value, unit) in tree.items():
            file[place] = value
            if unit:
                file[place].attrs["units"] = unit
    return path


def opened(path: Path) -> Scan:
    scan = tm.open(path)
    assert isinstance(scan, Scan)
    return scan


def meant(scan: Scan) -> dict[str, Any]:
    """List what a scan says by names of ours: text, number or list of numbers."""
    found: dict[str, Any] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                add(f"{name}.{key}", item)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, item in enumerate(value):
                add(f"{name}.{number}", item)
        else:
            found[name] = value

    for name, value in scan.metadata.items():
        if not name.startswith("/"):
            add(name, value.value)
    for name in ("pixel_m", "energy_kev", "distance_m"):
        if getattr(scan, name) is not None:
            found[name] = getattr(scan, name).value
    return found


def agree(found: Any, expected: Any) -> bool:
    if isinstance(expected, str) or not isinstance(found, int | float | list):
        return isinstance(expected, str) and isinstance(found, str) and found == expected
    one, other = np.atleast_1d(found), np.atleast_1d(expected)
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=0))


def values(rows: list[dict[str, str]], how: str, number: int) -> Iterator[tuple[str, Any, str, Any]]:
    """Yield (path, value, unit, value by meaning) for every member that is a value; each value comes once.

    `how` takes the unit documented, another one of its kind, or none, where Table 36 holds; `number` is that of the
    numbered groups, the first going without.
    """
    suffix = f"_{number}" if number > 1 else ""
    for order, row in enumerate(rows):
        kind, unit, given = row["type"], row["default_unit"], row["path"]
        if not kind.startswith(("string", "float", "int", "3 f", "6 f")) or "attr" in kind:
            continue
        holders = (
            [f"/measurement{{_N}}/{holder}" for holder in HOLDERS] if given.startswith("{any}") else [""]
        )
        for place, holder in enumerate(holders):
            path = given.replace("{any}", holder).lstrip("/").replace("/process_N", "/process_1")
            path = re.sub(r"^(measurement|exchange)\{_N\}", r"\1", path).replace("{_N}", suffix)
            if kind.startswith("string"):
                yield path, _text(path, order), "", _text(path, order)
                continue
            count = {"3": 3, "6": 6}.get(kind[0], 6 if "matrix" in kind else 1)
            scale = 1e-17 if unit == "J" and "pulse" not in path else 1e-3 if "thickness" in path else 1.0
            truth: Any = (order + 1 if kind == "int" else order + 1.25) * scale + 250 * (unit == "K")
            if count > 1:
                truth = truth + 0.5 * np.arange(count) + 100 * place
            written, spelt = truth, "" if unit in ("1", "bit", "pixel") else unit
            if how == "no unit":
                spelt = ""
            if how == "another unit" and unit in OTHER:
                spelt, size = OTHER[unit]
                written = truth - 273.15 if unit == "K" else truth / size
            yield path, written, spelt, truth * KEV_PER_J if scale == 1e-17 else truth


def _text(path: str, order: int) -> str:
    known = {
        "implements": "exchange:measurement:provenance",
        "datetime": f"2020-01-01T00:00:{order % 60:02d}",
    }
    if path.startswith("provenance"):
        known |= {"status": "SUCCESS", "reference": "/reconstruction"}
    if path.endswith(("detector/output_data", "detector_2/output_data")):
        known["output_data"] = "/exchange"
    return known.get(path.rsplit("/", 1)[-1], f"text {order}")


def guide(name: str, shared: Callable[[str], Path]) -> list[dict[str, str]]:
    text = GUIDE if name == "own" else shared("../design/dataexchange-0.9.1.csv").read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text)))


BOTH = pytest.mark.parametrize("name", ["own", "guide"])


@BOTH
@pytest.mark.parametrize("how", ["documented unit", "another unit", "no unit"])
def test_each_row_alone_is_read_by_meaning(
    name: str, how: str, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    lost = []
    told = list(values(guide(name, shared), how, 1))
    for path, written, unit, truth in told:
        scan = opened(write(tmp_path / "row.h5", base() | {path: (written, unit)}))
        if path != "implements" and not any(agree(found, truth) for found in meant(scan).values()):
            lost.append(path)
    assert lost == []
    assert len(told) >= (31 if name == "own" else 140)


@BOTH
@pytest.mark.parametrize("number", [1, 2], ids=["unnumbered", "numbered"])
@pytest.mark.parametrize("how", ["documented unit", "another unit"])
def test_all_rows_together_come_back_by_way_of_nxtomo(
    name: str, how: str, number: int, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    rows = guide(name, shared)
    told = list(values(rows, how, number))
    tree = base() | {path: (written, unit) for path, written, unit, _ in told}
    tree |= {"measurement/instrument/setup/camera/x": (12.5, "mm"), "exchange/x": (np.arange(5.0) * 2, "um")}
    tree |= {"exchange/theta_white": (np.array([0.0, 150]), "degree"), "reconstruction/x": (1.0, "")}
    first = write(tmp_path / "a.h5", tree)
    with h5py.File(first, "a") as file:
        file["exchange/data"].attrs.update({"axes": "theta:y:x", "description": "transmission"})
        for row in rows:  # a group may be empty
            if row["type"].startswith("group"):
                file.require_group(re.sub(r"\{_N\}|_N|\{any\}", "", row["path"]))
    scan = opened(first)
    known = meant(scan)
    lost = [
        path
        for path, _, _, truth in told
        if path != "implements" and not any(agree(found, truth) for found in known.values())
    ]
    assert lost == []
    assert known["data_description"] == "transmission"
    assert known["setup_camera_x_m"] == pytest.approx(0.0125, rel=1e-12)
    assert known["x_positions_m"] == pytest.approx([0, 2e-6, 4e-6, 6e-6, 8e-6], rel=1e-12)

    convert(scan, tmp_path / "b.nx")
    between = opened(tmp_path / "b.nx")
    assert meant(between).keys() >= known.keys()
    assert [path for path in known if not agree(meant(between)[path], known[path])] == []
    convert(between, tmp_path / "c.h5")
    assert contents(tmp_path / "c.h5") == contents(first)


def contents(path: Path) -> dict[str, Any]:
    """List every dataset and attribute, to the bit."""
    found: dict[str, Any] = {}

    def add(name: str, node: h5py.Group | h5py.Dataset) -> None:
        found.update({f"{name}@{key}": str(value) for key, value in node.attrs.items()})
        found[name] = "group"
        if isinstance(node, h5py.Dataset):
            raw = np.asarray(node[()])
            found[name] = (
                node.shape,
                str(node.dtype),
                raw.tolist() if raw.dtype.hasobject else raw.tobytes(),
            )

    with h5py.File(path) as file:
        file.visititems(add)
    return found


@BOTH
def test_every_row_of_the_aps_layouts_is_read(
    name: str, shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """areaDetector writes arrays of one element, and one number for each frame on "OnFileWrite".

    Each beamline's layout is read by itself; all together, each path as the first beamline has it, go there and back.
    """
    text = LAYOUT if name == "own" else shared("../design/aps-areadetector-layouts.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    problems = []
    count = 0
    everything = base()
    for beamline in dict.fromkeys(row["beamline"] for row in rows):
        tree, truths = base(), {}
        for order, row in enumerate(rows):
            path, unit = row["path"].lstrip("/"), row["units"]
            if row["beamline"] != beamline or path in tree:
                continue
            if row["source"] == "detector":
                tree[path] = (np.zeros((2, ROWS, COLUMNS), np.uint16), unit)
                continue
            value: Any = (
                row["ndattribute_or_const"].strip() if row["source"] == "constant" else f"text {order}"
            )
            truths[f"/{path}"] = ("", value)
            if path.endswith("num_angles"):
                value, truths[f"/{path}"] = np.array([FRAMES]), ("", FRAMES)
            elif unit:
                value = order + 0.5 + np.arange(10 if row["when"] == "OnFileWrite" else 1)
                warm = unit in ("°C", "Celsius")
                ending, size = ("_k", 1) if warm else SI[unit]
                truth = value * size + 273.15 * warm
                truths[f"/{path}"] = (ending, truth if len(truth) > 1 else truth[0])
            tree[path] = (value, unit)
        scan = opened(write(tmp_path / f"{beamline}.h5", tree))
        read = {value.source.partition(":")[2]: (key, value.value) for key, value in named(scan)}
        count += len(truths)
        for place, (ending, truth) in truths.items():
            key, found = read.get(place, ("", None))
            # What a table calls a number and this test fills with a text is kept as the text it is.
            if found is None or not agree(found, truth) or not key.endswith(ending):
                problems.append((beamline, place, key, found, truth))
        everything = tree | everything
    convert(opened(write(tmp_path / "all.h5", everything)), tmp_path / "all.nx")
    convert(opened(tmp_path / "all.nx"), tmp_path / "back.h5")
    assert contents(tmp_path / "back.h5") == contents(tmp_path / "all.h5")
    assert problems == []
    assert count >= (12 if name == "own" else 880)


def named(scan: Scan) -> Iterator[tuple[str, Any]]:
    yield from ((key, value) for key, value in scan.metadata.items() if not key.startswith("/"))
    for key in ("pixel_m", "energy_kev", "distance_m"):
        if getattr(scan, key) is not None:
            yield key, getattr(scan, key)


def test_lists_without_end_are_left_in_the_file(tmp_path: Path) -> None:
    """Datasets that hold nothing but a fill value cost a file no bytes, and would cost a reader all its memory."""
    write(tmp_path / "scan.h5", base())
    with h5py.File(tmp_path / "scan.h5", "a") as file:
        for number in range(40):
            file.create_dataset(
                f"measurement/ancillary/{number:02d}", (100_000,), "f8", chunks=True, fillvalue=1.0
            )
    scan = opened(tmp_path / "scan.h5")
    assert len([name for name in scan.metadata if name.startswith("ancillary_")]) == 10
    assert [text for text in scan.warnings if "30 lists of numbers" in text]


def test_each_exchange_has_the_measurement_of_its_number(tmp_path: Path) -> None:
    tree = base()
    for number, name in enumerate(("tooth", "bone"), 1):
        suffix = "_2" if number == 2 else ""
        place = f"measurement{suffix}"
        tree |= {f"exchange{suffix}/{key.partition('/')[2]}": value for key, value in base().items()}
        tree |= {
            f"{place}/sample/name": (name, ""),
            f"{place}/sample/mass": (1.5 * number, "g"),
            f"{place}/instrument/mirror/setup/angle": (2.0 * number, "mrad"),
            f"{place}/instrument/setup/camera": (f"camera {number}", ""),
            f"exchange{suffix}/frame_type": (f"type {number}", ""),
        }
    write(tmp_path / "two.h5", tree)
    for number, name in enumerate(("tooth", "bone"), 1):
        scan = tm.open(tmp_path / "two.h5", entry="exchange_2" if number == 2 else "exchange")
        assert isinstance(scan, Scan)
        known = meant(scan)
        assert known["sample_name"] == name
        assert known["sample_mass_kg"] == pytest.approx(1.5e-3 * number, rel=1e-12)
        assert known["mirror_angle_deg"] == pytest.approx(2e-3 * number * 180 / np.pi, rel=1e-12)
        assert known["setup_camera"] == f"camera {number}"
        assert known["exchange_frame_type"] == f"type {number}"
