"""The page of copies shows what the ledger knows, to those who keep the house."""

from pathlib import Path

import pytest

from app_client import TestClient
from tomarium.beamtime.copy_ledger import open_ledger
from tomarium.beamtime.copy_scans import copy_scans, list_all, taking
from tomarium.catalogue import Catalogue
from tomarium.portal.app import create_app


def test_scans_with_one_copy_come_first(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beamtime.toml").touch()
    (tmp_path / "disk1").mkdir()
    for name in ("tooth_01", "tooth_<02>"):
        (tmp_path / name).write_bytes(name.encode())
    client = TestClient(create_app(catalogue, local=True), base_url="http://testserver")
    assert "There is no ledger of copies yet" in client.get("/disks").text
    with open_ledger(tmp_path / "copies.sqlite") as ledger, taking(tmp_path / "disk1") as disk:
        copy_scans(list_all([tmp_path / "tooth_01", tmp_path / "tooth_<02>"], disk.target), disk, ledger)
    for folder in (tmp_path, tmp_path / "disk1"):
        (folder / "tooth_<02>").unlink()
    told = client.get("/disks.json").json()
    assert [(one["scan"], one["places"]) for one in told["scans"]] == [("tooth_<02>", 0), ("tooth_01", 1)]
    assert told["few"] == 2  # source and copy of the other lie on one disk
    page = client.get("/disks").text
    assert "tooth_&lt;02&gt;" in page
    assert "2 of 2 scans" in page
    (tmp_path / "disk1").rename(tmp_path / "away")
    assert "not plugged in" in client.get("/disks").text
