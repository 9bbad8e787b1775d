"""Parcels, places and hand-overs of specimens: who sees and tells them, and labels that a phone reads."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import ANYBODY, LOCAL_OWNER, Catalogue, Reader, open_catalogue
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.entity_edit import make_entity, publish_entity
from tomarium.catalogue.label_sheet import SHEETS, Label, draw_label, label_pages, label_pictures
from tomarium.catalogue.parcels import change_parcel, make_parcel, parcel_of, parcels_of, tell_of_parcel
from tomarium.catalogue.specimen_events import EventContent, events_of, tell_of_specimen, where_now
from tomarium.cli import execute
from tomarium.errors import InputError
from tomarium.portal.app import create_app

zxingcpp = pytest.importorskip("zxingcpp")
ADA, EVE, BEA = Reader("ada", "member"), Reader("eve", "member"), Reader("bea", "instrument scientist")
PRIVATE = {"address": "71 avenue des Martyrs", "phone": "+33 4 76"}


def png() -> bytes:
    made = io.BytesIO()
    Image.new("L", (8, 6), 90).save(made, "PNG")
    return made.getvalue()


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, place: Files) -> Iterator[Catalogue]:
    with open_catalogue(place(tmp_path_factory.mktemp("parcels") / "catalogue.sqlite")) as opened:
        with opened.writing() as connection:
            for name, role in (("root", "administrator"), ("bea", "instrument scientist")):
                make_account(connection, LOCAL_OWNER, name, role)
        for id in ("core", "block", "slide"):
            make_entity(opened, ADA, "specimen", f"The {id}", {"hazards": "contains <ethanol>"}, id)
        make_entity(opened, EVE, "specimen", "Of Eve", {}, "eves")
        yield opened


def as_reader(catalogue: Catalogue, reader: Reader) -> TestClient:
    app = create_app(catalogue)
    app.state.reader_of = lambda _request: reader
    return TestClient(app, follow_redirects=False)


def test_a_parcel_and_its_specimens_move_together(catalogue: Catalogue) -> None:
    made = make_parcel(catalogue, ADA, {"carrier": " DHL ", **PRIVATE}, ["core", "block"], receiver="bea")
    assert (made.state, made.facts["carrier"]) == ("announced", "DHL")
    tell_of_specimen(catalogue, ADA, "core", EventContent("moved", "museum/ cabinet 2 //box 7"))
    tell_of_parcel(catalogue, ADA, made.id, "sent")
    with catalogue.reading() as connection:
        assert [one.on_its_way for one in events_of(connection, ADA, "core")] == [True, False]
        assert {id: one.place for id, one in where_now(connection, ADA).items()} == {"core": "", "block": ""}
    told = {"place": "BM05/shelf 1", "condition": "seal broken"}
    tell_of_parcel(catalogue, BEA, made.id, "received", **told, files=(("box.png", png()),))
    with pytest.raises(InputError, match="is received already"):
        tell_of_parcel(catalogue, BEA, made.id, "received")
    with pytest.raises(InputError, match="so what is in it stays"):
        change_parcel(catalogue, ADA, made.id, {}, specimens=["core"])
    change_parcel(catalogue, ADA, made.id, {"tracking": "JD 1"})
    with catalogue.reading() as connection:
        (now, *before) = events_of(connection, ADA, "core")
        parcel = parcel_of(connection, ADA, made.id)
        assert parcel_of(connection, EVE, made.id) is None
        assert parcels_of(connection, EVE) == parcels_of(connection, ANYBODY) == ()
        assert [one.id for one in parcels_of(connection, BEA, specimen="block")] == [made.id]
        assert (
            events_of(connection, BEA, "core") == ()
        )  # she sees the parcel, not where the specimen was before
    assert (now.place, now.condition, now.parcel, now.who) == (
        "BM05 / shelf 1",
        "seal broken",
        made.id,
        "bea",
    )
    assert [one.place for one in before] == ["", "museum / cabinet 2 / box 7"]
    assert parcel is not None
    assert [(one.state, one.note) for one in reversed(parcel.events)] == [
        ("announced", ""),
        ("sent", ""),
        ("received", "seal broken"),
        ("received", "changed: tracking"),
    ]


def test_hand_overs_keep_the_place_until_another_is_told(catalogue: Catalogue) -> None:
    for told in (
        EventContent("moved", "lab 3"),
        EventContent("handed-over", holder="Ben"),
        EventContent("examined", condition="a crack"),
        EventContent("moved", "lab 4"),
    ):
        tell_of_specimen(catalogue, ADA, "slide", told)
    with catalogue.reading() as connection:
        events = events_of(connection, ADA, "slide")
    assert [(one.place, one.holder, one.condition) for one in reversed(events)] == [
        ("lab 3", "", ""),
        ("lab 3", "Ben", ""),
        ("lab 3", "Ben", "a crack"),
        ("lab 4", "Ben", ""),
    ]
    for reader, specimen, told, problem in (
        (EVE, "slide", EventContent("moved", "x"), "there is no specimen"),
        (ADA, "slide", EventContent("moved"), "say where"),
        (ADA, "slide", EventContent("handed-over"), "say to whom"),
        (ADA, "slide", EventContent("examined"), "say how it looks"),
        (ADA, "slide", EventContent("sent"), "is nothing that becomes"),
        (ADA, "slide", EventContent("moved", "/".join("abcdefghi")), "at most 8 parts"),
    ):
        with pytest.raises(InputError, match=problem):
            tell_of_specimen(catalogue, reader, specimen, told)
    for specimens, problem in ((["eves"], "no specimen"), ([], "holds 1 to")):
        with pytest.raises(InputError, match=problem):
            make_parcel(catalogue, ADA, {}, specimens)
    with pytest.raises(InputError, match="no fact 'weight'"):
        make_parcel(catalogue, ADA, {"weight": "1 kg"}, ["core"])


def test_pages_tell_only_those_who_may_know(catalogue: Catalogue) -> None:
    parcel = make_parcel(catalogue, ADA, {"title": "To <Bea>", **PRIVATE}, ["slide"], receiver="bea").id
    tell_of_specimen(
        catalogue, ADA, "slide", EventContent("moved", "secret vault", files=(("a.png", png()),))
    )
    publish_entity(catalogue, LOCAL_OWNER, "slide", doi=False)
    ada = as_reader(catalogue, ADA)
    told = ada.get("/specimens/slide.json").json()["where"]
    assert told["now"] == "secret vault, with Ben"
    picture = told["events"][0]["files"][0]["address"]
    assert ada.get(picture).content == png()
    assert "secret vault" in ada.get("/places").text
    assert "71 avenue" in ada.get(f"/parcels/{parcel}").text
    assert "To &lt;Bea&gt;" in ada.get("/parcels").text
    bea = as_reader(catalogue, BEA)
    assert "71 avenue" in bea.get(f"/parcels/{parcel}").text
    assert "Change what is told of it" not in bea.get(f"/parcels/{parcel}").text
    for reader in (EVE, ANYBODY):
        client = as_reader(catalogue, reader)
        page = client.get("/specimens/slide")
        assert page.status_code == 200
        assert "secret vault" not in page.text
        assert client.get("/specimens/slide.json").json()["where"] is None
        assert client.get(picture).status_code == 404
        assert client.get(f"/parcels/{parcel}").status_code == 404
        assert parcel not in client.get("/parcels.json").text
        assert client.get("/places.json").json()["places"] == []
        assert client.get("/labels", params={"specimens": "core"}).status_code == 404
    assert bea.get("/places.json").json()["places"] == []


def test_a_phone_tells_by_a_form(catalogue: Catalogue) -> None:
    client = TestClient(create_app(catalogue, local=True), follow_redirects=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tomarium.portal.identity.any_account", lambda _connection: False)
        page = client.get("/specimens/block").text
        assert all(f'name="kind" value="{kind}"' in page for kind in ("received", "moved", "handed-over"))
        sent = {"kind": "moved", "place": "lab 9", "holder": ""}
        done = client.post("/specimens/block/where", data=sent, files={"files": ("a.jpg", b"\xff\xd8\xff")})
        assert (done.status_code, done.headers["location"]) == (303, "/specimens/block?said=Written.#where")
        scanned = "http://testserver/specimens/block https://x.org/specimens/core"
        done = client.post("/announce/parcel", data={"specimens": scanned, "carrier": "by hand"})
        page = client.get(done.headers["location"]).text
        assert "by hand" in page
        state = f"{done.headers['location']}/state"
        assert client.post(state, data={"state": "sent"}).status_code == 303
        assert "On its way in" in client.get("/specimens/block").text
        assert client.post(state, data={"state": "flown"}).status_code == 422
        edit = client.post(f"{done.headers['location']}/edit", json={"carrier": "train"})
        assert edit.status_code == 303
        assert "changed: carrier" in client.get(done.headers["location"]).text
    assert as_reader(catalogue, ADA).post("/specimens/block/where", data=sent).status_code == 401


@pytest.mark.parametrize("size", SHEETS)
def test_each_label_is_read_back(size: str) -> None:
    """Judged by ZXing, another reader of QR codes, from a picture of a whole sheet at 300 dots an inch."""
    sheet = SHEETS[size]
    address = "https://data.portal.example.org/catalogue/specimens/rum-7-core-{}"
    labels = [
        Label(f"rum-7-core-{number}", "Core of the lower part", address.format(number))
        for number in range(sheet.count + 1)
    ]
    pictures = label_pictures(labels, sheet, skip=2)
    assert len(pictures) == len(label_pages(labels, sheet, skip=2)) == 2
    found = [zxingcpp.read_barcodes(np.asarray(one.convert("L"))) for one in pictures]
    assert [sorted(one.text for one in page) for page in found] == [
        sorted(one.address for one in labels[: sheet.count - 2]),
        sorted(one.address for one in labels[sheet.count - 2 :]),
    ]
    # The first label is the third of its row: where a sheet has it, in mm from the corner of the paper.
    first = next(one for one in found[0] if one.text == labels[0].address)
    column, row = 2 % sheet.columns, 2 // sheet.columns
    assert sheet.left_mm + column * sheet.step_x_mm < first.position.top_left.x / 300 * 25.4
    assert first.position.bottom_right.y / 300 * 25.4 < sheet.top_mm + row * sheet.step_y_mm + sheet.height_mm


def test_safety_remarks_are_never_cut() -> None:
    for sheet in SHEETS.values():
        for hazards in (
            "radioactive",
            "contains ethanol, methanol and formaldehyde; keep away from flames " * 4,
        ):
            lines = draw_label(
                Label("a" * 60, "A very long name " * 9, "https://x.org/a", hazards), sheet
            ).lines
            text = " ".join(one.text for one in lines)
            assert hazards.strip() in text or "scan the code" in text
            assert "…" in text  # the name was cut, and that is seen
            assert max(one.y_mm for one in lines) < sheet.height_mm
    with pytest.raises(InputError, match="font for pictures has no"):
        label_pictures([Label("a", "牙齿", "https://x.org/a")], SHEETS["38x21"])


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "catalogue.sqlite"
    with open_catalogue(file) as opened:
        make_entity(opened, LOCAL_OWNER, "specimen", "Rum", {}, "rum")
    here = ["--catalogue", str(file)]
    assert execute(["specimen", "move", "rum", "--to", "lab 3/shelf B", *here]) == 0
    assert execute(["parcel", "new", "rum", "--fact", "carrier=DHL", "--id", "p1", *here]) == 0
    assert execute(["parcel", "send", "p1", "--tracking", "JD 1", *here]) == 0
    assert execute(["specimen", "places", *here]) == 0
    assert "on its way in p1" in capsys.readouterr().out
    assert execute(["parcel", "receive", "p1", "--to", "BM05", "--condition", "dry", *here]) == 0
    assert execute(["parcel", "show", "p1", *here]) == 0
    assert execute(["parcel", "list", "--state", "received", *here]) == 0
    shown = capsys.readouterr().out
    assert "changed: tracking" in shown
    assert "p1: received; holds rum" in shown
    label = ["specimen", "label", "rum", "-o", str(tmp_path / "labels.png"), *here]
    assert execute(label) == 2  # no address
    assert execute([*label, "--address", "https://x.org/", "--copies", "3"]) == 0
    with Image.open(tmp_path / "labels.png") as picture:
        read = zxingcpp.read_barcodes(np.asarray(picture.convert("L")))
    assert [one.text for one in read] == ["https://x.org/specimens/rum"] * 3
    assert execute([*label, "--address", "https://x.org/"]) == 2  # is there already
