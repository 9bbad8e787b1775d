"""The pages of work: slices and volumes are asked for here, made by a worker, and seen by who asked alone."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import tomarium as tm
from app_client import TestClient
from portal.worker_reads_nothing import worker_reads_nothing
from postgresql_server import Files
from tomarium.beamtime import work_jobs, work_results
from tomarium.beamtime.work_jobs import PREVIEW, RECONSTRUCT, clear_work, work_kinds
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, open_catalogue, read_record
from tomarium.catalogue.accounts import close_account, make_account
from tomarium.catalogue.disk_use import change_quota
from tomarium.catalogue.file_path import file_path
from tomarium.catalogue.find_jobs import job_of, own_jobs
from tomarium.catalogue.jobs import add_job, cancel_job, end_job, take_job
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.make_from_files import Wish
from tomarium.catalogue.queries import folder_of
from tomarium.catalogue.tokens import make_token
from tomarium.catalogue.work import Kind, NotWanted, StillHeld, do_jobs
from tomarium.catalogue.workers import heard, workers_folder
from tomarium.errors import Interrupted
from tomarium.portal.app import create_app
from tomarium.portal.worker_child import WorkerChildren
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

AXIS = 33.25
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spool")
    simulate(folder / "tooth.h5", SimulationConfig(columns=64, rows=12, views=90, axis_column=AXIS, seed=2))
    (folder / "notes.txt").write_text("what we did\n")
    return folder


def filled(home: Path, spool: Path) -> Catalogue:
    """A catalogue with the record of a raw scan; it has no account, so that who asks owns the machine."""
    opened = open_catalogue(home / "catalogue.sqlite")
    filed = file_path(opened, spool / "tooth.h5", Wish(home / "records", "A tooth", copy=True))
    assert not filed.problems
    return opened


def client_of(catalogue: Catalogue, spool: Path) -> TestClient:
    app = create_app(catalogue, local=True, scans=(spool,))
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, spool: Path) -> Iterator[Catalogue]:
    with filled(tmp_path_factory.mktemp("portal"), spool) as opened:
        yield opened


@pytest.fixture
def client(catalogue: Catalogue, spool: Path) -> Iterator[TestClient]:
    with client_of(catalogue, spool) as client:
        yield client


@pytest.fixture
def another(tmp_path: Path, spool: Path) -> Iterator[Catalogue]:
    """A catalogue of one test, which makes accounts in it or leaves jobs."""
    with filled(tmp_path, spool) as opened:
        yield opened


def accounts(catalogue: Catalogue, **roles: str) -> dict[str, dict[str, str]]:
    """Make accounts, the first of them an administrator's, and give the headers by which each is known."""
    with catalogue.writing() as connection:
        for name, role in {"root": "administrator", **roles}.items():
            make_account(connection, LOCAL_OWNER, name, role)
        return {name: _token(connection, name) for name in ("root", *roles)}


def work(catalogue: Catalogue) -> list[str]:
    said: list[str] = []
    with worker_reads_nothing():
        do_jobs(catalogue, said.append, work_kinds())
    return said


def scan_of(catalogue: Catalogue) -> str:
    """Name the scan of the record."""
    return f"record:{read_record(catalogue.home / 'records' / 'A-tooth').id}"


def records_of(catalogue: Catalogue) -> set[str]:
    return {path.name for path in (catalogue.home / "records").iterdir()}


def ask(client: TestClient, scan: str, **fields: str) -> dict[str, Any]:
    answer = client.post("/reconstruct/looks", data={"scan": scan, "session": "s", **fields}, headers=JSON)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


def page(client: TestClient, address: str) -> Any:
    answer = client.get(address, headers=JSON)
    assert answer.status_code == 200, answer.text
    return answer.json()


def truth(path: Path, row: int, protocol: str) -> Any:
    from tomarium.pipeline.run.reconstruct import slice_at

    return slice_at(path, row, protocol).slab.data[0]


