"""Pictures of others: who made them, who permitted what, and that nothing is published without."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app_client import TestClient
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue, read_record
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.life import NotReady, Request, publish
from tomarium.catalogue.picture_credits import read_credit
from tomarium.errors import ParameterError
from tomarium.model import Person
from tomarium.model.part import Permission
from tomarium.portal.app import create_app

GIVEN = {
    "path": "photo.png",
    "creator": "Meyer, Anna",
    "holder": "Museum of Bears",
    "licence": "CC-BY-4.0",
    "date": "2026-01-02",
    "document": "letter 17 in the museum's archive",
}
READY = Changes(licence="CC0-1.0", creators=(Person("Lovelace, Ada", "0000-0002-1825-0097"),))


@pytest.fixture
def catalogue(tmp_path: Path, make_volume: Callable[..., Path]) -> Iterator[Catalogue]:
    folder = tmp_path / "records" / "tooth"
    make_volume(folder / "volume.ome.zarr", size=8)
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    file_record(folder, title="Tooth", id="tooth")
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        ingest(opened, folder)
        edit(opened, LOCAL_OWNER, "tooth", READY)
        yield opened


def say(catalogue: Catalogue, **told: str) -> None:
    edit(catalogue, LOCAL_OWNER, "tooth", Changes(credits=(read_credit(told),)))


def test_a_picture_of_others_is_published_with_a_permission_only(catalogue: Catalogue) -> None:
    say(catalogue, path="photo.png", creator="Meyer, Anna")
    with pytest.raises(NotReady, match=r"others made photo\.png, and nothing says"):
        publish(catalogue, LOCAL_OWNER, "tooth", Request(embargo="0", files=False))
    say(catalogue, path="photo.png", holder="Museum of Bears", licence="CC-BY-4.0", date="2026-01-02")
    record = publish(catalogue, LOCAL_OWNER, "tooth", Request(embargo="0", files=False))
    (part,) = (one for one in record.parts if one.path == "photo.png")
    assert part.kind == "picture"
    assert part.creator == "Meyer, Anna"  # was told before, and stays
    assert part.permission == Permission("Museum of Bears", "CC-BY-4.0", "", "2026-01-02", "")
    assert read_record(catalogue.home / "records" / "tooth").parts == record.parts


@pytest.mark.parametrize("creator", ["Ada Lovelace", "lovelace, ada", "A. Byron 0000-0002-1825-0097", ""])
def test_a_picture_of_a_creator_of_the_record_needs_none(catalogue: Catalogue, creator: str) -> None:
    say(catalogue, path="photo.png", creator=creator)
    assert publish(catalogue, LOCAL_OWNER, "tooth", Request(embargo="0", files=False)).publication is not None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"path": ""}, "which file"),
        ({"path": "none.png", "creator": "X"}, "has no file 'none.png'"),
        ({"path": "../tooth/photo.png", "creator": "X"}, "has no file"),
        ({"path": "volume.ome.zarr", "creator": "X"}, "is its volume"),
        ({**GIVEN, "holder": ""}, "names the holder"),
        ({**GIVEN, "date": ""}, "names the holder"),
        ({**GIVEN, "licence": ""}, "names the holder"),
        ({**GIVEN, "date": "2026-02-30"}, "is no day"),
        ({**GIVEN, "date": "9999-01-01"}, "not given yet"),
        ({**GIVEN, "text": "x" * 2001}, "at most 2000"),
        ({**GIVEN, "creator": "Ada 0000-0002-1825-0098"}, "last digit"),
    ],
)
def test_what_is_no_permission_is_refused(catalogue: Catalogue, told: dict[str, str], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        say(catalogue, **told)


def test_the_form_saves_shows_and_takes_back(catalogue: Catalogue) -> None:
    with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
        assert "Saved." in client.post("/records/tooth/picture", data=GIVEN).text
        page = client.get("/records/tooth/manage").text
        assert 'value="Museum of Bears"' in page
        shown = client.get("/records/tooth").text
        assert "Meyer, Anna. © Museum of Bears, CC-BY-4.0, by permission of 2026-01-02" in shown
        crate = client.get("/records/tooth/metadata/ro-crate").json()
        (photo,) = (one for one in crate["@graph"] if one["@id"] == "photo.png")
        assert photo["creditText"].startswith("Meyer, Anna")
        empty = dict.fromkeys(("holder", "licence", "text", "date", "document"), "")
        client.post("/records/tooth/picture", data={**GIVEN, **empty})
        checks = client.get("/records/tooth/manage.json").json()["checks"]
        assert [one["name"] for one in checks if one["problem"] and one["refuses"]] == ["Pictures of others"]
        wrong = client.post(
            "/records/tooth/picture", data={"path": "x"}, headers={"Accept": "application/json"}
        )
        assert (wrong.status_code, "has no file" in wrong.json()["detail"]) == (422, True)
