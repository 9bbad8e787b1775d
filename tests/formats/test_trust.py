"""Scans that only refer to raw data above or outside their folder, once that folder is trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import tomarium as tm
from contracts.test_formats import example_scan
from contracts.test_steps import make_scan
from tomarium.cli import execute
from tomarium.conversion.convert import convert
from tomarium.errors import FormatError, ParameterError
from tomarium.formats import formats, trusting
from tomarium.formats.opening.trusted_folders import trusted
from tomarium.model import Scan


def refer(folder: Path, how: str, scan: Scan | None = None) -> Path:
    """An NXtomo as nxtomomill writes it: its frames lie in RAW_DATA, beside the folder of the scan."""
    home, raw = folder / "PROCESSED_DATA" / "scan", folder / "RAW_DATA" / "scan"
    home.mkdir(parents=True)
    raw.mkdir(parents=True)
    path = home / "scan.nx"
    formats()["nxtomo"].write(path, scan or example_scan())  # type: ignore[misc]
    with h5py.File(path, "a") as file:
        place = file["entry/instrument/detector"].name
        frames = file[f"{place}/data"][()]
        del file[f"{place}/data"]
        with h5py.File(raw / "raw.h5", "w") as source:
            source["measurement/frames"] = frames
        name = str(raw / "raw.h5") if "absolute" in how else "../../RAW_DATA/scan/raw.h5"
        if "link" in how:
            file[f"{place}/data"] = h5py.ExternalLink(name, "/measurement/frames")
        else:
            layout = h5py.VirtualLayout(frames.shape, frames.dtype)
            layout[...] = h5py.VirtualSource(name, "/measurement/frames", frames.shape, frames.dtype)
            file[place].create_virtual_dataset("data", layout)
    return path


HOW = ["virtual", "absolute virtual", "link", "absolute link"]


def pixels(scan: Any) -> np.ndarray:
    assert isinstance(scan, Scan)
    return scan.projections.read(slice(None), slice(None))


@pytest.mark.parametrize("how", HOW)
def test_it_opens_where_the_folder_is_trusted_and_only_there(tmp_path: Path, how: str) -> None:
    path = refer(tmp_path, how)
    raw = tmp_path / "RAW_DATA"
    with pytest.raises(FormatError, match=r"outside the scan's own folder; .* or say --trust DIR"):
        tm.open(path)
    expected = pixels(example_scan())
    scan = None
    for trust in ([raw], [raw / "scan"], [tmp_path], str(raw), raw, [str(tmp_path / "PROCESSED_DATA"), raw]):
        scan = tm.open(path, trust=trust)
        np.testing.assert_array_equal(pixels(scan), expected)
    with pytest.raises(FormatError, match="outside the scan's own folder"):
        tm.open(path)  # a scan that was trusted once is not for good
    with pytest.raises(FormatError, match="outside the scan's own folder"):
        tm.open(path, trust=[tmp_path / "PROCESSED_DATA"])
    assert trusted() == ()
    np.testing.assert_array_equal(pixels(scan), expected)


def test_a_trusted_folder_is_the_one_its_links_lead_to(tmp_path: Path) -> None:
    path = refer(tmp_path, "virtual")
    (tmp_path / "alias").symlink_to("RAW_DATA")
    np.testing.assert_array_equal(pixels(tm.open(path, trust=[tmp_path / "alias"])), pixels(example_scan()))
    secret = tmp_path / "secret"
    (tmp_path / "RAW_DATA").rename(secret)
    (tmp_path / "RAW_DATA").mkdir()
    (tmp_path / "RAW_DATA" / "scan").symlink_to(secret / "scan")
    with pytest.raises(FormatError, match="outside the scan's own folder"):
        tm.open(path, trust=[tmp_path / "RAW_DATA"])
    sibling = tmp_path / "RAW_DATA" / "sc"
    sibling.mkdir()
    with pytest.raises(FormatError, match="outside the scan's own folder"):
        tm.open(path, trust=[sibling])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = refer(tmp_path, "virtual")
    for trust in (tmp_path / "absent", path):
        with pytest.raises(ParameterError, match="there is no such folder"):
            tm.open(path, trust=[trust])


def test_bytes_outside_of_hdf5_stay_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "bytes").write_bytes(bytes(12 * 3 * 4))
    (tmp_path / "scan").mkdir()
    with h5py.File(tmp_path / "scan" / "scan.h5", "w") as file:
        external = [(str(tmp_path / "raw" / "bytes"), 0, 144)]
        file.create_dataset("exchange/data", (12, 3, 4), np.uint8, external=external)
    with pytest.raises(FormatError, match=r"raw file .*bytes, which is refused"):
        tm.open(tmp_path / "scan" / "scan.h5", trust=[tmp_path])


def test_it_is_tried_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = refer(tmp_path, "link")
    scan = tm.open(path, trust=[tmp_path / "RAW_DATA"], isolated=True)
    np.testing.assert_array_equal(pixels(scan), pixels(example_scan()))


def test_a_par_takes_edfs_of_a_trusted_folder(tmp_path: Path) -> None:
    formats()["pyhst-par"].write(tmp_path / "out", example_scan())  # type: ignore[misc]
    [par] = (tmp_path / "out").glob("*.par")
    [frames] = [one for one in (tmp_path / "out").iterdir() if one.is_dir()]
    (tmp_path / "raw").mkdir()
    frames.rename(tmp_path / "raw" / frames.name)
    par.write_text(par.read_text().replace(f"{frames.name}/", f"{tmp_path}/raw/{frames.name}/"))
    scan = tm.open(par)
    assert isinstance(scan, Scan)
    assert scan.missing
    np.testing.assert_array_equal(pixels(tm.open(par, trust=[tmp_path / "raw"])), pixels(example_scan()))


@pytest.mark.parametrize("how", ["virtual", "link"])
def test_every_command_and_a_conversion_take_it(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = refer(tmp_path, how, make_scan(angles=60))
    trust = ["--trust", str(tmp_path / "RAW_DATA")]
    for command in (["info"], ["axis"], ["plan"], ["doctor"]):
        code = execute([*command, str(path)])
        assert code == 2
        said = capsys.readouterr()
        assert "--trust DIR" in said.out + said.err
        assert execute([*command, str(path), *trust]) in (0, 1)
        capsys.readouterr()
    record, again = tmp_path / "record", tmp_path / "again"
    assert execute(["run", str(path), *trust, "--rows", "2:4", "-o", str(record)]) in (0, 1)
    assert execute(["run", "--again", str(record), "-o", str(again)]) == 2, "a record trusts for nobody"
    assert "--trust DIR" in capsys.readouterr().err
    assert execute(["run", "--again", str(record), *trust, "-o", str(again)]) in (0, 1)
    volumes = [np.asarray(tm.open(one / "volume.ome.zarr")) for one in (record, again)]
    np.testing.assert_array_equal(*volumes)

    assert execute(["convert", str(path), str(tmp_path / "c.h5"), *trust]) == 0
    assert execute(["convert", str(path), str(tmp_path / "d"), "--to", "tiff", *trust]) == 0
    capsys.readouterr()
    for other in ("c.h5", "d"):
        assert execute(["diff", str(path), str(tmp_path / other), *trust, "--json"]) in (0, 1)
        findings = {one["what"]: one["same"] for one in json.loads(capsys.readouterr().out)["findings"]}
        assert findings["projections"]
        assert findings["flats"]


def test_python_converts_within_a_block(tmp_path: Path) -> None:
    path = refer(tmp_path, "virtual")
    with trusting([tmp_path / "RAW_DATA"]):
        scan = tm.open(path)
        assert isinstance(scan, Scan)
        convert(scan, tmp_path / "c.h5")
    np.testing.assert_array_equal(pixels(tm.open(tmp_path / "c.h5")), pixels(example_scan()))
