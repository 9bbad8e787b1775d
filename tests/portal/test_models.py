"""Meshes and prints from the page: for whom, what a worker makes of what was asked for, and what is refused."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from app_client import TestClient
from mesh.bodies import BODIES, ball, volume
from portal.worker_reads_nothing import worker_reads_nothing
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, file_record, ingest, open_catalogue
from tomarium.catalogue.accounts import close_account, make_account
from tomarium.catalogue.edit import Changes, edit
from tomarium.catalogue.find_jobs import jobs_of_record
from tomarium.catalogue.jobs import LEASE_S, take_job
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.model_jobs import KIND, ask_for_model
from tomarium.catalogue.record_folder import read_record, verify
from tomarium.catalogue.work import work_once
from tomarium.formats.zarr.reader import write
from tomarium.model import Person
from tomarium.pipeline.mesh.body import Wish
from tomarium.portal.app import create_app
from tomarium.viewers.body_preview import body_preview
from tomarium.viewers.mesh_picture import mesh_png

pytest.importorskip("manifold3d")
ADA = Reader("ada", "member")
SMALL = {"height": "20 mm", "min_wall": "2 mm", "max_tri": "20k", "no_plate": "1"}


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the pictures of meshes small: their own tests are in tests/mesh."""
    monkeypatch.setattr("tomarium.catalogue.mesh_files.mesh_png", lambda mesh: mesh_png(mesh, 32))


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        for id, grey in (("ball", ball(9)[0]), ("two", BODIES["two balls apart"](0.0)[0])):
            folder = tmp_path / "records" / id
            write(folder / "volume.ome.zarr", volume(grey))
            file_record(folder, title="A ball", id=id, licence="CC-BY-4.0", creators=("Lovelace, Ada",))
            ingest(opened, folder, reader=ADA)
        yield opened


@pytest.fixture
def client(catalogue: Catalogue) -> Iterator[TestClient]:
    with TestClient(create_app(catalogue, local=True), raise_server_exceptions=False) as client:
        yield client


def worked(catalogue: Catalogue) -> list[str]:
    said: list[str] = []
    work_once(catalogue, said.append)
    return said


def parts_of(folder: Path) -> list[str]:
    assert verify(folder) == ()
    return [part.path for part in read_record(folder).parts]


def test_from_the_form_to_the_files(client: TestClient, catalogue: Catalogue, tmp_path: Path) -> None:
    assert 'href="/records/ball/models"' in client.get("/records/ball").text
    page = client.get("/records/ball/models?threshold=0.5").text
    assert "what is above 0.5 1/cm (given)" in page
    assert '<input type="hidden" name="threshold" value="0.5">' in page
    told = client.post("/records/ball/models/print", data={**SMALL, "threshold": "0.5"})
    assert told.url.path == "/records/ball/models"
    assert "waits for a worker" in told.text
    client.post("/records/ball/models/mesh", data={"max_tri": "5k", "name": "Outer skin"})
    assert parts_of(tmp_path / "records" / "ball") == ["volume.ome.zarr"]  # the portal made nothing of it
    with worker_reads_nothing():
        assert len(worked(catalogue)) == 2
    assert parts_of(tmp_path / "records" / "ball") == ["volume.ome.zarr", "meshes/print", "meshes/outer-skin"]
    asked = client.get("/records/ball/models.json").json()["asked"]
    assert [(one["role"], one["state"], one["address"]) for one in asked] == [
        ("surface", "done", "/records/ball#meshes"),
        ("print", "done", "/records/ball#meshes"),
    ]
    shown = client.get("/records/ball").text
    assert "3MF, for printers" in shown
    assert "print.html" in shown
    figures = read_record(tmp_path / "records" / "ball").parts[1].summary["figures"]
    assert figures["body_mm"][2] == pytest.approx(20, rel=0.01)
    assert figures["threshold_source"] == "given by the user"


def test_the_same_is_made_once_and_another_of_its_name_is_refused(
    client: TestClient, catalogue: Catalogue
) -> None:
    def post(**fields: str) -> tuple[int, str]:
        answer = client.post(
            "/records/ball/models/mesh",
            data={"max_tri": "5k", **fields},
            headers={"Accept": "application/json"},
        )
        return answer.status_code, answer.json().get("detail", answer.json().get("job"))

    first, again = post(), post()
    assert first == again == (202, first[1])
    status, why = post(threshold="0.6")
    assert (status, "job 1 makes one of the name" in why) == (422, True)
    assert len(worked(catalogue)) == 1
    status, why = post()
    assert (status, "has a mesh of the name 'surface' already" in why) == (422, True)
    assert post(overwrite="1")[0] == 202
    assert "done" in worked(catalogue)[0]
    assert [post(name=name)[0] for name in "abcdef"] == [202] * 5 + [422]


