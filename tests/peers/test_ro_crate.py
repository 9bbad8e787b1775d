"""Our crates, judged by roc-validator and read by rocrate, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from standards.examples import DRAFT, FULL
from tomarium.model import Record
from tomarium.standards.ro_crate import FILENAME, export

RECORDS = {"full": FULL, "draft": DRAFT}
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
    services = pytest.importorskip("rocrate_validator.services")
    models = pytest.importorskip("rocrate_validator.models")
    settings = services.ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier="ro-crate-1.2",
        requirement_severity=models.Severity.REQUIRED,
    )
    issues = services.validate(settings).get_issues()
    assert [(issue.check.identifier, issue.message) for issue in issues] == []


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
