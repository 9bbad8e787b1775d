"""Pictures drawn of records when they are filed: which, once, within limits; and what could not be drawn is said."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from app_client import TestClient
from mesh.bodies import volume
from tomarium.catalogue import LOCAL_OWNER, Catalogue, file_record, ingest, open_catalogue, record_pictures
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.audit import lines as lines_of
from tomarium.catalogue.file_path import file_path
from tomarium.catalogue.jobs import add_job, take_job
from tomarium.catalogue.life import Request, publish
from tomarium.catalogue.make_from_files import Wish
from tomarium.catalogue.record_folder import read_record, verify
from tomarium.catalogue.record_pictures import (
    KIND,
    OF_SCAN,
    OF_VOLUME,
    ask_for_pictures,
    kinds_due,
    make_pictures,
)
from tomarium.catalogue.work import do_jobs, work_once
from tomarium.cli import execute
from tomarium.formats.zarr.reader import write
from tomarium.portal.app import create_app
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate
from tomarium.viewers import volume_pictures
from tomarium.viewers.drawn import FOLDER, told_of


class InThisProcess:
    """Draws as the processes do that a worker begins, and sooner."""

    def ask(self, question: Any, **_: Any) -> Any:
        return record_pictures._draw(question)


APART = record_pictures.readers


@pytest.fixture(scope="module")
def _soon() -> Iterator[None]:
    turntable = volume_pictures.turntable
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_pictures, "readers", InThisProcess)
        patch.setattr(volume_pictures, "turntable", lambda volume: turntable(volume, 2, 24))
        yield


@pytest.fixture(scope="module")
def catalogue(
    _soon: None, tmp_path_factory: pytest.TempPathFactory, make_volume: Callable[..., Path]
) -> Iterator[Catalogue]:
    """A catalogue with a volume, one that is too thin to be turned and was published, and a raw scan; all drawn."""
    home = tmp_path_factory.mktemp("pictures")
    with open_catalogue(home / "catalogue.sqlite") as opened:
        make_volume(home / "records" / "whole" / "volume.ome.zarr", size=24)
        thin = np.random.default_rng(1).normal(1, 0.1, (3, 16, 16)).astype(np.float32)
        write(home / "records" / "thin" / "volume.ome.zarr", volume(thin))
        for id in ("whole", "thin"):
            file_record(
                home / "records" / id, title=id, id=id, licence="CC-BY-4.0", creators=("Lovelace, Ada",)
            )
            ingest(opened, home / "records" / id)
        publish(opened, LOCAL_OWNER, "thin", Request(embargo="0"))
        simulate(home / "scan.h5", SimulationConfig(columns=48, rows=4, views=60), to="data-exchange")
        filed = file_path(opened, home / "scan.h5", Wish(home / "records", title="scan"))
        made = [read_record(home / "records" / id) for id in ("whole", "thin")]
        assert ask_for_pictures(opened, LOCAL_OWNER, [*made, *filed.records]) == 1
        assert ask_for_pictures(opened, LOCAL_OWNER, [*made, *filed.records]) == 1  # one job for both
        said: list[str] = []
        assert work_once(opened, said.append)
        problem = "a volume of 3 × 16 × 16 voxels is too thin to be turned; it needs 4 along each axis"
        [line] = said
        assert f"{KIND}: done (3 records; thin: turntable: volume.ome.zarr: {problem}" in line
        yield opened


@pytest.mark.parametrize(("id", "kinds"), [("whole", OF_VOLUME), ("thin", OF_VOLUME[:-1]), ("scan", OF_SCAN)])
def test_pictures_lie_in_the_record_and_are_drawn_once(
    catalogue: Catalogue, id: str, kinds: tuple[str, ...]
) -> None:
    folder = catalogue.home / "records" / id
    record = read_record(folder)
    assert verify(folder) == ()
    told = told_of(record)
    assert sorted(told["files"]) == sorted(kinds)
    assert sorted(told["failed"]) == (["turntable"] if id == "thin" else [])
    listed = {one.path: one.role for one in record.files}
    for kind, name in told["files"].items():
        assert listed[f"{FOLDER}/{name}"] == "preview"
        with Pillow.open(BytesIO((folder / FOLDER / name).read_bytes())) as picture:
            assert getattr(picture, "n_frames", 1) == (2 if kind == "turntable" else 1)
    assert kinds_due(record) == ()
    assert kinds_due(record, again=True) == tuple(told["failed"])
    assert ask_for_pictures(catalogue, LOCAL_OWNER, (record,)) is None
    other = tuple(
        replace(one, sha256="0" * 64) if one.role in ("volume", "data") else one for one in record.files
    )
    assert set(kinds_due(replace(record, files=other))) >= set(kinds)


def test_the_page_shows_them_and_says_what_could_not_be_drawn(catalogue: Catalogue) -> None:
    with TestClient(create_app(catalogue, local=True)) as client:
        data = client.get("/records/whole.json").json()["viewers"]["drawn"]["data"]
        assert [one["kind"] for one in data["pictures"]] == ["sheet", "histogram", "rings", "turntable"]
        for one in data["pictures"]:
            assert client.get(one["address"]).headers["content-type"] in ("image/png", "image/webp")
        assert "could not be drawn" not in client.get("/records/whole").text
        assert "The picture “turntable” could not be drawn" in client.get("/records/thin").text
        assert str(catalogue.home) not in client.get("/records/thin").text


def test_at_once_by_the_command_and_within_its_time(
    tmp_path: Path,
    make_volume: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "records" / "quick"
    make_volume(folder / "volume.ome.zarr", size=8)
    file_record(folder, title="quick", id="quick")
    monkeypatch.setattr(record_pictures, "readers", APART)
    monkeypatch.setattr(record_pictures, "OF_VOLUME", ("sheet",))
    given = ["ingest", str(folder), "--catalogue", str(tmp_path / "catalogue.sqlite"), "--pictures"]
    with monkeypatch.context() as hurried:
        hurried.setattr(record_pictures, "LONGEST_S", 0.0)
        assert execute(given) == 2
    assert "takes longer than 0 s; `tomarium picture` has no such limit" in capsys.readouterr().err
    assert list(told_of(read_record(folder))["failed"]) == ["sheet"]
    assert execute(given) == 0
    assert told_of(read_record(folder))["failed"] == {}
    assert (folder / FOLDER / "sheet.png").is_file()
    assert verify(folder) == ()


def test_after_a_minute_the_rest_waits_behind_other_jobs(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_pictures, "ROUND_S", -1.0)
    with catalogue.writing() as connection:
        first = add_job(connection, LOCAL_OWNER, KIND, {"records": ["whole", "gone"]})
    job = take_job(catalogue)
    assert job is not None
    assert job.number == first
    state, told, _ = make_pictures(catalogue, job)
    assert (state, told) == ("done", f"0 records; job {first + 1} draws those of the other 2")


def test_a_record_that_is_gone_fails_and_the_others_are_drawn(catalogue: Catalogue) -> None:
    with catalogue.writing() as connection:
        add_job(connection, LOCAL_OWNER, KIND, {"records": ["gone", "whole"]})
    job = take_job(catalogue)
    while job is not None and job.arguments != {"records": ["gone", "whole"]}:
        job = take_job(catalogue)
    assert job is not None
    state, told, _ = make_pictures(catalogue, job)
    assert (state, told.partition(";")[0]) == ("failed", "1 records")
    assert "there is no record 'gone'" in told


def test_what_is_asked_for_at_the_command_line_is_done_though_there_are_accounts(
    catalogue: Catalogue, tmp_path: Path, make_volume: Callable[..., Path]
) -> None:
    folder = tmp_path / "late"
    make_volume(folder / "volume.ome.zarr", size=8)
    file_record(folder, title="late", id="late")
    with catalogue.writing() as connection:
        make_account(connection, LOCAL_OWNER, "root", "administrator")
    assert execute(["ingest", str(folder), "--catalogue", str(catalogue.home / "catalogue.sqlite")]) == 0
    said: list[str] = []
    do_jobs(catalogue, said.append)
    assert said[-1].endswith("done (1 records)")
    with catalogue.reading() as connection:
        lines = [(line.who, line.action) for line in lines_of(connection) if line.record == "late"]
    assert lines[-1] == ("owner", "draw pictures")
