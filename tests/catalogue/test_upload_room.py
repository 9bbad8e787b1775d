"""Room for uploads is taken in the database: two machines together let in no more than a quota leaves."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from app_client import TestClient
from postgresql_server import Files
from tomarium.catalogue import Catalogue, file_record, open_catalogue
from tomarium.catalogue.accounts import change_teams, make_account
from tomarium.catalogue.appending import TooLarge, UploadProblem
from tomarium.catalogue.disk_use import change_quota, use_of
from tomarium.catalogue.finish_upload import drop, finish
from tomarium.catalogue.queries import life_of
from tomarium.catalogue.reader import LOCAL_OWNER, Reader
from tomarium.catalogue.tables import upload_rooms
from tomarium.catalogue.tokens import make_token
from tomarium.catalogue.upload_room import bring_up_to_date, release_room, reserving_room
from tomarium.catalogue.uploads import Uploads
from tomarium.errors import StorageFull
from tomarium.model import Part
from tomarium.portal.app import create_app

ADA = Reader("ada", "member", teams=("bones",))
BEN = Reader("ben", "member", teams=("bones",))


@dataclass(frozen=True)
class Machine:
    """A portal of its own: another connection to one database, the same folder."""

    catalogue: Catalogue
    uploads: Uploads

    def create(self, reader: Reader, batch: str, path: str, length: int) -> bool:
        try:
            with reserving_room(self.catalogue, reader, self.uploads, batch, path, length):
                self.uploads.create(reader, batch, path, length)
        except (StorageFull, TooLarge):
            return False
        return True


@pytest.fixture
def machines(tmp_path: Path, place: Files) -> Iterator[tuple[Machine, Machine]]:
    where = place(tmp_path / "catalogue.sqlite")
    uploads = Uploads(tmp_path / "uploads", quota=10**6)
    with open_catalogue(where) as one, open_catalogue(where) as two:
        yield Machine(one, uploads), Machine(two, uploads)


def rooms(machine: Machine) -> dict[str, int]:
    with machine.catalogue.reading() as connection:
        return {row.batch: row.bytes for row in connection.execute(select(upload_rooms))}


def limit(machine: Machine, kind: str, name: str, size: int) -> None:
    with machine.catalogue.writing() as connection:
        change_quota(connection, LOCAL_OWNER, kind, name, size)


def test_two_machines_do_not_overshoot(machines: tuple[Machine, Machine]) -> None:
    limit(machines[0], "owner", "ada", 1000)
    batches = [machine.uploads.begin(ADA) for machine in machines]

    def send(number: int) -> bool:
        return machines[number % 2].create(ADA, batches[number % 2], f"file{number}", 100)

    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(send, range(24)))
    assert sum(taken) == 10
    assert sum(rooms(machines[0]).values()) == 1000
    assert sum(machines[0].uploads.bytes_of(ADA, batch) for batch in batches) == 1000
    room = reserving_room(machines[1].catalogue, ADA, machines[1].uploads, batches[0], "more", 1)
    with pytest.raises(StorageFull, match=r"uploads under way 1.* of 1.*, so 1 B more do not fit"), room:
        pass


def test_what_one_person_may_have_under_way(machines: tuple[Machine, Machine]) -> None:
    batch = machines[0].uploads.begin(ADA)
    assert machines[0].create(ADA, batch, "a", 10**6)
    room = reserving_room(machines[1].catalogue, ADA, machines[1].uploads, batch, "b", 1)
    with pytest.raises(TooLarge, match="under way"), room:
        pass
    assert machines[1].create(BEN, machines[1].uploads.begin(BEN), "a", 10**6)


def test_a_quota_of_a_team_counts_its_members(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    limit(one, "team", "bones", 1000)
    of_ada, of_ben = one.uploads.begin(ADA, team="bones"), two.uploads.begin(BEN, team="bones")
    own = one.uploads.begin(ADA)
    assert one.create(ADA, of_ada, "a", 600)
    assert not two.create(BEN, of_ben, "b", 500)
    assert two.create(BEN, of_ben, "b", 400)
    assert not one.create(ADA, of_ada, "c", 1)
    assert one.create(ADA, own, "c", 5000)  # is no team's
    with pytest.raises(UploadProblem, match="is not in the team 'stones'"):
        one.uploads.begin(ADA, team="stones")


def test_room_is_given_back(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    limit(one, "owner", "ada", 1000)
    batch = one.uploads.begin(ADA)
    assert one.create(ADA, batch, "a", 700)
    assert not two.create(ADA, batch, "a", 400)  # the first counts until it is replaced
    assert rooms(one) == {batch: 700}
    assert two.create(ADA, batch, "a", 300)
    assert rooms(one) == {batch: 300} == {batch: one.uploads.bytes_of(ADA, batch)}
    with pytest.raises(RuntimeError), reserving_room(one.catalogue, ADA, one.uploads, batch, "b", 500):
        raise RuntimeError
    assert rooms(one) == {batch: 300}
    (upload,) = one.uploads.files(ADA, batch)
    one.uploads.remove(ADA, upload.id)
    release_room(one.catalogue, batch, upload.length)
    assert rooms(one) == {batch: 0}
    drop(one.catalogue, ADA, one.uploads, batch)
    assert rooms(one) == {}


def test_a_record_counts_once(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    one, two = machines
    (tmp_path / "scan").mkdir()
    (tmp_path / "scan" / "scan.dat").write_bytes(b"counts")
    file_record(tmp_path / "scan", title="Scan", id="scan", parts=(Part("projections", "scan.dat"),))
    batch = one.uploads.begin(ADA, team="bones")
    for file in sorted(path for path in (tmp_path / "scan").rglob("*") if path.is_file()):
        content = file.read_bytes()
        name = file.relative_to(tmp_path / "scan").as_posix()
        with reserving_room(one.catalogue, ADA, one.uploads, batch, name, len(content)):
            upload = one.uploads.create(ADA, batch, name, len(content))
        with one.uploads.appending(ADA, upload.id, 0) as taking:
            taking.write(content)
    finish(two.catalogue, ADA, two.uploads, batch, tmp_path / "records")
    assert rooms(one) == {}
    with one.catalogue.reading() as connection:
        lived = life_of(connection, "scan")
        assert lived is not None
        assert (lived.owner, lived.team) == ("ada", "bones")
        assert use_of(connection, "team", "bones").records == 1
        assert use_of(connection, "team", "bones").bytes == use_of(connection, "owner", "ada").bytes > 0


def test_a_worker_brings_the_rows_up_to_date(machines: tuple[Machine, Machine]) -> None:
    one, two = machines
    before, gone = one.uploads.begin(ADA), one.uploads.begin(ADA)
    one.uploads.create(ADA, before, "a", 77)  # begun by an earlier version
    assert one.create(ADA, gone, "a", 5)
    one.uploads.forget(gone)
    bring_up_to_date(two.catalogue, two.uploads)
    assert rooms(one) == {before: 77}


def test_a_team_by_the_door(tmp_path: Path) -> None:
    with open_catalogue(tmp_path / "catalogue.sqlite") as catalogue:
        with catalogue.writing() as connection:
            make_account(connection, LOCAL_OWNER, "root", "administrator")
            make_account(connection, LOCAL_OWNER, "ada", "member")
            change_teams(connection, LOCAL_OWNER, "ada", join=("bones",))
            change_quota(connection, LOCAL_OWNER, "team", "bones", 100)
            token = make_token(connection, LOCAL_OWNER, "ada", "test", ("upload",), 1)
        with TestClient(create_app(catalogue)) as client:
            client.headers |= {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
            assert client.post("/uploads/batches", params={"team": "stones"}).status_code == 400
            batch = client.post("/uploads/batches", params={"team": "bones"}).json()["batch"]
            names = ",".join(
                f"{name} {text}" for name, text in (("filename", "YQ=="), ("batch", _coded(batch)))
            )
            for length, status in ((101, 507), (100, 201)):
                answer = client.post(
                    "/uploads", headers={"Upload-Length": str(length), "Upload-Metadata": names}
                )
                assert answer.status_code == status, answer.text
            assert "bones: the records take" in client.post(
                "/uploads", headers={"Upload-Length": "1", "Upload-Metadata": names.replace("YQ==", "Yg==")}
            ).text  # fmt: skip


def _coded(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()