def test_from_a_scan_to_a_record(client: TestClient, catalogue: Catalogue, spool: Path) -> None:
    [choice] = page(client, "/reconstruct")["records"]
    assert choice["title"] == "A tooth"
    scan = choice["scan"]
    record_page = client.get(f"/records/{scan.removeprefix('record:')}").text
    assert f'href="/reconstruct/slice?scan={scan.replace(":", "%3A")}"' in record_page
    asked = ask(client, scan, what="axes")
    assert page(client, asked["address"])["strip"]["progress"]["state"] == "waiting"
    assert client.get(asked["state"]).json()["state"] == "waiting"
    french = client.get(f"/fr{asked['state']}").json()  # the sentence is for people, the state for programs
    assert (french["state"], "processus de calcul" in french["sentence"]) == ("waiting", True)
    work(catalogue)
    shown = page(client, asked["address"])
    strip = shown["strip"]
    [found] = [one["column"] for one in strip["candidates"] if one["found"]]
    assert abs(found - AXIS) < 0.3
    assert "high confidence" in strip["words"]
    assert (shown["rows"], shown["columns"]) == (12, 64)
    assert {"label": "Projections", "shown": "90 of 64 × 12 pixels"} in shown["facts"]

    settings = {
        "row": "5",
        "axis": "33.25",
        "rings": "sorting",
        "x0": "10",
        "x1": "50",
        "y0": "12",
        "y1": "52",
    }
    look = ask(client, scan, axes=str(asked["job"]), rows="2:8", **settings)
    work(catalogue)
    seen = page(client, look["address"])
    assert seen["look"]["progress"]["state"] == "done", seen["problem"]
    assert (seen["look"]["row"], seen["look"]["region"]) == (5, [10, 12, 40, 40])
    protocol = yaml.safe_load(seen["protocol"])
    assert protocol["steps"][-1] == {"fbp": {"axis_column": 33.25, "region": "12:52,10:50"}}
    given = client.get(f"/reconstruct/looks/{look['job']}/protocol.yaml")
    assert given.text == seen["protocol"]
    # The slice is that of the command, whole, with the region drawn over it.
    whole = yaml.safe_dump({"steps": [*protocol["steps"][:-1], {"fbp": {"axis_column": 33.25}}]})
    kept = work_results.read_slice(work_results.results_folder(catalogue.home, look["job"]), 0)
    assert kept is not None
    np.testing.assert_array_equal(kept, truth(spool / "tooth.h5", 5, whole))
    drawn = client.get(f"/reconstruct/looks/{look['job']}/slices/0.png", params={"low": "0", "high": "1"})
    grey = np.asarray(Image.open(BytesIO(drawn.content)))
    np.testing.assert_array_equal(grey, (np.clip(kept.astype(float) * 255 + 0.5, 0, 255)).astype(np.uint8))

    launched = client.post(
        "/reconstruct/jobs", data={"look": look["job"], "title": "Tooth, whole"}, headers=JSON
    )
    again = client.post(
        "/reconstruct/jobs", data={"look": look["job"], "title": "Tooth, whole"}, headers=JSON
    )
    assert launched.status_code == 202
    assert launched.json() == again.json()  # pressed twice, made once
    assert page(client, launched.json()["address"])["progress"]["state"] == "waiting"
    work(catalogue)
    job = page(client, launched.json()["address"])
    assert job["progress"]["state"] == "done", job
    assert yaml.safe_load(job["protocol"]) == protocol
    assert client.get(f"/records/{job['made']}").status_code == 200
    with catalogue.reading() as connection:
        folder = folder_of(connection, job["made"])
    assert folder is not None
    record = read_record(folder)
    assert (record.title, record.related[0].identifier) == ("Tooth, whole", scan.removeprefix("record:"))
    volume = tm.open(folder / "volume.ome.zarr")
    assert volume.shape == (6, 40, 40)
    same = tm.reconstruct(spool / "tooth.h5", seen["protocol"], rows=slice(2, 8))
    np.testing.assert_array_equal(volume[...], same[...])


