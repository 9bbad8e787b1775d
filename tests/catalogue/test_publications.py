"""Publications become documents that are linked to the records they used, once; records tell by what they are cited."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postgresql_server import Files
from tomarium.catalogue import (
    ANYBODY,
    LOCAL_OWNER,
    Catalogue,
    Reader,
    file_record,
    ingest,
    open_catalogue,
    read_record,
)
from tomarium.catalogue.cited_by import publications_about
from tomarium.catalogue.data_use import BY, as_csv, as_html, grouped, uses_of_data
from tomarium.catalogue.dois import due_attributes
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entities import demand_entity
from tomarium.catalogue.entity_edit import change_entity, make_entity
from tomarium.catalogue.import_publications import import_works, link_publication
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.reader import NotAllowed
from tomarium.catalogue.settings import change_setting
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.model import Related
from tomarium.standards.bibtex import BIBTEX
from tomarium.standards.datacite_json import DATACITE_JSON
from tomarium.standards.read_works import read_works
from tomarium.standards.works import Work

PAPER = Work(
    "Teeth of bears",
    "paper",
    ("Lovelace, Ada",),
    "2026",
    "Nature",
    doi="10.1038/abc",
    data=("10.5072/tooth.v1",),
)


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Path:
    """Make the folders of two records, once for all tests."""
    home = tmp_path_factory.mktemp("filed")
    for id in ("tooth", "draft"):
        make_volume(home / id / "volume.ome.zarr", size=8)
        file_record(home / id, title=id.title(), id=id, creators=("Ada",), licence="CC0-1.0")
    return home


@pytest.fixture
def catalogue(tmp_path: Path, filed: Path) -> Iterator[Catalogue]:
    yield from filled(tmp_path, filed, tmp_path / "c.sqlite")


@pytest.fixture
def either(tmp_path: Path, filed: Path, place: Files) -> Iterator[Catalogue]:
    """As `catalogue`, in each kind of database."""
    yield from filled(tmp_path, filed, place(tmp_path / "c.sqlite"))


def filled(tmp_path: Path, filed: Path, at: Path | str) -> Iterator[Catalogue]:
    shutil.copytree(filed, tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile)
    with open_catalogue(at) as opened:
        with opened.writing() as connection:
            change_setting(connection, "doi_prefix", "10.5072")
            change_setting(connection, "address", "https://data.example.org")
        instrument = make_entity(opened, LOCAL_OWNER, "instrument", "ID19", {"facility": "ESRF"}).id
        for id in ("tooth", "draft"):
            ingest(opened, tmp_path / id, checksums=False)
            edit(opened, LOCAL_OWNER, id, Changes(instrument=instrument))
        publish(opened, LOCAL_OWNER, "tooth", Request(embargo="0"))
        yield opened


def cited(tmp_path: Path, id: str = "tooth") -> list[str]:
    return [one.identifier for one in read_record(tmp_path / id).related if one.relation == "IsCitedBy"]


def test_a_paper_is_linked_to_the_data_that_it_names(catalogue: Catalogue, tmp_path: Path) -> None:
    [one] = import_works(catalogue, LOCAL_OWNER, [PAPER])
    assert (one.state, one.records, one.document) == ("new", ("tooth",), "teeth-of-bears")
    with catalogue.reading() as connection:
        [found] = publications_about(connection, ANYBODY, "tooth")
    assert (found.name, found.facts["paper_doi"]) == ("Teeth of bears", "10.1038/abc")
    assert cited(tmp_path) == ["10.1038/abc"]
    record = read_record(tmp_path / "tooth")
    related = json.loads(DATACITE_JSON.export(record))["relatedIdentifiers"]
    assert {
        "relatedIdentifier": "10.1038/abc",
        "relatedIdentifierType": "DOI",
        "relationType": "IsCitedBy",
    } in related
    due = due_attributes(catalogue)["10.5072/tooth.v1"]["relatedIdentifiers"]
    assert any(one["relationType"] == "IsCitedBy" for one in due)
    # The same again changes nothing.
    [again] = import_works(catalogue, LOCAL_OWNER, [PAPER])
    assert (again.state, again.document, again.conflicts) == ("same", one.document, ())


def test_data_are_named_by_any_doi_of_theirs_or_by_their_page(either: Catalogue) -> None:
    named = ("10.5072/tooth", "10.5072/TOOTH.V1", "https://data.example.org/records/tooth")
    foreign = ("https://elsewhere.org/records/tooth", "10.5072/tooth.v9", "tooth")
    texts = [f"@misc{{k{n}, title = {{T{n}}}, note = {{{one}}}}}" for n, one in enumerate((*named, *foreign))]
    done = import_works(either, LOCAL_OWNER, read_works("\n".join(texts)).works, dry_run=True)
    assert [one.records for one in done] == [("tooth",)] * 3 + [()] * 3


def test_duplicates_are_merged_and_conflicts_listed(catalogue: Catalogue) -> None:
    first = Work("Teeth of bears", "paper", year="2026", doi="10.1038/abc")
    other = Work("Teeth of Bears!", "preprint", ("Lovelace, Ada",), "2025", "Nature", doi="10.1038/abc")
    done = import_works(catalogue, LOCAL_OWNER, [first, other])
    assert [one.state for one in done] == ["new", "changed"]
    assert done[1].conflicts == (
        "type: kept “paper”, the file says “preprint”", "year: kept “2026”, the file says “2025”",
    )  # fmt: skip
    with catalogue.reading() as connection:
        facts = demand_entity(connection, LOCAL_OWNER, done[0].document).entity.facts
    assert (facts["year"], facts["journal"], facts["authors"]) == ("2026", "Nature", ["Lovelace, Ada"])
    # One without a DOI is the same work where title and year are; one with another DOI is another.
    done = import_works(
        catalogue,
        LOCAL_OWNER,
        [Work("TEETH of bears", year="2026"), Work("Teeth of bears", year="2026", doi="10.1000/x")],
    )
    assert [(one.state, one.document) for one in done] == [
        ("same", "teeth-of-bears"),
        ("new", "teeth-of-bears-2"),
    ]


def test_links_are_told_and_taken_back(catalogue: Catalogue, tmp_path: Path) -> None:
    edit(catalogue, LOCAL_OWNER, "tooth", Changes(related=(Related("IsCitedBy", "10.9999/by-hand"),)))
    import_works(catalogue, LOCAL_OWNER, [Work("A", "paper", doi="10.1000/a")], data=["tooth"])
    assert cited(tmp_path) == ["10.9999/by-hand", "10.1000/a"]
    link_publication(catalogue, LOCAL_OWNER, "https://doi.org/10.1000/A", ["tooth"], remove=True)
    assert cited(tmp_path) == ["10.9999/by-hand"]
    link_publication(catalogue, LOCAL_OWNER, "a", ["tooth", "draft"])
    assert (cited(tmp_path), cited(tmp_path, "draft")) == (["10.9999/by-hand", "10.1000/a"], ["10.1000/a"])
    change_entity(catalogue, LOCAL_OWNER, "a", {"paper_doi": "10.1000/b"})
    assert cited(tmp_path) == ["10.9999/by-hand", "10.1000/b"]
    for publication, record in (("10.1000/none", "tooth"), ("a", "none"), ("id19", "tooth")):
        with pytest.raises(InputError):
            link_publication(catalogue, LOCAL_OWNER, publication, [record])


def test_what_is_not_public_is_told_to_nobody(catalogue: Catalogue, tmp_path: Path) -> None:
    import_works(catalogue, LOCAL_OWNER, [PAPER], publish=False)
    import_works(catalogue, LOCAL_OWNER, [Work("B", "paper", doi="10.1000/b")], data=["draft"])
    make_entity(catalogue, LOCAL_OWNER, "document", "A lesson", {"type": "lesson", "members": "tooth"})
    assert (cited(tmp_path), cited(tmp_path, "draft")) == ([], ["10.1000/b"])
    with catalogue.reading() as connection:
        assert publications_about(connection, ANYBODY, "tooth") == []
        assert [one.name for one in publications_about(connection, LOCAL_OWNER, "tooth")] == [
            "Teeth of bears"
        ]
        assert uses_of_data(connection, ANYBODY) == []
        assert len(uses_of_data(connection, LOCAL_OWNER)) == 2
    with pytest.raises(NotAllowed):
        import_works(catalogue, Reader("eve", "member"), [PAPER])
    with pytest.raises(InputError, match="no record"):
        import_works(catalogue, LOCAL_OWNER, [PAPER], data=["none"])
    [tried] = import_works(catalogue, LOCAL_OWNER, [Work("New", doi="10.1000/new")], dry_run=True)
    assert tried.state == "new"
    with catalogue.reading() as connection, pytest.raises(InputError):
        demand_entity(connection, LOCAL_OWNER, "new")


def test_the_report_tells_what_data_are_used_where(either: Catalogue) -> None:
    works = [PAPER, Work("=SUM(A1)", "paper", year="2025", doi="10.1000/b", data=("10.5072/tooth",))]
    import_works(either, LOCAL_OWNER, works)
    import_works(either, LOCAL_OWNER, works[:1], data=["draft"])
    with either.reading() as connection:
        uses, public = uses_of_data(connection, LOCAL_OWNER), uses_of_data(connection, ANYBODY)
    told = {by: [(one.name, one.publications, one.records) for one in grouped(uses, by)] for by in BY}
    assert told == {
        "record": [("Tooth", 2, 1), ("Draft", 1, 1)],
        "publication": [("Teeth of bears", 1, 2), ("=SUM(A1)", 1, 1)],
        "facility": [("ESRF", 2, 2)],
        "instrument": [("ID19", 2, 2)],
        "year": [("2026", 1, 2), ("2025", 1, 1)],
    }
    assert [one.record for one in public] == ["tooth", "tooth"]
    rows = list(csv.DictReader(io.StringIO(as_csv(grouped(uses, "record")))))
    assert [row["record"] for row in rows] == ["tooth", "tooth", "draft"]
    assert rows[1]["publication_title"] == "'=SUM(A1)"  # no formula for a spreadsheet
    page = as_html(grouped(uses, "year"), "year")
    assert page.count("<tr>") == 5
    assert "https://doi.org/10.1038/abc" in page


def test_commands(catalogue: Catalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, place = tmp_path / "papers.bib", ["--catalogue", catalogue.name]
    file.write_text(
        BIBTEX.export(read_record(tmp_path / "tooth")).replace("10.5072/tooth.v1", "10.1000/paper")
        + "@misc{x, year = 1}"
    )
    assert execute(["publications", "import", str(file), "--data", "tooth", *place]) == 1
    out, errors = capsys.readouterr()
    assert "new: Tooth, used tooth" in out
    assert "x: has no title" in errors
    for words, wanted in (
        (["list"], "Tooth"),
        (["link", "10.1000/paper", "draft"], "used tooth, draft"),
        (["report", "--by", "instrument"], "ID19"),
        (["report", "--format", "csv"], "publication_title"),
        (["report", "--format", "html", "-o", str(tmp_path / "use.html")], "2 uses of data"),
    ):
        assert execute(["publications", *words, *place]) == 0, words
        assert wanted in capsys.readouterr().out
