"""Nothing that is given to others tells where a scan lies on this machine, and the run can be repeated all the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tomarium as tm
from app_client import TestClient
from contracts.test_steps import make_scan
from tomarium.catalogue import file_record, ingest, open_catalogue, verify
from tomarium.catalogue.make_record import make_record, repeat_record
from tomarium.cli import execute
from tomarium.formats.data_exchange import reader as data_exchange
from tomarium.model import Scan, Value
from tomarium.pipeline.protocol.protocol import default_protocol
from tomarium.pipeline.run.folders import folders_of, without_folders
from tomarium.portal.app import create_app

MakeFolder = Callable[..., Path]


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    """A scan whose angles lie in another file, opened by absolute paths, and that warns with one."""
    (tmp_path / "raw" / "day").mkdir(parents=True)
    path = tmp_path / "raw" / "day" / "disc.h5"
    data_exchange.FORMAT.write(path, make_scan(angles=90))  # type: ignore[misc]
    opened = tm.open(path, data=f"{path}:/exchange/data", flats=f"{path}:/exchange/data_white",
                     darks=f"{path}:/exchange/data_dark", angles=f"{path}:/exchange/theta")  # fmt: skip
    assert isinstance(opened, Scan)
    return replace(opened, warnings=(f"{path}: is odd", f"see {tmp_path}/raw/notes.txt"))


def addresses(client: TestClient, id: str, record: Path) -> Iterator[str]:
    """Every page and twin of a record, every file of it, and its metadata in every standard."""
    yield from ("/", "/records", "/records.json", "/api", "/openapi.json", "/about", "/records?q=disc")
    yield from (f"/records/{id}", f"/records/{id}.json", f"/records/{id}/metadata/ro-crate")
    yield f"/records/{id}/folders/volume.ome.zarr"
    for file in record.rglob("*"):
        if file.is_file() and file.name != ".source.json":
            yield f"/records/{id}/files/{file.relative_to(record).as_posix()}"


def give_all(record: Path, catalogue: Path) -> list[tuple[str, bytes]]:
    """Everything a portal gives of a record."""
    with open_catalogue(catalogue) as opened:
        id = ingest(opened, record).id
        with TestClient(create_app(opened, local=True), raise_server_exceptions=False) as client:
            answers = [(one, client.get(one)) for one in addresses(client, id, record)]
            assert {answer.status_code for _, answer in answers} == {200}
            assert client.get(f"/records/{id}/files/.source.json").status_code == 404
    return [(address, answer.content) for address, answer in answers]


def test_a_record_tells_no_folder(scan: Scan, tmp_path: Path) -> None:
    record = tmp_path / "record"
    make_record(scan, default_protocol(), record)
    assert verify(record) == ()
    for file in record.rglob("*"):
        if file.is_file() and file.name != ".source.json":
            assert str(tmp_path).encode() not in file.read_bytes(), file
    told = json.loads((record / "provenance.json").read_text())
    assert told["source"]["path"] == "disc.h5"
    assert told["source"]["fingerprint"]["sha256"]
    assert told["source"]["metadata"]["opened_flats"]["value"] == "disc.h5:/exchange/data_white"
    assert told["warnings"][:2] == ["disc.h5: is odd", "see notes.txt"]
    for address, content in give_all(record, tmp_path / "c.sqlite"):
        assert str(tmp_path).encode() not in content, address


def test_it_is_repeated_from_where_the_scan_lies(
    scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "record"
    make_record(scan, default_protocol(), record)
    assert (record / ".source.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert execute(["run", "--again", str(record), "-o", str(tmp_path / "again")]) == 1
    np.testing.assert_array_equal(tm.open(record)[:], tm.open(tmp_path / "again")[:])  # type: ignore[index]
    (record / ".source.json").unlink()  # as it is where a record was taken from a portal
    assert execute(["run", "--again", str(record), "-o", str(tmp_path / "third")]) == 2
    assert (
        "was made of disc.h5, which is not there any more; give its place as SCAN" in capsys.readouterr().err
    )


def test_a_record_of_before_is_shown_without_its_folder(
    tmp_path: Path, make_record_folder: MakeFolder
) -> None:
    """As the first records were: their files tell the path of the scan, whose bytes are kept."""
    record = make_record_folder(tmp_path / "old", size=16)
    path = tmp_path / "raw" / "tooth.h5"
    provenance = {
        "source": {"path": str(path), "why": f"it lies in {path.parent}/"},
        "warnings": [f"{path}: x"],
    }
    (record / "provenance.json").write_text(json.dumps(provenance))
    (record / "run.log").write_text(f"opened {path}\n")
    zarr = json.loads((record / "volume.ome.zarr" / "zarr.json").read_text())
    zarr["attributes"]["tomarium"] = {"provenance": provenance}
    (record / "volume.ome.zarr" / "zarr.json").write_text(json.dumps(zarr))
    file_record(record, title="Old", parameters={"sample_name": Value(f"{path}", "read", f"{path}:/a")})
    before = (record / "provenance.json").read_bytes()
    given = dict(give_all(record, tmp_path / "c.sqlite"))
    for address, content in given.items():
        assert str(tmp_path).encode() not in content, address
    assert (
        json.loads(given["/records/" + ingested(tmp_path) + "/files/provenance.json"])["source"]["path"]
        == "tooth.h5"
    )
    assert (record / "provenance.json").read_bytes() == before
    assert verify(record) == ()


def ingested(tmp_path: Path) -> str:
    with open_catalogue(tmp_path / "c.sqlite") as catalogue:
        return ingest(catalogue, tmp_path / "old").id


def test_a_record_of_before_is_repeated(scan: Scan, tmp_path: Path) -> None:
    record = tmp_path / "record"
    make_record(replace(scan, warnings=()), default_protocol(), record)
    kept = json.loads((record / ".source.json").read_text())
    (record / ".source.json").unlink()
    told = json.loads((record / "provenance.json").read_text())
    told["source"]["path"] = kept["path"]
    for name, place in kept["places"].items():
        told["source"]["metadata"][f"opened_{name}"]["value"] = place
    (record / "provenance.json").write_text(json.dumps(told))
    assert repeat_record(record, folder=tmp_path / "again").folder == tmp_path / "again"


@pytest.mark.parametrize(
    ("path", "text", "left"),
    [
        ("/data/visitor/ma1/s.h5", "/data/visitor/ma1/s.h5:/a/b", "s.h5:/a/b"),
        ("/data/visitor/ma1/s.h5", "see (/data/visitor/other.h5)", "see (other.h5)"),
        ("/data/visitor/ma1/s.h5", "s.h5:/data/x and x/data/visitor/y", "s.h5:/data/x and x/data/visitor/y"),
        ("/data/s.h5", "/data/s.h5: of s.h5:/data/image", "s.h5: of s.h5:/data/image"),
        ("/s.h5", "/s.h5", "/s.h5"),
        (r"C:\Users\me\s.h5", r"C:\Users\me\s.h5: odd", "s.h5: odd"),
        ("s.h5", "/data/visitor/ma1/s.h5", "/data/visitor/ma1/s.h5"),
    ],
)
def test_folders_are_taken_from_paths_alone(path: str, text: str, left: str) -> None:
    folders = folders_of([path])
    assert without_folders(text, folders) == left
    assert without_folders({text: [text, 1, None]}, folders) == {left: [left, 1, None]}