def test_a_file_of_a_folder_is_the_owners_alone(another: Catalogue, spool: Path) -> None:
    client, catalogue = client_of(another, spool), another
    listed = page(client, f"/reconstruct?folder={spool}")
    assert [one["title"] for one in listed["files"]] == ["tooth.h5"]
    scan = listed["files"][0]["scan"]
    look = ask(client, scan)
    assert work(catalogue) == [f"job {look['job']}, preview: done (row 6)"]
    assert page(client, look["address"])["look"]["row"] == 6
    outside = client.post("/reconstruct/looks", data={"scan": f"path:{spool.parent}"}, headers=JSON)
    assert outside.status_code == 422
    assert client.get("/reconstruct", params={"folder": "/etc"}).status_code == 400
    headers = accounts(catalogue, ada="member")
    refused = client.post("/reconstruct/looks", data={"scan": scan}, headers=headers["ada"])
    assert refused.status_code == 422
    assert "folders: none" in refused.json()["detail"]
    # What the owner of this machine asked for, who is an administrator, is done still.
    with catalogue.writing() as connection:
        number = add_job(connection, LOCAL_OWNER, PREVIEW, _arguments(scan))
    assert work(catalogue) == [f"job {number}, preview: done (row 6)"]


def _token(connection: Any, name: str) -> dict[str, str]:
    secret = make_token(connection, LOCAL_OWNER, name, "test", ("read", "write", "upload"), 1)
    return {"Authorization": f"Bearer {secret}", **JSON}


def _arguments(scan: str, **settings: str) -> dict[str, Any]:
    return {"what": "slice", "scan": scan, "session": "s", "settings": settings}


def test_each_role_has_its_own(another: Catalogue) -> None:
    catalogue, scan = another, scan_of(another)
    headers = accounts(catalogue, ada="member", vic="visitor")
    with TestClient(create_app(catalogue), follow_redirects=False) as client:
        asked = {"scan": scan, "session": "s"}
        assert client.get("/reconstruct", headers=JSON).status_code == 401
        assert client.post("/reconstruct/looks", data=asked, headers=JSON).status_code == 401
        assert client.get("/reconstruct", headers=headers["vic"]).status_code == 401
        assert client.post("/reconstruct/looks", data=asked, headers=headers["vic"]).status_code == 403
        # A draft of somebody else: nobody but its owner and who sees all may work on it.
        assert client.post("/reconstruct/looks", data=asked, headers=headers["ada"]).status_code == 404
        assert page_of(client, "/reconstruct", headers["ada"])["records"] == []
        mine = client.post("/reconstruct/looks", data=asked, headers=headers["root"]).json()
        work(catalogue)
        doors = [mine["address"], mine["state"], f"/reconstruct/looks/{mine['job']}/slices/0.png"]
        doors += [
            f"/reconstruct/looks/{mine['job']}/protocol.yaml",
            f"/reconstruct/compare?a={mine['job']}&b={mine['job']}",
        ]
        assert [client.get(door, headers=headers["root"]).status_code for door in doors] == [200] * 5
        assert [client.get(door, headers=headers["ada"]).status_code for door in doors] == [404] * 5
        assert [client.get(door, headers=JSON).status_code for door in doors] == [401, 401, 401, 401, 401]
        launch = {"look": str(mine["job"])}
        assert client.post("/reconstruct/jobs", data=launch, headers=headers["ada"]).status_code == 404
        made = client.post("/reconstruct/jobs", data=launch, headers=headers["root"]).json()
        assert client.get(made["address"], headers=headers["ada"]).status_code == 404
        assert client.post(f"{made['address']}/cancel", headers=headers["ada"]).status_code == 404
        assert client.post(f"{made['address']}/cancel", headers=headers["root"]).status_code == 200
        assert (
            client.get("/about", headers={"Authorization": headers["vic"]["Authorization"]}).text.count(
                'href="/reconstruct"'
            )
            == 0
        )


def page_of(client: TestClient, address: str, headers: dict[str, str]) -> Any:
    return client.get(address, headers=headers).json()


