"""A record's life, by every reader and at every moment: draft, review, published, embargo, versions, withdrawn."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
    rebuild,
    search,
    verify,
)
from tomarium.catalogue.comments import comment, comments_of
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.invitations import make_invitation
from tomarium.catalogue.life import (
    NotReady,
    Request,
    open_files,
    publish,
    send_back,
    submit,
    withdraw,
)
from tomarium.catalogue.moments import after
from tomarium.catalogue.queries import place_of
from tomarium.catalogue.reader import NotAllowed, may_open, may_see
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tables import audit, dois, records
from tomarium.catalogue.withheld_values import withheld_of
from tomarium.errors import InputError, ParameterError
from tomarium.model import Person, Record, Value

ADA = Reader("ada", "member")
EVE = Reader("eve", "member")
TEAM = Reader("tim", "member", teams=("bones",))
CURATOR = Reader("cora", "curator")
REFEREE = Reader(invited=("tooth",))
READY = Changes(
    creators=(Person("Lovelace, Ada", "0000-0002-1825-0097"),),
    licence="CC-BY-4.0",
    description="A molar of a bear, scanned in ethanol at 20 keV; enamel and dentine.",
)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]) -> Path:
    return make_volume(tmp_path_factory.mktemp("volume") / "volume.ome.zarr", size=16)


@pytest.fixture
def make(tmp_path: Path, volume: Path) -> Callable[..., Path]:
    def made(id: str, **more: object) -> Path:
        folder = tmp_path / "records" / id
        shutil.copytree(volume, folder / "volume.ome.zarr")
        file_record(folder, title="Tooth", id=id, **more)  # type: ignore[arg-type]
        return folder

    return made


@pytest.fixture
def catalogue(tmp_path: Path, make: Callable[[str], Path], place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as opened:
        ingest(opened, make("tooth"), reader=ADA)
        yield opened


def seen(catalogue: Catalogue, reader: Reader, moment: datetime | None = None) -> str:
    """Tell what a reader has of the record: nothing, its metadata, or its files."""
    now = moment.timestamp() if moment else None
    with catalogue.reading() as connection:
        found = connection.execute(
            records.select().where(may_see(reader, now)).with_only_columns(may_open(reader, now))
        ).scalar_one_or_none()
    return "nothing" if found is None else "files" if found else "metadata"


def state(catalogue: Catalogue) -> str:
    return search(catalogue, LOCAL_OWNER, "").hits[0].state


def test_a_draft_is_its_owners_and_the_curators(catalogue: Catalogue) -> None:
    readers = {
        "ada": ADA,
        "eve": EVE,
        "nobody": ANYBODY,
        "curator": CURATOR,
        "referee": REFEREE,
        "team": TEAM,
    }
    assert {name: seen(catalogue, reader) for name, reader in readers.items()} == {
        "ada": "files",
        "eve": "nothing",
        "nobody": "nothing",
        "curator": "files",
        "referee": "files",
        "team": "nothing",
    }
    assert search(catalogue, EVE, "tooth").total == search(catalogue, ANYBODY).total == 0
    with catalogue.reading() as connection:
        assert place_of(connection, ANYBODY, "tooth") is None


@pytest.mark.parametrize("reader", [ANYBODY, EVE, TEAM])
def test_nobody_else_changes_a_record(catalogue: Catalogue, reader: Reader) -> None:
    for attempt in (
        lambda: edit(catalogue, reader, "tooth", READY),
        lambda: publish(catalogue, reader, "tooth"),
        lambda: submit(catalogue, reader, "tooth"),
        lambda: comment(catalogue, reader, "tooth", "mine"),
        lambda: withdraw(catalogue, reader, "tooth", "because"),
    ):
        with pytest.raises(InputError):
            attempt()
    assert state(catalogue) == "draft"


def test_from_draft_to_published(catalogue: Catalogue) -> None:
    with pytest.raises(NotReady, match=r"no licence is stated.*nobody is named"):
        submit(catalogue, ADA, "tooth")
    edit(catalogue, ADA, "tooth", READY)
    submit(catalogue, ADA, "tooth", "please look at the scale")
    assert state(catalogue) == "review"
    with pytest.raises(NotAllowed, match="may not publish"):
        publish(catalogue, ADA, "tooth")
    send_back(catalogue, CURATOR, "tooth", "name the beamline")
    assert state(catalogue) == "draft"
    submit(catalogue, ADA, "tooth")
    record = publish(catalogue, CURATOR, "tooth", Request(embargo="0"))
    assert record.publication is not None
    assert record.publication.open_from == record.publication.published
    assert (state(catalogue), seen(catalogue, ANYBODY)) == ("published", "files")
    with catalogue.reading() as connection:
        told = [(row.who, row.kind, row.text) for row in comments_of(connection, "tooth")]
        actions = list(connection.execute(audit.select().with_only_columns(audit.c.who, audit.c.action)))
    assert told == [("ada", "comment", "please look at the scale"), ("cora", "request", "name the beamline")]
    assert [tuple(row) for row in actions] == [
        ("ada", "edit"),
        ("ada", "submit"),
        ("cora", "send back"),
        ("ada", "submit"),
        ("cora", "publish"),
    ]
    assert publish(catalogue, CURATOR, "tooth") == record  # once more changes nothing


def test_an_embargo_ends_by_itself(catalogue: Catalogue) -> None:
    edit(catalogue, ADA, "tooth", READY)
    record = publish(catalogue, CURATOR, "tooth", Request(embargo="3 years"))
    assert record.publication is not None
    ends = record.publication.open_from
    assert ends == after(record.publication.published, "3 years")
    second = timedelta(seconds=1)
    assert [seen(catalogue, ANYBODY, ends + step) for step in (-second, 0 * second, second)] == [
        "metadata",
        "files",
        "files",
    ]
    assert seen(catalogue, ANYBODY, record.publication.published - second) == "nothing"
    assert {seen(catalogue, reader, ends - second) for reader in (ADA, CURATOR, REFEREE)} == {"files"}
    assert search(catalogue, ANYBODY).hits[0].thumbnail == ""
    open_files(catalogue, ADA, "tooth")
    assert seen(catalogue, ANYBODY) == "files"


def test_what_is_withdrawn_keeps_its_page_and_its_reason(catalogue: Catalogue) -> None:
    edit(catalogue, ADA, "tooth", READY)
    publish(catalogue, CURATOR, "tooth", Request(embargo="0"))
    with pytest.raises(ParameterError, match="say why"):
        withdraw(catalogue, CURATOR, "tooth", " ")
    withdraw(catalogue, CURATOR, "tooth", "the wrong bear")
    assert (state(catalogue), seen(catalogue, ANYBODY), seen(catalogue, ADA)) == (
        "withdrawn",
        "metadata",
        "files",
    )
    with pytest.raises(InputError, match="was withdrawn"):
        open_files(catalogue, CURATOR, "tooth")


def test_versions_have_dois_of_their_own_and_one_together(
    catalogue: Catalogue, make: Callable[[str], Path]
) -> None:
    with catalogue.writing() as connection:
        change_setting(connection, "doi_prefix", "10.5072")
        change_setting(connection, "address", "https://data.example.org/")
    edit(catalogue, ADA, "tooth", READY)
    first = publish(catalogue, CURATOR, "tooth")
    for id in ("tooth-2", "tooth-3"):
        ingest(catalogue, make(id), reader=ADA)
        edit(catalogue, ADA, id, READY)
    with pytest.raises(InputError, match="was not published"):
        publish(catalogue, CURATOR, "tooth-3", Request(new_version_of="tooth-2"))
    second = publish(catalogue, CURATOR, "tooth-2", Request(new_version_of="tooth"))
    assert first.publication
    assert second.publication
    assert (first.publication.doi, second.publication.doi) == ("10.5072/tooth.v1", "10.5072/tooth.v2")
    assert first.publication.concept_doi == second.publication.concept_doi == "10.5072/tooth"
    with pytest.raises(InputError, match=r"10.5072/tooth.v2 is its next version already"):
        publish(catalogue, CURATOR, "tooth-3", Request(new_version_of="tooth"))
    edit(
        catalogue, ADA, "tooth", Changes(title="Tooth of a bear")
    )  # an older one: the concept stays with the newest
    with catalogue.reading() as connection:
        told = {row.doi: (row.record, row.state, row.address) for row in connection.execute(dois.select())}
        assert place_of(connection, ANYBODY, "tooth") is not None
    address = "https://data.example.org/records/tooth"
    assert told == {
        "10.5072/tooth.v1": ("tooth", "waiting", address),
        "10.5072/tooth.v2": ("tooth-2", "waiting", f"{address}-2"),
        "10.5072/tooth": ("tooth-2", "waiting", f"{address}-2"),
    }


def test_private_fields_keep_a_record_from_being_published(
    catalogue: Catalogue, make: Callable[..., Path]
) -> None:
    folder = make(
        "donor",
        parameters={
            "donor_age_years": Value(69, "read", "table.csv"),
            "sample_age": Value("5 Ma", "user", ""),
        },
    )
    ingest(catalogue, folder, reader=ADA)
    edit(catalogue, ADA, "donor", READY)
    with pytest.raises(NotReady, match="donor_age_years, sample_age may be private"):
        publish(catalogue, CURATOR, "donor")
    edit(catalogue, ADA, "donor", Changes(withhold=("donor_age_years",), disclose=("sample_age",)))
    publish(catalogue, CURATOR, "donor", Request(embargo="0"))
    assert "donor_age" not in (folder / "ro-crate-metadata.json").read_text()
    # What is set after publication is as private, whoever sets it and however often.
    typed = {
        "donor_age_years": Value(70, "user", "typed"),
        "contact_email": Value("a@b.org", "user", "typed"),
    }
    edit(catalogue, ADA, "donor", Changes(parameters=typed, withhold=("contact_email",)))
    edit(catalogue, ADA, "donor", Changes(parameters={"sample_age": Value("6 Ma", "user", "typed")}))
    told = (folder / "ro-crate-metadata.json").read_text()
    assert "donor_age" not in told
    assert "a@b.org" not in told
    assert "6 Ma" in told
    with catalogue.reading() as connection:
        assert withheld_of(connection, "donor") == typed
    back = edit(catalogue, ADA, "donor", Changes(disclose=("donor_age_years",)))
    assert back.parameters["donor_age_years"] == typed["donor_age_years"]
    for emptied in (Changes(licence=""), Changes(creators=())):
        with pytest.raises(ParameterError, match="was published"):
            edit(catalogue, ADA, "donor", emptied)


def test_a_draft_with_private_fields_is_not_shown_to_reviewers(
    catalogue: Catalogue, make: Callable[..., Path]
) -> None:
    ingest(
        catalogue, make("donor", parameters={"donor_age_years": Value(69, "read", "table.csv")}), reader=ADA
    )
    with catalogue.writing() as connection, pytest.raises(InputError, match="donor_age_years may be private"):
        make_invitation(connection, ADA, "donor", 30)
    edit(catalogue, ADA, "donor", Changes(withhold=("donor_age_years",)))
    with catalogue.writing() as connection:
        assert make_invitation(connection, ADA, "donor", 30)


def test_a_rebuild_keeps_states_and_a_lost_database_loses_no_publication(
    catalogue: Catalogue, make: Callable[..., Path], tmp_path: Path, place: Files
) -> None:
    ingest(catalogue, make("draft", created=datetime(2026, 11, 20, tzinfo=UTC)), reader=ADA)
    edit(catalogue, ADA, "tooth", READY)
    edit(catalogue, ADA, "draft", READY)
    submit(catalogue, ADA, "draft")
    publish(catalogue, CURATOR, "tooth", Request(embargo="1 year"))
    asked = [(reader, "") for reader in (ADA, EVE, ANYBODY, CURATOR)]
    before = [search(catalogue, reader, words) for reader, words in asked]
    rebuild(catalogue, [tmp_path / "records"])
    assert [search(catalogue, reader, words) for reader, words in asked] == before
    with open_catalogue(place(tmp_path / "new.sqlite")) as other:
        rebuild(other, [tmp_path / "records"])
        assert [hit.id for hit in search(other, ANYBODY).hits] == ["tooth"]
        assert not search(other, ANYBODY).hits[0].open


def test_other_data_are_not_filed_under_a_published_version(
    catalogue: Catalogue, tmp_path: Path, make_volume: Callable[..., Path]
) -> None:
    folder = tmp_path / "records" / "tooth"
    edit(catalogue, ADA, "tooth", READY)
    record = publish(catalogue, CURATOR, "tooth")
    again = file_record(folder, title="Tooth", created=record.created, description=record.description)
    assert replace(again, files=(), parts=()) == replace(record, files=(), parts=())
    shutil.rmtree(folder / "volume.ome.zarr")
    make_volume(folder / "volume.ome.zarr", size=16, seed=2)
    with pytest.raises(InputError, match="new-version-of tooth"):
        file_record(folder, title="Tooth", created=record.created)
    assert read_record(folder) == again
    assert {one.problem for one in verify(folder)} == {"changed"}


def test_files_are_as_they_were_filed_after_all_of_it(catalogue: Catalogue, tmp_path: Path) -> None:
    edit(catalogue, ADA, "tooth", READY)
    publish(catalogue, CURATOR, "tooth")
    assert verify(tmp_path / "records" / "tooth") == ()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("3 years", "2031-02-28"),
        ("18 months", "2029-08-29"),
        ("1 week", "2028-03-07"),
        ("0", "2028-02-29"),
        ("now", "2028-02-29"),
        ("2030-06-01", "2030-06-01"),
        ("1y", "2029-02-28"),
    ],
)
def test_spans_and_days(text: str, moment: str) -> None:
    assert after(datetime(2028, 2, 29, tzinfo=UTC), text) == datetime.fromisoformat(
        f"{moment}T00:00:00+00:00"
    )


@pytest.mark.parametrize(
    "text", ["", "soon", "3", "-1 year", "999 years", "2027-13-01", "2020-01-01", "1e3 days"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ParameterError):
        after(datetime(2028, 2, 29, tzinfo=UTC), text)


def test_changes_need_something_to_change(catalogue: Catalogue) -> None:
    with pytest.raises(ParameterError, match="nothing to change"):
        edit(catalogue, ADA, "tooth", Changes())
    with pytest.raises(ParameterError, match="title is empty"):
        edit(catalogue, ADA, "tooth", Changes(title=" "))
    with pytest.raises(ParameterError, match="has no parameter 'nothing'"):
        edit(catalogue, ADA, "tooth", Changes(withhold=("nothing",)))
    assert isinstance(edit(catalogue, ADA, "tooth", Changes(specimen="MB.1")), Record)


def test_a_technique_is_found_by_its_name(catalogue: Catalogue) -> None:
    edit(catalogue, ADA, "tooth", Changes(techniques=("PaNET01207",)))
    for words in ("x-ray tomography", "PaNET01207"):
        assert [hit.id for hit in search(catalogue, ADA, words).hits] == ["tooth"]
