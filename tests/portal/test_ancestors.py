"""The page of a record tells the way from the first record to it, as far as its reader may see it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.aligned_record import derive
from tomarium.catalogue.ancestry import ancestors_of
from tomarium.model import Part, Record
from tomarium.model.publication import Related
from tomarium.portal.app import create_app


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Catalogue, list[Record]]]:
    home = tmp_path_factory.mktemp("chain")
    made: list[Record] = []
    with open_catalogue(home / "catalogue.sqlite") as catalogue:
        for name in ("raw", "aligned", "labels", "figure"):
            (home / name).mkdir()
            (home / name / "data.bin").write_bytes(name.encode())
            record = file_record(
                home / name, id=name, title=f"{name.title()} <b>", parts=(Part("image", "data.bin", "raw"),)
            )
            record = derive(record, made[-1], home / name) if made else record
            # The raw slices are Ada's alone; the others are everybody's who keeps them.
            ingest(
                catalogue,
                home / name,
                reader=Reader("ada", "member") if name == "raw" else Reader("eve", "member"),
            )
            made.append(record)
        yield catalogue, made


def test_the_way_is_told_from_the_first_one_on(chain: tuple[Catalogue, list[Record]]) -> None:
    catalogue, made = chain
    assert [one.id for one in ancestors_of(catalogue, LOCAL_OWNER, made[3])] == ["raw", "aligned", "labels"]
    assert ancestors_of(catalogue, LOCAL_OWNER, made[0]) == ()


def test_it_ends_where_a_reader_may_not_see(chain: tuple[Catalogue, list[Record]]) -> None:
    catalogue, made = chain
    assert [one.id for one in ancestors_of(catalogue, Reader("eve", "member"), made[3])] == [
        "aligned",
        "labels",
    ]
    assert ancestors_of(catalogue, Reader("tom", "member"), made[3]) == ()


def test_a_circle_and_a_tree_end(chain: tuple[Catalogue, list[Record]]) -> None:
    catalogue, made = chain
    itself = replace(made[1], related=(Related("IsDerivedFrom", made[1].id),))
    assert ancestors_of(catalogue, LOCAL_OWNER, itself) == ()
    two = replace(made[3], related=(*made[3].related, Related("IsDerivedFrom", "raw")))
    assert ancestors_of(catalogue, LOCAL_OWNER, two) == ()


def test_the_page_shows_it(chain: tuple[Catalogue, list[Record]]) -> None:
    catalogue, _ = chain
    with TestClient(create_app(catalogue, local=True)) as client:
        text = client.get("/records/figure").text
        told = client.get("/records/figure.json").json()
    assert "Way to this record" in text
    assert "Raw &lt;b&gt;" in text
    assert [one["identifier"] for one in told["ancestors"]] == ["raw", "aligned", "labels"]