def test_a_published_scan_is_for_every_member_and_the_volume_is_theirs(another: Catalogue) -> None:
    from tomarium.catalogue.edit import Changes, edit
    from tomarium.model import Person

    catalogue, scan = another, scan_of(another)
    told = Changes(licence="CC-BY-4.0", creators=(Person("Lovelace, Ada"),), specimen="MB.1")
    edit(catalogue, LOCAL_OWNER, scan.removeprefix("record:"), told)
    publish(catalogue, LOCAL_OWNER, scan.removeprefix("record:"), Request(embargo="0"))
    made = []
    headers = accounts(catalogue, ada="member", eve="member")
    with TestClient(create_app(catalogue), follow_redirects=False) as client:
        for name in ("ada", "eve"):
            look = client.post(
                "/reconstruct/looks", data={"scan": scan, "rows": "5:6"}, headers=headers[name]
            ).json()
            work(catalogue)
            job = client.post("/reconstruct/jobs", data={"look": look["job"]}, headers=headers[name]).json()
            assert work(catalogue)[0].startswith(f"job {job['job']}, reconstruct: done")
            made.append(page_of(client, job["address"], headers[name])["made"])
        assert client.get(f"/records/{made[0]}", headers=headers["ada"]).status_code == 200
        assert client.get(f"/records/{made[0]}", headers=headers["eve"]).status_code == 404
    assert made[0] != made[1]  # two people, the same volume, two records
    with catalogue.writing() as connection:
        close_account(connection, LOCAL_OWNER, "eve")
        add_job(connection, Reader("eve", "member"), PREVIEW, _arguments(scan))
    assert "is closed" in work(catalogue)[0]


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({"delta_beta": "-3"}, ["--step", "paganin", "--set", "paganin.delta_beta=-3"]),
        ({"delta_beta": "20", "energy": "25"}, ["--step", "paganin", "--set", "paganin.energy_kev=25"]),
        ({"energy": "25 keV"}, ["--set", "paganin.energy_kev=25 keV"]),
        ({"axis": "here"}, ["--set", "fbp.axis_column=here"]),
        ({"more": "fbp.window=round"}, ["--set", "fbp.window=round"]),
        ({"more": "window"}, ["--set", "window"]),
        ({"rings": "magic"}, ["--step", "remove_stripes", "--set", "remove_stripes.method=magic"]),
    ],
)
def test_what_is_refused_is_refused_as_the_command_does(
    client: TestClient, catalogue: Catalogue, fields: dict[str, str], command: list[str],
    spool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from tomarium.cli import execute

    assert execute(["slice", str(spool / "tooth.h5"), "-o", str(tmp_path / "s.png"), *command]) == 2
    said = " ".join(capsys.readouterr().err.split())
    scan = scan_of(catalogue)
    with catalogue.reading() as connection:
        before = own_jobs(connection, LOCAL_OWNER, PREVIEW)
    refused = client.post("/reconstruct/looks", data={"scan": scan, **fields}, headers=JSON)
    assert refused.status_code == 422
    assert " ".join(refused.json()["detail"].split()).rstrip(".") in said
    answer = client.post("/reconstruct/looks", data={"scan": scan, **fields}, headers={"Accept": "text/html"})
    assert answer.status_code == 422
    for name, text in fields.items():  # the form is as it was typed
        assert re.search(
            rf'name="{name}"[^>]*value="{re.escape(text)}"|>{re.escape(text)}<', answer.text
        ) or (name == "rings")
    with catalogue.reading() as connection:
        assert own_jobs(connection, LOCAL_OWNER, PREVIEW) == before


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"row": "400"}, "rows 0 to 11, not 400"),
        ({"x0": "1", "x1": "300", "y0": "1", "y1": "5"}, "does not lie in a slice of 64 × 64 voxels"),
    ],
)
def test_what_only_the_scan_tells_is_said_by_the_worker(
    client: TestClient, catalogue: Catalogue, fields: dict[str, str], words: str
) -> None:
    look = ask(client, scan_of(catalogue), **fields)
    work(catalogue)
    shown = page(client, look["address"])
    assert words in shown["problem"]
    assert "/" not in shown["problem"].split(":")[0]  # no folder of the machine
    assert shown["settings"]["row"] == fields.get("row", "")
    assert client.post("/reconstruct/jobs", data={"look": look["job"]}, headers=JSON).status_code == 422


