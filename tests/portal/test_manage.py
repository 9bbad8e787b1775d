"""The forms of a record's keepers: what they do, for whom, and what they answer."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app_client import TestClient
from tomarium.catalogue import (
    LOCAL_OWNER,
    Catalogue,
    Reader,
    file_record,
    ingest,
    open_catalogue,
    read_record,
)
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.entity_edit import make_entity, publish_entity
from tomarium.catalogue.settings import change_setting
from tomarium.catalogue.tokens import make_token
from tomarium.model import Funding, Person, Related, Value
from tomarium.portal.app import create_app

ADA = Reader("ada", "member")
READY = {
    "title": "Tooth of a bear",
    "description": "A molar of a bear, scanned in ethanol at 20 keV; enamel and dentine.",
    "creators": "Lovelace, Ada 0000-0002-1825-0097 @ ESRF (https://ror.org/02550n020)\nRöntgen, W. C.",
    "licence": "cc by 4.0",
    "techniques": "PaNET01207",
    "keywords": "tooth\nbear",
    "specimen": "MB.1",
    "acknowledgement": "",
    "funding": "European Research Council (https://ror.org/0472cxd90): 123456 https://doi.org/10.3030/123456\nWellcome",
    "related": "iscitedby 10.1038/abc\nIsDerivedFrom igsn:AU1101",
}


@pytest.fixture
def catalogue(tmp_path: Path, make_volume: Callable[..., Path]) -> Iterator[Catalogue]:
    folder = tmp_path / "records" / "tooth"
    make_volume(folder / "volume.ome.zarr", size=16)
    file_record(folder, title="Tooth", id="tooth")
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        ingest(opened, folder, reader=ADA)
        yield opened


@pytest.fixture
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
        yield client


def test_from_the_form_to_the_published_page(client: TestClient, tmp_path: Path) -> None:
    page = client.get("/records/tooth/manage")
    assert "no licence is stated" in page.text
    assert 'name="embargo"' in page.text
    assert " disabled" in page.text
    saved = client.post("/records/tooth/edit", data=READY)
    assert "Saved." in saved.text
    assert " disabled" not in saved.text
    record = read_record(tmp_path / "records" / "tooth")
    assert record.creators == (
        Person("Lovelace, Ada", "0000-0002-1825-0097", "ESRF", "02550n020"),
        Person("Röntgen, W. C."),
    )
    assert (record.licence, record.keywords, record.specimen) == ("CC-BY-4.0", ("tooth", "bear"), "MB.1")
    assert record.funding == (
        Funding("European Research Council", "123456 https://doi.org/10.3030/123456", "0472cxd90"),
        Funding("Wellcome"),
    )
    assert record.related == (Related("IsCitedBy", "10.1038/abc"), Related("IsDerivedFrom", "igsn:AU1101"))
    values = client.get("/records/tooth/manage.json").json()["values"]
    assert (values["creators"], values["funding"]) == (READY["creators"], READY["funding"])
    assert client.post("/records/tooth/edit", data=values).status_code == 200
    assert read_record(tmp_path / "records" / "tooth") == record
    assert "is published" in client.post("/records/tooth/publish", data={"embargo": "0"}).text
    shown = client.get("/records/tooth").text
    assert "Lovelace, A.; Röntgen, W. C." in shown
    assert "Version 1" in shown
    assert (
        'Paid by <a href="https://ror.org/0472cxd90">European Research Council</a>, '
        'grant <a href="https://doi.org/10.3030/123456">123456</a>' in shown
    )
    assert "<li>Paid by Wellcome</li>" in shown
    assert '<a href="https://doi.org/10.1038/abc">' in shown
    assert '<a href="https://igsn.org/AU1101">' in shown
    assert '<script type="application/ld+json">' in shown
    assert "withdrawn" in client.post("/records/tooth/withdraw", data={"reason": "the wrong bear"}).text
    assert "the wrong bear" in client.get("/records/tooth").text


def test_the_page_tells_what_lacks_to_those_who_keep_the_record(
    catalogue: Catalogue, client: TestClient
) -> None:
    page = client.get("/records/tooth").text
    assert "5 of 11 of what a published record needs or should have" in page
    assert "Licence (demanded), Creators (demanded), " in page
    assert "Ihm fehlt:" in client.get("/de/records/tooth").text
    client.post("/records/tooth/edit", data=READY | {"creators": READY["creators"].partition("\n")[0]})
    edit(catalogue, LOCAL_OWNER, "tooth", Changes(parameters={"instrument": Value("BM05", "user", "typed")}))
    assert "It has all that a published record needs and should have." in client.get("/records/tooth").text
    client.post("/records/tooth/publish", data={"embargo": "0"})
    with TestClient(create_app(catalogue)) as visitor:
        assert "needs and should have" not in visitor.get("/records/tooth").text


def test_a_proposal_tells_those_who_keep_it_what_its_records_lack(
    catalogue: Catalogue, client: TestClient
) -> None:
    make_entity(catalogue, LOCAL_OWNER, "proposal", "Voles", {}, "voles")
    assert "What its records lack" not in client.get("/proposals/voles").text
    edit(catalogue, LOCAL_OWNER, "tooth", Changes(proposal="voles"))
    page = client.get("/proposals/voles").text
    assert "0 of 1 records have all that a published one needs or should have." in page
    assert '<a href="/records/tooth/manage">Tooth</a>' in page
    assert "Licence (demanded), Creators (demanded), Technique" in page
    assert "completeness" not in client.get("/proposals/voles.json").json()
    client.post("/records/tooth/edit", data=READY | {"proposal": "voles"})
    client.post("/records/tooth/publish", data={"embargo": "0"})
    publish_entity(catalogue, LOCAL_OWNER, "voles")
    with TestClient(create_app(catalogue)) as visitor:
        shown = visitor.get("/proposals/voles")
        assert (shown.status_code, "What its records lack" in shown.text) == (200, False)


def test_values_are_set_and_what_tells_of_a_person_is_kept_or_declared_public(
    client: TestClient, tmp_path: Path
) -> None:
    typed = "Pixel size (um) = 0.65\nenergy_kev = 20 keV\ndonor_age_years = 69\ncontact_email = a@b.org"
    saved = client.post("/records/tooth/edit", data={"parameters": typed}).text
    assert "Donor age years</b>: 69 (only those who keep the record see it)" in saved
    assert 'name="disclose" value="contact_email"' in saved
    assert 'name="withhold"' not in saved
    client.post("/records/tooth/edit", data={"disclose": "donor_age_years"})
    values = read_record(tmp_path / "records" / "tooth").parameters
    assert [(key, values[key].value) for key in ("pixel_m", "energy_kev", "donor_age_years")] == [
        ("pixel_m", pytest.approx(6.5e-7)),
        ("energy_kev", 20),
        ("donor_age_years", 69),
    ]
    assert "contact_email" not in values
    for text in ("energy_kev = 20", "energy_kev", "= 3"):
        answer = client.post(
            "/records/tooth/edit", data={"parameters": text}, headers={"Accept": "application/json"}
        )
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    ("door", "fields", "status", "said"),
    [
        ("edit", {"creators": "Ada 0000-0002-1825-0098"}, 422, "last digit"),
        ("edit", {"creators": "Ada @ ESRF (https://ror.org/02550n021)"}, 422, "last two digits"),
        ("edit", {"licence": "CC-BY-9"}, 422, "CC-BY-9"),
        ("edit", {"related": "likes 10.1038/abc"}, 422, "relations are IsDerivedFrom"),
        ("edit", {"funding": ": 123456"}, 422, "names no funder"),
        ("edit", {"funding": "ERC (https://ror.org/0472cxd91): 123456"}, 422, "last two digits"),
        ("edit", {"title": " "}, 422, "title is empty"),
        ("edit", {"owner": "eve"}, 400, "no field"),
        ("publish", {"embargo": "0"}, 422, "no licence is stated"),
        ("submit", {}, 422, "no licence is stated"),
        ("send-back", {"text": "x"}, 422, "so it cannot be moved"),
        ("comment", {"text": " "}, 422, "empty"),
        ("withdraw", {"reason": "x"}, 422, "was not published"),
        ("open-now", {}, 422, "was not published"),
    ],
)
def test_what_cannot_be_done_is_said(
    client: TestClient, door: str, fields: dict[str, str], status: int, said: str
) -> None:
    answer = client.post(f"/records/tooth/{door}", data=fields, headers={"Accept": "application/json"})
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert client.get("/records/tooth.json").json()["state"] == "draft"


@pytest.mark.parametrize(
    ("address", "told"),
    [("/fr/records/tooth/edit", "le titre est vide"), ("/de/records/tooth/edit", "der Titel ist leer")],
)
def test_an_empty_title_is_told_in_the_language(client: TestClient, address: str, told: str) -> None:
    answer = client.post(address, data={"title": " "}, headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert told in answer.text


def test_each_does_what_their_role_allows(catalogue: Catalogue) -> None:
    tokens = {}
    people = (("root", "administrator"), ("ada", "member"), ("eve", "member"), ("cora", "curator"))
    for name, role in people:
        with catalogue.writing() as connection:
            make_account(connection, LOCAL_OWNER, name, role)
            scopes = ("read", "write", "review")
            tokens[name] = make_token(connection, LOCAL_OWNER, name, "test", scopes, 1)
    with TestClient(create_app(catalogue), raise_server_exceptions=False) as client:

        def post(name: str, door: str, **fields: str) -> int:
            headers = {"Authorization": f"Bearer {tokens[name]}", "Accept": "application/json"}
            return client.post(f"/records/tooth/{door}", data=fields, headers=headers).status_code

        assert client.post("/records/tooth/edit", data=READY).status_code == 401
        assert post("eve", "edit", **READY) == 404
        assert post("ada", "edit", **READY) == 200
        assert post("ada", "publish", embargo="0") == 403
        assert post("ada", "submit", text="please") == 200
        assert post("cora", "send-back", text="name the beamline") == 200
        assert post("ada", "submit") == 200
        assert post("cora", "publish", embargo="1 year") == 200

        def opens(name: str) -> str:
            headers = {"Authorization": f"Bearer {tokens[name]}"}
            return str(client.get("/records.json", headers=headers).json()["hits"][0]["opens"])

        assert opens("ada")  # who has the files already is told when others will
        assert opens("ada") == opens("eve")
        assert post("eve", "open-now") == 403
        assert post("ada", "open-now") == 200
        assert opens("ada") == opens("eve") == ""
        assert client.get("/records/tooth/manage").status_code in (403, 404)


def test_the_acknowledgement_is_that_of_the_record_else_of_its_instrument_else_of_all(
    catalogue: Catalogue, client: TestClient
) -> None:
    def told() -> str:
        asked = client.get("/records/tooth.json").json()["acknowledgement"]
        assert f"<q>{asked}</q>" in client.get("/records/tooth").text if asked else True
        return str(asked)

    assert told() == ""
    with catalogue.writing() as connection:
        change_setting(connection, "acknowledgement", "Data of the X-ray lab.")
    assert told() == "Data of the X-ray lab."
    facts = {"acknowledgement": "We thank the ESRF for beam time at BM18."}
    make_entity(catalogue, LOCAL_OWNER, "instrument", "BM18", facts, "bm18")
    edit(catalogue, LOCAL_OWNER, "tooth", Changes(instrument="bm18"))
    assert told() == "We thank the ESRF for beam time at BM18."
    assert "Acknowledgement: We thank the ESRF" in client.get("/records/tooth/metadata/datacite").text
    edit(catalogue, LOCAL_OWNER, "tooth", Changes(acknowledgement="We thank the museum."))
    assert told() == "We thank the museum."


def test_a_form_of_another_site_does_nothing(client: TestClient) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert client.post("/records/tooth/edit", data=READY, headers=headers).status_code == 403
    assert client.get("/records/tooth.json").json()["title"] == "Tooth"


def test_a_draft_is_removed_by_its_owner_after_the_page_told_what_goes(
    catalogue: Catalogue, client: TestClient, tmp_path: Path
) -> None:
    assert 'href="/records/tooth/remove"' in client.get("/records/tooth/manage").text
    with catalogue.writing() as connection:
        tokens = {}
        people = (("root", "administrator"), ("ada", "member"), ("eve", "member"), ("cora", "curator"))
        for name, role in people:
            make_account(connection, LOCAL_OWNER, name, role)
            tokens[name] = make_token(connection, LOCAL_OWNER, name, "test", ("read", "write"), 1)
    door, json = "/records/tooth/remove", {"Accept": "application/json"}

    def headers(name: str) -> dict[str, str]:
        return {**json, "Authorization": f"Bearer {tokens[name]}"}

    assert client.get(door, headers=json).status_code in (401, 404)
    assert client.get(door, headers=headers("eve")).status_code == 404
    assert client.post(door, json={"confirm": "yes"}, headers=headers("eve")).status_code == 404
    told = client.get(door, headers=headers("ada")).json()
    assert (told["id"], told["deletes"], told["owner"]) == ("tooth", True, "ada")
    assert told["files"] > 1
    assert client.post(door, json={}, headers=headers("ada")).status_code == 422
    assert (tmp_path / "records" / "tooth").is_dir()
    answer = client.post(door, json={"confirm": "yes"}, headers=headers("ada"))
    assert (answer.status_code, answer.json()["deleted"]) == (200, True)
    assert list((tmp_path / "records").iterdir()) == []
    assert client.post(door, json={"confirm": "yes"}, headers=headers("cora")).status_code == 404


def test_what_was_published_has_no_page_to_remove_it(client: TestClient) -> None:
    client.post("/records/tooth/edit", data=READY)
    client.post("/records/tooth/publish", data={"embargo": "0"})
    assert "/records/tooth/remove" not in client.get("/records/tooth/manage").text
    assert client.get("/records/tooth/remove").status_code == 422
    assert client.post("/records/tooth/remove", data={"confirm": "yes"}).status_code == 422
