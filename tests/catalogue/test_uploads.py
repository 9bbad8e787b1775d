"""Uploads: whatever is cut off, resumed, doubled or hostile, the bytes are those that were sent or none."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import tomarium.catalogue.uploads as uploads_module
from tomarium.catalogue import file_record, ingest, open_catalogue
from tomarium.catalogue.appending import (
    Busy,
    NoUpload,
    TooLarge,
    UploadProblem,
    WrongChecksum,
    WrongOffset,
)
from tomarium.catalogue.finish_upload import finish, make_records
from tomarium.catalogue.queries import folder_of, place_of
from tomarium.catalogue.reader import ANYBODY, Reader
from tomarium.catalogue.uploads import KEPT_S, Uploads
from tomarium.errors import StorageFull
from tomarium.model import Publication
from tomarium.standards.ro_crate import FILENAME, export

ADA, EVE = Reader("ada", "member"), Reader("eve", "member")


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads", largest=1 << 20, quota=1 << 21)


def send(uploads: Uploads, id: str, content: bytes, offset: int = 0) -> int:
    with uploads.appending(ADA, id, offset) as taking:
        taking.write(content)
        return taking.offset


@pytest.mark.parametrize("seed", range(100))
def test_killed_at_random_they_end_byte_identical(uploads: Uploads, seed: int) -> None:
    draw = random.Random(seed)
    content = draw.randbytes(draw.randrange(1, 3000))
    batch = uploads.begin(ADA)
    upload = uploads.create(ADA, batch, "a/b.bin", len(content), hashlib.sha256(content).hexdigest())
    while (at := uploads.state(ADA, upload.id).offset) < len(content):
        try:
            with uploads.appending(ADA, upload.id, at) as taking:
                end = min(len(content), at + draw.randrange(1, 700))
                for start in range(at, end, 100):
                    if draw.random() < 0.2:
                        raise KeyboardInterrupt
                    taking.write(content[start : min(start + 100, end)])
        except KeyboardInterrupt:
            pass
    assert (uploads.assemble(ADA, batch) / "a/b.bin").read_bytes() == content


def test_assembling_again_goes_on(uploads: Uploads) -> None:
    batch = uploads.begin(ADA, " A  title ")
    for name in ("a", "b/c"):
        send(uploads, uploads.create(ADA, batch, name, 3).id, b"123")
    folder = uploads.assemble(ADA, batch)
    assert uploads.assemble(ADA, batch) == folder
    assert sorted(p.name for p in folder.rglob("*")) == ["a", "b", "c"]
    assert uploads.title(ADA, batch) == "A title"


def test_assembling_goes_on_where_it_was_killed_between_a_file_and_its_notes(uploads: Uploads) -> None:
    batch = uploads.begin(ADA)
    for name in ("a", "b/c"):
        send(uploads, uploads.create(ADA, batch, name, 3).id, b"123")
    moved = next(one for one in uploads.files(ADA, batch) if one.path == "a")
    place = next((uploads.root / batch).rglob(moved.id[-22:]))
    (uploads.root / batch / "incoming").mkdir()
    (place / "data").replace(uploads.root / batch / "incoming" / "a")
    folder = uploads.assemble(ADA, batch)
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == ["a", "c"]


def test_bytes_for_another_place_are_refused(uploads: Uploads) -> None:
    upload = uploads.create(ADA, uploads.begin(ADA), "a", 10)
    assert send(uploads, upload.id, b"12345") == 5
    for offset in (0, 4, 6):
        with pytest.raises(WrongOffset, match="byte 5 is next"):
            send(uploads, upload.id, b"6", offset)
    with pytest.raises(TooLarge):
        send(uploads, upload.id, b"123456", 5)
    assert uploads.state(ADA, upload.id).offset == 5


def test_one_writes_at_a_time(uploads: Uploads) -> None:
    upload = uploads.create(ADA, uploads.begin(ADA), "a", 10)
    with uploads.appending(ADA, upload.id, 0), pytest.raises(Busy), uploads.appending(ADA, upload.id, 0):
        pass


def test_what_is_not_whole_or_not_what_it_says_is_no_record(uploads: Uploads) -> None:
    batch = uploads.begin(ADA)
    with pytest.raises(UploadProblem, match="nothing was uploaded"):
        uploads.assemble(ADA, batch)
    upload = uploads.create(ADA, batch, "a", 2, "0" * 64)
    with pytest.raises(UploadProblem, match="0 of 2 bytes"):
        uploads.assemble(ADA, batch)
    send(uploads, upload.id, b"12")
    with pytest.raises(WrongChecksum, match="send this file again"):
        uploads.assemble(ADA, batch)
    again = uploads.create(ADA, batch, "a", 2)
    send(uploads, again.id, b"12")
    newest = uploads.create(ADA, batch, "a", 1)  # begun anew: the first is gone
    with pytest.raises(NoUpload):
        uploads.state(ADA, again.id)
    send(uploads, newest.id, b"3")
    assert (uploads.assemble(ADA, batch) / "a").read_bytes() == b"3"


def test_a_file_and_a_folder_of_one_name_are_refused(uploads: Uploads) -> None:
    batch = uploads.begin(ADA)
    for name in ("a", "a/b"):
        send(uploads, uploads.create(ADA, batch, name, 1).id, b"1")
    with pytest.raises(UploadProblem, match="cannot lie beside"):
        uploads.assemble(ADA, batch)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../a", "a/../../b", "a\\b", "a/", "a\x00b", "x" * 1001, "."]
)
def test_no_path_leads_out(uploads: Uploads, path: str) -> None:
    with pytest.raises(UploadProblem, match="cannot be the path"):
        uploads.create(ADA, uploads.begin(ADA), path, 1)


def test_limits(uploads: Uploads) -> None:
    batch = uploads.begin(ADA)
    with pytest.raises(TooLarge, match="at most"):
        uploads.create(ADA, batch, "a", (1 << 20) + 1)
    with pytest.raises(StorageFull, match="are free"):
        Uploads(uploads.root, 1 << 60, 1 << 60).create(ADA, batch, "c", 1 << 55)


@pytest.mark.parametrize("reader", [EVE, ANYBODY])
def test_nobody_else_sees_them(uploads: Uploads, reader: Reader) -> None:
    batch = uploads.begin(ADA)
    upload = uploads.create(ADA, batch, "a", 1)
    for attempt in (
        lambda: uploads.state(reader, upload.id),
        lambda: uploads.remove(reader, upload.id),
        lambda: uploads.files(reader, batch),
        lambda: uploads.assemble(reader, batch),
        lambda: uploads.create(reader, batch, "b", 1),
        lambda: uploads.state(ADA, "../../etc"),
    ):
        with pytest.raises(NoUpload):
            attempt()


def test_what_nobody_goes_on_with_is_removed(uploads: Uploads) -> None:
    import time

    batch = uploads.begin(ADA)
    uploads.create(ADA, batch, "a", 1)
    assert uploads.clean() == []
    assert uploads.clean(time.time() + KEPT_S + 1) == [batch]
    with pytest.raises(NoUpload):
        uploads.files(ADA, batch)


def test_the_total_is_that_of_the_files_whatever_stopped(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = uploads.begin(ADA)

    def told() -> int:
        return uploads.batches(ADA)[0].bytes

    first = uploads.create(ADA, batch, "a", 1000)
    uploads.create(ADA, batch, "b", 200)
    uploads.create(ADA, batch, "b", 300)  # begun anew: the first is counted no longer
    assert told() == 1300
    with monkeypatch.context() as patch:  # stopped between the file and the total

        def stopped(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("tomarium.catalogue.uploads.write_json", stopped)
        with pytest.raises(KeyboardInterrupt):
            uploads.create(ADA, batch, "c", 5000)
    assert told() == 1300
    uploads.remove(ADA, first.id)
    assert told() == 300
    send(uploads, uploads.create(ADA, batch, "b", 3).id, b"123")
    uploads.assemble(ADA, batch)
    (listed,) = uploads.batches(ADA)
    assert (listed.bytes, listed.whole) == (3, True)
    assert uploads.batches(EVE) == []


def test_creating_reads_no_other_upload(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = uploads.begin(ADA)
    read: list[Path] = []
    length = uploads_module.length_of

    def counted(info: Path) -> int:
        read.append(info)
        return length(info)

    monkeypatch.setattr(uploads_module, "length_of", counted)
    for number in range(30):
        uploads.create(ADA, batch, f"slices/{number}.tif", 10)
    assert read == []


def test_what_is_uploaded_into_a_folder_named_as_ours_is_no_upload(uploads: Uploads) -> None:
    batch = uploads.begin(ADA)
    send(uploads, uploads.create(ADA, batch, "x/y/info.json", 2).id, b"{}")
    uploads.assemble(ADA, batch)
    assert uploads.files(ADA, batch) == []


def test_a_batch_is_dropped_with_its_bytes(uploads: Uploads) -> None:
    batch = uploads.begin(ADA)
    uploads.create(ADA, batch, "a", 1 << 20)
    with pytest.raises(NoUpload):
        uploads.drop(EVE, batch)
    uploads.drop(ADA, batch)
    assert uploads.batches(ADA) == []


def send_folder(uploads: Uploads, batch: str, folder: Path, below: str = "") -> None:
    for place in sorted(one for one in folder.rglob("*") if one.is_file()):
        content = place.read_bytes()
        upload = uploads.create(EVE, batch, f"{below}{place.relative_to(folder).as_posix()}", len(content))
        with uploads.appending(EVE, upload.id, 0) as taking:
            taking.write(content)


@pytest.mark.parametrize("there", [True, False], ids=["elsewhere", "not reachable"])
def test_a_record_of_others_is_not_taken_over_by_its_identifier(
    tmp_path: Path, make_volume: Callable[..., Path], there: bool
) -> None:
    archive, records, sent = tmp_path / "archive", tmp_path / "records", tmp_path / "sent"
    uploads = Uploads(tmp_path / "uploads", largest=1 << 24, quota=1 << 25)
    for folder, title in ((archive / "tooth", "Ada's"), (sent, "Eve's")):
        make_volume(folder / "volume.ome.zarr", size=16)
        file_record(folder, title=title, id="tooth")
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        ingest(catalogue, archive / "tooth", reader=ADA)
        if not there:
            archive.rename(tmp_path / "unmounted")
        batch = uploads.begin(EVE)
        send_folder(uploads, batch, sent)
        with pytest.raises(UploadProblem, match="of this identifier already"):
            finish(catalogue, EVE, uploads, batch, records)
        assert not (records / "tooth").exists()
        with catalogue.reading() as connection:
            assert folder_of(connection, "tooth") == archive / "tooth"


def test_a_crate_that_comes_after_the_batch_was_handed_in_publishes_nothing(
    tmp_path: Path, make_volume: Callable[..., Path]
) -> None:
    sent = tmp_path / "sent"
    uploads = Uploads(tmp_path / "uploads", largest=1 << 24, quota=1 << 25)
    make_volume(sent / "volume.ome.zarr", size=16)
    record = file_record(sent, title="Eve's", id="eves")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    claimed = Publication(published=now, publisher="Eve", open_from=now, doi="10.5072/made-up")
    (sent / FILENAME).write_text(export(replace(record, publication=claimed)))
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        batch = uploads.begin(EVE)
        with uploads.appending(EVE, uploads.create(EVE, batch, "a/notes.txt", 0).id, 0):
            pass
        assert finish(catalogue, EVE, uploads, batch, tmp_path / "records").job is not None
        send_folder(uploads, batch, sent, "a/")
        with pytest.raises(UploadProblem, match="hand it in again"):
            make_records(catalogue, EVE, uploads, batch, tmp_path / "records")
        with catalogue.reading() as connection:
            assert place_of(connection, ANYBODY, "eves") is None
        with pytest.raises(UploadProblem, match="says that it was published"):
            finish(catalogue, EVE, uploads, batch, tmp_path / "records")
