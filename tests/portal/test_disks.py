"""The page of copies shows what the ledger knows, to those who keep the house."""

from dataclasses import replace
from pathlib import Path

import pytest

from app_client import TestClient
from tomarium.beamtime.copy_ledger import Copy, Transfer, now, open_ledger
from tomarium.beamtime.copy_scans import copy_scans, list_all, open_disk
from tomarium.beamtime.mounted_volumes import Volume
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
    with open_ledger(tmp_path / "copies.sqlite") as ledger, open_disk(tmp_path / "disk1") as disk:
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


def test_a_copy_at_globus_says_who_verified_it(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beamtime.toml").touch()
    client = TestClient(create_app(catalogue, local=True), base_url="http://testserver")
    archive = Volume("globus:6c54cade", "globus", "Archive of the Institute", "globus", "", Path("/"))
    copying = Copy(archive.id, "2026/tooth_01", "tooth_01", "", "copying", "copy", 3, 1000, now(), None)
    active = Transfer(archive.id, "2026/tooth_01", "1", "2", "ACTIVE", now(), "", "1 of 3 files")
    with open_ledger(tmp_path / "copies.sqlite") as ledger:
        ledger.see(archive)
        ledger.enter(copying)
        ledger.enter_transfer(active)
        page = client.get("/disks").text
        assert "Archive of the Institute: copying, Globus: active, 1 of 3 files" in page
        ledger.enter(replace(copying, state="whole", content="0", verified="2026-11-29T03:04:05+00:00"))
        ledger.enter_transfer(replace(active, state="SUCCEEDED"))
    page = client.get("/disks").text
    assert "Archive of the Institute: whole, verified by Globus 2026-11-29 03:04<" in page
    assert "a collection of Globus" in page
    assert "not plugged in" not in page
