"""The page of work: binning, further steps, the slice that a visit begins with, and work that is given up."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sqlalchemy import make_url

import tomarium as tm
from app_client import TestClient
from portal.slow_work import make_no_slab
from postgresql_server import Files
from tomarium.beamtime import work_jobs, work_results
from tomarium.beamtime.work_jobs import PREVIEW, RECONSTRUCT, work_kinds
from tomarium.beamtime.work_settings import WorkSettings, binned_range, settings_of
from tomarium.beamtime.work_steps import chosen_steps, from_fields, further_text, offered_steps
from tomarium.catalogue import LOCAL_OWNER, Catalogue, Reader, open_catalogue, postgresql
from tomarium.catalogue.accounts import make_account
from tomarium.catalogue.file_path import file_path
from tomarium.catalogue.find_jobs import own_jobs
from tomarium.catalogue.jobs import cancel_job, take_job
from tomarium.catalogue.make_from_files import Wish
from tomarium.catalogue.make_record import make_record
from tomarium.catalogue.tokens import make_token
from tomarium.catalogue.work import NotWanted, do_jobs
from tomarium.errors import ParameterError
from tomarium.model import Scan
from tomarium.pipeline.run.reconstruct import slice_at
from tomarium.portal.app import create_app
from tomarium.portal.worker_child import WorkerChildren, address_of
from tomarium.steps.core.step import View
from tomarium.synth.config import SimulationConfig
from tomarium.synth.scan import simulate

AXIS = 33.5
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spool")
    simulate(folder / "tooth.h5", SimulationConfig(columns=64, rows=40, views=90, axis_column=AXIS, seed=2))
    return folder


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with open_catalogue(tmp_path / "catalogue.sqlite") as opened:
        yield opened


@pytest.fixture
def client(catalogue: Catalogue, spool: Path) -> Iterator[TestClient]:
    with client_of(catalogue, spool) as client:
        yield client


def client_of(catalogue: Catalogue, spool: Path, start: Any = None) -> TestClient:
    app = create_app(catalogue, local=True, scans=(spool,), start_worker=start)
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


def scan_in(spool: Path) -> str:
    return f"path:{spool / 'tooth.h5'}"


def work(catalogue: Catalogue) -> list[str]:
    said: list[str] = []
    do_jobs(catalogue, said.append, work_kinds())
    return said


def looked(client: TestClient, catalogue: Catalogue, spool: Path, **fields: str) -> Any:
    """Ask for a slice, let a worker make it, and give the page that shows it."""
    asked = client.post("/reconstruct/looks", data={"scan": scan_in(spool), **fields}, headers=JSON)
    assert asked.status_code == 202, asked.text
    work(catalogue)
    seen = client.get(asked.json()["address"], headers=JSON).json()
    assert seen["look"]["progress"]["state"] == "done", seen["problem"]
    return seen


def steps_of(seen: Any) -> list[Any]:
    found: list[Any] = yaml.safe_load(seen["protocol"])["steps"]
    return found


def shown(catalogue: Catalogue, seen: Any) -> Any:
    return work_results.read_slice(work_results.results_folder(catalogue.home, seen["look"]["job"]), 0)


def test_binning_leaves_every_number_of_the_form_at_its_place(
    client: TestClient, catalogue: Catalogue, spool: Path
) -> None:
    binned = {"bin_columns": "2", "bin_rows": "4", "bin_angles": "3"}
    seen = looked(client, catalogue, spool, row="21", axis=str(AXIS), pixel="2 um", **binned)
    assert steps_of(seen)[0] == {"bin": {"rows": 4, "columns": 2, "angles": 3}}
    assert steps_of(seen)[-1] == {
        "fbp": {"axis_column": 16.5, "pixel_m": "4e-06 m"}
    }  # (33.5 + 1/2) / 2 - 1/2
    assert (seen["look"]["row"], seen["look"]["last_row"]) == (20, 23)
    assert f"column {AXIS:.2f}" in seen["look"]["axis"]
    assert (seen["look"]["width"], shown(catalogue, seen).shape) == (64, (32, 32))
    assert "voxel size 4 µm" in seen["look"]["place"]
    german = client.get("/de/reconstruct/slice", params={"scan": seen["scan"], "look": seen["shown"]}).text
    for words in (
        "Zeilen 20 bis 23 von ",
        "Voxelgröße 4 µm",
        f"Achse bei Spalte {AXIS:.2f}".replace(".", ","),
    ):
        assert words in german, words
    assert f'value="{AXIS}"' in german  # a field is shown as it was typed
    np.testing.assert_array_equal(
        shown(catalogue, seen), slice_at(spool / "tooth.h5", 5, seen["protocol"]).slab.data[0]
    )
    # The region and the rows, too, are those of the detector; what is run is what is shown.
    fields = {"x0": "9", "x1": "40", "y0": "8", "y1": "32", "rows": "5:16", "axis": str(AXIS), **binned}
    seen = looked(client, catalogue, spool, **fields)
    assert steps_of(seen)[-1]["fbp"]["region"] == "4:16,4:20"
    assert seen["look"]["region"] == [9, 8, 31, 24]
    assert seen["command"].endswith("--roi 4:16,4:20 --rows 1:4")
    job = client.post("/reconstruct/jobs", data={"look": seen["look"]["job"]}, headers=JSON).json()
    [line] = work(catalogue)
    assert "done" in line
    made = client.get(job["address"], headers=JSON).json()
    volume = tm.open(catalogue.home / "records" / _id(catalogue) / "volume.ome.zarr")
    assert made["rows"] == "1:4"
    assert volume.shape == (3, 12, 16)
    with catalogue.reading() as connection:
        [row] = own_jobs(connection, LOCAL_OWNER, RECONSTRUCT)
    assert row.arguments["bytes"] == 4 * 3 * 12 * 16


def _id(catalogue: Catalogue) -> str:
    with catalogue.reading() as connection:
        [row] = own_jobs(connection, LOCAL_OWNER, RECONSTRUCT)
    return str(row.arguments["id"])


def test_the_axis_that_is_found_of_binned_frames_is_told_as_a_column_of_the_detector(
    client: TestClient, catalogue: Catalogue, spool: Path
) -> None:
    seen = looked(client, catalogue, spool, bin_columns="2", bin_rows="2")
    assert "find_axis" in seen["protocol"]
    assert "found, confidence" in seen["look"]["axis"]
    found = float(re.findall(r"column ([\d.]+)", seen["look"]["axis"])[0])
    assert abs(found - AXIS) < 0.6
    np.testing.assert_allclose(  # to what a column loses where it is told of the file and moved by the binning
        shown(catalogue, seen), slice_at(spool / "tooth.h5", None, seen["protocol"]).slab.data[0], atol=1e-4
    )
    data = {"scan": scan_in(spool), "what": "axes", "bin_columns": "2", "bin_rows": "2"}
    strip = client.post("/reconstruct/looks", data=data, headers=JSON).json()
    work(catalogue)
    told = client.get(strip["address"], headers=JSON).json()["strip"]
    columns = [one["column"] for one in told["candidates"]]
    assert abs(columns[4] - found) < 0.01  # the page tells two decimals
    assert columns[5] - columns[4] in (2.0, 4.0, 8.0)


def test_what_is_no_number_is_left_to_the_step_that_refuses_it(client: TestClient, spool: Path) -> None:
    for fields, words in (
        ({"bin_rows": "two"}, "step bin: rows = 'two'"),
        ({"bin_columns": "0"}, "step bin: columns = '0'"),
        ({"bin_columns": "2", "pixel": "wide"}, "pixel_m = 'wide'"),
        ({"bin_columns": "2", "axis": "here"}, "axis_column = 'here'"),
        ({"add": "sirtt"}, "there is no step 'sirtt'; did you mean sirt"),
        ({"add": "crop"}, "step crop changes what rows and columns are"),
        ({"add": "ctf"}, "step ctf takes further files"),
        ({"further": "remove_spikes\nremove_spikes.size=3"}, "step remove_spikes has no parameter 'size'"),
        ({"more": "ctf.scans=/etc/passwd"}, "the page lets no step take further files"),
    ):
        answer = client.post("/reconstruct/looks", data={"scan": scan_in(spool), **fields}, headers=JSON)
        assert answer.status_code == 422, fields
        assert words in answer.json()["detail"]
    assert [binned_range(text, 4) for text in ("5:16", ":7", "", "a:b", "-8:")] == [
        "1:4",
        ":2",
        "",
        "a:b",
        "-2:",
    ]


def test_a_further_step_is_added_without_javascript_and_runs_as_it_is_shown(
    client: TestClient, catalogue: Catalogue, spool: Path
) -> None:
    added = client.post(
        "/reconstruct/looks", data={"scan": scan_in(spool), "axis": str(AXIS), "add": "double_flat_field"}
    )
    assert added.status_code == 303
    work(catalogue)
    html = client.get(added.headers["location"]).text
    assert 'name="step.double_flat_field" value="on" checked' in html
    names = re.findall(r'name="step\.double_flat_field\.(\w+)"', html)
    known = [one.name for one in offered_steps()["double_flat_field"].parameters]
    assert names == [name for name in known if name != "axis_column"]  # which has a field of its own
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    fields |= {"axis": str(AXIS), "step.double_flat_field": "on", "step.remove_spikes": "on"}
    fields |= {f"step.double_flat_field.{name}": "" for name in names} | {
        "step.double_flat_field.strength": "0.5"
    }
    seen = looked(client, catalogue, spool, **fields)
    order = [next(iter(one)) if isinstance(one, dict) else one for one in steps_of(seen)]
    assert order == [
        "find_axis",
        "remove_spikes",
        "flat_field",
        "double_flat_field",
        "half_acquisition",
        "fbp",
    ]
    np.testing.assert_array_equal(
        shown(catalogue, seen), slice_at(spool / "tooth.h5", 20, seen["protocol"]).slab.data[0]
    )
    # Without its tick it is left out, and so are its parameters.
    del fields["step.double_flat_field"]
    assert "double_flat_field" not in looked(client, catalogue, spool, **fields)["protocol"]


def test_a_reconstruction_that_is_added_takes_axis_and_pixel_from_their_fields(
    client: TestClient, catalogue: Catalogue, spool: Path
) -> None:
    fields = {"step.cgls": "on", "step.cgls.iterations": "2", "axis": str(AXIS), "pixel": "2 um"}
    seen = looked(client, catalogue, spool, row="3", **fields)
    assert steps_of(seen)[-1] == {"cgls": {"axis_column": AXIS, "pixel_m": "2e-06 m", "iterations": 2}}
    html = client.get(f"/reconstruct/slice?scan={scan_in(spool)}&look={seen['look']['job']}").text
    assert 'name="step.cgls.iterations" type="text" autocomplete="off" value="2"' in html
    assert 'name="step.cgls.axis_column"' not in html


def test_the_field_of_further_steps_is_read_as_it_is_written() -> None:
    chosen = {"sirt": {"iterations": "5", "start": "fbp"}, "remove_spikes": {}}
    assert chosen_steps(further_text(chosen)) == chosen
    fields = [
        ("step.tv", "on"),
        ("step.tv.iterations", " 3 "),
        ("step.cgls.iterations", "9"),
        ("add", "statistics"),
    ]
    assert from_fields("sirt", fields) == "sirt\ntv\ntv.iterations=3\nstatistics"
    offered = offered_steps()
    assert not any(isinstance(step, View) for step in offered.values())
    for name, step in offered.items():  # each stands in a protocol by its name alone
        try:
            made = settings_of({"further": name}).protocol()
        except ParameterError as problem:
            pytest.fail(f"{name}: {problem}")
        assert step in [item.step for item in made.items]
    assert WorkSettings().protocol().items


def test_a_visit_begins_with_a_slice_that_is_asked_for_once(
    client: TestClient, catalogue: Catalogue, spool: Path
) -> None:
    address = f"/reconstruct/slice?scan={scan_in(spool)}"
    waiting = client.get(address).text
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in waiting
    assert client.get(address, headers=JSON).json()["look"]["progress"]["state"] == "waiting"
    [line] = work(catalogue)
    assert "preview: done (row 20)" in line
    assert '<image href="' in client.get(address).text
    assert work(catalogue) == []
    # A file that was written to since is looked at anew; so is a slice that was cleared away.
    now = time.time()
    for facts in (catalogue.home / "work" / "jobs").glob("*/facts.json"):
        os.utime(facts, (now - 120, now - 120))
    os.utime(spool / "tooth.h5", (now, now))
    assert client.get(address, headers=JSON).json()["look"]["progress"]["state"] == "waiting"
    os.utime(spool / "tooth.h5", (1e9, 1e9))
    work(catalogue)
    work_results.clear_results(catalogue.home, time.time() + 1e6)
    assert client.get(address, headers=JSON).json()["look"]["progress"]["state"] == "waiting"
    assert len(work(catalogue)) == 1


def test_who_may_only_read_asks_for_no_slice(catalogue: Catalogue, spool: Path) -> None:
    filed = file_path(catalogue, spool / "tooth.h5", Wish(catalogue.home / "records", "A tooth", copy=True))
    scan = f"record:{filed.records[0].id}"
    with catalogue.writing() as connection:
        make_account(connection, LOCAL_OWNER, "root", "administrator")
        tokens = [
            make_token(connection, LOCAL_OWNER, "root", scope, ("read", scope), 1)
            for scope in ("write", "upload")
        ]
    with TestClient(create_app(catalogue), follow_redirects=False) as client:
        for token, asked in zip(tokens, (0, 1), strict=True):
            headers = {"Authorization": f"Bearer {token}", **JSON}
            seen = client.get("/reconstruct/slice", params={"scan": scan}, headers=headers)
            assert seen.status_code == 200
            assert (seen.json()["look"] is None) == (not asked)
            with catalogue.reading() as connection:
                jobs = own_jobs(connection, Reader("root", "administrator"), PREVIEW)
            assert len(jobs) == asked


def test_a_cancelled_volume_ends_within_a_slab(
    client: TestClient, catalogue: Catalogue, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = looked(client, catalogue, spool, axis=str(AXIS))
    number = client.post("/reconstruct/jobs", data={"look": seen["look"]["job"]}, headers=JSON).json()["job"]
    monkeypatch.setattr(work_jobs, "ASK_S", 0.0)
    monkeypatch.setattr(work_jobs, "make_volume", make_no_slab)
    asked, begun = work_jobs.CancelCheck.__call__, time.monotonic()

    def cancelled_at_once(wanted: Any) -> None:
        asked(wanted)
        with catalogue.writing() as connection:
            cancel_job(connection, LOCAL_OWNER, number)

    monkeypatch.setattr(work_jobs.CancelCheck, "__call__", cancelled_at_once)
    assert work(catalogue) == [f"job {number}, reconstruct: was cancelled"]
    assert time.monotonic() - begun < 600  # the process that made it, which sleeps for an hour, was ended
    assert list((catalogue.home / "records").iterdir()) == []


def test_blocks_of_rows_are_bitwise_the_whole(spool: Path, tmp_path: Path) -> None:
    asked: list[None] = []
    scan = tm.open(spool / "tooth.h5")
    assert isinstance(scan, Scan)
    protocol = settings_of({"rings": "auto", "axis": str(AXIS)}).protocol(scan.domain)
    make_record(scan, protocol, tmp_path / "plain")
    make_record(scan, protocol, tmp_path / "asked", demand_wanted=lambda: asked.append(None))
    plain, blocks = (tm.open(tmp_path / name / "volume.ome.zarr")[...] for name in ("plain", "asked"))
    np.testing.assert_array_equal(plain, blocks)
    assert len(asked) > 4


def test_nobody_asks_on_when_a_job_is_lost(
    catalogue: Catalogue, spool: Path, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get(f"/reconstruct/slice?scan={scan_in(spool)}")
    job = take_job(catalogue)
    assert job is not None
    wanted = work_jobs.CancelCheck(catalogue, job)
    monkeypatch.setattr(work_jobs, "ASK_S", 3600.0)
    wanted()
    with catalogue.writing() as connection:
        cancel_job(connection, LOCAL_OWNER, job.number)
    wanted()  # it asks a few times a second at most
    monkeypatch.setattr(work_jobs, "ASK_S", 0.0)
    for _ in range(2):
        with pytest.raises(NotWanted):
            wanted()


def test_a_portal_of_ones_own_starts_workers_on_either_database(
    place: Files, tmp_path: Path, spool: Path
) -> None:
    with open_catalogue(place(tmp_path / "catalogue.sqlite")) as opened:
        children = WorkerChildren(opened)
        try:
            with client_of(opened, spool, children) as client:
                seen = client.get(f"/reconstruct/slice?scan={scan_in(spool)}", headers=JSON).json()
                assert seen["worker"] == ""
                state = f"/reconstruct/looks/{seen['look']['job']}/state"
                end = time.monotonic() + 600
                while (told := client.get(state).json()["state"]) in ("waiting", "running"):
                    assert time.monotonic() < end
                    time.sleep(0.1)
                assert told == "done"
        finally:
            children.close()


def test_the_password_of_a_database_is_told_to_a_worker_and_to_no_list_of_processes() -> None:
    address = "postgresql://tomarium:secret@db.example.org:5433/tomarium"
    with Catalogue(
        postgresql.connect(make_url(address)), "postgresql://tomarium:***@db.example.org"
    ) as opened:
        assert address_of(opened) == address
