"""Our crates, judged by roc-validator and read by rocrate, without a network."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from specimen_links import link
from standards.examples import DRAFT, FULL
from tomarium.catalogue.log_entry import Entry as LogEntry
from tomarium.catalogue.log_export import log_archive
from tomarium.catalogue.log_files import keep_files
from tomarium.model import Record
from tomarium.model.entity import Entity, Origin
from tomarium.standards.ro_crate import FILENAME, export
from tomarium.standards.specimen_crate import export_specimen

RECORDS = {"full": FULL, "draft": DRAFT}
CONTENT = {"specimen.json": b"{}", "links/map-in-core.json": b"{}"}
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(params=RECORDS.values(), ids=RECORDS)
def crate(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    record: Record = request.param
    for entry in record.files:
        path = tmp_path / entry.path
        (path if entry.path.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not entry.path.endswith("/"):
            path.write_text("content")
    (tmp_path / FILENAME).write_text(export(record), encoding="utf-8")
    return tmp_path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer the address of the context from rocrate's copy of 1.3, which holds all terms of 1.2, and no other."""
    requests = pytest.importorskip("requests")
    pytest.importorskip("rocrate_validator")
    package = pytest.importorskip("rocrate")
    context = (Path(package.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()

    def answer(_session: Any, _method: str, url: str, **_options: Any) -> Any:
        if not url.startswith("https://w3id.org/ro/crate/"):
            raise requests.ConnectionError(url)
        response = requests.Response()
        response.url, response.status_code, response._content = url, 200, context
        response.headers["Content-Type"] = "application/ld+json"
        return response

    monkeypatch.setattr(requests.Session, "request", answer)


@pytest.mark.usefixtures("no_network")
def test_roc_validator_finds_no_fault(crate: Path) -> None:
    assert faults(crate) == []


def faults(crate: Path) -> list[tuple[str, str]]:
    """List what roc-validator finds wrong with a crate, by what RO-Crate 1.2 requires."""
    services = pytest.importorskip("rocrate_validator.services")
    models = pytest.importorskip("rocrate_validator.models")
    settings = services.ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier="ro-crate-1.2",
        requirement_severity=models.Severity.REQUIRED,
    )
    issues = services.validate(settings).get_issues()
    return [(issue.check.identifier, issue.message) for issue in issues]


def specimen_crate(folder: Path, address: str) -> Path:
    """Write a crate of a specimen with two records, one of them without a licence, and a link."""
    core = Entity("specimen", "rum-7-core", "Core", origins=(Origin("rum-7", "aliquot"),))
    family = (Entity("specimen", "rum-7", "Block"), core)
    text = export_specimen(
        family[0], family, (FULL, DRAFT), {"links/map-in-core.json": link("records/a", "specimens/rum-7-core")},
        CONTENT, datetime(2026, 11, 29, tzinfo=UTC), address,
    )  # fmt: skip
    (folder / "links").mkdir()
    for path, content in CONTENT.items():
        (folder / path).write_bytes(content)
    (folder / FILENAME).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("address", ["", "https://tomo.example.org"])
def test_a_crate_of_a_specimen_has_no_fault(tmp_path: Path, address: str) -> None:
    assert faults(specimen_crate(tmp_path, address)) == []


def test_rocrate_reads_people_licence_and_files(tmp_path: Path) -> None:
    library = pytest.importorskip("rocrate.rocrate")
    (tmp_path / FILENAME).write_text(export(FULL), encoding="utf-8")
    crate = library.ROCrate(tmp_path)
    assert crate.name == FULL.title
    assert [one["name"] for one in crate.root_dataset["creator"]] == [one.name for one in FULL.creators]
    assert crate.root_dataset["license"].id == "https://spdx.org/licenses/CC-BY-4.0"
    assert (
        crate.dereference("https://orcid.org/0000-0002-1825-0097")["affiliation"].id
        == "https://ror.org/02550n020"
    )
    assert {one.id for one in crate.data_entities} == {
        "volume.ome.zarr/", "previews/slice%20z%231.png", "manifest-sha256.txt",
    }  # fmt: skip


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("address", ["", "https://tomo.example.org"])
def test_a_crate_of_a_log_book_has_no_fault(tmp_path: Path, address: str) -> None:
    home, content = tmp_path / "home", b"\x89PNG\r\n\x1a\n"
    files = keep_files(home, [("a picture #1.png", content), ("notes.txt", b"plain")])
    when = "2026-11-29T12:00:00+00:00"
    entries = (
        LogEntry(
            1, "ada", when, "Beam lost", False, (), "proposals/a", when, ("beam",), ("records/b",), files
        ),
        LogEntry(2, "tomarium", when, "", True, (), "proposals/a", when, removed="by ada: a secret"),
    )
    with zipfile.ZipFile(io.BytesIO(b"".join(log_archive(home, entries, address).table.read()))) as archive:
        archive.extractall(tmp_path)
    assert faults(tmp_path / "logbook") == []
    crate = pytest.importorskip("rocrate.rocrate").ROCrate(tmp_path / "logbook")
    assert {Path(one.id).suffix for one in crate.data_entities} == {".md", ".json", ".png", ".txt"}
