"""tus 1.0 by its own words, and `push` through a portal that breaks off again and again."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import (
    LOCAL_OWNER,
    Catalogue,
    file_record,
    open_catalogue,
    read_record,
    search,
    verify,
)
from tomarium.catalogue.finish_upload import KIND
from tomarium.catalogue.jobs import add_job
from tomarium.catalogue.work import work_once
from tomarium.errors import InputError, Interrupted
from tomarium.portal import client as client_module
from tomarium.portal.app import create_app
from tomarium.portal.push import push

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


def words(**told: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items())


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Files) -> Iterator[Catalogue]:
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(client_module, "FIRST_WAIT_S", 0.01)
    # tests/catalogue/test_record_pictures.py
    monkeypatch.setattr("tomarium.catalogue.finish_upload.ask_for_pictures", lambda *_given: None)
    with open_catalogue(place(tmp_path / "portal" / "catalogue.sqlite")) as catalogue:
        yield catalogue


@pytest.fixture
def client(opened: Catalogue) -> Iterator[TestClient]:
    with TestClient(create_app(opened, local=True), raise_server_exceptions=False) as client:
        yield client


def begin(client: TestClient, length: int, **told: str) -> str:
    answer = client.post(
        "/uploads", headers={**TUS, "Upload-Length": str(length), "Upload-Metadata": words(**told)}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def test_server_tells_what_it_can(client: TestClient) -> None:
    answer = client.options("/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert "creation" in answer.headers["tus-extension"].split(",")


def test_an_upload_in_pieces(client: TestClient) -> None:
    place = begin(client, 10, filename="a.bin")
    for offset, piece in ((0, b"12345"), (5, b"678"), (8, b"90")):
        answer = client.patch(place, headers={**BYTES, "Upload-Offset": str(offset)}, content=piece)
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(offset + len(piece)))
        told = client.head(place, headers=TUS)
        assert (told.headers["upload-offset"], told.headers["upload-length"]) == (
            str(offset + len(piece)),
            "10",
        )
        assert told.headers["cache-control"] == "no-store"


def test_creation_with_upload_and_checksum(client: TestClient) -> None:
    right = base64.b64encode(hashlib.sha256(b"123").digest()).decode()
    headers = {
        **BYTES,
        "Upload-Length": "3",
        "Upload-Metadata": words(filename="a"),
        "Upload-Checksum": f"sha256 {right}",
    }
    answer = client.post("/uploads", headers=headers, content=b"123")
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "3")
    place = begin(client, 3, filename="b")
    checked = {**BYTES, "Upload-Checksum": headers["Upload-Checksum"]}
    wrong = client.patch(place, headers={**checked, "Upload-Offset": "0"}, content=b"124")
    assert wrong.status_code == 460
    assert client.head(place, headers=TUS).headers["upload-offset"] == "0"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/uploads", {"Upload-Length": "1"}, 412),
        ("POST", "/uploads", {**TUS, "Upload-Length": "-5"}, 400),
        ("POST", "/uploads", {**TUS, "Upload-Length": "1e18"}, 400),
        ("POST", "/uploads", {**TUS, "Upload-Length": "9" * 18}, 413),
        ("POST", "/uploads", {**TUS}, 400),
        ("POST", "/uploads", {**TUS, "Upload-Length": "1", "Upload-Metadata": "filename !!"}, 400),
        ("POST", "/uploads", {**TUS, "Upload-Length": "1", "Upload-Metadata": words(filename="../a")}, 400),
        ("HEAD", "/uploads/unknown", TUS, 404),
        ("PATCH", "/uploads/unknown", {**BYTES, "Upload-Offset": "0"}, 404),
        ("PATCH", "/uploads/unknown", {**TUS, "Upload-Offset": "0"}, 415),
        ("DELETE", "/uploads/unknown", TUS, 404),
        ("GET", "/uploads/batches/unknown", {}, 404),
        ("POST", "/uploads/batches/unknown/done", {}, 404),
        ("GET", "/uploads/jobs/7", {}, 404),
    ],
)
def test_what_is_refused(
    client: TestClient, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert client.request(method, path, headers=headers).status_code == status


def test_jobs_of_other_work_are_not_shown(opened: Catalogue, client: TestClient) -> None:
    with opened.writing() as connection:
        numbers = [add_job(connection, LOCAL_OWNER, kind, {"batch": "b"}) for kind in ("reconstruct", KIND)]
    told = [client.get(f"/uploads/jobs/{number}") for number in numbers]
    assert [answer.status_code for answer in told] == [404, 200]
    assert told[1].json()["state"] == "waiting"


def test_wrong_offset_and_removal(client: TestClient) -> None:
    place = begin(client, 4, filename="a")
    assert client.patch(place, headers={**BYTES, "Upload-Offset": "2"}, content=b"1").status_code == 409
    assert client.patch(place, headers={**BYTES, "Upload-Offset": "0"}, content=b"12345").status_code == 413
    assert client.delete(place, headers=TUS).status_code == 204
    assert client.head(place, headers=TUS).status_code == 404


def test_nobody_uploads_without_an_account(opened: Catalogue) -> None:
    with TestClient(create_app(opened), raise_server_exceptions=False) as client:
        assert client.post("/uploads", headers={**TUS, "Upload-Length": "1"}).status_code == 401
        assert client.post("/uploads/batches").status_code == 401


@contextmanager
def served(catalogue: Catalogue) -> Iterator[str]:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(create_app(catalogue, local=True), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def record(tmp_path: Path, make_volume: Callable[..., Path]) -> Path:
    folder = tmp_path / "mine" / "tooth"
    make_volume(folder / "volume.ome.zarr", size=16)
    file_record(folder, title="Tooth", id="tooth")
    return folder


def test_a_record_is_pushed_and_is_the_same(opened: Catalogue, record: Path, tmp_path: Path) -> None:
    with served(opened) as address:
        told = push(record, address, chunk=3000)
        assert told == f"{address}/records/tooth"
        with pytest.raises(InputError, match="of this identifier already"):
            push(record, address)
    there = tmp_path / "portal" / "records" / "tooth"
    assert (read_record(there), verify(there)) == (read_record(record), ())
    assert search(opened, LOCAL_OWNER).hits[0].state == "draft"


def test_a_push_that_is_cut_off_goes_on(
    opened: Catalogue, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, sent = client_module.Portal.ask, []

    def cut(self: object, method: str, path: str, headers: object = None, content: bytes = b"") -> object:
        if method == "PATCH":
            sent.append(len(content))
            if len(sent) % 7 == 3:
                raise OSError("cut off")
            if len(sent) == 20:
                raise KeyboardInterrupt
        return ask(self, method, path, headers, content)  # type: ignore[arg-type]

    monkeypatch.setattr(client_module.Portal, "ask", cut)
    with served(opened) as address:
        with pytest.raises(KeyboardInterrupt):
            push(record, address, chunk=1500)
        push(record, address, chunk=1500)
    size = sum(place.stat().st_size for place in record.rglob("*") if place.is_file())
    assert sum(sent) < size * 1.5  # what was there was not sent again


def test_a_scan_is_made_a_record_by_a_worker(opened: Catalogue, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "map.tif", np.arange(120, dtype=np.uint16).reshape(10, 12))
    with served(opened) as address:
        told = push(tmp_path / "map.tif", address, title="A map", wait=False)
        assert told.startswith("job 1: ")
        said: list[str] = []
        assert work_once(opened, said.append)
    assert "done (filed: a-map-" in said[0]
    hit = search(opened, LOCAL_OWNER).hits[0]
    assert (hit.title, hit.state) == ("A map", "draft")


def test_a_portal_that_is_not_there(tmp_path: Path, opened: Catalogue, record: Path) -> None:
    with pytest.raises(Interrupted, match="does not answer"):
        push(record, "http://127.0.0.1:9")
    with pytest.raises(InputError, match="in the clear"):
        push(record, "http://data.example.org", token="tom_x")
    with pytest.raises(InputError, match="no address"):
        push(record, "data.example.org")


def test_a_batch_that_ends_while_a_push_goes_on_is_told(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [
        client_module.Answer(201, Message(), b'{"batch": "b"}'),
        client_module.Answer(404, Message(), b'{"detail": "there is no batch"}'),
    ]
    monkeypatch.setattr(client_module.Portal, "ask", lambda *_asked: answers.pop(0))
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))
    with pytest.raises(InputError, match="there is no batch"):
        push(record, "http://127.0.0.1:9")


def test_a_file_that_is_refused_is_named_once(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(portal: object, method: str, path: str, *more: dict[str, str]) -> client_module.Answer:
        if path != "uploads":
            return client_module.Answer(
                200 if method == "GET" else 201, Message(), b'{"batch": "b", "files": []}'
            )
        packed = dict(pair.split(" ") for pair in more[0]["Upload-Metadata"].split(","))
        name = base64.b64decode(packed["filename"]).decode()
        said = json.dumps({"detail": f"{name}: has 4 GB; at most 1 GB are taken in one file"})
        return client_module.Answer(413, Message(), said.encode())

    monkeypatch.setattr(client_module.Portal, "ask", answer)
    monkeypatch.setenv("TOMARIUM_HOME", str(tmp_path))
    with pytest.raises(InputError) as refused:
        push(record, "http://127.0.0.1:9")
    name = str(refused.value).split(":")[0].rsplit("/", 1)[-1]
    assert str(refused.value).endswith(": has 4 GB; at most 1 GB are taken in one file")
    assert str(refused.value).count(name) == 1


def sent(client: TestClient, batch: str, name: str, content: bytes) -> None:
    headers = {
        **BYTES,
        "Upload-Length": str(len(content)),
        "Upload-Metadata": words(filename=name, batch=batch),
    }
    assert client.post("/uploads", headers=headers, content=content).status_code == 201


def test_what_the_form_says_is_in_the_draft(client: TestClient, opened: Catalogue, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "map.tif", np.arange(120, dtype=np.uint16).reshape(10, 12))
    batch = client.post("/uploads/batches").json()["batch"]
    sent(client, batch, "map.tif", (tmp_path / "map.tif").read_bytes())
    done = f"/uploads/batches/{batch}/done"
    refused = client.post(done, json={"licence": "none of this world"})
    assert (refused.status_code, "none of this world" in refused.json()["detail"]) == (422, True)
    assert client.post(done, json={"colour": "red"}).status_code == 400
    said = {"title": "A map", "licence": "CC-BY-4.0", "creators": "Lovelace, Ada", "description": " "}
    job = client.post(done, json=said)
    assert job.status_code == 202
    (listed,) = client.get("/upload.json").json()["under_way"]
    assert (listed["batch"], listed["state"], listed["title"]) == (batch, "waiting", "A map")
    kept = client.post(f"/uploads/batches/{batch}/drop")
    assert (kept.status_code, "job 1 makes a record" in kept.json()["detail"]) == (400, True)
    assert work_once(opened, lambda _line: None)
    told = client.get(job.headers["location"]).json()
    (made,) = told["records"]
    record = read_record(opened.home / "records" / batch / "A-map")
    assert made["id"] == record.id
    assert (record.title, record.licence) == ("A map", "CC-BY-4.0")
    assert record.creators[0].name == "Lovelace, Ada"
    assert client.get(made["address"]).status_code == 200
    assert client.get("/upload.json").json()["under_way"] == []


def test_a_records_folder_may_come_with_its_name(client: TestClient, opened: Catalogue, record: Path) -> None:
    batch = client.post("/uploads/batches").json()["batch"]
    for place in record.rglob("*"):
        if place.is_file():
            sent(client, batch, place.relative_to(record.parent).as_posix(), place.read_bytes())
    answer = client.post(f"/uploads/batches/{batch}/done", json={"title": "", "keywords": "teeth\nbears"})
    assert (answer.status_code, answer.json()["record"]) == (201, "tooth")
    there = opened.home / "records" / "tooth"
    assert verify(there) == ()
    assert (read_record(there).title, read_record(there).keywords) == ("Tooth", ("teeth", "bears"))


def test_a_batch_that_nobody_wants_is_removed(client: TestClient) -> None:
    batch = client.post("/uploads/batches", params={"title": "Wrong"}).json()["batch"]
    place = begin(client, 10, filename="a", batch=batch, modified="17")
    (listed,) = client.get(f"/uploads/batches/{batch}").json()["files"]
    assert (listed["modified"], listed["upload"]) == ("17", place)
    gone = client.post(f"/uploads/batches/{batch}/drop", follow_redirects=False)
    assert (gone.status_code, gone.headers["location"]) == (303, "/upload")
    assert client.head(place, headers=TUS).status_code == 404


def test_the_page_is_for_those_who_may(opened: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    with TestClient(create_app(opened), raise_server_exceptions=False) as client:
        page = client.get("/upload").text
        assert "This needs an account" in page
        assert 'href="/upload"' not in client.get("/").text
    with TestClient(create_app(opened, local=True)) as client:
        assert 'href="/upload"' in client.get("/").text
        monkeypatch.setattr("tomarium.portal.built.FOLDER", Path("nowhere"))
        page = client.get("/upload").text
        assert "make web" in page
        assert "tomarium push" in page
        assert "<script" not in page


def test_titles_may_be_those_of_others_and_several_files_have_their_own(
    client: TestClient, opened: Catalogue, tmp_path: Path
) -> None:
    for number in range(6):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["implements"] = "exchange"
            file["exchange/data"] = np.full((4, 40, 50), number, np.uint16)
            file["exchange/theta"] = np.linspace(0, 135, 4)
    (tmp_path / "notes.xyz").write_text("scanned in ethanol")
    for names in (["0.h5", "notes.xyz"], ["1.h5"], ["2.h5", "3.h5"], ["4.h5", "5.h5", "notes.xyz"]):
        batch = client.post("/uploads/batches").json()["batch"]
        for name in names:
            sent(client, batch, name, (tmp_path / name).read_bytes())
        client.post(f"/uploads/batches/{batch}/done", json={"title": "A map", "licence": "CC0-1.0"})
        said: list[str] = []
        assert work_once(opened, said.append) == (len(names) < 3), said
    hits = search(opened, LOCAL_OWNER).hits
    assert sorted(hit.title for hit in hits if hit.title == "A map") == ["A map", "A map"]
    assert len(hits) == 6
    # What is of no known format stays with the one record, or with the upload: nothing that was sent is lost.
    assert "1 file of no known format in 1 folder (1 .xyz): notes.xyz: in no record; send" in said[0]
    assert any("notes.xyz" in path.name for path in opened.home.glob(f"uploads/{batch}/**/*"))
    kept = [
        place.parent
        for place in opened.home.glob("records/*/*/ro-crate-metadata.json")
        if (place.parent / "other" / "notes.xyz").exists()
    ]
    assert [verify(folder) for folder in kept] == [()]
    assert "other/notes.xyz" in {file.path for file in read_record(kept[0]).files}


def test_why_no_record_was_made_tells_no_folder_of_the_machine(client: TestClient, opened: Catalogue) -> None:
    batch = client.post("/uploads/batches").json()["batch"]
    sent(client, batch, "mine/scan.h5", b"no HDF5")
    job = client.post(f"/uploads/batches/{batch}/done").headers["location"]
    assert not work_once(opened, lambda _line: None)
    told = client.get(job).json()
    assert (told["state"], told["records"]) == ("failed", [])
    assert "mine" in told["told"]
    assert str(opened.home) not in told["told"]
    page = client.get("/upload").text
    assert "no record could be made" in page
    assert "Remove it" in page