@pytest.mark.parametrize(
    ("role", "fields", "pattern"),
    [
        ("print", {"height": "20"}, "“Height”: .* unit"),
        ("print", {"up": "w"}, "“Upwards” 'w': is one of"),
        ("print", {"text": "\n".join("abcd")}, "has 4 lines"),
        ("print", {"smallest": "3"}, "no field 'smallest'"),
        ("mesh", {"threshold": "nan"}, "“Threshold” 'nan': give a number"),
        ("mesh", {"max_tri": "4M"}, "at most 3000000"),
        ("mesh", {"smooth": "21"}, "from 0 to 20"),
        ("mesh", {"level": "x"}, "whole number from 0 to 20"),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(
    client: TestClient, role: str, fields: dict[str, str], pattern: str
) -> None:
    answer = client.post(f"/records/ball/models/{role}", data=fields, headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert re.search(pattern, answer.json()["detail"])


def test_a_refusal_of_the_worker_stands_on_the_page_in_the_words_of_the_form(
    client: TestClient, catalogue: Catalogue, tmp_path: Path
) -> None:
    page = client.get("/records/two/models").text
    assert "It falls into 2 pieces; the largest is 50 % of it." in page
    client.post("/records/two/models/print", data=SMALL)
    client.post("/records/two/models/mesh", data={"threshold": "9"})
    worked(catalogue)
    mesh, printed = client.get("/records/two/models.json").json()["asked"]
    assert (mesh["state"], printed["state"]) == ("failed", "failed")
    assert "falls into 2 pieces" in printed["told"]
    assert "print the largest alone with “Print the largest piece alone”" in printed["told"]
    assert "nothing is above the threshold 9" in mesh["told"]
    assert not any("--" in one["told"] or str(tmp_path) in one["told"] for one in (mesh, printed))
    assert "nothing is above the threshold 9" in client.get("/records/two/models?threshold=9").text
    client.post("/records/two/models/print", data={**SMALL, "largest_only": "1"})
    assert "done" in worked(catalogue)[0]


KILLED = """
import os, signal, sys
from pathlib import Path
from tomarium.catalogue import open_catalogue
from tomarium.catalogue import mesh_files, {module} as module
from tomarium.viewers.mesh_picture import mesh_png
from tomarium.catalogue.work import work_once
def killed(*_given, **_named):
    os.kill(os.getpid(), signal.SIGKILL)
module.{name} = killed
mesh_files.mesh_png = lambda mesh: mesh_png(mesh, 32)
with open_catalogue(Path(sys.argv[1])) as opened:
    work_once(opened, print)
"""


@pytest.mark.parametrize(("module", "name"), [("keep_mesh", "add_mesh"), ("work", "end_job")])
def test_what_a_killed_worker_left_is_done_by_the_next_and_only_once(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    ask_for_model(catalogue, LOCAL_OWNER, "ball", "surface", {"max_tri": "5k"})
    script = KILLED.format(module=module, name=name)
    run = subprocess.run([sys.executable, "-c", script, str(tmp_path / "catalogue.sqlite")], check=False)
    assert run.returncode == -9
    folder = tmp_path / "records" / "ball"
    filed = module == "work"
    assert parts_of(folder) == ["volume.ome.zarr", *(["meshes/surface"] if filed else [])]
    assert worked(catalogue) == []  # its lease has not ended
    now = time.time()
    monkeypatch.setattr("tomarium.catalogue.jobs.time.time", lambda: now + LEASE_S + 1)
    if filed:  # it is not made again
        monkeypatch.setattr("tomarium.catalogue.model_jobs.make_mesh", None)
    before = (folder / "meshes").stat().st_mtime_ns if filed else 0
    assert len(worked(catalogue)) == 1
    with catalogue.reading() as connection:
        [job] = jobs_of_record(connection, (KIND,), "ball")
    assert (job.state, job.made, job.tries) == ("done", ["ball"], 2)
    assert parts_of(folder) == ["volume.ome.zarr", "meshes/surface"]
    assert not filed or (folder / "meshes").stat().st_mtime_ns == before
    assert [one.name for one in folder.parent.iterdir() if one.name.startswith(".")] == []


def test_what_is_said_of_the_record_meanwhile_is_kept(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tomarium.catalogue import model_jobs

    make = model_jobs.make_mesh

    def slow(*given: object) -> object:
        edit(catalogue, ADA, "ball", Changes(title="Another title"))
        return make(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(model_jobs, "make_mesh", slow)
    ask_for_model(catalogue, ADA, "ball", "surface", {"max_tri": "5k"})
    worked(catalogue)
    record = read_record(tmp_path / "records" / "ball")
    assert (record.title, len(record.parts)) == ("Another title", 2)


def test_of_a_published_record_a_draft_beside_it_and_one_of_both_tries(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    publish(catalogue, LOCAL_OWNER, "ball", Request(embargo="0"))
    for _ in range(2):
        ask_for_model(catalogue, ADA, "ball", "surface", {"max_tri": "5k", "overwrite": "1"})
        assert "done" in worked(catalogue)[0]
    folders = sorted(one.name for one in (tmp_path / "records").iterdir())
    assert folders == ["ball", "ball-surface", "two"]
    made = read_record(tmp_path / "records" / "ball-surface")
    with catalogue.reading() as connection:
        jobs = jobs_of_record(connection, (KIND,), "ball")
    assert [job.made for job in jobs] == [[made.id], [made.id]]
    assert parts_of(tmp_path / "records" / "ball") == ["volume.ome.zarr"]
    edit(catalogue, LOCAL_OWNER, made.id, Changes(title="Mine", creators=(Person("Noether, Emmy"),)))
    ask_for_model(catalogue, ADA, "ball", "surface", {"max_tri": "6k", "overwrite": "1"})
    worked(catalogue)
    again = read_record(tmp_path / "records" / "ball-surface")
    assert (again.id, again.title, again.creators) == (made.id, "Mine", (Person("Noether, Emmy"),))


def test_a_record_of_something_else_in_its_place_is_left_alone(catalogue: Catalogue, tmp_path: Path) -> None:
    write(tmp_path / "records" / "ball-surface" / "volume.ome.zarr", volume(ball(6)[0]))
    file_record(tmp_path / "records" / "ball-surface", title="Another", id="another")
    publish(catalogue, LOCAL_OWNER, "ball", Request(embargo="0"))
    with pytest.raises(Exception, match="is no mesh of ball; give another"):
        ask_for_model(catalogue, ADA, "ball", "surface", {"overwrite": "1"})


def test_who_may_not_any_more_gets_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    with catalogue.writing() as connection:
        for name, role in (("root", "administrator"), ("ada", "member"), ("eve", "member")):
            make_account(connection, LOCAL_OWNER, name, role)
    ask_for_model(catalogue, ADA, "ball", "surface", {"max_tri": "5k"})
    with pytest.raises(Exception, match="no record 'ball'"):
        ask_for_model(catalogue, Reader("eve", "member"), "ball", "surface", {})
    with catalogue.writing() as connection:
        close_account(connection, LOCAL_OWNER, "ada")
    assert "may not be used any more" in worked(catalogue)[0]
    assert parts_of(tmp_path / "records" / "ball") == ["volume.ome.zarr"]


def test_a_running_job_tells_how_far_it_is_and_one_that_was_stopped_waits(
    catalogue: Catalogue, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tomarium.catalogue import model_jobs

    def told() -> tuple[str, str]:
        [asked] = client.get("/records/ball/models.json").json()["asked"]
        return asked["state"], asked["told"]

    def stopped(*given: object) -> object:
        given[-1]("walls", 1, 3)  # type: ignore[operator]
        assert told() == ("running", "making thin walls thicker: 1 of 3")
        assert take_job(catalogue) is None
        raise KeyboardInterrupt

    monkeypatch.setattr(model_jobs, "make_mesh", stopped)
    ask_for_model(catalogue, ADA, "ball", "surface", {})
    with pytest.raises(KeyboardInterrupt):
        work_once(catalogue, print)
    assert told() == ("waiting", "")
    assert take_job(catalogue) is not None


def test_the_preview_shows_the_body_as_it_will_stand(tmp_path: Path) -> None:
    at = np.mgrid[:40, :40, :40]
    # A body that is wide at high z (rows of a print point down in the volume), and narrow below.
    grey = ((at[0] > 20) | (np.abs(at[2] - 20) < 5)) & (np.abs(at - 19.5) < 15).all(axis=0)
    write(tmp_path / "volume.ome.zarr", volume(grey.astype(np.float32)))

    def widths(up: str) -> tuple[int, int]:
        seen = body_preview(tmp_path / "volume.ome.zarr", Wish(0.5, smooth_px=0.0, whole=True), up)
        with Pillow.open(BytesIO(seen.silhouette)) as opened:
            solid = np.asarray(opened) > 20
        rows = np.flatnonzero(solid.any(axis=1))
        return int(solid[rows[0] + 20].sum()), int(solid[rows[-1] - 20].sum())

    seen = body_preview(tmp_path / "volume.ome.zarr", Wish(0.5, smooth_px=0.0, whole=True))
    assert seen.share == pytest.approx(grey.mean(), rel=1e-6)
    assert (seen.pieces, seen.found, seen.shape) == (1, False, (40, 40, 40))
    assert (len(seen.slice) > 100, seen.at_edge) == (True, 0.0)
    top, bottom = widths("z")
    assert top > 2 * bottom
    top, bottom = widths("-z")
    assert bottom > 2 * top