def test_the_newest_look_of_a_visit_wins(client: TestClient, catalogue: Catalogue) -> None:
    scan = scan_of(catalogue)
    first, second = ask(client, scan, row="1"), ask(client, scan, row="2")
    other = ask(client, scan, row="3", session="another window")
    said = work(catalogue)
    assert [line.split(",")[0] for line in said] == [f"job {second['job']}", f"job {other['job']}"]
    assert client.get(first["state"]).json()["state"] == "cancelled"
    # One that runs is given up too, and its slice is not kept.
    running = ask(client, scan, row="4")
    job = take_job(catalogue)
    assert job is not None
    newest = ask(client, scan, row="5")
    with pytest.raises(NotWanted):
        work_kinds()[PREVIEW].do(catalogue, job)
    assert work(catalogue) == [f"job {newest['job']}, preview: done (row 5)"]
    assert client.get(running["state"]).json()["state"] == "cancelled"
    assert client.get(f"/reconstruct/looks/{running['job']}/slices/0.png").status_code == 404


def test_slices_come_before_volumes(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        volume = add_job(connection, LOCAL_OWNER, RECONSTRUCT, {"title": "one", "id": "one"})
        slice_of = add_job(connection, LOCAL_OWNER, PREVIEW, _arguments(scan_of(catalogue)))
    kinds = work_kinds()
    order = [take_job(catalogue, urgent=[name for name in kinds if kinds[name].urgent]) for _ in range(2)]
    assert [job.number if job else None for job in order] == [slice_of, volume]
    for number in (volume, slice_of):
        end_job(catalogue, number, "failed", "only its order was tried")


def test_two_settings_side_by_side(client: TestClient, catalogue: Catalogue) -> None:
    scan = scan_of(catalogue)
    one = ask(client, scan, session="two", row="5")
    work(catalogue)
    two = ask(client, scan, session="two", row="5", delta_beta="80", look=str(one["job"]))
    work(catalogue)
    [other] = re.findall(r'href="(/reconstruct/compare[^"]*)"', client.get(two["address"]).text)
    address = other.replace("&amp;", "&")
    told = page(client, address)
    assert [side["job"] for side in told["sides"]] == [one["job"], two["job"]]
    assert told["changes"] == [{"label": "δ/β", "one": "none", "other": "80"}]
    html = client.get(address).text
    greys = [re.search(r"low=[^&]*&amp;high=[^\"]*", part) for part in html.split("compare-view")[1:]]
    assert greys[0] is not None
    assert greys[1] is not None
    assert greys[0].group() == greys[1].group()  # the same window in both


def launched(client: TestClient, catalogue: Catalogue) -> int:
    look = ask(client, scan_of(catalogue), axis="33.25")
    work(catalogue)
    answer = client.post("/reconstruct/jobs", data={"look": look["job"]}, headers=JSON)
    number: int = answer.json()["job"]
    return number


def test_a_volume_that_waits_or_is_made_is_cancelled(
    client: TestClient, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, before = launched(client, catalogue), records_of(catalogue)
    assert client.post(f"/reconstruct/jobs/{number}/cancel", headers=JSON).status_code == 200
    assert work(catalogue) == []
    assert page(client, f"/reconstruct/jobs/{number}")["progress"]["state"] == "cancelled"
    assert client.post(f"/reconstruct/jobs/{number}/cancel", headers=JSON).status_code == 422
    # Cancelled while a worker is at it: what it made is removed, and no record comes of it.
    number = launched(client, catalogue)
    monkeypatch.setattr(work_jobs, "ASK_S", 0.0)
    teller = work_jobs.stage_teller

    def cancelling(*given: Any) -> Callable[[str, int, int], None]:
        on_progress = teller(*given)

        def tell(stage: str, done: int, total: int) -> None:
            client.post(f"/reconstruct/jobs/{number}/cancel", headers=JSON)
            on_progress(stage, done, total)

        return tell

    monkeypatch.setattr(work_jobs, "stage_teller", cancelling)
    assert work(catalogue) == [f"job {number}, reconstruct: was cancelled"]
    assert page(client, f"/reconstruct/jobs/{number}")["progress"]["state"] == "cancelled"
    assert records_of(catalogue) == before


SLOW_WORKER = """
import sys
from portal.slow_work import make_slowly
from tomarium.beamtime import work_jobs
from tomarium.cli import execute
work_jobs.make_volume = make_slowly
execute(["worker", "--catalogue", sys.argv[1], "--once"])
"""


def test_a_worker_that_is_killed_loses_nothing_and_makes_no_second_record(
    client: TestClient, catalogue: Catalogue
) -> None:
    number, before = launched(client, catalogue), records_of(catalogue)
    tests = str(Path(__file__).parents[1])
    killed = subprocess.Popen(
        [sys.executable, "-c", SLOW_WORKER, catalogue.name], env={**os.environ, "PYTHONPATH": tests}
    )
    sentence = "writing previews and checksums: 0 of 1"
    until = time.monotonic() + 600  # then it has written the volume, and has not filed it
    while page(client, f"/reconstruct/jobs/{number}")["progress"]["sentence"] != sentence:
        assert killed.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)
    assert page(client, f"/reconstruct/jobs/{number}")["progress"] == {
        "state": "running", "sentence": sentence, "done": 0, "total": 1,
    }  # fmt: skip
    with catalogue.reading() as connection:
        job = job_of(connection, LOCAL_OWNER, number)
    assert job is not None
    assert job.told == sentence  # what the list of all jobs shows
    folder = catalogue.home / "records" / job.arguments["id"]
    assert not (folder / "ro-crate-metadata.json").exists()
    later = time.time() + work_jobs.LEASE_S + 1
    # The lease ends while the first is still at it: the second leaves the job to the first.
    taken = take_job(catalogue, later, leases={RECONSTRUCT: work_jobs.LEASE_S})
    assert taken is not None
    with pytest.raises(StillHeld):
        work_kinds()[RECONSTRUCT].do(catalogue, taken)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (folder / "ro-crate-metadata.json").exists()  # no half volume looks finished
    _end_leases(catalogue)
    assert work(catalogue)[0].startswith(f"job {number}, reconstruct: done")
    told = page(client, f"/reconstruct/jobs/{number}")
    assert told["tries"] > 1
    assert read_record(folder).id == told["made"] == job.arguments["id"]
    assert records_of(catalogue) - before == {told["made"]}


def _end_leases(catalogue: Catalogue) -> None:
    from sqlalchemy import update

    from tomarium.catalogue.tables import jobs

    with catalogue.writing() as connection:
        connection.execute(update(jobs).values(lease_until_utc=0.0))


def test_whether_a_worker_is_there_is_said(client: TestClient, catalogue: Catalogue) -> None:
    shutil.rmtree(
        workers_folder(catalogue.home), ignore_errors=True
    )  # of a worker that another test has killed
    assert "no worker was heard" in page(client, "/reconstruct")["worker"]
    look = ask(client, scan_of(catalogue))
    assert "tomarium worker" in client.get(look["state"]).json()["sentence"]
    with heard(catalogue.home, ("preview",)):
        told = page(client, "/reconstruct")
        assert (told["worker"], "no worker" in told["reconstructor"]) == ("", True)
    assert "no worker" in page(client, "/reconstruct")["worker"]


def test_a_portal_of_ones_own_starts_a_worker_and_another_where_it_was_killed(
    another: Catalogue, spool: Path
) -> None:
    children = WorkerChildren(another)
    app = create_app(another, local=True, scans=(spool,), start_worker=children)
    try:
        with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
            assert page(client, "/reconstruct")["worker"] == ""  # one starts when it is needed
            assert children.processes == {}
            first = ask(client, scan_of(another), row="3")
            [killed] = children.processes.values()
            os.kill(killed, signal.SIGKILL)
            assert ended(client, first["state"]) == "done"
            assert killed not in children.processes.values()
            assert list(children.processes) == [PREVIEW]
    finally:
        children.close()
    assert children.processes == {}
    left = [path.stem.rpartition("-")[2] for path in workers_folder(another.home).glob("*.json")]
    assert left in ([], [str(killed)])  # who ended in order took its file away


def ended(client: TestClient, state: str) -> str:
    """Ask for the state of a job, as the page does, until it is at its end."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        told: str = client.get(state).json()["state"]
        if told not in ("waiting", "running"):
            return told
        time.sleep(0.1)
    return "still under way"


def test_what_is_old_is_cleared_away(client: TestClient, catalogue: Catalogue) -> None:
    looks = [ask(client, scan_of(catalogue), row=str(row), session=str(row))["job"] for row in range(3)]
    work(catalogue)
    folders = [work_results.results_folder(catalogue.home, job) for job in looks]
    os.utime(folders[0], (0, 0))
    clear_work(catalogue)
    assert [folder.is_dir() for folder in folders] == [False, True, True]
    with catalogue.reading() as connection:
        kept = {row.number for row in own_jobs(connection, LOCAL_OWNER, PREVIEW)}
    assert kept & set(looks) == set(looks[1:])
    # A volume that was cancelled after its worker was killed.
    number = launched(client, catalogue)
    with catalogue.writing() as connection:
        job = job_of(connection, LOCAL_OWNER, number)
        cancel_job(connection, LOCAL_OWNER, number)
    assert job is not None
    left = catalogue.home / "records" / job.arguments["id"] / "unfinished"
    left.mkdir(parents=True)
    clear_work(catalogue)
    assert not left.parent.exists()


def test_without_javascript_a_form_and_a_refresh_do(client: TestClient, catalogue: Catalogue) -> None:
    scan = scan_of(catalogue)
    answer = client.post("/reconstruct/looks", data={"scan": scan, "what": "axes"})
    assert answer.status_code == 303
    waiting = client.get(answer.headers["location"])
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in waiting.text
    work(catalogue)
    shown = client.get(answer.headers["location"])
    assert "refresh" not in shown.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', shown.text))
    found = re.search(r'class="found"><button[^>]*name="take" value="([^"]*)"', shown.text)
    assert found is not None
    taken = client.post("/reconstruct/looks", data={**fields, "take": found[1]})
    assert taken.status_code == 303
    work(catalogue)
    look = client.get(taken.headers["location"])
    assert f'name="axis" type="text" inputmode="decimal" autocomplete="off" value="{found[1]}"' in look.text
    for source in re.findall(r'(?:<image href|<img src)="([^"]*)"', look.text):
        assert client.get(source.replace("&amp;", "&")).status_code == 200, source
    [number] = re.findall(
        r'action="/reconstruct/jobs">\s*<input type="hidden" name="look" value="(\d+)"', look.text
    )
    job = client.post("/reconstruct/jobs", data={"look": number, "title": ""})
    assert job.status_code == 303
    followed = client.get(job.headers["location"])
    assert 'http-equiv="refresh"' in followed.text
    for twin in (answer, taken, job):
        address = twin.headers["location"].partition("#")[0]
        name, _, query = address.partition("?")
        html, facts = client.get(address), client.get(f"{name}.json?{query}")
        assert client.get(address, headers=JSON).json() == facts.json()
        assert html.headers["link"].split(">")[0].removeprefix("<").startswith(f"{name}.json")


def test_a_volume_needs_room_in_the_quota(another: Catalogue, spool: Path) -> None:
    with client_of(another, spool) as client:
        look = ask(client, scan_of(another), x0="0", x1="32", y0="8", y1="40", rows="2:")
        work(another)
        with another.writing() as connection:
            change_quota(connection, LOCAL_OWNER, "owner", "owner", 1000)
        refused = client.post("/reconstruct/jobs", data={"look": look["job"]}, headers=JSON)
        assert refused.status_code == 507
        assert "quota" in refused.json()["detail"]
        with another.writing() as connection:
            change_quota(connection, LOCAL_OWNER, "owner", "owner", 10**8)
        job = client.post("/reconstruct/jobs", data={"look": look["job"]}, headers=JSON).json()["job"]
        with another.reading() as connection:
            [row] = own_jobs(connection, LOCAL_OWNER, RECONSTRUCT)
        assert (row.number, row.arguments["bytes"]) == (job, 4 * 10 * 32 * 32)


def test_a_worker_that_is_stopped_leaves_its_job_to_the_next_at_once(another: Catalogue) -> None:
    with another.writing() as connection:
        number = add_job(connection, LOCAL_OWNER, "long", {})

    def stopped(_catalogue: Catalogue, _job: Any) -> Any:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stop:
            raise Interrupted("stopped; 1 of 2 slabs are done") from stop

    with pytest.raises(KeyboardInterrupt):
        do_jobs(another, print, {"long": Kind(stopped)})
    again = take_job(another)
    assert again is not None
    assert (again.number, again.tries) == (number, 1)


def test_a_slice_is_averaged_down_where_it_is_large() -> None:
    image = np.arange(7 * 5, dtype=np.float64).reshape(7, 5)
    small, factor = work_results.averaged(image, 4)
    assert (factor, small.dtype) == (2, np.float32)
    np.testing.assert_allclose(small, image[:6, :4].reshape(3, 2, 2, 2).mean((1, 3)))
    assert work_results.averaged(image, 7)[1] == 1


def test_absurd_requests_are_refused(another: Catalogue, spool: Path) -> None:
    client, scan = client_of(another, spool), scan_of(another)
    assert client.get("/reconstruct/slice", params={"scan": "nothing"}).status_code == 400
    assert client.get("/reconstruct/slice", params={"scan": "record:nothing"}).status_code == 404
    assert client.get("/reconstruct/slice", params={"scan": scan, "look": "99"}).status_code == 404
    assert (
        client.post("/reconstruct/looks", data={"scan": scan, "look": "x"}, headers=JSON).status_code == 400
    )
    assert (
        client.post("/reconstruct/looks", data={"scan": scan, "colour": "x"}, headers=JSON).status_code == 400
    )
    assert (
        client.post("/reconstruct/looks", data={"scan": scan, "more": "x" * 5000}, headers=JSON).status_code
        == 422
    )
    assert client.post("/reconstruct/jobs", data={"look": "99"}, headers=JSON).status_code == 404
    assert client.get("/reconstruct/jobs/99").status_code == 404
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/reconstruct/looks", data={"scan": scan}, headers=cross).status_code == 403
    for session in range(8):
        ask(client, scan, session=str(session))
    many = client.post("/reconstruct/looks", data={"scan": scan, "session": "9"}, headers=JSON)
    assert many.status_code == 429


def test_the_jobs_are_alike_on_both_databases(place: Files, tmp_path: Path) -> None:
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as opened:
        ada = Reader("ada", "member")
        with opened.writing() as connection:
            slow, quick = (add_job(connection, ada, kind, {"n": 1}) for kind in ("slow", "quick"))
        first = take_job(opened, urgent=("quick",), leases={"quick": 5.0})
        assert first is not None
        assert (first.number, first.state, first.tries) == (quick, "running", 1)
        again = take_job(opened, time.time() + 6, urgent=("quick",))
        assert again is not None
        assert (again.number, again.tries) == (quick, 2)
        from tomarium.catalogue.jobs import begin_last_part, forget_jobs, is_held, leave_to_other

        assert (is_held(opened, first), is_held(opened, again)) == (False, True)
        assert not end_job(opened, quick, "done", "by the one that was too slow", held=first)
        leave_to_other(opened, again, 60.0)
        assert is_held(opened, first)
        assert take_job(opened, only=("quick",)) is None
        assert begin_last_part(opened, first, "files it")
        with opened.writing() as connection, pytest.raises(Exception, match="files its record just now"):
            cancel_job(connection, ada, quick)
        assert end_job(opened, quick, "done", "", held=first)
        with opened.writing() as connection:
            cancel_job(connection, ada, slow)
            assert forget_jobs(connection, "slow", lambda _job: False) == [slow]
            assert forget_jobs(connection, "quick", lambda _job: False) == []  # the newest of all stays
